/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/actor/actor.h"

#include "runtime/actor/runtime_impl.h"
#include "runtime/base/alloc.h"

#define TURN_BUDGET 64 /* messages in a row before others get the worker */
#define IDLE ((struct gri_envelope *)(uintptr_t)1)

static struct gri_actor *actor_of(struct gri_task *t)
{
    return gri_container_of(t, struct gri_actor, turn);
}

const char *gri_actor_name(const struct gri_actor *a)
{
    return a->name != NULL ? a->name : a->klass->cls->name;
}

gr_ref gri_actor_ref(const struct gri_actor *a)
{
    return (gr_ref){ .node = a->rt->node, .id = atomic_load_explicit(&a->id, memory_order_relaxed) };
}

/* ready_turn_task readies what a->turn stands for: a turn, or the finish. */
static void ready_turn_task(struct gri_actor *a)
{
    if (a->pin != 0)
        gri_ready_on(&a->rt->sched, &a->turn, a->pin - 1);
    else
        gri_ready(&a->rt->sched, &a->turn);
}

/* ready_turn readies a turn, which holds a pin from here to its end. */
static void ready_turn(struct gri_actor *a)
{
    atomic_fetch_add(&a->load, GRI_PIN);
    ready_turn_task(a);
}

/* ---- pins ------------------------------------------------------------------------------------- */

static void finish_run(struct gri_task *t);

void gri_actor_unpin(struct gri_actor *a)
{
    /* seq_cst on load and flags: of "set STOPPING, drop the own pin" and "drop my pin, read STOPPING" the
     * later one sees the other, so the last pin is noticed */
    uint64_t old = atomic_fetch_sub(&a->load, GRI_PIN);

    if ((uint32_t)old != 1 || (atomic_load(&a->flags) & GRI_DRAINED) == 0)
        return;
    if ((atomic_fetch_or(&a->flags, GRI_FINISHING) & GRI_FINISHING) != 0)
        return;
    a->turn.run = finish_run; /* no turn is queued or running: it would hold a pin */
    ready_turn_task(a);
}

static gr_value *ref_error(gr_runtime *rt, gr_ref ref)
{
    if (ref.node == 0 && ref.id != 0)
        return gr_error((gr_code)ref.id, "the ref is broken: its actor could not be made");
    if (ref.node == 0)
        return gr_error(GR_EINVAL, "no actor: the ref is empty");
    if (ref.node != rt->node)
        return gr_error(GR_EUNREACH, "the ref belongs to another node, which is not linked");
    return gr_error(GR_EDEAD, "the actor has stopped");
}

static void wake_senders(struct gri_actor *a)
{
    struct gri_list *n;

    gri_lock(&a->room_lock);
    while ((n = gri_list_pop(&a->room)) != NULL) {
        struct gri_room *r = gri_container_of(n, struct gri_room, node);

        gri_park_wake(&r->park, GRI_WOKEN); /* under the lock: the sender takes it to leave its frame */
    }
    gri_unlock(&a->room_lock);
}

void gri_actor_unqueue(struct gri_actor *a)
{
    uint64_t load = atomic_fetch_sub(&a->load, GRI_ONE_QUEUED) - GRI_ONE_QUEUED;

    /* seq_cst: pairs with a waiting sender, which counts itself and then looks at the load. Half empty:
     * waking senders for each place would cost a switch a message. */
    if (atomic_load(&a->room_waiting) != 0 && load >> 32 <= a->mailbox_max / 2)
        wake_senders(a);
}

void gri_actor_offer_room(struct gri_actor *a)
{
    if (atomic_load(&a->room_waiting) != 0 && atomic_load(&a->load) >> 32 < a->mailbox_max)
        wake_senders(a);
}

gr_code gri_actor_wait_room(struct gri_actor *a)
{
    struct gri_room room;
    uint32_t why = 0;
    gr_code rc = GR_OK;

    gri_park_init(&room.park);
    gri_list_init(&room.node);
    gri_lock(&a->room_lock);
    gri_list_push(&a->room, &room.node);
    atomic_fetch_add(&a->room_waiting, 1);
    gri_unlock(&a->room_lock);
    if (atomic_load(&a->load) >> 32 >= a->mailbox_max &&
        (atomic_load(&a->flags) & GRI_STOPPING) == 0)
        rc = gri_park_wait(&room.park, GRI_NEVER, true, &why);
    gri_lock(&a->room_lock);
    gri_list_remove(&room.node);
    atomic_fetch_sub(&a->room_waiting, 1);
    gri_unlock(&a->room_lock);
    if (rc == GR_OK && why == GRI_INTERRUPTED)
        rc = GR_EINTR;
    return rc;
}

struct gri_actor *gri_actor_pin(gr_runtime *rt, gr_ref ref, bool queue, gr_value **ret_err)
{
    struct gri_actor *a = NULL;
    uint64_t add = queue ? GRI_PIN + GRI_ONE_QUEUED : GRI_PIN;
    uint64_t old;

    if (ref.node == rt->node)
        a = gri_registry_find(&rt->registry, ref.id);
    if (a == NULL) {
        *ret_err = ref_error(rt, ref);
        return NULL;
    }
    old = atomic_fetch_add(&a->load, add);
    if (atomic_load(&a->id) != ref.id ||
        (atomic_load(&a->flags) & (GRI_STOPPING | GRI_FAILED)) != 0) {
        *ret_err = ref_error(rt, ref);
        /* only while it is still the same actor may its error be read: our pin keeps it so, see give_back */
        if (atomic_load(&a->id) == ref.id && (atomic_load(&a->flags) & GRI_SAID) != 0) {
            gr_value_unref(*ret_err);
            *ret_err = gr_value_ref(a->error);
        }
    } else if (queue && old >> 32 >= a->mailbox_max) {
        *ret_err = gr_error_with(gr_error(GR_EFULL, "the mailbox is full (%u messages)",
                                          (unsigned)a->mailbox_max),
                                 "where", gr_str(gri_actor_name(a)));
    } else {
        return a;
    }
    if (queue)
        gri_actor_unqueue(a);
    gri_actor_unpin(a);
    return NULL;
}

/* ---- the mailbox -------------------------------------------------------------------------------- */

void gri_actor_post(struct gri_actor *a, struct gri_envelope *e)
{
    struct gri_envelope *head = atomic_load_explicit(&a->inbox, memory_order_relaxed);

    do {
        e->task.next = head != IDLE && head != NULL ? &head->task : NULL;
        /* release: the envelope's content is published; acquire: if we take over from IDLE, the last
         * turn's effects are seen by the one that we ready */
    } while (!atomic_compare_exchange_weak_explicit(&a->inbox, &head, e, memory_order_acq_rel,
                                                    memory_order_relaxed));
    if (head == IDLE)
        ready_turn(a);
}

static struct gri_envelope *envelope_of(struct gri_task *t)
{
    return t != NULL ? gri_container_of(t, struct gri_envelope, task) : NULL;
}

static struct gri_envelope *pop(struct gri_actor *a)
{
    struct gri_envelope *e = a->ready;
    struct gri_envelope *in_order = NULL;

    if (e == NULL) {
        /* acquire: pairs with the push's release */
        e = atomic_exchange_explicit(&a->inbox, NULL, memory_order_acquire);
        while (e != NULL) {
            struct gri_envelope *below = envelope_of(e->task.next);

            e->task.next = in_order != NULL ? &in_order->task : NULL;
            in_order = e;
            e = below;
        }
        e = in_order;
    }
    if (e != NULL)
        a->ready = envelope_of(e->task.next);
    return e;
}

/* go_idle ends the turn: true, the next push readies a new one. false: something came. */
static bool go_idle(struct gri_actor *a)
{
    struct gri_envelope *empty = NULL;

    return atomic_compare_exchange_strong(&a->inbox, &empty, IDLE);
}

/* kick readies a turn if none is queued or running: for what is told by flags. */
static void kick(struct gri_actor *a)
{
    struct gri_envelope *idle = IDLE;

    if (atomic_compare_exchange_strong(&a->inbox, &idle, NULL))
        ready_turn(a);
}

/* ---- calls --------------------------------------------------------------------------------------- */

static bool start_call(struct gri_call *call)
{
    uint32_t queued = GRI_QUEUED;

    return atomic_compare_exchange_strong(&call->state, &queued, GRI_RUNNING);
}

/* A cancellation came first and has ended the call: throw the shell away. */
static void drop_shell(struct gri_actor *a, struct gri_call *call)
{
    if (call->counted)
        gri_actor_release_permit(a);
    gri_actor_unpin(a);
    gri_future_unref(&call->future);
}

/* Runs a call of a stateless actor, on a worker or a blocking thread. */
static void call_run(struct gri_task *t)
{
    struct gri_call *call = gri_container_of(t, struct gri_call, envelope.task);
    struct gri_actor *a = call->actor;

    gri_actor_unqueue(a);
    if (start_call(call))
        gri_handle_call(a, call);
    else
        drop_shell(a, call);
}

static const gr_method *method_of(struct gri_actor *a, struct gri_call *call)
{
    const gr_method *m = NULL;

    gri_klass_resolve(a->klass, call->verb, &m);
    return m;
}

static void fail_queued(struct gri_actor *a, struct gri_call *call, gr_value *err)
{
    gri_actor_unqueue(a);
    if (start_call(call)) {
        gri_call_end(call, err);
    } else {
        gr_value_unref(err);
        drop_shell(a, call);
    }
}

/* dispatch hands a stateless actor's call to whoever runs it. */
static void dispatch(struct gri_actor *a, struct gri_call *call)
{
    const gr_method *m = method_of(a, call);
    struct gri_sched *s = &a->rt->sched;
    gr_code rc;

    call->envelope.task.run = call_run;
    if (m->kind != GR_BLOCKING) {
        if (a->pin != 0)
            gri_ready_on(s, &call->envelope.task, a->pin - 1);
        else
            gri_ready(s, &call->envelope.task);
        return;
    }
    rc = gri_blocking_submit(&s->blocking, &call->envelope.task);
    if (rc != GR_OK)
        fail_queued(a, call, gr_error(rc, "the blocking pool takes no more work"));
}

/* serve_default takes a call whose verb the class has only by a default that needs no turn. */
static bool serve_default(struct gri_actor *a, struct gri_call *call, enum gri_how how)
{
    if (how == GRI_BY_METHOD || how == GRI_BY_INVOKE)
        return false;
    if (how == GRI_BY_NOTHING) {
        fail_queued(a, call,
                    gr_error_with(gr_error(GR_ETYPE, "%s has no method '%s'", gri_actor_name(a),
                                           gri_call_verb(call)),
                                  "where", gr_str(gri_actor_name(a))));
        return true;
    }
    gri_actor_unqueue(a);
    if (start_call(call))
        gri_default_run(call, how);
    else
        drop_shell(a, call);
    return true;
}

void gri_actor_send_call(struct gri_actor *a, struct gri_call *call)
{
    const gr_method *m = NULL;
    enum gri_how how = gri_klass_resolve(a->klass, call->verb, &m);

    if (serve_default(a, call, how))
        return;
    /* a stream that invoke answers and passes on to a plain verb still has that answer as its chunk */
    call->one_chunk = how == GRI_BY_INVOKE ||
                      (call->one_chunk && call->verb != GRI_STREAM && call->verb != GRI_TRANSFORM);
    if (a->klass->stateless && a->max_concurrency == 0 &&
        (atomic_load_explicit(&a->flags, memory_order_acquire) & GRI_READY) != 0)
        dispatch(a, call);
    else
        gri_actor_post(a, &call->envelope);
}

void gri_actor_release_permit(struct gri_actor *a)
{
    /* seq_cst: of "give a permit back, read HELD" and "set HELD, look at running" the later sees the other */
    atomic_fetch_sub(&a->running, 1);
    if ((atomic_load(&a->flags) & GRI_HELD) != 0 &&
        (atomic_fetch_and(&a->flags, ~(uint32_t)GRI_HELD) & GRI_HELD) != 0)
        kick(a); /* a turn that is on its way already looks for permits itself */
}

/* ---- blocking methods of actors with state: the actor is held until they are done ------------------- */

static void held_run(struct gri_task *t)
{
    struct gri_call *call = gri_container_of(t, struct gri_call, envelope.task);
    struct gri_actor *a = call->actor;

    /* the actor keeps its own pin as long as it is held: only a turn drops that */
    if (start_call(call))
        gri_handle_call(a, call);
    else
        drop_shell(a, call);
    ready_turn(a);
}

/* hold sends the call to the blocking pool; false: it failed, and the turn goes on. */
static bool hold(struct gri_actor *a, struct gri_call *call)
{
    gr_code rc;

    call->envelope.task.run = held_run;
    gri_actor_offer_room(a);
    rc = gri_blocking_submit(&a->rt->sched.blocking, &call->envelope.task);
    if (rc == GR_OK)
        return true;
    if (start_call(call))
        gri_call_end(call, gr_error(rc, "the blocking pool takes no more work"));
    else
        drop_shell(a, call);
    return false;
}

/* ---- the turn --------------------------------------------------------------------------------------- */

/* What a turn does after a message. LOST: its pin is gone too. */
enum next { GO_ON, LEAVE, LOST };

static enum next turn_call(struct gri_actor *a, struct gri_call *call)
{
    const gr_method *m = method_of(a, call);

    call->counted = a->max_concurrency != 0;
    if (a->klass->stateless) {
        dispatch(a, call);
        return GO_ON;
    }
    gri_actor_unqueue(a);
    if (m->kind == GR_BLOCKING)
        return hold(a, call) ? LEAVE : GO_ON;
    if (start_call(call))
        gri_handle_call(a, call);
    else
        drop_shell(a, call);
    return GO_ON;
}

/* refuse fails a message of an actor that stops. */
static void refuse(struct gri_actor *a, struct gri_envelope *e)
{
    switch (e->kind) {
    case GRI_CALL:
        fail_queued(a, gri_container_of(e, struct gri_call, envelope),
                    a->error != NULL ? gr_value_ref(a->error)
                                     : gr_error_with(gr_error(GR_EDEAD, "the actor has stopped"),
                                                     "where", gr_str(gri_actor_name(a))));
        break;
    case GRI_TELL:
        gri_tell_run(a, e, false);
        break;
    case GRI_THEN:
        gri_then_run(a, e, false);
        break;
    case GRI_RESUME: /* a handler that has begun runs to its end: see turn_message */
        break;
    }
}

static enum next turn_message(struct gri_actor *a, struct gri_envelope *e)
{
    if (e->kind == GRI_RESUME) {
        /* A handler of a reentrant class goes on, then its own turn frame does. This frame's stack goes to
         * the spares, to return here at some time, so the pin must go first; the other frame has one. */
        gri_actor_unpin(a);
        gri_run_fiber(gri_container_of(e, struct gri_resume, envelope)->fiber);
        return LOST;
    }
    if ((atomic_load(&a->flags) & (GRI_STOPPING | GRI_FAILED)) != 0) {
        refuse(a, e);
        return GO_ON;
    }
    if (e->kind == GRI_CALL)
        return turn_call(a, gri_container_of(e, struct gri_call, envelope));
    if (e->kind == GRI_TELL)
        gri_tell_run(a, e, true);
    else
        gri_then_run(a, e, true);
    return GO_ON;
}

static void do_init(struct gri_actor *a)
{
    a->init_done = true;
    if (a->klass->cls->init != NULL && gri_handle_init(a) != GR_OK)
        atomic_fetch_or(&a->flags, GRI_FAILED | GRI_SAID);
    /* release: who finds READY may call methods past the turn */
    atomic_fetch_or_explicit(&a->flags, GRI_READY, memory_order_release);
}

/* drained drops the actor's own pin, once, when it stops and its mailbox is empty. */
static void drained(struct gri_actor *a)
{
    if ((atomic_load(&a->flags) & GRI_STOPPING) != 0 &&
        (atomic_fetch_or(&a->flags, GRI_DRAINED) & GRI_DRAINED) == 0)
        gri_actor_unpin(a);
}

/* permit takes one of max_concurrency; false: none is left. An actor that stops asks for none, since it
 * refuses all calls. */
static bool permit(struct gri_actor *a)
{
    if (a->max_concurrency == 0 || (atomic_load(&a->flags) & (GRI_STOPPING | GRI_FAILED)) != 0)
        return true;
    if (atomic_fetch_add(&a->running, 1) < a->max_concurrency)
        return true;
    atomic_fetch_sub(&a->running, 1);
    return false;
}

static void step_aside(struct gri_actor *a, struct gri_envelope *e)
{
    e->task.next = NULL;
    if (a->waiting.first != NULL)
        a->waiting.last->next = &e->task;
    else
        a->waiting.first = &e->task;
    a->waiting.last = &e->task;
}

/*
 * next_message takes what the turn does next: a call that waited for a permit if there is one now, else
 * the mailbox's first. Calls without a permit step aside, in order: what lets the calls under way end, a
 * handler that goes on, a continuation, a tell, must get past them.
 */
static struct gri_envelope *next_message(struct gri_actor *a)
{
    struct gri_envelope *e = envelope_of(a->waiting.first);

    if (e != NULL && permit(a)) {
        a->waiting.first = e->task.next;
        return e;
    }
    while ((e = pop(a)) != NULL && e->kind == GRI_CALL &&
           (a->waiting.first != NULL || !permit(a)))
        step_aside(a, e);
    return e;
}

/* rest ends a turn that has nothing to do: true, the next push or permit readies a new one. false: there is
 * something by now. */
static bool rest(struct gri_actor *a)
{
    bool waits = a->waiting.first != NULL;
    uint32_t flags;

    if (waits) {
        atomic_fetch_or(&a->flags, GRI_HELD);
        if (atomic_load(&a->running) < a->max_concurrency)
            return false;
    } else {
        drained(a);
    }
    if (!go_idle(a))
        return false;
    /* told to stop, or given a permit, just now, by somebody who saw us running; a push may have readied
     * another turn meanwhile, so nothing of the turn's own may be looked at here */
    flags = atomic_load(&a->flags);
    if ((flags & (GRI_STOPPING | GRI_DRAINED)) == GRI_STOPPING || (waits && (flags & GRI_HELD) == 0))
        kick(a);
    return true;
}

/* yield_turn lets others have the worker, and goes on later. */
static void yield_turn(struct gri_actor *a)
{
    if (a->pin != 0)
        ready_turn_task(a); /* its worker's inbox is served in order, after what lies there */
    else
        gri_ready_later(&a->rt->sched, &a->turn);
}

void gri_actor_give_turn_away(struct gri_actor *a)
{
    ready_turn(a);
}

/*
 * A turn: messages one by one, up to a budget. In a reentrant class a handler that waits gives the turn
 * away, and the RESUME message gives it back.
 */
static void turn_run(struct gri_task *t)
{
    struct gri_actor *a = actor_of(t);
    unsigned budget = TURN_BUDGET;
    enum next next;

    if (!a->init_done)
        do_init(a);
    for (;;) {
        struct gri_envelope *e = next_message(a);

        if (e == NULL) {
            if (rest(a))
                break;
            continue;
        }
        next = turn_message(a, e);
        if (next == LOST)
            return;
        if (next == LEAVE)
            break;
        if (--budget == 0) {
            yield_turn(a); /* with our pin */
            return;
        }
    }
    gri_actor_unpin(a);
}

/* ---- the end ------------------------------------------------------------------------------------------ */

void gri_actor_stop(struct gri_actor *a)
{
    /* seq_cst: before kick looks at the inbox */
    if ((atomic_fetch_or(&a->flags, GRI_STOPPING) & GRI_STOPPING) != 0)
        return;
    kick(a);
    wake_senders(a);
}

/*
 * give_back makes the slot free for another actor. Somebody who pinned it a moment ago, to find that the
 * actor has stopped, may still read its error or, in a pass over the scope, tell it to stop. That takes
 * a few instructions; who comes later finds another id.
 */
static void give_back(struct gri_task *t)
{
    struct gri_actor *a = actor_of(t);

    if ((uint32_t)atomic_load(&a->load) != 0) {
        gri_ready_later(&a->rt->sched, t);
        return;
    }
    gr_value_unref(a->error);
    a->error = NULL;
    gri_registry_give(&a->rt->registry, a, a->last_id);
}

static void finish_run(struct gri_task *t)
{
    struct gri_actor *a = actor_of(t);

    if (a->klass->cls->stopped != NULL)
        a->klass->cls->stopped(a->self, a->args);
    a->last_id = atomic_load(&a->id);
    /* From here on a sender finds no actor; the slot's memory stays. */
    atomic_store(&a->id, 0);
    gri_free(a->self);
    gr_value_unref(a->args);
    gri_free(a->name);
    a->self = NULL;
    a->args = NULL;
    a->name = NULL;
    gri_scope_leave(&a->member); /* the runtime stays until its workers, so this task, are done */
    a->turn.run = give_back;
    give_back(t);
}

/* ---- the start ---------------------------------------------------------------------------------------- */

static void member_cancel(struct gri_member *m, gr_code why)
{
    (void)m, (void)why; /* cancelling a scope leaves its actors alone */
}

static void member_stop(struct gri_member *m)
{
    gri_actor_stop(gri_container_of(m, struct gri_actor, member));
}

static void member_ref(struct gri_member *m)
{
    atomic_fetch_add(&gri_container_of(m, struct gri_actor, member)->load, GRI_PIN);
}

static void member_unref(struct gri_member *m)
{
    gri_actor_unpin(gri_container_of(m, struct gri_actor, member));
}

static const struct gri_member_ops actor_ops = { .actor = true,
                                                 .cancel = member_cancel,
                                                 .stop = member_stop,
                                                 .ref = member_ref,
                                                 .unref = member_unref };

static gr_ref broken(gr_code code)
{
    return (gr_ref){ .node = 0, .id = (uint64_t)code };
}

/* set_up fills a fresh slot in; the actor is not to be found yet. */
static gr_code set_up(struct gri_actor *a, gr_runtime *rt, const struct gri_klass *k,
                      const gr_spawn_opts *o)
{
    a->turn = (struct gri_task){ .run = turn_run, .name = k->cls->name };
    a->ready = NULL;
    a->waiting.first = NULL;
    a->klass = k;
    a->rt = rt;
    a->error = NULL;
    a->mailbox_max = (uint32_t)(o->mailbox_max != 0 ? o->mailbox_max : rt->mailbox_max);
    a->max_concurrency = o->max_concurrency;
    a->pin = (uint32_t)(o->worker > 0 ? (unsigned)(o->worker - 1) % rt->sched.worker_count + 1 : 0);
    a->init_done = k->cls->init == NULL;
    gri_list_init(&a->room);
    atomic_store(&a->running, 0);
    if (k->cls->state_size != 0 && (a->self = gri_alloc0(k->cls->state_size)) == NULL)
        return GR_ENOMEM;
    if (o->name != NULL && (a->name = gri_strdup(o->name)) == NULL)
        return GR_ENOMEM;
    return GR_OK;
}

static void give_up(gr_runtime *rt, struct gri_actor *a, uint64_t id)
{
    gri_free(a->self);
    gri_free(a->name);
    a->self = NULL;
    a->name = NULL;
    gri_registry_give(&rt->registry, a, id);
}

/* publish makes the actor to be found, and starts it if it has an init. args is taken on success. */
static gr_code publish(gr_scope *in, struct gri_actor *a, uint64_t id, gr_value *args)
{
    bool starts = !a->init_done; /* without an init it may be gone again before we look at it */
    gr_code rc;

    a->args = args;
    atomic_fetch_add(&a->load, GRI_PIN); /* its own */
    atomic_store(&a->flags, a->init_done ? GRI_READY : 0);
    atomic_store(&a->inbox, a->init_done ? IDLE : NULL);
    atomic_store(&a->id, id); /* seq_cst: after all of the above */
    rc = gri_scope_add(in, &a->member, &actor_ops);
    if (rc != GR_OK) {
        atomic_store(&a->id, 0);
        a->args = NULL;
        atomic_fetch_sub(&a->load, GRI_PIN);
        return rc;
    }
    if (starts)
        ready_turn(a);
    return GR_OK;
}

/*
 * refused spawns what can't be made: an actor that is there only to say why, until its scope ends. So
 * constructors pass their error on as the spawn arguments, and gr_check tells its text.
 */
static gr_ref refused(gr_scope *in, const gr_class *cls, gr_value *err)
{
    static const gr_class nothing = GR_CLASS(.name = "refused");
    gr_spawn_opts o = { .size = sizeof(o), .name = cls != NULL ? cls->name : NULL };
    gr_code rc = gr_error_code(err);
    gr_ref r = gr_spawn(in, &nothing, &o);
    gr_value *gone = NULL;
    struct gri_actor *a = r.node != 0 ? gri_actor_pin(in->rt, r, false, &gone) : NULL;

    gr_value_unref(gone);
    if (a == NULL) {
        gr_value_unref(err);
        return r.node != 0 ? broken(rc) : r;
    }
    a->error = err; /* nobody else knows the actor yet */
    atomic_fetch_or(&a->flags, GRI_FAILED | GRI_SAID);
    gri_actor_unpin(a);
    return r;
}

gr_ref gr_spawn(gr_scope *in, const gr_class *cls, const gr_spawn_opts *opts)
{
    static const gr_spawn_opts defaults = { .size = sizeof(defaults) };
    const gr_spawn_opts *o = opts != NULL ? opts : &defaults;
    gr_runtime *rt = in != NULL ? in->rt : NULL;
    const struct gri_klass *k = NULL;
    struct gri_actor *a = NULL;
    uint64_t id = 0;
    gr_code rc = GR_OK;

    if (rt != NULL && o->args != NULL && gr_error_code(o->args) != GR_OK)
        return refused(in, cls, o->args);
    if (rc == GR_OK && (rt == NULL || cls == NULL))
        rc = GR_EINVAL;
    if (rc == GR_OK && (k = gri_klass_get(&rt->klasses, &rt->verbs, cls, &rc)) != NULL)
        rc = (a = gri_registry_take(&rt->registry, &id)) != NULL ? GR_OK : GR_EFULL;
    if (rc == GR_OK)
        rc = set_up(a, rt, k, o);
    if (rc == GR_OK)
        rc = publish(in, a, id, o->args);
    if (rc == GR_OK)
        return (gr_ref){ .node = rt->node, .id = id };
    if (a != NULL)
        give_up(rt, a, id);
    gr_value_unref(o->args);
    return broken(rc);
}

void gr_stop(gr_runtime *rt, gr_ref who)
{
    gr_value *err = NULL;
    struct gri_actor *a = gri_actor_pin(rt, who, false, &err);

    if (a != NULL) {
        gri_actor_stop(a);
        gri_actor_unpin(a);
    }
    gr_value_unref(err);
}

gr_value *gr_check(gr_runtime *rt, gr_ref who)
{
    gr_value *err = NULL;
    struct gri_actor *a = gri_actor_pin(rt, who, false, &err);

    if (a != NULL)
        gri_actor_unpin(a);
    return err;
}
