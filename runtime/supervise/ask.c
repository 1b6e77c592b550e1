/* SPDX-License-Identifier: Apache-2.0 */
/* ask.c - the functions by which users talk to a supervisor: each is a call of a verb. */
#include <stdio.h>

#include "runtime/actor/runtime_impl.h"
#include "runtime/supervise/supervise.h"

static void spec_drop(void *p)
{
    gri_spec_unref(p);
}

/* spec_args makes start_child's arguments. Whether a spec needs an id only the supervisor knows,
 * and whether it may be significant. */
static gr_value *spec_args(const gr_child_spec *spec)
{
    struct gri_spec *s;
    gr_value *err = NULL;

    if (spec == NULL)
        return gr_map_n(NULL, 0);
    if (spec->id == NULL)
        return gr_map(GR_KV("args", spec->args != NULL ? spec->args : gr_nil()));
    s = gri_spec_new(spec, false, true, &err);
    return s != NULL ? gr_map(GR_KV("spec", gr_opaque(s, spec_drop))) : err;
}

static gr_value *id_args(const char *id)
{
    return gr_map(GR_KV("id", gr_str(id)));
}

static gr_value *child_args(gr_ref child)
{
    return gr_map(GR_KV("child", gr_ref_value(child)));
}

/* ref_of waits for an answer that is a ref. */
static gr_ref ref_of(gr_future *f, gr_value **reterr)
{
    gr_value *v = gr_take(f, reterr);
    gr_ref ref = gr_as_ref(v);

    gr_value_unref(v);
    return ref;
}

/* done waits for an answer that says no more than that. */
static gr_code done(gr_future *f, gr_value **reterr)
{
    gr_value *err = NULL;
    gr_code rc;

    gr_value_unref(gr_take(f, &err));
    if (err == NULL)
        return GR_OK;
    rc = gr_error_code(err);
    if (reterr != NULL)
        *reterr = err;
    else
        gr_value_unref(err);
    return rc;
}

gr_future *gr_astart_child(gr_runtime *rt, gr_ref sup, const gr_child_spec *spec)
{
    return gr_acall(rt, sup, "start_child", spec_args(spec), NULL);
}

gr_ref gr_start_child(gr_runtime *rt, gr_ref sup, const gr_child_spec *spec, gr_value **reterr)
{
    return ref_of(gr_astart_child(rt, sup, spec), reterr);
}

gr_future *gr_aterminate_child(gr_runtime *rt, gr_ref sup, const char *id)
{
    return gr_acall(rt, sup, "terminate_child", id_args(id), NULL);
}

gr_code gr_terminate_child(gr_runtime *rt, gr_ref sup, const char *id, gr_value **reterr)
{
    return done(gr_aterminate_child(rt, sup, id), reterr);
}

gr_future *gr_aterminate_ref(gr_runtime *rt, gr_ref sup, gr_ref child)
{
    return gr_acall(rt, sup, "terminate_child", child_args(child), NULL);
}

gr_code gr_terminate_ref(gr_runtime *rt, gr_ref sup, gr_ref child, gr_value **reterr)
{
    return done(gr_aterminate_ref(rt, sup, child), reterr);
}

gr_future *gr_arestart_child(gr_runtime *rt, gr_ref sup, const char *id)
{
    return gr_acall(rt, sup, "restart_child", id_args(id), NULL);
}

gr_ref gr_restart_child(gr_runtime *rt, gr_ref sup, const char *id, gr_value **reterr)
{
    return ref_of(gr_arestart_child(rt, sup, id), reterr);
}

gr_future *gr_adelete_child(gr_runtime *rt, gr_ref sup, const char *id)
{
    return gr_acall(rt, sup, "delete_child", id_args(id), NULL);
}

gr_code gr_delete_child(gr_runtime *rt, gr_ref sup, const char *id, gr_value **reterr)
{
    return done(gr_adelete_child(rt, sup, id), reterr);
}

gr_future *gr_awhich_children(gr_runtime *rt, gr_ref sup)
{
    return gr_acall(rt, sup, "which_children", gr_map_n(NULL, 0), NULL);
}

gr_value *gr_which_children(gr_runtime *rt, gr_ref sup, gr_value **reterr)
{
    return gr_take(gr_awhich_children(rt, sup), reterr);
}

gr_future *gr_acount_children(gr_runtime *rt, gr_ref sup)
{
    return gr_acall(rt, sup, "count_children", gr_map_n(NULL, 0), NULL);
}

gr_value *gr_count_children(gr_runtime *rt, gr_ref sup, gr_value **reterr)
{
    return gr_take(gr_acount_children(rt, sup), reterr);
}
