/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steps.h - what the compositions have in common: a fixed list of refs, with keys or without, that
 * is the spawn argument of a stateless native actor.
 *
 * The list never changes and lives as long as its actor, which a call in flight pins. So the steps
 * are borrowed while a call is in hand, and not to be touched after gri_call_end or
 * gri_call_forward.
 */
#ifndef GR_ACTORS_COMPOSE_STEPS_H
#define GR_ACTORS_COMPOSE_STEPS_H

#include <greenroom/runnable.h>

#include "runtime/actor/call.h"

#define GRI_STEPS_MAX 65535u

struct gri_step {
    char *key; /* owned; NULL in a list without keys */
    gr_ref ref;
    unsigned run; /* of a sequence: how many steps from here on are proxies, one after the other */
};

struct gri_steps {
    size_t count;
    struct gri_step at[];
};

static inline const struct gri_steps *gri_steps_of(const struct gri_call *call)
{
    return (const struct gri_steps *)gr_as_opaque(gri_call_spawn_args(call));
}

/* gri_steps_copy copies one list or the other, for those that keep more beside it; NULL, with
 * *ret_err, on failure. gri_steps_free takes NULL. */
struct gri_steps *gri_steps_copy(const char *what, const gr_ref *refs, const gr_step *keyed,
                                 size_t count, gr_value **ret_err);
void gri_steps_free(void *steps);

/*
 * gri_steps_spawn makes an actor of cls whose spawn argument is a copy of the steps; keys NULL:
 * there are none. A step that is broken already is returned in its stead, so that what is wrong is
 * told once. No steps, or a step without its key: broken, GR_EINVAL naming `what`. It goes by the name
 * of `what`, keyed ones with the keys: "RunnableParallel<a,b>".
 */
gr_ref gri_steps_spawn(gr_scope *in, const gr_class *cls, const char *what, const gr_ref *refs,
                       size_t count);
gr_ref gri_steps_spawn_keyed(gr_scope *in, const gr_class *cls, const char *what,
                             const gr_step *steps, size_t count);
/* gri_steps_spawn_map is gri_steps_spawn_keyed where no steps will do, too. */
gr_ref gri_steps_spawn_map(gr_scope *in, const gr_class *cls, const char *what,
                           const gr_step *steps, size_t count);

/* gri_compose_spawn makes an actor of cls; an error as args makes one that says so. The classes
 * have no init, so that their actors may be called directly from the start. */
gr_ref gri_compose_spawn(gr_scope *in, const gr_class *cls, const char *name,
                         gr_value *args GR_TAKES);

/* gri_named_spawn is that with a name which is a text. */
gr_ref gri_named_spawn(gr_scope *in, const gr_class *cls, gr_value *name GR_TAKES,
                       gr_value *args GR_TAKES);

/* gri_compose_streams tells whether the call was made as a stream, and, for a transform, with
 * one. If not it has been ended with GR_EINVAL: a verb's name says nothing about how it was
 * called. */
bool gri_compose_streams(struct gri_call *call, bool transform);

/* gri_lambda_unseen is gr_lambda whose function is no run: it is its caller's. max_concurrency as in gr_spawn_opts. */
gr_ref gri_lambda_unseen(gr_scope *in, gr_kind kind, gr_lambda_fn *fn, void (*drop)(void *arg),
                         void *arg, unsigned max_concurrency);

/* gri_ref_broken tells whether ref names an actor that is gone or never was. */
bool gri_ref_broken(gr_scope *in, gr_ref ref);

/* What a composition ends a call with when it can't go on. */
gr_value *gri_no_memory(void);
gr_value *gri_was_cancelled(void);

#endif
