/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hop.h - a call with a route, at a node on its way: it comes, is served, and is passed on.
 *
 * Here it is a call of its origin's (in_call.h), under the number that it has there, among those that other nodes have
 * passed on: so the origin's cancel, the end of its link and our answer go the ways they always go.
 */
#ifndef GR_RUNTIME_NET_HOP_H
#define GR_RUNTIME_NET_HOP_H

#include "runtime/net/in_call.h"

struct gri_hop;

/* Where a call has come on its route. Who serves it touches it, but `hop`. */
struct gri_trip {
    uint64_t origin, incarnation;
    uint64_t deadline_ns;             /* 0: none */
    size_t at;                        /* which step `here` is */
    struct gri_route_step here, next; /* next: once it is done here, if there is more */
    gr_value *config;                 /* counted; NULL: none */
    uint8_t *steps;                   /* owned; all that came */
    const uint8_t *left;              /* of them: those after here, or after next */
    size_t left_size;
    unsigned left_count;
    struct gri_hop *hop; /* borrowed; it passes the call on. Guarded by the call's lock */
};

/* gri_hop_is_back tells whether a route is ours and comes back. */
bool gri_hop_is_back(struct gri_peer *p, const struct gri_frame *f);
/* gri_hop_arrive serves a route that p has sent, or refuses to. In p's events. */
void gri_hop_arrive(struct gri_peer *p, const struct gri_frame *f);
/* gri_hop_pass passes ic on to its trip's next step, at another node. */
void gri_hop_pass(struct gri_in_call *ic);
/* gri_hop_cancel ends the waiting for a link to the next node. */
void gri_hop_cancel(struct gri_hop *h);
void gri_hop_ref(struct gri_hop *h);
void gri_hop_unref(struct gri_hop *h);

/* gri_trip_find finds whom a step is for; {0, 0}: none. A name of a node's own ("$…") is none to a route: such an
 * actor knows its callers by their links. */
gr_ref gri_trip_find(struct gri_node *node, const char *name);
/* gri_trip_goes_on takes it to the next step with the answer of this one; false: it was the last. v is borrowed. */
bool gri_trip_goes_on(struct gri_in_call *ic, const gr_value *v);
/* gri_trip_run has the step that it has come to run with args. */
void gri_trip_run(struct gri_in_call *ic, gr_value *args GR_TAKES);
void gri_trip_cancel(struct gri_in_call *ic);
/* gri_trip_error puts where the step is before the error's place. */
gr_value *gri_trip_error(const struct gri_trip *t, gr_value *err GR_TAKES);
/* gri_trip_new takes in a route's frame; NULL: out of memory. config is taken. */
struct gri_trip *gri_trip_new(struct gri_node *node, const struct gri_frame *f,
                              gr_value *config GR_TAKES);
void gri_trip_free(struct gri_trip *t); /* NULL is fine */

#endif
