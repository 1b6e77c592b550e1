/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events_test.c - runs of other nodes: who observes a chain hears the same whether its pieces are here or elsewhere.
 * How such runs end is in ended_events_test.c, what slow listeners do in slow_events_test.c. Each test has three
 * runtimes (gr_runtime_new): see pieces.h.
 */
#include "tests/support/events.h"
#include "tests/support/pieces.h"

static struct flaky flaky_here, flaky_far;

static void up(void)
{
    pieces_up();
    flaky_here = flaky_far = (struct flaky){ 0 };
}

TestSuite(events, .init = up, .fini = pieces_down, .timeout = 240);

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

/* A caller invokes a model, which is to stream all the same where somebody wants its tokens. */
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
