/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - the life of a call: made, sent, cancelled, ended. See call.h. */
#include "runtime/actor/call.h"

#include <string.h>

#include "runtime/actor/bounds.h"
#include "runtime/actor/budget.h"
#include "runtime/actor/ctx.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/actor/send.h"
#include "runtime/base/alloc.h"
#include "runtime/sched/cache.h"

/* A deadline of the call's own. Two references: the call's and the timer's (then the task's). */
struct gri_deadline {
    struct gri_timer timer;
    struct gri_task task;
    struct gri_call *call; /* counted */
    _Atomic uint32_t refs;
};

/* A call's run scope: what its handler starts. */
struct run_scope {
    struct gr_scope scope;
    struct gri_call *call; /* counted: the call stays until all that it started has ended */
};

/* ---- small questions ------------------------------------------------------------------------- */

const gr_value *gri_call_spawn_args(const struct gri_call *call)
{
    return call->actor->args;
}

const char *gri_call_verb(const struct gri_call *call)
{
    return gri_verb_name(&call->rt->verbs, call->verb);
}

struct gri_sched *gri_call_sched(const struct gri_call *call)
{
    return &call->rt->sched;
}

bool gri_call_cancelled(struct gri_call *call)
{
    return gri_cancel_fired(&call->cancel);
}

gr_stream *gri_call_take_in(struct gri_call *call)
{
    gr_stream *in = call->in;

    call->in = NULL;
    return in;
}

/* ---- what it weighs -------------------------------------------------------------------------- */

uint32_t gri_message_weigh(const gr_value *v)
{
    size_t bytes = gri_value_bytes(v);

    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

void gri_charge_some(gr_runtime *rt, int64_t bytes)
{
    gri_meter_add(rt->sched.ledger, GRI_METER_BYTES, bytes);
}

bool gri_bytes_fit(gr_runtime *rt, uint32_t bytes)
{
    const struct gri_ledger *l = rt->sched.ledger;

    return bytes == 0 || bytes > l->meter[GRI_METER_BYTES].max ||
           gri_meter_has_room(l, GRI_METER_BYTES, bytes);
}

gr_code gri_check_some(gr_runtime *rt, uint32_t bytes)
{
    struct gri_ledger *l = rt->sched.ledger;

    if (gri_meter_has_room(l, GRI_METER_BYTES, bytes))
        return GR_OK;
    gri_count(l, GRI_COUNT_REFUSED_BYTES, 1);
    return bytes > l->meter[GRI_METER_BYTES].max ? GR_ENOMEM : GR_EFULL;
}

/* unmeter takes an ended call off what is counted of calls in flight. */
static void unmeter(struct gri_call *call)
{
    if (call->budgeted)
        gri_budget_leave(call->budget, call->envelope.bytes);
    if (call->asker != 0)
        gri_asks_end(call->rt, call->asker);
    gri_charge(call->rt, -(int64_t)call->envelope.bytes);
    gri_meter_add(call->rt->sched.ledger, GRI_METER_CALLS, -1);
}

/* ---- the run scope --------------------------------------------------------------------------- */

static void call_leave(struct gri_call *call);

static void run_emptied(struct gr_scope *s)
{
    call_leave(gri_container_of(s, struct run_scope, scope)->call);
}

static void run_destroy(struct gr_scope *s)
{
    struct run_scope *r = gri_container_of(s, struct run_scope, scope);
    struct gri_call *call = r->call;

    gri_free(r);
    gri_future_unref(&call->future);
}

struct gr_scope *gri_call_run_scope(struct gri_call *call)
{
    struct run_scope *r = NULL;
    struct gr_scope *s;
    bool ended;

    gri_lock(&call->cancel.lock);
    s = call->run;
    ended = call->ended;
    gri_unlock(&call->cancel.lock);
    if (s != NULL || ended)
        return s;
    r = gri_new0(struct run_scope);
    if (r == NULL)
        return NULL;
    gri_scope_init(&r->scope, call->rt, run_emptied, run_destroy);
    r->call = gri_call_of(gri_future_ref(&call->future));
    gri_lock(&call->cancel.lock);
    s = call->run;
    if (s == NULL && !call->ended) {
        s = call->run = &r->scope;
        s->cancelled = call->cancel.fired;
        r = NULL;
    }
    gri_unlock(&call->cancel.lock);
    if (r != NULL) /* somebody else made it meanwhile, or the call has ended */
        gri_scope_unref(&r->scope);
    return s;
}

/* ---- ending ---------------------------------------------------------------------------------- */

static void deadline_unref(struct gri_deadline *d)
{
    if (atomic_fetch_sub(&d->refs, 1) != 1)
        return;
    gri_future_unref(&d->call->future);
    gri_free(d);
}

static void disarm(struct gri_call *call)
{
    struct gri_deadline *d = call->timer;

    if (d == NULL)
        return;
    call->timer = NULL;
    if (gri_timer_cancel(&call->rt->sched, &d->timer))
        deadline_unref(d); /* the timer's */
    deadline_unref(d);
}

/* forget_number takes the call out of gr_cancel's reach. */
static void forget_number(struct gri_call *call)
{
    gr_runtime *rt = call->rt;

    gri_lock(&rt->calls_lock);
    gri_map_del(&rt->calls, atomic_load(&call->id));
    gri_unlock(&rt->calls_lock);
}

/* call_leave is the very end: all that the call started is over too. */
static void call_leave(struct gri_call *call)
{
    struct gr_stream *out;
    bool later;

    gri_lock(&call->cancel.lock);
    later = call->moving; /* gr_detach moves it right now, and will leave for us */
    call->leaving = true;
    out = call->out;
    if (!later)
        call->out = NULL;
    gri_unlock(&call->cancel.lock);
    if (later)
        return;
    if (out != NULL) {
        gri_stream_release(out);
        gri_stream_unref(out);
    }
    gri_scope_leave(&call->member);
}

/* put_answer sends the answer as the stream's only chunk, so there is room; an error is why that
 * failed. */
static gr_value *put_answer(struct gri_call *call, struct gr_stream *out)
{
    gr_code rc = gri_stream_put(out, gr_value_ref(call->future.result));

    if (rc == GR_EFULL)
        gr_value_unref(call->future.result);
    return rc == GR_OK || rc == GR_ECANCELED ? NULL
                                             : gr_error(rc, "the answer could not be streamed");
}

/* end_stream gives the reader the end that the future has. */
static void end_stream(struct gri_call *call, bool answered)
{
    struct gr_stream *out;

    /* A cancellation may have claimed the future before us and be about to store its error. */
    while (!gri_future_done(&call->future))
        gri_cpu_relax();

    gri_lock(&call->cancel.lock);
    out = call->out != NULL ? gri_stream_ref(call->out) : NULL;
    gri_unlock(&call->cancel.lock);
    if (out == NULL)
        return;
    if (call->future.failed)
        gri_stream_end(out, gr_value_ref(call->future.result));
    else
        gri_stream_end(out, answered && call->one_chunk ? put_answer(call, out) : NULL);
    gri_stream_unref(out);
}

/* finish completes and lets go of all but the actor and the duty's reference. */
static void finish(struct gri_call *call, gr_value *v)
{
    struct gri_call *parent;
    struct gr_scope *run;

    if (call->metered) /* before anybody learns of the end: what it held is free then */
        unmeter(call);
    gri_future_complete(&call->future, v);
    gri_point(GRI_AT_CALL_END);
    disarm(call);
    if (atomic_load(&call->id) != 0) /* seq_cst: after the completion; pairs with op_name */
        forget_number(call);
    if (call->streams)
        end_stream(call, true);
    if (call->in != NULL) {
        gri_stream_close(call->in);
        gri_stream_unref(call->in);
        call->in = NULL;
    }
    gri_lock(&call->cancel.lock);
    call->ended = true;
    run = call->run;
    call->run = NULL;
    parent = call->parent; /* nobody waits through us any more: a row of calls must not pile up */
    call->parent = NULL;
    gri_unlock(&call->cancel.lock);
    if (parent != NULL)
        gri_future_unref(&parent->future);
    if (run != NULL) {
        gri_scope_close(run, GR_ECANCELED); /* emptied, now or later, calls call_leave */
        gri_scope_unref(run);
    } else {
        call_leave(call);
    }
}

void gri_call_unhook(struct gri_call *call)
{
    bool busy;

    if (!call->hooked)
        return;

    do {
        gri_lock(&call->cancel.lock);
        call->hook = call->room = NULL;
        busy = call->hook_busy != NULL && call->hook_busy != gri_exec();
        gri_unlock(&call->cancel.lock);
        if (busy)
            gri_cpu_relax();
    } while (busy);
}

void gri_call_end(struct gri_call *call, gr_value *v)
{
    struct gri_actor *a = call->actor;

    gri_call_unhook(call);
    call->actor = NULL;
    if (a != NULL) {
        if (call->counted)
            gri_actor_release_permit(a);
        gri_actor_unpin(a);
    }
    finish(call, v);
    gri_future_unref(&call->future);
}

/* ---- cancelling ------------------------------------------------------------------------------ */

static gr_value *cancel_error(struct gri_call *call, gr_code why)
{
    gr_value *err = why == GR_ETIMEDOUT ? gr_error(why, "the deadline passed before '%s' was done",
                                                   gri_call_verb(call))
                                        : gr_error(why, "'%s' was cancelled", gri_call_verb(call));

    return err;
}

/* run_cancel_hook calls the hook, if any, while hook_busy keeps gri_call_end waiting. Hooks run one
 * at a time: if another one does, gri_call_hook_done sees to this one. */
static void run_cancel_hook(struct gri_call *call)
{
    void (*fn)(void *arg) = NULL;
    void *arg;

    gri_lock(&call->cancel.lock);
    arg = call->hook_arg;
    if (call->hook_busy == NULL && call->hook != NULL) {
        fn = call->hook;
        call->hook = NULL; /* once */
        call->hook_busy = gri_exec();
    }
    gri_unlock(&call->cancel.lock);
    if (fn == NULL)
        return;
    fn(arg);
    gri_call_hook_done(call);
}

void gri_call_hook_done(struct gri_call *call)
{
    bool cancelled;

    gri_lock(&call->cancel.lock);
    call->hook_busy = NULL;
    cancelled = call->cancel.fired && call->hook != NULL;
    gri_unlock(&call->cancel.lock);
    if (cancelled)
        run_cancel_hook(call);
}

void gri_call_cancel(struct gri_call *call, gr_code why)
{
    gri_call_abort(call, NULL, why);
}

void gri_call_abort(struct gri_call *call, gr_value *err, gr_code why)
{
    uint32_t queued = GRI_QUEUED;
    struct gr_scope *run = NULL;
    bool first, withdrawn;

    gri_lock(&call->cancel.lock);
    first = !call->cancelling && !call->ended;
    call->cancelling = true;
    gri_unlock(&call->cancel.lock);
    if (!first) {
        gr_value_unref(err);
        return;
    }
    if (err == NULL)
        err = cancel_error(call, why);
    gri_point(GRI_AT_CALL_CANCEL);
    /* Before the handler learns of it, so that what the handler makes of that can't be the answer.
     * If an answer came first, whoever brought it ends the stream, after its chunk. */
    if (gri_future_complete(&call->future, err) && call->streams)
        end_stream(call, false);
    gri_lock(&call->cancel.lock);
    gri_cancel_fire_locked(&call->cancel);
    run = call->run != NULL ? gri_scope_ref(call->run) : NULL;
    gri_unlock(&call->cancel.lock);
    if (run != NULL) {
        gri_scope_cancel(run, why);
        gri_scope_unref(run);
    }
    run_cancel_hook(call);
    gri_point(GRI_AT_CALL_CANCEL);
    /* not begun: end it here, and leave a shell in the mailbox */
    if (atomic_compare_exchange_strong(&call->state, &queued, GRI_DROPPED)) {
        /* first, since it is the scope that the call then leaves that keeps the pool */
        withdrawn = gri_call_withdraw(call);
        finish(call, NULL);
        if (withdrawn)
            gri_call_on_pool(&call->job, GR_ECANCELED);
    }
}

static void deadline_run(struct gri_task *t)
{
    struct gri_deadline *d = gri_container_of(t, struct gri_deadline, task);

    gri_call_cancel(d->call, GR_ETIMEDOUT);
    deadline_unref(d);
}

static void deadline_fire(struct gri_timer *t)
{
    struct gri_deadline *d = gri_container_of(t, struct gri_deadline, timer);

    gri_point(GRI_AT_DEADLINE);
    gri_ready(&d->call->rt->sched, &d->task);
}

gr_code gri_call_arm(struct gri_call *call)
{
    struct gri_deadline *d = gri_new0(struct gri_deadline);

    if (d == NULL)
        return GR_ENOMEM;
    d->call = gri_call_of(gri_future_ref(&call->future));
    d->task = (struct gri_task){ .run = deadline_run, .name = "deadline" };
    atomic_init(&d->refs, 2);
    gri_timer_init(&d->timer, deadline_fire);
    call->timer = d;
    gri_timer_start(&call->rt->sched, &d->timer, call->deadline_ns);
    return GR_OK;
}

gr_code gri_call_on_cancel(struct gri_call *call, void (*fn)(void *arg), void *arg)
{
    bool fired;

    gri_lock(&call->cancel.lock);
    fired = call->cancel.fired;
    call->hook = fn;
    call->hook_arg = arg;
    call->hooked = true;
    gri_unlock(&call->cancel.lock);
    if (!fired)
        return GR_OK;
    run_cancel_hook(call);
    return GR_ECANCELED;
}

/* ---- the future's side ----------------------------------------------------------------------- */

static void op_cancel(struct gr_future *f, gr_code why)
{
    gri_call_cancel(gri_call_of(f), why);
}

/* Moved to the root scope, the call goes on when its caller's scope ends. */
static void op_detach(struct gr_future *f)
{
    struct gri_call *call = gri_call_of(f);
    bool leave;

    gri_lock(&call->cancel.lock);
    leave = call->leaving;
    call->moving = !leave;
    gri_unlock(&call->cancel.lock);
    if (leave)
        return;
    gri_scope_move(&call->member, &call->rt->root);
    gri_lock(&call->cancel.lock);
    call->moving = false;
    leave = call->leaving;
    gri_unlock(&call->cancel.lock);
    if (leave)
        call_leave(call);
}

static gr_call op_name(struct gr_future *f)
{
    struct gri_call *call = gri_call_of(f);
    gr_runtime *rt = call->rt;
    gr_call name = { 0, 0 };

    gri_lock(&rt->calls_lock);
    if (atomic_load(&call->id) == 0 && gri_map_put(&rt->calls, rt->call_count + 1, call))
        atomic_store(&call->id, ++rt->call_count);
    if (atomic_load(&call->id) != 0)
        name = (gr_call){ .node = rt->node, .id = atomic_load(&call->id) };
    gri_unlock(&rt->calls_lock);
    if (gri_future_done(f))
        forget_number(call); /* it ended meanwhile, and may have missed its number */
    return name;
}

void gr_cancel(gr_runtime *rt, gr_call name)
{
    struct gri_call *call = NULL;

    gri_lock(&rt->calls_lock);
    if (name.node == rt->node)
        call = gri_map_get(&rt->calls, name.id);
    if (call != NULL)
        gri_future_ref(&call->future);
    gri_unlock(&rt->calls_lock);
    if (call == NULL)
        return;
    gri_call_cancel(call, GR_ECANCELED);
    gri_future_unref(&call->future);
}

/* Only leaf work counts against max_concurrency: a handler that waits for another call gives its
 * permit back, for good, or nested limits could lock each other up. */
static void give_permit_back(const struct gr_ctx *c)
{
    if (c == NULL || c->call == NULL || c->deferred || !c->call->counted)
        return;
    c->call->counted = false;
    gri_actor_release_permit(c->actor);
}

/*
 * The owner is about to wait. If what it waits for is cheap code that was just readied on this
 * worker, run it here: it can't wait, so it may share this stack.
 */
static gr_code op_hurry(struct gr_future *f)
{
    struct gri_call *call = gri_call_of(f);
    struct gri_task *t = &call->task;

    if (gri_ctx_holds(call->rt, call->target))
        return GR_EDEADLK;
    give_permit_back(gri_ctx_current(call->rt));
    if (atomic_load_explicit(&call->quick, memory_order_relaxed) && !gri_fault(GRI_AT_NO_HURRY) &&
        gri_take_lifo(t))
        t->run(t);
    return GR_OK;
}

static void op_destroy(struct gr_future *f)
{
    struct gri_call *call = gri_call_of(f);

    gr_value_unref(call->args);
    gr_value_unref(call->config);
    gri_assert(call->parent == NULL); /* it has ended */
    gri_budget_unref(call->budget);
    gri_cache_free(gri_exec()->worker, GRI_BLOCK_CALL, call);
}

static const struct gri_future_ops call_ops = { .cancel = op_cancel,
                                                .detach = op_detach,
                                                .name = op_name,
                                                .hurry = op_hurry,
                                                .destroy = op_destroy };

/* ---- the scope's side ------------------------------------------------------------------------ */

static struct gri_call *call_of_member(struct gri_member *m)
{
    return gri_container_of(m, struct gri_call, member);
}

static void member_cancel(struct gri_member *m, gr_code why)
{
    gri_call_cancel(call_of_member(m), why);
}

static void member_ref(struct gri_member *m)
{
    gri_future_ref(&call_of_member(m)->future);
}

static void member_unref(struct gri_member *m)
{
    gri_future_unref(&call_of_member(m)->future);
}

const struct gri_member_ops gri_call_member_ops = { .cancel = member_cancel,
                                                    .ref = member_ref,
                                                    .unref = member_unref };

/* ---- making ---------------------------------------------------------------------------------- */

struct gri_call *gri_call_new(gr_runtime *rt, uint16_t verb, gr_value *args, gr_stream *in)
{
    struct gri_call *call = gri_cache_alloc(gri_exec()->worker, GRI_BLOCK_CALL);

    _Static_assert(sizeof(*call) <= GRI_BLOCK_CALL_BYTES, "a call fits its block");
    if (call == NULL) {
        gr_value_unref(args);
        if (in != NULL)
            gri_stream_close(in);
        gri_stream_unref(in);
        return NULL;
    }
    memset(call, 0, sizeof(*call));
    gri_future_init(&call->future, &rt->sched, &call_ops, 2);
    call->envelope.kind = verb == GRI_STARTED ? GRI_PROBE : GRI_CALL;
    gri_list_init(&call->member.node);
    atomic_init(&call->state, GRI_RUNNING);
    call->rt = rt;
    atomic_init(&call->verb, verb);
    call->args = args;
    call->in = in;
    return call;
}

/* ---- direct calls ---------------------------------------------------------------------------- */

bool gri_call_direct(struct gri_call *parent, gr_ref r, gr_value *args, gr_value **ret_v)
{
    gr_runtime *rt = parent->rt;
    gr_value *err = NULL;
    struct gri_actor *a;
    const gr_method *m;
    struct gr_ctx c;

    if (r.node != rt->node || parent->budget != NULL || gri_exec()->worker == NULL ||
        gri_fault(GRI_AT_NO_DIRECT))
        return false;
    a = gri_actor_pin(rt, r, &err);
    if (a == NULL) {
        gr_value_unref(err);
        return false; /* the long way says why */
    }
    m = a->klass->fixed[GRI_INVOKE];
    if (m == NULL || m->kind != GR_CHEAP || m->fn == NULL || !a->klass->stateless ||
        gri_actor_permits(a) != 0 || a->pin != 0 ||
        (atomic_load_explicit(&a->flags, memory_order_acquire) & GRI_READY) == 0) {
        gri_actor_unpin(a);
        return false;
    }
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
