/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox.h - the queue in front of an actor: a stack that many push on, and one takes whole and
 * turns around. See actor.h. What happens for each message is in here, to be inlined.
 *
 * A tell that is alone in the mailbox is not taken out, but handled where it lies (`left`): the step
 * that puts IDLE in its place takes it away. Until then it stays memory of its own, at the end of what
 * is pushed on it meanwhile; pushers only note its address.
 */
#ifndef GR_RUNTIME_ACTOR_MAILBOX_H
#define GR_RUNTIME_ACTOR_MAILBOX_H

#include "runtime/actor/actor.h"
#include "runtime/base/point.h"
#include "runtime/sched/region.h"

/* gri_mailbox_init opens the mailbox of a slot's new actor, which has one pin then, its own; idle: a
 * message readies the turn. gri_mailbox_close takes that back. */
void gri_mailbox_init(struct gri_actor *a, uint64_t id, bool idle);
void gri_mailbox_close(struct gri_actor *a);
/* gri_mailbox_kick readies a turn if none is queued or running: for what is told by flags. The caller
 * has a pin. gri_mailbox_kick_id is for who has none: the slot may be another actor's by now. */
void gri_mailbox_kick(struct gri_actor *a);
void gri_mailbox_kick_id(struct gri_actor *a, uint64_t id);

static inline void gri_envelope_link(struct gri_envelope *e, uint64_t head)
{
    struct gri_envelope *below = gri_inbox_top(head);

    e->next = below != GRI_IDLE ? below : NULL;
}

/* ---- for senders ----------------------------------------------------------------------------- */

/* How it went. GONE: it has ended, or takes no more. */
enum gri_entry { GRI_ENTERED, GRI_GONE, GRI_NO_ROOM };

/* gri_actor_has_room tells whether a mailbox in which so many have places takes another. */
static inline bool gri_actor_has_room(const struct gri_actor *a, uint64_t depth)
{
    uint32_t admit = atomic_load_explicit(&a->admit, memory_order_relaxed);

    return depth < admit && !(admit != GRI_ADMIT_ALL && gri_fault(GRI_AT_MAILBOX_FULL));
}

/* gri_inbox_come adds places and pins to the load of the actor `id`, and, unless e is NULL, pushes e.
 * Only with ENTERED has anything changed; then *ret_old is what was there. */
static inline __attribute__((always_inline)) enum gri_entry gri_inbox_come(
    struct gri_actor *a, uint64_t id, uint64_t load, struct gri_envelope *e, union gri_two *ret_old)
{
    union gri_two old, to;

    gri_want(&a->inbox);
    old = gri_twin_read(&a->inbox);

    gri_point(GRI_AT_PIN);
    do {
        if ((!gri_inbox_is(old, id) && !GRI_PLANTED(STALE_REF)) ||
            (old.load & GRI_LOAD_DRAINED) != 0)
            return GRI_GONE;
        if ((load >= GRI_PLACE && !gri_actor_has_room(a, gri_load_places(old.load))) ||
            gri_load_pins(old.load) >= GRI_PINS_MAX)
            return GRI_NO_ROOM;
        to = old;
        to.load += load;
        if (e != NULL) {
            gri_envelope_link(e, old.head);
            to.head = gri_inbox_head(old.head, e);
        }
        gri_point(GRI_AT_PUSH);
        /* the content of e is published; if we take over from IDLE, the last turn's effects are seen
         * by the one that we ready */
    } while (!gri_twin_swap(&a->inbox, &old, to));
    *ret_old = old;
    return GRI_ENTERED;
}

/* gri_mailbox_enter puts e, with a place, into the mailbox of the actor `id`; a is its slot. pins:
 * 0, or GRI_PIN for a call. */
static inline __attribute__((always_inline)) enum gri_entry gri_mailbox_enter(
    struct gri_actor *a, uint64_t id, struct gri_envelope *e, uint64_t pins, uint64_t *ret_depth)
{
    union gri_two old;
    enum gri_entry how = gri_inbox_come(a, id, GRI_PLACE + pins, e, &old);

    if (how != GRI_ENTERED)
        return how;
    *ret_depth = gri_load_places(old.load) + 1;
    if (gri_inbox_top(old.head) == GRI_IDLE)
        gri_actor_ready_turn(a); /* which is ours to ready, so the actor is still there */
    return GRI_ENTERED;
}

/* gri_actor_post pushes an envelope on the mailbox of a pinned actor. */
static inline void gri_actor_post(struct gri_actor *a, struct gri_envelope *e)
{
    union gri_two old = gri_twin_read(&a->inbox), to;

    gri_point(GRI_AT_PUSH);
    do {
        gri_envelope_link(e, old.head);
        to.head = gri_inbox_head(old.head, e);
        to.load = old.load;
    } while (!gri_twin_swap(&a->inbox, &old, to));
    if (gri_inbox_top(old.head) == GRI_IDLE)
        gri_actor_ready_turn(a);
}

/* ---- for the turn ---------------------------------------------------------------------------- */

/* gri_mailbox_take_all empties inbox into `ready`, in order, and settles the turn's debt by the way. */
static inline void gri_mailbox_take_all(struct gri_actor *a)
{
    union gri_two old = gri_twin_read(&a->inbox), to;
    struct gri_envelope *left = a->left;
    uint64_t debt = gri_actor_debt(a);
    struct gri_envelope *e, *below;

    do {
        to.head = gri_inbox_head(old.head, NULL);
        to.load = old.load - debt;
    } while (!gri_twin_swap(&a->inbox, &old, to));
    gri_actor_handled(a, a->owed);
    a->owed = a->owed_pins = 0;
    gri_point(GRI_AT_POP);
    for (e = gri_inbox_top(old.head); e != left; e = below) { /* NULL if nothing was left */
        below = e->next;
        if (gri_region_of(e) != gri_region_of(below) && gri_region_of(e) == gri_region_of(a->ready))
            gri_region_want(
                below); /* tells of one sender in a row, most likely, as those above were */
        e->next = a->ready;
        a->ready = e;
    }
    a->left = NULL;
    if (left != NULL)
        gri_tell_discard(left);
    if (debt != 0)
        gri_actor_look_for_room(a, to.load);
}

/* gri_mailbox_pop takes the oldest message; NULL: there is none. */
static inline struct gri_envelope *gri_mailbox_pop(struct gri_actor *a)
{
    struct gri_envelope *e = a->ready;

    if (e == NULL) {
        /* acquire: pairs with the push */
        struct gri_envelope *top =
            gri_inbox_top(atomic_load_explicit(&a->inbox.head, memory_order_acquire));

        if (top == a->left) /* nothing new: both are NULL, or the tell is still alone */
            return NULL;
        if (top->kind == GRI_TELL && top->next == NULL && a->left == NULL) {
            a->left = top;
            return top;
        }
        gri_mailbox_take_all(a);
        e = a->ready;
    }
    a->ready = e->next;
    return e;
}

/* How a turn ends that has nothing to do. OVER: the actor has ended, and is the turn's to finish. */
enum gri_rest { GRI_WENT_IDLE, GRI_SOMETHING_CAME, GRI_OVER };

/* gri_mailbox_go_idle ends the turn; the next push readies a new one. With drain the actor's own pin
 * goes, if it has not yet. */
enum gri_rest gri_mailbox_go_idle(struct gri_actor *a, bool drain);

#endif
