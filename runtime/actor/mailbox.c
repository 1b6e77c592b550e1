/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox.c - the queue in front of an actor: a stack that many push on, and one takes whole and
 * turns around. See actor.h.
 */
#include "runtime/actor/actor.h"

/* In inbox: no turn is queued or running. */
#define IDLE ((struct gri_envelope *)(uintptr_t)1)

void gri_mailbox_init(struct gri_actor *a, bool idle)
{
    a->ready = NULL;
    atomic_store(&a->inbox, idle ? IDLE : NULL);
}

void gri_actor_post(struct gri_actor *a, struct gri_envelope *e)
{
    struct gri_envelope *head = atomic_load_explicit(&a->inbox, memory_order_relaxed);
    bool lends = e->kind == GRI_TELL && e->placed && a->bounds == NULL; /* what owe() is for */

    gri_point(GRI_AT_PUSH);
    do {
        e->task.next = head != IDLE && head != NULL ? &head->task : NULL;
        /* release: the envelope's content is published; acquire: if we take over from IDLE, the
         * last turn's effects are seen by the one that we ready */
    } while (!atomic_compare_exchange_weak_explicit(&a->inbox, &head, e, memory_order_acq_rel,
                                                    memory_order_relaxed));
    if (head != IDLE)
        return;
    if (!lends) {
        gri_actor_ready_turn(a);
        return;
    }
    a->lent = true;
    gri_actor_ready_task(a);
}

struct gri_envelope *gri_envelope_of(struct gri_task *t)
{
    return t != NULL ? gri_container_of(t, struct gri_envelope, task) : NULL;
}

struct gri_envelope *gri_mailbox_pop(struct gri_actor *a)
{
    struct gri_envelope *e = a->ready;
    struct gri_envelope *in_order = NULL;

    if (e == NULL && atomic_load_explicit(&a->inbox, memory_order_relaxed) != NULL) {
        /* acquire: pairs with the push's release */
        e = atomic_exchange_explicit(&a->inbox, NULL, memory_order_acquire);
        gri_point(GRI_AT_POP);
        while (e != NULL) {
            struct gri_envelope *below = gri_envelope_of(e->task.next);

            e->task.next = in_order != NULL ? &in_order->task : NULL;
            in_order = e;
            e = below;
        }
        e = in_order;
    }
    if (e != NULL)
        a->ready = gri_envelope_of(e->task.next);
    return e;
}

bool gri_mailbox_go_idle(struct gri_actor *a)
{
    struct gri_envelope *empty = NULL;

    gri_point(GRI_AT_GO_IDLE);
    if (GRI_PLANTED(LOST_MESSAGE)) {
        atomic_store(&a->inbox, IDLE);
        return true;
    }
    return atomic_compare_exchange_strong(&a->inbox, &empty, IDLE);
}

void gri_mailbox_kick(struct gri_actor *a)
{
    struct gri_envelope *idle = IDLE;

    gri_point(GRI_AT_KICK);
    if (atomic_compare_exchange_strong(&a->inbox, &idle, NULL))
        gri_actor_ready_turn(a);
}
