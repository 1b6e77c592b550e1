/* SPDX-License-Identifier: Apache-2.0 */
/* chain_load.h - putting the files that a chain file names into its stores, in batches. */
#ifndef GR_CLI_CHAIN_LOAD_H
#define GR_CLI_CHAIN_LOAD_H

#include "cli/chain_build.h"
#include "cli/session.h"

#define GRI_LOAD_BATCH 32 /* documents embedded by one call: what the progress bar moves by */

/* gri_chain_load loads what the builder has noted. Returns NULL, or the error, yours. */
gr_value *gri_chain_load(struct gri_session *s, struct gri_chain_builder *b, bool quiet);
/* gri_chain_load_check only looks whether the paths are there, and tells the builder's report. */
void gri_chain_load_check(struct gri_chain_builder *b);

#endif
