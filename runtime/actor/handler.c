/* SPDX-License-Identifier: Apache-2.0 */
/* handler.c - running a method for one message, and what its end means. */
#include "runtime/actor/bounds.h"
#include "runtime/actor/ctx.h"
#include "runtime/actor/observed.h"
#include "runtime/actor/runtime_impl.h"

/* stream_result makes the call's end out of what a streaming method returned. */
static gr_value *stream_result(struct gr_ctx *c, gr_code rc)
{
    gr_value *failure = c->failure;

    c->failure = NULL;
    if (rc == GR_OK) {
        gr_value_unref(failure);
        return gr_nil();
    }
    if (failure != NULL && gr_error_code(failure) == rc)
        return failure;
    gr_value_unref(failure);
    return gr_error(rc, "%s failed", gri_actor_name(c->actor));
}

static gr_value *run_method(struct gr_ctx *c, const gr_method *m)
{
    struct gri_call *call = c->call;

    if (m->fn != NULL)
        return m->fn(c, c->actor->self, call->args);
    if (call->out == NULL)
        return gr_error(GR_EINVAL, "'%s' streams: call it as a stream", gri_call_verb(call));
    return stream_result(c, m->stream_fn(c, c->actor->self, call->in, call->args));
}

gr_value *gri_actor_with_where(const struct gri_actor *a, gr_value *v)
{
    if (v == NULL || gr_value_type(v) != GR_ERROR || gr_get(v, "where") != NULL)
        return v;
    return gr_error_with(v, "where", gr_str(gri_actor_name(a)));
}

/* let_go gives the call's pin back, if that can be done with something else in one step; else
 * gri_call_end does. */
static void let_go(struct gri_actor *a, struct gri_call *call)
{
    if (call->counted)
        return;
    if (!a->klass->stateless) { /* by the turn's end */
        call->actor = NULL;
        if (a->owed_pins == UINT16_MAX) /* handlers that were resumed one after the other */
            gri_actor_settle(a);
        a->owed_pins++;
    } else if (call->envelope.placed) { /* with its place in the mailbox */
        call->actor = NULL;
        call->envelope.placed = false;
        gri_actor_leave(a);
    }
}

void gri_handle_call(struct gri_actor *a, struct gri_call *call)
{
    const gr_method *m = NULL;
    struct gr_ctx c;
    gr_value *v;

    gri_klass_resolve(a->klass, call->verb, &m);
    if (gri_call_heard(call))
        gri_observe_arrival(call, a);
    /* what is cheap is over soon, and leaves then: see let_go */
    if (m->kind != GR_CHEAP || gri_actor_bounds(a) != NULL || call->counted)
        gri_envelope_leave(a, &call->envelope);
    if (gri_kind_native(m->kind)) {
        ((gri_native_fn *)(void (*)(void))m->fn)(call);
        return;
    }
    gri_ctx_enter(&c, a, call, m->kind == GR_CHEAP);
    if (gri_actor_exclusive(a))
        atomic_store_explicit(&call->held, gri_actor_ref(a).id, memory_order_relaxed);
    v = run_method(&c, m);
    gri_ctx_leave(&c);
    if (c.failure != NULL)
        gr_value_unref(c.failure);
    atomic_store_explicit(&call->held, 0, memory_order_relaxed);
    if (c.exit != NULL)
        gri_actor_exit(a, c.exit); /* first: once the caller knows, the actor takes no more */
    if (c.stashed)
        gri_observe_same(call);
    if (c.stashed)
        gri_stash_call(a, call);
    if (c.deferred) {
        gr_value_unref(v);
        gri_future_unref(&call->future); /* see gri_ctx_defer */
        gri_actor_unpin(a);
        return;
    }
    v = gri_actor_with_where(a, gri_answer(v));
    let_go(a, call);
    gri_call_end(call, v);
}

void gri_handle_tell(struct gri_actor *a, gr_value *msg)
{
    struct gr_ctx c;

    if (a->klass->cls->receive != NULL) {
        gri_ctx_enter(&c, a, NULL, false);
        c.msg = msg;
        a->klass->cls->receive(&c, a->self, msg);
        gri_ctx_leave(&c);
        gr_value_unref(c.failure);
        if (c.exit != NULL)
            gri_actor_exit(a, c.exit);
    }
    gr_value_unref(msg);
}

/* leave ends a handler that answers nobody. */
static void leave(struct gri_actor *a, struct gr_ctx *c)
{
    gri_ctx_leave(c);
    gr_value_unref(c->failure);
    if (c->exit != NULL)
        gri_actor_exit(a, c->exit);
}

void gri_handle_exited(struct gri_actor *a, gr_ref from, const gr_value *reason)
{
    struct gr_ctx c;

    if (a->klass->cls->exited == NULL) {
        gri_dead_letter(a->rt, "an exit signal");
        return;
    }
    gri_ctx_enter(&c, a, NULL, false);
    a->klass->cls->exited(&c, a->self, from, reason);
    leave(a, &c);
}

void gri_handle_down(struct gri_actor *a, uint64_t monitor, gr_ref who, const gr_value *reason)
{
    struct gr_ctx c;

    if (a->klass->cls->down == NULL) {
        gri_dead_letter(a->rt, "the end of an actor that was monitored");
        return;
    }
    gri_ctx_enter(&c, a, NULL, false);
    a->klass->cls->down(&c, a->self, monitor, who, reason);
    leave(a, &c);
}

static uint32_t terminate_ms(const struct gri_actor *a)
{
    const struct gri_rare *r = gri_actor_rare(a);

    return r != NULL ? r->terminate_ms : GRI_TERMINATE_MS;
}

void gri_handle_terminate(struct gri_actor *a, const gr_value *reason)
{
    struct gr_ctx c;

    gri_ctx_enter(&c, a, NULL, false);
    gri_ctx_stay(); /* the turn is not there to be given away */
    c.last = true;
    c.limit_ns = gri_deadline_after(&a->rt->sched, terminate_ms(a));
    a->klass->cls->terminate(&c, a->self, reason);
    gri_ctx_leave(&c);
    gr_value_unref(c.failure);
    gr_value_unref(c.exit); /* it has a reason */
}

gr_code gri_handle_init(struct gri_actor *a)
{
    struct gr_ctx c;
    gr_code rc;

    gri_ctx_enter(&c, a, NULL, false);
    /* nothing else runs before init is done, not even in a reentrant class */
    gri_ctx_stay();
    rc = a->klass->cls->init(&c, a->self, a->args);
    gri_ctx_leave(&c);
    if (rc != GR_OK) {
        gr_value *why = c.failure != NULL && gr_error_code(c.failure) == rc
                            ? gr_value_ref(c.failure)
                            : gr_error(rc, "%s could not be started", gri_actor_name(a));

        why = gri_actor_with_where(a, why);
        gri_lock(&a->tie_lock);
        if ((atomic_load(&a->flags) & GRI_EXITING) == 0) {
            gr_value *stop = a->reason; /* gr_stop's; counts less */

            a->reason = why;
            why = stop;
        }
        gri_unlock(&a->tie_lock);
        gri_reason_drop(a->rt, why);
    }
    gr_value_unref(c.failure);
    gr_value_unref(c.exit);
    return rc;
}
