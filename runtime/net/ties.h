/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ties.h - what two nodes keep about each other's actors: links, monitors, and refs.
 *
 * Each link or monitor has a number, from whoever made it: so a frame that was on its way when it was
 * taken away says nothing about a later one. Our own are `ours`, each with a stand-in (stand_in.h); the
 * peer's are `theirs`: a monitor is a future of the actor's end, a link a stand-in too. Two actors that
 * link each other from both sides share one stand-in on either side.
 *
 * Refs are capabilities: the peer reaches, besides what is published, what it has been lent, by a ref in
 * a value that was sent to it over this very link (lent.h). All of it goes with the link.
 */
#ifndef GR_RUNTIME_NET_TIES_H
#define GR_RUNTIME_NET_TIES_H

#include <greenroom/link.h>

#include "runtime/async/future.h"
#include "runtime/base/map.h"
#include "runtime/net/frame.h"

/* Links and monitors of one side that a connection carries, without the monitors of refs; and links among them. */
#define GRI_TIES_CARRIED_MAX 65536u
#define GRI_LINKS_CARRIED_MAX 16384u

struct gri_peer;
struct gri_stand_in;

/* Guarded by the peer's lock. */
struct gri_ties {
    bool ready;             /* the maps are */
    struct gri_map lent;    /* ids of our actors that the peer was lent */
    struct gri_map proxies; /* the peer's id -> gri_stand_in, which is in `ours` as well */
    struct gri_map ours;    /* number -> gri_stand_in, counted */
    struct gri_map theirs;  /* number -> gri_in_tie, counted */
    size_t our_links, their_links;
    unsigned refused; /* refs for which there was no room: see lent.c */
};

/* A link or monitor that the peer has made. */
struct gri_in_tie {
    _Atomic uint32_t refs; /* its map's, the waiter's */
    struct gri_peer *peer; /* counted */
    uint64_t id;
    bool link;
    struct gri_stand_in *stand_in; /* of a link, which has it in its list, once there is one */
    struct gri_in_tie *next;       /* in that list */
    uint64_t lent;                 /* a monitor by ref: whose */
    gr_future *future;             /* owned; of a monitor */
    struct gri_waiter waiter;
    struct gri_task task;
};

void gri_ties_fini(struct gri_ties *t);
/* gri_ties_ready_locked makes the maps when they are first needed. */
void gri_ties_ready_locked(struct gri_peer *p);
/* gri_ties_move_locked adds what is tied over `from`, which was never up, to another peer; false: no memory.
 * _moved_locked takes it out of the one or, if it is not done, the other. */
bool gri_ties_move_locked(struct gri_peer *into, struct gri_peer *from);
void gri_ties_moved_locked(struct gri_peer *into, struct gri_peer *from, bool done);
void gri_in_tie_unref(struct gri_in_tie *t);
/* gri_in_tie_out_locked takes it out of its map, whose reference is the caller's then. */
void gri_in_tie_out_locked(struct gri_peer *p, struct gri_in_tie *t);
/* gri_ties_frame takes link, monitor, down, untie and exit. */
void gri_ties_frame(struct gri_peer *p, const struct gri_frame *f);
/* gri_ties_lost tells everybody that the link has gone. */
void gri_ties_lost(struct gri_peer *p);

#endif
