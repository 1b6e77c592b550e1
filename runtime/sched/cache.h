/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache.h - memory for what is made and thrown away all the time: messages and calls.
 *
 * Each worker keeps blocks of a few fixed sizes that it was given back, and hands them out again
 * without a lock. What a worker frees more of than it makes, a consumer's messages say, goes to the
 * scheduler's depot by the bundle, where the producers' workers find it. Both are bounded; what is
 * beyond goes back to the allocator block by block, as every block came from it, and so does the
 * depot when the runtime has been idle for a while.
 *
 * Threads that are no workers ask the allocator each time. A block may be freed on any thread, also
 * when its runtime is gone.
 */
#ifndef GR_RUNTIME_SCHED_CACHE_H
#define GR_RUNTIME_SCHED_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/lock.h"

struct gri_sched;
struct gri_worker;

enum gri_block { GRI_BLOCK_64, GRI_BLOCK_144, GRI_BLOCK_280, GRI_BLOCKS };

#define GRI_BUNDLE 32 /* blocks that go to the depot and come from there at once */

/* A free block; the first of a bundle in the depot links to the next bundle. */
struct gri_free_block {
    struct gri_free_block *next, *bundle;
};

/* A worker's free blocks of one size: a stack of up to one bundle, and a whole bundle or none. */
struct gri_shelf {
    struct gri_free_block *first, *spare;
    unsigned count; /* in `first` */
};

struct gri_depot {
    struct gri_lock lock; /* guards bundles */
    struct gri_free_block *bundles;
    _Atomic uint32_t count;
};

/* gri_cache_alloc returns a block of the size in the kind's name, not zeroed; NULL: out of
 * memory. */
void *gri_cache_alloc(enum gri_block kind);
void gri_cache_free(enum gri_block kind, void *p); /* NULL is fine */

/* gri_shelves_empty gives back what a worker that has stopped keeps, gri_depot_empty what nobody
 * keeps. */
void gri_shelves_empty(struct gri_worker *w);
void gri_depot_empty(struct gri_sched *s);

#if defined(GR_TESTING)
/* While it is set every block comes from the allocator, for tests that make the n-th one fail. */
extern _Atomic bool gri_cache_off;
#endif

#endif
