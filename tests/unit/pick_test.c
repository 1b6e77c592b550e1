/* SPDX-License-Identifier: Apache-2.0 */
/* pick_test.c - gr_pick; each test has a runtime of its own (gr_runtime_new). */
#include "tests/support/runnables.h"

TestSuite(pick, .init = set_up, .fini = tear_down, .timeout = 60);

Test(pick, gives_the_value_under_the_key)
{
    gr_ref p = gr_pick(root, "a");

    invoke_is(p, "{\"a\":1,\"b\":2}", "1");
    invoke_is(gr_pick(root, "z"), "{\"a\":1}", "null");
    batch_is(p, "[{\"a\":1},{}]", "[1,null]");
    stream_is(p, "{\"a\":1}", "[1]");
}

Test(pick, only_chunks_with_the_key_go_through)
{
    transform_is(gr_pick(root, "a"), "[{\"a\":1},{\"b\":2},{\"a\":3},{\"a\":null}]", "[1,3]");
    transform_is(gr_pick(root, "a"), "[]", "[]");
}

Test(pick, the_input_must_be_a_map)
{
    gr_value *err = NULL;

    invoke_fails(gr_pick(root, "a"), "[1]", GR_ETYPE, "must be a dict");
    is(chunks(gr_atransform(rt, gr_pick(root, "a"), gr_stream_of(rt, json("[{\"a\":1},2]")), NULL),
              &err),
       "[1]");
    fails_with(err, GR_ETYPE, "must be a dict");
}

Test(pick, no_key_is_broken)
{
    invoke_fails(gr_pick(root, NULL), "{}", GR_EINVAL, "no key");
    fails_with(gr_check(rt, gr_pick(root, "\xff")), GR_EINVAL, "");
}

Test(pick, streams_one_branch_of_a_parallel)
{
    gr_ref p = gr_parallel(root, GR_STEP("x", letters("abc")), GR_STEP("y", letters("de")));

    stream_is(gr_seq(root, p, gr_pick(root, "x")), "1", "[\"a\",\"b\",\"c\"]");
}
