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
#include "runtime/net/flow.h"

struct gri_out_call {
    struct gri_peer *peer; /* counted */
    _Atomic uint32_t refs; /* its life's, until it is over; the starter's; queued flows' */
    _Atomic bool over;
    struct gri_call *call; /* the duty */
    gr_value *name;        /* counted; for errors */
    uint64_t id;
    bool stream, input;
    _Atomic bool cancelled;
    struct gri_inflow out; /* the answer's chunks, if stream */
    struct gri_outflow in; /* the input's, if input */
};

/* gri_out_call_run sends a call to what the node at url publishes as name. Consumes the duty. */
void gri_out_call_run(struct gri_node *node, struct gri_call *call, const char *url,
                      const gr_value *name);
void gri_out_call_ref(void *oc);
void gri_out_call_unref(void *oc);
/* gri_out_call_frame takes a reply, chunk, end or credit from the peer. */
void gri_out_call_frame(struct gri_out_call *oc, const struct gri_frame *f);
/* gri_out_call_lost ends it because of the link. */
void gri_out_call_lost(struct gri_out_call *oc, gr_value *why GR_TAKES);

#endif
