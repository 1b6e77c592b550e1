/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turn.c - an actor at work: which message is next, who runs it, and when the turn ends. See
 * actor.h.
 */
#include "runtime/actor/actor.h"

#include "runtime/actor/bounds.h"
#include "runtime/actor/held.h"
#include "runtime/actor/mailbox.h"
#include "runtime/actor/observed.h"
#include "runtime/actor/run_limit.h"
#include "runtime/actor/runtime_impl.h"
#include "runtime/actor/send.h"
#include "runtime/actor/tie.h"

#define TURN_BUDGET 64 /* messages in a row before others get the worker */

/* ---- calls ----------------------------------------------------------------------------------- */

static bool start_call(struct gri_call *call)
{
    uint32_t queued = GRI_QUEUED;

    gri_point(GRI_AT_CALL_START);
    return atomic_compare_exchange_strong(&call->state, &queued, GRI_RUNNING);
}

/* A cancellation came first and has ended the call: throw the shell away. */
void gri_call_drop_shell(struct gri_actor *a, struct gri_call *call)
{
    if (call->counted)
        gri_actor_release_permit(a);
    gri_actor_unpin(a);
    gri_future_unref(&call->future);
}

static const gr_method *method_of(struct gri_actor *a, struct gri_call *call)
{
    const gr_method *m = NULL;

    gri_klass_resolve(a->klass, call->verb, &m);
    return m;
}

static void fail_queued(struct gri_actor *a, struct gri_call *call, gr_value *err)
{
    gri_envelope_leave(a, &call->envelope);
    if (start_call(call)) {
        gri_call_end(call, err);
    } else {
        gr_value_unref(err);
        gri_call_drop_shell(a, call);
    }
}

/* no_thread is the error for a call that the blocking pool has refused. */
static gr_value *no_thread(struct gri_actor *a, gr_code rc)
{
    if (rc != GR_ECANCELED)
        gri_count(a->rt->sched.ledger, GRI_COUNT_REFUSED_BLOCKING, 1);
    return gr_error(rc, "the blocking pool takes no more work");
}

/* answer_probe tells that the actor's init is done. */
static void answer_probe(struct gri_actor *a, struct gri_call *call)
{
    gri_envelope_leave(a, &call->envelope);
    if (start_call(call))
        gri_call_end(call, gr_nil());
    else
        gri_call_drop_shell(a, call);
}

/* Runs a call of a stateless actor, on a worker or a blocking thread. */
static void call_run(struct gri_task *t)
{
    struct gri_call *call = gri_container_of(t, struct gri_call, task);
    struct gri_actor *a = call->actor;

    if ((atomic_load_explicit(&a->flags, memory_order_relaxed) & GRI_STOPPING) != 0) {
        fail_queued(a, call, gri_actor_error(a, gri_actor_name(a)));
        return;
    }
    if (start_call(call)) {
        /* which leaves the mailbox, since it knows when that is cheapest */
        gri_handle_call(a, call);
    } else {
        gri_envelope_leave(a, &call->envelope);
        gri_call_drop_shell(a, call);
    }
}

/* submit offers the call to the blocking pool. GR_ECANCELED: it was cancelled meanwhile, or the pool
 * stops. */
static gr_code submit(struct gri_actor *a, struct gri_call *call)
{
    gri_job_offer(&call->job);
    if (atomic_load(&call->state) == GRI_DROPPED) /* seq_cst: pairs with gri_call_withdraw */
        return GR_ECANCELED;
    return gri_blocking_submit(&a->rt->sched.blocking, &call->job);
}

bool gri_call_withdraw(struct gri_call *call)
{
    return gri_job_offered(&call->job) &&
           gri_blocking_withdraw(&call->rt->sched.blocking, &call->job);
}

/* sends_here: an observed call may be made where its tree of runs is locked. */
static bool sends_here(const struct gri_actor *a, const struct gri_call *call, const gr_method *m)
{
    const struct gri_worker *w = gri_exec()->worker;

    return m->kind == GRI_SENDING && a->pin == 0 && w != NULL && w->sched == &a->rt->sched &&
           !gri_call_heard(call);
}

/* dispatch hands a stateless actor's call to whoever runs it, once its run lets it. */
static void dispatch(struct gri_actor *a, struct gri_call *call)
{
    const gr_method *m = method_of(a, call);
    struct gri_sched *s = &a->rt->sched;
    gr_code rc;

    if ((m->kind == GR_ASYNC || m->kind == GR_BLOCKING) && call->in == NULL &&
        !gri_run_limit_enter(call))
        return;
    if (m->kind != GR_BLOCKING) {
        call->task.run = call_run;
        if (sends_here(a, call, m))
            call_run(&call->task);
        else if (a->pin != 0)
            gri_ready_on(s, &call->task, a->pin - 1);
        else
            gri_ready(s, &call->task);
        return;
    }
    rc = submit(a, call);
    if (rc != GR_OK)
        fail_queued(a, call, no_thread(a, rc));
}

void gri_call_dispatch(struct gri_call *call)
{
    dispatch(call->actor, call);
}

/* serve_default takes a call whose verb the class has only by a default that needs no turn. */
static bool serve_default(struct gri_actor *a, struct gri_call *call, enum gri_how how)
{
    if (how == GRI_BY_METHOD || how == GRI_BY_INVOKE)
        return false;
    if (how == GRI_BY_ACTOR) {
        if ((atomic_load_explicit(&a->flags, memory_order_acquire) & GRI_READY) == 0)
            return false;
        answer_probe(a, call);
        return true;
    }
    if (how == GRI_BY_NOTHING) {
        fail_queued(a, call,
                    gr_error_with(gr_error(GR_ETYPE, "%s has no method '%s'", gri_actor_name(a),
                                           gri_call_verb(call)),
                                  "where", gr_str(gri_actor_name(a))));
        return true;
    }
    gri_envelope_leave(a, &call->envelope);
    if (start_call(call))
        gri_default_run(call, how);
    else
        gri_call_drop_shell(a, call);
    return true;
}

/* put brings a call to the mailbox. A listener is noted first: from then on the turn has the call. */
static void put(struct gri_actor *a, struct gri_call *call)
{
    if (gri_actor_listened(a))
        gri_actor_listen(a, call);
    gri_mailbox_put(a, &call->envelope);
}

void gri_actor_send_call(struct gri_actor *a, struct gri_call *call)
{
    const gr_method *m = NULL;
    enum gri_how how = gri_klass_resolve(a->klass, call->verb, &m);

    how = gri_observe_how(a->klass, call, how);
    if (serve_default(a, call, how))
        return;
    gri_call_goes(call, how);
    if (a->klass->stateless && gri_actor_permits(a) == 0 &&
        (atomic_load_explicit(&a->flags, memory_order_acquire) & (GRI_READY | GRI_LISTENED)) ==
            GRI_READY)
        dispatch(a, call);
    else
        put(a, call);
}

/* Out of memory nobody hears of it. */
void gri_actor_listen(struct gri_actor *a, struct gri_call *call)
{
    gri_observe_local(call, gri_actor_rare(a)->callbacks);
}

void gri_actor_release_permit(struct gri_actor *a)
{
    /* seq_cst: of "give a permit back, read HELD" and "set HELD, look at running" the later sees
     * the other */
    atomic_fetch_sub(&gri_actor_rare(a)->running, 1);
    if ((atomic_load(&a->flags) & GRI_HELD) != 0 &&
        (atomic_fetch_and(&a->flags, ~(uint32_t)GRI_HELD) & GRI_HELD) != 0)
        gri_mailbox_kick(a); /* a turn that is on its way already looks for permits itself */
}

/* ---- blocking methods of actors with state: the actor is held until they are done ------------ */

static void held_run(struct gri_actor *a, struct gri_call *call, gr_code rc)
{
    /* it can't end while it is held: only a turn puts IDLE back */
    if (!start_call(call))
        gri_call_drop_shell(a, call);
    else if (rc != GR_OK)
        gri_call_end(call, no_thread(a, rc));
    else if ((atomic_load(&a->flags) & GRI_EXITING) != 0)
        gri_call_end(call, gri_actor_error(a, gri_actor_name(a)));
    else
        gri_handle_call(a, call);
    gri_actor_ready_turn(a);
}

void gri_call_on_pool(struct gri_job *job, gr_code rc)
{
    struct gri_call *call = gri_container_of(job, struct gri_call, job);
    struct gri_actor *a = call->actor;

    if (!a->klass->stateless)
        held_run(a, call, rc);
    else if (rc != GR_OK)
        fail_queued(a, call, no_thread(a, rc));
    else
        call_run(&call->task);
}

/* hold sends the call to the blocking pool; false: it failed, and the turn goes on. */
static bool hold(struct gri_actor *a, struct gri_call *call)
{
    gr_code rc;

    gri_actor_settle(a);
    gri_actor_offer_room(a);
    rc = submit(a, call);
    if (rc == GR_OK)
        return true;
    if (start_call(call))
        gri_call_end(call, no_thread(a, rc));
    else
        gri_call_drop_shell(a, call);
    return false;
}

/* ---- the turn -------------------------------------------------------------------------------- */

/* What a turn does after a message. LEAVE: somebody else readies the next one. LOST: likewise, and this
 * frame may never have gone on. */
enum next { GO_ON, LEAVE, LOST };

static gr_value *waited_too_long(const struct gri_actor *a)
{
    return gr_error_with(gr_error(GR_EFULL, "the call waited for more than twice queue_ms"),
                         "where", gr_str(gri_actor_name(a)));
}

/* owe takes e's place, for the turn to give back. */
static void owe(struct gri_actor *a, struct gri_envelope *e)
{
    if (!e->placed || gri_actor_bounds(a) != NULL) {
        gri_actor_handled(a, 1);
        gri_envelope_leave(a, e);
        return;
    }
    e->placed = false;
    a->owed++;
    if (a->owed > a->owed_max)
        gri_actor_settle(a);
}

static enum next turn_call(struct gri_actor *a, struct gri_call *call)
{
    const gr_method *m = method_of(a, call);

    call->counted = gri_actor_permits(a) != 0;
    if (!gri_bounds_taken(a, &call->envelope)) {
        gri_count(a->rt->sched.ledger, GRI_COUNT_REFUSED_QUEUE_MS, 1);
        fail_queued(a, call, waited_too_long(a));
        return GO_ON;
    }
    if (a->klass->stateless) {
        dispatch(a, call);
        return GO_ON;
    }
    owe(a, &call->envelope);
    if (m->kind == GR_BLOCKING)
        return hold(a, call) ? LEAVE : GO_ON;
    if (start_call(call))
        gri_handle_call(a, call);
    else
        gri_call_drop_shell(a, call);
    return GO_ON;
}

static void turn_tell(struct gri_actor *a, struct gri_envelope *e, bool live)
{
    bool stashed = !e->placed; /* it has a pin instead of a place */
    gr_value *msg;

    owe(a, e);
    if (stashed)
        gri_actor_unpin(a);
    msg = gri_tell_open(a->rt, e);
    if (e != a->left)
        gri_tell_discard(e);
    if (live)
        gri_handle_tell(a, msg);
    else
        gr_value_unref(msg);
}

void gri_envelope_drop(struct gri_actor *a, struct gri_envelope *e, gr_value *err)
{
    if (e->kind == GRI_CALL) {
        fail_queued(a, gri_container_of(e, struct gri_call, envelope), err);
        return;
    }
    gr_value_unref(err); /* what lies there is either a call or a tell: see gri_mailbox_put */
    gri_envelope_leave(a, e);
    gr_value_unref(gri_tell_open(a->rt, e));
    gri_tell_discard(e);
}

/* refuse fails a message of an actor that stops. */
static void refuse(struct gri_actor *a, struct gri_envelope *e)
{
    gri_bounds_sentence(a);
    switch (e->kind) {
    case GRI_CALL:
    case GRI_PROBE:
        fail_queued(a, gri_container_of(e, struct gri_call, envelope),
                    gri_actor_error(a, gri_actor_name(a)));
        break;
    case GRI_TELL:
        gri_dead_letter(a->rt, "told to an actor that ended");
        turn_tell(a, e, false);
        break;
    case GRI_LATER: gri_later_run(a, e, false); break;
    case GRI_THEN: gri_then_run(a, e, false); break;
    case GRI_RESUME: /* a handler that has begun runs to its end: see turn_message */ break;
    }
}

static enum next turn_message(struct gri_actor *a, struct gri_envelope *e)
{
    if (e->kind == GRI_RESUME) {
        /* A handler of a reentrant class goes on, then its own turn frame does. This frame's stack
         * goes to the spares, to return here at some time. */
        gri_actor_unpin(a); /* taken when the handler gave the turn away */
        gri_run_fiber(gri_container_of(e, struct gri_resume, envelope)->fiber);
        return LOST;
    }
    if ((atomic_load(&a->flags) & (GRI_STOPPING | GRI_FAILED)) != 0) {
        refuse(a, e);
        return GO_ON;
    }
    if (e->kind == GRI_CALL)
        return turn_call(a, gri_container_of(e, struct gri_call, envelope));
    if (e->kind == GRI_PROBE) {
        answer_probe(a, gri_container_of(e, struct gri_call, envelope));
    } else if (e->kind == GRI_TELL) {
        gri_bounds_taken(a, e);
        turn_tell(a, e, true);
    } else if (e->kind == GRI_LATER) {
        gri_later_run(a, e, true);
    } else {
        gri_then_run(a, e, true);
    }
    return GO_ON;
}

static void do_init(struct gri_actor *a)
{
    uint32_t flags = atomic_load(&a->flags);

    a->init_done = true;
    if ((flags & GRI_EXITING) != 0) { /* it is to end before it began */
        atomic_fetch_or(&a->flags, GRI_FAILED);
    } else if (a->klass->cls->init != NULL && gri_handle_init(a) != GR_OK) {
        flags = atomic_fetch_or(&a->flags, GRI_FAILED | GRI_SAID);
        if ((flags & GRI_STOPPING) == 0)
            gri_actor_die(a); /* it stays to say why, but as one that has ended */
    }
    /* release: who finds READY may call methods past the turn */
    atomic_fetch_or_explicit(&a->flags, GRI_READY, memory_order_release);
}

/* may_drain readies an actor that stops for dropping its own pin; and takes the pins of what it has
 * deferred when it exits. false: it is not empty. */
static bool may_drain(struct gri_actor *a)
{
    if (gri_stash_holds(a))
        return false; /* told to stop just now: what is in the stash must be refused first */
    gri_bounds_sentence(a);
    if ((atomic_load(&a->flags) & (GRI_EXITING | GRI_LOOSE)) == GRI_EXITING)
        gri_held_loosen(a);
    return true;
}

/* queues_outside tells whether messages may wait where they are not in the inbox: in memory that only a
 * pin keeps once the turn is over. */
static bool queues_outside(const struct gri_actor *a)
{
    const struct gri_bounds *b = gri_actor_bounds(a);

    return b != NULL && b->overflow == GR_OVERFLOW_DROP_OLDEST;
}

/* due tells whether there is something to do that no message says. */
static bool due(const struct gri_actor *a, bool waits, bool outside)
{
    uint32_t flags = atomic_load(&a->flags);

    return ((flags & GRI_STOPPING) != 0 && (gri_actor_load(a) & GRI_LOAD_DRAINED) == 0) ||
           (flags & (GRI_EXITING | GRI_LOOSE)) == GRI_EXITING ||
           (flags & (GRI_SIGNALS | GRI_STOPPING | GRI_FAILED)) == GRI_SIGNALS ||
           (waits && (flags & GRI_HELD) == 0) || (outside && gri_bounds_waits(a));
}

/* heed runs what one signal asks for; false: there is none. */
static bool heed(struct gri_actor *a)
{
    struct gri_signal *s;

    if ((atomic_load_explicit(&a->flags, memory_order_relaxed) &
         (GRI_SIGNALS | GRI_STOPPING | GRI_FAILED)) != GRI_SIGNALS)
        return false;
    s = gri_signal_take(a);
    if (s != NULL)
        s->run(a, s, true);
    return s != NULL;
}

/* permit takes one of max_concurrency; false: none is left. An actor that stops asks for none,
 * since it refuses all calls. */
static bool permit(struct gri_actor *a, struct gri_rare *r)
{
    if ((atomic_load(&a->flags) & (GRI_STOPPING | GRI_FAILED)) != 0 ||
        atomic_fetch_add(&r->running, 1) < r->max_concurrency)
        return true;
    atomic_fetch_sub(&r->running, 1);
    return false;
}

/* take: what was put back from the stash, then the mailbox. An actor that stops takes what is still
 * in the stash, too, to refuse it. */
static struct gri_envelope *take(struct gri_actor *a)
{
    const struct gri_rare *r = gri_actor_rare(a);
    struct gri_envelope *e = NULL;

    if (r != NULL && r->stash != NULL)
        e = gri_stash_next(a, (atomic_load(&a->flags) & (GRI_STOPPING | GRI_FAILED)) != 0);
    if (e == NULL)
        e = gri_mailbox_pop(a);
    return e != NULL || gri_actor_bounds(a) == NULL ? e : gri_bounds_pop(a);
}

/*
 * next_message takes what the turn does next: a call that waited for a permit if there is one now,
 * else the mailbox's first. Calls without a permit step aside, in order: what lets the calls under
 * way end, a handler that goes on, a continuation, a tell, must get past them.
 */
static struct gri_envelope *next_message(struct gri_actor *a)
{
    struct gri_rare *r = gri_actor_rare(a);
    struct gri_envelope *e;

    if (r == NULL || r->max_concurrency == 0)
        return take(a);
    e = r->waiting.first;
    if (e != NULL && permit(a, r)) {
        gri_envelope_pop(&r->waiting);
        return e;
    }
    while ((e = take(a)) != NULL && e->kind == GRI_CALL &&
           (r->waiting.first != NULL || !permit(a, r)))
        gri_envelope_push(&r->waiting, e);
    return e;
}

/* go_idle ends the turn; with drain the actor's own pin goes. */
static enum gri_rest go_idle(struct gri_actor *a, bool drain, bool waits)
{
    uint64_t id = atomic_load_explicit(&a->id, memory_order_relaxed);
    bool pinned = queues_outside(a);
    enum gri_rest how;

    if (pinned)
        gri_actor_pin_again(a);
    how = gri_mailbox_go_idle(a, drain);
    if (how == GRI_WENT_IDLE) {
        gri_point(GRI_AT_WENT_IDLE);
        /* Told to stop or something else, or given a permit, just now, by somebody who saw us running; a
         * push may have readied another turn meanwhile, so nothing of the turn's own may be looked at
         * here. That turn may have ended the actor, too, so what its slot says by now may be of the
         * next one. */
        if (due(a, waits, pinned))
            gri_mailbox_kick_id(a, id);
    }
    if (pinned)
        gri_actor_unpin(a);
    return how;
}

/* rest ends a turn that has nothing to do. */
static enum gri_rest rest(struct gri_actor *a)
{
    struct gri_rare *r = gri_actor_rare(a);
    bool waits = r != NULL && r->waiting.first != NULL;
    bool stops = (atomic_load(&a->flags) & GRI_STOPPING) != 0;

    if (waits) {
        atomic_fetch_or(&a->flags, GRI_HELD);
        if (atomic_load(&r->running) < r->max_concurrency)
            return GRI_SOMETHING_CAME;
    } else if (stops && !may_drain(a)) {
        return GRI_SOMETHING_CAME;
    }
    return go_idle(a, stops && !waits, waits);
}

/* count_turn counts a turn that ends here, and its messages. */
static inline void count_turn(unsigned messages)
{
    struct gri_tally *t = gri_exec()->worker->tally;

    gri_tally_count(t, GRI_COUNT_MESSAGES, messages);
    gri_tally_count(t, GRI_COUNT_TURNS, 1);
}

/* yield_turn lets others have the worker, and goes on later. */
static void yield_turn(struct gri_actor *a)
{
    gri_actor_settle(a);
    if (a->pin != 0)
        gri_actor_ready_turn(a); /* its worker's inbox is served in order, after what lies there */
    else
        gri_ready_later(&a->rt->sched, &a->turn);
}

void gri_actor_give_turn_away(struct gri_actor *a)
{
    gri_actor_ready_turn(a);
}

/*
 * A turn: messages one by one, up to a budget. In a reentrant class a handler that waits gives the
 * turn away, and the RESUME message gives it back.
 */
void gri_turn_run(struct gri_task *t)
{
    struct gri_actor *a = gri_container_of(t, struct gri_actor, turn);
    unsigned budget = TURN_BUDGET;
    enum gri_rest how = GRI_SOMETHING_CAME;
    enum next next = GO_ON;

    if (!a->init_done)
        do_init(a);
    while (next == GO_ON) {
        if (!heed(a)) {
            struct gri_envelope *e = next_message(a);

            if (e == NULL) {
                how = rest(a);
                if (how == GRI_SOMETHING_CAME)
                    continue;
                break;
            }
            if (e->kind == GRI_RESUME) /* this frame may never go on */
                count_turn(TURN_BUDGET - budget);
            next = turn_message(a, e);
            if (next == LOST)
                return;
        }
        budget--;
        if (next == GO_ON && (budget == 0 || gri_fault(GRI_AT_SHORT_TURN))) {
            count_turn(TURN_BUDGET - budget);
            yield_turn(a);
            return;
        }
    }
    count_turn(TURN_BUDGET - budget);
    if (how == GRI_OVER)
        gri_actor_finish_run(&a->turn);
}
