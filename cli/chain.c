/* SPDX-License-Identifier: Apache-2.0 */
/* chain.c - opening a chain file and a runtime for it. */
#include "cli/chain.h"

int gri_chain_tell(const struct gri_chain *c)
{
    (void)fputs(gri_chain_report_text(&c->report), stderr);
    return GRI_EXIT_USAGE;
}

int gri_chain_open(struct gri_chain *c, const char *path, unsigned workers)
{
    return gri_chain_open_node(c, path, NULL, workers);
}

int gri_chain_open_node(struct gri_chain *c, const char *path, const char *node, unsigned workers)
{
    int exit_code = -1;

    c->session = (struct gri_session){ .signals = -1 };
    c->builder = (struct gri_chain_builder){ .file = NULL };
    gri_chain_report_init(&c->report, path);
    c->file = gri_chain_file_open(path, &c->report);
    if (c->file == NULL)
        return gri_chain_tell(c);
    if (node != NULL)
        exit_code = gri_deploy_enter(c->file, path, node, &workers);
    if (exit_code >= 0)
        return exit_code;
    if (!gri_session_open(&c->session, workers))
        return GRI_EXIT_FAILED;
    gri_chain_builder_init(&c->builder, c->file, c->session.rt, &c->report);
    return -1;
}

void gri_chain_close(struct gri_chain *c)
{
    gri_session_close(&c->session);
    gri_chain_builder_fini(&c->builder);
    gri_chain_file_free(c->file);
    gri_chain_report_fini(&c->report);
}
