/* SPDX-License-Identifier: Apache-2.0 */
/*
 * in_call.h - a peer's call to an actor here. It belongs to the peer's scope, so that it is
 * cancelled when the link is lost.
 */
#ifndef GR_RUNTIME_NET_IN_CALL_H
#define GR_RUNTIME_NET_IN_CALL_H

#include "runtime/actor/call.h"
#include "runtime/net/flow.h"

struct gri_in_call {
    struct gri_peer *peer; /* counted */
    _Atomic uint32_t refs; /* its life's, until it is over; queued flows' */
    _Atomic bool over;
    uint64_t id;
    gr_future *future;        /* owned; the plain call's answer, NULL: it streams */
    struct gri_waiter waiter; /* in the future */
    struct gri_task task;     /* the future is done */
    struct gri_outflow out;   /* the answer's chunks, if it streams */
    struct gri_inflow in;     /* the input's, if it has one */
};

/* gri_in_call_start starts what an invoke frame asks for, or answers why not. */
void gri_in_call_start(struct gri_peer *p, const struct gri_frame *f);
void gri_in_call_ref(void *ic);
void gri_in_call_unref(void *ic);
/* gri_in_call_frame takes a chunk, end, credit or cancel from the peer. */
void gri_in_call_frame(struct gri_in_call *ic, const struct gri_frame *f);
void gri_in_call_cancel(struct gri_in_call *ic);

#endif
