/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.h - a mutex of four bytes (Drepper, "Futexes are tricky", mutex2). Zeroed is unlocked.
 *
 * Small enough to sit in every call and stream. Never held across a callback, an allocation hook,
 * nng, curl, or a fiber switch. Lock order: docs/internals/locking.md.
 *
 * Giving it back is a load and a store, not one atomic step, while nobody is seen to sleep. Somebody
 * may write 2 between the two and have it overwritten. If he looks at the word in the kernel after
 * that, he finds 0 and comes back at once; if he was quicker than that and sleeps, which takes that
 * the holder loses the processor between two instructions, nobody wakes him. So a sleep lasts
 * GRI_LOCK_LOOK_NS at most, after which he looks again: nobody is lost, and in that case late. All
 * else is as ever: only the holder writes 0, so the lock never has two. A simulation switches at
 * points, of which there is none between the two, and so needs no time-out, which would hide a lock
 * that is never given back.
 */
#ifndef GR_RUNTIME_BASE_LOCK_H
#define GR_RUNTIME_BASE_LOCK_H

#include <stdatomic.h>
#include <stdint.h>

#include "runtime/base/point.h"

#define GRI_LOCK_LOOK_NS 1000000 /* how long who waits for a lock sleeps without a look at it */

struct gri_lock {
    _Atomic uint32_t word; /* 0 free, 1 held, 2 held and somebody sleeps */
};

void gri_lock_slow(struct gri_lock *l);
void gri_unlock_slow(struct gri_lock *l);

static inline void gri_lock(struct gri_lock *l)
{
    uint32_t free_word = 0;

    gri_point(GRI_AT_LOCK);
    /* acquire: pairs with the release in gri_unlock */
    if (!atomic_compare_exchange_strong_explicit(&l->word, &free_word, 1, memory_order_acquire,
                                                 memory_order_relaxed))
        gri_lock_slow(l);
}

static inline void gri_unlock(struct gri_lock *l)
{
    /* release, here and in gri_unlock_slow: what was done under the lock is seen by the next holder */
    if (atomic_load_explicit(&l->word, memory_order_relaxed) == 1)
        atomic_store_explicit(&l->word, 0, memory_order_release);
    else
        gri_unlock_slow(l);
    gri_point(GRI_AT_UNLOCK);
}

#endif
