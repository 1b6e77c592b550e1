/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/sched/cache.h"

#include "runtime/sched/region.h"
#include "runtime/sched/slab.h"

#if defined(GR_TESTING)
_Atomic bool gri_cache_off;
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#endif

/* ---- blocks that come from the allocator one by one ------------------------------------------ */

#if defined(GRI_CACHE_NONE)
static void *alone_new(enum gri_block kind)
{
    static const size_t size_of[GRI_BLOCKS] = {
#define X(kind, bytes, bundle) [GRI_BLOCK_##kind] = (bytes),
        GRI_BLOCK_SIZES(X)
#undef X
    };

    return gri_alloc(size_of[kind]);
}

static void alone_free(void *p)
{
    gri_free(p);
}
#else
/* What the allocator gave is remembered right in front of the block. */
static void *alone_new(enum gri_block kind)
{
    static const size_t size_of[GRI_BLOCKS] = {
#define X(kind, bytes, bundle) [GRI_BLOCK_##kind] = (bytes) + sizeof(void *) + 2 * GRI_ALONE,
        GRI_BLOCK_SIZES(X)
#undef X
    };
    char *memory = gri_alloc(size_of[kind]);
    uintptr_t at;

    if (memory == NULL)
        return NULL;
    /* the first odd multiple of 16 that leaves room for a pointer */
    at = (uintptr_t)memory + sizeof(void *) + GRI_ALONE - 1;
    at = (at & ~(2 * GRI_ALONE - 1)) + GRI_ALONE;
    ((void **)at)[-1] = memory;
    return (void *)at;
}

static void alone_free(void *p)
{
    gri_free(((void **)p)[-1]);
}
#endif

/* ---- shelves --------------------------------------------------------------------------------- */

#if defined(GRI_CACHE_NONE)
void *gri_cache_alloc_slow(struct gri_worker *w, enum gri_block kind)
{
    (void)w;
    return alone_new(kind);
}

void *gri_cache_alloc_from(struct gri_sched *s, enum gri_block kind)
{
    (void)s;
    return alone_new(kind);
}

void gri_cache_free_slow(struct gri_worker *w, enum gri_block kind, void *p)
{
    (void)w, (void)kind;
    alone_free(p);
}
#else
/* is_off: each block is to come from the allocator. So it is when Memcheck is to see it. */
static bool is_off(void)
{
#if defined(RUNNING_ON_VALGRIND)
    if (RUNNING_ON_VALGRIND != 0)
        return true;
#endif
    return GRI_CACHE_OFF;
}

/* refill fetches blocks to an empty shelf; false: there are none. */
static bool refill(struct gri_worker *w, enum gri_block kind)
{
    struct gri_shelf *shelf = &w->shelf[kind];

    if (shelf->spare != NULL) {
        shelf->first = shelf->spare;
        shelf->spare = NULL;
        shelf->count = gri_bundle_of(kind);
    } else if (kind == GRI_BLOCK_TELL) {
        shelf->first = gri_region_take(w);
        shelf->count = shelf->first != NULL ? GRI_REGION_TELLS : 0;
    } else {
        shelf->first = gri_store_take(w->sched->store, kind, &shelf->count);
    }
    return shelf->first != NULL;
}

void *gri_cache_alloc_slow(struct gri_worker *w, enum gri_block kind)
{
    struct gri_shelf *shelf = w != NULL ? &w->shelf[kind] : NULL;
    struct gri_free_block *b;

    if (w == NULL || is_off())
        return alone_new(kind);
    if (gri_fault(GRI_AT_ALLOC))
        return NULL;
    if (shelf->first == NULL && !refill(w, kind))
        return alone_new(kind);
    b = shelf->first;
    shelf->first = b->next;
    shelf->count--;
    return b;
}

void *gri_cache_alloc_from(struct gri_sched *s, enum gri_block kind)
{
    struct gri_free_block *b;

    if (is_off())
        return alone_new(kind);
    if (gri_fault(GRI_AT_ALLOC))
        return NULL;
    b = gri_store_take_one(s->store, kind);
    return b != NULL ? b : alone_new(kind);
}

/* go_home sends a list of blocks to where they were cut from. w: the calling worker; NULL: it is none. */
static void go_home(struct gri_worker *w, enum gri_block kind, struct gri_free_block *list)
{
    if (kind == GRI_BLOCK_TELL)
        gri_region_give(w, list);
    else
        gri_blocks_go_home(list);
}

/* give sends a worker's blocks on. */
static void give(struct gri_worker *w, enum gri_block kind, struct gri_free_block *bundle)
{
    if (kind == GRI_BLOCK_TELL)
        gri_region_give(w, bundle);
    else
        gri_store_give(w->sched->store, kind, bundle);
}

/* make_room moves the full stack to the side, and what was there to the store. */
static void make_room(struct gri_worker *w, enum gri_block kind)
{
    struct gri_shelf *shelf = &w->shelf[kind];

    if (shelf->spare != NULL)
        give(w, kind, shelf->spare);
    shelf->spare = shelf->first;
    shelf->first = NULL;
    shelf->count = 0;
}

void gri_cache_free_slow(struct gri_worker *w, enum gri_block kind, void *p)
{
    struct gri_free_block *b = p;

    if (((uintptr_t)p & GRI_ALONE) != 0) {
        alone_free(p);
        return;
    }
    if (w != NULL) {
        make_room(w, kind);
        b->next = NULL;
        w->shelf[kind].first = b;
        w->shelf[kind].count = 1;
        return;
    }
    b->next = NULL;
    go_home(NULL, kind, b);
}
#endif

void gri_cache_rest(struct gri_worker *w)
{
#if !defined(GRI_CACHE_NONE)
    struct gri_shelf *tells = &w->shelf[GRI_BLOCK_TELL];

    gri_region_give(w, tells->first);
    gri_region_give(w, tells->spare);
    *tells = (struct gri_shelf){ .first = NULL };
    gri_region_note(w);
#else
    (void)w;
#endif
}

void gri_shelves_empty(struct gri_worker *w)
{
    gri_cache_rest(w); /* first: tells go home to regions */
#if !defined(GRI_CACHE_NONE)
    for (int k = 0; k < GRI_BLOCKS; k++) {
        gri_blocks_go_home(w->shelf[k].first);
        gri_blocks_go_home(w->shelf[k].spare);
        w->shelf[k] = (struct gri_shelf){ .first = NULL };
    }
#endif
}
