/* SPDX-License-Identifier: Apache-2.0 */
/*
 * out_call.h - a call of ours to an actor at a peer: the proxy's side.
 *
 * It holds the duty of the local call and ends it by what the peer answers, or by the link's end.
 * A cancelled call is over for who made it at once; the duty is kept until the peer has answered,
 * so that to join a scope means that its calls are over on the other side as well.
 */
#ifndef GR_RUNTIME_NET_OUT_CALL_H
#define GR_RUNTIME_NET_OUT_CALL_H

#include "runtime/actor/call.h"
#include "runtime/actor/far.h"
#include "runtime/net/flow.h"

struct gri_out_call {
    struct gri_ours ours;
    struct gri_peer *peer; /* counted */
    _Atomic uint32_t refs; /* its life's, until it is over; the starter's; queued flows' */
    _Atomic bool over;
    struct gri_call *call; /* the duty */
    gr_value *name;        /* counted; for errors */
    uint64_t id;
    bool stream, input;
    struct gri_far *far; /* counted; its runs there; NULL: it is not observed */
    _Atomic bool cancelled;
    struct gri_inflow out; /* the answer's chunks, if stream, and the events of far */
    struct gri_outflow in; /* the input's, if input */
};

/* gri_out_call_run sends a call to what the node at url publishes as name. Consumes the duty. */
void gri_out_call_run(struct gri_node *node, struct gri_call *call, const char *url,
                      const gr_value *name);
/* gri_out_call_to sends it over a link that is known, to the peer's ref `to`; name is for errors. Consumes the
 * duty and the reference. */
void gri_out_call_to(struct gri_peer *peer GR_TAKES, struct gri_call *call, const gr_value *name,
                     gr_ref to);
/* gri_config_fit leaves out of a config what can't leave the process. */
gr_value *gri_config_fit(const gr_value *config);
/* gri_remaining_ms is what is left until a deadline, 1 at least; 0: there is none. */
uint64_t gri_remaining_ms(gr_runtime *rt, uint64_t deadline_ns);

#endif
