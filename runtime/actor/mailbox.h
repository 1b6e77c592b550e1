/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox.h - the queue in front of an actor: a stack that many push on, and one takes whole and
 * turns around. See actor.h. What a turn does for each message is in here, to be inlined.
 */
#ifndef GR_RUNTIME_ACTOR_MAILBOX_H
#define GR_RUNTIME_ACTOR_MAILBOX_H

#include "runtime/actor/actor.h"

/* In inbox: no turn is queued or running. */
#define GRI_IDLE ((struct gri_envelope *)(uintptr_t)1)

void gri_mailbox_init(struct gri_actor *a, bool idle);
/* gri_mailbox_kick readies a turn if none is queued or running: for what is told by flags. */
void gri_mailbox_kick(struct gri_actor *a);

/* gri_actor_post puts an envelope into the mailbox of a pinned actor. */
static inline void gri_actor_post(struct gri_actor *a, struct gri_envelope *e)
{
    struct gri_envelope *head = atomic_load_explicit(&a->inbox, memory_order_relaxed);
    bool lends = e->kind == GRI_TELL && e->placed && a->bounds == NULL; /* what owe() is for */

    gri_point(GRI_AT_PUSH);
    do {
        e->next = head != GRI_IDLE ? head : NULL;
        /* release: the envelope's content is published; acquire: if we take over from GRI_IDLE, the
         * last turn's effects are seen by the one that we ready */
    } while (!atomic_compare_exchange_weak_explicit(&a->inbox, &head, e, memory_order_acq_rel,
                                                    memory_order_relaxed));
    if (head != GRI_IDLE)
        return;
    if (!lends) {
        gri_actor_ready_turn(a);
        return;
    }
    a->lent = true;
    gri_actor_ready_task(a);
}

/* gri_mailbox_pop takes the oldest message; NULL: there is none. The turn only. */
static inline struct gri_envelope *gri_mailbox_pop(struct gri_actor *a)
{
    struct gri_envelope *e = a->ready, *below;

    if (e == NULL && atomic_load_explicit(&a->inbox, memory_order_relaxed) != NULL) {
        /* acquire: pairs with the push's release */
        struct gri_envelope *top = atomic_exchange_explicit(&a->inbox, NULL, memory_order_acquire);

        gri_point(GRI_AT_POP);
        for (e = top; (below = e->next) != NULL; e = below) {
            e->next = a->ready;
            a->ready = e;
        }
        e->next = a->ready;
    }
    if (e != NULL)
        a->ready = e->next;
    return e;
}

/* gri_mailbox_go_idle ends the turn: true, the next push readies a new one. false: something
 * came. */
static inline bool gri_mailbox_go_idle(struct gri_actor *a)
{
    struct gri_envelope *empty = NULL;

    gri_point(GRI_AT_GO_IDLE);
    if (GRI_PLANTED(LOST_MESSAGE)) {
        atomic_store(&a->inbox, GRI_IDLE);
        return true;
    }
    return atomic_compare_exchange_strong(&a->inbox, &empty, GRI_IDLE);
}

#endif
