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

/* giver_of returns who will say why there is no child: the supervisor, unless another one would start it again. */
static gr_ref giver_of(const struct gri_actor *a, gr_ref sup)
{
    const struct gri_setup *setup =
        a->klass->cls == &gri_supervisor_class ? gr_as_opaque(a->args) : NULL;
    gr_ref parent = setup != NULL ? setup->family->parent : sup;

    return parent.node == 0 && parent.id == 0 ? sup : (gr_ref){ .node = 0, .id = 0 };
}

gr_ref gr_child(gr_scope *in, gr_ref sup, const char *id, const gr_named_opts *opts)
{
    char name[GR_NAME_MAX + 2]; /* one that was cut is longer than a name may be */
    gr_value *err = NULL;
    struct gri_actor *a = in != NULL ? gri_actor_pin(in->rt, sup, &err) : NULL;
    const char *path = a != NULL ? path_of(a) : NULL;
    gr_ref giver = { .node = 0, .id = 0 };

    if (err == NULL && (path == NULL || id == NULL || id[0] == '\0'))
        err = gr_error(GR_EINVAL, "a child has a supervisor and an id");
    if (err == NULL)
        snprintf(name, sizeof(name), "%s/%s", path, id);
    if (a != NULL) {
        giver = giver_of(a, sup);
        gri_actor_unpin(a);
    }
    if (err != NULL)
        return gr_spawn(in, &gri_supervisor_class, GR_SPAWN(.args = err, .name = "child"));
    return gri_named_by(in, name, opts, giver);
}
