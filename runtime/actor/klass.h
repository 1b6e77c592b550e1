/* SPDX-License-Identifier: Apache-2.0 */
/* klass.h - a class as the engine uses it: verbs as numbers, defaults worked out. Made once a
 * runtime. */
#ifndef GR_RUNTIME_ACTOR_KLASS_H
#define GR_RUNTIME_ACTOR_KLASS_H

#include <greenroom/actor.h>

#include "runtime/actor/verb.h"

struct gri_klass_method {
    uint16_t verb;
    const gr_method *method;
};

struct gri_klass {
    const gr_class *cls;                    /* borrowed; outlives the runtime */
    const gr_method *fixed[GRI_VERB_FIRST]; /* the Runnable verbs' methods, by number; NULL: none */
    const gr_method *any;                   /* the verb "*" */
    bool stateless;
    /* it is a model, which streams what it is invoked for where somebody wants to hear */
    bool streams_tokens;
    size_t count;
    struct gri_klass_method methods[];
};

/* How a verb is served. */
enum gri_how {
    GRI_BY_METHOD,    /* by a method of its own */
    GRI_BY_INVOKE,    /* stream: invoke's answer is the one chunk */
    GRI_BY_STREAM,    /* invoke: the sum of stream's chunks */
    GRI_BY_TRANSFORM, /* stream, invoke: the transform of one chunk */
    GRI_BY_GATHER,    /* transform: the input's sum is streamed */
    GRI_BY_BATCH,     /* batch: invoke for each item */
    GRI_BY_FRAME,     /* astream_events, astream_log: see frames.h */
    GRI_BY_ACTOR,     /* started: the actor itself, once its init is done */
    GRI_BY_NOTHING
};

#define GRI_RECENT_KLASSES 64

struct gri_klasses {
    /* what was looked up before, by a hash of the class's address: found without the lock */
    _Atomic(struct gri_klass *) recent[GRI_RECENT_KLASSES];
    struct gri_lock lock;
    struct gri_map by_class; /* address of the gr_class -> gri_klass, owned */
};

void gri_klasses_fini(struct gri_klasses *k);
/* gri_klass_get returns cls's klass: NULL with *ret_rc GR_ENOMEM, or GR_EINVAL when cls makes no
 * sense. */
const struct gri_klass *gri_klass_get(struct gri_klasses *k, struct gri_verbs *verbs,
                                      const gr_class *cls, gr_code *ret_rc);
/* gri_klass_resolve tells how a verb is served; *ret_method: by which method, if by one. */
enum gri_how gri_klass_resolve_slow(const struct gri_klass *k, uint16_t verb,
                                    const gr_method **ret_method);
static inline enum gri_how gri_klass_resolve(const struct gri_klass *k, uint16_t verb,
                                             const gr_method **ret_method)
{
    if (verb >= GRI_VERB_FIRST || k->fixed[verb] == NULL)
        return gri_klass_resolve_slow(k, verb, ret_method);
    *ret_method = k->fixed[verb];
    return GRI_BY_METHOD;
}

#endif
