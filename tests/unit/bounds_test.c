/* SPDX-License-Identifier: Apache-2.0 */
/* bounds_test.c - what happens at an actor's limits and the runtime's, and what is counted. */
#include <greenroom/link.h>
#include <greenroom/stats.h>

#include "tests/support/engine.h"

#define MAX 4

static struct signal_count entered = SIGNAL_COUNT, go = SIGNAL_COUNT;
static _Atomic int received;
static int64_t order[64];

static gr_stats stats(void)
{
    gr_stats s = GR_STATS_INIT;

    gr_stats_read(rt, &s);
    return s;
}

/* true: holds the actor until the test says go. A number is noted, and so is a list's first. */
static void hold_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)c, (void)self;
    if (gr_as_bool(msg, false)) {
        post(&entered);
        take(&go);
        return;
    }
    if (gr_value_type(msg) == GR_LIST)
        msg = gr_at(msg, 0);
    order[atomic_load(&received)] = gr_as_int(msg, -1);
    atomic_fetch_add(&received, 1);
}

static gr_value *hold_note(gr_ctx *c, void *self, const gr_value *args)
{
    hold_receive(c, self, args);
    return gr_value_ref(args);
}

static gr_value *hold_wait(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    post(&entered);
    gr_sleep(gr_runtime_of(c), 1000000);
    return gr_nil();
}

static const gr_method methods[] = { { "note", GR_ASYNC, hold_note, NULL },
                                     { "wait", GR_ASYNC, hold_wait, NULL } };
static const gr_class hold_class =
    GR_CLASS(.name = "hold", .state_size = 1, GR_METHODS(methods), .receive = hold_receive);

/* held spawns an actor of class hold, held in its first message. */
static gr_ref held(const gr_spawn_opts *o)
{
    gr_ref a = gr_spawn(root, &hold_class, o);

    atomic_store(&received, 0);
    cr_assert_eq(gr_tell(rt, a, gr_bool(true)), GR_OK);
    cr_assert(take(&entered));
    return a;
}

/* exited: the call failed by its actor's exit, for a fault of that kind. */
static void exited(gr_future *f, const char *kind)
{
    gr_outcome o = gr_await(f, TEST_WAIT_MS);

    cr_assert_eq(o.code, GR_EBROKEN);
    cr_assert_str_eq(gr_cstr(gr_get(o.error, "kind"), ""), "ActorExit");
    cr_assert_str_eq(gr_cstr(gr_get(gr_get(o.error, "cause"), "kind"), ""), kind);
    gr_future_free(f);
}

/* ended_by: f, of gr_ended, tells of such a fault. */
static void ended_by(gr_future *f, const char *kind)
{
    gr_outcome o = gr_await(f, TEST_WAIT_MS);

    cr_assert_str_eq(gr_cstr(gr_get(o.error, "kind"), ""), kind);
    gr_future_free(f);
}

static gr_value *wide(int number, size_t bytes)
{
    static char space[1 << 20];

    return gr_list(gr_int(number), gr_bin(space, bytes));
}

/* ---- policies -------------------------------------------------------------------------------- */

Test(bounds, by_default_the_sender_is_refused)
{
    gr_ref a = held(GR_SPAWN(.mailbox_max = MAX));

    for (int i = 0; i < 10; i++)
        cr_assert_eq(gr_tell(rt, a, gr_int(i)), i < MAX ? GR_OK : GR_EFULL);
    cr_assert_eq(stats().refused_mailbox, 10 - MAX);
    cr_assert_eq(stats().mailbox_high, MAX);
    post(&go);
    until(atomic_load(&received) == MAX);
    for (int i = 0; i < MAX; i++)
        cr_assert_eq(order[i], i);
}

Test(bounds, the_newest_is_dropped)
{
    gr_ref a = held(GR_SPAWN(.mailbox_max = MAX, .overflow = GR_OVERFLOW_DROP_NEWEST));

    for (int i = 0; i < 10; i++)
        cr_assert_eq(gr_tell(rt, a, gr_int(i)), GR_OK);
    cr_assert_eq(gr_tell_wait(rt, a, gr_int(10)), GR_OK);
    cr_assert_eq(code_of(gr_acall(rt, a, "note", gr_int(11), NULL)), GR_EFULL);
    cr_assert_eq(stats().dropped_newest, 12 - MAX);
    cr_assert_eq(stats().mailbox_high, MAX);
    post(&go);
    until(atomic_load(&received) == MAX);
    for (int i = 0; i < MAX; i++)
        cr_assert_eq(order[i], i);
    cr_assert_eq(int_of(gr_acall(rt, a, "note", gr_int(12), NULL)), 12);
}

Test(bounds, the_oldest_is_dropped)
{
    gr_ref a = held(GR_SPAWN(.mailbox_max = MAX, .overflow = GR_OVERFLOW_DROP_OLDEST));
    gr_future *f = gr_acall(rt, a, "note", gr_int(100), NULL), *last;
    gr_outcome o;

    for (int i = 0; i < 9; i++)
        cr_assert_eq(gr_tell(rt, a, gr_int(i)), GR_OK);
    last = gr_acall(rt, a, "note", gr_int(9), NULL);
    o = gr_await(f, TEST_WAIT_MS);
    cr_assert_eq(o.code, GR_EFULL);
    cr_assert_str_eq(gr_cstr(gr_get(o.error, "kind"), ""), "dropped");
    gr_future_free(f);
    cr_assert_eq(stats().dropped_oldest, 11 - MAX);
    post(&go);
    cr_assert_eq(int_of(last), 9);
    cr_assert_eq(atomic_load(&received), MAX);
    for (int i = 0; i < MAX; i++)
        cr_assert_eq(order[i], 10 - MAX + i);
    cr_assert_eq(gr_tell(rt, a, gr_int(11)), GR_OK);
    until(atomic_load(&received) == MAX + 1);
}

Test(bounds, what_is_queued_when_the_oldest_are_dropped_fails_at_the_stop)
{
    gr_ref a = held(GR_SPAWN(.mailbox_max = MAX, .overflow = GR_OVERFLOW_DROP_OLDEST));
    gr_future *f = gr_acall(rt, a, "note", gr_int(1), NULL);

    cr_assert_eq(gr_tell(rt, a, gr_int(2)), GR_OK);
    gr_stop(rt, a);
    post(&go);
    cr_assert_eq(code_of(f), GR_EDEAD);
    until(stats().dead_letters == 1);
    cr_assert_eq(atomic_load(&received), 0);
}

Test(bounds, an_overflow_kills)
{
    gr_ref a = held(GR_SPAWN(.mailbox_max = MAX, .overflow = GR_OVERFLOW_KILL));
    gr_future *queued = gr_acall(rt, a, "note", gr_int(1), NULL);
    gr_future *ended = gr_ended(rt, a);
    gr_code rc;

    for (int i = 1; i < MAX; i++)
        cr_assert_eq(gr_tell(rt, a, gr_int(i)), GR_OK);
    cr_assert_eq(gr_tell(rt, a, gr_int(9)), GR_EFULL);
    rc = gr_tell(rt, a, gr_int(9));
    cr_assert(rc == GR_EDEAD || rc == GR_EBROKEN, "at first it stops, then it exits");
    post(&go);
    exited(queued, "overflow");
    ended_by(ended, "overflow");
    cr_assert_eq(stats().killed_overflow, 1);
    cr_assert_eq(atomic_load(&received), 0);
}

/* What it waits for may be why it takes nothing; so the exit doesn't wait for it. */
Test(bounds, an_overflow_kills_who_waits)
{
    gr_ref a =
        gr_spawn(root, &hold_class, GR_SPAWN(.mailbox_max = MAX, .overflow = GR_OVERFLOW_KILL));
    gr_future *waits = gr_acall(rt, a, "wait", gr_nil(), NULL);
    gr_future *ended = gr_ended(rt, a);

    cr_assert(take(&entered));
    for (int i = 0; i < MAX; i++)
        cr_assert_eq(gr_tell(rt, a, gr_int(i)), GR_OK);
    cr_assert_eq(gr_tell(rt, a, gr_int(9)), GR_EFULL);
    exited(waits, "overflow");
    ended_by(ended, "overflow");
    until(stats().calls_now == 0 && stats().dead_letters == MAX);
}

Test(bounds, what_can_not_be_combined_is_refused)
{
    static const gr_class stateless = GR_CLASS(.name = "none", GR_METHODS(methods));
    gr_ref bad[] = {
        gr_spawn(root, &stateless, GR_SPAWN(.overflow = GR_OVERFLOW_DROP_OLDEST)),
        gr_spawn(root, &hold_class,
                 GR_SPAWN(.overflow = GR_OVERFLOW_DROP_OLDEST, .max_concurrency = 1)),
        gr_spawn(root, &hold_class, GR_SPAWN(.overflow = GR_OVERFLOW_DROP_OLDEST, .queue_ms = 1)),
        gr_spawn(root, &hold_class, GR_SPAWN(.overflow = (gr_overflow)7)),
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        gr_value *why = gr_check(rt, bad[i]);

        cr_assert_eq(gr_error_code(why), GR_EINVAL);
        gr_value_unref(why);
    }
}

/* ---- counting -------------------------------------------------------------------------------- */

static gr_value *rest_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    gr_sleep(gr_runtime_of(c), 1);
    return gr_value_ref(args);
}

/* A handler that goes on takes the turn from whoever has it, and with it what that has counted. */
Test(bounds, messages_are_counted_however_turns_change_hands)
{
    static const gr_method rest_methods[] = { { "invoke", GR_ASYNC, rest_invoke, NULL } };
    static const gr_class rest_class =
        GR_CLASS(.name = "rest", .state_size = 1, .reentrant = true, GR_METHODS(rest_methods));
    gr_ref a = gr_spawn(root, &rest_class, NULL);
    uint64_t before = stats().messages;
    gr_future *f[100];

    for (int i = 0; i < 100; i++)
        f[i] = gr_ainvoke(rt, a, gr_int(i), NULL);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(int_of(f[i]), i);
    until(stats().messages == before + 100);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* A turn counts what it has taken off the mailbox by the bundle, but no more than that: who has nearly as
 * many calls outstanding as the mailbox takes is not refused, whichever workers he and the actor are on. */
#define OUTSTANDING 1000

static void ask_many(gr_ctx *c, void *self, const gr_value *args)
{
    static gr_future *asked[OUTSTANDING];
    gr_runtime *r = gr_runtime_of(c);
    gr_ref whom = gr_as_ref(args);

    (void)self;
    for (int i = 0; i < 40 * OUTSTANDING; i++) {
        gr_future **f = &asked[i % OUTSTANDING];
        gr_value *err = NULL;

        if (i >= OUTSTANDING)
            gr_value_unref(gr_take(*f, &err));
        cr_assert_null(err, "%s", gr_error_text(err));
        *f = gr_acall(r, whom, "note", gr_int(i), NULL);
    }
    for (int i = 0; i < OUTSTANDING; i++)
        gr_future_free(asked[i]);
    post(&entered);
}

static const gr_class asker_class = GR_CLASS(.name = "asker", .state_size = 1, .receive = ask_many);

static gr_value *count_note(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c;
    ++*(long *)self;
    return gr_value_ref(args);
}

static const gr_method count_methods[] = { { "note", GR_ASYNC, count_note, NULL } };
static const gr_class count_class =
    GR_CLASS(.name = "count", .state_size = sizeof(long), GR_METHODS(count_methods));

Test(bounds, a_thousand_calls_outstanding_fit_a_mailbox_of_a_few_more)
{
    gr_ref server = gr_spawn(root, &count_class, NULL);

    cr_assert_eq(gr_tell(rt, gr_spawn(root, &asker_class, NULL), gr_ref_value(server)), GR_OK);
    take(&entered);
}

Test(bounds, a_mailbox_has_a_limit_in_bytes)
{
    gr_ref a = held(GR_SPAWN(.mailbox_bytes_max = 10000));

    cr_assert_eq(gr_tell(rt, a, wide(0, 20000)), GR_OK, "an empty one takes anything");
    cr_assert_eq(gr_tell(rt, a, wide(1, 100)), GR_EFULL);
    cr_assert_eq(code_of(gr_acall(rt, a, "note", wide(1, 100), NULL)), GR_EFULL);
    cr_assert_eq(gr_tell(rt, a, gr_int(1)), GR_EFULL);
    cr_assert_eq(stats().refused_mailbox_bytes, 3);
    post(&go);
    until(atomic_load(&received) == 1);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(gr_tell_wait(rt, a, wide(i, 6000)), GR_OK);
    until(atomic_load(&received) == 4);
    cr_assert_eq(stats().bytes_now, 0);
}

Test(bounds, the_oldest_is_dropped_for_bytes_too)
{
    gr_ref a = held(GR_SPAWN(.mailbox_bytes_max = 10000, .overflow = GR_OVERFLOW_DROP_OLDEST));

    for (int i = 0; i < 8; i++)
        cr_assert_eq(gr_tell(rt, a, wide(i, 3000)), GR_OK);
    cr_assert_leq(stats().bytes_now, 13500);
    post(&go);
    until(atomic_load(&received) + (int)stats().dropped_oldest == 8);
    cr_assert_eq(order[atomic_load(&received) - 1], 7);
    cr_assert_gt(stats().dropped_oldest, 3);
    until(stats().bytes_now == 0);
}

static void start_with(const gr_runtime_opts *o)
{
    engine_blocks = test_memory_live();
    cr_assert_eq(gr_runtime_new(o, &rt), GR_OK);
    root = gr_root(rt);
}

static void *tell_wide_wait(void *arg)
{
    gr_code rc = gr_tell_wait(rt, *(gr_ref *)arg, wide(9, 60000));

    return (void *)(uintptr_t)rc;
}

/* The limit is kept to a sixteenth. */
Test(bounds_runtime, has_a_limit_in_bytes)
{
    pthread_t thread;
    void *rc = NULL;
    gr_ref a;
    int sent = 0;

    start_with(GR_RUNTIME(.workers = 2, .bytes_max = 1 << 20));
    a = held(NULL);
    while (gr_tell(rt, a, wide(sent, 60000)) == GR_OK)
        sent++;
    cr_assert(sent >= 16 && sent <= 18, "%d", sent);
    cr_assert_leq(stats().bytes_high, (1 << 20) + (1 << 16));
    cr_assert_gt(stats().bytes_now, (1 << 20) - (1 << 17));
    cr_assert_eq(gr_tell(rt, a, gr_int(99)), GR_OK, "what needs no memory is free");
    cr_assert_eq(code_of(gr_acall(rt, a, "note", wide(0, 60000), NULL)), GR_EFULL);
    cr_assert_eq(gr_tell(rt, a, gr_list(wide(0, 1 << 20), wide(0, 1 << 20))), GR_ENOMEM);
    cr_assert_eq(stats().refused_bytes, 3);
    cr_assert_eq(pthread_create(&thread, NULL, tell_wide_wait, &a), 0);
    post(&go);
    pthread_join(thread, &rc);
    cr_assert_eq((gr_code)(uintptr_t)rc, GR_OK);
    until(atomic_load(&received) == sent + 2);
    until(stats().bytes_now == 0);
    engine_down();
}

Test(bounds_runtime, has_a_limit_of_calls)
{
    gr_future *f[12];
    gr_ref a;

    start_with(GR_RUNTIME(.workers = 2, .calls_max = 10));
    a = held(NULL);
    for (int i = 0; i < 12; i++)
        f[i] = gr_acall(rt, a, "note", gr_int(i), NULL);
    cr_assert_eq(stats().calls_now, 10);
    cr_assert_eq(code_of(f[10]), GR_EFULL);
    cr_assert_eq(code_of(f[11]), GR_EFULL);
    cr_assert_eq(stats().refused_calls, 2);
    post(&go);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(int_of(f[i]), i);
    until(stats().calls_now == 0);
    cr_assert_eq(stats().calls_high, 10);
    cr_assert_eq(stats().calls_ended, 10);
    engine_down();
}

/* ---- asks ------------------------------------------------------------------------------------ */

static gr_value *ask_all(gr_ctx *c, void *self, const gr_value *args)
{
    gr_ref to = gr_as_ref(args);
    gr_future *f[8];
    gr_value *codes = gr_list_n(NULL, 0);

    (void)self;
    for (int i = 0; i < 8; i++)
        f[i] = gr_acall(gr_runtime_of(c), to, "note", gr_int(i), NULL);
    for (int i = 7; i >= 0; i--) {
        if (i == 4)
            post(&go); /* all that were refused are through */
        codes = gr_append(codes, gr_int(gr_await(f[i], -1).code));
    }
    for (int i = 0; i < 8; i++)
        gr_future_free(f[i]);
    return codes;
}

Test(bounds, an_actor_has_only_so_many_calls_under_way)
{
    static const gr_method ask_methods[] = { { "invoke", GR_ASYNC, ask_all, NULL } };
    static const gr_class ask_class =
        GR_CLASS(.name = "ask", .state_size = 1, GR_METHODS(ask_methods));
    gr_ref a = held(NULL), asker = gr_spawn(root, &ask_class, GR_SPAWN(.asks_max = 5));

    json_is(gr_invoke(rt, asker, gr_ref_value(a), NULL, NULL), "[22, 22, 22, 0, 0, 0, 0, 0]");
    cr_assert_eq(stats().refused_asks, 3);
    /* they have ended, so it may have five again */
    a = held(NULL);
    json_is(gr_invoke(rt, asker, gr_ref_value(a), NULL, NULL), "[22, 22, 22, 0, 0, 0, 0, 0]");
}

/* ---- waiting in the mailbox ------------------------------------------------------------------ */

static gr_value *slow_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    gr_sleep(gr_runtime_of(c), 5);
    return gr_value_ref(args);
}

/* 5 ms each, 40 ms at most: eight at a time, where the mailbox would take a thousand. */
Test(bounds, queue_ms_admits_what_is_handled_in_that_time)
{
    static const gr_method slow_methods[] = { { "invoke", GR_ASYNC, slow_invoke, NULL } };
    static const gr_class slow_class =
        GR_CLASS(.name = "slow", .state_size = 1, GR_METHODS(slow_methods));
    gr_ref a = gr_spawn(root, &slow_class, GR_SPAWN(.queue_ms = 40));
    gr_future *f[400];
    int answered = 0, refused = 0;

    for (int i = 0; i < 60; i++)
        f[i] = gr_ainvoke(rt, a, gr_int(i), NULL);
    for (int i = 0; i < 60; i++) {
        gr_code rc = code_of(f[i]);

        cr_assert(rc == GR_OK || rc == GR_EFULL);
        answered += rc == GR_OK;
        refused += rc == GR_EFULL;
    }
    cr_assert_gt(answered, 0);
    cr_assert_gt(refused, 0, "60 calls of 5 ms can't all have waited for less than 80 ms");
    /* it has measured by now, and refuses at the door */
    for (int i = 0; i < 400; i++)
        f[i] = gr_ainvoke(rt, a, gr_int(i), NULL);
    refused = 0;
    for (int i = 0; i < 400; i++)
        refused += gr_done(f[i]) && gr_await(f[i], 0).code == GR_EFULL;
    cr_assert_gt(refused, 300);
    for (int i = 0; i < 400; i++)
        gr_future_free(f[i]);
    until(stats().calls_now == 0);
    /* and is well afterwards, once the turn has thrown away what was cancelled in the mailbox */
    until(code_of(gr_ainvoke(rt, a, gr_int(1), NULL)) == GR_OK);
    cr_assert_gt(stats().refused_queue_ms, 0);
}

TestSuite(bounds, .init = engine_up, .fini = engine_down);
