/* SPDX-License-Identifier: Apache-2.0 */
/* parallel_test.c - gr_parallel; each test has a runtime of its own (gr_runtime_new). */
#include "tests/support/runnables.h"

TestSuite(parallel, .init = set_up, .fini = tear_down, .timeout = 60);

Test(parallel, keys_come_in_the_order_given)
{
    const gr_kind kinds[] = { GR_CHEAP, GR_ASYNC, GR_BLOCKING };

    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 3; k++) {
            gr_ref p = gr_parallel(root, GR_STEP("b", inc(kinds[i])), GR_STEP("a", dbl(kinds[k])));

            invoke_is(p, "3", "{\"b\":4,\"a\":6}");
            batch_is(p, "[3,4]", "[{\"b\":4,\"a\":6},{\"b\":5,\"a\":8}]");
        }
}

Test(parallel, one_branch_and_a_key_given_twice)
{
    invoke_is(gr_parallel(root, GR_STEP("x", inc(GR_ASYNC))), "1", "{\"x\":2}");
    invoke_is(gr_parallel(root, GR_STEP("x", inc(GR_ASYNC)), GR_STEP("y", inc(GR_CHEAP)),
                          GR_STEP("x", dbl(GR_CHEAP))),
              "5", "{\"x\":10,\"y\":6}");
}

Test(parallel, branches_run_at_once)
{
    struct gate x = GATE, y = GATE;
    gr_ref p = gr_parallel(root, GR_STEP("x", gate(&x)), GR_STEP("y", gate(&y)));
    gr_future *f = gr_ainvoke(rt, p, gr_nil(), NULL);

    gate_wait(&y, &y.entered, 1); /* though x has not answered */
    gate_wait(&x, &x.entered, 1);
    gate_open(&y, gr_int(2));
    gate_open(&x, gr_int(1));
    is(answer(f), "{\"x\":1,\"y\":2}");
}

Test(parallel, the_first_failure_fails_it_and_cancels_the_others)
{
    struct gate x = GATE, y = GATE;
    gr_ref p = gr_parallel(root, GR_STEP("x", gate(&x)), GR_STEP("y", gate(&y)));
    gr_future *f = gr_ainvoke(rt, p, gr_nil(), NULL);

    gate_wait(&x, &x.entered, 1);
    gate_open(&y, gr_error(GR_EREMOTE, "y failed"));
    fails_with(answer(f), GR_EREMOTE, "y failed");
    gate_wait(&x, &x.cancelled, 1);
    gate_open(&x, gr_int(1));
}

Test(parallel, a_cheap_failure_begins_no_more)
{
    struct flaky x = { .failures = 0 }, z = { .failures = 0 };
    gr_ref p = gr_parallel(root, GR_STEP("x", flaky(GR_ASYNC, &x)),
                           GR_STEP("y", boom(GR_CHEAP, "p")), GR_STEP("z", flaky(GR_CHEAP, &z)));

    invoke_fails(p, "\"in\"", GR_EREMOTE, "p:in");
    cr_assert_eq(atomic_load(&z.calls), 0);
}

Test(parallel, cancelling_reaches_all_branches)
{
    struct gate x = GATE, y = GATE;
    gr_ref p = gr_parallel(root, GR_STEP("x", gate(&x)), GR_STEP("y", gate(&y)));
    gr_future *f = gr_ainvoke(rt, p, gr_nil(), NULL);

    gate_wait(&x, &x.entered, 1);
    gate_wait(&y, &y.entered, 1);
    gr_future_cancel(f);
    fails_with(answer(f), GR_ECANCELED, "");
    gate_wait(&x, &x.cancelled, 1);
    gate_wait(&y, &y.cancelled, 1);
    gate_open(&x, gr_int(1));
    gate_open(&y, gr_int(1));
}

Test(parallel, streams_add_up_to_invoke)
{
    gr_ref p = gr_parallel(root, GR_STEP("x", letters("abc")), GR_STEP("y", letters("dd")));
    gr_ref nested =
        gr_parallel(root, GR_STEP("outer", gr_parallel(root, GR_STEP("a", letters("xy")),
                                                       GR_STEP("b", shout(GR_CHEAP)))));

    invoke_is(p, "\"_\"", "{\"x\":\"abc\",\"y\":\"dd\"}");
    sum_equals(gr_astream(rt, p, gr_nil(), NULL), "{\"x\":\"abc\",\"y\":\"dd\"}");
    stream_is(gr_parallel(root, GR_STEP("x", letters("ab"))), "1", "[{\"x\":\"a\"},{\"x\":\"b\"}]");
    sum_equals(gr_astream(rt, nested, gr_str("_"), NULL),
               "{\"outer\":{\"a\":\"xy\",\"b\":\"_!\"}}");
}

/* part_of returns the list of what the chunks hold under key. */
static gr_value *part_of(const gr_value *list, const char *key)
{
    gr_value *part = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(list); i++)
        if (gr_get(gr_at(list, i), key) != NULL)
            part = gr_append(part, gr_value_ref(gr_get(gr_at(list, i), key)));
    return part;
}

Test(parallel, every_branch_sees_the_whole_input_stream)
{
    gr_ref p = gr_parallel(root, GR_STEP("u", each_upper()), GR_STEP("p", gr_passthrough(root)),
                           GR_STEP("all", shout(GR_CHEAP)));
    gr_value *err = NULL, *list;

    list = chunks(gr_atransform(rt, p, gr_stream_of(rt, json("[\"a\",\"b\",\"c\"]")), NULL), &err);
    cr_assert_null(err, "%s", gr_error_text(err));
    is(part_of(list, "u"), "[\"A\",\"B\",\"C\"]");
    is(part_of(list, "p"), "[\"a\",\"b\",\"c\"]");
    is(part_of(list, "all"), "[\"abc!\"]");
    cr_assert_eq(gr_len(list), 7);
    gr_value_unref(list);
}

Test(parallel, a_long_input_goes_through_narrow_windows)
{
    enum { COUNT = 2000 };
    gr_ref p =
        gr_parallel(root, GR_STEP("a", gr_passthrough(root)), GR_STEP("b", gr_passthrough(root)));
    gr_value *list = gr_list_n(NULL, 0), *err = NULL, *got, *part;

    for (int i = 0; i < COUNT; i++)
        list = gr_append(list, gr_int(i));
    got = chunks(
        gr_atransform(rt, p, gr_stream_of(rt, gr_value_ref(list)), GR_CALL(.window_chunks = 1)),
        &err);
    cr_assert_null(err, "%s", gr_error_text(err));
    part = part_of(got, "a");
    cr_assert(gr_equal(part, list));
    gr_value_unref(part);
    part = part_of(got, "b");
    cr_assert(gr_equal(part, list));
    gr_value_unref(part);
    gr_value_unref(got);
    gr_value_unref(list);
}

Test(parallel, a_branch_that_fails_ends_the_stream)
{
    static struct endless e;
    gr_ref p = gr_parallel(root, GR_STEP("x", endless(&e)), GR_STEP("y", letters("a!")));
    gr_stream *s = gr_astream(rt, p, gr_nil(), NULL);
    gr_outcome o;

    while ((o = gr_next(s, TEST_WAIT_MS)).code == GR_OK)
        ;
    cr_assert_eq(o.code, GR_EREMOTE, "%s", gr_code_name(o.code));
    gr_stream_free(s);
    tear_down(); /* joins: afterwards x has left, if it ever began */
    cr_assert(atomic_load(&e.left) || atomic_load(&e.sent) == 0);
    set_up();
}

Test(parallel, a_slow_reader_stops_the_branches)
{
    static struct endless e;
    gr_ref p = gr_parallel(root, GR_STEP("x", endless(&e)), GR_STEP("y", letters("ab")));
    gr_stream *s = gr_astream(rt, p, gr_nil(), NULL);

    for (int i = 0; i < 10; i++)
        cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_OK);
    gr_stream_free(s);
    cr_assert(atomic_load(&e.left), "the producer is still at it");
    cr_assert_leq(atomic_load(&e.sent), 10 + 2 * 32 + 4);
}

Test(parallel, no_key_makes_it_broken)
{
    invoke_fails(gr_parallel(root, GR_STEP(NULL, inc(GR_CHEAP))), "1", GR_EINVAL, "has no key");
    invoke_fails(gr_parallel(root, GR_STEP("a", gr_seq_n(root, NULL, 0))), "1", GR_EINVAL,
                 "no steps");
}
