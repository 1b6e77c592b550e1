/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/actor/verb.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/platform.h"

static uint16_t add_locked(struct gri_verbs *v, const char *name)
{
    const struct gri_map_slot *slot;
    uint32_t id = v->count + 1;
    size_t at = 0;

    if (id >= GRI_VERBS_MAX || !gri_map_puts(&v->ids, name, (void *)(uintptr_t)id))
        return GRI_VERB_NONE;
    v->count = id;
    while ((slot = gri_map_next(&v->ids, &at)) != NULL) {
        if ((uintptr_t)slot->value == id)
            v->names[id] = slot->name; /* the map keeps the copy, also when it grows */
    }
    return (uint16_t)id;
}

gr_code gri_verbs_init(struct gri_verbs *v, uint64_t seed, uint32_t learnt_max)
{
    static const char *const fixed[] = { "invoke", "stream", "transform", "batch",
                                         "batch_as_completed" };
    static const char *const later[] = { "astream_events", "astream_log" };
    static char started[] = "(started)";

    gri_map_init(&v->ids, seed);
    v->learnt_max = learnt_max;
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        if (add_locked(v, fixed[i]) != i + 1)
            return GR_ENOMEM;
    v->names[GRI_STARTED] = started;
    v->count = GRI_STARTED;
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
        if (add_locked(v, later[i]) != GRI_STARTED + 1 + i)
            return GR_ENOMEM;
    return GR_OK;
}

void gri_verbs_fini(struct gri_verbs *v)
{
    gri_map_fini(&v->ids);
}

uint16_t gri_verb_id(struct gri_verbs *v, const char *name)
{
    uintptr_t at = (uintptr_t)name;
    _Atomic uint16_t *lately = &v->lately[(at ^ at >> 6) % GRI_VERBS_LATELY];
    /* acquire: its name was stored before */
    uint16_t id = atomic_load_explicit(lately, memory_order_acquire);

    /* where a seed decides, nothing may depend on where the linker has put a name */
    if (id != GRI_VERB_NONE && gri_platform_here() == NULL && strcmp(v->names[id], name) == 0)
        return id;
    gri_lock(&v->lock);
    id = (uint16_t)(uintptr_t)gri_map_gets(&v->ids, name);
    if (id == GRI_VERB_NONE)
        id = add_locked(v, name);
    gri_unlock(&v->lock);
    atomic_store_explicit(lately, id, memory_order_release);
    return id;
}

uint16_t gri_verb_learn(struct gri_verbs *v, const char *name)
{
    uint16_t id;

    gri_lock(&v->lock);
    id = (uint16_t)(uintptr_t)gri_map_gets(&v->ids, name);
    if (id == GRI_VERB_NONE && v->learnt < v->learnt_max) {
        id = add_locked(v, name);
        v->learnt += id != GRI_VERB_NONE;
    }
    gri_unlock(&v->lock);
    return id;
}

const char *gri_verb_name(struct gri_verbs *v, uint16_t id)
{
    const char *name = id < GRI_VERBS_MAX ? v->names[id] : NULL;

    return name != NULL ? name : "?";
}
