/* SPDX-License-Identifier: Apache-2.0 */
/* budget_test.c - rate limiters, response caches, breakers: langchain-core's cases, and our own. */
#include "tests/conformance/cases.h"

TestSuite(budget, .init = set_up, .fini = tear_down, .timeout = 120);
TestSuite(clocked, .timeout = 120);

/* ---- on a clock of our own ------------------------------------------------------------------- */

static void sim_start(void)
{
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.sim_seed = 7, .sim_faults = GR_SIM_NONE), &rt), GR_OK);
    root = gr_root(rt);
}

static int64_t ms_since(uint64_t start)
{
    return (int64_t)((gr_now_ns(rt) - start) / 1000000);
}

/* tries is one acquire that does not wait. */
static bool tries(gr_ref limiter)
{
    gr_value *v = answer(gr_aacquire(rt, limiter, GR_ACQUIRE(.no_wait = true), NULL));
    bool got = gr_as_bool(v, false);

    cr_assert_eq(gr_value_type(v), GR_BOOL, "%s", gr_error_text(v));
    gr_value_unref(v);
    return got;
}

Test(clocked, rl_01_a_bucket_fills)
{
    gr_ref l;

    sim_start();
    l = gr_rate_limiter(root, GR_RATE_LIMITER(.requests_per_second = 2, .requests_burst = 2));
    cr_assert(!tries(l));
    gr_sim_advance(rt, 500);
    cr_assert(tries(l));
    cr_assert(!tries(l));
    gr_sim_advance(rt, 1000);
    cr_assert(tries(l));
    cr_assert(tries(l));
    cr_assert(!tries(l));
    tear_down();
}

Test(clocked, who_waits_is_served_in_order_and_in_time)
{
    uint64_t start;
    gr_future *f[5];
    gr_ref l;

    sim_start();
    l = gr_rate_limiter(root, GR_RATE_LIMITER(.requests_per_second = 10));
    start = gr_now_ns(rt);
    for (int i = 0; i < 5; i++)
        f[i] = gr_aacquire(rt, l, NULL, NULL);
    for (int i = 0; i < 5; i++) {
        is(answer(f[i]), "true");
        cr_assert_geq(ms_since(start), 100 * (i + 1) - 1, "%d", i);
        cr_assert_leq(ms_since(start), 100 * (i + 1) + 20, "%d: %d", i, (int)ms_since(start));
        for (int k = i + 1; k < 5; k++)
            cr_assert(!gr_done(f[k]));
    }
    tear_down();
}

Test(clocked, a_cancelled_waiter_holds_nobody_up)
{
    gr_future *big, *small;
    uint64_t start;
    gr_ref l;

    sim_start();
    l = gr_rate_limiter(root, GR_RATE_LIMITER(.tokens_per_minute = 60, .tokens_burst = 60));
    is(answer(gr_aacquire(rt, l, GR_ACQUIRE(.tokens = 0), NULL)), "true");
    start = gr_now_ns(rt);
    big = gr_aacquire(rt, l, GR_ACQUIRE(.tokens = 60), NULL);
    small = gr_aacquire(rt, l, GR_ACQUIRE(.tokens = 1), NULL);
    gr_sim_advance(rt, 2000);
    cr_assert(!gr_done(small));
    gr_future_free(big);
    is(answer(small), "true");
    cr_assert_leq(ms_since(start), 2100);
    tear_down();
}

Test(clocked, a_debt_is_paid_before_the_next)
{
    uint64_t start;
    gr_ref l;

    sim_start();
    /* ten tokens a second, ten at most: 30 wait for ten, and leave twenty to be paid */
    l = gr_rate_limiter(root, GR_RATE_LIMITER(.tokens_per_minute = 600, .tokens_burst = 10));
    start = gr_now_ns(rt);
    is(answer(gr_aacquire(rt, l, GR_ACQUIRE(.tokens = 30), NULL)), "true");
    cr_assert_leq(ms_since(start), 1020);
    is(answer(gr_aacquire(rt, l, GR_ACQUIRE(.tokens = 10), NULL)), "true");
    cr_assert_geq(ms_since(start), 3999, "%d", (int)ms_since(start));
    /* what was not used comes back */
    is(answer(gr_acall(rt, l, "used", json("{\"tokens\":-10}"), NULL)), "null");
    is(answer(gr_aacquire(rt, l, GR_ACQUIRE(.tokens = 10, .no_wait = true), NULL)), "true");
    tear_down();
}

Test(clocked, a_server_is_believed)
{
    uint64_t start;
    gr_ref l;

    sim_start();
    l = gr_rate_limiter(root, NULL);
    start = gr_now_ns(rt);
    cr_assert(tries(l));
    is(answer(gr_acall(rt, l, "saw", json("{\"requests\":{\"remaining\":1,\"reset_ms\":5000}}"),
                       NULL)),
       "null");
    cr_assert(tries(l));
    cr_assert(!tries(l));
    is(answer(gr_aacquire(rt, l, NULL, NULL)), "true");
    cr_assert_geq(ms_since(start), 5000);
    /* retry-after holds for all */
    is(answer(gr_acall(rt, l, "saw", json("{\"retry_after_ms\":3000}"), NULL)), "null");
    start = gr_now_ns(rt);
    cr_assert(!tries(l));
    is(answer(gr_aacquire(rt, l, GR_ACQUIRE(.requests = -1), NULL)), "true");
    cr_assert_geq(ms_since(start), 2999);
    /* -1 is what servers say that do not know */
    is(answer(gr_acall(rt, l, "saw", json("{\"requests\":{\"remaining\":-1,\"reset_ms\":5000}}"),
                       NULL)),
       "null");
    cr_assert(tries(l));
    tear_down();
}

/* what a server claims may be a mistake, or a lie, and the limiter is everybody's */
Test(clocked, nobody_holds_a_limiter_for_longer_than_so_long)
{
    static const char *const claims[][2] = {
        { "used", "{\"tokens\":1000000000000}" },
        { "used", "{\"tokens\":9e300}" },
        { "saw", "{\"tokens\":{\"remaining\":0,\"reset_ms\":3155692600000}}" },
        { "saw", "{\"tokens\":{\"remaining\":0,\"reset_ms\":9223372036854775807}}" },
        { "saw", "{\"retry_after_ms\":80000000}" },
        { "saw", "{\"retry_after_ms\":9223372036854775807}" },
        { "acquire", "{\"tokens\":900000000000}" },
    };

    sim_start();
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        gr_ref l = gr_rate_limiter(root, GR_RATE_LIMITER(.tokens_per_minute = 600, /* 10 a second */
                                                         .tokens_burst = 10, .starts_full = true,
                                                         .hold_max_ms = 5000));
        uint64_t start = gr_now_ns(rt);

        gr_value_unref(answer(gr_acall(rt, l, claims[i][0], json(claims[i][1]), NULL)));
        is(answer(gr_aacquire(rt, l, GR_ACQUIRE(.tokens = 10, .no_wait = true), NULL)), "false");
        is(answer(gr_aacquire(rt, l, GR_ACQUIRE(.tokens = 10), NULL)), "true");
        cr_assert_geq(ms_since(start), 4990, "%zu: %d", i, (int)ms_since(start));
        cr_assert_leq(ms_since(start), 6100, "%zu: %d", i, (int)ms_since(start));
        gr_stop(rt, l);
    }
    tear_down();
}

Test(clocked, what_a_server_can_not_mean_changes_nothing)
{
    static const char *const claims[] = {
        "{\"tokens\":{\"remaining\":0,\"reset_ms\":-5000}}",
        "{\"tokens\":{\"remaining\":-9e15,\"reset_ms\":5000}}",
        "{\"requests\":{\"remaining\":0,\"reset_ms\":\"never\"}}",
        "{\"requests\":[],\"tokens\":\"none\",\"retry_after_ms\":-1}",
        "{\"retry_after_ms\":0}",
    };
    gr_ref l;

    sim_start();
    l = gr_rate_limiter(root, NULL);
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        is(answer(gr_acall(rt, l, "saw", json(claims[i]), NULL)), "null");
        is(answer(gr_aacquire(rt, l, GR_ACQUIRE(.tokens = 10, .no_wait = true), NULL)), "true");
    }
    fails_with(gr_check(rt, gr_rate_limiter(root, GR_RATE_LIMITER(.hold_max_ms = -1))), GR_EINVAL,
               "hold_max_ms");
    tear_down();
}

Test(clocked, a_breaker_opens_and_closes)
{
    struct flaky f = { .failures = 5, .code = GR_EUNREACH };
    gr_value *err;
    gr_ref b;

    sim_start();
    b = gr_with_breaker(root, flaky(GR_ASYNC, &f),
                        GR_BREAKER(.calls_min = 4, .window_ms = 10000, .open_ms = 5000));
    for (int i = 0; i < 4; i++)
        invoke_fails(b, "\"x\"", GR_EUNREACH, "failure");
    err = answer(gr_ainvoke(rt, b, gr_str("x"), NULL));
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "breaker");
    cr_assert_gt(gr_as_int(gr_get(err, "retry_after_ms"), 0), 4000);
    gr_value_unref(err);
    cr_assert_eq(atomic_load(&f.calls), 4);
    gr_sim_advance(rt, 5001);
    /* the probe fails: open again, at once */
    invoke_fails(b, "\"x\"", GR_EUNREACH, "failure 5");
    invoke_fails(b, "\"x\"", GR_EUNREACH, "breaker is open");
    gr_sim_advance(rt, 5001);
    invoke_is(b, "\"x\"", "\"R:x\"");
    invoke_is(b, "\"x\"", "\"R:x\"");
    is(answer(gr_acall(rt, b, "breaker_stats", gr_nil(), NULL)),
       "{\"state\":\"closed\",\"calls\":1,\"failures\":0,\"refused\":2,\"opened\":2}");
    tear_down();
}

Test(clocked, the_window_moves_on)
{
    struct flaky f = { .failures = 3, .code = GR_ETIMEDOUT };
    gr_ref b;

    sim_start();
    b = gr_with_breaker(root, flaky(GR_ASYNC, &f), GR_BREAKER(.calls_min = 4, .window_ms = 10000));
    for (int i = 0; i < 3; i++)
        invoke_fails(b, "\"x\"", GR_ETIMEDOUT, "failure");
    gr_sim_advance(rt, 11000);
    atomic_store(&f.calls, 2);
    invoke_fails(b, "\"x\"", GR_ETIMEDOUT, "failure 3");
    invoke_is(b, "\"x\"", "\"R:x\""); /* one of one: too few */
    tear_down();
}

static gr_value *hang_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg, (void)input;
    while (gr_sleep(gr_runtime_of(c), 1000) == GR_OK) {
    }
    return gr_error(GR_ECANCELED, "nobody waits");
}

/* A service that hangs is one that fails: who waits with a deadline tells so. */
Test(clocked, deadlines_that_pass_open_a_breaker)
{
    gr_ref b;

    sim_start();
    b = gr_with_breaker(root, gr_lambda(root, GR_ASYNC, hang_fn, NULL, NULL),
                        GR_BREAKER(.calls_min = 3, .open_ms = 5000));
    for (int i = 0; i < 3; i++)
        fails_with(answer(gr_ainvoke(rt, b, gr_str("x"), GR_CALL(.timeout_ms = 100))), GR_ETIMEDOUT,
                   "");
    invoke_fails(b, "\"x\"", GR_EUNREACH, "breaker is open");
    tear_down();
}

Test(clocked, a_probe_that_hangs_is_given_up)
{
    struct flaky f = { .failures = 1, .code = GR_EUNREACH };
    gr_future *probe;
    gr_ref b;

    sim_start();
    b = gr_with_breaker(root,
                        gr_configurable_alternatives(
                            root, flaky(GR_ASYNC, &f), GR_ALTERNATIVES(.id = "which"),
                            GR_STEP("hang", gr_lambda(root, GR_ASYNC, hang_fn, NULL, NULL))),
                        GR_BREAKER(.calls_min = 1, .open_ms = 5000, .window_ms = 4000));
    invoke_fails(b, "\"x\"", GR_EUNREACH, "failure");
    gr_sim_advance(rt, 5001);
    probe = gr_ainvoke(rt, b, gr_str("x"), GR_CALL(.config = json("{\"which\":\"hang\"}")));
    gr_sim_advance(rt, 10);
    invoke_fails(b, "\"x\"", GR_EUNREACH, "breaker is open");
    gr_sim_advance(rt, 5001);
    invoke_is(b, "\"x\"", "\"R:x\"");
    gr_future_free(probe);
    gr_sim_advance(rt, 10); /* its end says nothing any more */
    invoke_is(b, "\"x\"", "\"R:x\"");
    tear_down();
}

/* ---- breakers -------------------------------------------------------------------------------- */

Test(budget, one_probe_at_a_time)
{
    static struct gate g = GATE;
    gr_ref b = gr_with_breaker(root, gate(&g), GR_BREAKER(.calls_min = 1, .open_ms = 1));
    gr_future *probe;
    bool through;

    probe = gr_ainvoke(rt, b, gr_str("x"), NULL);
    gate_wait(&g, &g.entered, 1);
    gate_open(&g, gr_error(GR_EUNREACH, "down"));
    fails_with(answer(probe), GR_EUNREACH, "down");
    gr_sleep(rt, 5);
    probe = gr_ainvoke(rt, b, gr_str("x"), NULL);
    gate_wait(&g, &g.entered, 2);
    invoke_fails(b, "\"y\"", GR_EUNREACH, "breaker is open");
    gr_future_free(probe); /* cancelled: it says nothing, and the next is the probe */
    gate_wait(&g, &g.cancelled, 1);
    gate_open(&g, gr_nil());
    do {
        probe = gr_ainvoke(rt, b, gr_str("z"), NULL);
        through = gr_await(probe, 100).code == GR_EPENDING;
        if (!through)
            fails_with(answer(probe), GR_EUNREACH, "breaker is open");
    } while (!through);
    gate_wait(&g, &g.entered, 3);
    gate_open(&g, gr_str("up"));
    is(answer(probe), "\"up\"");
    probe = gr_ainvoke(rt, b, gr_str("y"), NULL);
    gate_wait(&g, &g.entered, 4);
    gate_open(&g, gr_str("up"));
    is(answer(probe), "\"up\"");
}

Test(budget, errors_of_the_caller_do_not_count)
{
    static const char *const names[] = { "GR_EINVAL" };
    struct flaky f = { .failures = 1000, .code = GR_EINVAL };
    gr_ref r = flaky(GR_ASYNC, &f), b = gr_with_breaker(root, r, GR_BREAKER(.calls_min = 2));
    gr_ref named =
        gr_with_breaker(root, r, GR_BREAKER(.calls_min = 2, .errors = names, .error_count = 1));

    for (int i = 0; i < 10; i++)
        invoke_fails(b, "\"x\"", GR_EINVAL, "failure");
    for (int i = 0; i < 2; i++)
        invoke_fails(named, "\"x\"", GR_EINVAL, "failure");
    invoke_fails(named, "\"x\"", GR_EUNREACH, "breaker is open");
    fails_with(gr_check(rt, gr_with_breaker(root, r, GR_BREAKER(.failures_share = 1.5))), GR_EINVAL,
               "share");
}

Test(budget, a_stream_counts_when_it_ends)
{
    gr_ref b = gr_with_breaker(root, letters("ab!"), GR_BREAKER(.calls_min = 2));
    gr_value *err = NULL;

    for (int i = 0; i < 2; i++) {
        is(chunks(gr_astream(rt, b, gr_str("x"), NULL), &err), "[\"a\",\"b\"]");
        fails_with(err, GR_EREMOTE, "letters");
    }
    is(chunks(gr_astream(rt, b, gr_str("x"), NULL), &err), "[]");
    fails_with(err, GR_EUNREACH, "breaker");
}

/* ---- rate limiters --------------------------------------------------------------------------- */

static gr_value *reply_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_value *text = gr_message_text(gr_at(input, 0));
    gr_value *reply;

    (void)c;
    atomic_fetch_add((_Atomic int *)arg, 1);
    if (gr_error_code(text) != GR_OK) {
        gr_value_unref(text);
        text = gr_value_ref(input);
    }
    reply = gr_message("ai", gr_strf("R:%s", gr_cstr(text, "?")));
    gr_value_unref(text);
    return gr_set(reply, "usage_metadata",
                  gr_map(GR_KV("input_tokens", gr_int(5)), GR_KV("output_tokens", gr_int(2)),
                         GR_KV("total_tokens", gr_int(7))));
}

static gr_ref reply(_Atomic int *calls)
{
    return gr_lambda(root, GR_ASYNC, reply_fn, NULL, (void *)calls);
}

static gr_value *content(gr_value *message)
{
    gr_value *text = gr_error_code(message) == GR_OK ? gr_value_ref(gr_get(message, "content"))
                                                     : gr_value_ref(message);

    gr_value_unref(message);
    return text;
}

Test(budget, chat_09_each_call_waits)
{
    static _Atomic int calls;
    gr_ref l = gr_rate_limiter(root, GR_RATE_LIMITER(.requests_per_second = 20));
    gr_ref m = gr_with_rate_limiter(root, reply(&calls), l, NULL);
    uint64_t start = gr_now_ns(rt);

    is(content(answer(gr_ainvoke(rt, m, gr_str("a"), NULL))), "\"R:a\"");
    is(content(answer(gr_ainvoke(rt, m, gr_str("b"), NULL))), "\"R:b\"");
    is(content(answer(gr_ainvoke(rt, m, gr_str("c"), NULL))), "\"R:c\"");
    cr_assert_geq(ms_since(start), 140); /* the first one, too: it starts empty */
}

Test(budget, chat_10_a_hit_does_not_wait)
{
    static _Atomic int calls;
    gr_ref l =
        gr_rate_limiter(root, GR_RATE_LIMITER(.requests_per_second = 0.001, .starts_full = true));
    gr_ref cache = gr_response_cache(root, gr_memory_byte_store(root, NULL), NULL);
    gr_ref m = gr_with_cache(root, gr_with_rate_limiter(root, reply(&calls), l, NULL), cache, NULL);

    is(content(answer(gr_ainvoke(rt, m, gr_str("a"), NULL))), "\"R:a\"");
    is(content(answer(gr_ainvoke(rt, m, gr_str("a"), NULL))), "\"R:a\"");
    cr_assert_eq(atomic_load(&calls), 1);
}

Test(budget, tokens_are_reckoned_and_settled)
{
    static _Atomic int calls;
    gr_ref l = gr_rate_limiter(root, GR_RATE_LIMITER(.tokens_per_minute = 0.001,
                                                     .tokens_burst = 100, .starts_full = true));
    gr_ref m = gr_with_rate_limiter(root, reply(&calls), l,
                                    GR_LIMITED(.counts_tokens = true, .tokens_answer = 50));
    gr_value *stats = NULL;
    double left = 0;

    gr_value_unref(answer(gr_ainvoke(rt, m, gr_str("abcdefgh"), NULL)));
    for (int i = 0; i < 2000 && !(left > 92.9); i++) { /* settling is told, not called */
        gr_value_unref(stats);
        stats = answer(gr_acall(rt, l, "stats", gr_nil(), NULL));
        left = gr_as_real(gr_get(stats, "tokens"), 0);
        gr_sleep(rt, 1);
    }
    cr_assert(left > 92.9 && left < 93.1, "%g", left); /* 100 less the 7 that were used */
    cr_assert_eq(gr_as_int(gr_get(stats, "granted"), 0), 1);
    gr_value_unref(stats);
}

Test(budget, a_limiter_has_its_limits)
{
    gr_ref l =
        gr_rate_limiter(root, GR_RATE_LIMITER(.requests_per_second = 0.001, .waiters_max = 1));
    gr_future *first = gr_aacquire(rt, l, NULL, NULL), *second;

    fails_with(answer(gr_aacquire(rt, l, NULL, NULL)), GR_EFULL, "1 calls wait");
    gr_future_free(first);
    second = gr_aacquire(rt, l, NULL, NULL); /* there is room again */
    cr_assert_eq(gr_await(second, 20).code, GR_EPENDING);
    fails_with(answer(gr_aacquire(rt, l, GR_ACQUIRE(.requests = 2), NULL)), GR_EINVAL, "at once");
    fails_with(answer(gr_aacquire(rt, l, GR_ACQUIRE(.tokens = -1), NULL)), GR_EINVAL, "at least 0");
    fails_with(answer(gr_aacquire(rt, l, NULL, GR_CALL(.timeout_ms = TEST_WAIT_MS))), GR_EFULL, "");
    gr_future_free(second);
    fails_with(gr_check(rt, gr_rate_limiter(root, GR_RATE_LIMITER(.requests_per_second = -1))),
               GR_EINVAL, "rate");
    fails_with(gr_check(rt, gr_rate_limiter(root, GR_RATE_LIMITER(.requests_burst = 0.5))),
               GR_EINVAL, "burst");
}

Test(clocked, a_limiter_that_stops_keeps_nobody)
{
    gr_future *f;
    gr_ref l;

    sim_start();
    l = gr_rate_limiter(root, GR_RATE_LIMITER(.requests_per_second = 0.001));
    f = gr_aacquire(rt, l, NULL, NULL);
    gr_sim_advance(rt, 10);
    gr_stop(rt, l);
    fails_with(answer(f), GR_EDEAD, "stopped");
    fails_with(answer(gr_aacquire(rt, l, NULL, NULL)), GR_EDEAD, "");
    tear_down();
}

Test(budget, a_limiter_that_is_killed_keeps_nobody)
{
    gr_ref l = gr_rate_limiter(root, GR_RATE_LIMITER(.requests_per_second = 0.001));
    gr_future *f = gr_aacquire(rt, l, NULL, NULL);

    cr_assert_eq(gr_await(f, 20).code, GR_EPENDING);
    gr_exit_to(rt, l, gr_str("kill"));
    fails_with(answer(f), GR_EDEAD, "stopped");
}

Test(budget, a_stream_waits_once)
{
    gr_ref l = gr_rate_limiter(root, GR_RATE_LIMITER(.requests_per_second = 100));
    gr_ref m = gr_with_rate_limiter(root, letters("ab"), l, NULL);
    gr_ref counted =
        gr_with_rate_limiter(root, letters("ab"), l, GR_LIMITED(.counts_tokens = true));

    chunks_are(gr_astream(rt, m, gr_str("x"), NULL), "[\"a\",\"b\"]");
    chunks_are(gr_astream(rt, counted, gr_str("x"), NULL), "[\"a\",\"b\"]");
}

/* ---- caches ---------------------------------------------------------------------------------- */

Test(budget, chat_08_what_was_asked_is_not_asked_again)
{
    static _Atomic int calls;
    gr_ref cache = gr_response_cache(root, gr_memory_byte_store(root, NULL), NULL);
    gr_ref m = gr_with_cache(root, reply(&calls), cache, gr_map(GR_KV("model", gr_str("m"))));

    is(content(answer(gr_ainvoke(rt, m, gr_str("x"), NULL))), "\"R:x\"");
    is(content(answer(gr_ainvoke(rt, m, gr_str("x"), NULL))), "\"R:x\"");
    is(content(answer(gr_ainvoke(rt, m, gr_str("y"), NULL))), "\"R:y\"");
    cr_assert_eq(atomic_load(&calls), 2);
    is(answer(gr_acall(rt, cache, "stats", gr_nil(), NULL)),
       "{\"hits\":1,\"misses\":2,\"updates\":2}");
}

Test(budget, the_key_is_exact)
{
    static _Atomic int calls;
    gr_ref store = gr_memory_byte_store(root, NULL), cache = gr_response_cache(root, store, NULL);
    gr_ref m = gr_with_cache(root, reply(&calls), cache, gr_map(GR_KV("model", gr_str("m"))));
    gr_ref other = gr_with_cache(root, reply(&calls), cache, gr_map(GR_KV("model", gr_str("n"))));
    gr_ref stop = gr_bind(root, m, gr_map(GR_KV("stop", gr_str("."))));

    /* ids count not; settings, kwargs, roles, names do */
    gr_value_unref(answer(
        gr_ainvoke(rt, m, json("[{\"type\":\"human\",\"content\":\"x\",\"id\":\"1\"}]"), NULL)));
    gr_value_unref(answer(
        gr_ainvoke(rt, m, json("[{\"id\":\"2\",\"content\":\"x\",\"type\":\"human\"}]"), NULL)));
    gr_value_unref(answer(gr_ainvoke(rt, m, json("\"x\""), NULL)));
    cr_assert_eq(atomic_load(&calls), 1);
    gr_value_unref(answer(gr_ainvoke(rt, other, gr_str("x"), NULL)));
    gr_value_unref(answer(gr_ainvoke(rt, stop, gr_str("x"), NULL)));
    gr_value_unref(answer(gr_ainvoke(rt, m, json("[[\"system\",\"x\"]]"), NULL)));
    gr_value_unref(answer(gr_ainvoke(rt, m, json("\"x \""), NULL)));
    cr_assert_eq(atomic_load(&calls), 5);
    gr_value_unref(answer(gr_ainvoke(rt, stop, gr_str("x"), NULL)));
    cr_assert_eq(atomic_load(&calls), 5);
}

Test(budget, a_hit_costs_nothing_and_streams_ask_the_model)
{
    static _Atomic int calls;
    gr_ref cache = gr_response_cache(root, gr_memory_byte_store(root, NULL), NULL);
    gr_ref m = gr_with_cache(root, reply(&calls), cache, NULL);
    gr_value *v, *err = NULL;

    v = answer(gr_ainvoke(rt, m, gr_str("x"), NULL));
    cr_assert_null(gr_get(gr_get(v, "usage_metadata"), "total_cost"));
    gr_value_unref(v);
    v = answer(gr_ainvoke(rt, m, gr_str("x"), NULL));
    cr_assert_eq(gr_as_int(gr_get(gr_get(v, "usage_metadata"), "total_cost"), -1), 0);
    cr_assert_eq(gr_as_int(gr_get(gr_get(v, "usage_metadata"), "total_tokens"), -1), 7);
    gr_value_unref(v);
    gr_value_unref(chunks(gr_astream(rt, m, gr_str("x"), NULL), &err));
    cr_assert_null(err);
    cr_assert_eq(atomic_load(&calls), 2);
}

/* A cache that is down, whatever it is asked. */
static gr_value *cache_down(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    return gr_error(GR_EUNREACH, "the cache is down");
}

static const gr_method down_methods[] = {
    { "lookup", GR_ASYNC, cache_down, NULL },
    { "update", GR_ASYNC, cache_down, NULL },
};
static const gr_class down_class = GR_CLASS(.name = "DownCache", GR_METHODS(down_methods));

Test(budget, a_cache_that_fails_is_no_reason_not_to_answer)
{
    static _Atomic int calls;
    gr_ref m = gr_with_cache(root, reply(&calls), gr_spawn(root, &down_class, NULL), NULL);

    is(content(answer(gr_ainvoke(rt, m, gr_str("x"), NULL))), "\"R:x\"");
    invoke_fails(gr_with_cache(root, boom(GR_ASYNC, "m"),
                               gr_response_cache(root, gr_memory_byte_store(root, NULL), NULL),
                               NULL),
                 "\"x\"", GR_EREMOTE, "m:");
}

Test(budget, what_is_no_cache_is_told)
{
    static _Atomic int calls;

    invoke_fails(gr_with_cache(root, reply(&calls), boom(GR_ASYNC, "cache"), NULL), "\"x\"",
                 GR_ETYPE, "no cache");
    invoke_fails(gr_with_cache(root, reply(&calls), gr_memory_byte_store(root, NULL), NULL),
                 "\"x\"", GR_ETYPE, "lookup");
    cr_assert_eq(atomic_load(&calls), 0);
}

/* The affix is configurable. */
static gr_value *affix_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c;
    return gr_strf("%s%s", gr_cstr(gr_get(arg, "before"), ""), gr_cstr(input, "?"));
}

static void unref(void *v)
{
    gr_value_unref(v);
}

static gr_ref make_affix(gr_scope *in, void *arg, const gr_value *fields)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
    return gr_lambda(in, GR_ASYNC, affix_fn, unref, gr_value_ref(fields));
}

static gr_ref named(const char *name)
{
    return gr_lambda(root, GR_ASYNC, affix_fn, unref, gr_map(GR_KV("before", gr_str(name))));
}

static gr_value *invoke_with(gr_ref r, const char *configurable)
{
    return answer(gr_ainvoke(rt, r, gr_str("x"),
                             GR_CALL(.config = gr_map(GR_KV("configurable", json(configurable))))));
}

Test(budget, what_is_configured_is_part_of_the_key)
{
    _Atomic int made = 0;
    gr_ref cache = gr_response_cache(root, gr_memory_byte_store(root, NULL), NULL);
    gr_ref fields = gr_configurable_fields(root, make_affix, NULL, &made,
                                           { .name = "before", .otherwise = gr_str("<") });
    gr_ref either = gr_configurable_alternatives(
        root, named("one"), GR_ALTERNATIVES(.id = "llm", .prefix_keys = true, .default_key = "one"),
        GR_STEP("two", named("two")), GR_STEP("three", fields));
    gr_ref m = gr_with_cache(root, either, cache, NULL);

    for (int i = 0; i < 2; i++) {
        is(invoke_with(m, "{}"), "\"onex\"");
        is(invoke_with(m, "{\"llm\":\"two\"}"), "\"twox\"");
        is(invoke_with(m, "{\"llm\":\"three\"}"), "\"<x\"");
        is(invoke_with(m, "{\"llm\":\"three\",\"llm==three/before\":\"[\"}"), "\"[x\"");
    }
    /* what only others can be configured by, a session say, is no part of it */
    is(invoke_with(m, "{\"session_id\":\"a\",\"__ours\":1}"), "\"onex\"");
    is(answer(gr_acall(rt, cache, "stats", gr_nil(), NULL)),
       "{\"hits\":5,\"misses\":4,\"updates\":4}");
}

/* ---- the same at once ------------------------------------------------------------------------ */

/* A model that answers once it is open; the first `failing` calls fail once it is down. */
struct slow {
    _Atomic int calls, cancelled;
    int failing;
    _Atomic bool open, down;
};

static gr_value *slow_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct slow *s = arg;
    int n = atomic_fetch_add(&s->calls, 1) + 1;
    bool fails = n <= s->failing;

    while (!atomic_load(fails ? &s->down : &s->open)) {
        if (gr_sleep(gr_runtime_of(c), 1) != GR_OK) {
            atomic_fetch_add(&s->cancelled, 1);
            return gr_error(GR_ECANCELED, "nobody waits");
        }
    }
    return fails ? gr_error(GR_EUNREACH, "down") : gr_strf("%s%d", gr_cstr(input, "?"), n);
}

static void becomes(const _Atomic int *count, int n)
{
    for (int i = 0; i < TEST_WAIT_MS && atomic_load(count) < n; i++)
        gr_sleep(rt, 1);
    cr_assert_eq(atomic_load(count), n);
}

static gr_ref cached_slow(struct slow *s)
{
    return gr_with_cache(root, gr_lambda(root, GR_ASYNC, slow_fn, NULL, s),
                         gr_response_cache(root, gr_memory_byte_store(root, NULL), NULL), NULL);
}

Test(budget, who_asks_the_same_at_once_gets_one_answer)
{
    static struct slow s;
    gr_ref m = cached_slow(&s);
    gr_future *f[8], *other;

    for (int i = 0; i < 8; i++)
        f[i] = gr_ainvoke(rt, m, gr_str("x"), NULL);
    becomes(&s.calls, 1);
    other = gr_ainvoke(rt, m, gr_str("y"), NULL); /* another question does not wait */
    becomes(&s.calls, 2);
    atomic_store(&s.open, true);
    for (int i = 0; i < 8; i++)
        is(answer(f[i]), "\"x1\"");
    is(answer(other), "\"y2\"");
    is(answer(gr_ainvoke(rt, m, gr_str("x"), NULL)), "\"x1\"");
    cr_assert_eq(atomic_load(&s.calls), 2);
}

Test(budget, who_asked_first_may_leave)
{
    static struct slow s;
    gr_ref m = cached_slow(&s);
    gr_future *first = gr_ainvoke(rt, m, gr_str("x"), NULL), *rest[3];
    gr_value *one, *two;

    becomes(&s.calls, 1);
    for (int i = 0; i < 3; i++)
        rest[i] = gr_ainvoke(rt, m, gr_str("x"), NULL);
    gr_future_free(first); /* its call of the model goes with it, and the next one asks */
    becomes(&s.cancelled, 1);
    becomes(&s.calls, 2);
    gr_future_free(rest[2]); /* whether it asks or waits */
    atomic_store(&s.open, true);
    one = answer(rest[0]);
    two = answer(rest[1]);
    cr_assert_eq(gr_value_type(one), GR_STR, "%s", gr_error_text(one));
    cr_assert(gr_equal(one, two), "%s, %s", gr_cstr(one, "?"), gr_cstr(two, gr_error_text(two)));
    cr_assert_leq(atomic_load(&s.calls), 3);
    gr_value_unref(one);
    gr_value_unref(two);
}

Test(budget, one_that_fails_leaves_the_others_to_ask)
{
    static struct slow s = { .failing = 1, .open = true };
    gr_ref m = cached_slow(&s);
    gr_future *f[4];

    f[0] = gr_ainvoke(rt, m, gr_str("x"), NULL);
    becomes(&s.calls, 1);
    for (int i = 1; i < 4; i++)
        f[i] = gr_ainvoke(rt, m, gr_str("x"), NULL);
    cr_assert_eq(gr_await(f[3], 20).code, GR_EPENDING);
    atomic_store(&s.down, true);
    fails_with(answer(f[0]), GR_EUNREACH, "down");
    for (int i = 1; i < 4; i++) {
        gr_value *v = answer(f[i]);

        cr_assert_eq(gr_value_type(v), GR_STR, "%s", gr_error_text(v));
        gr_value_unref(v);
    }
}

/* What calls the cache that it is behind of, once. */
struct again {
    gr_ref self;
    int calls;
};

static gr_value *again_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct again *a = arg;
    gr_value *err = NULL, *v;

    if (a->calls++ > 0)
        return gr_str("inner");
    v = gr_invoke(gr_runtime_of(c), a->self, gr_value_ref(input), NULL, &err);
    return v != NULL ? v : err;
}

Test(budget, a_call_that_comes_back_to_the_cache_does_not_wait_for_itself)
{
    static struct again a;

    a.self = gr_with_cache(root, gr_lambda(root, GR_ASYNC, again_fn, NULL, &a),
                           gr_response_cache(root, gr_memory_byte_store(root, NULL), NULL), NULL);
    is(answer(gr_ainvoke(rt, a.self, gr_str("x"), NULL)), "\"inner\"");
    cr_assert_eq(a.calls, 2);
}

Test(budget, a_cache_forgets)
{
    gr_ref store = gr_memory_byte_store(root, NULL), again;
    gr_ref cache =
        gr_response_cache(root, store, GR_RESPONSE_CACHE(.ttl_ms = 1, .name_space = "short"));
    gr_ref other = gr_response_cache(root, store, NULL);

    is(answer(gr_acall(rt, cache, "update", json("{\"prompt\":\"p\",\"llm\":1,\"answer\":\"a\"}"),
                       NULL)),
       "null");
    gr_sleep(rt, 5);
    is(answer(gr_acall(rt, cache, "lookup", json("{\"prompt\":\"p\",\"llm\":1}"), NULL)), "null");
    is(answer(gr_acall(rt, other, "update", json("{\"prompt\":\"p\",\"llm\":1,\"answer\":\"b\"}"),
                       NULL)),
       "null");
    is(answer(gr_acall(rt, cache, "clear", gr_nil(), NULL)), "null");
    is(answer(gr_acall(rt, other, "lookup", json("{\"llm\":1,\"prompt\":\"p\"}"), NULL)), "\"b\"");
    again = gr_response_cache(root, store, NULL); /* what is kept is the store's */
    is(answer(gr_acall(rt, again, "lookup", json("{\"prompt\":\"p\",\"llm\":1}"), NULL)), "\"b\"");
    fails_with(answer(gr_acall(rt, other, "lookup", json("{}"), NULL)), GR_ETYPE, "prompt");
}

Test(budget, a_cache_clears_what_is_its_own)
{
    gr_ref store = gr_memory_byte_store(root, NULL);
    gr_ref mine = gr_response_cache(root, store, NULL);
    gr_ref theirs = gr_response_cache(root, store, GR_RESPONSE_CACHE(.name_space = "llm:theirs"));

    is(gr_mset(rt, store, json("[[\"llm:notes\",\"kept\"]]"), NULL, NULL), "null");
    for (int i = 0; i < 2; i++)
        is(answer(gr_acall(rt, i == 0 ? mine : theirs, "update",
                           json("{\"prompt\":\"p\",\"answer\":\"a\"}"), NULL)),
           "null");
    is(answer(gr_acall(rt, mine, "clear", gr_nil(), NULL)), "null");
    is(answer(gr_acall(rt, mine, "lookup", json("{\"prompt\":\"p\"}"), NULL)), "null");
    is(answer(gr_acall(rt, theirs, "lookup", json("{\"prompt\":\"p\"}"), NULL)), "\"a\"");
    is(gr_mget(rt, store, json("[\"llm:notes\"]"), NULL, NULL), "[\"kept\"]");
}
