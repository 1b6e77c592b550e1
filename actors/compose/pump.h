/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pump.h - chunks from one stream into a call's answer, each perhaps changed or left out on the
 * way.
 *
 * One chunk is in hand at most; a full answer stops the reading. The pump ends the call: well when
 * the input ends, else with the input's error, with what `map` returned, or with "cancelled".
 */
#ifndef GR_ACTORS_COMPOSE_PUMP_H
#define GR_ACTORS_COMPOSE_PUMP_H

#include "actors/compose/machine.h"

struct gri_pump_opts {
    /* map returns what to pass on for a chunk: NULL leaves it out, an error ends the call. NULL:
     * as it is */
    gr_value *(*map)(struct gri_call *call, gr_value *chunk GR_TAKES);
    /*
     * next returns the stream to go on with when the input ends (err NULL) or fails before its
     * first chunk; NULL ends the call with *reterr. arg is the caller's, given back to drop at the
     * end.
     */
    gr_stream *(*next)(struct gri_call *call, void *arg, gr_value *err GR_TAKES, gr_value **reterr);
    /* failed hears of each error that an input ends with, also behind its first chunk; NULL: nobody */
    void (*failed)(struct gri_call *call, void *arg, const gr_value *err);
    void (*drop)(void *arg);
    void *arg;
    gr_value *
        first; /* taken; a chunk of `in` that was read already, to be passed on as it is; NULL: none */
};

/* gri_pump_start consumes the duty. in NULL, without next: out of memory. */
void gri_pump_start(struct gri_call *call, gr_stream *in GR_TAKES,
                    const struct gri_pump_opts *opts);

#endif
