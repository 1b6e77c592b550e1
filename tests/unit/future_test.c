/* SPDX-License-Identifier: Apache-2.0 */
/* future_test.c - one pending answer: awaited, cancelled, detached, let go. */
#include <greenroom/greenroom.h>

#include "tests/support/engine.h"

Test(future, null_reads_as_out_of_memory)
{
    gr_value *err = NULL;

    cr_assert_eq(gr_await(NULL, -1).code, GR_ENOMEM);
    cr_assert(gr_done(NULL));
    cr_assert_null(gr_take(NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_ENOMEM);
    gr_value_unref(err);
    cr_assert_null(gr_take(NULL, NULL));
    gr_future_free(NULL);
    gr_future_cancel(NULL);
    gr_detach(NULL);
    cr_assert_eq(gr_future_call(NULL).id, 0);
}

Test(future, await_gives_the_value_again_and_again)
{
    gr_future *f = gr_ainvoke(rt, echo(), gr_str("hi"), NULL);

    for (int i = 0; i < 3; i++) {
        gr_outcome o = gr_await(f, -1);

        cr_assert_eq(o.code, GR_OK);
        cr_assert_null(o.error);
        cr_assert_str_eq(gr_cstr(o.value, ""), "hi");
    }
    cr_assert(gr_done(f));
    gr_future_free(f);
}

Test(future, await_gives_the_error)
{
    gr_future *f = gr_ainvoke(rt, boom(), gr_int(1), NULL);
    gr_outcome o = gr_await(f, -1);

    cr_assert_eq(o.code, GR_EREMOTE);
    cr_assert_null(o.value);
    cr_assert_str_eq(gr_error_text(o.error), "boom 1");
    cr_assert_str_eq(gr_cstr(gr_get(o.error, "where"), ""), "boom");
    gr_future_free(f);
}

Test(future, time_up_is_pending_and_the_call_goes_on)
{
    struct desk d = DESK;
    gr_future *f = gr_ainvoke(rt, desk_in(root, &d), gr_nil(), NULL);

    cr_assert_eq(gr_await(f, 0).code, GR_EPENDING);
    cr_assert_eq(gr_await(f, 1).code, GR_EPENDING);
    cr_assert_not(gr_done(f));
    until(atomic_load(&d.came) == 1);
    desk_answer(&d, 0, gr_int(4));
    cr_assert_eq(int_of(f), 4);
}

Test(future, take_gives_the_value_or_the_error)
{
    gr_value *err = NULL;
    gr_value *v = gr_take(gr_ainvoke(rt, echo(), gr_int(3), NULL), &err);

    cr_assert_eq(gr_as_int(v, 0), 3);
    cr_assert_null(err, "reterr is written on failure only");
    gr_value_unref(v);
    cr_assert_null(gr_take(gr_ainvoke(rt, boom(), gr_int(3), NULL), &err));
    cr_assert_eq(gr_error_code(err), GR_EREMOTE);
    gr_value_unref(err);
}

/* ---- cancelling ------------------------------------------------------------------------------ */

Test(future, cancel_completes_at_once_and_tells_the_handler_once)
{
    struct desk d = DESK;
    gr_future *f = gr_ainvoke(rt, desk_in(root, &d), gr_nil(), NULL);

    until(atomic_load(&d.came) == 1);
    gr_future_cancel(f);
    cr_assert(gr_done(f));
    gr_future_cancel(f);
    cr_assert_eq(gr_await(f, 0).code, GR_ECANCELED);
    cr_assert_eq(atomic_load(&d.cancelled), 1);
    desk_answer(&d, 0, gr_int(4)); /* too late, and consumed */
    cr_assert_eq(code_of(f), GR_ECANCELED);
}

Test(future, dropping_a_pending_future_cancels_its_call)
{
    struct desk d = DESK;
    gr_future *f = gr_ainvoke(rt, desk_in(root, &d), gr_nil(), NULL);

    until(atomic_load(&d.came) == 1);
    gr_future_free(f);
    cr_assert_eq(atomic_load(&d.cancelled), 1);
    desk_close(&d);
}

Test(future, cancel_by_name)
{
    struct desk d = DESK;
    gr_future *f = gr_ainvoke(rt, desk_in(root, &d), gr_nil(), NULL);
    gr_call name = gr_future_call(f), again = gr_future_call(f);

    until(atomic_load(&d.came) == 1);
    cr_assert_neq(name.id, 0);
    cr_assert(name.id == again.id && name.node == again.node);
    gr_cancel(rt, (gr_call){ name.node + 1, name.id });
    gr_cancel(rt, (gr_call){ name.node, name.id + 1 });
    cr_assert_not(gr_done(f));
    gr_cancel(rt, name);
    cr_assert_eq(gr_await(f, 0).code, GR_ECANCELED);
    cr_assert_eq(gr_future_call(f).id, 0, "there is nothing left to cancel");
    gr_cancel(rt, name);
    gr_future_free(f);
    desk_close(&d);
}

Test(future, a_name_outlives_its_call_harmlessly)
{
    gr_future *f = gr_ainvoke(rt, nap(), gr_int(1), NULL);
    gr_call name = gr_future_call(f);

    cr_assert_eq(code_of(f), GR_OK);
    gr_cancel(rt, name);
}

static _Atomic int begun, interrupted, later;

static gr_value *stubborn(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    atomic_store(&begun, 1);
    atomic_store(&interrupted, gr_sleep(gr_runtime_of(c), 600000) == GR_EINTR);
    atomic_store(&later, gr_cancelled(c) && gr_sleep(gr_runtime_of(c), 600000) == GR_EINTR);
    return gr_nil();
}

static const gr_method stubborn_methods[] = { { "invoke", GR_ASYNC, stubborn, NULL },
                                              { "block", GR_BLOCKING, stubborn, NULL } };
static const gr_class stubborn_class = GR_CLASS(.name = "stubborn", GR_METHODS(stubborn_methods));

static void cancel_running(const char *verb)
{
    gr_future *f;

    atomic_store(&begun, 0);
    atomic_store(&later, 0); /* in the plain runner another test has set it */
    f = gr_acall(rt, gr_spawn(root, &stubborn_class, NULL), verb, gr_nil(), NULL);
    until(atomic_load(&begun)); /* a call that has not begun would be dropped */
    cr_assert_eq(gr_await(f, 5).code, GR_EPENDING);
    gr_future_cancel(f);
    cr_assert_eq(code_of(f), GR_ECANCELED);
    until(atomic_load(&later));
    cr_assert(atomic_load(&interrupted));
}

Test(future, cancel_interrupts_a_parked_handler_and_all_its_later_waits)
{
    cancel_running("invoke");
}

Test(future, cancel_interrupts_a_blocking_handler_that_waits)
{
    cancel_running("block");
}

static _Atomic int ran;

static gr_value *count_run(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    atomic_fetch_add(&ran, 1);
    gr_sleep(gr_runtime_of(c), 5);
    return gr_nil();
}

static const gr_method count_methods[] = { { "invoke", GR_ASYNC, count_run, NULL } };
static const gr_class count_class =
    GR_CLASS(.name = "count", .state_size = 1, GR_METHODS(count_methods));

Test(future, a_queued_call_that_is_cancelled_never_runs)
{
    gr_ref a = gr_spawn(root, &count_class, NULL);
    gr_future *first = gr_ainvoke(rt, a, gr_nil(), NULL);
    gr_future *second = gr_ainvoke(rt, a, gr_nil(), NULL);
    gr_future *third = gr_ainvoke(rt, a, gr_nil(), NULL);

    gr_future_cancel(second);
    cr_assert_eq(code_of(second), GR_ECANCELED);
    cr_assert_eq(code_of(first), GR_OK);
    cr_assert_eq(code_of(third), GR_OK);
    cr_assert_eq(atomic_load(&ran), 2);
}

/* ---- detaching ------------------------------------------------------------------------------- */

static gr_ref other;

static gr_value *starter(gr_ctx *c, void *self, const gr_value *args)
{
    gr_future *f = gr_ainvoke(gr_runtime_of(c), other, gr_nil(), NULL);

    (void)self;
    if (gr_as_bool(args, false))
        gr_detach(f);
    else
        gr_future_free(f);
    return gr_nil();
}

static const gr_method starter_methods[] = { { "invoke", GR_ASYNC, starter, NULL } };
static const gr_class starter_class = GR_CLASS(.name = "starter", GR_METHODS(starter_methods));

Test(future, a_detached_call_outlives_its_caller)
{
    struct desk d = DESK;
    gr_ref s = gr_spawn(root, &starter_class, NULL);

    other = desk_in(root, &d);
    cr_assert_eq(code_of(gr_ainvoke(rt, s, gr_bool(true), NULL)), GR_OK);
    until(atomic_load(&d.came) == 1);
    cr_assert_eq(atomic_load(&d.cancelled), 0);
    desk_answer(&d, 0, gr_nil());
}

static struct signal_count watching = SIGNAL_COUNT;
static long most_blocks;

/* relay starts the next of a row of calls, without waiting for it. */
static gr_value *relay(gr_ctx *c, void *self, const gr_value *args)
{
    int64_t left = gr_as_int(args, 0);
    long blocks = test_memory_live();

    (void)self;
    most_blocks = blocks > most_blocks ? blocks : most_blocks;
    if (left > 0)
        gr_detach(gr_ainvoke(gr_runtime_of(c), gr_self(c), gr_int(left - 1), NULL));
    else
        post(&watching);
    return gr_nil();
}

static const gr_method relay_methods[] = { { "invoke", GR_ASYNC, relay, NULL } };
static const gr_class relay_class =
    GR_CLASS(.name = "relay", .state_size = 1, GR_METHODS(relay_methods));

/* An actor may go on like this for ever, so no call may hold on to the one that started it. */
Test(future, a_row_of_detached_calls_does_not_pile_up)
{
    most_blocks = 0;
    cr_assert_eq(code_of(gr_ainvoke(rt, gr_spawn(root, &relay_class, NULL), gr_int(20000), NULL)),
                 GR_OK);
    cr_assert(take(&watching));
    cr_assert_lt(most_blocks, engine_blocks + 1000);
}

Test(future, detach_of_a_complete_future_frees_it)
{
    gr_future *f = gr_ainvoke(rt, echo(), gr_str("x"), NULL);

    gr_await(f, -1);
    gr_detach(f);
}

/* ---- callbacks ------------------------------------------------------------------------------- */

static _Atomic int calls, drops, drop_after_call;
static _Atomic int seen_code;

static void on_done(void *arg, gr_future *f)
{
    (void)arg;
    atomic_store(&seen_code, (int)gr_await(f, 0).code);
    gr_future_free(f);
    atomic_fetch_add(&calls, 1);
}

static void on_drop(void *arg)
{
    (void)arg;
    atomic_store(&drop_after_call, atomic_load(&calls));
    atomic_fetch_add(&drops, 1);
}

Test(future, on_done_runs_once_complete_and_drop_runs_last)
{
    struct desk d = DESK;
    gr_future *f = gr_ainvoke(rt, desk_in(root, &d), gr_nil(), NULL);

    cr_assert_eq(gr_on_done(f, on_done, on_drop, NULL), GR_OK);
    until(atomic_load(&d.came) == 1);
    cr_assert_eq(atomic_load(&calls), 0);
    desk_answer(&d, 0, gr_int(1));
    until(atomic_load(&drops) == 1);
    cr_assert_eq(atomic_load(&calls), 1);
    cr_assert_eq(atomic_load(&drop_after_call), 1);
}

Test(future, on_done_of_a_complete_future)
{
    gr_future *f = gr_ainvoke(rt, boom(), gr_nil(), NULL);

    gr_await(f, -1);
    cr_assert_eq(gr_on_done(f, on_done, on_drop, NULL), GR_OK);
    until(atomic_load(&drops) == 1);
    cr_assert_eq(atomic_load(&seen_code), GR_EREMOTE);
}

/* A call that never was is a future like any other. */
Test(future, on_done_of_a_call_that_failed_at_once)
{
    cr_assert_eq(gr_on_done(gr_abatch(rt, echo(), gr_int(1), NULL), on_done, on_drop, NULL), GR_OK);
    until(atomic_load(&drops) == 1);
    cr_assert_eq(atomic_load(&seen_code), GR_ETYPE);
}

Test(future, on_done_of_null_drops)
{
    cr_assert_eq(gr_on_done(NULL, on_done, on_drop, NULL), GR_ENOMEM);
    cr_assert_eq(atomic_load(&drops), 1);
    cr_assert_eq(atomic_load(&calls), 0);
}

static void *await_thread(void *arg)
{
    post(&watching);
    return (void *)(uintptr_t)gr_await(arg, -1).code;
}

/* ---- after the runtime ----------------------------------------------------------------------- */

Test(future, a_future_outlives_its_runtime)
{
    gr_future *done = gr_ainvoke(rt, echo(), gr_str("kept"), NULL);
    gr_future *pending = gr_ainvoke(rt, nap(), gr_int(600000), NULL);
    gr_future *queued[3];
    gr_ref a = gr_spawn(root, &count_class, NULL);
    long before = engine_blocks;

    gr_await(done, -1);
    for (int i = 0; i < 3; i++)
        queued[i] = gr_ainvoke(rt, a, gr_nil(), NULL);
    gr_runtime_free(rt);
    rt = NULL;
    cr_assert_str_eq(gr_cstr(gr_await(done, -1).value, ""), "kept");
    cr_assert_eq(gr_await(pending, -1).code, GR_ECANCELED);
    cr_assert_eq(gr_await(pending, 1000).code, GR_ECANCELED);
    cr_assert_eq(gr_future_call(pending).id, 0);
    gr_future_cancel(pending);
    gr_future_free(done);
    gr_future_free(pending);
    for (int i = 0; i < 3; i++) {
        cr_assert(gr_done(queued[i]));
        if (i == 0)
            gr_detach(queued[i]);
        else
            gr_future_free(queued[i]);
    }
    cr_assert_eq(test_memory_live(), before);
}

Test(future, a_thread_that_waits_is_woken_by_the_runtimes_end)
{
    gr_future *f = gr_ainvoke(rt, nap(), gr_int(600000), NULL);
    pthread_t thread;
    void *code = NULL;

    pthread_create(&thread, NULL, await_thread, f);
    cr_assert(take(&watching));
    gr_runtime_free(rt);
    rt = NULL;
    pthread_join(thread, &code);
    cr_assert_eq((gr_code)(uintptr_t)code, GR_ECANCELED);
    gr_future_free(f);
}

/* ---- who may not wait ------------------------------------------------------------------------ */

static gr_value *waits_cheaply(gr_ctx *c, void *self, const gr_value *args)
{
    gr_future *f = gr_ainvoke(gr_runtime_of(c), other, gr_int(50), NULL);
    gr_code rc = gr_await(f, -1).code;

    (void)self, (void)args;
    gr_future_free(f);
    return gr_int(rc);
}

static const gr_method cheap_methods[] = { { "invoke", GR_CHEAP, waits_cheaply, NULL },
                                           { "patient", GR_ASYNC, waits_cheaply, NULL } };
static const gr_class cheap_class = GR_CLASS(.name = "cheap", GR_METHODS(cheap_methods));
static const gr_class alone_class =
    GR_CLASS(.name = "alone", .state_size = 1, GR_METHODS(cheap_methods));

Test(future, cheap_code_cannot_wait)
{
    other = nap();
    cr_assert_eq(int_of(gr_ainvoke(rt, gr_spawn(root, &cheap_class, NULL), gr_nil(), NULL)),
                 GR_EDEADLK);
}

Test(future, an_exclusive_actor_that_waits_for_itself_is_told)
{
    other = gr_spawn(root, &alone_class, NULL);
    cr_assert_eq(int_of(gr_acall(rt, other, "patient", gr_nil(), NULL)), GR_EDEADLK);
}

Test(future, fibers_max_bounds_what_waits)
{
    gr_future *fs[24];
    int full = 0;

    engine_down();
    engine_blocks = test_memory_live();
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 1, .fibers_max = 4), &rt), GR_OK);
    root = gr_root(rt);
    other = nap();
    gr_ref a = gr_spawn(root, &cheap_class, NULL);

    for (int i = 0; i < 24; i++)
        fs[i] = gr_acall(rt, a, "patient", gr_nil(), NULL);
    for (int i = 0; i < 24; i++)
        full += int_of(fs[i]) == GR_EFULL;
    cr_assert_geq(full, 1);
    cr_assert_lt(full, 24);
}

/* stacks_now is how many stacks there are, in use or kept. */
static uint64_t stacks_now(void)
{
    gr_stats s = GR_STATS_INIT;

    gr_stats_read(rt, &s);
    return s.stacks_now;
}

static gr_value *waits_for_long(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_future *f = gr_ainvoke(gr_runtime_of(c), other, gr_int(600000), NULL);

    (void)arg, (void)input;
    gr_await(f, -1);
    gr_future_free(f);
    return gr_nil();
}

/* The stacks of a burst are kept as long as it lasts, but for a few. */
Test(future, the_stacks_of_a_burst_are_given_back)
{
    gr_future *fs[1000];

    other = nap();
    gr_ref waits = gr_lambda(root, GR_ASYNC, waits_for_long, NULL, NULL);

    for (int i = 0; i < 1000; i++)
        fs[i] = gr_ainvoke(rt, waits, gr_nil(), NULL);
    until(stacks_now() >= 1000);
    for (int i = 0; i < 1000; i++)
        gr_future_free(fs[i]);
    until(stacks_now() < 500);
}

/* In the plain mode all tests run in one process. */
static void start_afresh(void)
{
    engine_up();
    atomic_store(&interrupted, 0);
    atomic_store(&later, 0);
    atomic_store(&ran, 0);
    atomic_store(&calls, 0);
    atomic_store(&drops, 0);
    atomic_store(&drop_after_call, 0);
    atomic_store(&seen_code, 0);
    watching.count = 0;
}

TestSuite(future, .init = start_afresh, .fini = engine_down);

/* So that `return gr_fail(c, gr_value_ref(o.error))` keeps the code. */
Test(future, a_wait_that_fails_by_itself_has_an_error_too)
{
    gr_outcome o = gr_await(NULL, -1);

    cr_assert_eq(o.code, GR_ENOMEM);
    cr_assert_eq(gr_error_code(o.error), GR_ENOMEM);
    cr_assert_str_eq(gr_error_text(o.error), "out of memory");
    o = gr_next(NULL, -1);
    cr_assert_eq(o.code, GR_ENOMEM);
    cr_assert_eq(gr_error_code(o.error), GR_ENOMEM);
}
