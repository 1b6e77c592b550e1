/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/*
 * batch.h - the default of "batch" and "batch_as_completed": invoke for each of a list of inputs.
 *
 * The arguments are the list itself, or {"inputs", "configs", "return_exceptions"}.
 */
#ifndef GR_RUNTIME_ACTOR_BATCH_H
#define GR_RUNTIME_ACTOR_BATCH_H

#include "runtime/actor/call.h"

/* gri_batch_inputs returns the inputs of a call of either verb; borrowed; NULL: there are none. */
const gr_value *gri_batch_inputs(const struct gri_call *call);
/* gri_batch_start invokes the call's own actor for each input. Consumes the duty. */
void gri_batch_start(struct gri_call *call);
/* gri_batch_start_by does so by another verb than invoke. */
void gri_batch_start_by(struct gri_call *call, const char *verb);

#endif
