/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer.h - the node at the other end of one link, and the calls under way in both directions.
 *
 * A frame's type says whose call it is about, so each side numbers its own. What is sent before the
 * link is up gathers, and goes out first then. When the link is lost, all calls to the peer fail at
 * once and all of its calls here are cancelled. Two nodes keep one link: a peer whose connection
 * turns out to be one too many is merged into the one that stays (pair.h), with all its calls.
 */
#ifndef GR_RUNTIME_NET_PEER_H
#define GR_RUNTIME_NET_PEER_H

#include "runtime/net/frame.h"
#include "runtime/net/lanes.h"
#include "runtime/net/node.h"
#include "runtime/net/parts.h"
#include "runtime/net/ties.h"
#include "runtime/net/wire_error.h"
#include "runtime/sched/sched.h"

struct gri_in_call;

/* What waits for frames of a peer about a call of ours: the call itself (out_call.h), a node of its route
 * (route.c), or another node's call that we pass on (hop.c). */
struct gri_ours {
    const struct gri_ours_ops *ops;
};
struct gri_ours_ops {
    void (*ref)(struct gri_ours *o);
    void (*unref)(struct gri_ours *o);
    void (*frame)(struct gri_ours *o, const struct gri_frame *f); /* in the link's events */
    void (*lost)(struct gri_ours *o, gr_value *why GR_TAKES);     /* with the link; once */
};

enum gri_peer_state { GRI_PEER_CONNECTING, GRI_PEER_UP, GRI_PEER_DOWN };

/* How far the talk before calls is. */
enum gri_greeting_phase {
    GRI_GREETING_HELLO,   /* the peer's hello is to come */
    GRI_GREETING_PROOF,   /* its proof */
    GRI_GREETING_WELCOME, /* its word that this is the link */
    GRI_GREETING_OVER     /* up; or refused, and nothing more is listened to */
};

struct gri_greeting {
    enum gri_greeting_phase phase;
    struct gri_strbuf mine, theirs; /* the hellos, without their length; until it is up */
    uint64_t features;              /* of our hello */
    uint8_t nonce[GRI_NONCE_SIZE];  /* of our hello */
    bool counted;                   /* among node->greetings */
};

/* What a connection is among those with the same peer. */
enum gri_place {
    GRI_PLACE_NONE,
    GRI_PLACE_PROVED,  /* our proof is sent, and the peer may make it the link */
    GRI_PLACE_CURRENT, /* it is the link */
    GRI_PLACE_GONE
};

/* What a peer was asked, and said, when its node was about to end: see drain.c. */
enum gri_settling { GRI_SETTLING_NONE, GRI_SETTLING_ASKED, GRI_SETTLING_DONE };

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
    struct gr_scope
        *_Atomic scope; /* counted; the peer's calls; NULL: none yet. Set once, under the lock */
    struct gri_timer timer; /* for connecting and the hello */
    struct gri_task late;   /* the timer has fired */
    struct gri_timer later; /* what may wait a while is to go; it has a reference while armed */
    struct gri_task later_task;
    struct gri_greeting greeting; /* the link's events only, as parts */
    struct gri_parts parts;
    uint64_t serial; /* the how-manieth peer of the node: the order of two peers' locks */
    /* guarded by node->lock, see pair.c; written in the link's events only */
    struct gri_hello hello; /* the peer's */
    bool met;               /* it has come, and the rings below are p's */
    struct gri_list same, namesakes;
    enum gri_place place;
    bool apart;       /* each direction has a link of its own, so this one is not merged */
    uint64_t link_id; /* what who dialled calls it */
    uint64_t stamp;   /* of the peer's proof */
    uint64_t number;  /* of the welcome */
    uint64_t up_ns;   /* when it was up; fixed from then on, as is beat_ms */
    uint32_t beat_ms; /* between two beats of the peer */
    _Atomic uint64_t
        stalled_ms; /* for how long the peer has handled nothing, as its last beat says */
    /* a futex: HANDLING while a frame is handled, REPLACED for good once a later link has come */
    _Atomic uint32_t frames;
    _Atomic uint64_t frames_in;     /* likewise; written in the link's events only */
    _Atomic uint32_t settling;      /* gri_settling */
    _Atomic uint64_t settling_ping; /* the id of the last question */

    struct gri_lock lock; /* guards all below */
    enum gri_peer_state state;
    uint32_t calls_max;    /* of ours */
    struct gri_map ours;   /* id -> gri_ours; not counted: a call leaves before it goes */
    struct gri_map theirs; /* id -> gri_in_call, likewise */
    struct gri_map routed; /* likewise: calls of the peer that other nodes have passed on to us */
    struct gri_ties ties;
    struct gri_lanes lanes; /* what waits to be sent, or for the link to be up */
    uint64_t reserved;      /* the windows of all streams that are read here */
    uint64_t held;          /* the bytes of the arguments of theirs, and of what is routed */
    bool busy;              /* the link is; room tells when it is not */
    bool later_armed;
    uint64_t frames_out;     /* sent, without the greeting and heartbeats */
    struct gri_list waiting; /* for room */
    bool leaving;            /* the peer takes no more calls of ours */
    uint64_t owed_ping;      /* answered once nothing waits to be sent; 0: none */
    gr_value *why;           /* counted; once down: what calls fail with */
    /* counted; the peer that this one was merged into; set once. Read without the lock, too */
    struct gri_peer *_Atomic into;
};

struct gri_peer *gri_peer_ref(struct gri_peer *p);
void gri_peer_unref(struct gri_peer *p);

/* gri_peer_new makes a peer for a target, with a reference for the link and one for the caller. */
struct gri_peer *gri_peer_new(struct gri_node *node, struct gri_target *target);
/* gri_peer_dial starts connecting; a failure ends the peer's calls. */
void gri_peer_dial(struct gri_peer *p);
/* gri_peer_accept is a gri_accept_fn; arg is the gri_door. */
void *gri_peer_accept(void *arg, struct gri_link *link, const struct gri_link_events **ret_ev);

/* gri_peer_now returns what p stands for: itself, or what it was merged into. Borrowed from p. */
struct gri_peer *gri_peer_now(struct gri_peer *p);
/* gri_peer_merge moves p's calls to another peer, for which p stands from then on. false: that is going,
 * p is up or down, or no memory; nothing has changed. */
bool gri_peer_merge(struct gri_peer *p, struct gri_peer *into);
bool gri_peer_is_merged(struct gri_peer *p);
/* gri_peer_gate is for what the peer has us log. */
struct gri_log_gate *gri_peer_gate(struct gri_peer *p);
/* gri_peer_fire_locked tells all who wait for room. */
void gri_peer_fire_locked(struct gri_peer *p);

/* gri_peer_fresh_id returns a number for a call to this peer. */
uint64_t gri_peer_fresh_id(struct gri_peer *p);

/* gri_peer_key makes the key by which the lanes keep the frames of a call in order. */
static inline uint64_t gri_peer_key(bool ours, uint64_t id)
{
    return id * 4 + (ours ? 1 : 2);
}

/* gri_peer_value and gri_peer_number write and send a frame that can't be refused: when memory runs out,
 * the link is given up. */
void gri_peer_value(struct gri_peer *p, enum gri_frame_type type, uint64_t id, const gr_value *v);
void gri_peer_number(struct gri_peer *p, enum gri_frame_type type, uint64_t id, uint64_t number);
/* gri_peer_later sends such a frame, without a write of its own if another one follows within a few ms. */
void gri_peer_later(struct gri_peer *p, enum gri_frame_type type, uint64_t id, uint64_t number);
/* gri_peer_later_init prepares that. */
void gri_peer_later_init(struct gri_peer *p);
/* gri_peer_ask tells the peer that it will get no more answers, and asks whether it has them all, unless something
 * waits to be sent before that. gri_peer_answered: the answer to a ping has come; gri_peer_ask_again: something was sent
 * since. gri_peer_leaves is the other side of it: no more calls are sent to the peer, which gets its answer behind
 * all that waits to be sent. The last three in the link's events only. */
void gri_peer_ask(struct gri_peer *p);
void gri_peer_answered(struct gri_peer *p, uint64_t ping);
void gri_peer_ask_again(struct gri_peer *p);
void gri_peer_leaves(struct gri_peer *p, uint64_t ping);
/* gri_peer_send_or_wait sends a frame (which it may empty), or GR_EFULL, and w fires once when there is
 * room. GR_EUNREACH, GR_ENOMEM. */
gr_code gri_peer_send_or_wait(struct gri_peer *p, struct gri_strbuf *frame, uint64_t key,
                              struct gri_waiting *w);
/* gri_peer_target_key makes the key by which the lanes keep messages and exit signals to one name, or
 * one ref, in order. */
uint64_t gri_peer_target_key(const char *name, gr_ref to);
/* gri_peer_tell sends a message's frame, or drops it when too much waits. */
void gri_peer_tell(struct gri_peer *p, struct gri_strbuf *frame, uint64_t key);
/* gri_peer_send sends a frame that can't be refused, and frees it; rc is how writing it went. */
void gri_peer_send(struct gri_peer *p, struct gri_strbuf *frame, uint64_t key, gr_code rc);
/* gri_peer_lock locks what p stands for, and returns it. gri_peer_send_locked is gri_peer_send there. */
struct gri_peer *gri_peer_lock(struct gri_peer *p);
void gri_peer_send_locked(struct gri_peer *p, struct gri_strbuf *frame, uint64_t key);
/* gri_peer_lose_tells counts messages that are lost here. They are not logged, or a peer could fill the log. */
void gri_peer_lose_tells(struct gri_peer *p, size_t count);
/* gri_peer_pump_locked sends what waits, as far as the link takes it. */
void gri_peer_pump_locked(struct gri_peer *p);
void gri_peer_unwait(struct gri_peer *p, struct gri_waiting *w);

/*
 * gri_peer_reserve returns the window of a stream that is to be read here: at most `wanted`, less the more
 * streams there are, `least` at least; 0 when the link's credit is used up twice. So what a
 * peer may have sent and nobody has read is bounded, whatever the number of streams, and who reads
 * slowly takes nothing from the others. gri_peer_release gives it back.
 */
uint32_t gri_peer_reserve(struct gri_peer *p, uint32_t wanted, uint32_t least);
void gri_peer_release(struct gri_peer *p, uint32_t window);

/* gri_peer_begin enters a call of ours and sends its invoke. GR_OK, or an error with *reterr. _text does so with what
 * was left out of the invoke. */
gr_code gri_peer_begin(struct gri_peer *p, uint64_t id, struct gri_ours *call,
                       struct gri_strbuf *invoke, gr_value **reterr);
gr_code gri_peer_begin_text(struct gri_peer *p, uint64_t id, struct gri_ours *call,
                            struct gri_strbuf *invoke, const struct gri_frame_text *text,
                            gr_value **reterr);
/* gri_peer_enter_ours only enters it: frames about it will come. GR_EUNREACH; GR_EFULL; GR_ENOMEM. */
gr_code gri_peer_enter_ours(struct gri_peer *p, uint64_t id, struct gri_ours *call);
gr_code gri_peer_enter_ours_locked(struct gri_peer *p, uint64_t id, struct gri_ours *call);
/* _forget takes a call out of its map; false: it wasn't in. */
bool gri_peer_forget_ours(struct gri_peer *p, uint64_t id);
bool gri_peer_forget_theirs(struct gri_peer *p, uint64_t id, size_t bytes, bool routed);
bool gri_peer_has_ours(struct gri_peer *p, uint64_t id);
/* gri_peer_enter_theirs: GR_OK; GR_EFULL at the limit of calls, or of the bytes of their arguments, until
 * they are forgotten; GR_EPROTO the id is taken; GR_ENOMEM. routed: among those that other nodes have passed on;
 * GR_EUNREACH, the link is lost. */
gr_code gri_peer_enter_theirs(struct gri_peer *p, uint64_t id, struct gri_in_call *call,
                              size_t bytes, bool routed);
/* gri_peer_find_routed returns such a call, counted; NULL: there is none. */
struct gri_in_call *gri_peer_find_routed(struct gri_peer *p, uint64_t id);
/* gri_peer_scope returns the scope that the peer's calls are made in; NULL: out of memory, or the link
 * is lost. [any] */
struct gr_scope *gri_peer_scope(struct gri_peer *p);
/* gri_peer_await has w fire once when p is up or down, or stands for another one; false: p is not
 * connecting. */
bool gri_peer_await(struct gri_peer *p, struct gri_waiting *w);
/* gri_peer_state_now: a hint by the time it is used. */
enum gri_peer_state gri_peer_state_now(struct gri_peer *p);
/* gri_peer_replace ends an accepted link since a later one has come: it takes no more frames. false:
 * that was so already, or the peer is going. Else the caller has a reference, and calls
 * gri_peer_quiet, which waits until the frame at hand is handled. node->lock is held. */
bool gri_peer_replace(struct gri_peer *p);
void gri_peer_quiet(struct gri_peer *p);
/* gri_peer_known: p is no stranger any more, or gone. In the link's events only. */
void gri_peer_known(struct gri_peer *p);
/* gri_peer_ref_living takes a reference unless the last one is gone. node->lock is held. */
bool gri_peer_ref_living(struct gri_peer *p);
/* gri_peer_is_up asks for p's own connection: one that was merged stands for another that is up. */
bool gri_peer_is_up(struct gri_peer *p);
/* gri_peer_hang_up closes p's own connection, even if p was merged. */
void gri_peer_hang_up(struct gri_peer *p, gr_value *why GR_TAKES);
/* gri_peer_wrong gives the link up because of what the peer sent. */
void gri_peer_wrong(struct gri_peer *p, gr_value *why GR_TAKES);

#endif
