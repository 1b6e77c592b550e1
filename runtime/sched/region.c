/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/sched/region.h"

#include "runtime/base/assert.h"
#include "runtime/sched/cache.h"

/* A region's head; the tells follow at its 32nd byte. */
struct region {
    _Atomic uint32_t home; /* how many have come home, as far as it has been noted */
};

struct gri_free_block *gri_region_take(struct gri_worker *w)
{
    struct region *r = gri_cache_alloc(w, GRI_BLOCK_REGION);
    struct gri_free_block *list = NULL;

    if (r == NULL)
        return NULL;
    if (((uintptr_t)r & GRI_ALONE) != 0) { /* which lies anywhere, so tells would not find it */
        gri_cache_free(w, GRI_BLOCK_REGION, r);
        return NULL;
    }
    atomic_init(&r->home, 0);
    for (int i = GRI_REGION_TELLS; i > 0; i--) {
        struct gri_free_block *b = (void *)((char *)r + i * GRI_BLOCK_TELL_BYTES);

        b->next = list;
        list = b;
    }
    if (w->shelf[GRI_BLOCK_REGION].first != NULL)
        gri_region_want(w->shelf[GRI_BLOCK_REGION].first); /* the next one */
    return list;
}

/* note counts so many of a region's tells as home. */
static void note(struct gri_worker *w, struct region *r, unsigned count)
{
    unsigned before = 0;

    /* who sends them all home needs nobody else's note */
    if (count != GRI_REGION_TELLS)
        before = atomic_fetch_add_explicit(&r->home, count, memory_order_acq_rel);
    gri_assert(before + count <= GRI_REGION_TELLS);
    if (before + count == GRI_REGION_TELLS)
        gri_cache_free(w, GRI_BLOCK_REGION, r);
}

static void note_place(struct gri_worker *w, uintptr_t *place)
{
    struct region *r = (void *)gri_region_of((void *)*place);
    unsigned count = (unsigned)(*place - (uintptr_t)r);

    *place = 0;
    if (count != 0)
        note(w, r, count);
}

void gri_region_note(struct gri_worker *w)
{
    for (unsigned i = 0; i < GRI_COMING; i++)
        note_place(w, &w->tells.count[i]);
}

/* come_home counts the tell b of r. */
static void come_home(struct gri_worker *w, uintptr_t r)
{
    uintptr_t *place = &w->tells.count[r / GRI_BLOCK_REGION_BYTES % GRI_COMING];

    if (gri_region_of((void *)*place) != r) {
        note_place(w, place);
        *place = r;
    }
    ++*place;
    if (*place == r + GRI_REGION_TELLS)
        note_place(w, place);
}

void gri_region_give(struct gri_worker *w, struct gri_free_block *tells)
{
    while (tells != NULL) {
        uintptr_t r = gri_region_of(tells);

        tells = tells->next;
        /* in a simulation what happens may not depend on addresses, as a worker's counts do */
        if (w != NULL && gri_platform_here() == NULL)
            come_home(w, r);
        else
            note(w, (struct region *)r, 1);
    }
}
