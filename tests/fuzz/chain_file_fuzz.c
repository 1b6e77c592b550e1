/* SPDX-License-Identifier: Apache-2.0 */
/* chain_file_fuzz.c - any bytes as a chain file: read, or told why not, and nothing else. */
#include "cli/chain_file.h"
#include "tests/fuzz/fuzz.h"

/* look_up stands for the environment: a variable is set if its name has an odd length. */
static char *look_up(const char *name)
{
    static char value[] = "42";

    return strlen(name) % 2 == 1 ? value : NULL;
}

/* look_at does what `check` and `graph` do with places: whatever the file has, it ends. */
static void look_at(const struct gri_chain_file *f)
{
    uint64_t calls[GRI_DEPLOY_NODES_MAX];
    struct gri_strbuf drawn = GRI_STRBUF_INIT;
    struct gri_chain_report notes;

    gri_chain_report_init(&notes, "f");
    gri_deploy_notes(f, &notes);
    gri_deploy_check_doors(f, &notes);
    gri_deploy_calls(f, calls);
    must(gri_deploy_draw(f, &drawn));
    gri_strbuf_fini(&drawn);
    gri_chain_report_fini(&notes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cost cost = fuzz_begin();
    struct gri_chain_report r;
    struct gri_chain_file *f;
    const char *text;

    gri_chain_report_init(&r, "f");
    f = gri_chain_file_parse("f", (const char *)data, size, look_up, &r);
    text = gri_chain_report_text(&r);
    must((f == NULL) == (r.count > 0)); /* either a file or a mistake */
    must((f == NULL) == (text[0] != '\0'));
    for (const char *p = text; *p != '\0'; p++)
        must((unsigned char)*p >= 0x20 || *p == '\n'); /* what is told can't steer a terminal */
    if (f != NULL)
        look_at(f);
    gri_chain_file_free(f);
    gri_chain_report_fini(&r);
    fuzz_end(&cost, size, 2048);
    return 0;
}
