/* SPDX-License-Identifier: Apache-2.0 */
/* assign_test.c - gr_assign; each test has a runtime of its own (gr_runtime_new). */
#include "tests/support/runnables.h"

TestSuite(assign, .init = set_up, .fini = tear_down, .timeout = 60);

static gr_value *num_plus_one(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_int(gr_as_int(gr_get(input, "num"), 0) + 1);
}

static gr_value *say(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)input;
    return gr_str(arg);
}

static gr_ref says(gr_kind kind, const char *text)
{
    return gr_lambda(root, kind, say, NULL, (void *)(uintptr_t)text);
}

Test(assign, adds_the_answers_to_the_input)
{
    for (int kind = GR_CHEAP; kind <= GR_BLOCKING; kind++) {
        gr_ref plus = gr_lambda(root, (gr_kind)kind, num_plus_one, NULL, NULL);
        gr_ref both = gr_assign(root, GR_STEP("q", plus), GR_STEP("r", says(GR_ASYNC, "R")));

        invoke_is(gr_assign(root, GR_STEP("q", plus)), "{\"num\":1}", "{\"num\":1,\"q\":2}");
        invoke_is(gr_assign(root, GR_STEP("num", plus)), "{\"num\":8,\"z\":0}",
                  "{\"num\":9,\"z\":0}");
        invoke_is(both, "{\"num\":1}", "{\"num\":1,\"q\":2,\"r\":\"R\"}");
        batch_is(both, "[{},{\"num\":4}]",
                 "[{\"q\":1,\"r\":\"R\"},{\"num\":4,\"q\":5,\"r\":\"R\"}]");
    }
}

Test(assign, the_input_must_be_a_map)
{
    gr_ref a = gr_assign(root, GR_STEP("q", says(GR_CHEAP, "Q")));
    gr_value *err = NULL;

    invoke_fails(a, "\"x\"", GR_ETYPE, "must be a dict");
    is(chunks(gr_astream(rt, a, gr_str("x"), NULL), &err), "[]");
    fails_with(err, GR_ETYPE, "must be a dict");
}

Test(assign, a_step_that_fails_fails_it)
{
    invoke_fails(
        gr_assign(root, GR_STEP("q", says(GR_ASYNC, "Q")), GR_STEP("r", boom(GR_CHEAP, "p"))), "{}",
        GR_EREMOTE, "p:");
}

Test(assign, the_inputs_chunks_come_first)
{
    struct gate g = GATE;
    gr_ref a = gr_assign(root, GR_STEP("q", gate(&g)));
    gr_stream *s =
        gr_atransform(rt, a, gr_stream_of(rt, json("[{\"a\":\"1\"},{\"b\":\"2\"}]")), NULL);
    gr_value *err = NULL;

    gate_open(&g, gr_str("Q"));
    is(chunks(s, &err), "[{\"a\":\"1\"},{\"b\":\"2\"},{\"q\":\"Q\"}]");
    cr_assert_null(err);
}

Test(assign, the_input_does_not_wait_for_the_steps)
{
    struct gate g = GATE;
    gr_ref a = gr_assign(root, GR_STEP("q", gate(&g)));
    gr_stream *writer = NULL, *in = gr_pipe(rt, 1, &writer);
    gr_stream *s = gr_atransform(rt, a, in, NULL);
    gr_value *err = NULL;
    gr_outcome o;

    cr_assert_eq(gr_pipe_write(writer, json("{\"a\":1}")), GR_OK);
    o = gr_next(s, TEST_WAIT_MS);
    cr_assert_eq(o.code, GR_OK);
    is(gr_value_ref(o.value), "{\"a\":1}");
    gr_pipe_close(writer, NULL);
    gate_open(&g, gr_int(2));
    is(chunks(s, &err), "[{\"q\":2}]");
    cr_assert_null(err);
}

Test(assign, keys_of_the_steps_are_taken_out_of_the_input)
{
    gr_ref a = gr_assign(root, GR_STEP("q", says(GR_CHEAP, "new")));

    transform_is(a, "[{\"a\":1,\"q\":0}]", "[{\"a\":1},{\"q\":\"new\"}]");
    transform_is(a, "[{\"q\":0},{\"a\":1}]", "[{\"a\":1},{\"q\":\"new\"}]");
    stream_is(a, "{\"a\":1,\"q\":0}", "[{\"a\":1},{\"q\":\"new\"}]");
    stream_is(a, "{}", "[{\"q\":\"new\"}]");
}

/* each chunk of the input makes one of the step, which nobody reads until the input has ended */
Test(assign, a_step_as_long_as_the_input_does_not_hold_it_back)
{
    enum { COUNT = 500 };
    gr_ref a = gr_assign(root, GR_STEP("copy", gr_passthrough(root)));
    gr_value *list = gr_list_n(NULL, 0), *err = NULL, *got;

    for (int i = 0; i < COUNT; i++)
        list = gr_append(list, gr_map(GR_KV("i", gr_int(i))));
    got = chunks(gr_atransform(rt, a, gr_stream_of(rt, gr_value_ref(list)), NULL), &err);
    cr_assert_null(err, "%s", gr_error_text(err));
    cr_assert_eq(gr_len(got), 2 * COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        cr_assert(gr_equal(gr_at(got, i), gr_at(list, i)));
        cr_assert(gr_equal(gr_get(gr_at(got, COUNT + i), "copy"), gr_at(list, i)));
    }
    gr_value_unref(got);
    gr_value_unref(list);
}

Test(assign, the_inputs_error_ends_it)
{
    gr_ref a = gr_assign(root, GR_STEP("q", gr_passthrough(root)));
    gr_stream *writer = NULL, *in = gr_pipe(rt, 4, &writer);
    gr_stream *s = gr_atransform(rt, a, in, NULL);
    gr_value *err = NULL;

    cr_assert_eq(gr_pipe_write(writer, json("{\"a\":1}")), GR_OK);
    gr_pipe_close(writer, gr_error(GR_EREMOTE, "the source broke"));
    is(chunks(s, &err), "[{\"a\":1}]");
    fails_with(err, GR_EREMOTE, "the source broke");
}
