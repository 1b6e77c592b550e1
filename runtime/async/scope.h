/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scope.h - who is cancelled, joined and stopped with whom.
 *
 * A scope lists its members: calls, actors, child scopes. A member stays listed until it has really
 * ended (a handler has returned, an actor is gone), so an empty scope means that nothing it started
 * is left. Each call has a scope of its own inside it, made when its handler first starts something;
 * a call leaves its parent's scope only when its own is empty.
 *
 * A call that has ended may stay listed until it is freed, since who ends it would have to fetch the scope's lines
 * of memory: see gri_future_leave. It holds nothing up: closing the scope takes out what has ended, and makes
 * the others leave at their end.
 *
 * A member has no reference to its scope. Whoever makes one keeps it until it is closed and empty,
 * which `emptied` tells; a member that leaves touches it no more once it has given the lock back,
 * unless it is the one that calls `emptied`.
 */
#ifndef GR_RUNTIME_ASYNC_SCOPE_H
#define GR_RUNTIME_ASYNC_SCOPE_H

#include <greenroom/scope.h>

#include "runtime/sched/park.h"

struct gri_member;
struct gri_spread;

struct gri_member_ops {
    bool actor; /* stopped after the others, in reverse order */
    void (*cancel)(struct gri_member *m, gr_code why); /* [any] ask it to end */
    void (*stop)(struct gri_member *m);                /* actors and scopes: end it */
    /* keeps the member's memory; false: it is about to go, and to be taken out */
    bool (*ref)(struct gri_member *m);
    void (*unref)(struct gri_member *m);
    /* for members that may end without leaving: from here on it must. true: it has ended, and the caller,
     * who takes it out, has got a reference. May be NULL */
    bool (*seal)(struct gri_member *m);
};

struct gri_member {
    struct gri_list node;   /* guarded by the lock of the list that it is in */
    struct gr_scope *scope; /* borrowed while listed; NULL: in none */
    const struct gri_member_ops *ops;
    /* the youngest pass that reached it; guarded by scope->lock */
    uint32_t told;
    _Atomic uint32_t at; /* in which list of a spread scope, and since when: see spread.h */
};

struct gr_scope {
    struct gri_member member; /* in its parent; first, so that a scope is a member */
    _Atomic uint32_t refs;
    struct gri_lock lock; /* guards all that follows down to until_look, and idle */
    /* [0] calls and scopes, [1] actors; by time of birth, and rotated by a pass: a full pass, last
     * to first, restores the order */
    struct gri_list members[2];
    uint32_t calls, actors; /* how many of either */
    uint32_t pass;
    bool cancelled, closed; /* closed: refuses new members */
    bool told_empty;
    bool spread_open;                    /* members are added to `spread`, not to the lists above */
    uint32_t adder;                      /* the worker that was last seen to add a member */
    uint16_t crowd;                      /* grows while that changes often */
    uint16_t until_look;                 /* members that are added before it is looked at again */
    _Atomic(struct gri_spread *) spread; /* owned; NULL: it was never needed. See spread.h */
    struct gri_waiter *idle;             /* borrowed; fired at each leave, for who joins */
    gr_runtime *rt;                      /* borrowed */
    void (*emptied)(struct gr_scope *s); /* called once, when it is closed and empty */
    void (*destroy)(struct gr_scope *s); /* the last reference is gone */
};

/* gri_scope_init makes a scope with one reference, in no parent. */
void gri_scope_init(struct gr_scope *s, gr_runtime *rt, void (*emptied)(struct gr_scope *),
                    void (*destroy)(struct gr_scope *));
struct gr_scope *gri_scope_ref(struct gr_scope *s);
void gri_scope_unref(struct gr_scope *s);
/* gri_scope_fini frees what the scope has; for who does not count references to it. */
void gri_scope_fini(struct gr_scope *s);

/* gri_scope_join adds m: GR_OK, GR_ECANCELED or, closed, GR_EDEAD. */
gr_code gri_scope_add(struct gr_scope *s, struct gri_member *m, const struct gri_member_ops *ops);
void gri_scope_leave(struct gri_member *m); /* harmless when it is in none */
/* gri_scope_move puts m into another scope; GR_OK or as gri_scope_add, m then stays where it
 * was. */
gr_code gri_scope_move(struct gri_member *m, struct gr_scope *to);

void gri_scope_cancel(struct gr_scope *s, gr_code why);
/* gri_scope_close refuses new members, cancels calls and stops actors, without waiting. */
void gri_scope_close(struct gr_scope *s, gr_code why);
/* gri_scope_drain does the same and waits: calls first, then actors in reverse order. false: not
 * all ended by deadline_ns. [waits] */
bool gri_scope_drain(struct gr_scope *s, uint64_t deadline_ns);

#endif
