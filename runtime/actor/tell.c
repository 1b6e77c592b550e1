/* SPDX-License-Identifier: Apache-2.0 */
/* tell.c - messages without an answer. */
#include "runtime/actor/ctx.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/value/value.h"

struct tell {
    struct gri_envelope envelope;
    gr_value *msg; /* counted */
};

void gri_tell_run(struct gri_actor *a, struct gri_envelope *e, bool live)
{
    struct tell *t = gri_container_of(e, struct tell, envelope);
    gr_value *msg = t->msg;

    gri_free(t);
    gri_actor_unqueue(a);
    if (live)
        gri_handle_tell(a, msg);
    else
        gr_value_unref(msg);
    if (!live)
        gri_dead_letter(a->rt, "told to an actor that ended");
    gri_actor_unpin(a);
}

/* tell_once sends t with msg; on failure both are still the caller's. */
static gr_code tell_once(gr_runtime *rt, gr_ref to, gr_value *msg, struct tell *t)
{
    gr_value *err = NULL;
    struct gri_actor *a = gri_actor_pin(rt, to, true, &err);
    gr_code rc;

    if (a != NULL && a->klass->cls->receive == NULL) {
        gri_actor_unqueue(a);
        gri_actor_unpin(a);
        return GR_ETYPE;
    }
    if (a != NULL) {
        t->envelope.kind = GRI_TELL;
        t->msg = msg;
        gri_actor_post(a, &t->envelope);
        return GR_OK;
    }
    rc = gr_error_code(err);
    gr_value_unref(err);
    return rc;
}

static gr_code tell(gr_runtime *rt, gr_ref to, gr_value *msg, bool wait)
{
    gr_code rc = msg == NULL ? GR_EINVAL : gri_is_broken(msg) ? gr_error_code(msg) : GR_OK;
    struct tell *t = NULL;

    if (gri_sched_foreign(&rt->sched))
        rc = GR_EINVAL;
    if (rc == GR_OK)
        t = gri_new0(struct tell);

    if (rc == GR_OK && t == NULL)
        rc = GR_ENOMEM;
    if (t != NULL)
        rc = tell_once(rt, to, msg, t);
    while (t != NULL && rc == GR_EFULL && wait) {
        gr_value *err = NULL;
        struct gri_actor *a = gri_actor_pin(rt, to, false, &err);

        gr_value_unref(err);
        if (a == NULL)
            rc = GR_EDEAD;
        else /* nobody makes room in an actor that waits for us */
            rc = gri_ctx_holds(rt, to.id) ? GR_EDEADLK : gri_actor_wait_room(a);
        if (a != NULL)
            gri_actor_unpin(a);
        if (rc == GR_OK)
            rc = tell_once(rt, to, msg, t);
    }
    if (rc == GR_OK)
        return rc;
    gri_free(t);
    gr_value_unref(msg);
    return rc;
}

gr_code gr_tell(gr_runtime *rt, gr_ref to, gr_value *msg)
{
    return tell(rt, to, msg, false);
}

gr_code gr_tell_wait(gr_runtime *rt, gr_ref to, gr_value *msg)
{
    return tell(rt, to, msg, true);
}
