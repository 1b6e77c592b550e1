/* SPDX-License-Identifier: Apache-2.0 */
/* budget_test.c - what a run may start: calls, depth, bytes, for all that its handlers call. */
#include <greenroom/runnable.h>
#include <greenroom/stats.h>

#include "tests/support/engine.h"

static gr_ref worker; /* the actor that calls itself */

static gr_value *fail(gr_outcome o)
{
    return o.error != NULL ? gr_value_ref(o.error) : gr_error(o.code, "the wait failed");
}

/* call_again invokes `worker` with args and passes its answer on. */
static gr_value *call_again(gr_ctx *c, gr_value *args)
{
    gr_future *f = gr_ainvoke(gr_runtime_of(c), worker, args, NULL);
    gr_outcome o = gr_await(f, -1);
    gr_value *v = o.code == GR_OK ? gr_value_ref(o.value) : fail(o);

    gr_future_free(f);
    return v;
}

/* down: a number n; calls itself n times, nested, and answers with the depth reached. */
static gr_value *down(gr_ctx *c, void *arg, const gr_value *input)
{
    int64_t n = gr_as_int(input, 0);
    gr_value *v;

    (void)arg;
    if (n <= 0)
        return gr_int(1);
    v = call_again(c, gr_int(n - 1));
    if (gr_error_code(v) != GR_OK)
        return v;
    n = gr_as_int(v, 0) + 1;
    gr_value_unref(v);
    return gr_int(n);
}

/* wide: starts `input` calls of the echo in arg, and counts those that were answered. */
static gr_value *wide(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_ref to = *(gr_ref *)arg;
    int64_t answered = 0;

    for (int64_t i = 0; i < gr_as_int(input, 0); i++) {
        gr_value *v = gr_invoke(gr_runtime_of(c), to, gr_int(i), NULL, NULL);

        answered += v != NULL;
        gr_value_unref(v);
    }
    return gr_int(answered);
}

/* budget_error waits for f, which must fail at the budget, and tells whether that says so. */
static void is_over_budget(gr_future *f)
{
    gr_outcome o = gr_await(f, TEST_WAIT_MS);

    cr_assert_eq(o.code, GR_EFULL, "%s", gr_error_text(o.error));
    cr_assert_str_eq(gr_cstr(gr_get(o.error, "kind"), ""), "budget");
    cr_assert(!gr_error_retryable(o.error), "the same run will not have more later");
    gr_future_free(f);
}

static uint64_t refused(void)
{
    gr_stats s = GR_STATS_INIT;

    gr_stats_read(rt, &s);
    return s.refused_budget;
}

Test(budget, depth)
{
    worker = gr_lambda(root, GR_ASYNC, down, NULL, NULL);
    cr_assert_eq(int_of(gr_ainvoke(rt, worker, gr_int(4), GR_CALL(.depth_max = 5))), 5);
    is_over_budget(gr_ainvoke(rt, worker, gr_int(5), GR_CALL(.depth_max = 5)));
    cr_assert_eq(int_of(gr_ainvoke(rt, worker, gr_int(0), GR_CALL(.depth_max = 1))), 1);
    cr_assert_eq(int_of(gr_ainvoke(rt, worker, gr_int(100), NULL)), 101);
    cr_assert_eq(refused(), 1);
}

/* kinds of handlers: on a fiber and on the blocking pool. */
Test(budget, calls_of_any_handler)
{
    static const gr_kind kinds[] = { GR_ASYNC, GR_BLOCKING };
    gr_ref e = echo();

    for (size_t i = 0; i < 2; i++) {
        gr_ref w = gr_lambda(root, kinds[i], wide, NULL, &e);

        cr_assert_eq(int_of(gr_ainvoke(rt, w, gr_int(20), GR_CALL(.calls_max = 7))), 7);
        cr_assert_eq(int_of(gr_ainvoke(rt, w, gr_int(7), GR_CALL(.calls_max = 7))), 7);
        cr_assert_eq(int_of(gr_ainvoke(rt, w, gr_int(20), NULL)), 20);
    }
    cr_assert_eq(refused(), 26);
}

Test(budget, calls_at_any_depth)
{
    worker = gr_lambda(root, GR_ASYNC, down, NULL, NULL);
    cr_assert_eq(int_of(gr_ainvoke(rt, worker, gr_int(10), GR_CALL(.calls_max = 10))), 11);
    is_over_budget(gr_ainvoke(rt, worker, gr_int(11), GR_CALL(.calls_max = 10)));
}

/* Compositions call their steps, cheap ones too, and a step that is handed over is one. */
Test(budget, calls_of_compositions)
{
    gr_ref e = echo(), s = gr_seq(root, e, e, e, e);
    gr_ref p = gr_parallel(root, GR_STEP("a", e), GR_STEP("b", e), GR_STEP("c", e));

    cr_assert_eq(int_of(gr_ainvoke(rt, s, gr_int(3), GR_CALL(.calls_max = 4))), 3);
    is_over_budget(gr_ainvoke(rt, s, gr_int(3), GR_CALL(.calls_max = 3)));
    cr_assert_eq(code_of(gr_ainvoke(rt, p, gr_int(3), GR_CALL(.calls_max = 3))), GR_OK);
    is_over_budget(gr_ainvoke(rt, p, gr_int(3), GR_CALL(.calls_max = 2)));
    is_over_budget(gr_ainvoke(rt, p, gr_int(3), GR_CALL(.depth_max = 1)));
}

static gr_value *pass_on(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg;
    return gr_delegate(c, worker, "invoke", gr_value_ref(input));
}

/* Each hands the call over to itself, for ever. */
Test(budget, a_call_that_goes_round_for_ever_ends)
{
    worker = gr_lambda(root, GR_ASYNC, pass_on, NULL, NULL);
    is_over_budget(gr_ainvoke(rt, worker, gr_int(1), GR_CALL(.calls_max = 1000)));
}

static gr_value *pass_bytes(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg;
    return call_again(c, gr_value_ref(input));
}

/* Each nested call holds the same value: the fourth is too much. */
Test(budget, bytes_in_flight)
{
    static char space[10000];
    gr_stats s = GR_STATS_INIT;

    worker = gr_lambda(root, GR_ASYNC, pass_bytes, NULL, NULL);
    is_over_budget(
        gr_ainvoke(rt, worker, gr_bin(space, sizeof(space)), GR_CALL(.bytes_max = 35000)));
    is_over_budget(gr_ainvoke(rt, worker, gr_bin(space, sizeof(space)), GR_CALL(.bytes_max = 10)));
    gr_stats_read(rt, &s);
    cr_assert_eq(s.calls_started, 5);
    until((gr_stats_read(rt, &s), s.bytes_now) == 0);
}

static gr_value *inside(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_ref w = *(gr_ref *)arg;

    (void)input;
    /* its own budget is larger than what is left of the run's: 10, and itself is one of them */
    return gr_invoke(gr_runtime_of(c), w, gr_int(50), GR_CALL(.calls_max = 20), NULL);
}

static gr_value *inside_less(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_ref w = *(gr_ref *)arg;
    gr_value *a = gr_invoke(gr_runtime_of(c), w, gr_int(50), GR_CALL(.calls_max = 3), NULL);
    gr_value *b = gr_invoke(gr_runtime_of(c), w, gr_int(2), NULL, NULL);

    (void)input;
    return gr_list(a, b);
}

Test(budget, a_budget_inside_counts_in_both)
{
    gr_ref e = echo(), w = gr_lambda(root, GR_ASYNC, wide, NULL, &e);
    gr_ref in = gr_lambda(root, GR_ASYNC, inside, NULL, &w);
    gr_ref less = gr_lambda(root, GR_ASYNC, inside_less, NULL, &w);

    cr_assert_eq(int_of(gr_ainvoke(rt, in, gr_nil(), GR_CALL(.calls_max = 10))), 9);
    json_is(gr_invoke(rt, less, gr_nil(), GR_CALL(.calls_max = 10), NULL), "[3, 2]");
}

static void then_ask(gr_ctx *c, void *self, const gr_outcome *o, void *arg)
{
    (void)self, (void)o;
    /* the call that this continues is over; its budget still counts */
    is_over_budget(gr_ainvoke(gr_runtime_of(c), *(gr_ref *)arg, gr_int(1), NULL));
    atomic_fetch_add((_Atomic int *)((gr_ref *)arg + 1), 1);
}

static struct {
    gr_ref echo;
    _Atomic int done;
} later;

static gr_value *begin(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    gr_then(c, gr_ainvoke(gr_runtime_of(c), later.echo, gr_int(1), NULL), then_ask, NULL, &later);
    return gr_nil();
}

Test(budget, continuations_have_it_too)
{
    static const gr_method m[] = { { "invoke", GR_ASYNC, begin, NULL } };
    static const gr_class cls = GR_CLASS(.name = "begin", .state_size = 1, GR_METHODS(m));

    later.echo = echo();
    cr_assert_eq(
        code_of(gr_ainvoke(rt, gr_spawn(root, &cls, NULL), gr_nil(), GR_CALL(.calls_max = 1))),
        GR_OK);
    until(atomic_load(&later.done) == 1);
}

/* Wall time is the deadline, which all inherit. */
Test(budget, wall_time)
{
    gr_ref n = nap(), w = gr_seq(root, n, n);

    cr_assert_eq(code_of(gr_ainvoke(rt, w, gr_int(60000), GR_CALL(.timeout_ms = 30))),
                 GR_ETIMEDOUT);
}

Test(budget, a_retry_does_not_try_again)
{
    gr_ref e = echo(), s = gr_seq(root, e, e);
    gr_ref r = gr_with_retry(root, s, GR_RETRY(.backoff_ms = 60000));

    is_over_budget(gr_ainvoke(rt, r, gr_int(1), GR_CALL(.calls_max = 2)));
}

TestSuite(budget, .init = engine_up, .fini = engine_down);
