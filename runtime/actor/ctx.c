/* SPDX-License-Identifier: Apache-2.0 */
/* ctx.c - what a handler can ask and do. */
#include "runtime/actor/ctx.h"

#include "runtime/actor/bounds.h"
#include "runtime/actor/held.h"
#include "runtime/actor/mailbox.h"
#include "runtime/actor/run_config.h"
#include "runtime/actor/runtime_impl.h"

/* ---- reentrant classes: a handler that waits lets others run --------------------------------- */

static void suspending(struct gri_exec *e)
{
    struct gr_ctx *c = e->ctx;

    gri_actor_settle(c->actor);
    gri_actor_pin_again(c->actor); /* until it has the turn again: see turn_message */
    gri_actor_give_turn_away(c->actor);
}

static void resuming(struct gri_exec *e)
{
    struct gr_ctx *c = e->ctx;

    gri_actor_post(c->actor, &c->resume.envelope);
}

static bool waiting(struct gri_exec *e, struct gri_park *p, uint64_t *deadline_ns)
{
    return gri_wait_begin(e->ctx, p, deadline_ns);
}

static void waited(struct gri_exec *e)
{
    gri_wait_end(e->ctx);
}

const struct gri_exec_hooks gri_ctx_reentrant_hooks = {
    .suspending = suspending, .resuming = resuming, .waiting = waiting, .waited = waited
};

/* Any other handler that waits keeps its actor, so who waits for room in it must not go on waiting
 * for the mailbox to get half empty. */
static void suspending_alone(struct gri_exec *e)
{
    struct gr_ctx *c = e->ctx;

    if (gri_actor_exclusive(c->actor))
        gri_actor_settle(c->actor);
    gri_actor_offer_room(c->actor);
}

const struct gri_exec_hooks gri_ctx_hooks = { .suspending = suspending_alone,
                                              .waiting = waiting,
                                              .waited = waited };

void gri_ctx_stay(void)
{
    gri_exec()->hooks = &gri_ctx_hooks;
}

struct gr_ctx *gri_ctx_current(gr_runtime *rt)
{
    struct gr_ctx *c = gri_exec()->ctx;

    return c != NULL && c->rt == rt ? c : NULL;
}

/* above_holds goes up from a call that the caller has a reference to, and gives up, by references. */
static bool above_holds(struct gri_call *up, uint64_t id)
{
    bool held = false;

    while (up != NULL) {
        held = atomic_load_explicit(&up->held, memory_order_relaxed) == id;
        if (held || !up->held_above)
            break;
        gri_point(GRI_AT_CALL_ABOVE);
        up = gri_call_step_up(up);
    }
    if (up != NULL)
        gri_future_unref(&up->future);
    return held;
}

/* A handler that has still to answer its call keeps it, and so its parent: in whose run scope it is, or which it has a
 * reference to. No more than that: once it is moved from there the parent may leave, and what is above that one go. */
bool gri_run_holds(const struct gr_ctx *c, uint64_t id)
{
    struct gri_call *up = c->call;

    if (id == 0)
        return false;
    if (gri_actor_exclusive(c->actor) && gri_actor_ref(c->actor).id == id)
        return true;
    if (up == NULL)
        return false;
    if (atomic_load_explicit(&up->held, memory_order_relaxed) == id)
        return true;
    if (!up->held_above)
        return false;
    if (!c->deferred)
        up = up->parent;
    return above_holds(gri_call_of(gri_future_ref(&up->future)), id);
}

/* ---- questions ------------------------------------------------------------------------------- */

gr_runtime *gr_runtime_of(gr_ctx *c)
{
    return c->rt;
}

gr_scope *gr_run_scope(gr_ctx *c)
{
    gr_scope *s = c->call != NULL ? gri_call_run_scope(c->call) : NULL;

    /* in receive, and when a continuation outlives its call, the actor's */
    return s != NULL ? s : c->actor->member.scope;
}

const gr_value *gr_config(gr_ctx *c)
{
    return c->call != NULL ? c->call->config : NULL;
}

const gr_value *gr_kwargs(gr_ctx *c)
{
    return gr_get(gr_config(c), "kwargs");
}

gr_ref gr_self(gr_ctx *c)
{
    return gri_actor_ref(c->actor);
}

const gr_value *gr_args(gr_ctx *c)
{
    return c->actor->args;
}

const char *gr_verb(gr_ctx *c)
{
    return c->call != NULL ? gri_call_verb(c->call) : "";
}

bool gr_cancelled(gr_ctx *c)
{
    return c->call != NULL && gri_call_cancelled(c->call);
}

uint64_t gr_deadline_ns(gr_ctx *c)
{
    return c->call != NULL ? c->call->deadline_ns : 0;
}

/* ---- answers --------------------------------------------------------------------------------- */

gr_code gr_emit(gr_ctx *c, gr_value *chunk)
{
    /* once the call is handed over, its stream is for others to look at */
    struct gr_stream *out = c->call != NULL && !c->deferred ? c->call->out : NULL;

    if (out == NULL) {
        gr_value_unref(chunk);
        return GR_EINVAL;
    }
    if (chunk == NULL)
        return gr_fail(c, gr_error(GR_EINVAL, "no value"));
    if (gri_call_cancelled(c->call)) {
        gr_value_unref(chunk);
        return GR_ECANCELED;
    }
    return gri_stream_put_wait(out, chunk);
}

gr_code gr_fail(gr_ctx *c, gr_value *err)
{
    gr_code rc = gr_error_code(err);

    if (rc == GR_OK) {
        gr_value_unref(err);
        err = gr_error(GR_EINVAL, "gr_fail was given no error");
        rc = GR_EINVAL;
    }
    gr_value_unref(c->failure);
    c->failure = err;
    return rc;
}

gr_value *gr_exit(gr_ctx *c, gr_value *reason)
{
    if (reason == NULL)
        reason = gr_error(GR_EBROKEN, "the actor exited");
    gr_value_unref(c->exit);
    c->exit = gr_value_ref(reason);
    if (gr_error_code(reason) != GR_OK)
        return reason;
    if (c->call == NULL) {
        gr_value_unref(reason);
        return gr_nil();
    }
    return gr_error_with(gr_error(GR_EBROKEN, "the actor exited"), "detail", reason);
}

void gri_ctx_defer(struct gr_ctx *c)
{
    gri_waits_forget(c);
    c->deferred = true;
    gri_envelope_leave(c->actor, &c->call->envelope);
    gri_future_ref(&c->call->future);
    gri_actor_pin_again(c->actor);
}

gr_value *gr_delegate(gr_ctx *c, gr_ref to, const char *verb, gr_value *args)
{
    if (c->call == NULL || c->deferred) {
        gr_value_unref(args);
        return gr_error(GR_EINVAL, "there is no call to pass on");
    }
    gri_ctx_defer(c);
    gri_call_forward(c->call, to, gri_verb_id(&c->rt->verbs, verb), args, NULL);
    return NULL;
}

gr_value *gri_delegate_runnable(gr_ctx *c, gr_ref to)
{
    int64_t limit;

    if (c->call == NULL || c->deferred)
        return gr_error(GR_EINVAL, "there is no call to pass on");
    limit = gr_as_int(gr_get(c->call->config, "recursion_limit"), GR_RECURSION_LIMIT);
    if (limit <= 0)
        return gr_error_with(gr_error(GR_EFULL, "Recursion limit reached when invoking %s",
                                      gri_actor_name(c->actor)),
                             "kind", gr_str("recursion"));
    gri_call_set_config(
        c->call, gri_config_child(c->call->config,
                                  gr_map(GR_KV("recursion_limit", gr_int(limit - 1))), NULL));
    gri_ctx_defer(c);
    gri_call_forward(c->call, to, c->call->streams ? GRI_STREAM : GRI_INVOKE, NULL, NULL);
    return NULL;
}

gr_value *gri_delegate_whole(gr_ctx *c, gr_ref to)
{
    if (c->call == NULL || c->deferred)
        return gr_error(GR_EINVAL, "there is no call to pass on");
    gri_ctx_defer(c);
    gri_call_forward(c->call, to, c->call->verb, NULL, NULL);
    return NULL;
}
