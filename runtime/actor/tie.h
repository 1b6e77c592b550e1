/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tie.h - what binds an actor to others: links, monitors, names; and the signals that come of it.
 *
 * An actor's tie_lock guards its ties, its queue of signals, its reason, what hangs in `waits`,
 * `deferred` and `thens`, and the steps of its end in `flags`. Ties and signals are in gri_rare. A link or monitor is one object that
 * hangs in the tables of two actors. What changes both takes both locks, the lower slot first
 * (gri_lock_pair); nothing else takes a second actor's lock. Slots of actors are memory for ever, so
 * the lock of one that is gone may be taken; whether it still is the one that was meant is asked
 * under the lock (gri_is_live).
 *
 * The end (gri_actor_die) sets GRI_DEAD under the lock: what is in the tables by then is told, what
 * comes later finds a dead actor. So each link and monitor is told once, without a race to lose.
 *
 * A signal lies in memory that its link or monitor has had from its making, so it always gets there.
 */
#ifndef GR_RUNTIME_ACTOR_TIE_H
#define GR_RUNTIME_ACTOR_TIE_H

#include <greenroom/link.h>

#include "runtime/actor/actor.h"
#include "runtime/base/map.h"

/* What an actor is told ahead of its mailbox. */
struct gri_signal {
    struct gri_signal *next;
    /* called in the turn, and may run a handler; live false: the actor ends, just free it */
    void (*run)(struct gri_actor *a, struct gri_signal *s, bool live);
};

/* Somebody who wants to know of an actor's end: a monitor, or a future (gr_ended). */
struct gri_watch {
    struct gri_list node; /* in the target's watchers */
    bool listed;          /* guarded by the target's tie_lock, as node */
    /* called once, without locks; reason NULL: the target never was, forget it */
    void (*fire)(struct gri_watch *w, gr_ref who, const gr_value *reason);
};

/* What is to be done about an actor once its lock is free. */
struct gri_told {
    struct gri_actor *actor; /* pinned; NULL: nothing */
    bool exits;              /* what waits in it must be interrupted */
    bool last;               /* it has no turn any more */
    gr_value *drop;          /* counted; what its reason was before; NULL: none */
};

static inline bool gri_is_live(const struct gri_actor *a, uint64_t id)
{
    return atomic_load(&a->id) == id && (atomic_load(&a->flags) & GRI_DEAD) == 0;
}

/* The two may be the same slot. */
void gri_lock_pair(struct gri_actor *a, struct gri_actor *b);
void gri_unlock_pair(struct gri_actor *a, struct gri_actor *b);

/* gri_ties_ready gives the actor of that id its tables (gri_rare), if it is live and has none; id 0: one
 * that is not born yet. No pin is needed. false when out of memory. */
bool gri_ties_ready(struct gri_actor *a, uint64_t id);
/* gri_rare_free frees what an actor has of rare things, when nobody looks at it any more. */
void gri_rare_free(struct gri_actor *a);
/* gri_tie_room tells whether one more tie fits. The caller holds the lock, and the actor has tables. */
static inline bool gri_tie_room(const struct gri_actor *a)
{
    const struct gri_rare *r = gri_actor_rare(a);

    return r->tie_count < r->ties_max;
}
/* gri_tie_is_far tells whether the actor `id` of a slot is a proxy: see elsewhere.h. gri_tie_left is for
 * who has taken a tie with it away, in case it is a stand-in. Without locks. */
bool gri_tie_is_far(const struct gri_actor *a, uint64_t id);
void gri_tie_left(gr_runtime *rt, const struct gri_actor *a, uint64_t id);
/* gri_past_reason_locked is what is told of an actor that is not live: why its init failed, if it
 * stays to say so, else "noproc". Borrowed, for as long as the lock is held. */
const gr_value *gri_past_reason_locked(gr_runtime *rt, const struct gri_actor *a, uint64_t id);
/* gri_tie_target finds the slot of a ref of this runtime: NULL with GR_OK if it can't be alive, else
 * why it is no actor of ours. */
gr_code gri_tie_target(gr_runtime *rt, gr_ref ref, struct gri_actor **ret_actor);

/* ---- signal.c -------------------------------------------------------------------------------- */

/* gri_signal_push_locked queues s; t says what is left to do. The caller holds the lock, and the
 * actor is alive. */
void gri_signal_push_locked(struct gri_actor *a, struct gri_signal *s, struct gri_told *t);
/* gri_signal_take takes the first signal; NULL: none. */
struct gri_signal *gri_signal_take(struct gri_actor *a);
/* gri_told_done does what is left, and lets go of the actor. Without locks. */
void gri_told_done(struct gri_told *t);
/* gri_pin_locked pins a live actor for gri_told_done. */
void gri_pin_locked(struct gri_actor *a, struct gri_told *t);
/* gri_exit_from is gr_exit_to by somebody who may be elsewhere. reason is borrowed. */
gr_code gri_exit_from(gr_runtime *rt, gr_ref to, gr_ref from, const gr_value *reason);
/* gri_exit_ref ends an actor with a reason, whether it traps exits or not. */
void gri_exit_ref(gr_runtime *rt, gr_ref who, const gr_value *reason);
/* gri_trap_ref has an actor trap exits before anybody is linked to it. */
void gri_trap_ref(gr_runtime *rt, gr_ref who);

/* ---- exit.c ---------------------------------------------------------------------------------- */

/* gri_exit_locked ends a live actor with a reason, unless it ends already; kill ends it all the
 * same. */
void gri_exit_locked(struct gri_actor *a, const gr_value *reason, bool kill, struct gri_told *t);
/* gri_exit_by_link_locked is the exit signal of a broken link: false, the actor traps it and must be
 * told. */
bool gri_exit_by_link_locked(struct gri_actor *a, const gr_value *reason, struct gri_told *t);
/* gri_actor_die tells everybody that the actor has ended, once. */
void gri_actor_die(struct gri_actor *a);
/* gri_actor_forget takes the ties of an actor away that never came to be. */
void gri_actor_forget(struct gri_actor *a);

/* ---- bond.c, watch.c ------------------------------------------------------------------------- */

/* gri_bond_born and gri_watch_born tie a child to its spawner before anybody knows it. */
gr_code gri_bond_born(struct gri_actor *parent, struct gri_actor *child, uint64_t child_id);
gr_code gri_watch_born(struct gri_actor *parent, struct gri_actor *child, uint64_t child_id,
                       uint64_t *ret_monitor);
/*
 * gri_bond_afar links who with a stand-in for `from`, an actor of another node, whose ref is what `who` sees.
 * *ret_there: the stand-in that links them already; else {0, 0}. GR_EDEAD with *ret_reason, the caller's;
 * GR_EFULL, GR_EUNREACH, GR_ENOMEM.
 */
gr_code gri_bond_afar(gr_runtime *rt, gr_ref who, gr_ref stand_in, gr_ref from, gr_ref *ret_there,
                      gr_value **ret_reason);
/* gri_bonds_cut takes a stand-in's link away; nobody is told. */
void gri_bonds_cut(gr_runtime *rt, gr_ref stand_in);
/* For gri_actor_die: a dead actor's links and monitors, which are taken. reason NULL: as in
 * gri_watch. */
void gri_bonds_break(struct gri_actor *a, struct gri_map *links, gr_ref who,
                     const gr_value *reason);
void gri_monitors_forget(struct gri_actor *a, struct gri_map *monitors);
void gri_watchers_fire(struct gri_actor *a, struct gri_list *watchers, gr_ref who,
                       const gr_value *reason);

/* ---- name.c ---------------------------------------------------------------------------------- */

void gri_names_release(struct gri_actor *a);

#endif
