/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.c - refs to children: gr_child.
 *
 * Each child with an id is registered as path/id while it runs, so a ref to it is a ref to that
 * name. The path of a supervisor that is itself a child is its own path/id, whoever it is now: so
 * such refs outlive the restarts of the supervisors above, too.
 */
#include <stdio.h>

#include "runtime/actor/actor.h"
#include "runtime/actor/name.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/supervise/supervise.h"

/* path_of returns the path of the supervisor that a is or stands for; NULL: neither. */
static const char *path_of(const struct gri_actor *a)
{
    const struct gri_setup *setup;

    if (a->klass->cls != &gri_supervisor_class)
        return gri_named_name(a);
    setup = gr_as_opaque(a->args);
    return setup != NULL ? setup->family->path : NULL;
}

gr_ref gr_child(gr_scope *in, gr_ref sup, const char *id, const gr_named_opts *opts)
{
    char name[GR_NAME_MAX + 2]; /* one that was cut is longer than a name may be */
    gr_value *err = NULL;
    struct gri_actor *a = in != NULL ? gri_actor_pin(in->rt, sup, &err) : NULL;
    const char *path = a != NULL ? path_of(a) : NULL;

    if (err == NULL && (path == NULL || id == NULL || id[0] == '\0'))
        err = gr_error(GR_EINVAL, "a child has a supervisor and an id");
    if (err == NULL)
        snprintf(name, sizeof(name), "%s/%s", path, id);
    if (a != NULL)
        gri_actor_unpin(a);
    if (err != NULL)
        return gr_spawn(in, &gri_supervisor_class, GR_SPAWN(.args = err, .name = "child"));
    return gr_named(in, name, opts);
}
