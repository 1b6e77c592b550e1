/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain.h - a chain file brought to life for one command: opened, built, loaded, and called.
 */
#ifndef GR_CLI_CHAIN_H
#define GR_CLI_CHAIN_H

#include "cli/chain_build.h"
#include "cli/options.h"
#include "cli/session.h"

struct gri_chain {
    struct gri_chain_report report;
    struct gri_chain_file *file; /* owned */
    struct gri_chain_builder builder;
    struct gri_session session;
};

/* gri_chain_open reads the file and starts a runtime. Returns -1, or the exit code after
 * saying why. gri_chain_close in any case. */
int gri_chain_open(struct gri_chain *c, const char *path, unsigned workers);
/* gri_chain_open_node does so as the node of that name, as gri_deploy_enter has it; NULL: as none. */
int gri_chain_open_node(struct gri_chain *c, const char *path, const char *node, unsigned workers);
void gri_chain_close(struct gri_chain *c);
/* gri_chain_tell prints the mistakes found so far and returns GRI_EXIT_USAGE. */
int gri_chain_tell(const struct gri_chain *c);

/* gri_chain_pick finds the actor to call: the named one, or main for NULL. NULL, said, if there is
 * none. */
struct gri_chain_actor *gri_chain_pick(const struct gri_chain_file *file, const char *path,
                                       const char *name);

/* gri_chain_answer calls who, in the way that the options say, and prints the answer.
 * verb NULL: invoke. Inputs are many if batch. Returns the exit code. */
enum gri_way { GRI_WAY_CALL, GRI_WAY_STREAM, GRI_WAY_BATCH, GRI_WAY_EVENTS };
int gri_chain_answer(struct gri_session *s, gr_ref who, const char *verb, enum gri_way way,
                     struct gri_options *o);

#endif
