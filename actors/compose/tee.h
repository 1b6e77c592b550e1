/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tee.h - one stream's chunks to several streams.
 *
 * It has one chunk in hand, and reads the next when every reader that is left has taken this one:
 * so the slowest holds the others back, and memory is bounded. A tee has no task of its own; its
 * owner's machine steps it, and is woken when it could go on.
 */
#ifndef GR_ACTORS_COMPOSE_TEE_H
#define GR_ACTORS_COMPOSE_TEE_H

#include "actors/compose/machine.h"

struct gri_tee_out {
    gr_stream *stream; /* the writer's reference; NULL: its reader has left */
    struct gri_wake room;
    gr_value *due; /* counted; what of the chunk in hand it still has to get */
};

struct gri_tee {
    gr_stream *in; /* owned; NULL: over */
    struct gri_wake chunk;
    /* The call's own answer as one more reader, which gets what map makes of a chunk (see
     * gri_pump_opts); never ended here. NULL: only the outs */
    gr_value *(*map)(struct gri_call *call, gr_value *chunk GR_TAKES);
    struct gri_call *call; /* borrowed */
    struct gri_wake answer_room;
    gr_value *answer_due; /* counted */
    gr_value *error;      /* counted; why it is over, NULL: well */
    bool strict;          /* a full out is an error: nobody will read it before the tee is over */
    size_t count, left;   /* outs; those whose reader is there */
    struct gri_tee_out outs[];
};

/* gri_tee_new makes a tee with `count` outs; NULL: out of memory, in is let go. window: of each,
 * 0: default. */
struct gri_tee *gri_tee_new(struct gri_machine *m, struct gri_call *call, gr_stream *in GR_TAKES,
                            size_t count, size_t window_chunks, size_t window_bytes);
/* gri_tee_take gives the reader's end of an out, once. */
gr_stream *gri_tee_take(struct gri_tee *t, size_t index);
/* gri_tee_step goes on as far as it can. GRI_OVER: the outs have been ended, see error; the tee
 * stays. */
enum gri_next gri_tee_step(struct gri_tee *t);
/* gri_tee_free ends what is not ended, with `cancelled`. NULL is fine. */
void gri_tee_free(struct gri_tee *t);

#endif
