/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events_test.c - runs of other nodes: who observes a chain hears the same whether its pieces are here or elsewhere.
 * Each test has three runtimes (gr_runtime_new): a piece is on the second one, a piece of a piece on the third.
 */
#include <greenroom/callbacks.h>
#include <greenroom/node.h>

#include "runtime/actor/runtime_impl.h"
#include "runtime/observe/run.h"
#include "tests/support/events.h"
#include "tests/support/observer.h"
#include "tests/support/peer.h"

#define NODES 3

static struct observer seen, seen_far;
static gr_runtime *nodes[NODES]; /* the first is rt */
static char urls[NODES][128];
static int depth;   /* of pieces that are being made: which node they are on */
static bool spread; /* pieces are elsewhere */
static int names;
static struct flaky flaky_here, flaky_far;
static bool slow_held; /* nobody hears anything for now */
static _Atomic int slow_heard, slow_ran;

static void up(void)
{
    set_up();
    nodes[0] = rt;
    for (int i = 1; i < NODES; i++) {
        cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &nodes[i]), GR_OK);
        test_peer_url(urls[i], i % 2 ? "ipc" : "tcp");
        cr_assert_eq(gr_serve(nodes[i], urls[i], NULL), GR_OK);
    }
    observer_init(&seen);
    observer_init(&seen_far);
    depth = 0;
    spread = false;
    flaky_here = flaky_far = (struct flaky){ 0 };
    slow_held = false;
    slow_heard = slow_ran = 0;
}

static void down(void)
{
    for (int i = 0; i < NODES; i++)
        gr_runtime_free(nodes[i]);
    rt = NULL;
    observer_fini(&seen);
    observer_fini(&seen_far);
}

TestSuite(events, .init = up, .fini = down, .timeout = 240);

/* piece makes a runnable: on the next node if pieces are spread, else here. */
static gr_ref piece(gr_ref (*make)(void))
{
    char name[32];
    gr_ref made;

    if (!spread)
        return make();
    cr_assert_lt(depth + 1, NODES);
    root = gr_root(nodes[++depth]);
    made = make();
    snprintf(name, sizeof(name), "piece%d", ++names);
    cr_assert_eq(gr_publish(nodes[depth], name, made), GR_OK);
    root = gr_root(nodes[--depth]);
    return gr_remote(root, urls[depth + 1], name);
}

/* ---- comparing ------------------------------------------------------------------------------- */

/* start_of finds the line in which a run began, the first of its own. */
static const gr_value *start_of(const gr_value *lines, const gr_value *run)
{
    for (size_t i = 0; i < gr_len(lines); i++)
        if (gr_equal(gr_at(gr_at(lines, i), 2), run))
            return gr_at(lines, i);
    return NULL;
}

/* place_of gives the input of the root, then the names and tags of the runs that a line's run is in, and its own. */
static gr_value *place_of(const gr_value *lines, const gr_value *line)
{
    const gr_value *start = start_of(lines, gr_at(line, 2)), *in = gr_at(start, 3);
    char *tags = gr_json_print(gr_at(start, 4), 0, NULL);
    char *input = gr_json_print(gr_at(start, 5), 0, NULL);
    gr_value *above = gr_is_nil(in) ? gr_str(input) : place_of(lines, start_of(lines, in));
    gr_value *out = gr_strf("%s/%s%s", gr_cstr(above, ""), gr_cstr(gr_at(start, 1), ""), tags);

    gr_value_unref(above);
    gr_free(tags);
    gr_free(input);
    return out;
}

/* by_place orders lines by the places of their runs, each run's as they came, and leaves out the runs' numbers. */
static gr_value *by_place(const gr_value *lines)
{
    size_t count = gr_len(lines), kept = 0;
    gr_value **all = calloc(count + 1, sizeof(*all));
    gr_value *list;

    for (size_t i = 0; i < count; i++) {
        const gr_value *line = gr_at(lines, i);
        gr_value *one = gr_list(place_of(lines, line), gr_value_ref(gr_at(line, 0)),
                                gr_value_ref(gr_at(line, 5)));
        size_t at = kept++;

        if (gr_at(line, 6) != NULL)
            one = gr_append(one, gr_value_ref(gr_at(line, 6)));
        for (; at > 0 && strcmp(gr_cstr(gr_at(all[at - 1], 0), ""), gr_cstr(gr_at(one, 0), "")) > 0;
             at--)
            all[at] = all[at - 1];
        all[at] = one;
    }
    list = gr_list_n(all, kept);
    free(all);
    return list;
}

static void same(gr_value *here, gr_value *far)
{
    char *a = gr_json_print(here, 1, NULL), *b = gr_json_print(far, 1, NULL);

    cr_assert_str_eq(a, b, "here: %s\nspread: %s", a, b);
    gr_free(a);
    gr_free(b);
    gr_value_unref(here);
    gr_value_unref(far);
}

enum how { INVOKE, STREAM, BATCH };

static void call(enum how how, gr_ref r, const char *input, struct observer *o)
{
    gr_value *config = observed(
        o, json("{\"tags\":[\"mine\"],\"metadata\":{\"who\":\"me\"},\"run_name\":\"top\"}"));
    gr_value *err = NULL;

    switch (how) {
    case INVOKE:
        gr_value_unref(answer(gr_ainvoke(rt, r, json(input), GR_CALL(.config = config))));
        break;
    case STREAM:
        gr_value_unref(chunks(gr_astream(rt, r, json(input), GR_CALL(.config = config)), &err));
        gr_value_unref(err);
        break;
    case BATCH:
        gr_value_unref(answer(gr_abatch(rt, r, json(input), GR_CALL(.config = config))));
        break;
    }
}

/* heard_alike calls the chain both ways. in_order: one thing happens after the other in it. */
static void heard_alike(enum how how, gr_ref (*make)(void), const char *input, bool in_order)
{
    spread = false;
    call(how, make(), input, &seen);
    spread = true;
    call(how, make(), input, &seen_far);
    cr_assert_gt(seen.run_count, 1u);
    cr_assert(seen_far.in_order);
    if (in_order)
        same(gr_value_ref(seen.lines), gr_value_ref(seen_far.lines));
    else
        same(by_place(seen.lines), by_place(seen_far.lines));
}

/* ---- chains ---------------------------------------------------------------------------------- */

static gr_ref make_inc(void)
{
    return inc(GR_CHEAP);
}

static gr_ref make_prompt(void)
{
    return gr_chat_prompt(root, GR_ROLE("human", "{q}"));
}

static gr_ref make_model(void)
{
    return gr_with_config(
        root, gr_script_model(root, GR_SCRIPT(.answers = gr_list(gr_str("one two three")))),
        json("{\"tags\":[\"model\"],\"metadata\":{\"size\":7}}"));
}

static gr_ref make_parser(void)
{
    return gr_str_parser(root);
}

static gr_ref chain(void)
{
    return gr_seq(root, piece(make_prompt), piece(make_model), piece(make_parser));
}

static gr_ref with_far_model(void)
{
    return gr_seq(root, make_prompt(), piece(make_model), make_parser());
}

static gr_ref whole_chain(void)
{
    return piece(with_far_model);
}

static gr_ref numbers(void)
{
    return gr_seq(root, piece(make_inc), gr_seq(root, inc(GR_ASYNC), piece(make_inc)),
                  piece(make_inc));
}

static gr_ref inner_fan(void)
{
    return gr_parallel(root, GR_STEP("x", piece(make_inc)), GR_STEP("y", inc(GR_BLOCKING)));
}

static gr_ref fan(void)
{
    return gr_seq(root, gr_parallel(root, GR_STEP("a", piece(make_inc)),
                                    GR_STEP("b", piece(inner_fan)), GR_STEP("c", piece(numbers))));
}

static gr_ref make_flaky(void)
{
    struct flaky *f = spread ? &flaky_far : &flaky_here;

    f->failures = 2;
    f->code = GR_EUNREACH;
    return flaky(GR_ASYNC, f);
}

static gr_ref make_retry(void)
{
    return called("retry",
                  gr_with_retry(root, piece(make_flaky),
                                GR_RETRY(.attempts = 3, .backoff_ms = 1, .jitter_ms = -1)));
}

static gr_ref retried(void)
{
    return gr_seq(root, make_retry(), gr_passthrough(root));
}

static gr_ref retried_there(void)
{
    return gr_seq(root, piece(make_retry), gr_passthrough(root));
}

static gr_ref make_boom(void)
{
    return boom(GR_ASYNC, "boom");
}

static gr_ref failing(void)
{
    return gr_seq(root, inc(GR_CHEAP), piece(make_boom), inc(GR_CHEAP));
}

static gr_ref failing_there(void)
{
    return piece(failing);
}

static gr_value *ask_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_ref *to = arg;
    gr_value *v;

    gr_dispatch_event(c, "asks", gr_value_ref(input));
    v = gr_take(gr_ainvoke(gr_runtime_of(c), *to, gr_value_ref(input),
                           GR_CALL(.config = json("{\"tags\":[\"asked\"]}"))),
                NULL);
    gr_dispatch_event(c, "got", gr_value_ref(v));
    return v;
}

static gr_ref make_asker(void)
{
    static gr_ref whom[2];

    whom[spread] = piece(make_inc);
    return gr_lambda(root, GR_ASYNC, ask_fn, NULL, &whom[spread]);
}

static gr_ref asks(void)
{
    return gr_seq(root, inc(GR_CHEAP), piece(make_asker));
}

Test(events, a_chain_is_heard_alike_wherever_its_steps_are)
{
    heard_alike(INVOKE, chain, "{\"q\":\"hi\"}", true);
}

Test(events, a_chain_is_heard_alike_two_hops_away)
{
    heard_alike(INVOKE, whole_chain, "{\"q\":\"hi\"}", true);
}

Test(events, numbers_are_heard_alike)
{
    heard_alike(INVOKE, numbers, "1", true);
}

Test(events, what_runs_side_by_side_is_heard_alike)
{
    heard_alike(INVOKE, fan, "1", false);
}

Test(events, a_batch_is_heard_alike)
{
    heard_alike(BATCH, fan, "[1, 2, 3]", false);
}

Test(events, a_batch_of_one_piece_is_heard_alike)
{
    heard_alike(BATCH, whole_chain, "[{\"q\":\"hi\"},{\"q\":\"ho\"}]", false);
}

Test(events, a_stream_is_heard_alike)
{
    heard_alike(STREAM, chain, "{\"q\":\"hi\"}", false);
}

Test(events, a_stream_is_heard_alike_two_hops_away)
{
    heard_alike(STREAM, whole_chain, "{\"q\":\"hi\"}", false);
}

Test(events, retries_are_heard_alike)
{
    heard_alike(INVOKE, retried, "\"x\"", true);
}

Test(events, retries_elsewhere_are_heard_alike)
{
    heard_alike(INVOKE, retried_there, "\"x\"", true);
}

Test(events, errors_are_heard_alike)
{
    heard_alike(INVOKE, failing, "1", true);
}

Test(events, errors_are_heard_alike_two_hops_away)
{
    heard_alike(STREAM, failing_there, "1", false);
}

Test(events, what_handlers_call_and_dispatch_is_heard_alike)
{
    heard_alike(INVOKE, asks, "1", true);
}

/* ---- streams of events ----------------------------------------------------------------------- */

/* numbered replaces each text that is a key of ids by its number: ids of runs, in the order in which they come. */
static gr_value *numbered(const gr_value *v, gr_value **ids)
{
    const char *key = NULL;
    gr_value *out;

    if (gr_value_type(v) == GR_STR && gr_get(*ids, gr_cstr(v, "")) != NULL)
        return gr_value_ref(gr_get(*ids, gr_cstr(v, "")));
    if (gr_value_type(v) == GR_LIST) {
        out = gr_list_n(NULL, 0);
        for (size_t i = 0; i < gr_len(v); i++)
            out = gr_append(out, numbered(gr_at(v, i), ids));
        return out;
    }
    if (gr_value_type(v) != GR_MAP)
        return gr_value_ref(v);
    out = gr_map_n(NULL, 0);
    for (size_t i = 0; i < gr_len(v); i++) {
        const gr_value *one = gr_pair_at(v, i, &key);

        out = gr_set(out, key, numbered(one, ids));
    }
    return out;
}

static gr_value *with_id(gr_value *ids GR_TAKES, const gr_value *id)
{
    const char *text = gr_cstr(id, "");

    return gr_get(ids, text) != NULL ? ids : gr_set(ids, text, gr_strf("r%zu", gr_len(ids) + 1));
}

/* told_of gives the events of a stream, with numbers for ids. */
static gr_value *told_of(gr_stream *s)
{
    gr_value *ids = gr_map_n(NULL, 0), *events = all_of(s), *out;

    for (size_t i = 0; i < gr_len(events); i++) {
        const gr_value *parents = gr_get(gr_at(events, i), "parent_ids");

        for (size_t k = 0; k < gr_len(parents); k++)
            ids = with_id(ids, gr_at(parents, k));
        ids = with_id(ids, gr_get(gr_at(events, i), "run_id"));
    }
    out = numbered(events, &ids);
    gr_value_unref(ids);
    gr_value_unref(events);
    return out;
}

static gr_value *events_told(gr_ref (*make)(void), bool far, const gr_events_opts *events)
{
    spread = far;
    return told_of(gr_astream_events(rt, make(), json("1"),
                                     GR_CALL(.config = json("{\"tags\":[\"mine\"]}")), events));
}

Test(events, astream_events_of_a_piece_gives_the_same)
{
    same(events_told(make_asker, false, NULL), events_told(make_asker, true, NULL));
}

static gr_ref far_asker(void)
{
    return piece(make_asker);
}

Test(events, astream_events_of_what_is_elsewhere_as_a_whole_gives_the_same)
{
    same(events_told(far_asker, false, NULL), events_told(far_asker, true, NULL));
}

Test(events, astream_events_filters_what_is_elsewhere)
{
    const char *const tags[] = { "asked", NULL };
    gr_value *far = events_told(far_asker, true, GR_EVENTS(.include_tags = tags));

    cr_assert_gt(gr_len(far), 1u);
    same(events_told(far_asker, false, GR_EVENTS(.include_tags = tags)), far);
}

/* The one step that is a chain of LangChain's is the whole of it: prompt, model and parser. */
static gr_value *tokens_told(bool far)
{
    const char *const types[] = { "chat_model", NULL };

    spread = far;
    return told_of(gr_astream_events(rt, whole_chain(), json("{\"q\":\"hi\"}"), NULL,
                                     GR_EVENTS(.include_types = types)));
}

Test(events, tokens_of_a_model_elsewhere_are_told)
{
    gr_value *far = tokens_told(true);

    cr_assert_eq(gr_len(far), 2u + 3u, "start, three tokens, end: %zu", gr_len(far));
    same(tokens_told(false), far);
}

/* call_model is what invokes a model, which is to stream all the same where somebody wants its tokens. */
static gr_value *call_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_ref *to = arg;

    return gr_take(gr_ainvoke(gr_runtime_of(c), *to, gr_value_ref(input), NULL), NULL);
}

static gr_ref make_caller(void)
{
    static gr_ref whom[2];

    whom[spread] = piece(make_model);
    return gr_lambda(root, GR_ASYNC, call_fn, NULL, &whom[spread]);
}

static gr_value *caller_told(bool far)
{
    spread = far;
    return told_of(gr_astream_events(rt, make_caller(), json("\"hi\""), NULL, NULL));
}

Test(events, a_model_elsewhere_that_is_invoked_streams_for_who_wants_tokens)
{
    gr_value *far = caller_told(true);

    cr_assert_gt(gr_len(far), 6u);
    same(caller_told(false), far);
}

static gr_value *log_of(bool far)
{
    gr_value *patches, *state = NULL;

    spread = far;
    patches = all_of(gr_astream_log(rt, far_asker(), json("1"), NULL, NULL));
    for (size_t i = 0; i < gr_len(patches); i++)
        state = gr_log_apply(state, gr_at(patches, i));
    gr_value_unref(patches);
    patches = gr_list(gr_value_ref(gr_get(state, "final_output")),
                      gr_value_ref(gr_get(state, "streamed_output")), gr_list_n(NULL, 0));
    for (size_t i = 0; i < gr_len(gr_get(state, "logs")); i++) {
        const char *key = NULL;
        const gr_value *one = gr_pair_at(gr_get(state, "logs"), i, &key);

        patches = gr_append(patches, gr_list(gr_str(key), gr_value_ref(gr_get(one, "tags")),
                                             gr_value_ref(gr_get(one, "final_output"))));
    }
    gr_value_unref(state);
    return patches;
}

Test(events, astream_log_gives_the_same)
{
    same(log_of(false), log_of(true));
}

Test(events, a_collector_gets_the_tree_of_all_nodes)
{
    gr_value *collector = gr_run_collector(1), *trees, *config;
    const gr_value *top, *asked;

    spread = true;
    config = gr_map(GR_KV("callbacks", gr_list(gr_value_ref(collector))));
    gr_value_unref(answer(gr_ainvoke(rt, asks(), gr_int(1), GR_CALL(.config = config))));
    trees = gr_run_collector_take(collector);
    top = gr_at(trees, 0);
    cr_assert_eq(gr_len(gr_get(top, "child_runs")), 2u);
    asked = gr_at(gr_get(top, "child_runs"), 1);
    cr_assert_eq(gr_len(gr_get(asked, "child_runs")), 1u);
    cr_assert(
        gr_equal(gr_get(gr_at(gr_get(asked, "child_runs"), 0), "trace_id"), gr_get(top, "id")));
    gr_value_unref(trees);
    gr_value_unref(collector);
}

static void count_start(void *arg, const gr_event *e)
{
    (void)e;
    atomic_fetch_add((_Atomic int *)arg, 1);
}

Test(events, listeners_hear_of_the_piece_itself_and_nothing_within)
{
    static _Atomic int starts, ends;
    gr_ref r;

    spread = true;
    r = gr_with_listeners(root, far_asker(),
                          GR_LISTENERS(.on_start = count_start, .arg = (void *)&starts));
    invoke_is(r, "1", "2");
    cr_assert_eq(starts, 1);
    r = gr_with_listeners(root, whole_chain(),
                          GR_LISTENERS(.on_end = count_start, .arg = (void *)&ends));
    gr_value_unref(answer(gr_abatch(rt, r, json("[{\"q\":\"a\"},{\"q\":\"b\"}]"), NULL)));
    cr_assert_eq(ends, 2);
}

/* ---- ends ------------------------------------------------------------------------------------ */

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

Test(events, runs_of_a_node_that_dies_end_with_the_links_error)
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

Test(events, runs_of_a_stream_whose_node_dies_end_once)
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

Test(events, a_cancelled_call_ends_all_runs_before_its_caller_knows)
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
Test(events, a_deadline_ends_runs_on_all_nodes)
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

Test(events, who_leaves_a_stream_early_ends_runs_elsewhere)
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

Test(events, each_run_ends_once_whenever_it_is_cancelled)
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

Test(events, an_unreachable_node_has_no_runs)
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

/* ---- what can't cross ------------------------------------------------------------------------ */

static gr_value *opaque_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_value *v;

    (void)arg;
    v = gr_take(
        gr_ainvoke(gr_runtime_of(c), *(gr_ref *)arg,
                   gr_map(GR_KV("here", gr_opaque(arg, NULL)), GR_KV("n", gr_value_ref(input))),
                   GR_CALL(.config = gr_map(
                               GR_KV("metadata", gr_map(GR_KV("kept", gr_int(1)),
                                                        GR_KV("left", gr_opaque(arg, NULL))))))),
        NULL);
    gr_value_unref(v);
    return gr_value_ref(input);
}

static gr_ref make_opaque(void)
{
    static gr_ref whom;

    whom = gr_passthrough(root);
    return gr_lambda(root, GR_ASYNC, opaque_fn, NULL, &whom);
}

Test(events, what_cannot_leave_its_node_is_noted)
{
    spread = true;
    gr_value_unref(answer(
        gr_ainvoke(rt, piece(make_opaque), gr_int(5), GR_CALL(.config = observed(&seen, NULL)))));
    lines_are(&seen, "knd",
              "[[\"start\",\"RunnableLambda\",5],"
              "[\"start\",\"RunnablePassthrough\",\"(not sent: it holds an opaque value)\"],"
              "[\"end\",\"RunnablePassthrough\",\"(not sent: it holds an opaque value)\"],"
              "[\"end\",\"RunnableLambda\",5]]");
}

static gr_value *long_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    size_t size = 300000;
    char *text = malloc(size);
    gr_value *v;

    (void)arg;
    memset(text, 'x', size);
    v = gr_strn(text, size);
    free(text);
    gr_dispatch_event(c, "long", v);
    return gr_value_ref(input);
}

static gr_ref make_long(void)
{
    return gr_lambda(root, GR_ASYNC, long_fn, NULL, NULL);
}

Test(events, an_event_longer_than_a_frame_goes_in_parts)
{
    const gr_value *line;

    spread = true;
    gr_value_unref(answer(
        gr_ainvoke(rt, piece(make_long), gr_int(5), GR_CALL(.config = observed(&seen, NULL)))));
    cr_assert_eq(gr_len(seen.lines), 3u);
    line = gr_at(seen.lines, 1);
    cr_assert_str_eq(gr_cstr(gr_at(line, 1), ""), "long");
    cr_assert_eq(gr_len(gr_at(line, 5)), 300000u);
}

/* ---- handlers of the serving side ------------------------------------------------------------ */

static gr_ref make_listened(void)
{
    return gr_with_config(root, inc(GR_CHEAP), observed(&seen_far, NULL));
}

Test(events, handlers_of_the_serving_side_hear_of_the_run_too)
{
    char here[40];

    spread = true;
    gr_value_unref(answer(gr_ainvoke(rt, gr_seq(root, dbl(GR_CHEAP), piece(make_listened)),
                                     gr_int(5), GR_CALL(.config = observed(&seen, NULL)))));
    cr_assert_eq(seen.run_count, 3u);
    cr_assert_eq(seen_far.run_count, 1u);
    snprintf(here, sizeof(here), "%s", seen.runs[2].id);
    cr_assert_str_eq(seen_far.runs[0].id, here, "it is the same run");
}

static void hear(gr_ctx *c, void *self, const gr_value *msg)
{
    _Atomic int *count = gr_as_opaque(gr_args(c));

    (void)self, (void)msg;
    atomic_fetch_add(count, 1);
}

/* An actor that is told of runs is an address, which would cross: but who hears of runs there is not for the caller to
 * say, or it would reach actors that nobody has published. */
Test(events, an_actor_among_the_callbacks_hears_here_and_is_not_reached_there)
{
    static _Atomic int heard_here, heard_there;
    static const gr_class ear = GR_CLASS(.name = "ear", .receive = hear);
    gr_ref here = gr_spawn(root, &ear, GR_SPAWN(.args = gr_opaque((void *)&heard_here, NULL)));
    gr_ref there =
        gr_spawn(gr_root(nodes[1]), &ear, GR_SPAWN(.args = gr_opaque((void *)&heard_there, NULL)));
    gr_value *config = gr_map(GR_KV("callbacks", gr_list(gr_ref_value(here), gr_ref_value(there))));

    spread = true;
    gr_value_unref(answer(gr_ainvoke(rt, piece(make_inc), gr_int(1), GR_CALL(.config = config))));
    while (atomic_load(&heard_here) < 2)
        gr_sleep(rt, 1);
    gr_value_unref(gr_take(gr_started(nodes[1], there), NULL)); /* after whatever was told before */
    cr_assert_eq(heard_there, 0);
}

/* ---- who is slow ----------------------------------------------------------------------------- */

static pthread_mutex_t slow_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t slow_free = PTHREAD_COND_INITIALIZER;

static void slow_event(void *arg, const gr_event *e)
{
    (void)arg, (void)e;
    pthread_mutex_lock(&slow_lock);
    while (slow_held)
        pthread_cond_wait(&slow_free, &slow_lock);
    pthread_mutex_unlock(&slow_lock);
    atomic_fetch_add(&slow_heard, 1);
}

static void slow_let_go(void)
{
    pthread_mutex_lock(&slow_lock);
    slow_held = false;
    pthread_cond_broadcast(&slow_free);
    pthread_mutex_unlock(&slow_lock);
}

/* is_held tells whether a tree of that runtime's is held back. */
static bool is_held(gr_runtime *of)
{
    struct gri_run_trees *all = &of->run_trees;
    bool held = false;

    gri_lock(&all->lock);
    for (struct gri_list *n = all->list.next; n != &all->list; n = n->next)
        held = held || gri_gate_is_shut(&gri_container_of(n, struct gri_run_tree, place)->gate);
    gri_unlock(&all->lock);
    return held;
}

static void wait_until_held(gr_runtime *of)
{
    uint64_t until = gr_now_ns(rt) + UINT64_C(1000000) * TEST_WAIT_MS;

    while (!is_held(of) && gr_now_ns(rt) < until)
        gr_sleep(rt, 1);
    cr_assert(is_held(of), "nothing was held back");
}

#define MANY 20000

static gr_value *count_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    atomic_fetch_add(&slow_ran, 1);
    return gr_value_ref(input);
}

/* many_fn makes many calls, one after the other. */
static gr_value *many_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_ref *to = arg;

    for (int i = 0; i < MANY; i++) {
        gr_value *v = gr_take(gr_ainvoke(gr_runtime_of(c), *to, gr_value_ref(input), NULL), NULL);

        if (v == NULL)
            return gr_error(GR_ECANCELED, "cancelled");
        gr_value_unref(v);
    }
    return gr_value_ref(input);
}

static gr_ref make_many(void)
{
    static gr_ref counted;

    counted = gr_lambda(root, GR_CHEAP, count_fn, NULL, NULL);
    return gr_lambda(root, GR_ASYNC, many_fn, NULL, &counted);
}

/* slow calls a piece, whose events nobody takes until it is held back, and then sees it end well. */
static void slow(gr_ref r, gr_runtime *held_one, int events, int most)
{
    gr_value *handler = gr_handler_value(GR_HANDLER(.on_event = slow_event));
    gr_value *config = gr_map(GR_KV("callbacks", gr_list(handler)));
    gr_future *f;

    slow_held = true;
    f = gr_ainvoke(rt, r, gr_int(7), GR_CALL(.config = config));
    wait_until_held(held_one);
    cr_assert_lt(atomic_load(&slow_ran), most);
    slow_let_go();
    is(answer(f), "7");
    cr_assert_eq(slow_heard, events);
}

Test(events, who_is_slow_to_hear_holds_the_calls_back)
{
    spread = true;
    slow(piece(make_many), nodes[1], 2 + 2 * MANY, MANY);
    cr_assert_eq(slow_ran, MANY);
}

static gr_ref make_far_many(void)
{
    static gr_ref whom;

    whom = piece(make_many);
    return gr_lambda(root, GR_ASYNC, call_fn, NULL, &whom);
}

Test(events, who_is_slow_to_hear_holds_the_calls_back_two_hops_away)
{
    spread = true;
    slow(piece(make_far_many), nodes[2], 4 + 2 * MANY, MANY);
    cr_assert_eq(slow_ran, MANY);
}

static gr_code drip_stream(gr_ctx *c, void *self, gr_stream *in, const gr_value *args)
{
    gr_code rc = GR_OK;

    (void)self, (void)in;
    for (int i = 0; i < MANY && rc == GR_OK; i++) {
        atomic_fetch_add(&slow_ran, 1);
        rc = gr_emit(c, gr_value_ref(args));
    }
    return rc;
}

/* drink_fn reads a stream to its end, as fast as it can. */
static gr_value *drink_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_stream *s = gr_astream(gr_runtime_of(c), *(gr_ref *)arg, gr_value_ref(input), NULL);
    gr_outcome o;

    while ((o = gr_next(s, -1)).code == GR_OK)
        ;
    gr_stream_free(s);
    return o.code == GR_EOS ? gr_value_ref(input) : gr_error(o.code, "the stream failed");
}

static gr_ref make_drinker(void)
{
    static const gr_method methods[] = { { "stream", GR_ASYNC, NULL, drip_stream } };
    static const gr_class drip = GR_CLASS(.name = "drip", GR_METHODS(methods));
    static gr_ref whom;

    whom = gr_spawn(root, &drip, NULL);
    return gr_lambda(root, GR_ASYNC, drink_fn, NULL, &whom);
}

Test(events, who_is_slow_to_hear_holds_streams_back)
{
    spread = true;
    slow(piece(make_drinker), nodes[1], 4 + MANY, MANY);
}

/* chatter_fn tells more than anybody could keep. */
static gr_value *chatter_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg;
    for (int i = 0; i < 100000; i++)
        gr_dispatch_event(c, "more", gr_value_ref(input));
    return gr_value_ref(input);
}

static gr_ref make_chatter(void)
{
    return gr_lambda(root, GR_ASYNC, chatter_fn, NULL, NULL);
}

static void let_go_later(void *arg, const gr_event *e)
{
    struct observer *o = arg;

    slow_event(NULL, e);
    if (e->kind != GR_RUN_CUSTOM)
        observer_event(o, e);
}

Test(events, a_run_that_tells_more_than_anybody_keeps_is_given_up)
{
    gr_value *handler = gr_handler_value(GR_HANDLER(.on_event = let_go_later, .arg = &seen));
    gr_value *config = gr_map(GR_KV("callbacks", gr_list(handler)));
    uint64_t until;
    gr_future *f;

    spread = true;
    slow_held = true;
    f = gr_ainvoke(rt, piece(make_chatter), gr_int(7), GR_CALL(.config = config));
    wait_until_held(nodes[1]);
    until = gr_now_ns(rt) + UINT64_C(1000000) * TEST_WAIT_MS;
    while (is_held(nodes[1]) && gr_now_ns(rt) < until) /* until it is given up, and so let go */
        gr_sleep(rt, 1);
    slow_let_go();
    fails_with(answer(f), GR_EFULL, "events of its runs wait");
    cr_assert_eq(seen.run_count, 1u);
    cr_assert_eq(seen.runs[0].code, GR_EFULL);
}

/* A handler that is slow for one call holds up no other on the same link. */
Test(events, who_is_slow_to_hear_holds_up_no_other_call)
{
    gr_value *handler = gr_handler_value(GR_HANDLER(.on_event = slow_event));
    gr_value *config = gr_map(GR_KV("callbacks", gr_list(handler)));
    gr_ref many, other;
    gr_future *f;

    spread = true;
    many = piece(make_many);
    other = piece(make_inc);
    slow_held = true;
    f = gr_ainvoke(rt, many, gr_int(7), GR_CALL(.config = config));
    wait_until_held(nodes[1]);
    for (int i = 0; i < 100; i++)
        invoke_is(other, "1", "2");
    slow_let_go();
    is(answer(f), "7");
}

Test(events, a_held_call_can_be_cancelled)
{
    gr_value *handler = gr_handler_value(GR_HANDLER(.on_event = slow_event));
    gr_value *config = gr_map(GR_KV("callbacks", gr_list(handler)));
    gr_future *f;

    spread = true;
    slow_held = true;
    f = gr_ainvoke(rt, piece(make_many), gr_int(7), GR_CALL(.config = config));
    wait_until_held(nodes[1]);
    slow_let_go();
    gr_future_cancel(f);
    fails_with(answer(f), GR_ECANCELED, "");
}

#define KEPT 17000 /* more than a link has windows of a stream's least size for */

static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static gr_promise *kept[KEPT];
static _Atomic int kept_count;

/* keep_fn answers when all are there. */
static gr_value *keep_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_promise *p = gr_defer(c);
    int count;

    (void)arg, (void)input;
    pthread_mutex_lock(&kept_lock);
    kept[kept_count++] = p;
    count = kept_count;
    pthread_mutex_unlock(&kept_lock);
    for (int i = 0; count == KEPT && i < KEPT; i++)
        gr_resolve(kept[i], gr_int(7));
    return NULL;
}

static gr_ref make_keeper(void)
{
    return gr_lambda(root, GR_ASYNC, keep_fn, NULL, NULL);
}

Test(events, as_many_calls_can_be_observed_as_are_made)
{
    static gr_future *f[KEPT];
    gr_value *handler = gr_handler_value(GR_HANDLER(.on_event = slow_event));
    uint64_t until;
    gr_ref keeper;

    spread = true;
    kept_count = 0;
    until = gr_now_ns(rt) + UINT64_C(1000000) * 10 * TEST_WAIT_MS;
    keeper = piece(make_keeper);
    for (int i = 0; i < KEPT; i++) {
        f[i] = gr_ainvoke(
            rt, keeper, gr_int(7),
            GR_CALL(.config = gr_map(GR_KV("callbacks", gr_list(gr_value_ref(handler))))));
        while (i - atomic_load(&kept_count) > 500) { /* the proxy has a mailbox, and that a bound */
            cr_assert_lt(gr_now_ns(rt), until, "only %d calls are there", atomic_load(&kept_count));
            gr_sleep(rt, 1);
        }
    }
    for (int i = 0; i < KEPT; i++)
        is(answer(f[i]), "7");
    cr_assert_eq(slow_heard, 2 * KEPT);
    gr_value_unref(handler);
}

/* ---- refs in events -------------------------------------------------------------------------- */

static gr_value *give_back(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    return gr_value_ref(args);
}

static gr_value *show_child(gr_ctx *c, void *self, const gr_value *args)
{
    static const gr_method methods[] = { { "invoke", GR_CHEAP, give_back, NULL } };
    static const gr_class child = GR_CLASS(.name = "child", GR_METHODS(methods));
    gr_ref made = gr_spawn(gr_root(gr_runtime_of(c)), &child, NULL);

    (void)self, (void)args;
    cr_assert_eq(gr_dispatch_event(c, "made", gr_ref_value(made)), GR_OK);
    return gr_nil();
}

static gr_ref make_shower(void)
{
    static const gr_method methods[] = { { "invoke", GR_CHEAP, show_child, NULL } };
    static const gr_class shower = GR_CLASS(.name = "shower", GR_METHODS(methods));

    return gr_spawn(root, &shower, NULL);
}

static void keep_ref(void *arg, const gr_event *e)
{
    if (e->kind == GR_RUN_CUSTOM)
        *(gr_ref *)arg = gr_as_ref(e->data);
}

/* A ref is lent by whatever it is sent in. */
Test(events, a_ref_in_an_event_can_be_called)
{
    gr_ref shown = { 0, 0 };
    gr_value *handler = gr_handler_value(GR_HANDLER(.on_event = keep_ref, .arg = &shown));

    spread = true;
    is(answer(gr_ainvoke(rt, piece(make_shower), gr_int(1),
                         GR_CALL(.config = gr_map(GR_KV("callbacks", gr_list(handler)))))),
       "null");
    cr_assert_neq(shown.id, 0);
    invoke_is(shown, "7", "7");
}
