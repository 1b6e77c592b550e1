/* SPDX-License-Identifier: Apache-2.0 */
/* scene_kinds.c - the runnables that choose, repeat, configure, remember and describe. */
#include "tests/torture/torture.h"

static gr_value *inc_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_int(gr_as_int(input, 0) + 1);
}

static gr_value *same_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_value_ref(input);
}

static gr_value *count_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_strf("n=%zu", gr_len(input));
}

static gr_value *return_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)input;
    return gr_ref_value(*(gr_ref *)arg);
}

static gr_code generate(gr_ctx *c, void *arg, gr_stream *in)
{
    gr_outcome o;
    gr_code rc = GR_OK;

    (void)arg;
    while (rc == GR_OK && (o = gr_next(in, -1)).code == GR_OK)
        rc = gr_emit(c, gr_value_ref(o.value));
    if (rc == GR_OK && o.code != GR_EOS)
        rc = o.error != NULL ? gr_fail(c, gr_value_ref(o.error)) : o.code;
    return rc;
}

static gr_ref inc(gr_kind kind)
{
    return gr_lambda(root, kind, inc_fn, NULL, NULL);
}

static gr_ref same(gr_kind kind)
{
    return gr_lambda(root, kind, same_fn, NULL, NULL);
}

static gr_call_opts configured(gr_value *configurable)
{
    return (gr_call_opts){ .size = sizeof(gr_call_opts),
                           .config = gr_map(GR_KV("configurable", configurable)) };
}

static void branch(void)
{
    gr_ref r = gr_branch(root, inc(GR_CHEAP), GR_ARM(same(GR_CHEAP), inc(GR_ASYNC)),
                         GR_ARM(same(GR_ASYNC), inc(GR_CHEAP)));

    gives(gr_ainvoke(rt, r, gr_int(0), NULL), "1");
    sums(gr_astream(rt, r, gr_int(1), NULL), "2");
}

static void router(void)
{
    gr_ref r = gr_router(root, GR_STEP("a", inc(GR_ASYNC)), GR_STEP("b", same(GR_CHEAP)));
    gr_value *input = gr_map(GR_KV("key", gr_str("a")), GR_KV("input", gr_int(1)));

    gives(gr_abatch(rt, r, gr_list(gr_value_ref(input), input), NULL), "[2,2]");
}

static void nothing_fn(void *arg, const gr_event *e)
{
    (void)arg;
    gr_value_unref(gr_event_value(e));
}

/* Who observes hears less when memory is short; the answers are the same. */
static void observed(void)
{
    gr_ref steps = gr_seq(root, same(GR_ASYNC), gr_parallel(root, GR_STEP("a", inc(GR_ASYNC))));
    gr_ref r = gr_with_listeners(root, steps, GR_LISTENERS(.on_end = nothing_fn));
    gr_call_opts opts = { .size = sizeof(opts) };

    for (int i = 0; i < 2; i++) {
        gr_value *handler = gr_handler_value(GR_HANDLER(.on_event = nothing_fn));

        opts.config =
            gr_map(GR_KV("callbacks", gr_list(handler)), GR_KV("tags", gr_list(gr_str("t"))));
        if (i == 0)
            gives(gr_ainvoke(rt, r, gr_int(1), &opts), "{\"a\":2}");
        else
            sums(gr_astream(rt, r, gr_int(1), &opts), "{\"a\":2}");
    }
}

static void each(void)
{
    gives(gr_ainvoke(rt, gr_each(root, inc(GR_ASYNC)), gr_list(gr_int(1), gr_int(2)), NULL),
          "[2,3]");
}

static void bound(void)
{
    gr_ref r =
        gr_bind(root, gr_seq(root, inc(GR_ASYNC), inc(GR_CHEAP)), gr_map(GR_KV("a", gr_int(1))));
    gr_value *tags = gr_list(gr_str("b"), gr_str("a"));
    gr_call_opts o = { .size = sizeof(o), .config = gr_list(gr_map_n(NULL, 0)) };

    gives(gr_ainvoke(rt, r, gr_int(1), NULL), "3");
    r = gr_with_config(root, r,
                       gr_map(GR_KV("tags", tags), GR_KV("max_concurrency", gr_int(1)),
                              GR_KV("other", gr_int(1))));
    gives(gr_abatch(rt, r, gr_list(gr_int(1)), &o), "[3]");
}

static void generator(void)
{
    gr_ref r = gr_generator(root, GR_ASYNC, generate, NULL, NULL);

    sums(gr_atransform(rt, r, gr_stream_of(rt, gr_list(gr_int(1), gr_int(2))), NULL), "3");
}

static void returned(void)
{
    gr_ref r = inc(GR_ASYNC);

    gives(gr_ainvoke(rt, gr_lambda(root, GR_ASYNC, return_fn, NULL, &r), gr_int(1), NULL), "2");
}

static void tap(void)
{
    gr_ref r = gr_passthrough_tap(root, inc(GR_ASYNC));

    sums(gr_atransform(rt, r, gr_stream_of(rt, gr_list(gr_int(1), gr_int(2))), NULL), "3");
}

static gr_ref make(gr_scope *in, void *arg, const gr_value *fields)
{
    (void)arg, (void)fields;
    return gr_lambda(in, GR_ASYNC, inc_fn, NULL, NULL);
}

static void configurable(void)
{
    gr_call_opts o = configured(gr_map(GR_KV("w", gr_str("b")), GR_KV("f", gr_int(2))));
    gr_ref r = gr_configurable_alternatives(root, same(GR_CHEAP),
                                            GR_ALTERNATIVES(.id = "w", .prefix_keys = true),
                                            GR_STEP("b", inc(GR_ASYNC)));

    r = gr_seq(
        root, r,
        gr_configurable_fields(root, make, NULL, NULL, { .name = "f", .otherwise = gr_int(1) }));
    gives(gr_ainvoke(rt, r, gr_int(1), &o), "3");
}

static void history(void)
{
    gr_ref h = gr_memory_history(root, NULL);
    gr_ref r = gr_with_message_history(root, gr_lambda(root, GR_ASYNC, count_fn, NULL, NULL),
                                       GR_HISTORY(.history = h));
    gr_call_opts o = configured(gr_map(GR_KV("session_id", gr_str("s"))));

    gives(gr_ainvoke(rt, r, gr_str("hi"), &o), "\"n=1\"");
    o = configured(gr_map(GR_KV("session_id", gr_str("t"))));
    sums(gr_astream(rt, r, gr_str("hi"), &o), "\"n=1\"");
}

static void as_completed(void)
{
    gr_call_opts o = { .size = sizeof(o),
                       .window_chunks = 1,
                       .config = gr_map(GR_KV("max_concurrency", gr_int(1))) };

    sums(gr_abatch_as_completed(rt, inc(GR_ASYNC), gr_list(gr_int(1), gr_int(2)), &o), "[0,2,1,3]");
}

static void limited(void)
{
    gr_call_opts o = { .size = sizeof(o), .config = gr_map(GR_KV("max_concurrency", gr_int(1))) };
    gr_ref r = gr_parallel(root, GR_STEP("a", inc(GR_ASYNC)), GR_STEP("b", inc(GR_BLOCKING)),
                           GR_STEP("c", inc(GR_ASYNC)));

    gives(gr_ainvoke(rt, r, gr_int(1), &o), "{\"a\":2,\"b\":2,\"c\":2}");
}

static void retry_stream(void)
{
    sums(gr_astream(rt, gr_with_retry(root, inc(GR_ASYNC), GR_RETRY(.attempts = 1)), gr_int(1),
                    NULL),
         "2");
}

static void described(void)
{
    gr_ref both = gr_parallel(root, GR_STEP("a", gr_str_parser(root)), GR_STEP("b", inc(GR_CHEAP)));
    gr_ref r = gr_seq(root, gr_prompt(root, "{a}"), both, gr_each(root, gr_passthrough(root)));
    gr_value *err = NULL, *graph;

    r = gr_with_types(root, r, gr_map(GR_KV("type", gr_str("object"))), NULL);
    graph = gr_get_graph(rt, r, &err);
    if (graph != NULL) {
        gr_value *text = gr_draw_mermaid(graph);

        claim(gr_value_type(text) == GR_STR || gr_error_code(text) == GR_ENOMEM);
        gr_value_unref(text);
    }
    gr_value_unref(graph);
    gr_value_unref(err);
    err = NULL;
    gr_value_unref(gr_config_schema(rt, r, NULL, 0, &err));
    gr_value_unref(err);
}

static void tool(void)
{
    gr_ref r = gr_as_tool(root, same(GR_ASYNC), GR_TOOL(.name = "t"));
    gr_value *call = gr_map(GR_KV("type", gr_str("tool_call")), GR_KV("id", gr_str("c")),
                            GR_KV("args", gr_str("x")));

    gives(gr_ainvoke(rt, r, call, NULL),
          "{\"type\":\"tool\",\"content\":\"x\",\"tool_call_id\":\"c\",\"status\":\"success\"}");
}

static void parsers(void)
{
    gives(gr_ainvoke(rt, gr_json_parser(root), gr_str("```json\n[1, 2"), NULL), "[1,2]");
    sums(gr_astream(rt, gr_comma_list_parser(root), gr_str("a, \"b,c\""), NULL), "[\"a\",\"b,c\"]");
}

static const struct scene scenes[] = {
    { "branch", branch, 0 },
    { "router", router, 0 },
    { "observed", observed, 0 },
    { "each", each, 0 },
    { "bound", bound, 0 },
    { "generator", generator, 0 },
    { "returned", returned, 0 },
    { "tap", tap, 0 },
    { "configurable", configurable, 0 },
    { "history", history, 0 },
    { "as_completed", as_completed, 0 },
    { "limited", limited, 0 },
    { "retry_stream", retry_stream, 0 },
    { "described", described, 0 },
    { "tool", tool, 0 },
    { "parsers", parsers, 0 },
};
const struct scenes kinds_scenes = SCENES(scenes);
