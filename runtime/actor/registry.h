/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.h - where refs lead: slots of actors, in chunks that are never freed while the runtime
 * lives.
 *
 * An id is a slot (24 bits) and a generation (35 bits, which an actor's inbox has room for). The memory of a slot is always an actor: a
 * sender may look at it, pin it and then find by its id that the one it meant is gone. So neither
 * locks nor epochs guard the way from a ref to an actor. A slot that was never handed out is zeroed.
 *
 * Each worker keeps a shelf: slots whose actors ended on it, and fresh ones, which it hands out without a
 * lock, while they are warm. What it has too many of, or none of, it moves by the bundle. Freed slots
 * are reused first-in first-out, on a shelf and beyond, and one whose generations are used up is retired.
 *
 * A shelf may hold slots while another worker finds none; so there are shelves only where all that they
 * can hold is at most a sixteenth of the bound.
 */
#ifndef GR_RUNTIME_ACTOR_REGISTRY_H
#define GR_RUNTIME_ACTOR_REGISTRY_H

#include <greenroom/base.h>

#include "runtime/base/lock.h"

struct gri_actor;

#define GRI_SLOT_BITS 24
#define GRI_CHUNK_BITS 10
#define GRI_CHUNK (1u << GRI_CHUNK_BITS)
#define GRI_CHUNKS (1u << (GRI_SLOT_BITS - GRI_CHUNK_BITS))
#define GRI_SLOT_BUNDLE 32
#define GRI_NO_SHELF UINT32_MAX

/* One worker's. Freed slots hang together by next_free. */
struct gri_slot_shelf {
    _Alignas(64) struct gri_actor *old; /* to be handed out next, in order */
    struct gri_actor *young, *youngest; /* given back since: the first and the last of them */
    uint32_t young_count;
    uint32_t fresh, fresh_end; /* slots that were never handed out */
};

struct gri_registry {
    struct gri_lock lock; /* guards all but the chunks' pointers and the shelves */
    /* owned; GRI_CHUNKS of them, made when needed */
    _Atomic(struct gri_actor *) *chunks;
    uint32_t used; /* slots that have ever been handed out, to shelves too */
    uint32_t max;
    struct gri_actor *first, *last; /* bundles of freed slots, which hang together by next_bundle */
    struct gri_slot_shelf *shelves; /* owned; one for each worker, spare ones too */
    uint32_t shelf_count;           /* 0: there are none */
};

/* workers: so many shelves, if actors_max allows for them. */
gr_code gri_registry_init(struct gri_registry *r, size_t actors_max, uint32_t workers);
void gri_registry_fini(struct gri_registry *r);
/* gri_registry_take hands out a slot and its next id, which is not stored in the actor yet. NULL:
 * full. shelf: the calling worker's number; GRI_NO_SHELF: it is no worker of this runtime's. */
struct gri_actor *gri_registry_take(struct gri_registry *r, uint32_t shelf, uint64_t *ret_id);
void gri_registry_give(struct gri_registry *r, uint32_t shelf, struct gri_actor *a, uint64_t id);
/* gri_registry_find is in actor.h. */

#endif
