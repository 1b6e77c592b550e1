/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache.h - memory for what is made and thrown away all the time: messages, calls,
 * small states.
 *
 * Each worker has a shelf (shelf.h) of up to two bundles of free blocks of each size, and hands them
 * out again without a lock. What a worker frees more of than it makes goes to the runtime's store
 * (slab.h) by the bundle, where the others find it; tells, of which consumers free more than they make all
 * the time, go home to their regions (region.h).
 *
 * Threads that are no workers ask the allocator each time, or, for calls, the store. The allocator's
 * blocks lie at odd multiples of 16, a slab's at even ones, so that who frees one sees which it is. A
 * block may be freed on any thread, also when its runtime is gone.
 */
#ifndef GR_RUNTIME_SCHED_CACHE_H
#define GR_RUNTIME_SCHED_CACHE_H

#include <stdint.h>

#include "runtime/base/alloc.h"
#include "runtime/base/point.h"
#include "runtime/sched/sched.h"

/* AddressSanitizer wants to see every block go and come. */
#if defined(__SANITIZE_ADDRESS__)
#define GRI_CACHE_NONE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GRI_CACHE_NONE 1
#endif
#endif

#if defined(GR_TESTING)
/* While it is set every block comes from the allocator, for tests that make the n-th one fail. */
extern _Atomic bool gri_cache_off;
#define GRI_CACHE_OFF atomic_load_explicit(&gri_cache_off, memory_order_relaxed)
#else
#define GRI_CACHE_OFF false
#endif

void *gri_cache_alloc_slow(struct gri_worker *w, enum gri_block kind);
void gri_cache_free_slow(struct gri_worker *w, enum gri_block kind, void *p);

#define GRI_ALONE ((uintptr_t)16) /* the bit of an address that tells: not from a slab */

/* gri_cache_alloc returns a block of the kind's size, not zeroed; NULL: out of memory. w is the
 * calling worker; NULL: the thread is none. */
static inline void *gri_cache_alloc(struct gri_worker *w, enum gri_block kind)
{
#if defined(GRI_CACHE_NONE)
    return gri_cache_alloc_slow(w, kind);
#else
    struct gri_free_block *b = w != NULL ? w->shelf[kind].first : NULL;

    if (b == NULL || GRI_CACHE_OFF || gri_platform_here() != NULL)
        return gri_cache_alloc_slow(w, kind);
    w->shelf[kind].first = b->next;
    w->shelf[kind].count--;
    return b;
#endif
}

/* gri_cache_alloc_from is for a thread that is no worker, and makes many: from a runtime's slabs. */
void *gri_cache_alloc_from(struct gri_sched *s, enum gri_block kind);

/* gri_cache_free: p is not NULL, and was allocated as that kind, on whatever thread. */
static inline void gri_cache_free(struct gri_worker *w, enum gri_block kind, void *p)
{
#if defined(GRI_CACHE_NONE)
    gri_cache_free_slow(w, kind, p);
#else
    struct gri_free_block *b = p;

    if (w == NULL || ((uintptr_t)p & GRI_ALONE) != 0 ||
        w->shelf[kind].count == gri_bundle_of(kind)) {
        gri_cache_free_slow(w, kind, p);
        return;
    }
    b->next = w->shelf[kind].first;
    w->shelf[kind].first = b;
    w->shelf[kind].count++;
#endif
}

/* gri_cache_rest sends the tells home that a worker keeps, which is about to have nothing to do: each keeps a
 * region, and that a slab. */
void gri_cache_rest(struct gri_worker *w);
/* gri_shelves_empty gives back what a worker keeps that has stopped, or is to rest for long. */
void gri_shelves_empty(struct gri_worker *w);

#endif
