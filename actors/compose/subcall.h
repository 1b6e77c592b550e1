/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subcall.h - what a composition keeps on the heap while it waits for one other call.
 *
 * The frame's owner embeds a gri_subcall, as the first thing, and frees it. Who may touch it goes
 * round: whoever starts the call, then the waiter in the call's future, then the task that runs
 * `then` with the answer, on a worker.
 */
#ifndef GR_ACTORS_COMPOSE_SUBCALL_H
#define GR_ACTORS_COMPOSE_SUBCALL_H

#include "runtime/actor/call.h"

struct gri_subcall {
    struct gri_waiter waiter;
    struct gri_task task;
    struct gri_call *call; /* the duty */
    gr_future *future;     /* owned; NULL: nothing is under way */
    void (*then)(struct gri_subcall *s, gr_value *v GR_TAKES);
};

void gri_subcall_init(struct gri_subcall *s, struct gri_call *call, const char *name,
                      void (*then)(struct gri_subcall *s, gr_value *v GR_TAKES));
/* gri_subcall_start: true, `then` will run, or has; false: *ret_v is the answer already, as when
 * memory has run out. opts may be NULL, as for gri_call_sub. */
bool gri_subcall_start(struct gri_subcall *s, gr_ref to, uint16_t verb, gr_value *input GR_TAKES,
                       const gr_call_opts *opts, gr_value **ret_v);

/* gri_subcall_kwargs fills in opts, which is all zero, so that a sub-call gets the call's kwargs too;
 * returns opts, or NULL when there are none. */
const gr_call_opts *gri_subcall_kwargs(const struct gri_call *call, gr_call_opts *opts);

/* gri_subcall_drop_kwargs is for a call that is passed on without them. */
void gri_subcall_drop_kwargs(struct gri_call *call);

#endif
