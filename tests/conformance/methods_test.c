/* SPDX-License-Identifier: Apache-2.0 */
/*
 * methods_test.c - langchain-core's defaults of invoke, batch, stream and transform, and what a run's
 * config passes on to what it starts.
 */
#include "tests/conformance/cases.h"
#include "tests/support/observer.h"
#include "tests/support/stage.h"

static struct observer seen;

static void look(void)
{
    set_up();
    observer_init(&seen);
}

static void look_away(void)
{
    tear_down();
    observer_fini(&seen);
}

TestSuite(methods, .init = look, .fini = look_away, .timeout = 120);

/* ---- transform ------------------------------------------------------------------------------- */

/* What comes in is added up as Python's + does it; what can't be added replaces what was there. */
Test(methods, the_default_transform_adds_its_input_up)
{
    static const char *const cases[][2] = {
        { "[1,2,3]", "[6]" },
        { "[1,2.5]", "[3.5]" },
        { "[[1],[2,3]]", "[[1,2,3]]" },
        { "[\"a\",1]", "[1]" },
        { "[\"a\",[1]]", "[[1]]" },
        { "[{\"a\":1},[1]]", "[[1]]" },
        { "[{\"a\":null},{\"a\":1}]", "[{\"a\":1}]" },
        { "[{\"a\":1},{\"a\":null}]", "[{\"a\":1}]" },
        { "[{\"a\":1},{\"a\":\"x\"}]", "[{\"a\":\"x\"}]" },
        { "[{\"a\":{\"b\":\"x\"}},{\"a\":{\"b\":\"y\"}}]", "[{\"a\":{\"b\":\"xy\"}}]" },
    };

    for (gr_kind kind = GR_CHEAP; kind <= GR_BLOCKING; kind++)
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
            transform_is(lambda(kind, same_fn), cases[i][0], cases[i][1]);
}

/* An input stream without a chunk has nothing to be invoked with, and so gives none. */
Test(methods, the_transform_of_nothing_gives_nothing)
{
    gr_ref prompt = gr_chat_prompt(root, GR_ROLE("human", "{q}"));
    gr_ref model = gr_script_model(root, GR_SCRIPT(.answers = json("[\"a\"]")));

    for (gr_kind kind = GR_CHEAP; kind <= GR_BLOCKING; kind++)
        transform_is(shout(kind), "[]", "[]");
    transform_is(prompt, "[]", "[]");
    transform_is(model, "[]", "[]");
    transform_is(gr_branch(root, shout(GR_CHEAP), GR_ARM(shout(GR_CHEAP), shout(GR_CHEAP))), "[]",
                 "[]");
    transform_is(gr_passthrough(root), "[]", "[]");
    stream_is(gr_seq(root, letters(""), shout(GR_CHEAP)), "1", "[]");
    stream_is(gr_seq(root, letters(""), each_upper(), shout(GR_ASYNC)), "1", "[]");
    /* invoke has an answer, that of the sum of no chunks */
    invoke_is(gr_seq(root, letters(""), lambda(GR_CHEAP, same_fn)), "1", "null");
}

/* ---- batch ----------------------------------------------------------------------------------- */

Test(methods, core_04_answers_are_in_the_order_of_the_inputs)
{
    struct stage s = STAGE;
    gr_future *f = gr_abatch(rt, stage(&s), numbers(4), NULL);

    for (int i = 3; i >= 0; i--)
        let_go(&s, i, gr_strf("R%d", i));
    is(answer(f), "[\"R0\",\"R1\",\"R2\",\"R3\"]");
}

Test(methods, core_04_kept_failures_are_in_the_order_of_the_inputs)
{
    struct stage s = STAGE;
    gr_future *f = gr_abatch(rt, stage(&s), numbers(3), GR_CALL(.return_exceptions = true));

    let_go(&s, 2, gr_str("R2"));
    let_go(&s, 1, gr_error(GR_EREMOTE, "one"));
    let_go(&s, 0, gr_str("R0"));
    is(kept(answer(f)), "[\"R0\",\"!one\",\"R2\"]");
}

/* langchain-core looks at the inputs first: without any there is nothing that a config is for */
Test(methods, a_batch_of_nothing_is_nothing)
{
    gr_call_opts o = { .size = sizeof(o), .config = json("[{}]") };

    batch_is(inc(GR_CHEAP), "[]", "[]");
    batch_is(gr_seq(root, inc(GR_CHEAP), dbl(GR_ASYNC)), "[]", "[]");
    is(answer(gr_abatch(rt, inc(GR_CHEAP), json("[]"), &o)), "[]");
    o.config = json("[{}]");
    chunks_are(gr_abatch_as_completed(rt, inc(GR_CHEAP), json("[]"), &o), "[]");
}

Test(methods, a_batch_says_which_config_is_none)
{
    gr_call_opts o = { .size = sizeof(o), .config = json("[{},null,7]") };

    fails_with(answer(gr_abatch(rt, inc(GR_CHEAP), json("[1,2,3]"), &o)), GR_ETYPE,
               "a config must be a map");
    o.config = json("[{},null]");
    is(answer(gr_abatch(rt, inc(GR_CHEAP), json("[1,2]"), &o)), "[2,3]");
    fails_with(answer(gr_abatch(rt, inc(GR_CHEAP), json("7"), NULL)), GR_ETYPE, "list of inputs");
}

/* with gives a call that is observed. */
static gr_call_opts with(const char *config)
{
    return (gr_call_opts){ .size = sizeof(gr_call_opts),
                           .config = observed(&seen, config != NULL ? json(config) : NULL) };
}

/* run_id_of finds the run that began with an input; NULL: none. */
static const char *run_id_of(const char *name, int input)
{
    for (size_t i = 0; i < gr_len(seen.lines); i++) {
        const gr_value *line = gr_at(seen.lines, i);
        int run = atoi(gr_cstr(gr_at(line, 2), "r0") + 1);

        if (strcmp(gr_cstr(gr_at(line, 0), ""), "start") == 0 &&
            strcmp(gr_cstr(gr_at(line, 1), ""), name) == 0 &&
            gr_as_int(gr_at(line, 5), -1) == input)
            return seen.runs[run - 1].id;
    }
    return NULL;
}

Test(methods, core_13_the_first_item_alone_has_the_runs_id)
{
    gr_call_opts o = with("{\"run_id\":\"U\",\"run_name\":\"N\"}");

    is(answer(gr_abatch(rt, inc(GR_ASYNC), numbers(3), &o)), "[1,2,3]");
    cr_assert_eq(seen.run_count, 3u);
    cr_assert_str_eq(run_id_of("N", 0), "U");
    cr_assert_str_neq(run_id_of("N", 1), "U");
    cr_assert_str_neq(run_id_of("N", 2), "U");
    cr_assert_str_neq(run_id_of("N", 1), run_id_of("N", 2));
}

Test(methods, core_13_as_completed)
{
    gr_call_opts o = with("{\"run_id\":\"U\"}");
    gr_value *err = NULL;
    gr_value *list = chunks(gr_abatch_as_completed(rt, inc(GR_ASYNC), numbers(2), &o), &err);

    cr_assert_null(err);
    cr_assert_eq(gr_len(list), 2);
    gr_value_unref(list);
    cr_assert_str_eq(run_id_of("RunnableLambda", 0), "U");
    cr_assert_str_neq(run_id_of("RunnableLambda", 1), "U");
}

/* each with a config of its own has its own run_id, too */
Test(methods, configs_of_a_batch_name_their_runs)
{
    gr_value *second = observed(&seen, json("{\"run_id\":\"V\",\"run_name\":\"b\"}"));
    gr_value *first = observed(&seen, json("{\"run_id\":\"U\",\"run_name\":\"a\"}"));
    gr_call_opts o = { .size = sizeof(o), .config = gr_list(first, second) };

    is(answer(gr_abatch(rt, inc(GR_ASYNC), numbers(2), &o)), "[1,2]");
    cr_assert_str_eq(run_id_of("a", 0), "U");
    cr_assert_str_eq(run_id_of("b", 1), "V");
}

/* a sequence's failing item does not touch the others */
Test(methods, a_batch_of_a_sequence_keeps_its_failures)
{
    gr_ref r = gr_seq(root, called("first", boom(GR_ASYNC, "f")), called("second", dbl(GR_ASYNC)));
    gr_call_opts o = with(NULL);
    int errors = 0;

    o.return_exceptions = true;
    is(kept(answer(gr_abatch(rt, r, json("[\"a\",\"b\"]"), &o))), "[\"!f:a\",\"!f:b\"]");
    for (size_t i = 0; i < seen.run_count; i++)
        errors += seen.runs[i].code == GR_EREMOTE;
    cr_assert_eq(seen.run_count, 4u);
    cr_assert_eq(errors, 4);
}

/* ---- the config of what a run starts ------------------------------------------------------------ */

static gr_value *config_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    gr_value *config = gr_config(c) != NULL ? gr_value_ref(gr_config(c)) : gr_map_n(NULL, 0);

    (void)arg, (void)input;
    return gr_without(config, "callbacks");
}

static gr_value *with_config(gr_ref r, const char *config)
{
    return answer(gr_ainvoke(rt, r, gr_int(1), GR_CALL(.config = json(config))));
}

/* patch_config: run_name and run_id are the outer run's, wherever the inner one stands */
Test(methods, a_runs_name_is_not_that_of_its_steps)
{
    static const char *const config = "{\"run_name\":\"n\",\"run_id\":\"U\",\"tags\":[\"t\"]}";

    for (gr_kind kind = GR_CHEAP; kind <= GR_BLOCKING; kind++) {
        gr_ref shown = lambda(kind, config_fn), same = lambda(kind, same_fn);

        is(with_config(gr_seq(root, same, shown), config), "{\"tags\":[\"t\"]}");
        is(with_config(gr_seq(root, shown, same), config), "{\"tags\":[\"t\"]}");
        is(with_config(gr_branch(root, shown, GR_ARM(inc(kind), shown)), config),
           "{\"tags\":[\"t\"]}");
        is(with_config(gr_parallel(root, GR_STEP("a", shown)), config),
           "{\"a\":{\"tags\":[\"t\"]}}");
        is(with_config(gr_with_fallbacks(root, boom(kind, "b"), shown), config),
           "{\"tags\":[\"t\"]}");
        chunks_are(
            gr_astream(rt, gr_seq(root, same, shown), gr_int(1), GR_CALL(.config = json(config))),
            "[{\"tags\":[\"t\"]}]");
    }
}

static gr_value *model_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)input;
    return gr_ref_value(*(gr_ref *)arg);
}

/* so a model whose own callbacks are the only ones goes by its own name */
Test(methods, a_runs_name_is_not_that_of_a_model_with_callbacks)
{
    gr_value *local =
        gr_list(gr_handler_value(GR_HANDLER(.on_event = observer_event, .arg = &seen)));
    gr_ref model = gr_script_model(root, GR_SCRIPT(.answers = json("[\"a\"]"), .callbacks = local));
    gr_ref all[] = { gr_seq(root, lambda(GR_ASYNC, same_fn), model),
                     gr_lambda(root, GR_ASYNC, model_fn, NULL, &model) };

    for (size_t i = 0; i < 2; i++)
        gr_value_unref(
            answer(gr_ainvoke(rt, all[i], gr_str("hi"),
                              GR_CALL(.config = json("{\"run_name\":\"top\",\"run_id\":\"U\"}")))));
    lines_are(&seen, "kn",
              "[[\"start\",\"ScriptModel\"],[\"end\",\"ScriptModel\"],"
              "[\"start\",\"ScriptModel\"],[\"end\",\"ScriptModel\"]]");
    cr_assert_str_neq(seen.runs[0].id, "U");
    cr_assert_str_neq(seen.runs[1].id, "U");
}

/* what only passes a call on has no run, so the name is for what is behind it */
Test(methods, what_has_no_run_passes_the_name_on)
{
    gr_ref shown = lambda(GR_ASYNC, config_fn);

    is(with_config(gr_with_config(root, shown, json("{\"tags\":[\"t\"]}")), "{\"run_name\":\"n\"}"),
       "{\"tags\":[\"t\"],\"run_name\":\"n\"}");
    is(answer(gr_ainvoke(rt, gr_router(root, GR_STEP("a", shown)),
                         json("{\"key\":\"a\",\"input\":1}"),
                         GR_CALL(.config = json("{\"run_name\":\"n\"}")))),
       "{\"run_name\":\"n\"}");
}

/* ---- merge_configs ---------------------------------------------------------------------------- */

/* tags come out sorted, each once, whichever config they are from */
Test(methods, cfg_01_configs_are_merged_from_left_to_right)
{
    is(gr_merge_configs(json("{\"tags\":[\"b\",\"a\",\"b\"],\"metadata\":{\"x\":1,\"y\":1}}"),
                        json("{\"tags\":[\"c\",\"a\"],\"metadata\":{\"y\":2}}")),
       "{\"tags\":[\"a\",\"b\",\"c\"],\"metadata\":{\"x\":1,\"y\":2}}");
    is(gr_merge_configs(json("{\"tags\":[\"b\",\"a\"]}"), json("{}")), "{\"tags\":[\"a\",\"b\"]}");
    is(gr_merge_configs(json("{\"tags\":[\"b\",\"a\"]}"), json("{\"tags\":null}")),
       "{\"tags\":[\"a\",\"b\"]}");
    is(gr_merge_configs(NULL, json("{\"tags\":[\"b\",\"a\"]}")), "{\"tags\":[\"a\",\"b\"]}");
    is(gr_merge_configs(json("{\"configurable\":{\"a\":1,\"b\":1}}"),
                        json("{\"configurable\":{\"b\":2},\"run_name\":\"n\"}")),
       "{\"configurable\":{\"a\":1,\"b\":2},\"run_name\":\"n\"}");
    is(gr_merge_configs(json("{\"recursion_limit\":25,\"run_name\":\"n\"}"),
                        json("{\"recursion_limit\":3,\"run_name\":\"\"}")),
       "{\"recursion_limit\":3,\"run_name\":\"n\"}");
}

/* a key that is metadata already stays, and what is neither text nor number is no metadata */
Test(methods, cfg_03_metadata_comes_before_configurable)
{
    is(gr_ensure_config(json("{\"metadata\":{\"sid\":\"m\"},\"configurable\":{\"sid\":\"s\","
                             "\"r\":1.5,\"t\":true,\"n\":null,\"o\":{}}}")),
       "{\"tags\":[],\"metadata\":{\"sid\":\"m\",\"r\":1.5,\"t\":true},\"callbacks\":null,"
       "\"recursion_limit\":25,"
       "\"configurable\":{\"sid\":\"s\",\"r\":1.5,\"t\":true,\"n\":null,\"o\":{}}}");
}

struct asks {
    gr_ref to;
    const char *config;
};

static gr_value *ask_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct asks *a = arg;
    gr_value *err = NULL, *v;

    v = gr_invoke(gr_runtime_of(c), a->to, gr_value_ref(input),
                  GR_CALL(.config = a->config != NULL ? json(a->config) : NULL), &err);
    return v != NULL ? v : err;
}

/* tags that a run gives its own call are laid over those that are passed on: the run has both */
Test(methods, cfg_06_a_run_within_has_the_outer_tags_too)
{
    struct asks a = { .to = lambda(GR_CHEAP, same_fn),
                      .config = "{\"tags\":[\"b\",\"t\"],\"metadata\":{\"m\":2},"
                                "\"run_name\":\"in\",\"run_id\":\"R\"}" };
    gr_call_opts o = with("{\"tags\":[\"t\",\"a\"],\"metadata\":{\"m\":1,\"k\":1}}");

    is(answer(gr_ainvoke(rt, gr_lambda(root, GR_ASYNC, ask_fn, NULL, &a), gr_int(1), &o)), "1");
    lines_are(&seen, "knpt",
              "[[\"start\",\"RunnableLambda\",null,[\"t\",\"a\"]],"
              "[\"start\",\"in\",\"r1\",[\"a\",\"b\",\"t\"]],"
              "[\"end\",\"in\",\"r1\",[\"a\",\"b\",\"t\"]],"
              "[\"end\",\"RunnableLambda\",null,[\"t\",\"a\"]]]");
    cr_assert_str_eq(seen.runs[1].id, "R");
}

/* through two levels, one of which gives nothing */
Test(methods, a_config_goes_through_every_level)
{
    for (gr_kind kind = GR_ASYNC; kind <= GR_BLOCKING; kind++) {
        struct asks inner = { .to = lambda(GR_CHEAP, config_fn),
                              .config = "{\"max_concurrency\":3,\"recursion_limit\":9}" };
        struct asks outer = { .to = gr_lambda(root, kind, ask_fn, NULL, &inner) };

        is(with_config(gr_lambda(root, kind, ask_fn, NULL, &outer),
                       "{\"tags\":[\"t\"],\"configurable\":{\"u\":1},\"recursion_limit\":7,"
                       "\"run_name\":\"n\"}"),
           "{\"tags\":[\"t\"],\"configurable\":{\"u\":1},\"recursion_limit\":9,"
           "\"max_concurrency\":3}");
    }
}

/* ---- time ---------------------------------------------------------------------------------------- */

/* js-02: upstream's JavaScript has a timeout in the config; here each call may have one */
Test(methods, js_02_a_call_that_takes_too_long_fails)
{
    static struct gate g = GATE;
    gr_call_opts o = { .size = sizeof(o) };

    /* on a busy machine the time may be over before the step has begun */
    for (o.timeout_ms = 20; g.entered == 0; o.timeout_ms *= 4) {
        observer_fini(&seen);
        observer_init(&seen);
        o.config = observed(&seen, NULL);
        fails_with(
            answer(gr_ainvoke(rt, gr_seq(root, called("a", dbl(GR_ASYNC)), called("g", gate(&g))),
                              gr_int(1), &o)),
            GR_ETIMEDOUT, "");
    }
    gate_wait(&g, &g.cancelled, 1);
    gr_promise_free(g.promise);
    lines_are(
        &seen, "kne",
        "[[\"start\",\"RunnableSequence\"],[\"start\",\"a\"],[\"end\",\"a\"],[\"start\",\"g\"],"
        "[\"error\",\"g\",\"GR_ETIMEDOUT\"],[\"error\",\"RunnableSequence\",\"GR_ETIMEDOUT\"]]");
}

/* ---- cancellation --------------------------------------------------------------------------------- */

static gr_value *code_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_error((gr_code)gr_as_int(input, GR_EREMOTE), "as told");
}

/* return_exceptions keeps exceptions, and a cancellation is none (a BaseException there): it ends the batch */
Test(methods, a_batch_keeps_errors_but_no_cancellation)
{
    for (gr_kind kind = GR_CHEAP; kind <= GR_BLOCKING; kind++) {
        gr_ref r = lambda(kind, code_fn);
        gr_value *err = NULL;

        is(kept(answer(gr_abatch(rt, r, gr_list(gr_int(GR_ETIMEDOUT), gr_int(GR_EREMOTE)),
                                 GR_CALL(.return_exceptions = true)))),
           "[\"!as told\",\"!as told\"]");
        fails_with(answer(gr_abatch(rt, r, gr_list(gr_int(GR_ECANCELED), gr_int(GR_EREMOTE)),
                                    GR_CALL(.return_exceptions = true))),
                   GR_ECANCELED, "as told");
        is(chunks(gr_abatch_as_completed(rt, r, gr_list(gr_int(GR_ECANCELED)),
                                         GR_CALL(.return_exceptions = true)),
                  &err),
           "[]");
        fails_with(err, GR_ECANCELED, "as told");
    }
}

/* ---- configs that are none --------------------------------------------------------------------------- */

Test(methods, a_config_says_which_key_is_wrong)
{
    static const char *const wrong[][2] = {
        { "{\"tags\":\"a\"}", "'tags' must be a list" },
        { "{\"callbacks\":\"a\"}", "'callbacks' must be a list" },
        { "{\"metadata\":[1]}", "'metadata' must be a map" },
        { "{\"configurable\":[1],\"foo\":1}", "'configurable' must be a map" },
        { "{\"kwargs\":1}", "'kwargs' must be a map" },
        { "{\"max_concurrency\":\"1\"}", "'max_concurrency' must be a whole number" },
        { "{\"recursion_limit\":\"1\"}", "'recursion_limit' must be a whole number" },
        { "{\"run_name\":1}", "'run_name' must be a text" },
        { "{\"run_id\":1}", "'run_id' must be a text" },
        { "{\"leave_siblings\":1}", "'leave_siblings' must be true or false" },
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const char *config = wrong[i][0], *says = wrong[i][1];

        fails_with(with_config(inc(GR_CHEAP), config), GR_ETYPE, says);
        fails_with(gr_ensure_config(json(config)), GR_ETYPE, says);
        fails_with(gr_merge_configs(json(config), json("{}")), GR_ETYPE, says);
        fails_with(gr_merge_configs(json("{\"tags\":[]}"), json(config)), GR_ETYPE, says);
        fails_with(gr_check(rt, gr_with_config(root, inc(GR_CHEAP), json(config))), GR_ETYPE, says);
    }
    is(with_config(inc(GR_CHEAP), "{\"tags\":null,\"metadata\":null,\"callbacks\":null,"
                                  "\"run_name\":null,\"max_concurrency\":null}"),
       "2");
}
