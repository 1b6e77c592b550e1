/* SPDX-License-Identifier: Apache-2.0 */
/* str_parser_test.c - texts of messages and chunks, whole and streamed. */
#include <greenroom/greenroom.h>

#include <string.h>

#include "tests/support/test.h"

static gr_runtime *rt;
static gr_ref parser;

static void start(void)
{
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
    parser = gr_str_parser(gr_root(rt));
}

static void stop(void)
{
    gr_runtime_free(rt);
}

Test(str_parser, gives_the_text, .init = start, .fini = stop)
{
    gr_value *err = NULL, *got = gr_invoke(rt, parser, gr_ai("yes"), NULL, &err);

    cr_assert_str_eq(gr_cstr(got, ""), "yes");
    gr_value_unref(got);
    got = gr_invoke(rt, parser, gr_str("plain"), NULL, &err);
    cr_assert_str_eq(gr_cstr(got, ""), "plain");
    gr_value_unref(got);
    cr_assert_null(gr_invoke(rt, parser, gr_int(1), NULL, &err));
    cr_assert_eq(gr_error_code(err), GR_ETYPE);
    gr_value_unref(err);
}

Test(str_parser, streams_chunk_by_chunk, .init = start, .fini = stop)
{
    gr_stream *writer = NULL, *in = gr_pipe(rt, 0, &writer);
    gr_stream *out = gr_atransform(rt, parser, in, NULL);
    gr_outcome o;

    /* The first chunk arrives while the input is still open: nothing is summed up. */
    cr_assert_eq(gr_pipe_write(writer, gr_ai_chunk("a")), GR_OK);
    o = gr_next(out, TEST_WAIT_MS);
    cr_assert_eq(o.code, GR_OK);
    cr_assert_str_eq(gr_cstr(o.value, ""), "a");
    cr_assert_eq(gr_pipe_write(writer, gr_str("b")), GR_OK);
    o = gr_next(out, TEST_WAIT_MS);
    cr_assert_str_eq(gr_cstr(o.value, ""), "b");
    gr_pipe_close(writer, gr_error(GR_ERATE, "slow"));
    o = gr_next(out, TEST_WAIT_MS);
    cr_assert_eq(o.code, GR_ERATE);
    gr_stream_free(out);
}
