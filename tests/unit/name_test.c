/* SPDX-License-Identifier: Apache-2.0 */
/* name_test.c - names, and refs that lead to whoever has one. A number in a test's name is that of the
 * point of the supervision semantics that it shows. */
#include "tests/support/proc.h"

static gr_value *invoke_self(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    return gr_value_ref(gr_args(c));
}

static _Atomic int told;

static void receive(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)c, (void)self;
    atomic_store(&told, atomic_load(&told) * 10 + (int)gr_as_int(msg, 0));
}

static gr_code stream_two(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    (void)self, (void)in, (void)args;
    gr_emit(c, gr_int(1));
    return gr_emit(c, gr_int(2));
}

static const gr_method methods[] = { { "invoke", GR_ASYNC, invoke_self, NULL },
                                     { "stream", GR_ASYNC, NULL, stream_two },
                                     { "own", GR_ASYNC, invoke_self, NULL } };
static const gr_class number_class =
    GR_CLASS(.name = "number", .state_size = 8, GR_METHODS(methods), .receive = receive);

/* number is an actor that answers i. */
static gr_ref number(int i)
{
    return gr_spawn(root, &number_class, GR_SPAWN(.args = gr_int(i)));
}

static bool same(gr_ref a, gr_ref b)
{
    return a.node == b.node && a.id == b.id;
}

/* ---- 29: names ------------------------------------------------------------------------------- */

Test(name, p29_register_and_find)
{
    gr_ref a = number(1), b = number(2), nobody = { 0, 0 };

    cr_assert(same(gr_whereis(rt, "a"), nobody));
    cr_assert_eq(gr_register(rt, "a", a), GR_OK);
    cr_assert_eq(gr_register(rt, "also a", a), GR_OK);
    cr_assert_eq(gr_register(rt, "a", b), GR_EINVAL, "taken");
    cr_assert_eq(gr_register(rt, "a", a), GR_EINVAL, "taken, if by itself");
    cr_assert(same(gr_whereis(rt, "a"), a));
    cr_assert(same(gr_whereis(rt, "also a"), a));
    cr_assert(gr_unregister(rt, "a"));
    cr_assert_not(gr_unregister(rt, "a"));
    cr_assert_eq(gr_register(rt, "a", b), GR_OK);
    cr_assert(same(gr_whereis(rt, "a"), b));
}

Test(name, p29_what_is_no_name)
{
    char long_name[GR_NAME_MAX + 2];
    gr_ref a = number(1), foreign = { 12345, 1 }, empty = { 0, 0 },
           never = { a.node, a.id + 40000 };

    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    cr_assert_eq(gr_register(rt, long_name, a), GR_EINVAL);
    long_name[GR_NAME_MAX] = '\0';
    cr_assert_eq(gr_register(rt, long_name, a), GR_OK);
    cr_assert_eq(gr_register(rt, "", a), GR_EINVAL);
    cr_assert_eq(gr_register(rt, NULL, a), GR_EINVAL);
    cr_assert_eq(gr_register(rt, "x", foreign), GR_EUNREACH);
    cr_assert_eq(gr_register(rt, "x", empty), GR_EINVAL);
    cr_assert_eq(gr_register(rt, "x", never), GR_EDEAD);
    cr_assert_not(gr_unregister(rt, NULL));
    cr_assert_eq(gr_whereis(rt, NULL).id, 0);
}

Test(name, p29_a_dead_actor_has_no_name_and_gets_none)
{
    static struct log l = LOG;
    gr_ref a = proc(&l);
    gr_ref failed = proc_with(NULL, gr_map(GR_KV("fail", gr_bool(true))));

    cr_assert_eq(gr_register(rt, "a", a), GR_OK);
    gr_stop(rt, a);
    cr_assert_eq(gr_whereis(rt, "a").id, 0, "not while it ends, either");
    gone_is(a, "normal");
    cr_assert_eq(gr_register(rt, "a", a), GR_EDEAD);
    cr_assert_eq(gr_register(rt, "a", number(1)), GR_OK, "it is free");
    cr_assert_eq(code_of(gr_ended(rt, failed)), GR_EREMOTE);
    cr_assert_eq(gr_register(rt, "b", failed), GR_EDEAD);
}

/* taker registers the name of whom it monitored, when that is down. */
static _Atomic int took;

static void taker_down(gr_ctx *c, void *self, uint64_t monitor, gr_ref who, const gr_value *reason)
{
    (void)self, (void)monitor, (void)who, (void)reason;
    if (gr_whereis(gr_runtime_of(c), "prize").id == 0 &&
        gr_register(gr_runtime_of(c), "prize", gr_self(c)) == GR_OK)
        atomic_fetch_add(&took, 1);
}

static const gr_class taker_class = GR_CLASS(.name = "taker", .state_size = sizeof(struct proc),
                                             GR_METHODS(proc_methods), .down = taker_down);

/* The name is free before anybody hears of the end, so whoever hears of it may take it. */
Test(name, p29_a_name_is_free_before_down)
{
    for (int i = 0; i < 100; i++) {
        gr_ref a = number(1), t = gr_spawn(root, &taker_class, NULL);

        cr_assert_eq(gr_register(rt, "prize", a), GR_OK);
        cr_assert_eq(ask_ref(t, "monitor", a), GR_OK);
        atomic_store(&took, 0);
        gr_stop(rt, a);
        until(atomic_load(&took) == 1);
        cr_assert(same(gr_whereis(rt, "prize"), t));
        cr_assert(gr_unregister(rt, "prize"));
    }
}

/* ---- 27: refs to a name ---------------------------------------------------------------------- */

Test(name, p27_a_named_ref_leads_to_who_has_the_name_now)
{
    gr_ref n = gr_named(root, "it", NULL), a = number(1), b = number(2);
    gr_stream *s;

    cr_assert_eq(gr_register(rt, "it", a), GR_OK);
    cr_assert_eq(int_of(gr_ainvoke(rt, n, gr_nil(), NULL)), 1);
    cr_assert_eq(int_of(gr_acall(rt, n, "own", gr_nil(), NULL)), 1);
    s = gr_astream(rt, n, gr_nil(), NULL);
    cr_assert_eq(gr_as_int(gr_next(s, TEST_WAIT_MS).value, 0), 1);
    cr_assert_eq(gr_as_int(gr_next(s, TEST_WAIT_MS).value, 0), 2);
    cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_EOS);
    gr_stream_free(s);
    gr_stop(rt, a);
    gone_is(a, "normal");
    cr_assert_eq(gr_register(rt, "it", b), GR_OK);
    cr_assert_eq(int_of(gr_ainvoke(rt, n, gr_nil(), NULL)), 2);
    cr_assert_eq(gr_tell(rt, n, gr_int(7)), GR_OK);
    until(atomic_load(&told) == 7);
}

Test(name, p27_nobody_there_is_an_error_to_retry)
{
    gr_ref n = gr_named(root, "it", NULL);
    uint64_t letters = gr_dead_letters(rt);
    gr_value *err = NULL;

    cr_assert_null(gr_invoke(rt, n, gr_nil(), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_EUNREACH);
    cr_assert(gr_error_retryable(err));
    gr_value_unref(err);
    cr_assert_eq(gr_tell(rt, n, gr_int(1)), GR_OK);
    until(gr_dead_letters(rt) == letters + 1);
}

Test(name, p27_calls_wait_for_the_name)
{
    gr_ref n = gr_named(root, "it", GR_NAMED(.wait_ms = 600000, .wait_max = 3)), a;
    gr_future *fs[4];

    for (int i = 0; i < 4; i++)
        fs[i] = gr_ainvoke(rt, n, gr_nil(), NULL);
    /* one of the four, whichever came last to the name, is too many */
    until(gr_done(fs[0]) || gr_done(fs[1]) || gr_done(fs[2]) || gr_done(fs[3]));
    a = number(5);
    cr_assert_eq(gr_register(rt, "it", a), GR_OK);
    for (int i = 0, full = 0; i < 4; i++) {
        gr_outcome o = gr_await(fs[i], TEST_WAIT_MS);

        full += o.code == GR_EFULL;
        cr_assert(o.code == GR_EFULL || gr_as_int(o.value, 0) == 5);
        cr_assert_leq(full, 1);
        gr_future_free(fs[i]);
    }
}

Test(name, p27_but_not_for_ever)
{
    gr_ref n = gr_named(root, "it", GR_NAMED(.wait_ms = 20));
    uint64_t start = test_now_ns();

    cr_assert_eq(code_of(gr_ainvoke(rt, n, gr_nil(), NULL)), GR_EUNREACH);
    cr_assert_geq(test_now_ns() - start, UINT64_C(20000000));
}

Test(name, p27_a_call_that_waits_can_be_cancelled)
{
    gr_ref n = gr_named(root, "it", GR_NAMED(.wait_ms = 600000));
    gr_future *f = gr_ainvoke(rt, n, gr_nil(), NULL);

    gr_sleep(rt, 2);
    gr_future_cancel(f);
    cr_assert_eq(code_of(f), GR_ECANCELED);
    cr_assert_eq(code_of(gr_ainvoke(rt, n, gr_nil(), GR_CALL(.timeout_ms = 5))), GR_ETIMEDOUT);
}

Test(name, p27_tells_wait_in_order)
{
    gr_ref n = gr_named(root, "it", GR_NAMED(.wait_ms = 600000));

    for (int i = 1; i <= 4; i++)
        cr_assert_eq(gr_tell(rt, n, gr_int(i)), GR_OK);
    gr_sleep(rt, 2);
    cr_assert_eq(gr_register(rt, "it", number(1)), GR_OK);
    until(atomic_load(&told) == 1234);
}

/* Nothing of what waits for a name holds up the end of the runtime. */
Test(name, p27_the_end_does_not_wait_for_a_name)
{
    gr_ref n = gr_named(root, "it", GR_NAMED(.wait_ms = 600000));

    cr_assert_eq(gr_tell(rt, n, gr_int(1)), GR_OK);
    gr_detach(gr_ainvoke(rt, n, gr_nil(), NULL));
    gr_sleep(rt, 2);
}

Test(name, p27_what_is_no_name_is_a_broken_ref)
{
    gr_value *err = gr_check(rt, gr_named(root, "", NULL));

    cr_assert_eq(gr_error_code(err), GR_EINVAL);
    gr_value_unref(err);
}

/* An actor restarted under its name again and again is missed by no call that may wait. */
Test(name, p27_calls_ride_over_restarts)
{
    gr_ref n = gr_named(root, "it", GR_NAMED(.wait_ms = 600000)), a = number(0);
    gr_future *fs[50];
    int lost = 0;

    cr_assert_eq(gr_register(rt, "it", a), GR_OK);
    for (int i = 0; i < 50; i++) {
        gr_future *end = gr_ended(rt, a);

        fs[i] = gr_ainvoke(rt, n, gr_nil(), NULL);
        cr_assert_eq(gr_exit_to(rt, a, gr_str("x")), GR_OK);
        gr_await(end, -1);
        gr_future_free(end);
        a = number(i + 1);
        cr_assert_eq(gr_register(rt, "it", a), GR_OK);
    }
    for (int i = 0; i < 50; i++) {
        gr_outcome o = gr_await(fs[i], TEST_WAIT_MS);

        /* either it was answered, or it had come to an actor that then exited */
        cr_assert(o.code == GR_OK || (o.code == GR_EBROKEN && gr_error_retryable(o.error)));
        lost += o.code != GR_OK;
        gr_future_free(fs[i]);
    }
    cr_assert_lt(lost, 50);
}

/* In the plain mode all tests run in one process. */
static void start_afresh(void)
{
    engine_up();
    atomic_store(&told, 0);
}

TestSuite(name, .init = start_afresh, .fini = engine_down);
