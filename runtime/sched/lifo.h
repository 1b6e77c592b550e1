/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lifo.h - the place for the task that a worker runs next.
 *
 * Its owner, the worker, fills and empties it all the time; the monitor takes from it when the
 * worker is held up by a long handler. So the owner does without atomic steps, and the monitor pays for both: it
 * claims the place, has all processors pass a barrier (membarrier(2)), and then sees whether the owner was
 * at it.
 *
 *     owner: BUSY := true; CLAIMED? no: take               monitor: CLAIMED := true; barrier;
 *            BUSY := false                                          BUSY? no: take; CLAIMED := false
 *
 * The owner's processor passes the barrier either before the owner sets BUSY, and the owner finds CLAIMED; or
 * after, and the monitor finds BUSY, or what the owner has left there. Each sets the flag down with
 * release, which pairs with the other's acquire. An owner that finds CLAIMED takes by an atomic step, as the
 * monitor does. Where there is no membarrier it is claimed for good. See tests/model/lifo.pml.
 */
#ifndef GR_RUNTIME_SCHED_LIFO_H
#define GR_RUNTIME_SCHED_LIFO_H

#include <stdatomic.h>
#include <stdbool.h>

#include "runtime/base/point.h"
#include "runtime/base/thread.h"

struct gri_task;

enum gri_claim { GRI_UNCLAIMED, GRI_CLAIMED, GRI_CLAIMED_FOR_GOOD };

struct gri_lifo {
    _Atomic(struct gri_task *) task; /* NULL: none */
    _Atomic bool busy;               /* the owner's */
    _Atomic unsigned char claimed;   /* gri_claim; the monitor's */
};

static inline void gri_lifo_init(struct gri_lifo *l)
{
    atomic_init(&l->task, NULL);
    atomic_init(&l->busy, false);
    atomic_init(&l->claimed, gri_barrier_ready() ? GRI_UNCLAIMED : GRI_CLAIMED_FOR_GOOD);
}

static inline struct gri_task *gri_lifo_peek(const struct gri_lifo *l)
{
    return atomic_load_explicit(&l->task, memory_order_relaxed);
}

/* gri_lifo_begin: the owner is at it; false: it has to go by atomic steps. */
static inline bool gri_lifo_begin(struct gri_lifo *l)
{
    atomic_store_explicit(&l->busy, true, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst); /* the monitor's barrier does the rest */
    gri_point(GRI_AT_LIFO_BUSY);
    return atomic_load_explicit(&l->claimed, memory_order_acquire) == GRI_UNCLAIMED;
}

static inline void gri_lifo_end(struct gri_lifo *l)
{
    gri_point(GRI_AT_LIFO_TAKE);
    atomic_store_explicit(&l->busy, false, memory_order_release);
}

/* gri_lifo_swap puts t there, or NULL, and returns what was there. The owner only. */
static inline struct gri_task *gri_lifo_swap(struct gri_lifo *l, struct gri_task *t)
{
    struct gri_task *old = gri_lifo_peek(l);

    if (old == NULL) { /* others only take away, so it is the owner's to fill */
        if (t != NULL)
            /* release: the task's fields are published to the monitor */
            atomic_store_explicit(&l->task, t, memory_order_release);
        return NULL;
    }
    if (gri_lifo_begin(l)) {
        old = gri_lifo_peek(l);
        gri_point(GRI_AT_LIFO_TAKE);
        atomic_store_explicit(&l->task, t, memory_order_release);
    } else {
        old = atomic_exchange_explicit(&l->task, t, memory_order_acq_rel);
    }
    gri_lifo_end(l);
    return old;
}

/* gri_lifo_remove takes t away if it is there. The owner only. */
static inline bool gri_lifo_remove(struct gri_lifo *l, struct gri_task *t)
{
    bool there = gri_lifo_peek(l) == t;

    if (!there)
        return false;
    if (gri_lifo_begin(l)) {
        there = gri_lifo_peek(l) == t;
        gri_point(GRI_AT_LIFO_TAKE);
        if (there)
            atomic_store_explicit(&l->task, NULL, memory_order_relaxed);
    } else {
        there = atomic_compare_exchange_strong_explicit(&l->task, &t, NULL, memory_order_acq_rel,
                                                        memory_order_relaxed);
    }
    gri_lifo_end(l);
    return there;
}

/* gri_lifo_seize takes another worker's task away. NULL: there is none, or its owner is at it just now.
 * The monitor only. */
static inline struct gri_task *gri_lifo_seize(struct gri_lifo *l)
{
    unsigned char claimed = atomic_load_explicit(&l->claimed, memory_order_relaxed);
    struct gri_task *t = NULL;
    bool passed = true;

    if (gri_lifo_peek(l) == NULL)
        return NULL;
    if (claimed == GRI_UNCLAIMED) {
        atomic_store(&l->claimed, GRI_CLAIMED);
        gri_point(GRI_AT_LIFO_CLAIM);
        passed = gri_barrier();
        if (!passed) /* it was to be had once; from the next time on the owner has seen it */
            claimed = GRI_CLAIMED_FOR_GOOD;
    }
    if (passed && !atomic_load_explicit(&l->busy, memory_order_acquire))
        t = atomic_exchange_explicit(&l->task, NULL, memory_order_acq_rel);
    gri_point(GRI_AT_LIFO_TAKE);
    atomic_store_explicit(&l->claimed, claimed, memory_order_release);
    return t;
}

#endif
