/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow_turn.c - see flow_turn.h.
 *
 * Lock order: a stream's lock, then a turn's (a waiter that fires kicks). So a stream is never
 * touched with a turn's lock held.
 *
 * A waiter that fires takes a reference to the call, so it may only be set while somebody else has
 * one. That is what halting is for: it marks the turn, then takes the waiters away. A step sets a
 * waiter, then looks at the mark. Whichever comes second, of setting and marking, takes the waiter
 * away.
 */
#include "runtime/net/flow_turn.h"

void gri_turn_kick(struct gri_turn *t)
{
    bool ready = false;

    gri_lock(&t->lock);
    if (t->queued) {
        t->again = true;
    } else {
        t->queued = true;
        ready = true;
        t->ops->ref(t->call);
    }
    gri_unlock(&t->lock);
    if (ready)
        gri_ready(t->sched, &t->task);
}

static void turn_run(struct gri_task *task)
{
    struct gri_turn *t = gri_container_of(task, struct gri_turn, task);
    bool more;

    do {
        t->step(t);
        if (t->stands_back) {
            t->stands_back = false;
            gri_ready(t->sched, task);
            return;
        }
        gri_lock(&t->lock);
        more = t->again;
        t->again = false;
        if (!more)
            t->queued = false;
        gri_unlock(&t->lock);
    } while (more);
    t->ops->unref(t->call);
}

bool gri_turn_claim_locked(struct gri_turn *t)
{
    if (t->queued)
        return false;
    t->queued = true;
    return true;
}

void gri_turn_leave(struct gri_turn *t)
{
    bool more;

    gri_lock(&t->lock);
    more = t->again;
    t->again = false;
    t->queued = more;
    if (more)
        t->ops->ref(t->call);
    gri_unlock(&t->lock);
    if (more)
        gri_ready(t->sched, &t->task);
}

void gri_turn_init(struct gri_turn *t, const struct gri_flow_ops *ops, void *call,
                   struct gri_peer *peer, void (*step)(struct gri_turn *t))
{
    *t = (struct gri_turn){ .step = step, .ops = ops, .call = call };
    t->sched = gri_sched_of(peer->node->rt);
    t->task = (struct gri_task){ .run = turn_run, .name = "flow" };
}

bool gri_turn_halted(struct gri_turn *t)
{
    bool halted;

    gri_lock(&t->lock);
    halted = t->halted;
    gri_unlock(&t->lock);
    return halted;
}

void gri_turn_halt(struct gri_turn *t)
{
    gri_lock(&t->lock);
    t->halted = true;
    gri_unlock(&t->lock);
}
