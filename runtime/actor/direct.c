/* SPDX-License-Identifier: Apache-2.0 */
/* direct.c - calls of cheap code that no message brings: gri_call_direct of call.h. */
#include "runtime/actor/call.h"

#include "runtime/actor/ctx.h"
#include "runtime/actor/observed.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/actor/send.h"

/* w is another runtime's when its handler has a batch run in this one. */
static void count_direct(gr_runtime *rt, struct gri_worker *w)
{
    if (w->sched == &rt->sched)
        gri_tally_count(w->tally, GRI_COUNT_CALLS_DIRECT, 1);
    else
        gri_count(rt->sched.ledger, GRI_COUNT_CALLS_DIRECT, 1);
}

/* needs_message: the call's steps count against a budget, or have runs. */
static bool needs_message(struct gri_call *call)
{
    const struct gri_call_more *more = gri_call_has_more(call);

    return more != NULL &&
           (more->budget != NULL ||
            (GRI_OBSERVES && atomic_load_explicit(&more->observed, memory_order_relaxed) != NULL));
}

bool gri_call_direct(struct gri_call *parent, gr_ref r, gr_value *args, gr_value **ret_v)
{
    gr_runtime *rt = parent->rt;
    struct gri_worker *w = gri_exec()->worker;
    gr_value *err = NULL;
    struct gri_actor *a;
    const gr_method *m;
    struct gr_ctx c;

    if (r.node != rt->node || needs_message(parent) || parent->keyed || parent->named ||
        w == NULL || gri_fault(GRI_AT_NO_DIRECT))
        return false;
    a = gri_actor_pin(rt, r, &err);
    if (a == NULL) {
        gr_value_unref(err);
        return false; /* the long way says why */
    }
    m = a->klass->fixed[GRI_INVOKE];
    if (m == NULL || m->kind != GR_CHEAP || m->fn == NULL || !a->klass->stateless ||
        gri_actor_permits(a) != 0 || a->pin != 0 ||
        (atomic_load_explicit(&a->flags, memory_order_acquire) & (GRI_READY | GRI_LISTENED)) !=
            GRI_READY) {
        gri_actor_unpin(a);
        return false;
    }
    count_direct(rt, w);
    gri_ctx_enter(&c, a, parent, true);
    c.deferred = true; /* the call is the composition's to answer, not the step's */
    *ret_v = gri_answer(m->fn(&c, NULL, args));
    gri_ctx_leave(&c);
    gr_value_unref(c.failure);
    gr_value_unref(c.exit);
    gri_actor_unpin(a);
    gr_value_unref(args);
    return true;
}
