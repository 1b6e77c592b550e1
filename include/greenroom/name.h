/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name.h - names for actors, within one runtime.
 *
 * A name leads to at most one actor. It is free again when that actor ends, before anybody is told
 * of the end; an actor that was told to stop is not found by it any more. gr_named gives a ref that
 * leads to whoever has the name when a message comes: what a supervisor restarts under the same
 * name is reached by it, what knows only the old ref is not.
 */
#ifndef GREENROOM_NAME_H
#define GREENROOM_NAME_H

#include <greenroom/actor.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GR_NAME_MAX 255 /* bytes of a name */

/*
 * gr_register gives a name to an actor, which may have several.
 * Errors: GR_EINVAL the name is taken, empty or too long; GR_EDEAD the actor ends or is gone;
 * GR_EFULL at its ties_max; GR_EUNREACH it lives on another node; GR_ENOMEM.    [any]
 */
GR_API gr_code gr_register(gr_runtime *rt, const char *name, gr_ref ref);
/* gr_unregister frees a name; false: nobody had it. [any] */
GR_API bool gr_unregister(gr_runtime *rt, const char *name);
/* gr_whereis returns who has a name; {0, 0} for nobody. [any] */
GR_API gr_ref gr_whereis(gr_runtime *rt, const char *name);

typedef struct gr_named_opts {
    size_t size;
    /* while nobody has the name: how long a call waits for it, and how many wait at most. Default:
     * none does, calls fail at once; with wait_ms alone: 1024 */
    int64_t wait_ms;
    size_t wait_max;
} gr_named_opts;
#define GR_NAMED(...) GR_OPT(gr_named_opts, __VA_ARGS__)

/*
 * gr_named returns a ref that stands for whoever has the name: calls of every verb and tells are
 * passed on. A call that finds nobody, in time, fails with GR_EUNREACH, which may be retried; over
 * wait_max with GR_EFULL. A tell that finds nobody waits as a call does, and is a dead letter then.
 * Links and monitors of the ref are those of the stand-in, not of who has the name. Broken if the
 * name is too long.    [any]
 */
GR_API gr_ref gr_named(gr_scope *in, const char *name, const gr_named_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
