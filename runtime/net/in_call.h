/* SPDX-License-Identifier: Apache-2.0 */
/*
 * in_call.h - a peer's call to an actor here. It belongs to the peer's scope, so that it is
 * cancelled when the link is lost.
 */
#ifndef GR_RUNTIME_NET_IN_CALL_H
#define GR_RUNTIME_NET_IN_CALL_H

#include "runtime/actor/call.h"
#include "runtime/net/flow.h"
#include "runtime/net/teller.h"

struct gri_in_call {
    struct gri_peer *peer; /* counted */
    _Atomic uint32_t refs; /* its life's, until it is over; queued flows' */
    _Atomic bool over;
    _Atomic bool cancelled; /* by the peer, or the loss of the link */
    _Atomic bool going;     /* it has begun, and may be given up */
    bool admitted;          /* counted in node->in_calls */
    bool drains;            /* and in node->admin.drains */
    uint64_t id;
    size_t held;               /* bytes of arguments, see gri_peer_enter_theirs */
    gr_future *future;         /* owned; the plain call's answer, NULL: it streams */
    struct gri_waiter waiter;  /* in the future */
    struct gri_task task;      /* the future is done */
    struct gri_teller *teller; /* counted; NULL: it is not observed */
    struct gri_outflow out;    /* the answer's chunks, if it streams, and the events of its runs */
    struct gri_inflow in;      /* the input's, if it has one */
    struct gri_trip *trip;     /* owned; it has a route, see hop.c; NULL: it hasn't */
    struct gri_lock lock;      /* of one that has: guards future, and the trip's hop */
};

/* gri_in_call_start starts what an invoke frame asks for, or answers why not. */
void gri_in_call_start(struct gri_peer *p, const struct gri_frame *f);
void gri_in_call_ref(void *ic);
void gri_in_call_unref(void *ic);
/* gri_in_call_frame takes a chunk, end, credit or cancel from the peer. */
void gri_in_call_frame(struct gri_in_call *ic, const struct gri_frame *f);
void gri_in_call_cancel(struct gri_in_call *ic);
/* gri_in_call_overrun gives it up because its teller has failed. [any] */
void gri_in_call_overrun(struct gri_in_call *ic);

/* The rest is for hop.c. gri_in_call_finish answers, once; v is borrowed. gri_in_call_leave ends it without an answer:
 * it is elsewhere now. */
void gri_in_call_finish(struct gri_in_call *ic, const gr_value *v);
void gri_in_call_leave(struct gri_in_call *ic);
/* gri_in_call_new makes one with a reference, not entered anywhere; NULL: out of memory. */
struct gri_in_call *gri_in_call_new(struct gri_peer *p, uint64_t id);
/* gri_in_call_admit counts it; NULL, or why it can't be started, though all of it is right. */
gr_value *gri_in_call_admit(struct gri_in_call *ic);
/* gri_in_call_refuse answers a call that was not started, and says so: it may be made elsewhere. */
void gri_in_call_refuse(struct gri_peer *p, const struct gri_frame *f, gr_value *err GR_TAKES);
/* gri_in_call_payload decodes args or config; NULL when the peer broke the rules, or it was refused. */
gr_value *gri_in_call_payload(struct gri_peer *p, const struct gri_frame *f, const uint8_t *data,
                              size_t size);

#endif
