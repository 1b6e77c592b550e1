/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.h - a mutex of four bytes (Drepper, "Futexes are tricky", mutex2). Zeroed is unlocked.
 *
 * Small enough to sit in every call and stream. Never held across a callback, an allocation hook,
 * nng, curl, or a fiber switch. Lock order: docs/internals/locking.md.
 */
#ifndef GR_RUNTIME_BASE_LOCK_H
#define GR_RUNTIME_BASE_LOCK_H

#include <stdatomic.h>
#include <stdint.h>

#include "runtime/base/point.h"

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
    /* release: what was done under the lock is seen by the next holder */
    if (atomic_exchange_explicit(&l->word, 0, memory_order_release) == 2)
        gri_unlock_slow(l);
    gri_point(GRI_AT_UNLOCK);
}

#endif
