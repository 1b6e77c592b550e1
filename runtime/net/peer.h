/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer.h - the node at the other end of one link: the hello, and the calls under way in both
 * directions.
 *
 * Who dialled numbers its calls odd, who accepted even: so an id says whose call it is. What is
 * sent before the peer's hello is here gathers, and goes out right after it. When the link is
 * lost, all calls to the peer fail at once and all of its calls here are cancelled.
 */
#ifndef GR_RUNTIME_NET_PEER_H
#define GR_RUNTIME_NET_PEER_H

#include "runtime/net/frame.h"
#include "runtime/net/node.h"
#include "runtime/net/wire_error.h"
#include "runtime/sched/sched.h"

struct gri_out_call;
struct gri_in_call;

enum gri_peer_state { GRI_PEER_CONNECTING, GRI_PEER_UP, GRI_PEER_DOWN };

/* Who waits for room on the link. fire is called once, with the peer's lock held; it only kicks. */
struct gri_waiting {
    struct gri_list node; /* guarded by the peer's lock; alone: not waiting */
    void (*fire)(struct gri_waiting *w);
};

struct gri_peer {
    _Atomic uint32_t refs;     /* the link's until down, the target's, each call's */
    struct gri_node *node;     /* borrowed; waits for its peers */
    struct gri_list at_node;   /* guarded by node->lock */
    struct gri_target *target; /* borrowed; NULL: accepted */
    const char *url;           /* borrowed from the target; accepted: a general name */
    struct gri_link *link;     /* counted */
    struct gr_scope *scope; /* counted; the peer's calls; NULL: none yet. The link's events only */
    struct gri_timer timer; /* for connecting and the hello */
    struct gri_task late;   /* the timer has fired */
    struct gri_hello hello; /* the peer's, once up; guarded by node->lock */
    uint64_t attempt;       /* the how-manieth link to its target; 0: accepted */
    /* a futex: HANDLING while a frame is handled, REPLACED for good once a later link has come */
    _Atomic uint32_t frames;

    struct gri_lock lock; /* guards all below */
    enum gri_peer_state state;
    struct gri_map ours;     /* id -> gri_out_call; not counted: a call leaves before it goes */
    struct gri_map theirs;   /* id -> gri_in_call, likewise */
    struct gri_strbuf early; /* frames for after the hello */
    struct gri_list waiting; /* for room */
    gr_value *why;           /* counted; once down: what calls fail with */
};

struct gri_peer *gri_peer_ref(struct gri_peer *p);
void gri_peer_unref(struct gri_peer *p);

/* gri_peer_new makes a peer for a target, with a reference for the link and one for the caller. */
struct gri_peer *gri_peer_new(struct gri_node *node, struct gri_target *target);
/* gri_peer_dial starts connecting; a failure ends the peer's calls. */
void gri_peer_dial(struct gri_peer *p);
/* gri_peer_accept is a gri_accept_fn; arg is the node. */
void *gri_peer_accept(void *arg, struct gri_link *link, const struct gri_link_events **ret_ev);

/* gri_peer_fresh_id returns a number for a call to this peer. */
uint64_t gri_peer_fresh_id(struct gri_peer *p);

/* gri_peer_send sends frames that can't be refused: when memory runs out, the link is given up.
 * GR_OK, GR_EUNREACH, GR_ENOMEM. gri_peer_value and gri_peer_number write and send one. */
gr_code gri_peer_send(struct gri_peer *p, const struct gri_strbuf *frames);
void gri_peer_value(struct gri_peer *p, enum gri_frame_type type, uint64_t id, const gr_value *v);
void gri_peer_number(struct gri_peer *p, enum gri_frame_type type, uint64_t id, uint64_t number);
/* gri_peer_send_or_wait: as above, or GR_EFULL and w fires once when there is room. */
gr_code gri_peer_send_or_wait(struct gri_peer *p, const struct gri_strbuf *frame,
                              struct gri_waiting *w);
/* gri_peer_tell sends a message's frame, or drops it when too much waits. */
void gri_peer_tell(struct gri_peer *p, const struct gri_strbuf *frame);
void gri_peer_unwait(struct gri_peer *p, struct gri_waiting *w);

/* gri_peer_begin enters a call of ours and sends its invoke. GR_OK, or an error with *reterr. */
gr_code gri_peer_begin(struct gri_peer *p, uint64_t id, struct gri_out_call *call,
                       const struct gri_strbuf *invoke, gr_value **reterr);
/* _forget takes a call out of its map; false: it wasn't in. */
bool gri_peer_forget_ours(struct gri_peer *p, uint64_t id);
bool gri_peer_forget_theirs(struct gri_peer *p, uint64_t id);
bool gri_peer_has_ours(struct gri_peer *p, uint64_t id);
/* gri_peer_enter_theirs: GR_OK; GR_EFULL at the limit; GR_EPROTO the id is taken or not theirs;
 * GR_ENOMEM. */
gr_code gri_peer_enter_theirs(struct gri_peer *p, uint64_t id, struct gri_in_call *call);
/* gri_peer_state_now: a hint by the time it is used. */
enum gri_peer_state gri_peer_state_now(struct gri_peer *p);
/* gri_peer_replace ends an accepted link since a later one has come: it takes no more frames. false:
 * that was so already, or the peer is going. Else the caller has a reference, and calls
 * gri_peer_quiet, which waits until the frame at hand is handled. node->lock is held. */
bool gri_peer_replace(struct gri_peer *p);
void gri_peer_quiet(struct gri_peer *p);
/* gri_peer_wrong gives the link up because of what the peer sent. */
void gri_peer_wrong(struct gri_peer *p, gr_value *why GR_TAKES);

#endif
