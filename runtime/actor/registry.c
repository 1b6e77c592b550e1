/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/actor/registry.h"

#include "runtime/actor/actor.h"
#include "runtime/base/alloc.h"

#define LAST_GENERATION ((UINT64_C(1) << 35) - 1)

gr_code gri_registry_init(struct gri_registry *r, size_t actors_max)
{
    *r = (struct gri_registry){ .max = (uint32_t)actors_max };
    r->chunks = gri_alloc_array(GRI_CHUNKS, sizeof(*r->chunks));
    return r->chunks != NULL ? GR_OK : GR_ENOMEM;
}

void gri_registry_fini(struct gri_registry *r)
{
    if (r->chunks == NULL)
        return;
    for (uint32_t i = 0; i < GRI_CHUNKS; i++)
        gri_free_aligned(atomic_load_explicit(&r->chunks[i], memory_order_relaxed));
    gri_free(r->chunks);
    r->chunks = NULL;
}

static bool make_chunk_locked(struct gri_registry *r, uint32_t index)
{
    struct gri_actor *chunk = gri_alloc_aligned(64, GRI_CHUNK * sizeof(*chunk));

    if (chunk == NULL)
        return false;
    for (uint32_t i = 0; i < GRI_CHUNK; i++)
        chunk[i] = (struct gri_actor){ .slot = (index << GRI_CHUNK_BITS) + i };
    atomic_store_explicit(&r->chunks[index], chunk, memory_order_release);
    return true;
}

static struct gri_actor *take_fresh_locked(struct gri_registry *r, uint64_t *ret_id)
{
    uint32_t slot = r->used;

    if (slot >= r->max)
        return NULL;
    if (gri_registry_find(r, slot) == NULL && !make_chunk_locked(r, slot >> GRI_CHUNK_BITS))
        return NULL;
    r->used++;
    *ret_id = slot | (UINT64_C(1) << GRI_SLOT_BITS);
    return gri_registry_find(r, slot);
}

struct gri_actor *gri_registry_take(struct gri_registry *r, uint64_t *ret_id)
{
    struct gri_actor *a;

    if (gri_fault(GRI_AT_ACTORS_FULL))
        return NULL;
    gri_lock(&r->lock);
    a = r->free_first;
    if (a != NULL) {
        r->free_first = a->next_free;
        *ret_id = a->last_id + (UINT64_C(1) << GRI_SLOT_BITS);
    } else {
        a = take_fresh_locked(r, ret_id);
    }
    gri_unlock(&r->lock);
    return a;
}

void gri_registry_give(struct gri_registry *r, struct gri_actor *a, uint64_t id)
{
    if (id >> GRI_SLOT_BITS == LAST_GENERATION)
        return; /* retired: an old ref must never meet a new actor */
    gri_lock(&r->lock);
    a->last_id = id;
    a->next_free = NULL;
    if (r->free_first != NULL)
        r->free_last->next_free = a;
    else
        r->free_first = a;
    r->free_last = a;
    gri_unlock(&r->lock);
}
