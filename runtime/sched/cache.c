/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/sched/cache.h"

#include "runtime/base/alloc.h"
#include "runtime/sched/sched.h"

#define BUNDLES_MAX 256 /* of one size, in the depot */

static const size_t size_of[GRI_BLOCKS] = {
    [GRI_BLOCK_64] = 64, [GRI_BLOCK_144] = 144, [GRI_BLOCK_280] = 280
};

#if defined(GR_TESTING)
_Atomic bool gri_cache_off;
#define OFF atomic_load_explicit(&gri_cache_off, memory_order_relaxed)
#else
#define OFF false
#endif

/* keeper returns the calling worker; NULL: the allocator is asked. AddressSanitizer wants to see every
 * block go and come. */
static struct gri_worker *keeper(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return NULL;
#else
    return OFF ? NULL : gri_exec()->worker;
#endif
}

/* ---- the depot ------------------------------------------------------------------------------- */

static struct gri_free_block *bundle_take(struct gri_depot *d)
{
    struct gri_free_block *b;

    if (atomic_load_explicit(&d->count, memory_order_relaxed) == 0)
        return NULL;
    gri_lock(&d->lock);
    b = d->bundles;
    if (b != NULL) {
        d->bundles = b->bundle;
        atomic_fetch_sub_explicit(&d->count, 1, memory_order_relaxed);
    }
    gri_unlock(&d->lock);
    return b;
}

static void free_all(struct gri_free_block *b)
{
    while (b != NULL) {
        struct gri_free_block *next = b->next;

        gri_free(b);
        b = next;
    }
}

static void bundle_give(struct gri_depot *d, struct gri_free_block *b)
{
    bool kept;

    gri_lock(&d->lock);
    kept = atomic_load_explicit(&d->count, memory_order_relaxed) < BUNDLES_MAX;
    if (kept) {
        b->bundle = d->bundles;
        d->bundles = b;
        atomic_fetch_add_explicit(&d->count, 1, memory_order_relaxed);
    }
    gri_unlock(&d->lock);
    if (!kept)
        free_all(b);
}

void gri_depot_empty(struct gri_sched *s)
{
    for (int k = 0; k < GRI_BLOCKS; k++) {
        struct gri_free_block *b;

        while ((b = bundle_take(&s->depot[k])) != NULL)
            free_all(b);
    }
}

/* ---- a worker's shelves ---------------------------------------------------------------------- */

/* refill fetches a bundle to an empty shelf; false: there is none. */
static bool refill(struct gri_shelf *shelf, struct gri_depot *depot)
{
    shelf->first = shelf->spare != NULL ? shelf->spare : bundle_take(depot);
    shelf->spare = NULL;
    shelf->count = shelf->first != NULL ? GRI_BUNDLE : 0;
    return shelf->first != NULL;
}

void *gri_cache_alloc(enum gri_block kind)
{
    struct gri_worker *w = keeper();
    struct gri_shelf *shelf = w != NULL ? &w->shelf[kind] : NULL;
    struct gri_free_block *b;

    if (w == NULL || (shelf->first == NULL && !refill(shelf, &w->sched->depot[kind])))
        return gri_alloc(size_of[kind]);
    if (gri_fault(GRI_AT_ALLOC))
        return NULL;
    b = shelf->first;
    shelf->first = b->next;
    shelf->count--;
    return b;
}

/* make_room moves the full stack to the side, and what was there to the depot. */
static void make_room(struct gri_shelf *shelf, struct gri_depot *depot)
{
    if (shelf->spare != NULL)
        bundle_give(depot, shelf->spare);
    shelf->spare = shelf->first;
    shelf->first = NULL;
    shelf->count = 0;
}

void gri_cache_free(enum gri_block kind, void *p)
{
    struct gri_worker *w = p != NULL ? keeper() : NULL;
    struct gri_shelf *shelf = w != NULL ? &w->shelf[kind] : NULL;
    struct gri_free_block *b = p;

    if (w == NULL) {
        gri_free(p);
        return;
    }
    if (shelf->count == GRI_BUNDLE)
        make_room(shelf, &w->sched->depot[kind]);
    b->next = shelf->first;
    shelf->first = b;
    shelf->count++;
}

void gri_shelves_empty(struct gri_worker *w)
{
    for (int k = 0; k < GRI_BLOCKS; k++) {
        free_all(w->shelf[k].first);
        free_all(w->shelf[k].spare);
        w->shelf[k] = (struct gri_shelf){ .first = NULL };
    }
}
