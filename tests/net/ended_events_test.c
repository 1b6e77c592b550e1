/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ended_events_test.c - runs of other nodes end once, and before the caller learns of it: when they are cancelled, late or
 * left, and when a node is lost. Each test has three runtimes (gr_runtime_new): see pieces.h.
 */
#include "tests/support/pieces.h"

TestSuite(ended_events, .init = pieces_up, .fini = pieces_down, .timeout = 240);

static const char *url_of_process;

static struct test_peer process(void)
{
    static char url[128];
    struct test_peer p;

    test_peer_url(url, "ipc");
    setenv(TEST_PEER_DEEP, "1", 1);
    p = test_peer_start(url);
    url_of_process = url;
    return p;
}

static void wait_for_runs(size_t count)
{
    uint64_t until = gr_now_ns(rt) + UINT64_C(1000000) * TEST_WAIT_MS;

    while (observer_runs(&seen) < count && gr_now_ns(rt) < until)
        gr_sleep(rt, 1);
    cr_assert_eq(observer_runs(&seen), count);
}

Test(ended_events, runs_of_a_node_that_dies_end_with_the_links_error)
{
    struct test_peer p = process();
    gr_ref deep = gr_remote(root, url_of_process, "deep");
    gr_future *f = gr_ainvoke(rt, gr_seq(root, inc(GR_CHEAP), called("deep", deep)), gr_int(1),
                              GR_CALL(.config = observed(&seen, NULL)));

    wait_for_runs(5);
    test_peer_kill(&p);
    fails_with(answer(f), GR_EUNREACH, "was lost");
    lines_are(
        &seen, "kne",
        "[[\"start\",\"RunnableSequence\"],[\"start\",\"RunnableLambda\"],"
        "[\"end\",\"RunnableLambda\"],[\"start\",\"deep\"],[\"start\",\"RunnablePassthrough\"],"
        "[\"end\",\"RunnablePassthrough\"],[\"start\",\"RunnableLambda\"],"
        "[\"error\",\"RunnableLambda\",\"GR_EUNREACH\"],[\"error\",\"deep\",\"GR_EUNREACH\"],"
        "[\"error\",\"RunnableSequence\",\"GR_EUNREACH\"]]");
}

Test(ended_events, runs_of_a_stream_whose_node_dies_end_once)
{
    struct test_peer p = process();
    gr_ref all = gr_remote(root, url_of_process, "all");
    gr_stream *s = gr_astream(rt, all, json("{\"n\":1000000,\"size\":100}"),
                              GR_CALL(.config = observed(&seen, NULL)));
    gr_outcome o;

    for (int i = 0; i < 40; i++)
        cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_OK);
    test_peer_kill(&p);
    while ((o = gr_next(s, TEST_WAIT_MS)).code == GR_OK)
        ;
    cr_assert_eq(o.code, GR_EUNREACH);
    gr_stream_free(s);
    cr_assert_eq(seen.run_count, 1u);
    cr_assert_eq(seen.runs[0].code, GR_EUNREACH);
}

/* deep_here is what the process publishes as "deep", on the second node. */
static gr_value *nap_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg, (void)input;
    gr_sleep(gr_runtime_of(c), 600000);
    return gr_error(GR_ECANCELED, "woken up");
}

static gr_ref make_nap(void)
{
    return gr_seq(root, gr_passthrough(root), gr_lambda(root, GR_ASYNC, nap_fn, NULL, NULL));
}

static gr_ref deep(void)
{
    return gr_seq(root, inc(GR_CHEAP), piece(make_nap));
}

#define ENDS(code)                                                                                 \
    "[[\"start\",\"top\"],[\"start\",\"RunnableLambda\"],[\"end\",\"RunnableLambda\"],"            \
    "[\"start\",\"RunnableSequence\"],[\"start\",\"RunnablePassthrough\"],"                        \
    "[\"end\",\"RunnablePassthrough\"],[\"start\",\"RunnableLambda\"],"                            \
    "[\"error\",\"RunnableLambda\",\"" code "\"],[\"error\",\"RunnableSequence\",\"" code "\"],"   \
    "[\"error\",\"top\",\"" code "\"]]"

Test(ended_events, a_cancelled_call_ends_all_runs_before_its_caller_knows)
{
    gr_value *config = observed(&seen, json("{\"run_name\":\"top\"}"));
    gr_future *f;

    spread = true;
    f = gr_ainvoke(rt, deep(), gr_int(1), GR_CALL(.config = config));
    wait_for_runs(5);
    gr_future_cancel(f);
    fails_with(answer(f), GR_ECANCELED, "");
    lines_are(&seen, "kne", ENDS("GR_ECANCELED"));
}

/* On a machine that is busy a deadline may pass before all have begun: then a longer one is tried. */
Test(ended_events, a_deadline_ends_runs_on_all_nodes)
{
    gr_ref r;

    spread = true;
    r = deep();
    for (int64_t ms = 500; seen.run_count < 5; ms *= 2) {
        cr_assert_lt(ms, TEST_WAIT_MS);
        observer_fini(&seen);
        observer_init(&seen);
        fails_with(
            answer(gr_ainvoke(rt, r, gr_int(1),
                              GR_CALL(.config = observed(&seen, json("{\"run_name\":\"top\"}")),
                                      .timeout_ms = ms))),
            GR_ETIMEDOUT, "");
    }
    lines_are(&seen, "kne", ENDS("GR_ETIMEDOUT"));
}

Test(ended_events, who_leaves_a_stream_early_ends_runs_elsewhere)
{
    gr_stream *s;

    spread = true;
    s = gr_astream(rt, whole_chain(), json("{\"q\":\"hi\"}"),
                   GR_CALL(.config = observed(&seen, NULL)));
    cr_assert_eq(gr_next(s, TEST_WAIT_MS).code, GR_OK);
    gr_stream_free(s);
    for (size_t i = 0; i < seen.run_count; i++)
        cr_assert_eq(seen.runs[i].ends, 1);
}

Test(ended_events, each_run_ends_once_whenever_it_is_cancelled)
{
    gr_ref chains[2];

    spread = true;
    chains[0] = fan();
    chains[1] = whole_chain();
    for (int round = 0; round < 200; round++) {
        gr_value *input = round / 4 % 2 ? json("{\"q\":\"hi\"}") : gr_int(1);
        bool cancelled = round % 4 != 0, late = cancelled && round % 5 == 4;
        gr_future *f = gr_ainvoke(
            rt, chains[round / 4 % 2], input,
            GR_CALL(.config = observed(&seen, NULL), .timeout_ms = late ? 1 + round % 7 : 0));

        if (cancelled)
            gr_sleep(rt, round / 3 % 4);
        else
            gr_await(f, TEST_WAIT_MS);
        gr_future_cancel(f);
        gr_future_free(f);
    }
    cr_assert_gt(seen.run_count, 100u);
}

Test(ended_events, an_unreachable_node_has_no_runs)
{
    char url[128];
    gr_ref nobody;

    test_peer_url(url, "ipc");
    nobody = gr_remote(root, url, "nobody");
    fails_with(answer(gr_ainvoke(rt, gr_seq(root, inc(GR_CHEAP), nobody), gr_int(1),
                                 GR_CALL(.config = observed(&seen, NULL)))),
               GR_EUNREACH, "");
    cr_assert_eq(seen.run_count, 2u);
}
