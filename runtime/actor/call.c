/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - the life of a call: made, sent, cancelled, ended. See call.h. */
#include "runtime/actor/call.h"

#include "runtime/actor/bounds.h"
#include "runtime/actor/budget.h"
#include "runtime/actor/ctx.h"
#include "runtime/actor/observed.h"
#include "runtime/actor/run_limit.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/actor/send.h"
#include "runtime/base/alloc.h"
#include "runtime/sched/cache.h"

/* A call's run scope: what its handler starts. It lies there as long as the call does, so it has no
 * use for its own references. */
struct gri_run_scope {
    struct gr_scope scope;
    struct gri_call *call; /* counted until it is closed and empty: the call stays as long */
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

/* unmeter takes an ended call off what is counted of calls in flight. */
static void unmeter(struct gri_call *call)
{
    const struct gri_call_more *more = gri_call_has_more(call);

    if (more != NULL && call->budgeted)
        gri_budget_leave(more->budget, call->envelope.bytes);
    if (more != NULL && more->asker != 0)
        gri_asks_end(call->rt, more->asker);
    gri_charge(call->rt, -(int64_t)call->envelope.bytes);
    gri_meter_add(call->rt->sched.ledger, GRI_METER_CALLS, -1);
}

/* born_here is what a call's `born` is that this worker makes. */
static uint8_t born_here(void)
{
    const struct gri_worker *w = gri_exec()->worker;

    return w != NULL ? (uint8_t)(w->index + 1) : 0;
}

/* ---- the run scope --------------------------------------------------------------------------- */

static void call_leave(struct gri_call *call);

static void run_emptied(struct gr_scope *s)
{
    struct gri_call *call = gri_container_of(s, struct gri_run_scope, scope)->call;

    call_leave(call);
    gri_future_unref(&call->future);
}

static uint32_t life_of(struct gri_call *call)
{
    return atomic_load_explicit(&call->life, memory_order_acquire);
}

/* mark_run_locked: from here on whoever ends the call looks for its run scope. false: it has ended. */
static bool mark_run_locked(struct gri_call *call)
{
    uint32_t life = life_of(call);

    do {
        if ((life & GRI_ENDED) != 0)
            return false;
        gri_point(GRI_AT_CALL_RUN_SCOPE);
    } while (!atomic_compare_exchange_weak_explicit(&call->life, &life, life | GRI_RAN,
                                                    memory_order_acq_rel, memory_order_acquire));
    return true;
}

static struct gri_run_scope *make_run_scope(struct gri_call *call)
{
    struct gri_run_scope *r = gri_alloc(sizeof(*r)), *there;

    if (r == NULL)
        return NULL;
    gri_scope_init(&r->scope, call->rt, run_emptied, NULL);
    r->call = call;
    gri_lock(&call->cancel.lock);
    there = atomic_load_explicit(&call->run, memory_order_relaxed);
    if (there == NULL && mark_run_locked(call)) {
        gri_future_ref(&call->future);
        r->scope.cancelled = call->cancel.fired;
        /* release: who finds it without the lock finds it made */
        atomic_store_explicit(&call->run, r, memory_order_release);
        there = r;
    }
    gri_unlock(&call->cancel.lock);
    if (there != r) /* somebody else made it meanwhile, or the call has ended */
        gri_free(r);
    return there;
}

static void run_free(struct gri_run_scope *r)
{
    if (r == NULL)
        return;
    gri_scope_fini(&r->scope);
    gri_free(r);
}

struct gr_scope *gri_call_run_scope(struct gri_call *call)
{
    struct gri_run_scope *r = atomic_load_explicit(&call->run, memory_order_acquire);

    if (r == NULL)
        r = make_run_scope(call);
    /* when it has ended there may still be one, which is closed or about to be */
    return r != NULL && (life_of(call) & GRI_ENDED) == 0 ? &r->scope : NULL;
}

/* ---- ending ---------------------------------------------------------------------------------- */

static void disarm(struct gri_call *call, struct gri_call_more *more)
{
    if (!more->timed)
        return;
    more->timed = false;
    if (gri_timer_cancel(&call->rt->sched, &more->timer))
        gri_future_unref(&call->future); /* the timer's; the caller has another one */
}

/* forget_number takes the call out of gr_cancel's reach. */
static void forget_number(struct gri_call *call, struct gri_call_more *more)
{
    gr_runtime *rt = call->rt;

    gri_lock(&rt->calls_lock);
    gri_map_del(&rt->calls, atomic_load(&more->id));
    gri_unlock(&rt->calls_lock);
}

/* leave takes the call, which has LEFT, out of its scope. Nobody else does. */
static void leave(struct gri_call *call)
{
    struct gri_call *parent =
        (atomic_load_explicit(&call->life, memory_order_relaxed) & GRI_FOREIGN) != 0 ? call->parent
                                                                                     : NULL;

    if (call->streams) {
        struct gr_stream *out;

        gri_lock(&call->cancel.lock);
        out = call->out;
        call->out = NULL;
        gri_unlock(&call->cancel.lock);
        if (out != NULL) {
            gri_stream_release(out);
            gri_stream_unref(out);
        }
    }
    gri_scope_leave(&call->member);
    if (parent != NULL)
        gri_future_unref(&parent->future);
}

/* call_leave is the very end: all that the call started is over too. */
static void call_leave(struct gri_call *call)
{
    /* acq_rel: what was done before the end, and while it was held, is done when it leaves */
    uint32_t life = atomic_fetch_or_explicit(&call->life, GRI_LEFT, memory_order_acq_rel);

    gri_point(GRI_AT_CALL_END);
    if ((life & GRI_HELD_HERE) == 0)
        leave(call);
}

/* hold keeps a call in its scope; false: it leaves. For a few steps only: others spin meanwhile. */
static bool hold(struct gri_call *call)
{
    uint32_t life = life_of(call);

    for (;;) {
        if ((life & GRI_LEFT) != 0)
            return false;
        if ((life & GRI_HELD_HERE) != 0) {
            gri_cpu_relax();
            life = life_of(call);
        } else if (atomic_compare_exchange_weak_explicit(&call->life, &life, life | GRI_HELD_HERE,
                                                         memory_order_acq_rel,
                                                         memory_order_acquire)) {
            gri_point(GRI_AT_CALL_HELD);
            return true;
        }
    }
}

static void let_leave(struct gri_call *call)
{
    uint32_t life =
        atomic_fetch_and_explicit(&call->life, ~(uint32_t)GRI_HELD_HERE, memory_order_acq_rel);

    gri_point(GRI_AT_CALL_HELD);
    if ((life & GRI_LEFT) != 0)
        leave(call);
}

struct gri_call *gri_call_step_up(struct gri_call *call)
{
    struct gri_call *parent = NULL;

    if (hold(call)) { /* so the parent is there */
        if ((life_of(call) & GRI_ENDED) == 0)
            parent = call->parent;
        if (parent != NULL)
            gri_future_ref(&parent->future);
        let_leave(call);
    }
    gri_future_unref(&call->future);
    return parent;
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

    /* A cancellation may have come before us and be about to store its error. */
    while (!gri_future_done(&call->future))
        gri_cpu_relax();

    if (gri_call_observed(call))
        gri_observe_written(call);
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

/* end_life notes that the duty has ended, and returns what was there before: CANCELLING, somebody else
 * answers the call. Unless something is in the way the call may leave now, too. */
static uint32_t end_life(struct gri_call *call)
{
    uint32_t life = life_of(call), next;

    if (GRI_PLANTED(DOUBLE_COMPLETION)) {
        gri_point(GRI_AT_COMPLETE);
        atomic_store(&call->life, life | GRI_ENDED);
        return life | GRI_HELD_HERE;
    }
    do {
        next = life | GRI_ENDED | ((life & (GRI_RAN | GRI_HELD_HERE)) == 0 ? GRI_LEFT : 0);
    } while (!atomic_compare_exchange_weak_explicit(&call->life, &life, next, memory_order_acq_rel,
                                                    memory_order_acquire));
    return life;
}

/* end_run closes what the call's handler has started; its end is the call's. */
static void end_run(struct gri_call *call)
{
    struct gri_run_scope *r;

    gri_lock(&call->cancel.lock); /* RAN is set before `run` is */
    r = atomic_load_explicit(&call->run, memory_order_relaxed);
    gri_unlock(&call->cancel.lock);
    gri_scope_close(&r->scope, GR_ECANCELED); /* emptied, now or later, calls call_leave */
}

/* leaves_in_passing: its place in the scope is all that such a call leaves behind, and whoever frees it
 * may take it out there: see gri_future_leave. So a call that is answered by another worker than that which made
 * it does not take lines of memory of the scope and of its neighbours in there away from that one. */
static bool leaves_in_passing(const struct gri_call *call, uint32_t life)
{
    return (life & (GRI_RAN | GRI_HELD_HERE | GRI_FOREIGN)) == 0 && !call->streams &&
           call->born != born_here();
}

/* finish completes and lets go of all but the actor and the duty's reference; true: and of its place in its
 * scope. */
static bool finish(struct gri_call *call, gr_value *v)
{
    struct gri_call_more *more;
    uint32_t life;

    if (call->metered) /* before anybody learns of the end: what it held is free then */
        unmeter(call);
    life = end_life(call);
    if ((life & GRI_CANCELLING) == 0) {
        if (gri_call_heard(call)) {
            v = gri_answer(v);
            gri_observe_answer(call, v);
        }
        gri_future_settle(&call->future, v);
    } else {
        gr_value_unref(v);
    }
    gri_point(GRI_AT_CALL_END);
    more = gri_call_has_more(call);
    if (more != NULL && more->limit != NULL)
        gri_run_limit_leave(call, true);
    if (more != NULL)
        disarm(call, more);
    /* seq_cst: after the completion, as `more` is; pairs with op_name */
    if (more != NULL && atomic_load(&more->id) != 0)
        forget_number(call, more);
    if (call->streams)
        end_stream(call, true);
    if (call->in != NULL) {
        gri_stream_close(call->in);
        gri_stream_unref(call->in);
        call->in = NULL;
    }
    if (leaves_in_passing(call, life))
        return true;
    if ((life & GRI_RAN) != 0)
        end_run(call);
    else if ((life & GRI_HELD_HERE) != 0)
        call_leave(call);
    else
        leave(call);
    return false;
}

void gri_call_unhook(struct gri_call *call)
{
    struct gri_call_more *more;
    bool busy;

    if (!call->hooked)
        return;
    more = gri_call_has_more(call);
    do {
        gri_lock(&call->cancel.lock);
        call->hook = NULL;
        if (more != NULL)
            more->room = NULL;
        busy = call->hook_busy != NULL && call->hook_busy != gri_exec();
        gri_unlock(&call->cancel.lock);
        if (busy)
            gri_cpu_relax();
    } while (busy);
}

void gri_call_end(struct gri_call *call, gr_value *v)
{
    struct gri_actor *a = call->actor;
    bool listed;

    gri_call_unhook(call);
    call->actor = NULL;
    if (a != NULL) {
        if (call->counted)
            gri_actor_release_permit(a);
        gri_actor_unpin(a);
    }
    listed = finish(call, v);
    if (listed && gri_future_leave(&call->future))
        return;
    if (listed)
        leave(call);
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
    struct gri_run_scope *run;
    bool withdrawn;

    if ((atomic_fetch_or_explicit(&call->life, GRI_CANCELLING, memory_order_acq_rel) &
         (GRI_CANCELLING | GRI_ENDED)) != 0) {
        gr_value_unref(err);
        return;
    }
    if (err == NULL)
        err = cancel_error(call, why);
    gri_point(GRI_AT_CALL_CANCEL);
    if (GRI_OBSERVES && atomic_load(&call->observed)) /* seq_cst: see publish in observed.c */
        gri_observe_cancelled(call, err);
    /* Before the handler learns of it, so that what the handler makes of that can't be the answer. */
    gri_future_settle(&call->future, err);
    if (call->streams)
        end_stream(call, false);
    gri_lock(&call->cancel.lock);
    gri_cancel_fire_locked(&call->cancel);
    run = atomic_load_explicit(&call->run, memory_order_relaxed);
    gri_unlock(&call->cancel.lock);
    if (run != NULL) /* it lasts as long as the call */
        gri_scope_cancel(&run->scope, why);
    run_cancel_hook(call);
    gri_point(GRI_AT_CALL_CANCEL);
    /* not begun: end it here, and leave a shell in the mailbox */
    if (atomic_compare_exchange_strong(&call->state, &queued, GRI_DROPPED)) {
        /* first, since it is the scope that the call then leaves that keeps the pool */
        withdrawn = gri_call_withdraw(call);
        if (finish(call, NULL))
            leave(call);
        if (withdrawn)
            gri_call_on_pool(&call->job, GR_ECANCELED);
    }
}

static void deadline_run(struct gri_task *t)
{
    struct gri_call *call = gri_container_of(t, struct gri_call_more, late)->call;

    gri_call_cancel(call, GR_ETIMEDOUT);
    gri_future_unref(&call->future);
}

static void deadline_fire(struct gri_timer *t)
{
    struct gri_call_more *more = gri_container_of(t, struct gri_call_more, timer);

    gri_point(GRI_AT_DEADLINE);
    gri_ready(&more->call->rt->sched, &more->late);
}

gr_code gri_call_arm(struct gri_call *call)
{
    struct gri_call_more *more = gri_call_more(call);

    if (more == NULL)
        return GR_ENOMEM;
    more->late = (struct gri_task){ .run = deadline_run, .name = "deadline" };
    gri_timer_init(&more->timer, deadline_fire);
    more->timed = true;
    gri_future_ref(&call->future); /* the timer's, then the task's */
    gri_timer_start(&call->rt->sched, &more->timer, call->deadline_ns);
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
    bool moved;

    if (!hold(call))
        return;
    if (gri_call_observed(call))
        gri_observe_detached(call);
    /* it goes where its parent doesn't wait for it; as yet it is where the parent does */
    if (call->parent != NULL && (life_of(call) & GRI_FOREIGN) == 0) {
        gri_future_ref(&call->parent->future);
        atomic_fetch_or_explicit(&call->life, GRI_FOREIGN, memory_order_acq_rel);
    }
    moved = gri_scope_move(&call->member, &call->rt->root) == GR_OK;
    let_leave(call);
    if (!moved) /* all ends, and who told its scope so meanwhile has not seen it there */
        gri_call_cancel(call, GR_ECANCELED);
}

static gr_call op_name(struct gr_future *f)
{
    struct gri_call *call = gri_call_of(f);
    struct gri_call_more *more = gri_call_more(call);
    gr_runtime *rt = call->rt;
    gr_call name = { 0, 0 };

    if (more == NULL)
        return name;
    gri_lock(&rt->calls_lock);
    if (atomic_load(&more->id) == 0 && gri_map_put(&rt->calls, rt->call_count + 1, call))
        atomic_store(&more->id, ++rt->call_count);
    if (atomic_load(&more->id) != 0)
        name = (gr_call){ .node = rt->node, .id = atomic_load(&more->id) };
    gri_unlock(&rt->calls_lock);
    if (gri_future_done(f))
        forget_number(call, more); /* it ended meanwhile, and may have missed its number */
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
    const struct gr_ctx *c = gri_ctx_current(call->rt);

    if (c != NULL && gri_run_holds(c, call->target))
        return GR_EDEADLK;
    give_permit_back(c);
    if (atomic_load_explicit(&call->quick, memory_order_relaxed) && !gri_fault(GRI_AT_NO_HURRY) &&
        gri_take_lifo(t))
        t->run(t);
    return GR_OK;
}

static void more_free(struct gri_call *call, struct gri_call_more *more, struct gri_worker *w)
{
    if (gri_call_heard(call))
        gri_observed_free(call);
    gri_budget_unref(more->budget);
    gri_run_limit_unref(more->limit);
    gri_cache_free(w, GRI_BLOCK_MORE, more);
}

static void op_destroy(struct gr_future *f)
{
    struct gri_call *call = gri_call_of(f);
    struct gri_call_more *more = gri_call_has_more(call);
    struct gri_worker *w = gri_exec()->worker;

    gri_scope_leave(&call->member); /* if it has ended in passing */
    gr_value_unref(call->args);
    if (call->config != NULL)
        gr_value_unref(call->config);
    gri_assert((life_of(call) & GRI_LEFT) != 0);
    run_free(atomic_load_explicit(&call->run, memory_order_relaxed));
    if (more != NULL)
        more_free(call, more, w);
    gri_cache_free(w, GRI_BLOCK_CALL, call);
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

static bool member_ref(struct gri_member *m)
{
    return gri_future_try_ref(&call_of_member(m)->future);
}

static void member_unref(struct gri_member *m)
{
    gri_future_unref(&call_of_member(m)->future);
}

static bool member_seal(struct gri_member *m)
{
    return gri_future_seal(&call_of_member(m)->future);
}

const struct gri_member_ops gri_call_member_ops = {
    .cancel = member_cancel, .ref = member_ref, .unref = member_unref, .seal = member_seal
};

/* ---- what few calls need --------------------------------------------------------------------- */

struct gri_call_more *gri_call_more(struct gri_call *call)
{
    struct gri_call_more *there = gri_call_has_more(call), *more;
    struct gri_worker *w = gri_exec()->worker;

    _Static_assert(sizeof(*more) <= GRI_BLOCK_MORE_BYTES, "it fits its block");
    if (there != NULL || (more = gri_cache_alloc(w, GRI_BLOCK_MORE)) == NULL)
        return there;
    *more = (struct gri_call_more){ .call = call };
    if (atomic_compare_exchange_strong(&call->more, &there, more))
        return more;
    gri_cache_free(w, GRI_BLOCK_MORE, more); /* somebody else asks for the call's number, too */
    return there;
}

/* ---- making ---------------------------------------------------------------------------------- */

struct gri_call *gri_call_new(gr_runtime *rt, uint16_t verb, gr_value *args, gr_stream *in)
{
    struct gri_worker *w = gri_exec()->worker;
    struct gri_call *call = w != NULL ? gri_cache_alloc(w, GRI_BLOCK_CALL)
                                      : gri_cache_alloc_from(&rt->sched, GRI_BLOCK_CALL);

    _Static_assert(sizeof(*call) <= GRI_BLOCK_CALL_BYTES, "a call fits its block");
    if (call == NULL) {
        gr_value_unref(args);
        if (in != NULL)
            gri_stream_close(in);
        gri_stream_unref(in);
        return NULL;
    }
    *call = (struct gri_call){
        .rt = rt, .args = args, .in = in, .born = w != NULL ? (uint8_t)(w->index + 1) : 0
    };
    gri_future_init(&call->future, &rt->sched, &call_ops, 2);
    call->envelope.kind = verb == GRI_STARTED ? GRI_PROBE : GRI_CALL;
    gri_list_init(&call->member.node);
    atomic_init(&call->state, GRI_RUNNING);
    atomic_init(&call->verb, verb);
    return call;
}
