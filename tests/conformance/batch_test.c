/* SPDX-License-Identifier: Apache-2.0 */
/* batch_test.c - langchain-core's batch, batch_as_completed and config. */
#include "tests/conformance/cases.h"
#include "tests/support/stage.h"

TestSuite(batch, .init = set_up, .fini = tear_down, .timeout = 120);

/* ---- as completed ---------------------------------------------------------------------------- */

Test(batch, core_05_answers_come_as_they_are_ready)
{
    struct stage s = STAGE;
    gr_stream *stream = gr_abatch_as_completed(rt, stage(&s), numbers(3), NULL);
    static const int order[] = { 1, 2, 0 };

    for (int i = 0; i < 3; i++) {
        gr_value *wanted = gr_list(gr_int(order[i]), gr_strf("R%d", order[i]));
        gr_outcome o;

        let_go(&s, order[i], gr_strf("R%d", order[i]));
        o = gr_next(stream, TEST_WAIT_MS);
        cr_assert_eq(o.code, GR_OK);
        cr_assert(gr_equal(o.value, wanted));
        gr_value_unref(wanted);
    }
    cr_assert_eq(gr_next(stream, TEST_WAIT_MS).code, GR_EOS);
    gr_stream_free(stream);
}

static gr_value *peak_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct stage *s = arg;
    int inside;

    pthread_mutex_lock(&s->lock);
    inside = ++s->inside;
    s->peak = inside > s->peak ? inside : s->peak;
    pthread_mutex_unlock(&s->lock);
    gr_sleep(gr_runtime_of(c), 1);
    pthread_mutex_lock(&s->lock);
    s->inside--;
    pthread_mutex_unlock(&s->lock);
    return gr_value_ref(input);
}

Test(batch, core_06_max_concurrency_bounds_a_batch)
{
    struct stage s = STAGE;
    gr_value *list = answer(gr_abatch(rt, gr_lambda(root, GR_ASYNC, peak_fn, NULL, &s), numbers(50),
                                      GR_CALL(.config = json("{\"max_concurrency\":5}"))));

    cr_assert_eq(gr_len(list), 50);
    gr_value_unref(list);
    cr_assert_eq(s.peak, 5);
}

Test(batch, core_07_and_as_completed)
{
    struct stage s = STAGE;
    gr_value *err = NULL;
    gr_value *list =
        chunks(gr_abatch_as_completed(rt, gr_lambda(root, GR_ASYNC, peak_fn, NULL, &s), numbers(50),
                                      GR_CALL(.config = json("{\"max_concurrency\":5}"))),
               &err);
    bool seen[50] = { false };

    cr_assert_null(err);
    cr_assert_eq(gr_len(list), 50);
    for (size_t i = 0; i < 50; i++) {
        int64_t index = gr_as_int(gr_at(gr_at(list, i), 0), -1);

        cr_assert_eq(gr_as_int(gr_at(gr_at(list, i), 1), -1), index);
        cr_assert_not(seen[index]);
        seen[index] = true;
    }
    gr_value_unref(list);
    cr_assert_eq(s.peak, 5);
}

Test(batch, as_completed_of_every_kind)
{
    gr_value *err = NULL;

    chunks_are(gr_abatch_as_completed(rt, inc(GR_CHEAP), json("[]"), NULL), "[]");
    chunks_are(gr_abatch_as_completed(rt, inc(GR_CHEAP), json("[1,2]"), NULL), "[[0,2],[1,3]]");
    chunks_are(gr_abatch_as_completed(rt, letters("ab"), json("[1]"), NULL), "[[0,\"ab\"]]");
    is(chunks(gr_abatch_as_completed(rt, inc(GR_CHEAP), gr_int(1), NULL), &err), "[]");
    fails_with(err, GR_ETYPE, "list of inputs");
    fails_with(answer(gr_acall(rt, inc(GR_CHEAP), "batch_as_completed", json("[1]"), NULL)),
               GR_EINVAL, "call it as a stream");
}

Test(batch, as_completed_keeps_or_raises_failures)
{
    struct stage s = STAGE;
    gr_value *err = NULL, *list;
    gr_stream *stream;

    list = chunks(gr_abatch_as_completed(rt, boom(GR_ASYNC, "b"), json("[\"x\"]"),
                                         GR_CALL(.return_exceptions = true)),
                  &err);
    cr_assert_null(err);
    cr_assert_str_eq(gr_error_text(gr_at(gr_at(list, 0), 1)), "b:x");
    gr_value_unref(list);

    /* the first failure ends it, and cancels the others */
    stream = gr_abatch_as_completed(rt, stage(&s), numbers(3), NULL);
    until(&s, &s.entered, 3);
    let_go(&s, 1, gr_error(GR_EREMOTE, "one"));
    until(&s, &s.cancelled, 2);
    gr_promise_free(s.held[0]); /* first: to leave a stream is to wait for its producers */
    gr_promise_free(s.held[2]);
    is(chunks(stream, &err), "[]");
    fails_with(err, GR_EREMOTE, "one");
}

/* a reader that leaves ends what is under way, and one that is slow holds back what is to come */
Test(batch, as_completed_minds_its_reader)
{
    struct stage s = STAGE;
    gr_stream *stream = gr_abatch_as_completed(rt, stage(&s), numbers(3), NULL);
    struct flaky counted = { 0 };
    int calls;

    until(&s, &s.entered, 3);
    let_go(&s, 0, gr_int(0));
    cr_assert_eq(gr_next(stream, TEST_WAIT_MS).code, GR_OK);
    for (int i = 1; i < 3;
         i++) /* the close waits for them; all are inside, so nobody writes held */
        gr_promise_free(s.held[i]);
    gr_stream_free(stream);

    stream = gr_abatch_as_completed(rt, flaky(GR_CHEAP, &counted), numbers(1000),
                                    GR_CALL(.window_chunks = 2));
    cr_assert_eq(gr_next(stream, TEST_WAIT_MS).code, GR_OK);
    calls = atomic_load(&counted.calls);
    cr_assert_leq(calls, 5);
    for (int i = 1; i < 1000; i++)
        cr_assert_eq(gr_next(stream, TEST_WAIT_MS).code, GR_OK);
    cr_assert_eq(gr_next(stream, TEST_WAIT_MS).code, GR_EOS);
    gr_stream_free(stream);
}

/* ---- configs --------------------------------------------------------------------------------- */

static gr_value *tags_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg, (void)input;
    return gr_value_ref(gr_get(gr_config(c), "tags"));
}

static gr_value *run_name_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg, (void)input;
    return gr_value_ref(gr_get(gr_config(c), "run_name"));
}

static gr_value *batch_with(gr_ref r, const char *inputs, const char *config)
{
    gr_call_opts o = { .size = sizeof(o), .config = json(config) };

    return answer(gr_abatch(rt, r, json(inputs), &o));
}

Test(batch, core_03_a_list_of_configs_is_as_long_as_the_inputs)
{
    fails_with(batch_with(inc(GR_CHEAP), "[1,2]", "[{}]"), GR_EINVAL,
               "must be a list of the same length");
    fails_with(batch_with(inc(GR_CHEAP), "[1,2]", "[{},{},{}]"), GR_EINVAL,
               "must be a list of the same length");
    is(batch_with(inc(GR_CHEAP), "[1,2]", "[{},{}]"), "[2,3]");
}

Test(batch, cfg_07_item_i_gets_config_i)
{
    for (gr_kind kind = GR_CHEAP; kind <= GR_BLOCKING; kind++)
        is(batch_with(lambda(kind, tags_fn), "[0,0]", "[{\"tags\":[\"a\"]},{\"tags\":[\"b\"]}]"),
           "[[\"a\"],[\"b\"]]");
}

Test(batch, the_first_config_says_how_many_at_once)
{
    struct stage s = STAGE;

    is(batch_with(gr_lambda(root, GR_ASYNC, peak_fn, NULL, &s), "[1,2,3,4]",
                  "[{\"max_concurrency\":2},{},{\"max_concurrency\":9},{}]"),
       "[1,2,3,4]");
    cr_assert_leq(s.peak, 2);
}

Test(batch, a_batch_has_no_run_of_its_own)
{
    is(batch_with(lambda(GR_ASYNC, run_name_fn), "[0,0]", "{\"run_name\":\"n\"}"), "[\"n\",\"n\"]");
}

Test(batch, cfg_02_an_empty_config_is_filled_in)
{
    is(gr_ensure_config(json("{}")), "{\"tags\":[],\"metadata\":{},\"callbacks\":null,"
                                     "\"recursion_limit\":25,\"configurable\":{}}");
    is(gr_ensure_config(NULL), "{\"tags\":[],\"metadata\":{},\"callbacks\":null,"
                               "\"recursion_limit\":25,\"configurable\":{}}");
    fails_with(gr_ensure_config(gr_int(1)), GR_ETYPE, "must be a map");
}

Test(batch, cfg_03_other_keys_are_configurable)
{
    gr_value *config = gr_ensure_config(json("{\"foo\":1,\"configurable\":{\"sid\":\"s\","
                                             "\"__x\":\"h\",\"api_key\":\"k\",\"obj\":[1]}}"));
    gr_value *metadata = json("{\"sid\":\"s\",\"foo\":1}");
    gr_value *configurable = json("{\"foo\":1,\"sid\":\"s\",\"__x\":\"h\",\"api_key\":\"k\","
                                  "\"obj\":[1]}");

    cr_assert(gr_equal(gr_get(config, "metadata"), metadata));
    cr_assert(gr_equal(gr_get(config, "configurable"), configurable));
    gr_value_unref(config);
    gr_value_unref(metadata);
    gr_value_unref(configurable);
}

Test(batch, cfg_04_configs_are_merged)
{
    is(gr_merge_configs(
           json("{\"recursion_limit\":7,\"max_concurrency\":1,\"callbacks\":[1],\"tags\":[\"b\"],"
                "\"metadata\":{\"a\":1,\"b\":1},\"run_name\":\"x\"}"),
           json("{\"recursion_limit\":25,\"max_concurrency\":3,\"callbacks\":[2],"
                "\"tags\":[\"b\",\"a\"],\"metadata\":{\"b\":2},\"run_name\":null}")),
       "{\"recursion_limit\":7,\"max_concurrency\":3,\"callbacks\":[1,2],\"tags\":[\"a\",\"b\"],"
       "\"metadata\":{\"a\":1,\"b\":2},\"run_name\":\"x\"}");
    is(gr_merge_configs(NULL, gr_nil()), "{}");
    fails_with(gr_merge_configs(gr_int(1), json("{}")), GR_ETYPE, "must be a map");
    fails_with(gr_merge_configs(json("{}"), gr_int(1)), GR_ETYPE, "must be a map");
}

/* cfg-06: what user code gives replaces what is there, key by key; nil gives nothing */
static gr_value *nested_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_ref *inner = arg;
    gr_value *err = NULL, *v;

    v = gr_invoke(gr_runtime_of(c), *inner, gr_value_ref(input),
                  GR_CALL(.config = json("{\"tags\":[\"inner\"],\"metadata\":null,\"foo\":1}")),
                  &err);
    return v != NULL ? v : err;
}

static gr_value *whole_config_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg, (void)input;
    return gr_value_ref(gr_config(c));
}

Test(batch, cfg_06_a_given_config_replaces_key_by_key)
{
    gr_ref inner = lambda(GR_ASYNC, whole_config_fn);
    gr_call_opts o = { .size = sizeof(o),
                       .config = json("{\"tags\":[\"outer\"],\"metadata\":{\"m\":1},"
                                      "\"configurable\":{\"u\":1},\"run_name\":\"outer\"}") };

    is(answer(gr_ainvoke(rt, gr_lambda(root, GR_ASYNC, nested_fn, NULL, &inner), gr_nil(), &o)),
       "{\"tags\":[\"inner\"],\"metadata\":{\"m\":1},\"configurable\":{\"u\":1,\"foo\":1}}");
}

/* ---- failures and their siblings ------------------------------------------------------------- */

/* core-21: a failure drops what is queued; what runs is cancelled, or left with leave_siblings */
Test(batch, core_21_queued_items_dont_begin_after_a_failure)
{
    struct stage s = STAGE;
    gr_future *f =
        gr_abatch(rt, stage(&s), numbers(10), GR_CALL(.config = json("{\"max_concurrency\":2}")));

    until(&s, &s.entered, 2);
    let_go(&s, 0, gr_error(GR_EREMOTE, "zero"));
    fails_with(answer(f), GR_EREMOTE, "zero");
    until(&s, &s.cancelled, 1);
    gr_promise_free(s.held[1]);
    cr_assert_eq(s.entered, 2);
}

/* the case itself: blocking calls, the first of which fails; what runs goes to its end, but nothing does here */
struct blockers {
    _Atomic int begun, finished;
};

static gr_value *blocker_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct blockers *b = arg;

    (void)c;
    atomic_fetch_add(&b->begun, 1);
    if (gr_as_int(input, -1) == 0)
        return gr_error(GR_EREMOTE, "zero");
    atomic_fetch_add(&b->finished, 1);
    return gr_value_ref(input);
}

Test(batch, core_21_of_blocking_items)
{
    static struct blockers b;
    gr_ref r = gr_lambda(root, GR_BLOCKING, blocker_fn, NULL, &b);

    fails_with(
        answer(gr_abatch(rt, r, numbers(10), GR_CALL(.config = json("{\"max_concurrency\":1}")))),
        GR_EREMOTE, "zero");
    cr_assert_eq(atomic_load(&b.begun), 1);
    cr_assert_eq(atomic_load(&b.finished), 0);
}

Test(batch, core_10_siblings_are_cancelled_unless_left)
{
    struct stage s = STAGE;
    gr_future *f = gr_abatch(rt, stage(&s), numbers(2), NULL);

    until(&s, &s.entered, 2);
    let_go(&s, 0, gr_error(GR_EREMOTE, "bad"));
    fails_with(answer(f), GR_EREMOTE, "bad");
    until(&s, &s.cancelled, 1);
    gr_promise_free(s.held[1]);

    s = (struct stage)STAGE;
    f = gr_abatch(rt, stage(&s), numbers(2), GR_CALL(.config = json("{\"leave_siblings\":true}")));
    until(&s, &s.entered, 2);
    let_go(&s, 0, gr_error(GR_EREMOTE, "bad"));
    fails_with(answer(f), GR_EREMOTE, "bad");
    cr_assert_eq(s.cancelled, 0);
    let_go(&s, 1, gr_int(1));
}

static gr_value *branches(struct stage *s, const char *config)
{
    gr_call_opts o = { .size = sizeof(o), .config = json(config) };
    gr_ref at[2];
    gr_future *f;

    for (int i = 0; i < 2; i++) {
        gr_ref number = i == 0 ? inc(GR_CHEAP) : dbl(GR_CHEAP); /* of 1: 2 and 2 */

        at[i] = gr_seq(root, number, i == 0 ? inc(GR_CHEAP) : dbl(GR_CHEAP), stage(s)); /* 3, 4 */
    }
    f = gr_ainvoke(rt, gr_parallel(root, GR_STEP("x", at[0]), GR_STEP("y", at[1])), gr_int(1), &o);
    until(s, &s->entered, 2);
    let_go(s, 3, gr_error(GR_EREMOTE, "x"));
    return answer(f);
}

Test(batch, par_05_siblings_are_cancelled_unless_left)
{
    struct stage s = STAGE;

    fails_with(branches(&s, "{}"), GR_EREMOTE, "x");
    until(&s, &s.cancelled, 1);
    gr_promise_free(s.held[4]);

    s = (struct stage)STAGE;
    fails_with(branches(&s, "{\"leave_siblings\":true}"), GR_EREMOTE, "x");
    cr_assert_eq(s.cancelled, 0);
    let_go(&s, 4, gr_int(1));
}

/* a cancelled batch cancels its items even so */
Test(batch, core_15_cancelling_the_batch_cancels_its_items)
{
    struct stage s = STAGE;
    gr_future *f =
        gr_abatch(rt, stage(&s), numbers(2), GR_CALL(.config = json("{\"leave_siblings\":true}")));

    until(&s, &s.entered, 2);
    gr_future_cancel(f);
    fails_with(answer(f), GR_ECANCELED, "");
    until(&s, &s.cancelled, 2);
    gr_promise_free(s.held[0]);
    gr_promise_free(s.held[1]);
}

/* ---- better than the original ---------------------------------------------------------------- */

/* seq-05: LangChain's sequence waits for all items after each step; here item 0 is in its second
 * step while item 1 is in its first */
Test(batch, seq_05_no_item_waits_for_another_between_steps)
{
    struct stage first = STAGE, second = STAGE;
    gr_ref r = gr_seq(root, stage(&first), stage(&second));
    gr_future *f = gr_abatch(rt, r, numbers(2), NULL);

    let_go(&first, 0, gr_int(0));
    let_go(&second, 0, gr_str("a")); /* item 1 is still in the first step */
    let_go(&first, 1, gr_int(1));
    let_go(&second, 1, gr_str("b"));
    is(answer(f), "[\"a\",\"b\"]");
}

/* llm-01: LangChain runs fixed groups of max_concurrency; here the window slides */
Test(batch, llm_01_the_window_slides)
{
    struct stage s = STAGE;
    gr_future *f =
        gr_abatch(rt, stage(&s), numbers(4), GR_CALL(.config = json("{\"max_concurrency\":2}")));

    until(&s, &s.entered, 2);
    let_go(&s, 1, gr_int(1));
    let_go(&s, 2, gr_int(2)); /* it has begun, though 0 has not ended */
    let_go(&s, 3, gr_int(3));
    let_go(&s, 0, gr_int(0));
    is(answer(f), "[0,1,2,3]");
    cr_assert_eq(s.peak, 2);
}

/* more blocking functions than LangChain's default pool has threads, all inside at once */
static gr_value *all_inside_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    pthread_barrier_wait(arg);
    (void)c;
    return gr_value_ref(input);
}

Test(batch, blocking_items_are_not_bound_to_the_cores)
{
    enum { ALL = 48 };
    pthread_barrier_t barrier;
    gr_value *list;

    pthread_barrier_init(&barrier, NULL, ALL);
    list = answer(gr_abatch(rt, gr_lambda(root, GR_BLOCKING, all_inside_fn, NULL, &barrier),
                            numbers(ALL), NULL));
    cr_assert_eq(gr_len(list), ALL);
    gr_value_unref(list);
    pthread_barrier_destroy(&barrier);
}
