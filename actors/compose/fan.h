/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fan.h - the streams of all steps into one, as {key: chunk}, in the order in which they come: what
 * stream and transform of gr_parallel and gr_assign share. Each consumes the duty.
 */
#ifndef GR_ACTORS_COMPOSE_FAN_H
#define GR_ACTORS_COMPOSE_FAN_H

#include "actors/compose/steps.h"

/* gri_fan_stream streams every step with call->args. */
void gri_fan_stream(struct gri_call *call);
/* gri_fan_transform gives every step the whole input stream. in NULL: out of memory. */
void gri_fan_transform(struct gri_call *call, gr_stream *in GR_TAKES);
/* gri_fan_assign does the same, and first passes on what `pass` makes of the input's chunks (see
 * gri_pump_opts.map); the steps' chunks come after the last of these. */
void gri_fan_assign(struct gri_call *call, gr_stream *in GR_TAKES,
                    gr_value *(*pass)(struct gri_call *call, gr_value *chunk GR_TAKES));

#endif
