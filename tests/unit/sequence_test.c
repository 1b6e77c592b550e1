/* SPDX-License-Identifier: Apache-2.0 */
/* sequence_test.c - gr_seq; each test has a runtime of its own (gr_runtime_new). */
#include "tests/support/memory.h"
#include "tests/support/runnables.h"

TestSuite(sequence, .init = set_up, .fini = tear_down, .timeout = 60);

Test(sequence, pipes_each_answer_into_the_next)
{
    const gr_kind kinds[] = { GR_CHEAP, GR_ASYNC, GR_BLOCKING };

    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 3; k++) {
            gr_ref s = gr_seq(root, inc(kinds[i]), dbl(kinds[k]));

            invoke_is(s, "3", "8");
            batch_is(s, "[3,4]", "[8,10]");
            stream_is(s, "3", "[8]");
        }
}

Test(sequence, cheap_and_async_steps_mix)
{
    gr_ref s = gr_seq(root, inc(GR_CHEAP), inc(GR_ASYNC), dbl(GR_CHEAP), inc(GR_CHEAP),
                      inc(GR_BLOCKING), dbl(GR_ASYNC), inc(GR_CHEAP));

    invoke_is(s, "1", "17");
    batch_is(s, "[0,1,2]", "[13,17,21]");
}

Test(sequence, one_step_and_nesting)
{
    gr_ref one = gr_seq(root, inc(GR_CHEAP));
    gr_ref nested = gr_seq(root, one, gr_seq(root, inc(GR_CHEAP), dbl(GR_ASYNC)), one);

    invoke_is(one, "1", "2");
    stream_is(one, "1", "[2]");
    transform_is(one, "[1,2]", "[4]");
    invoke_is(nested, "1", "7");
    stream_is(nested, "1", "[7]");
}

Test(sequence, the_first_failure_ends_it)
{
    struct flaky f = { .failures = 0 };

    invoke_fails(gr_seq(root, shout(GR_CHEAP), boom(GR_CHEAP, "b"), flaky(GR_CHEAP, &f)), "\"x\"",
                 GR_EREMOTE, "b:x!");
    invoke_fails(gr_seq(root, shout(GR_ASYNC), boom(GR_ASYNC, "b"), flaky(GR_ASYNC, &f)), "\"x\"",
                 GR_EREMOTE, "b:x!");
    cr_assert_eq(atomic_load(&f.calls), 0);
}

Test(sequence, streams_if_its_steps_do)
{
    stream_is(gr_seq(root, letters("abc"), each_upper()), "1", "[\"A\",\"B\",\"C\"]");
    stream_is(gr_seq(root, letters("abc"), gr_passthrough(root), each_upper()), "1",
              "[\"A\",\"B\",\"C\"]");
    stream_is(gr_seq(root, letters("abc"), shout(GR_CHEAP), each_upper()), "1", "[\"ABC!\"]");
    transform_is(gr_seq(root, each_upper(), gr_passthrough(root)), "[\"a\",\"b\"]",
                 "[\"A\",\"B\"]");
    invoke_is(gr_seq(root, letters("abc"), shout(GR_CHEAP)), "1", "\"abc!\"");
}

Test(sequence, a_streams_failure_comes_after_its_chunks)
{
    gr_value *err = NULL;
    gr_ref s = gr_seq(root, letters("ab!"), each_upper(), gr_passthrough(root));

    is(chunks(gr_astream(rt, s, gr_nil(), NULL), &err), "[\"A\",\"B\"]");
    fails_with(err, GR_EREMOTE, "letters fail");
}

Test(sequence, leaving_a_stream_stops_the_first_step)
{
    static struct endless e;
    gr_ref s = gr_seq(root, endless(&e), gr_passthrough(root), gr_passthrough(root));
    gr_stream *out = gr_astream(rt, s, gr_nil(), NULL);
    gr_outcome o = gr_next(out, TEST_WAIT_MS);

    cr_assert_eq(o.code, GR_OK);
    cr_assert_eq(gr_as_int(o.value, -1), 0);
    gr_stream_free(out);
    cr_assert(atomic_load(&e.left), "the producer is still at it");
    /* three windows, and what is in somebody's hand */
    cr_assert_leq(atomic_load(&e.sent), 3 * 32 + 8);
}

Test(sequence, cancelling_reaches_the_step_that_runs)
{
    struct gate g = GATE;
    struct flaky after = { .failures = 0 };
    gr_ref s = gr_seq(root, inc(GR_CHEAP), gate(&g), flaky(GR_CHEAP, &after));
    gr_future *f = gr_ainvoke(rt, s, gr_int(1), NULL);

    gate_wait(&g, &g.entered, 1);
    gr_future_cancel(f);
    fails_with(answer(f), GR_ECANCELED, "");
    gate_wait(&g, &g.cancelled, 1);
    gate_open(&g, gr_int(1));
    cr_assert_eq(atomic_load(&after.calls), 0);
}

Test(sequence, the_deadline_ends_it)
{
    struct gate g = GATE;
    gr_ref s = gr_seq(root, gate(&g), inc(GR_CHEAP));

    fails_with(answer(gr_ainvoke(rt, s, gr_int(1), GR_CALL(.timeout_ms = 20))), GR_ETIMEDOUT, "");
    gate_open(&g, gr_int(1));
}

Test(sequence, waits_for_an_answer_given_later)
{
    struct gate g = GATE;
    gr_future *f = gr_ainvoke(rt, gr_seq(root, gate(&g), inc(GR_CHEAP)), gr_int(1), NULL);

    gate_open(&g, gr_int(41));
    is(answer(f), "42");
}

Test(sequence, no_steps_or_a_broken_one_make_it_broken)
{
    gr_ref broken = gr_seq_n(root, NULL, 0), s;

    invoke_fails(broken, "1", GR_EINVAL, "no steps");
    invoke_fails(gr_seq(root, inc(GR_CHEAP), (gr_ref){ 0, 0 }), "1", GR_EINVAL, "empty");
    s = gr_seq(NULL, inc(GR_CHEAP));
    fails_with(gr_check(rt, s), GR_EINVAL, "");
}

Test(sequence, many_calls_at_once)
{
    enum { COUNT = 500 };
    gr_ref s = gr_seq(root, inc(GR_CHEAP), inc(GR_ASYNC), dbl(GR_CHEAP), inc(GR_ASYNC),
                      gr_seq(root, inc(GR_CHEAP), inc(GR_ASYNC)));
    gr_future *fs[COUNT];
    gr_value *list, *err = NULL;

    for (int i = 0; i < COUNT; i++)
        fs[i] = gr_ainvoke(rt, s, gr_int(i), NULL);
    list = gr_take(gr_all(rt, fs, COUNT), &err);
    cr_assert_not_null(list, "%s", gr_error_text(err));
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(gr_as_int(gr_at(list, (size_t)i), -1), (i + 2) * 2 + 3);
    gr_value_unref(list);
}

/* allocations_of counts those of ten calls, which are made inside a handler, one after the
 * other. */
struct allocations {
    gr_ref r;
    long count;
};

static gr_value *allocations_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct allocations *a = arg;

    (void)input;
    for (int round = 0; round < 2; round++) { /* the first one warms up */
        long before = test_memory_total();

        for (int i = 0; i < 10; i++)
            gr_value_unref(gr_invoke(gr_runtime_of(c), a->r, gr_int(i), NULL, NULL));
        a->count = test_memory_total() - before;
    }
    return gr_nil();
}

static long allocations_of(gr_ref r)
{
    struct allocations a = { .r = r };

    is(answer(gr_ainvoke(rt, gr_lambda(root, GR_ASYNC, allocations_fn, NULL, &a), gr_nil(), NULL)),
       "null");
    return a.count;
}

Test(sequence, cheap_steps_allocate_nothing)
{
    gr_ref steps[10];

    for (size_t i = 0; i < 10; i++)
        steps[i] = inc(GR_CHEAP);
    cr_assert_eq(allocations_of(gr_seq_n(root, steps, 10)),
                 allocations_of(gr_seq_n(root, steps, 1)));
}
