/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stand_in.h - actors here that stand for one of a peer: a proxy for a ref, or one end of a link or
 * monitor (runtime/actor/elsewhere.h). Each has a number in the peer's ties, or several, and ends with
 * the actor that it stands for. Whoever takes it out of the ties, all at once, says what is sent.
 */
#ifndef GR_RUNTIME_NET_STAND_IN_H
#define GR_RUNTIME_NET_STAND_IN_H

#include "runtime/net/peer.h"
#include "runtime/net/remote.h"
#include "runtime/net/ties.h"

enum gri_stands { GRI_STANDS_AS_PROXY, GRI_STANDS_WATCHED, GRI_STANDS_LINKED };

struct gri_stand_in {
    _Atomic uint32_t refs; /* its actor's, its map's, callers' */
    gr_runtime *rt;        /* borrowed */
    enum gri_stands as;
    struct gri_peer *_Atomic peer; /* counted; NULL: it has not begun */
    gr_ref self;
    gr_ref proxy;         /* what the link is with: its mailbox keeps exit signals in order */
    gr_ref from;          /* who links; {0, 0} unless the link was made here */
    gr_ref there;         /* the peer's ref; {0, 0}: it is a name */
    gr_value *url, *name; /* counted; of a proxy, NULL: the peer is known */
    _Atomic bool gone;    /* it ends, and takes no more numbers */
    _Atomic bool left;    /* since nobody is tied to it any more */
    /* guarded by the peer's lock */
    uint64_t id;               /* ours; 0: none */
    uint64_t key;              /* of the frame that asked for it: what follows must stay behind */
    struct gri_in_tie *theirs; /* the peer's numbers for the same link */
};

/* The class of proxies for refs; its args are a gri_stand_in. remote.c */
extern const gr_class gri_lent_class;

struct gri_stand_in *gri_stand_in_ref(struct gri_stand_in *s);
void gri_stand_in_unref(void *s);
/* gri_stand_in_of returns that of an actor of that class, counted; NULL: there is none, or it has ended. */
struct gri_stand_in *gri_stand_in_of(gr_runtime *rt, gr_ref actor, const gr_class *cls);
/* gri_stand_in_new makes one, and its actor, for what is at a known peer. NULL: *ret_rc says why. */
struct gri_stand_in *gri_stand_in_new(struct gri_peer *p, enum gri_stands as, gr_ref there,
                                      gr_code *ret_rc);
/* gri_stand_in_enter gives it a number of ours and sends the frame that asks for the tie. GR_EDEAD: it ends
 * already; GR_EUNREACH, GR_EFULL, GR_ENOMEM. */
gr_code gri_stand_in_enter(struct gri_stand_in *s);
/* gri_stand_in_out_locked takes our number out of its map, whose reference is the caller's then, if there was
 * one. */
void gri_stand_in_out_locked(struct gri_peer *p, struct gri_stand_in *s);
/* gri_stand_in_add gives it a number of the peer's, which another one may have had; false: one of the two ends
 * already. gri_stand_in_less_locked takes the number away from whoever has it. */
bool gri_stand_in_add(struct gri_stand_in *s, struct gri_in_tie *t);
void gri_stand_in_less_locked(struct gri_in_tie *t);
/* gri_stand_in_end: the actor that it stands for has ended, or never was. The peer is told to forget what
 * other numbers it may know than the one that it has said this of; NULL: the link is lost. */
void gri_stand_in_end(struct gri_stand_in *s, const gr_value *reason, const struct gri_frame *said);
/* gri_stand_in_stopped is its class's `stopped`. */
void gri_stand_in_stopped(void *self, const gr_value *args);

/* ---- signals that are sent: signal_out.c ------------------------------------------------------- */

/* gri_signal_down tells the peer that the tie `id` of its own has ended with its actor; _out, that one of ours
 * has, which was asked for with that key. via: the proxy behind whose messages that goes, {0, 0}: at once. */
void gri_signal_down(struct gri_peer *p, uint64_t id, const gr_value *reason, gr_ref via);
void gri_signal_out(struct gri_peer *p, uint64_t id, uint64_t key, const gr_value *reason,
                    gr_ref via);
/* gri_signal_untie: whose is GRI_TIE_SENDERS, with the key, or GRI_TIE_RECEIVERS. */
void gri_signal_untie(struct gri_peer *p, uint64_t id, uint64_t whose, uint64_t key);
/* gri_signal_exit sends an exit signal to what a proxy stands for, behind its messages. As gr_exit_to. */
gr_code gri_signal_exit(gr_runtime *rt, gr_ref to, gr_ref from, const gr_value *reason);
/* gri_signal_pass is the proxy's `receive` for those; false: msg is none. p is not taken; f says to whom. */
bool gri_signal_is(const gr_value *msg);
void gri_signal_pass(const gr_value *msg, struct gri_peer *p, const struct gri_frame *to);

#endif
