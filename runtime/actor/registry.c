/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/actor/registry.h"

#include "runtime/actor/actor.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define LAST_GENERATION ((UINT64_C(1) << 35) - 1)
#define ONE_GENERATION (UINT64_C(1) << GRI_SLOT_BITS)
#define SHELF_MAX (3 * GRI_SLOT_BUNDLE) /* what a shelf holds at most: old, young, fresh */
#define SHELVES_PART 16
#define CHUNKS_BY_PAGE 4

gr_code gri_registry_init(struct gri_registry *r, size_t actors_max, uint32_t workers)
{
    size_t size = workers * sizeof(*r->shelves);

    *r = (struct gri_registry){ .max = (uint32_t)actors_max };
    r->chunks = gri_alloc_array(GRI_CHUNKS, sizeof(*r->chunks));
    if (r->chunks == NULL)
        return GR_ENOMEM;
    if (workers == 0 || actors_max / SHELVES_PART / SHELF_MAX < workers)
        return GR_OK;
    r->shelves = gri_alloc_aligned0(_Alignof(struct gri_slot_shelf), size);
    if (r->shelves == NULL)
        return GR_ENOMEM; /* the caller calls _fini */
    r->shelf_count = workers;
    return GR_OK;
}

void gri_registry_fini(struct gri_registry *r)
{
    if (r->chunks == NULL)
        return;
    for (uint32_t i = 0; i < GRI_CHUNKS; i++)
        gri_free_aligned(atomic_load_explicit(&r->chunks[i], memory_order_relaxed));
    gri_free(r->chunks);
    gri_free_aligned(r->shelves);
    r->chunks = NULL;
    r->shelves = NULL;
}

/* ---- under the lock -------------------------------------------------------------------------- */

/* A chunk is zeroed. The pages of the first few are touched when their slots are handed out; who makes
 * more actors than lie in these will make many. */
static bool make_chunk_locked(struct gri_registry *r, uint32_t index)
{
    struct gri_actor *chunk =
        gri_alloc_aligned0(_Alignof(struct gri_actor), GRI_CHUNK * sizeof(*chunk));

    if (chunk == NULL)
        return false;
    if (index >= CHUNKS_BY_PAGE)
        gri_alloc_touch(chunk, GRI_CHUNK * sizeof(*chunk));
    atomic_store_explicit(&r->chunks[index], chunk, memory_order_release);
    return true;
}

/* take_fresh_locked returns how many slots it took that were never handed out, up to so many. */
static uint32_t take_fresh_locked(struct gri_registry *r, uint32_t many, uint32_t *ret_first)
{
    uint32_t first = r->used, in_chunk = GRI_CHUNK - (first & (GRI_CHUNK - 1));

    if (first >= r->max ||
        (gri_registry_find(r, first) == NULL && !make_chunk_locked(r, first >> GRI_CHUNK_BITS)))
        return 0;
    many = many < in_chunk ? many : in_chunk;
    many = many < r->max - first ? many : r->max - first;
    r->used += many;
    *ret_first = first;
    return many;
}

static struct gri_actor *take_bundle_locked(struct gri_registry *r)
{
    struct gri_actor *a = r->first;

    if (a != NULL)
        r->first = a->next_bundle;
    return a;
}

static void give_bundle_locked(struct gri_registry *r, struct gri_actor *a)
{
    a->next_bundle = NULL;
    if (r->first != NULL)
        r->last->next_bundle = a;
    else
        r->first = a;
    r->last = a;
}

/* take_freed_locked takes one slot out of the first bundle. */
static struct gri_actor *take_freed_locked(struct gri_registry *r)
{
    struct gri_actor *a = r->first, *rest = a != NULL ? a->next_free : NULL;

    if (a == NULL)
        return NULL;
    r->first = rest != NULL ? rest : a->next_bundle;
    if (rest == NULL)
        return a;
    rest->next_bundle = a->next_bundle;
    if (r->last == a)
        r->last = rest;
    return a;
}

/* ---- slots ----------------------------------------------------------------------------------- */

static struct gri_actor *begin(struct gri_registry *r, uint32_t slot, uint64_t *ret_id)
{
    struct gri_actor *a = gri_registry_find(r, slot);

    gri_assert(a != NULL); /* its chunk was made when the slot was taken */
    a->slot = slot;
    *ret_id = slot | ONE_GENERATION;
    return a;
}

static struct gri_actor *go_on(struct gri_actor *a, uint64_t *ret_id)
{
    *ret_id = a->last_id + ONE_GENERATION;
    return a;
}

static struct gri_actor *take_shared(struct gri_registry *r, uint64_t *ret_id)
{
    struct gri_actor *a;
    uint32_t slot = 0, fresh = 0;

    gri_lock(&r->lock);
    a = take_freed_locked(r);
    if (a == NULL)
        fresh = take_fresh_locked(r, 1, &slot);
    gri_unlock(&r->lock);
    if (a != NULL)
        return go_on(a, ret_id);
    return fresh != 0 ? begin(r, slot, ret_id) : NULL;
}

/* refill fetches a bundle to an empty shelf, or fresh slots. */
static void refill(struct gri_registry *r, struct gri_slot_shelf *s)
{
    gri_lock(&r->lock);
    s->old = take_bundle_locked(r);
    if (s->old == NULL)
        s->fresh_end = take_fresh_locked(r, GRI_SLOT_BUNDLE, &s->fresh) + s->fresh;
    gri_unlock(&r->lock);
}

static struct gri_actor *take_old(struct gri_slot_shelf *s)
{
    struct gri_actor *a = s->old;

    if (a != NULL)
        s->old = a->next_free;
    return a;
}

/* age makes the young ones the old ones, of which there are none. */
static void age(struct gri_slot_shelf *s)
{
    s->old = s->young;
    s->young = NULL;
    s->young_count = 0;
}

struct gri_actor *gri_registry_take(struct gri_registry *r, uint32_t shelf, uint64_t *ret_id)
{
    struct gri_slot_shelf *s = shelf < r->shelf_count ? &r->shelves[shelf] : NULL;
    struct gri_actor *a;

    if (gri_fault(GRI_AT_ACTORS_FULL))
        return NULL;
    if (s == NULL)
        return take_shared(r, ret_id);
    /* fresh ones before young ones: so that there are some to take turns, and generations last */
    if (s->old == NULL && s->fresh == s->fresh_end) {
        age(s);
        if (s->old == NULL)
            refill(r, s);
    }
    a = take_old(s);
    if (a != NULL)
        return go_on(a, ret_id);
    return s->fresh != s->fresh_end ? begin(r, s->fresh++, ret_id) : NULL;
}

/* put adds a slot to a shelf; it returns a bundle that the shelf has too many of, or NULL. */
static struct gri_actor *put(struct gri_slot_shelf *s, struct gri_actor *a)
{
    struct gri_actor *full = NULL;

    if (s->young_count == GRI_SLOT_BUNDLE) {
        full = s->old;
        age(s);
    }
    if (s->young != NULL)
        s->youngest->next_free = a;
    else
        s->young = a;
    s->youngest = a;
    s->young_count++;
    return full;
}

void gri_registry_give(struct gri_registry *r, uint32_t shelf, struct gri_actor *a, uint64_t id)
{
    if (id >> GRI_SLOT_BITS == LAST_GENERATION)
        return; /* retired: an old ref must never meet a new actor */
    a->last_id = id;
    a->next_free = NULL;
    if (shelf < r->shelf_count)
        a = put(&r->shelves[shelf], a);
    if (a == NULL)
        return;
    gri_lock(&r->lock);
    give_bundle_locked(r, a);
    gri_unlock(&r->lock);
}
