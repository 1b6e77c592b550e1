/* SPDX-License-Identifier: Apache-2.0 */
/* actor_test.c - classes, turns, mailboxes, permits, the beginning and the end of actors. */
#include "tests/support/engine.h"

/* ---- a counter: plain, not atomic, so that ThreadSanitizer sees two handlers at once --------- */

struct counter {
    int64_t sum;
    int inside; /* handlers between two waits: more than one may never be */
    int peak;   /* handlers begun and not ended */
    int begun;
};

static struct signal_count stopped_signal = SIGNAL_COUNT;
static _Atomic int stopped_order[8], stopped_count;

static gr_value *counter_add(gr_ctx *c, void *self, const gr_value *args)
{
    struct counter *n = self;

    (void)c;
    n->sum += gr_as_int(args, 0);
    return gr_int(n->sum);
}

/* counter_slow reads, waits, then writes: in an exclusive class nothing comes between. */
static gr_value *counter_slow(gr_ctx *c, void *self, const gr_value *args)
{
    struct counter *n = self;
    int64_t before = n->sum;

    n->begun++;
    n->peak = n->begun > n->peak ? n->begun : n->peak;
    gr_sleep(gr_runtime_of(c), 1);
    n->begun--;
    n->sum = before + gr_as_int(args, 0);
    return gr_int(n->sum);
}

static gr_value *counter_peak(gr_ctx *c, void *self, const gr_value *args)
{
    struct counter *n = self;

    (void)c, (void)args;
    return gr_int(n->peak);
}

static void counter_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct counter *n = self;

    (void)c;
    n->sum += gr_as_int(msg, 0);
}

static void counter_stopped(void *self, const gr_value *args)
{
    (void)self;
    stopped_order[atomic_fetch_add(&stopped_count, 1) % 8] = (int)gr_as_int(args, 0);
    post(&stopped_signal);
}

static const gr_method counter_methods[] = { { "invoke", GR_ASYNC, counter_add, NULL },
                                             { "slow", GR_ASYNC, counter_slow, NULL },
                                             { "peak", GR_CHEAP, counter_peak, NULL } };
static const gr_class exclusive =
    GR_CLASS(.name = "exclusive", .state_size = sizeof(struct counter), GR_METHODS(counter_methods),
             .receive = counter_receive, .stopped = counter_stopped);
static const gr_class reentrant =
    GR_CLASS(.name = "reentrant", .state_size = sizeof(struct counter), .reentrant = true,
             GR_METHODS(counter_methods), .receive = counter_receive, .stopped = counter_stopped);

Test(actor, state_is_zeroed_and_kept_between_messages)
{
    gr_ref a = gr_spawn(root, &exclusive, NULL);

    cr_assert_eq(int_of(gr_ainvoke(rt, a, gr_int(5), NULL)), 5);
    cr_assert_eq(int_of(gr_ainvoke(rt, a, gr_int(6), NULL)), 11);
    cr_assert_null(gr_check(rt, a));
}

Test(actor, an_exclusive_handler_is_not_interrupted_while_it_waits)
{
    gr_ref a = gr_spawn(root, &exclusive, NULL);
    gr_future *fs[20];

    for (int i = 0; i < 20; i++)
        fs[i] = gr_acall(rt, a, "slow", gr_int(1), NULL);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(int_of(fs[i]), i + 1, "in order, one at a time");
    cr_assert_eq(int_of(gr_acall(rt, a, "peak", gr_nil(), NULL)), 1);
}

Test(actor, reentrant_handlers_interleave_at_waits)
{
    gr_ref a = gr_spawn(root, &reentrant, NULL);
    gr_future *fs[20];

    for (int i = 0; i < 20; i++)
        fs[i] = gr_acall(rt, a, "slow", gr_int(1), NULL);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(code_of(fs[i]), GR_OK);
    cr_assert_gt(int_of(gr_acall(rt, a, "peak", gr_nil(), NULL)), 1);
}

/* A handler that waits holds its permit; what brings it back must not wait behind calls without
 * one. */
Test(actor, max_concurrency_bounds_a_reentrant_actor)
{
    gr_ref a = gr_spawn(root, &reentrant, GR_SPAWN(.max_concurrency = 3));
    gr_future *fs[20];

    for (int i = 0; i < 20; i++)
        fs[i] = gr_acall(rt, a, "slow", gr_int(1), NULL);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(code_of(fs[i]), GR_OK);
    cr_assert_eq(int_of(gr_acall(rt, a, "peak", gr_nil(), NULL)), 3);
}

static gr_value *desk_then(gr_ctx *c, void *self, const gr_value *args);

static void desk_done(gr_ctx *c, void *self, const gr_outcome *o, void *arg)
{
    (void)c, (void)self;
    gr_resolve(arg, o->code == GR_OK ? gr_value_ref(o->value) : gr_value_ref(o->error));
}

static gr_value *desk_then(gr_ctx *c, void *self, const gr_value *args)
{
    gr_promise *p = gr_defer(c);

    (void)self;
    gr_then(c, gr_ainvoke(gr_runtime_of(c), gr_as_ref(gr_args(c)), gr_value_ref(args), NULL),
            desk_done, NULL, p);
    return NULL;
}

static const gr_method then_methods[] = { { "invoke", GR_ASYNC, desk_then, NULL } };
static const gr_class then_class =
    GR_CLASS(.name = "thenner", .state_size = 8, .reentrant = true, GR_METHODS(then_methods));

/* A deferred call holds its permit until a continuation answers it, which comes through the
 * mailbox. */
Test(actor, continuations_pass_calls_that_wait_for_a_permit)
{
    gr_ref a =
        gr_spawn(root, &then_class, GR_SPAWN(.max_concurrency = 1, .args = gr_ref_value(nap())));
    gr_future *fs[8];

    for (int i = 0; i < 8; i++)
        fs[i] = gr_ainvoke(rt, a, gr_int(i), NULL);
    for (int i = 0; i < 8; i++)
        cr_assert_eq(int_of(fs[i]), i);
}

static struct signal_count go = SIGNAL_COUNT;
static _Atomic int running_now, running_peak;

static gr_value *busy(gr_ctx *c, void *self, const gr_value *args)
{
    int now = atomic_fetch_add(&running_now, 1) + 1;
    int peak = atomic_load(&running_peak);

    (void)c, (void)self;
    while (now > peak && !atomic_compare_exchange_weak(&running_peak, &peak, now))
        ;
    if (gr_as_bool(args, false))
        take(&go);
    atomic_fetch_sub(&running_now, 1);
    return gr_nil();
}

static const gr_method busy_methods[] = { { "invoke", GR_BLOCKING, busy, NULL } };
static const gr_class busy_class = GR_CLASS(.name = "busy", GR_METHODS(busy_methods));

Test(actor, max_concurrency_bounds_a_stateless_blocking_actor)
{
    gr_ref a = gr_spawn(root, &busy_class, GR_SPAWN(.max_concurrency = 2));
    gr_future *fs[6];

    for (int i = 0; i < 6; i++)
        fs[i] = gr_ainvoke(rt, a, gr_bool(true), NULL);
    until(atomic_load(&running_now) == 2);
    for (int i = 0; i < 6; i++)
        post(&go);
    for (int i = 0; i < 6; i++)
        cr_assert_eq(code_of(fs[i]), GR_OK);
    cr_assert_eq(atomic_load(&running_peak), 2);
}

Test(actor, a_stateless_actor_runs_on_several_threads_at_once)
{
    gr_ref a = gr_spawn(root, &busy_class, NULL);
    gr_future *fs[4];

    for (int i = 0; i < 4; i++)
        fs[i] = gr_ainvoke(rt, a, gr_bool(true), NULL);
    until(atomic_load(&running_now) == 4);
    for (int i = 0; i < 4; i++)
        post(&go);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(code_of(fs[i]), GR_OK);
}

/* ---- blocking methods of a class with state -------------------------------------------------- */

static gr_value *counter_block(gr_ctx *c, void *self, const gr_value *args)
{
    struct counter *n = self;
    int64_t before = n->sum;

    (void)c;
    post(&go);
    sched_yield();
    n->sum = before + gr_as_int(args, 0);
    return gr_int(n->sum);
}

static const gr_method block_methods[] = { { "invoke", GR_BLOCKING, counter_block, NULL },
                                           { "quick", GR_CHEAP, counter_add, NULL } };
static const gr_class block_class =
    GR_CLASS(.name = "block", .state_size = sizeof(struct counter), GR_METHODS(block_methods));

Test(actor, a_blocking_method_has_the_state_for_itself)
{
    gr_ref a = gr_spawn(root, &block_class, NULL);
    gr_future *fs[40];

    for (int i = 0; i < 40; i++)
        fs[i] = gr_acall(rt, a, i % 2 == 0 ? "invoke" : "quick", gr_int(1), NULL);
    for (int i = 0; i < 40; i++)
        cr_assert_eq(int_of(fs[i]), i + 1);
}

/* ---- the mailbox ----------------------------------------------------------------------------- */

Test(actor, a_full_mailbox_refuses_calls_and_tells)
{
    gr_ref a = gr_spawn(root, &block_class, GR_SPAWN(.mailbox_max = 4));
    gr_ref b = gr_spawn(root, &exclusive, GR_SPAWN(.mailbox_max = 2));
    struct desk d = DESK;
    gr_ref hold = desk_in(root, &d);
    gr_value *err = NULL;

    (void)a;
    (void)hold;
    /* a handler that waits keeps the exclusive actor; two more messages fit */
    gr_future *first = gr_acall(rt, b, "slow", gr_int(1), NULL);
    gr_future *more[64];
    int full = 0;

    for (int i = 0; i < 64; i++) {
        more[i] = gr_acall(rt, b, "slow", gr_int(1), NULL);
        if (gr_done(more[i]) && gr_await(more[i], 0).code == GR_EFULL)
            full++;
    }
    cr_assert_geq(full, 1);
    cr_assert_eq(code_of(first), GR_OK);
    for (int i = 0; i < 64; i++) {
        gr_code rc = code_of(more[i]);

        cr_assert(rc == GR_OK || rc == GR_EFULL, "%s", gr_code_name(rc));
    }
    gr_value_unref(err);
}

/* ---- pinned workers -------------------------------------------------------------------------- */

struct pinned {
    pthread_t thread;
    int moved, count;
};

static void pinned_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct pinned *p = self;

    (void)c, (void)msg;
    if (p->count++ == 0)
        p->thread = pthread_self();
    else if (!pthread_equal(p->thread, pthread_self()))
        p->moved++;
    for (int i = 0; i < 200; i++)
        atomic_fetch_add(&running_now, 0);
}

static gr_value *pinned_moved(gr_ctx *c, void *self, const gr_value *args)
{
    struct pinned *p = self;

    (void)args;
    gr_sleep(gr_runtime_of(c), 2);
    pinned_receive(c, self, args);
    return gr_int(p->moved);
}

static const gr_method pinned_methods[] = { { "moved", GR_ASYNC, pinned_moved, NULL } };
static const gr_class pinned_class =
    GR_CLASS(.name = "pinned", .state_size = sizeof(struct pinned), .receive = pinned_receive,
             GR_METHODS(pinned_methods));

/* Also past the message budget of a turn, and after a wait. */
Test(actor, a_pinned_actor_stays_on_its_worker)
{
    gr_ref a = gr_spawn(root, &pinned_class, GR_SPAWN(.worker = 1, .mailbox_max = 100000));

    for (int i = 0; i < 20000; i++)
        cr_assert_eq(gr_tell(rt, a, gr_nil()), GR_OK);
    cr_assert_eq(int_of(gr_acall(rt, a, "moved", gr_nil(), NULL)), 0);
}

struct ball {
    gr_ref other;
};

static _Atomic bool stop_play;

static void ball_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct ball *b = self;

    if (gr_value_type(msg) == GR_REFV)
        b->other = gr_as_ref(msg);
    else if (!atomic_load(&stop_play))
        gr_tell(gr_runtime_of(c), b->other, gr_nil());
}

static const gr_class ball_class =
    GR_CLASS(.name = "ball", .state_size = sizeof(struct ball), .receive = ball_receive);

/* Two actors pinned to the only worker keep each other busy; others must get their turn. */
Test(actor, pinned_actors_do_not_starve_the_rest)
{
    gr_ref a, b;

    engine_down();
    engine_start(1);
    a = gr_spawn(root, &ball_class, GR_SPAWN(.worker = 1));
    b = gr_spawn(root, &ball_class, GR_SPAWN(.worker = 1));
    atomic_store(&stop_play, false);
    gr_tell(rt, a, gr_ref_value(b));
    gr_tell(rt, b, gr_ref_value(a));
    gr_tell(rt, a, gr_nil());
    gr_tell(rt, b, gr_nil());
    cr_assert_eq(int_of(gr_ainvoke(rt, echo(), gr_int(7), NULL)), 7);
    atomic_store(&stop_play, true);
}

/* ---- init ------------------------------------------------------------------------------------ */

static gr_code init_fails(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    if (gr_as_bool(args, false))
        return gr_fail(c, gr_error(GR_EREMOTE, "no such model"));
    return GR_EUNREACH;
}

static const gr_class failing = GR_CLASS(.name = "failing", .state_size = 8, .init = init_fails,
                                         GR_METHODS(counter_methods), .stopped = counter_stopped);

Test(actor, a_failed_init_fails_calls_with_its_reason)
{
    gr_ref a = gr_spawn(root, &failing, GR_SPAWN(.args = gr_bool(true)));
    gr_value *err = NULL;

    cr_assert_null(gr_invoke(rt, a, gr_nil(), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EREMOTE);
    cr_assert_str_eq(gr_error_text(err), "no such model");
    cr_assert_str_eq(gr_cstr(gr_get(err, "where"), "?"), "failing");
    gr_value_unref(err);
    err = gr_check(rt, a);
    cr_assert_eq(gr_error_code(err), GR_EREMOTE);
    gr_value_unref(err);
    cr_assert_eq(gr_tell(rt, a, gr_nil()), GR_EREMOTE);
}

Test(actor, a_failed_init_without_a_reason_gives_its_code)
{
    gr_ref a = gr_spawn(root, &failing, NULL);

    cr_assert_eq(code_of(gr_ainvoke(rt, a, gr_nil(), NULL)), GR_EUNREACH);
}

Test(actor, stopped_runs_after_a_failed_init_too)
{
    gr_scope *s = gr_scope_new(root);
    gr_ref a = gr_spawn(s, &failing, GR_SPAWN(.args = gr_int(9)));

    cr_assert_eq(code_of(gr_ainvoke(rt, a, gr_nil(), NULL)), GR_EUNREACH);
    cr_assert_eq(atomic_load(&stopped_count), 0, "it stays, to say why");
    gr_scope_free(s);
    cr_assert_eq(atomic_load(&stopped_count), 1);
    cr_assert_eq(atomic_load(&stopped_order[0]), 9);
}

static gr_code init_waits(gr_ctx *c, void *self, const gr_value *args)
{
    struct counter *n = self;

    gr_sleep(gr_runtime_of(c), 2);
    n->sum = gr_as_int(args, 0);
    return GR_OK;
}

static const gr_class waiting_init =
    GR_CLASS(.name = "waiting", .state_size = sizeof(struct counter), .reentrant = true,
             .init = init_waits, GR_METHODS(counter_methods));

Test(actor, init_runs_to_its_end_before_the_first_message)
{
    gr_ref a = gr_spawn(root, &waiting_init, GR_SPAWN(.args = gr_int(100)));
    gr_future *f = gr_ainvoke(rt, a, gr_int(1), NULL);

    cr_assert_eq(int_of(gr_ainvoke(rt, a, gr_int(1), NULL)) + int_of(f), 203);
}

/* ---- broken refs ----------------------------------------------------------------------------- */

Test(actor, refs_that_lead_nowhere_say_why)
{
    static const gr_class nameless = { .size = sizeof(gr_class) };
    gr_ref empty = { 0, 0 }, foreign = { 12345, 1 };
    gr_ref bad = gr_spawn(root, &nameless, GR_SPAWN(.args = gr_str("taken")));
    gr_ref wrong = gr_spawn(root, &exclusive, GR_SPAWN(.args = gr_error(GR_ERATE, "no")));
    gr_ref none = gr_spawn(NULL, &exclusive, GR_SPAWN(.args = gr_str("taken")));
    struct {
        gr_ref ref;
        gr_code code;
    } cases[] = { { empty, GR_EINVAL },
                  { foreign, GR_EUNREACH },
                  { bad, GR_EINVAL },
                  { wrong, GR_ERATE },
                  { none, GR_EINVAL } };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gr_value *err = gr_check(rt, cases[i].ref);

        cr_assert_eq(gr_error_code(err), cases[i].code, "%zu: %s", i, gr_error_text(err));
        gr_value_unref(err);
        cr_assert_eq(code_of(gr_ainvoke(rt, cases[i].ref, gr_nil(), NULL)), cases[i].code);
        cr_assert_eq(gr_tell(rt, cases[i].ref, gr_nil()), cases[i].code);
        gr_stop(rt, cases[i].ref);
    }
}

Test(actor, actors_max_gives_broken_refs)
{
    gr_ref a, b;
    gr_value *err;

    engine_down();
    engine_blocks = test_memory_live();
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1, .actors_max = 1), &rt), GR_OK);
    root = gr_root(rt);
    a = gr_spawn(root, &exclusive, NULL);
    b = gr_spawn(root, &exclusive, NULL);
    cr_assert_null(gr_check(rt, a));
    err = gr_check(rt, b);
    cr_assert_eq(gr_error_code(err), GR_EFULL);
    gr_value_unref(err);
}

/* ---- stopping -------------------------------------------------------------------------------- */

Test(actor, stop_fails_what_is_queued_and_runs_stopped_once)
{
    gr_ref a = gr_spawn(root, &exclusive, GR_SPAWN(.args = gr_int(3)));
    gr_future *first = gr_acall(rt, a, "slow", gr_int(1), NULL), *rest[10];
    int dead = 0;

    for (int i = 0; i < 10; i++)
        rest[i] = gr_acall(rt, a, "slow", gr_int(1), NULL);
    gr_stop(rt, a);
    gr_stop(rt, a);
    for (int i = 0; i < 10; i++)
        dead += code_of(rest[i]) == GR_EDEAD;
    cr_assert_geq(dead, 8, "the first may have run meanwhile");
    gr_await(first, -1);
    gr_future_free(first);
    cr_assert(take(&stopped_signal));
    cr_assert_eq(code_of(gr_ainvoke(rt, a, gr_nil(), NULL)), GR_EDEAD);
    cr_assert_eq(gr_tell(rt, a, gr_nil()), GR_EDEAD);
    cr_assert_eq(atomic_load(&stopped_count), 1);
    cr_assert_eq(atomic_load(&stopped_order[0]), 3, "stopped sees the spawn arguments");
}

/* What waits for a permit is queued, and the call that has it may take for ever. */
Test(actor, stop_fails_calls_that_wait_for_a_permit)
{
    struct desk d = DESK;
    gr_ref a =
        gr_spawn(root, &desk_class, GR_SPAWN(.args = gr_opaque(&d, NULL), .max_concurrency = 1));
    gr_future *first = gr_ainvoke(rt, a, gr_nil(), NULL);
    gr_future *second = gr_ainvoke(rt, a, gr_nil(), NULL);

    until(atomic_load(&d.came) == 1);
    gr_stop(rt, a);
    cr_assert_eq(code_of(second), GR_EDEAD);
    desk_answer(&d, 0, gr_int(1));
    cr_assert_eq(int_of(first), 1, "the call under way is answered");
}

Test(actor, a_stopped_slot_is_used_again_under_another_id)
{
    gr_ref a = gr_spawn(root, &exclusive, NULL), b = a;

    gr_stop(rt, a);
    cr_assert(take(&stopped_signal));
    until((b = gr_spawn(root, &exclusive, NULL), (b.id & 0xffffff) == (a.id & 0xffffff)) ||
          (gr_stop(rt, b), false));
    cr_assert_neq(a.id, b.id);
    cr_assert_eq(code_of(gr_ainvoke(rt, a, gr_int(1), NULL)), GR_EDEAD);
    cr_assert_eq(int_of(gr_ainvoke(rt, b, gr_int(1), NULL)), 1);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static gr_value *faulty(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    return gr_exit(c, gr_is_nil(args) ? NULL : gr_error(GR_EREMOTE, "out of tune"));
}

static void faulty_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)self;
    gr_value_unref(gr_exit(c, gr_value_ref(msg)));
}

static const gr_method faulty_methods[] = { { "invoke", GR_ASYNC, faulty, NULL } };
static const gr_class faulty_class =
    GR_CLASS(.name = "faulty", .state_size = 8, GR_METHODS(faulty_methods),
             .receive = faulty_receive, .stopped = counter_stopped);

Test(actor, exit_stops_the_actor_and_gives_the_caller_the_reason)
{
    gr_ref a = gr_spawn(root, &faulty_class, NULL);
    gr_value *err = NULL;

    cr_assert_null(gr_invoke(rt, a, gr_int(1), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EREMOTE);
    cr_assert_str_eq(gr_error_text(err), "out of tune");
    gr_value_unref(err);
    err = gr_check(rt, a);
    cr_assert_not_null(err, "by the time that the caller knows, the actor takes no more messages");
    gr_value_unref(err);
    cr_assert(take(&stopped_signal));
}

Test(actor, exit_without_a_reason_is_broken)
{
    gr_ref a = gr_spawn(root, &faulty_class, NULL);

    cr_assert_eq(code_of(gr_ainvoke(rt, a, gr_nil(), NULL)), GR_EBROKEN);
    cr_assert(take(&stopped_signal));
}

Test(actor, exit_in_receive_stops_the_actor)
{
    gr_ref a = gr_spawn(root, &faulty_class, NULL);

    cr_assert_eq(gr_tell(rt, a, gr_str("enough")), GR_OK);
    cr_assert(take(&stopped_signal));
    until(gr_tell(rt, a, gr_nil()) != GR_OK);
}

/* ---- what a handler can ask ------------------------------------------------------------------ */

static gr_value *ask(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    return gr_map(GR_KV("verb", gr_str(gr_verb(c))), GR_KV("args", gr_value_ref(gr_args(c))),
                  GR_KV("config", gr_config(c) != NULL ? gr_value_ref(gr_config(c)) : gr_nil()),
                  GR_KV("self", gr_ref_value(gr_self(c))),
                  GR_KV("cancelled", gr_bool(gr_cancelled(c))),
                  GR_KV("deadline", gr_bool(gr_deadline_ns(c) != 0)),
                  GR_KV("rt", gr_bool(gr_runtime_of(c) == rt)));
}

static const gr_method ask_methods[] = { { "invoke", GR_CHEAP, ask, NULL },
                                         { "who", GR_ASYNC, ask, NULL } };
static const gr_class ask_class = GR_CLASS(.name = "ask", .state_size = 1, GR_METHODS(ask_methods));

Test(actor, a_handler_knows_its_call)
{
    gr_ref a = gr_spawn(root, &ask_class, GR_SPAWN(.args = gr_str("spawned")));
    gr_value *v =
        gr_do(rt, a, "who", gr_nil(),
              GR_CALL(.timeout_ms = 60000, .config = json_of("{\"tags\":[\"x\"]}")), NULL);
    gr_ref self = gr_as_ref(gr_get(v, "self"));

    cr_assert_str_eq(gr_cstr(gr_get(v, "verb"), ""), "who");
    cr_assert_str_eq(gr_cstr(gr_get(v, "args"), ""), "spawned");
    cr_assert(self.node == a.node && self.id == a.id);
    cr_assert(gr_as_bool(gr_get(v, "deadline"), false));
    cr_assert(gr_as_bool(gr_get(v, "rt"), false));
    cr_assert_not(gr_as_bool(gr_get(v, "cancelled"), true));
    json_is(gr_value_ref(gr_get(v, "config")), "{\"tags\": [\"x\"]}");
    gr_value_unref(v);
}

/* ---- order ----------------------------------------------------------------------------------- */

static void order_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct counter *n = self;

    (void)c;
    if (gr_as_int(msg, -1) != n->sum)
        n->peak++; /* out of order */
    n->sum++;
}

static const gr_class order_class = GR_CLASS(.name = "order", .state_size = sizeof(struct counter),
                                             GR_METHODS(counter_methods), .receive = order_receive);

Test(actor, tells_of_one_sender_keep_their_order)
{
    gr_ref a = gr_spawn(root, &order_class, NULL);

    for (int i = 0; i < 20000; i++)
        cr_assert_eq(gr_tell_wait(rt, a, gr_int(i)), GR_OK);
    cr_assert_eq(int_of(gr_acall(rt, a, "peak", gr_nil(), NULL)), 0);
    cr_assert_eq(int_of(gr_ainvoke(rt, a, gr_int(0), NULL)), 20000,
                 "calls come after the tells before them");
}

/* In the plain mode all tests run in one process. */
static void start_afresh(void)
{
    engine_up();
    atomic_store(&stopped_count, 0);
    atomic_store(&running_now, 0);
    atomic_store(&running_peak, 0);
    stopped_signal.count = 0;
    go.count = 0;
}

TestSuite(actor, .init = start_afresh, .fini = engine_down);
