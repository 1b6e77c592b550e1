/* SPDX-License-Identifier: Apache-2.0 */
/* passthrough_test.c - gr_passthrough; each test has a runtime of its own (gr_runtime_new). */
#include "tests/support/runnables.h"

TestSuite(passthrough, .init = set_up, .fini = tear_down, .timeout = 60);

Test(passthrough, the_input_is_the_answer)
{
    gr_ref p = gr_passthrough(root);

    invoke_is(p, "1", "1");
    batch_is(p, "[1,2]", "[1,2]");
    stream_is(p, "{\"a\":1}", "[{\"a\":1}]");
}

Test(passthrough, chunks_go_through_unchanged)
{
    gr_ref p = gr_passthrough(root);

    transform_is(p, "[1,2]", "[1,2]");
    transform_is(p, "[{\"foo\":\"a\"},{\"foo\":\"n\"}]", "[{\"foo\":\"a\"},{\"foo\":\"n\"}]");
    transform_is(p, "[]", "[]");
}

Test(passthrough, more_chunks_than_any_window_arrive_in_order)
{
    gr_value *list = gr_list_n(NULL, 0), *err = NULL, *got;

    for (int i = 0; i < 1000; i++)
        list = gr_append(list, gr_int(i));
    got = chunks(
        gr_atransform(rt, gr_passthrough(root), gr_stream_of(rt, gr_value_ref(list)), NULL), &err);
    cr_assert_null(err);
    cr_assert(gr_equal(got, list));
    gr_value_unref(got);
    gr_value_unref(list);
}

Test(passthrough, the_inputs_error_comes_after_its_chunks)
{
    gr_stream *writer = NULL, *in = gr_pipe(rt, 4, &writer);
    gr_stream *out = gr_atransform(rt, gr_passthrough(root), in, NULL);
    gr_value *err = NULL;

    cr_assert_eq(gr_pipe_write(writer, gr_str("a")), GR_OK);
    gr_pipe_close(writer, gr_error(GR_EREMOTE, "the source broke"));
    is(chunks(out, &err), "[\"a\"]");
    fails_with(err, GR_EREMOTE, "the source broke");
}

Test(passthrough, leaving_stops_the_writer)
{
    gr_stream *writer = NULL, *in = gr_pipe(rt, 1, &writer);
    gr_stream *out = gr_atransform(rt, gr_passthrough(root), in, NULL);
    gr_code rc;

    cr_assert_eq(gr_pipe_write(writer, gr_str("a")), GR_OK);
    cr_assert_eq(gr_next(out, TEST_WAIT_MS).code, GR_OK);
    gr_stream_free(out);
    do
        rc = gr_pipe_write(writer, gr_str("b"));
    while (rc == GR_OK); /* what was written before the end arrived may still be taken */
    cr_assert_eq(rc, GR_ECANCELED);
    gr_pipe_close(writer, NULL);
}

Test(passthrough, a_transform_called_as_no_stream_is_refused)
{
    fails_with(answer(gr_acall(rt, gr_passthrough(root), "transform", gr_int(1), NULL)), GR_EINVAL,
               "stream");
}
