/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain_isolate.h - `isolate: true`: an actor of a chain file in a process of its own, started again
 * when it crashes.
 *
 * What goes to that process is the file's text and the place of the actor in it; it reads the text, and
 * makes that one actor. So the command calls gr_isolate_main with gri_chain_isolated_kinds first.
 */
#ifndef GR_CLI_CHAIN_ISOLATE_H
#define GR_CLI_CHAIN_ISOLATE_H

#include "cli/chain_build.h"

#define GRI_CHAIN_ISOLATED_KINDS 1
extern const gr_isolated_kind gri_chain_isolated_kinds[GRI_CHAIN_ISOLATED_KINDS];

/* gri_chain_is_isolated tells whether the map that makes an actor says so. */
bool gri_chain_is_isolated(const struct gri_chain_node *n);
/* gri_build_isolated makes a supervisor that has n's actor in a process; *ret_child leads to that. */
gr_ref gri_build_isolated(struct gri_chain_builder *b, const struct gri_chain_node *n,
                          gr_ref *ret_child);
/* gri_chain_isolated_mistake tells why that could not be started, at the place in the file. */
void gri_chain_isolated_mistake(struct gri_chain_report *r, const struct gri_chain_node *kind,
                                const gr_value *error);

#endif
