/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/actor/klass.h"

#include <greenroom/callbacks.h>

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/platform.h"

void gri_klasses_fini(struct gri_klasses *k)
{
    const struct gri_map_slot *slot;
    size_t at = 0;

    while ((slot = gri_map_next(&k->by_class, &at)) != NULL)
        gri_free(slot->value);
    gri_map_fini(&k->by_class);
}

static bool sensible(const gr_class *cls)
{
    if (cls->size < sizeof(gr_class) || cls->name == NULL ||
        (cls->method_count != 0 && cls->methods == NULL))
        return false;
    for (size_t i = 0; i < cls->method_count; i++) {
        const gr_method *m = &cls->methods[i];

        if (m->verb == NULL || (m->fn == NULL) == (m->stream_fn == NULL))
            return false;
    }
    return true;
}

static struct gri_klass *klass_new(struct gri_verbs *verbs, const gr_class *cls)
{
    struct gri_klass *k =
        gri_alloc0(sizeof(*k) + cls->method_count * sizeof(struct gri_klass_method));

    if (k == NULL)
        return NULL;
    k->cls = cls;
    k->stateless = cls->state_size == 0;
    for (size_t i = 0; i < cls->method_count; i++) {
        const gr_method *m = &cls->methods[i];
        uint16_t verb = GRI_VERB_NONE;

        if (strcmp(m->verb, "*") == 0) {
            k->any = m;
            continue;
        }
        verb = gri_verb_id(verbs, m->verb);
        if (verb == GRI_VERB_NONE) { /* out of memory, or of numbers */
            gri_free(k);
            return NULL;
        }
        if (verb < GRI_VERB_FIRST)
            k->fixed[verb] = m;
        else
            k->methods[k->count++] = (struct gri_klass_method){ .verb = verb, .method = m };
    }
    k->streams_tokens =
        (cls->run_type & (GR_TYPE_CHAT_MODEL | GR_TYPE_LLM)) != 0 && k->fixed[GRI_STREAM] != NULL;
    return k;
}

static struct gri_klass *look_up(struct gri_klasses *ks, struct gri_verbs *verbs,
                                 const gr_class *cls, gr_code *ret_rc)
{
    struct gri_klass *k;

    gri_lock(&ks->lock);
    k = gri_map_get(&ks->by_class, (uintptr_t)cls);
    gri_unlock(&ks->lock);
    if (k != NULL)
        return k;
    *ret_rc = GR_EINVAL;
    if (!sensible(cls))
        return NULL;
    *ret_rc = GR_ENOMEM;
    k = klass_new(verbs, cls);
    if (k == NULL)
        return NULL;
    gri_lock(&ks->lock);
    if (gri_map_get(&ks->by_class, (uintptr_t)cls) != NULL || /* somebody was faster */
        !gri_map_put(&ks->by_class, (uintptr_t)cls, k)) {
        gri_free(k);
        k = gri_map_get(&ks->by_class, (uintptr_t)cls);
    }
    gri_unlock(&ks->lock);
    return k;
}

static _Atomic(struct gri_klass *) *recent_of(struct gri_klasses *ks, const gr_class *cls)
{
    /* Fibonacci hashing: the high bits of the product */
    uint64_t hash = (uint64_t)(uintptr_t)cls * UINT64_C(0x9e3779b97f4a7c15);

    return &ks->recent[hash >> 32 & (GRI_RECENT_KLASSES - 1)];
}

const struct gri_klass *gri_klass_get(struct gri_klasses *ks, struct gri_verbs *verbs,
                                      const gr_class *cls, gr_code *ret_rc)
{
    _Atomic(struct gri_klass *) *recent = recent_of(ks, cls);
    /* acquire: pairs with the release below; a klass lives as long as the runtime */
    struct gri_klass *k = atomic_load_explicit(recent, memory_order_acquire);

    /* where a seed decides, nothing may depend on where the linker has put a class */
    if (k != NULL && k->cls == cls && gri_platform_here() == NULL)
        return k;
    k = look_up(ks, verbs, cls, ret_rc);
    if (k != NULL)
        atomic_store_explicit(recent, k, memory_order_release);
    return k;
}

/* The defaults of langchain-core's Runnable: what stands in for a Runnable verb that a class
 * lacks. */
static enum gri_how resolve_default(const struct gri_klass *k, uint16_t verb,
                                    const gr_method **ret_method)
{
    static const struct {
        uint16_t verb, by;
        enum gri_how how;
    } table[] = {
        { GRI_INVOKE, GRI_STREAM, GRI_BY_STREAM },
        { GRI_INVOKE, GRI_TRANSFORM, GRI_BY_TRANSFORM },
        { GRI_STREAM, GRI_TRANSFORM, GRI_BY_TRANSFORM },
        { GRI_STREAM, GRI_INVOKE, GRI_BY_INVOKE },
        { GRI_TRANSFORM, GRI_STREAM, GRI_BY_GATHER },
        { GRI_TRANSFORM, GRI_INVOKE, GRI_BY_GATHER },
        { GRI_BATCH, GRI_INVOKE, GRI_BY_BATCH },
        { GRI_BATCH, GRI_STREAM, GRI_BY_BATCH },
        { GRI_BATCH, GRI_TRANSFORM, GRI_BY_BATCH },
        { GRI_BATCH_AS_COMPLETED, GRI_INVOKE, GRI_BY_BATCH },
        { GRI_BATCH_AS_COMPLETED, GRI_STREAM, GRI_BY_BATCH },
        { GRI_BATCH_AS_COMPLETED, GRI_TRANSFORM, GRI_BY_BATCH },
        { GRI_ASTREAM_EVENTS, GRI_INVOKE, GRI_BY_FRAME },
        { GRI_ASTREAM_EVENTS, GRI_STREAM, GRI_BY_FRAME },
        { GRI_ASTREAM_EVENTS, GRI_TRANSFORM, GRI_BY_FRAME },
        { GRI_ASTREAM_LOG, GRI_INVOKE, GRI_BY_FRAME },
        { GRI_ASTREAM_LOG, GRI_STREAM, GRI_BY_FRAME },
        { GRI_ASTREAM_LOG, GRI_TRANSFORM, GRI_BY_FRAME },
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].verb == verb && k->fixed[table[i].by] != NULL) {
            *ret_method = k->fixed[table[i].by];
            return table[i].how;
        }
    }
    return GRI_BY_NOTHING;
}

enum gri_how gri_klass_resolve_slow(const struct gri_klass *k, uint16_t verb,
                                    const gr_method **ret_method)
{
    if (verb == GRI_STARTED)
        return GRI_BY_ACTOR;
    for (size_t i = 0; i < k->count; i++) {
        if (k->methods[i].verb == verb) {
            *ret_method = k->methods[i].method;
            return GRI_BY_METHOD;
        }
    }
    if (k->any != NULL) {
        *ret_method = k->any;
        return GRI_BY_METHOD;
    }
    return verb < GRI_VERB_FIRST ? resolve_default(k, verb, ret_method) : GRI_BY_NOTHING;
}
