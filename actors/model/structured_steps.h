/* SPDX-License-Identifier: Apache-2.0 */
/* structured_steps.h - what stands behind a model that is made to answer with data: see structured.c. */
#ifndef GR_ACTORS_MODEL_STRUCTURED_STEPS_H
#define GR_ACTORS_MODEL_STRUCTURED_STEPS_H

#include <greenroom/runnable.h>
#include <greenroom/schema.h>

/* gri_refusal_guard passes a message on, unless it is a refusal: then that is the error. Chunks as they
 * come, the error behind them. */
gr_ref gri_refusal_guard(gr_scope *in);
/* gri_schema_check passes a value on if it is by the schema, nil too. Of a stream the last value is judged,
 * when all were passed on. */
gr_ref gri_schema_check(gr_scope *in, gr_schema *schema GR_TAKES);

#endif
