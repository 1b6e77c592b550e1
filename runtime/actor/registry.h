/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.h - where refs lead: slots of actors, in chunks that are never freed while the runtime
 * lives.
 *
 * An id is a slot (24 bits) and a generation (35 bits, which an actor's inbox has room for). The memory of a slot is always an actor: a
 * sender may look at it, pin it and then find by its id that the one it meant is gone. So neither
 * locks nor epochs guard the way from a ref to an actor. Freed slots are reused first-in first-out,
 * and one whose generations are used up is retired.
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

struct gri_registry {
    struct gri_lock lock; /* guards all but the chunks' pointers */
    /* owned; GRI_CHUNKS of them, made when needed */
    _Atomic(struct gri_actor *) *chunks;
    uint32_t used; /* slots that have ever been handed out */
    uint32_t max;
    struct gri_actor *free_first, *free_last;
};

gr_code gri_registry_init(struct gri_registry *r, size_t actors_max);
void gri_registry_fini(struct gri_registry *r);
/* gri_registry_take hands out a slot and its next id, which is not stored in the actor yet. NULL:
 * full. */
struct gri_actor *gri_registry_take(struct gri_registry *r, uint64_t *ret_id);
void gri_registry_give(struct gri_registry *r, struct gri_actor *a, uint64_t id);
/* gri_registry_find is in actor.h. */

#endif
