/* SPDX-License-Identifier: Apache-2.0 */
/* send.c - the calls of call.h, for callers: options, scope, deadline, config; then off to the
 * actor. */
#include "runtime/actor/send.h"

#include <string.h>

#include "runtime/actor/bounds.h"
#include "runtime/actor/budget.h"
#include "runtime/actor/ctx.h"
#include "runtime/actor/hold.h"
#include "runtime/actor/observed.h"
#include "runtime/actor/run_config.h"
#include "runtime/actor/run_limit.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/value/value.h"

static const gr_call_opts no_opts = { .size = sizeof(no_opts) };

/* Who calls: a handler's call, or nobody known. */
struct caller {
    struct gri_call *parent; /* borrowed; NULL: none */
    struct gr_scope *scope;  /* borrowed */
    struct gri_actor *actor; /* borrowed; whose handler it is, NULL: nobody known */
    /* the scope is the parent's run scope, so the parent's deadline reaches it */
    bool inside;
};

static struct caller caller_of(gr_runtime *rt, const gr_call_opts *o)
{
    struct gr_ctx *c = gri_ctx_current(rt);
    struct caller who = { .parent = c != NULL ? c->call : NULL,
                          .actor = c != NULL ? c->actor : NULL };

    who.scope = o->scope != NULL ? o->scope : c != NULL ? gr_run_scope(c) : &rt->root;
    /* in a continuation that outlives its call the scope is the actor's */
    who.inside = o->scope == NULL && who.parent != NULL && who.scope != c->actor->member.scope;
    return who;
}

/* set_deadline takes the earlier of the parent's and the call's own; true if a timer of its own is
 * needed. */
static bool set_deadline(struct gri_call *call, const struct caller *who, const gr_call_opts *o)
{
    uint64_t inherited = who->parent != NULL ? who->parent->deadline_ns : 0;
    uint64_t own = 0;

    if (o->timeout_ms != 0) {
        uint64_t after =
            gri_deadline_after(&call->rt->sched, o->timeout_ms > 0 ? o->timeout_ms : 0);

        own = after != GRI_NEVER ? after : 0;
    }
    call->deadline_ns = own == 0 || (inherited != 0 && inherited < own) ? inherited : own;
    if (call->deadline_ns == 0)
        return false;
    /* the parent's timer reaches its own run scope, so only what is stricter or elsewhere needs
     * one */
    return call->deadline_ns != inherited || !who->inside;
}

/* join puts the call into its scope; a failure ends the call. */
static bool join(struct gri_call *call, struct gr_scope *scope)
{
    gr_code rc = gri_scope_add(scope, &call->member, &gri_call_member_ops);

    if (rc == GR_OK)
        return true;
    gri_call_end(call, rc == GR_ECANCELED ? gr_error(rc, "the caller's scope was cancelled")
                                          : gr_error(rc, "the caller's scope has ended"));
    return false;
}

/* take_back ends a call that was to be queued and wasn't, unless a cancellation has done so
 * meanwhile. */
static void take_back(struct gri_call *call, gr_value *err)
{
    uint32_t queued = GRI_QUEUED;

    if (atomic_compare_exchange_strong(&call->state, &queued, GRI_RUNNING)) {
        gri_call_end(call, err);
        return;
    }
    gr_value_unref(err);
    gri_future_unref(&call->future);
}

/* enqueue brings a call to an actor in whose mailbox it has a pinned place. */
static void enqueue(struct gri_call *call, struct gri_actor *a)
{
    const gr_method *m = NULL;

    call->actor = a;
    gri_klass_resolve(a->klass, call->verb, &m);
    /* relaxed: a hint for the owner, who may read it while the call is forwarded */
    atomic_store_explicit(
        &call->quick, m != NULL && (m->kind == GR_CHEAP || gri_kind_native(m->kind)) && a->pin == 0,
        memory_order_relaxed);
    gri_actor_send_call(a, call);
}

/* queue has a call QUEUED, unless it is so from birth. false: it was cancelled, and is over. */
static bool queue(struct gri_call *call)
{
    if (atomic_load_explicit(&call->state, memory_order_relaxed) != GRI_RUNNING)
        return true;
    /* seq_cst: of "set QUEUED, read the cancellation" and "set the cancellation, look for QUEUED"
     * the later one sees the other */
    atomic_store(&call->state, GRI_QUEUED);
    if (!gri_call_cancelled(call))
        return true;
    take_back(call, NULL);
    return false;
}

/* mail puts a call into the mailbox of an actor with state in one step, pin, place and all; what is
 * read of the actor before is its own, or the step fails: see actor.h. false: it must go the long way. */
static bool mail(struct gri_call *call, gr_ref to)
{
    gr_runtime *rt = call->rt;
    struct gri_actor *a = to.node == rt->node ? gri_registry_find(&rt->registry, to.id) : NULL;
    const struct gri_klass *k = a != NULL ? a->klass : NULL;
    const gr_method *m = NULL;
    enum gri_how how;
    uint64_t depth;

    if (k == NULL || k->stateless ||
        (atomic_load(&a->flags) & (GRI_STOPPING | GRI_FAILED | GRI_BOUNDED | GRI_LISTENED)) != 0)
        return false;
    how = gri_observe_how(k, call, gri_klass_resolve(k, call->verb, &m));
    if (how != GRI_BY_METHOD && how != GRI_BY_INVOKE)
        return false;
    gri_call_goes(call, how);
    atomic_store_explicit(&call->quick, m->kind == GR_CHEAP && a->pin == 0, memory_order_relaxed);
    call->actor = a;
    call->envelope.placed = true;
    if (gri_mailbox_enter(a, to.id, &call->envelope, GRI_PIN, &depth) == GRI_ENTERED) {
        gri_note_depth(rt, depth); /* the call may be over by now */
        return true;
    }
    call->actor = NULL;
    call->envelope.placed = false;
    return false;
}

void gri_call_post(struct gri_call *call, gr_ref to)
{
    gr_value *err = NULL;
    struct gri_actor *a;

    if (!queue(call))
        return;
    gri_point(GRI_AT_CALL_QUEUED);
    if (mail(call, to))
        return;
    a = gri_actor_enter(call->rt, to, &call->envelope, &err);
    if (a == NULL) {
        take_back(call, err);
        return;
    }
    enqueue(call, a);
}

/* check_args turns what can't be sent into the call's end. */
static bool check_args(struct gri_call *call)
{
    const gr_value *bad = NULL;

    if (call->args == NULL || gri_is_broken(call->args))
        bad = call->args;
    else if (call->config != NULL && gr_error_code(call->config) != GR_OK)
        bad = call->config;
    else
        return true;
    gri_call_end(call, bad != NULL ? gr_value_ref(bad) : NULL);
    return false;
}

/* ---- what a call counts for ------------------------------------------------------------------ */

/* budget finds or makes the call's budget, and charges it. */
static gr_value *charge_budget(struct gri_call *call, const struct caller *who,
                               const gr_call_opts *o)
{
    struct gri_budget *outer = who->parent != NULL ? gri_call_budget(who->parent) : NULL;
    bool own = gri_budget_asked(o);
    struct gri_call_more *more;
    gr_value *err;

    if (!own && outer == NULL)
        return NULL;
    more = gri_call_more(call);
    if (more != NULL)
        more->budget = own ? gri_budget_new(o, outer, call->depth) : gri_budget_ref(outer);
    if (more == NULL || more->budget == NULL)
        return gr_error(GR_ENOMEM, "out of memory");
    err = gri_budget_enter(more->budget, !own, call->depth, call->envelope.bytes);
    call->budgeted = err == NULL;
    if (err != NULL)
        gri_count(call->rt->sched.ledger, GRI_COUNT_REFUSED_BUDGET, 1);
    return err;
}

static gr_value *charge_asker(struct gri_call *call, struct gri_actor *asker)
{
    const struct gri_bounds *b = asker != NULL ? gri_actor_bounds(asker) : NULL;
    struct gri_call_more *more;

    if (b == NULL || b->asks_max == 0)
        return NULL;
    more = gri_call_more(call);
    if (more == NULL)
        return gr_error(GR_ENOMEM, "out of memory");
    if (!gri_asks_begin(asker))
        return gr_error_with(gr_error_with(gr_error(GR_EFULL, "%u calls are under way already",
                                                    (unsigned)b->asks_max),
                                           "kind", gr_str("asks")),
                             "where", gr_str(gri_actor_name(asker)));
    more->asker = gri_actor_ref(asker).id;
    return NULL;
}

/* obey puts the call under its run's max_concurrency; its parent is no leaf any more. */
static inline gr_code obey(struct gri_call *call, struct gri_call *parent, bool own)
{
    bool limited = parent != NULL && gri_run_limit_of(parent) != NULL;
    gr_code rc;

    if (!limited && !own)
        return GR_OK;
    rc = gri_run_limit_give(call, parent, own);
    if (limited)
        gri_run_limit_leave(parent, false);
    return rc;
}

/* meter counts the call for all that has a limit; a failure ends the call. */
static bool meter(struct gri_call *call, const struct caller *who, const gr_call_opts *o)
{
    struct gri_ledger *l = call->rt->sched.ledger;
    uint32_t bytes = gri_message_bytes(call->args);
    gr_value *err = NULL;
    gr_code rc;

    call->depth = who->parent != NULL ? who->parent->depth + 1 : 1;
    if (!gri_meter_has_room(l, GRI_METER_CALLS, 1)) {
        gri_count(l, GRI_COUNT_REFUSED_CALLS, 1);
        err = gr_error(GR_EFULL, "%lld calls are in flight already",
                       (long long)l->meter[GRI_METER_CALLS].max);
    } else if ((rc = gri_check_bytes(call->rt, bytes)) != GR_OK) {
        err = gr_error(rc, "too many bytes wait in the runtime");
    } else {
        gri_meter_begin(l, GRI_METER_CALLS, GRI_COUNT_CALLS);
        call->metered = true;
        call->envelope.bytes = bytes;
        gri_charge(call->rt, call->envelope.bytes);
        err = charge_budget(call, who, o);
    }
    if (err == NULL)
        err = charge_asker(call, who->actor);
    if (err == NULL && obey(call, who->parent, o->config != NULL) != GR_OK)
        err = gr_error(GR_ENOMEM, "out of memory");
    if (err == NULL)
        return true;
    gri_call_end(call, err);
    return false;
}

/* meter_again: the call's arguments have changed, and it goes on to another actor. A chain of
 * hand-overs counts as calls, so that its budget ends it too. */
static bool meter_again(struct gri_call *call)
{
    uint32_t bytes = gri_message_bytes(call->args);
    gr_value *err;

    gri_charge(call->rt, (int64_t)bytes - (int64_t)call->envelope.bytes);
    if (call->budgeted)
        gri_budget_leave(gri_call_budget(call), call->envelope.bytes);
    call->envelope.bytes = bytes;
    if (!call->budgeted)
        return true;
    err = gri_budget_enter(gri_call_budget(call), true, call->depth, bytes);
    if (err == NULL)
        return true;
    call->budgeted = false;
    gri_count(call->rt->sched.ledger, GRI_COUNT_REFUSED_BUDGET, 1);
    gri_call_end(call, err);
    return false;
}

/* no_memory_for_config is told when the call goes on. */
static void no_memory_for_config(struct gri_call *call)
{
    gr_value_unref(call->config);
    call->config = gr_error(GR_ENOMEM, "out of memory");
}

/* look_at_config notes which keys the config has that are for one runnable, or for one run. */
static void look_at_config(struct gri_call *call)
{
    call->keyed = gr_get(call->config, "kwargs") != NULL;
    call->named =
        gr_get(call->config, "run_name") != NULL || gr_get(call->config, "run_id") != NULL;
}

/* leave_name: the run that the name was for is that of the actor which passes the call on, unless it is
 * passed on to itself. */
static void leave_name(struct gri_call *call, gr_ref to)
{
    gr_ref self;

    if (!call->named ||
        gri_runless(call->actor, atomic_load_explicit(&call->verb, memory_order_relaxed)))
        return;
    self = gri_actor_ref(call->actor);
    if (self.node == to.node && self.id == to.id)
        return;
    call->config = gri_config_unnamed(call->config);
    call->named = false;
}

/* What few calls have to be sent with. */
enum { TIMED = 1, HELD = 2 };

/* give_config: a caller that is observed has a config, too. HELD: its tree of runs is held back. */
static unsigned give_config(struct gri_call *call, const struct caller *who, gr_value *own)
{
    const gr_value *parent = who->parent != NULL ? who->parent->config : NULL;
    unsigned has;

    if (parent == NULL && own == NULL)
        return 0;
    call->config = gri_config_child(parent, own, &has);
    call->keyed = (has & GRI_HAS_KWARGS) != 0;
    call->named = (has & GRI_HAS_NAME) != 0;
    if (GRI_OBSERVES && (has & (GRI_HAS_CALLBACKS | GRI_HAS_PARENT)) != 0 &&
        ((has & GRI_HAS_CALLBACKS) != 0 || gri_call_heard(who->parent)) &&
        !gri_observe_sent(call, who->parent, (has & GRI_HAS_CALLBACKS) != 0, who->inside))
        no_memory_for_config(call);
    return gri_call_heard(call) && gri_hold_shut(call) ? HELD : 0;
}

void gri_call_set_config(struct gri_call *call, gr_value *config)
{
    bool same =
        gr_equal(gr_get(call->config, "max_concurrency"), gr_get(config, "max_concurrency"));

    gr_value_unref(call->config);
    call->config = config;
    look_at_config(call);
    if (!gri_observe_config(call) || (!same && gri_run_limit_give(call, call, true) != GR_OK))
        no_memory_for_config(call);
}

/* start_specially sends a call that is not just to be posted. */
static void start_specially(struct gri_call *call, gr_ref to, unsigned how)
{
    if ((how & TIMED) != 0 && gri_call_arm(call) != GR_OK)
        gri_call_end(call, gr_error(GR_ENOMEM, "out of memory"));
    else if ((how & HELD) == 0)
        gri_call_post(call, to);
    else if (queue(call) && !gri_hold_call(call, to))
        gri_call_post(call, to);
}

/* start sends a call on behalf of who. The owner's reference is the caller's. */
static void start(struct gri_call *call, gr_ref to, const struct caller *who, const gr_call_opts *o)
{
    unsigned how = set_deadline(call, who, o) ? TIMED : 0;

    call->target = to.node == call->rt->node ? to.id : 0;
    if ((call->parent = who->parent) != NULL && !who->inside) {
        gri_future_ref(&who->parent->future);
        atomic_init(&call->life, GRI_FOREIGN);
    }
    call->held_above = who->parent != NULL &&
                       (who->parent->held_above ||
                        atomic_load_explicit(&who->parent->held, memory_order_relaxed) != 0);
    how |= give_config(call, who, o->config);
    if (gri_sched_foreign(&call->rt->sched)) {
        gri_call_end(call, gr_error(GR_EINVAL, "the runtime is simulated, on another thread"));
        return;
    }
    if (!check_args(call) || !meter(call, who, o))
        return;
    if (how == 0 && o->timeout_ms >= 0) /* else there is something to do in between */
        atomic_init(&call->state, GRI_QUEUED);
    if (!join(call, who->scope))
        return;
    if (o->timeout_ms < 0)
        gri_call_end(call, gr_error(GR_ETIMEDOUT, "the deadline had passed before the call"));
    else if (how != 0)
        start_specially(call, to, how);
    else
        gri_call_post(call, to);
}

static gr_future *call_for(gr_runtime *rt, const struct caller *who, gr_ref to, uint16_t verb,
                           gr_value *args, const gr_call_opts *o)
{
    struct gri_call *call = gri_call_new(rt, verb, args, NULL);

    if (call == NULL) {
        gr_value_unref(o->config);
        return NULL;
    }
    start(call, to, who, o);
    return &call->future;
}

static gr_stream *stream_for(gr_runtime *rt, const struct caller *who, gr_ref to, uint16_t verb,
                             gr_value *args, gr_stream *in, const gr_call_opts *o)
{
    struct gri_call *call = gri_call_new(rt, verb, args, in);
    gr_stream *out = NULL;

    if (call != NULL && gri_call_more(call) != NULL) /* for its room hook: see gr_on_cancel */
        out = gri_stream_new(&rt->sched, o->window_chunks, o->window_bytes);
    if (out == NULL) {
        gr_value_unref(o->config);
        if (call != NULL) {
            gri_call_end(call, gr_error(GR_ENOMEM, "out of memory"));
            gri_future_unref(&call->future);
        }
        return NULL;
    }
    call->streams = true;
    call->out = out;               /* one reference is the writer's, */
    out->producer = &call->future; /* one the reader's, who owns the call */
    start(call, to, who, o);
    return out;
}

/* ---- for native methods ---------------------------------------------------------------------- */

gr_future *gri_call_sub(struct gri_call *parent, gr_ref to, uint16_t verb, gr_value *args,
                        const gr_call_opts *opts)
{
    struct caller who = { .parent = parent,
                          .scope = gri_call_run_scope(parent),
                          .actor = parent->actor,
                          .inside = true };

    if (who.scope == NULL) {
        gr_value_unref(args);
        gr_value_unref(opts != NULL ? opts->config : NULL);
        return NULL;
    }
    return call_for(parent->rt, &who, to, verb, args, opts != NULL ? opts : &no_opts);
}

gr_stream *gri_call_sub_stream(struct gri_call *parent, gr_ref to, uint16_t verb, gr_value *args,
                               gr_stream *in, const gr_call_opts *opts)
{
    struct caller who = { .parent = parent,
                          .scope = gri_call_run_scope(parent),
                          .actor = parent->actor,
                          .inside = true };

    if (who.scope == NULL) {
        gr_value_unref(args);
        gr_value_unref(opts != NULL ? opts->config : NULL);
        if (in != NULL)
            gri_stream_close(in);
        gri_stream_unref(in);
        return NULL;
    }
    return stream_for(parent->rt, &who, to, verb, args, in, opts != NULL ? opts : &no_opts);
}

/* let_go ends what ties a call to the actor that it has come to. */
static void let_go(struct gri_call *call)
{
    struct gri_actor *a = call->actor;

    call->actor = NULL;
    if (a == NULL)
        return;
    if (call->counted)
        gri_actor_release_permit(a);
    call->counted = false;
    gri_actor_unpin(a);
}

gr_value *gri_call_offer(struct gri_call *call, gr_ref to)
{
    gr_value *err = NULL;
    struct gri_actor *a = gri_actor_enter(call->rt, to, &call->envelope, &err);

    if (a == NULL)
        return err;
    gri_call_unhook(call);
    let_go(call);
    atomic_store(&call->state, GRI_QUEUED); /* seq_cst: as in gri_call_post */
    if (!gri_call_cancelled(call)) {
        enqueue(call, a);
        return NULL;
    }
    gri_envelope_leave(a, &call->envelope);
    gri_actor_unpin(a);
    take_back(call, NULL);
    return NULL;
}

void gri_call_forward(struct gri_call *call, gr_ref to, uint16_t verb, gr_value *args,
                      gr_stream *in)
{
    gri_call_unhook(call);
    leave_name(call, to);
    if (gri_run_limit_of(call) != NULL)
        gri_run_limit_leave(call, false);
    if (args != NULL) {
        gr_value_unref(call->args);
        call->args = args;
    }
    if (in != NULL) {
        gri_stream_unref(call->in);
        call->in = in;
    }
    atomic_store_explicit(&call->verb, verb, memory_order_relaxed);
    let_go(call);
    if (check_args(call) && meter_again(call))
        gri_call_post(call, to);
}

/* ---- for users ------------------------------------------------------------------------------- */

static gr_future *acall(gr_runtime *rt, gr_ref to, uint16_t verb, gr_value *args,
                        const gr_call_opts *opts)
{
    const gr_call_opts *o = opts != NULL ? opts : &no_opts;
    struct caller who = caller_of(rt, o);

    return call_for(rt, &who, to, verb, args, o);
}

gr_future *gr_acall(gr_runtime *rt, gr_ref to, const char *verb, gr_value *args,
                    const gr_call_opts *opts)
{
    uint16_t id = verb != NULL ? gri_verb_id(&rt->verbs, verb) : GRI_VERB_NONE;

    if (id == GRI_VERB_NONE) {
        gr_value_unref(args);
        gr_value_unref(opts != NULL ? opts->config : NULL);
        return gri_future_failed(&rt->sched, verb == NULL
                                                 ? gr_error(GR_EINVAL, "no verb")
                                                 : gr_error(GR_EFULL, "too many different verbs"));
    }
    return acall(rt, to, id, args, opts);
}

gr_value *gr_do(gr_runtime *rt, gr_ref to, const char *verb, gr_value *args,
                const gr_call_opts *opts, gr_value **reterr)
{
    return gr_take(gr_acall(rt, to, verb, args, opts), reterr);
}

gr_future *gr_started(gr_runtime *rt, gr_ref who)
{
    return acall(rt, who, GRI_STARTED, gr_nil(), NULL);
}

gr_future *gri_started(gr_scope *scope, gr_ref who)
{
    struct caller nobody = { .scope = scope };

    return call_for(scope->rt, &nobody, who, GRI_STARTED, gr_nil(), &no_opts);
}

gr_future *gr_ainvoke(gr_runtime *rt, gr_ref r, gr_value *input, const gr_call_opts *opts)
{
    return acall(rt, r, GRI_INVOKE, input, opts);
}

gr_value *gr_invoke(gr_runtime *rt, gr_ref r, gr_value *input, const gr_call_opts *opts,
                    gr_value **reterr)
{
    return gr_take(acall(rt, r, GRI_INVOKE, input, opts), reterr);
}

/* no_list is the error for inputs that are no list: their own, if they are one or broken. */
static gr_value *no_list(gr_value *inputs GR_TAKES)
{
    inputs = gri_answer(inputs);
    if (gr_error_code(inputs) != GR_OK)
        return inputs;
    gr_value_unref(inputs);
    return gr_error(GR_ETYPE, "batch needs a list of inputs");
}

/* batch_args makes the arguments of a batch, and takes a list of configs out of o; an error value for
 * what is no list. */
static gr_value *batch_args(gr_value *inputs GR_TAKES, gr_call_opts *o)
{
    gr_value *args;

    if (gr_value_type(inputs) != GR_LIST)
        return no_list(inputs);
    args =
        gr_map(GR_KV("inputs", inputs), GR_KV("return_exceptions", gr_bool(o->return_exceptions)));
    if (gr_value_type(o->config) != GR_LIST)
        return args;
    args = gr_set(args, "configs", o->config);
    o->config = NULL;
    return args;
}

/* own_opts copies what the caller's options have, which may be of an older, shorter struct. */
static gr_call_opts own_opts(const gr_call_opts *opts)
{
    gr_call_opts o = no_opts;

    if (opts != NULL)
        memcpy(&o, opts, opts->size < sizeof(o) ? opts->size : sizeof(o));
    o.size = sizeof(o);
    return o;
}

gr_future *gr_abatch(gr_runtime *rt, gr_ref r, gr_value *inputs, const gr_call_opts *opts)
{
    gr_call_opts o = own_opts(opts);
    gr_value *args = batch_args(inputs, &o);

    if (gr_error_code(args) == GR_OK)
        return acall(rt, r, GRI_BATCH, args, &o);
    gr_value_unref(o.config);
    return gri_future_failed(&rt->sched, args);
}

gr_value *gr_batch(gr_runtime *rt, gr_ref r, gr_value *inputs, const gr_call_opts *opts,
                   gr_value **reterr)
{
    return gr_take(gr_abatch(rt, r, inputs, opts), reterr);
}

static gr_stream *astream(gr_runtime *rt, gr_ref to, uint16_t verb, gr_value *args, gr_stream *in,
                          const gr_call_opts *opts)
{
    const gr_call_opts *o = opts != NULL ? opts : &no_opts;
    struct caller who = caller_of(rt, o);

    return stream_for(rt, &who, to, verb, args, in, o);
}

gr_stream *gr_astream(gr_runtime *rt, gr_ref r, gr_value *input, const gr_call_opts *opts)
{
    return astream(rt, r, GRI_STREAM, input, NULL, opts);
}

gr_stream *gr_abatch_as_completed(gr_runtime *rt, gr_ref r, gr_value *inputs,
                                  const gr_call_opts *opts)
{
    gr_call_opts o = own_opts(opts);
    gr_value *args = batch_args(inputs, &o);

    return astream(rt, r, GRI_BATCH_AS_COMPLETED, args, NULL, &o);
}

gr_stream *gr_atransform(gr_runtime *rt, gr_ref r, gr_stream *input, const gr_call_opts *opts)
{
    if (input == NULL) {
        gr_value_unref(opts != NULL ? opts->config : NULL);
        return NULL;
    }
    return astream(rt, r, GRI_TRANSFORM, gr_nil(), input, opts);
}

gr_stream *gr_astream_call(gr_runtime *rt, gr_ref to, const char *verb, gr_value *args,
                           gr_stream *input, const gr_call_opts *opts)
{
    return astream(rt, to, gri_verb_id(&rt->verbs, verb), args, input, opts);
}

/* read_all feeds fn with the chunks of s, which it frees. */
static gr_code read_all(gr_stream *s, gr_chunk_fn *fn, void *arg, gr_value **reterr)
{
    bool more = true;
    gr_outcome o = { .code = GR_OK };

    while (more && (o = gr_next(s, -1)).code == GR_OK)
        more = fn(arg, o.value);
    if (o.code != GR_OK && o.code != GR_EOS && reterr != NULL)
        *reterr = o.error != NULL ? gr_value_ref(o.error)
                                  : gr_error(o.code, "the stream could not be read");
    gr_stream_free(s);
    return o.code == GR_EOS ? GR_OK : o.code;
}

gr_code gr_do_stream(gr_runtime *rt, gr_ref r, gr_value *input, const gr_call_opts *opts,
                     gr_chunk_fn *fn, void *arg, gr_value **reterr)
{
    return read_all(gr_astream(rt, r, input, opts), fn, arg, reterr);
}

gr_code gr_do_batch_as_completed(gr_runtime *rt, gr_ref r, gr_value *inputs,
                                 const gr_call_opts *opts, gr_chunk_fn *fn, void *arg,
                                 gr_value **reterr)
{
    return read_all(gr_abatch_as_completed(rt, r, inputs, opts), fn, arg, reterr);
}

gr_code gr_do_transform(gr_runtime *rt, gr_ref r, gr_stream *input, const gr_call_opts *opts,
                        gr_chunk_fn *fn, void *arg, gr_value **reterr)
{
    return read_all(gr_atransform(rt, r, input, opts), fn, arg, reterr);
}
