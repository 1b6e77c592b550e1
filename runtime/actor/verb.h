/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/* verb.h - verbs as small numbers inside a process; on the wire they are names. */
#ifndef GR_RUNTIME_ACTOR_VERB_H
#define GR_RUNTIME_ACTOR_VERB_H

#include <greenroom/base.h>

#include "runtime/base/lock.h"
#include "runtime/base/map.h"

/* The Runnable interface's verbs have fixed numbers; others get theirs when first seen. */
enum {
    GRI_VERB_NONE = 0,
    GRI_INVOKE = 1,
    GRI_STREAM = 2,
    GRI_TRANSFORM = 3,
    GRI_BATCH = 4,
    GRI_BATCH_AS_COMPLETED = 5,
    GRI_STARTED = 6, /* gr_started's; it has no name, so nobody else can call it */
    GRI_ASTREAM_EVENTS = 7,
    GRI_ASTREAM_LOG = 8,
    GRI_VERB_FIRST = 9
};
#define GRI_VERBS_LATELY 64
#define GRI_VERBS_MAX 1024 /* so that a peer can't fill memory with names */

struct gri_verbs {
    struct gri_lock lock; /* guards ids and the counts */
    struct gri_map ids;   /* name -> number */
    uint32_t count;
    uint32_t learnt, learnt_max;        /* from peers */
    char *_Atomic names[GRI_VERBS_MAX]; /* borrowed from ids' slots, or constant */
    /* the number that a name at such an address had last: mostly it is the same literal again */
    _Atomic uint16_t lately[GRI_VERBS_LATELY];
};

gr_code gri_verbs_init(struct gri_verbs *v, uint64_t seed, uint32_t learnt_max);
void gri_verbs_fini(struct gri_verbs *v);
/* gri_verb_id returns the number of a verb, giving it one; 0 when there are too many. [any] */
uint16_t gri_verb_id(struct gri_verbs *v, const char *name);
/* gri_verb_learn is gri_verb_id for a name that came from another process, which may bring only so
 * many new ones. [any] */
uint16_t gri_verb_learn(struct gri_verbs *v, const char *name);
const char *gri_verb_name(struct gri_verbs *v, uint16_t id);

#endif
