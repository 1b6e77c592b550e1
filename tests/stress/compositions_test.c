/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compositions_test.c - calls and streams of all kinds of compositions, awaited, dropped and
 * cancelled at any moment. What it looks for are hangs, and what the sanitizers see; each test has
 * a runtime of its own (gr_runtime_new), whose end joins whatever is left.
 */
#include "tests/support/runnables.h"

TestSuite(compositions, .init = set_up, .fini = tear_down, .timeout = 280);

#define ROUNDS 1500

/* chain mixes everything: all of it answers a string with a map, unless it is cancelled. */
static gr_ref chain(struct flaky *f)
{
    gr_ref failing = gr_with_fallbacks(root, boom(GR_ASYNC, "p"), boom(GR_CHEAP, "q"), letters("!"),
                                       shout(GR_ASYNC));
    gr_ref retried = gr_with_retry(
        root, flaky(GR_ASYNC, f), GR_RETRY(.attempts = 1000, .backoff_ms = 1, .backoff_max_ms = 1));
    gr_ref upper = gr_seq(root, shout(GR_BLOCKING), each_upper(), gr_passthrough(root));
    gr_ref branches = gr_parallel(root, GR_STEP("f", failing), GR_STEP("r", retried),
                                  GR_STEP("u", upper), GR_STEP("p", gr_passthrough(root)));

    return gr_seq(root, gr_passthrough(root), branches,
                  gr_assign(root, GR_STEP("again", gr_pick(root, "u")),
                            GR_STEP("cheap", gr_passthrough(root))));
}

static void answered(gr_value *v)
{
    cr_assert_eq(gr_error_code(v), GR_OK, "%s", gr_error_text(v));
    cr_assert_str_eq(gr_cstr(gr_get(v, "again"), ""), "X!");
    cr_assert_str_eq(gr_cstr(gr_get(v, "f"), ""), "x!");
    cr_assert_not_null(gr_get(gr_get(v, "cheap"), "r"));
    gr_value_unref(v);
}

Test(compositions, calls_may_be_dropped_at_any_moment)
{
    struct flaky f = { .failures = ROUNDS / 4, .code = GR_EUNREACH };
    gr_ref r = chain(&f);

    for (int i = 0; i < ROUNDS; i++) {
        gr_future *call =
            gr_ainvoke(rt, r, gr_str("x"), i % 7 == 0 ? GR_CALL(.timeout_ms = 1) : NULL);

        for (volatile int spin = 0; spin < (i * 7919) % 20000; spin++)
            ;
        if (i % 7 == 0)
            gr_value_unref(answer(call));
        else if (i % 3 == 0)
            gr_future_free(call);
        else if (i % 50 == 1 || i > ROUNDS / 2)
            answered(answer(call));
        else {
            gr_future_cancel(call);
            gr_value_unref(answer(call));
        }
    }
}

Test(compositions, streams_may_be_left_at_any_chunk)
{
    struct flaky f = { .failures = ROUNDS / 4, .code = GR_EUNREACH };
    struct endless e = { .sent = 0 };
    gr_ref r = chain(&f);
    gr_ref forever = gr_with_fallbacks(
        root, letters(""),
        gr_parallel(root, GR_STEP("a", endless(&e)), GR_STEP("b", letters("abc"))));
    gr_ref through = gr_seq(root, forever, gr_pick(root, "a"), gr_passthrough(root));

    for (int i = 0; i < ROUNDS; i++) {
        gr_stream *s = i % 2 == 0 ? gr_astream(rt, through, gr_nil(), NULL)
                                  : gr_atransform(rt, gr_seq(root, r),
                                                  gr_stream_of(rt, json("[\"x\"]")), NULL);

        for (int k = 0; k < i % 5 && gr_next(s, TEST_WAIT_MS).code == GR_OK; k++)
            ;
        gr_stream_free(s);
    }
}

Test(compositions, a_scope_ends_them_all)
{
    struct flaky f = { .failures = 1000000, .code = GR_EUNREACH };
    gr_ref r = chain(&f);

    for (int i = 0; i < 100; i++) {
        gr_scope *s = gr_scope_new(root);
        gr_future *calls[20];

        for (int k = 0; k < 20; k++)
            calls[k] = gr_ainvoke(rt, r, gr_str("x"), GR_CALL(.scope = s));
        for (volatile int spin = 0; spin < (i * 7919) % 50000; spin++)
            ;
        gr_scope_free(s);
        for (int k = 0; k < 20; k++) {
            cr_assert(gr_done(calls[k]));
            gr_value_unref(answer(calls[k]));
        }
    }
}
