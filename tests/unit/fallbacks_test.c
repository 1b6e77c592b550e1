/* SPDX-License-Identifier: Apache-2.0 */
/* fallbacks_test.c - gr_with_fallbacks; each test has a runtime of its own (gr_runtime_new). */
#include "tests/support/runnables.h"

TestSuite(fallbacks, .init = set_up, .fini = tear_down, .timeout = 60);

Test(fallbacks, the_first_that_does_not_fail_answers)
{
    for (int i = GR_CHEAP; i <= GR_BLOCKING; i++)
        for (int k = GR_CHEAP; k <= GR_BLOCKING; k++) {
            gr_ref f = gr_with_fallbacks(root, boom((gr_kind)i, "p"), boom((gr_kind)k, "q"),
                                         shout((gr_kind)k), boom((gr_kind)i, "r"));

            invoke_is(f, "\"x\"", "\"x!\"");
            batch_is(f, "[\"x\",\"y\"]", "[\"x!\",\"y!\"]");
            stream_is(f, "\"x\"", "[\"x!\"]");
            transform_is(f, "[\"x\",\"y\"]", "[\"xy!\"]");
        }
}

Test(fallbacks, the_others_are_not_tried_if_it_succeeds)
{
    struct flaky second = { .failures = 0 };
    gr_ref f = gr_with_fallbacks(root, shout(GR_ASYNC), flaky(GR_ASYNC, &second));

    invoke_is(f, "\"x\"", "\"x!\"");
    stream_is(f, "\"x\"", "[\"x!\"]");
    cr_assert_eq(atomic_load(&second.calls), 0);
}

Test(fallbacks, if_all_fail_the_first_error_is_given)
{
    gr_ref f = gr_with_fallbacks(root, boom(GR_ASYNC, "p"), boom(GR_CHEAP, "q"));
    gr_value *err = NULL;

    invoke_fails(f, "\"x\"", GR_EREMOTE, "p:x");
    is(chunks(gr_astream(rt, f, gr_str("x"), NULL), &err), "[]");
    fails_with(err, GR_EREMOTE, "p:x");
}

Test(fallbacks, a_stream_falls_back_until_its_first_chunk)
{
    stream_is(gr_with_fallbacks(root, letters("!"), letters("foo")), "1", "[\"f\",\"o\",\"o\"]");
    stream_is(gr_with_fallbacks(root, letters("foo"), letters("bar")), "1", "[\"f\",\"o\",\"o\"]");
}

Test(fallbacks, a_stream_that_gives_nothing_counts_as_failed)
{
    gr_value *err = NULL;

    stream_is(gr_with_fallbacks(root, letters(""), letters("foo")), "1", "[\"f\",\"o\",\"o\"]");
    is(chunks(gr_astream(rt, gr_with_fallbacks(root, letters(""), letters("")), gr_nil(), NULL),
              &err),
       "[]");
    fails_with(err, GR_EBROKEN, "without a chunk");
}

Test(fallbacks, after_a_chunk_an_error_is_an_error)
{
    gr_ref f = gr_with_fallbacks(root, letters("a!"), letters("foo"));
    gr_value *err = NULL;

    is(chunks(gr_astream(rt, f, gr_nil(), NULL), &err), "[\"a\"]");
    fails_with(err, GR_EREMOTE, "letters fail");
}

Test(fallbacks, cancellation_is_not_a_failure)
{
    struct gate g = GATE;
    struct flaky second = { .failures = 0 };
    gr_ref r = gr_with_fallbacks(root, gate(&g), flaky(GR_CHEAP, &second));
    gr_future *f = gr_ainvoke(rt, r, gr_str("x"), NULL);

    gate_wait(&g, &g.entered, 1);
    gr_future_cancel(f);
    fails_with(answer(f), GR_ECANCELED, "");
    gate_wait(&g, &g.cancelled, 1);
    gate_open(&g, gr_int(1));
    tear_down();
    cr_assert_eq(atomic_load(&second.calls), 0);
    set_up();
}

Test(fallbacks, leaving_the_stream_stops_the_one_that_streams)
{
    static struct endless e;
    gr_ref f = gr_with_fallbacks(root, letters("!"), endless(&e));
    gr_stream *s = gr_astream(rt, f, gr_nil(), NULL);

    cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_OK);
    gr_stream_free(s);
    cr_assert(atomic_load(&e.left), "the producer is still at it");
}

Test(fallbacks, a_dead_one_is_a_failure)
{
    gr_scope *s = gr_scope_new(root);
    gr_ref dying = gr_lambda(s, GR_CHEAP, shout_fn, NULL, NULL);
    gr_ref f = gr_with_fallbacks(root, dying, inc(GR_CHEAP));

    gr_scope_free(s);
    invoke_is(f, "1", "2");
    invoke_fails(gr_with_fallbacks_n(root, NULL, 0), "1", GR_EINVAL, "no steps");
}
