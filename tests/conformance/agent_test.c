/* SPDX-License-Identifier: Apache-2.0 */
/* agent_test.c - LangChain's agents: the loop, its limits, consent, streams; all with models that say what a script says. */
#include <semaphore.h>

#include "tests/conformance/cases.h"
#include "tests/support/observer.h"

static struct observer seen;

static void up(void)
{
    set_up();
    observer_init(&seen);
}

static void down(void)
{
    tear_down();
    observer_fini(&seen);
}

TestSuite(agent, .init = up, .fini = down, .timeout = 120);

#define CALL(name, args, id)                                                                       \
    "{\"type\":\"tool_call\",\"name\":\"" name "\",\"args\":" args ",\"id\":\"" id "\"}"
#define CALLS(calls) "{\"type\":\"ai\",\"content\":\"\",\"tool_calls\":[" calls "]}"
#define ADD_1_2 CALLS(CALL("add", "{\"a\":1,\"b\":2}", "c1"))

static gr_ref script(const char *answers)
{
    return gr_script_model(root, GR_SCRIPT(.answers = json(answers)));
}

static gr_value *add_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_int(gr_as_int(gr_get(input, "a"), 0) + gr_as_int(gr_get(input, "b"), 0));
}

static gr_value *sorry_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg, (void)input;
    return gr_error(GR_EINVAL, "bad luck");
}

static gr_ref adder(void)
{
    return gr_tool(root, GR_CHEAP, add_fn, NULL, NULL,
                   GR_TOOL(.name = "add", .description = "Adds.",
                           .args_schema = json(
                               "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},"
                               "\"b\":{\"type\":\"integer\"}},\"required\":[\"a\",\"b\"]}")));
}

/* told prints a message in short: "tool c1: 3", "ai: text [add]". */
static gr_value *told(const gr_value *m)
{
    const char *type = gr_cstr(gr_get(m, "type"), "?"),
               *id = gr_cstr(gr_get(m, "tool_call_id"), NULL);
    const gr_value *calls = gr_get(m, "tool_calls");
    gr_value *text = gr_strf("%s%s%s%s: %s", type, id != NULL ? " " : "", id != NULL ? id : "",
                             strcmp(gr_cstr(gr_get(m, "status"), ""), "error") == 0 ? "!" : "",
                             gr_cstr(gr_get(m, "content"), "?"));

    for (size_t i = 0; i < gr_len(calls); i++)
        text = gr_add(text, gr_strf(" [%s]", gr_cstr(gr_get(gr_at(calls, i), "name"), "?")));
    return text;
}

/* story prints a state's messages. Takes it. */
static gr_value *story(gr_value *state)
{
    const gr_value *messages = gr_get(state, "messages");
    gr_value *list;

    if (gr_error_code(state) != GR_OK)
        return state;
    list = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(messages); i++)
        list = gr_append(list, told(gr_at(messages, i)));
    gr_value_unref(state);
    return list;
}

static gr_value *run(gr_ref agent, const char *input)
{
    return answer(gr_ainvoke(rt, agent, json(input), NULL));
}

/* ---- the loop ------------------------------------------------------------------------------------ */

Test(agent, ag_01_a_tool_call_and_then_an_answer)
{
    gr_ref r = gr_agent(root, script("[" ADD_1_2 ",\"It is 3.\"]"), NULL, adder());
    gr_value *state = run(r, "{\"messages\":[[\"user\",\"1+2?\"]],\"user\":\"ann\"}");

    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(gr_value_type(gr_get(gr_at(gr_get(state, "messages"), i), "id")), GR_STR);
    cr_assert_str_eq(gr_cstr(gr_get(state, "user"), "?"), "ann");
    is(story(state), "[\"human: 1+2?\",\"ai:  [add]\",\"tool c1: 3\",\"ai: It is 3.\"]");
    is(story(run(gr_agent_n(root, script("[\"Hello.\"]"), NULL, NULL, 0), "\"hi\"")),
       "[\"human: hi\",\"ai: Hello.\"]");
}

/* Two tools that each wait for the other to have begun. */
struct pair {
    sem_t begun[2];
};

static gr_value *meet_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct pair *p = arg;
    int me = (int)gr_as_int(gr_get(input, "me"), 0);

    (void)c;
    sem_post(&p->begun[me]);
    while (sem_wait(&p->begun[1 - me]) != 0)
        ;
    return gr_strf("I am %d", me);
}

Test(agent, ag_02_calls_run_at_once_and_are_answered_in_order)
{
    struct pair p;
    gr_ref tool = gr_tool(root, GR_BLOCKING, meet_fn, NULL, &p,
                          GR_TOOL(.name = "meet", .args_schema = json("{}")));

    sem_init(&p.begun[0], 0, 0);
    sem_init(&p.begun[1], 0, 0);
    is(story(run(gr_agent(root,
                          script("[" CALLS(CALL("meet", "{\"me\":0}", "c1") "," CALL(
                              "meet", "{\"me\":1}", "c2")) ",\"done\"]"),
                          NULL, tool),
                 "\"go\"")),
       "[\"human: go\",\"ai:  [meet] [meet]\",\"tool c1: I am 0\",\"tool c2: I am 1\",\"ai: done\"]");
    sem_destroy(&p.begun[0]);
    sem_destroy(&p.begun[1]);
}

static gr_ref sorry(void)
{
    return gr_tool(root, GR_ASYNC, sorry_fn, NULL, NULL, GR_TOOL(.name = "sorry"));
}

static gr_value *last_tool(gr_ref agent)
{
    gr_value *list = story(run(agent, "\"go\"")), *v;

    if (gr_error_code(list) != GR_OK)
        return list;
    v = gr_value_ref(gr_at(list, 2));
    gr_value_unref(list);
    return v;
}

static gr_value *of_error(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_strf("oh: %s", gr_cstr(gr_get(input, "text"), "?"));
}

#define SORRY "[" CALLS(CALL("sorry", "{}", "c1")) ",\"done\"]"

Test(agent, ag_03_what_becomes_of_a_tool_that_fails)
{
    static const char *const told_of[] = { "ToolException", "GR_EINVAL" };

    fails_with(last_tool(gr_agent(root, script(SORRY), NULL, sorry())), GR_EINVAL, "bad luck");
    is(last_tool(
           gr_agent(root, script(SORRY), GR_AGENT(.handle_tool_errors = gr_bool(true)), sorry())),
       "\"tool c1!: Error: GR_EINVAL('bad luck')\\n Please fix your mistakes.\"");
    is(last_tool(
           gr_agent(root, script(SORRY), GR_AGENT(.handle_tool_errors = gr_str("no")), sorry())),
       "\"tool c1!: no\"");
    is(last_tool(
           gr_agent(root, script(SORRY),
                    GR_AGENT(.handle_tool_errors = gr_list(gr_str(told_of[0]), gr_str(told_of[1]))),
                    sorry())),
       "\"tool c1!: Error: GR_EINVAL('bad luck')\\n Please fix your mistakes.\"");
    fails_with(last_tool(gr_agent(root, script(SORRY),
                                  GR_AGENT(.handle_tool_errors = gr_list(gr_str("ToolException"))),
                                  sorry())),
               GR_EINVAL, "bad luck");
    is(last_tool(gr_agent(root, script(SORRY),
                          GR_AGENT(.handle_tool_errors = gr_ref_value(lambda(GR_ASYNC, of_error))),
                          sorry())),
       "\"tool c1!: oh: bad luck\"");
    /* arguments that are wrong are told the model, unless it is to be otherwise */
    is(last_tool(gr_agent(root, script("[" CALLS(CALL("add", "{\"a\":1}", "c1")) ",\"done\"]"),
                          NULL, adder())),
       "\"tool c1!: Error invoking tool 'add' with kwargs {\\\"a\\\": 1} with error:\\n 1 validation error for "
       "add\\n'b' is missing\\n Please fix the error and try again.\"");
    fails_with(last_tool(gr_agent(root, script("[" CALLS(CALL("add", "{\"a\":1}", "c1")) "]"),
                                  GR_AGENT(.handle_tool_errors = gr_bool(false)), adder())),
               GR_EINVAL, "'b' is missing");
    is(last_tool(gr_agent(root, script("[" CALLS(CALL("sub", "{}", "c1")) ",\"done\"]"), NULL,
                          adder(), sorry())),
       "\"tool c1!: Error: sub is not a valid tool, try one of [add, sorry].\"");
}

Test(agent, ag_05_a_tool_whose_answer_is_the_end)
{
    gr_ref direct =
        gr_tool(root, GR_CHEAP, add_fn, NULL, NULL,
                GR_TOOL(.name = "add", .args_schema = json("{}"), .return_direct = true));

    is(story(run(gr_agent(root, script("[" ADD_1_2 ",\"never\"]"), NULL, direct), "\"go\"")),
       "[\"human: go\",\"ai:  [add]\",\"tool c1: 3\"]");
}

Test(agent, the_model_is_told_of_the_tools_and_gets_the_prompt)
{
    gr_ref model = gr_script_model(
        root,
        GR_SCRIPT(.answers = json("[\"hi\"]"),
                  .callbacks = gr_list(gr_handler_value(
                      GR_HANDLER(.name = "observer", .on_event = observer_event, .arg = &seen)))));
    gr_ref r =
        gr_agent(root, model, GR_AGENT(.prompt = gr_str("Be kind."), .parallel = -1), adder());

    is(story(run(r, "\"hello\"")), "[\"human: hello\",\"ai: hi\"]");
    cr_assert_eq(seen.run_count, 1);
    is(gr_value_ref(gr_get(gr_at(gr_at(gr_at(seen.lines, 0), 5), 0), "content")), "\"Be kind.\"");
    is(gr_int((int64_t)gr_len(gr_at(gr_at(seen.lines, 0), 5))), "2");
}

static gr_value *echo_kwargs(gr_ctx *c, void *arg, const gr_value *input)
{
    char *text = gr_json_print(gr_kwargs(c), 0, NULL);
    gr_value *m = gr_ai(text);

    (void)arg, (void)input;
    gr_free(text);
    return m;
}

Test(agent, kwargs_are_in_openai_s_form)
{
    is(story(run(gr_agent(root, lambda(GR_ASYNC, echo_kwargs), GR_AGENT(.parallel = -1), sorry()),
                 "\"x\"")),
       "[\"human: x\",\"ai: {\\\"tools\\\": [{\\\"type\\\": \\\"function\\\", \\\"function\\\": {\\\"name\\\": "
       "\\\"sorry\\\", \\\"description\\\": \\\"Takes {\\\\\\\"type\\\\\\\": \\\\\\\"object\\\\\\\", "
       "\\\\\\\"properties\\\\\\\": {}}.\\\", \\\"parameters\\\": {\\\"type\\\": \\\"object\\\", "
       "\\\"properties\\\": {}}}}], \\\"parallel_tool_calls\\\": false}\"]");
}

/* ---- limits --------------------------------------------------------------------------------------- */

Test(agent, steps_are_bounded)
{
    gr_ref r = gr_agent(root, script("[" ADD_1_2 "]"), NULL, adder());
    gr_value *state;

    is(story(answer(
           gr_ainvoke(rt, r, json("\"go\""), GR_CALL(.config = json("{\"recursion_limit\":4}"))))),
       "[\"human: go\",\"ai:  [add]\",\"tool c1: 3\",\"ai: Sorry, need more steps to process this request.\"]");
    state = run(r, "\"go\"");
    cr_assert_eq(gr_len(gr_get(state, "messages")), 26); /* 25 steps, and the question */
    gr_value_unref(state);
}

Test(agent, calls_and_tokens_and_costs_are_bounded)
{
#define COSTLY(id)                                                                                 \
    "{\"type\":\"ai\",\"content\":\"\",\"tool_calls\":[" CALL(                                     \
        "add", "{\"a\":1,\"b\":2}",                                                                \
        id) "],"                                                                                   \
            "\"usage_metadata\":{\"input_tokens\":100,\"output_tokens\":10,\"total_tokens\":110,"  \
            "\"input_token_details\":{\"cache_read\":40}},\"response_metadata\":{\"model_name\":\"m\"}}"
    const char *costly = "[" COSTLY("c1") "," COSTLY("c2") "," COSTLY("c3") "]";
    gr_value *state;

    is(story(
           run(gr_agent(root, script(costly), GR_AGENT(.model_calls_max = 2), adder()), "\"go\"")),
       "[\"human: go\",\"ai:  [add]\",\"tool c1: 3\",\"ai:  [add]\",\"tool c2: 3\",\"ai: Model call limits "
       "exceeded: run limit (2/2)\"]");
    fails_with(run(gr_agent(root, script(costly),
                            GR_AGENT(.model_calls_max = 2, .limits_fail = true), adder()),
                   "\"go\""),
               GR_EFULL, "Model call limits exceeded");
    state = run(gr_agent(root, script(costly), GR_AGENT(.tokens_max = 200), adder()), "\"go\"");
    is(gr_value_ref(gr_get(state, "usage_metadata")),
       "{\"input_tokens\":200,\"output_tokens\":20,\"total_tokens\":220,\"input_token_details\":{\"cache_read\":80}}");
    gr_value_unref(state);
    state = run(
        gr_agent(root, script(costly),
                 GR_AGENT(.cost_max = 0.0003,
                          .prices = json("{\"m\":{\"input\":2,\"output\":4,\"cache_read\":1}}")),
                 adder()),
        "\"go\"");
    cr_assert_float_eq(gr_as_real(gr_get(state, "cost"), 0), 0.0004, 1e-9); /* 200 micros a call */
    is(story(state),
       "[\"human: go\",\"ai:  [add]\",\"tool c1: 3\",\"ai:  [add]\",\"tool c2: 3\",\"ai: Cost limit "
       "exceeded: run limit (0.0004/0.0003)\"]");
    fails_with(
        run(gr_agent(root, script(costly), GR_AGENT(.cost_max = 1, .prices = json("{}")), adder()),
            "\"go\""),
        GR_EINVAL, "no price for the model 'm'");
    is(story(run(gr_agent(root,
                          script("[" CALLS(CALL("add", "{\"a\":1,\"b\":1}", "c1") "," CALL(
                              "add", "{\"a\":2,\"b\":2}", "c2")) ",\"done\"]"),
                          GR_AGENT(.tool_calls_max = 1), adder()),
                 "\"go\"")),
       "[\"human: go\",\"ai:  [add] [add]\",\"tool c1: 2\",\"tool c2!: Tool call limit exceeded. Do not call 'add' "
       "again.\",\"ai: done\"]");
}

static gr_value *slow_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    sem_t *begun = arg;

    (void)input;
    if (begun != NULL)
        sem_post(begun);
    return gr_sleep(gr_runtime_of(c), 3600000) == GR_OK ? gr_nil()
                                                        : gr_error(GR_ECANCELED, "woken");
}

#define SLOW "[" CALLS(CALL("slow", "{}", "c1")) ",\"done\"]"

Test(agent, deadlines_and_cancellation_reach_tools)
{
    sem_t begun;
    gr_ref tool = gr_tool(root, GR_ASYNC, slow_fn, NULL, &begun, GR_TOOL(.name = "slow"));
    gr_ref r = gr_agent(root, script(SLOW), GR_AGENT(.handle_tool_errors = gr_bool(true)), tool);
    gr_future *f;

    sem_init(&begun, 0, 0);
    fails_with(answer(gr_ainvoke(rt, r, gr_str("go"), GR_CALL(.timeout_ms = 50))), GR_ETIMEDOUT,
               "");
    (void)sem_trywait(&begun); /* it may have had no time to begin */
    f = gr_ainvoke(rt, gr_agent(root, script(SLOW), NULL, tool), gr_str("go"), NULL);
    while (sem_wait(&begun) != 0)
        ;
    gr_future_cancel(f);
    fails_with(answer(f), GR_ECANCELED, "");
    /* a tool's own time is the tool's failure */
    is(last_tool(gr_agent(root, script(SLOW),
                          GR_AGENT(.handle_tool_errors = gr_bool(true), .tool_timeout_ms = 20),
                          tool)),
       "\"tool c1!: Error: GR_ETIMEDOUT('the deadline passed before 'invoke' was done')\\n Please fix your mistakes.\"");
    sem_destroy(&begun);
}

/* ---- streams --------------------------------------------------------------------------------------- */

/* updates prints the chunks of a stream in short: "node > message". */
static gr_value *updates(gr_stream *s)
{
    gr_value *err = NULL, *list = chunks(s, &err), *out = gr_list_n(NULL, 0);

    cr_assert_null(err, "%s", gr_error_text(err));
    for (size_t i = 0; i < gr_len(list); i++) {
        const char *node = NULL;
        const gr_value *update = gr_pair_at(gr_at(list, i), 0, &node),
                       *messages = gr_get(update, "messages");
        gr_value *text = gr_strf("%s", node);

        for (size_t j = 0; j < gr_len(messages); j++) {
            gr_value *one = told(gr_at(messages, j));

            text = gr_add(text, gr_strf(" > %s", gr_cstr(one, "?")));
            gr_value_unref(one);
        }
        out = gr_append(out, text);
    }
    gr_value_unref(list);
    return out;
}

static gr_value *second_first(gr_ctx *c, void *arg, const gr_value *input)
{
    struct pair *p = arg;
    int me = (int)gr_as_int(gr_get(input, "me"), 0);

    (void)c;
    if (me == 0)
        while (sem_wait(&p->begun[0]) != 0)
            ;
    return gr_strf("I am %d", me);
}

Test(agent, a_stream_tells_of_tools_as_they_are_done)
{
    struct pair p;
    bool ready = sem_init(&p.begun[0], 0, 0) == 0;
    gr_ref tool = gr_tool(root, GR_BLOCKING, second_first, NULL, &p,
                          GR_TOOL(.name = "meet", .args_schema = json("{}")));
    gr_ref r = gr_agent(root,
                        script("[" CALLS(CALL("meet", "{\"me\":0}", "c1") "," CALL(
                            "meet", "{\"me\":1}", "c2")) ",\"done\"]"),
                        NULL, tool);
    gr_stream *s = gr_astream(rt, r, gr_str("go"), NULL);
    gr_outcome o;
    gr_value *list;

    cr_assert(ready);
    cr_assert_eq((o = gr_next(s, TEST_WAIT_MS)).code, GR_OK);
    cr_assert_eq((o = gr_next(s, TEST_WAIT_MS)).code,
                 GR_OK); /* the second call's, while the first one waits */
    list = told(gr_at(gr_get(gr_get(o.value, "tools"), "messages"), 0));
    is(list, "\"tool c2: I am 1\"");
    sem_post(&p.begun[0]);
    is(updates(s), "[\"tools > tool c1: I am 0\",\"model > ai: done\"]");
    sem_destroy(&p.begun[0]);
}

static gr_stream *stream_in(gr_ref r, const char *mode)
{
    return gr_astream(
        rt, r, gr_str("go"),
        GR_CALL(.config = gr_map(GR_KV("kwargs", gr_map(GR_KV("stream_mode", json(mode)))))));
}

Test(agent, other_modes_of_a_stream)
{
    gr_ref r = gr_agent(root, script("[" ADD_1_2 ",\"It is three\"]"), NULL, adder());
    gr_value *err = NULL, *list, *text = gr_str("");

    list = chunks(stream_in(r, "\"values\""), &err);
    cr_assert_eq(gr_len(list), 4); /* the question, the call, the tool, the answer */
    is(story(gr_value_ref(gr_at(list, 3))),
       "[\"human: go\",\"ai:  [add]\",\"tool c1: 3\",\"ai: It is three\"]");
    gr_value_unref(list);
    list = chunks(stream_in(r, "\"messages\""), &err);
    for (size_t i = 0; i < gr_len(list); i++)
        text = gr_add(text,
                      gr_strf("%s|%s ", gr_cstr(gr_get(gr_at(gr_at(list, i), 0), "content"), "?"),
                              gr_cstr(gr_get(gr_at(gr_at(list, i), 1), "langgraph_node"), "?")));
    cr_assert_not_null(strstr(gr_cstr(text, ""), "3|tools It|model  is|model  three|model"), "%s",
                       gr_cstr(text, ""));
    gr_value_unref(text);
    gr_value_unref(list);
    list = chunks(stream_in(r, "[\"updates\",\"values\"]"), &err);
    cr_assert_str_eq(gr_cstr(gr_at(gr_at(list, 0), 0), "?"), "values");
    cr_assert_str_eq(gr_cstr(gr_at(gr_at(list, 1), 0), "?"), "updates");
    gr_value_unref(list);
    list = chunks(stream_in(r, "\"else\""), &err);
    fails_with(err, GR_EINVAL, "stream_mode");
    gr_value_unref(list);
}

Test(agent, runs_are_nested_right)
{
    gr_ref r =
        gr_agent(root, script("[" ADD_1_2 ",\"done\"]"), GR_AGENT(.name = "helper"), adder());

    gr_value_unref(
        answer(gr_ainvoke(rt, r, gr_str("go"), GR_CALL(.config = observed(&seen, NULL)))));
    lines_are(&seen, "knrp",
              "[[\"start\",\"helper\",\"r1\",null],[\"start\",\"ScriptModel\",\"r2\",\"r1\"],"
              "[\"end\",\"ScriptModel\",\"r2\",\"r1\"],[\"start\",\"add\",\"r3\",\"r1\"],"
              "[\"end\",\"add\",\"r3\",\"r1\"],[\"start\",\"ScriptModel\",\"r4\",\"r1\"],"
              "[\"end\",\"ScriptModel\",\"r4\",\"r1\"],[\"end\",\"helper\",\"r1\",null]]");
}

/* ---- consent, and going on ---------------------------------------------------------------------------- */

static gr_value *in_thread(gr_ref r, gr_value *input)
{
    return answer(gr_ainvoke(rt, r, input,
                             GR_CALL(.config = json("{\"configurable\":{\"thread_id\":\"t\"}}"))));
}

#define TWO CALLS(CALL("add", "{\"a\":1,\"b\":1}", "c1") "," CALL("sorry", "{}", "c2"))

static gr_ref careful(gr_ref history)
{
    return gr_agent(root, script("[" TWO ",\"done\"]"),
                    GR_AGENT(.history = history, .interrupt_on = json("{\"add\":true}"),
                             .handle_tool_errors = gr_str("failed")),
                    adder(), sorry());
}

Test(agent, a_tool_may_need_consent)
{
    static const char *const decided[][2] = {
        { "{\"type\":\"approve\"}", "\"tool c1: 2\"" },
        { "{\"type\":\"edit\",\"edited_action\":{\"name\":\"add\",\"args\":{\"a\":5,\"b\":6}}}",
          "\"tool c1: 11\"" },
        { "{\"type\":\"reject\",\"message\":\"Not now.\"}", "\"tool c1!: Not now.\"" },
        { "{\"type\":\"reject\"}",
          "\"tool c1!: User rejected the tool call for `add` with id c1\"" },
        { "{\"type\":\"respond\",\"message\":\"Two.\"}", "\"tool c1: Two.\"" },
    };

    for (size_t i = 0; i < sizeof(decided) / sizeof(decided[0]); i++) {
        gr_ref r = careful(gr_memory_history(root, NULL));
        gr_value *state = in_thread(r, gr_str("go")), *list;
        char resume[300];

        is(gr_value_ref(gr_get(gr_at(gr_get(state, "__interrupt__"), 0), "value")),
           "{\"action_requests\":[{\"name\":\"add\",\"args\":{\"a\":1,\"b\":1},\"description\":\"Tool execution "
           "requires approval\\n\\nTool: add\\nArgs: {\\\"a\\\": 1, \\\"b\\\": 1}\"}],\"review_configs\":"
           "[{\"action_name\":\"add\",\"allowed_decisions\":[\"approve\",\"edit\",\"reject\",\"respond\"]}]}");
        is(story(state), "[\"human: go\",\"ai:  [add] [sorry]\"]"); /* neither was called */
        snprintf(resume, sizeof(resume), "{\"resume\":{\"decisions\":[%s]}}", decided[i][0]);
        state = in_thread(r, json(resume));
        cr_assert_null(gr_get(state, "__interrupt__"));
        list = story(state);
        cr_assert_eq(gr_len(list), 5, "%zu", gr_len(list));
        for (size_t j = 2; j < 4; j++) /* what was not to be made is answered first */
            if (strncmp(gr_cstr(gr_at(list, j), "?"), "tool c1", 7) == 0)
                is(gr_value_ref(gr_at(list, j)), decided[i][1]);
        is(gr_value_ref(gr_at(list, 4)), "\"ai: done\"");
        gr_value_unref(list);
    }
}

Test(agent, decisions_that_do_not_fit_are_refused)
{
    gr_ref r = careful(gr_memory_history(root, NULL));
    gr_ref strict =
        gr_agent(root, script("[" ADD_1_2 "]"),
                 GR_AGENT(.interrupt_on = json("{\"add\":{\"allowed_decisions\":[\"approve\"],"
                                               "\"description\":\"Mind.\"}}")),
                 adder());
    gr_value *state;

    fails_with(in_thread(r, json("{\"resume\":{\"decisions\":[]}}")), GR_EINVAL, "no messages");
    gr_value_unref(in_thread(r, gr_str("go")));
    fails_with(in_thread(r, json("{\"resume\":{\"decisions\":[]}}")), GR_EINVAL,
               "Number of human decisions (0) does not match number of hanging tool calls (1)");
    fails_with(in_thread(r, json("{\"resume\":1}")), GR_EINVAL, "resume must be");
    fails_with(in_thread(r, json("{\"resume\":{\"decisions\":[{\"type\":\"edit\"}]}}")), GR_EINVAL,
               "an edit needs edited_action");
    fails_with(in_thread(r, gr_str("and now?")), GR_EINVAL,
               "do not have a corresponding ToolMessage: add (id c1)");
    fails_with(run(r, "\"go\""), GR_EINVAL, "must have thread_id");
    /* without a history the caller has the state */
    state = run(strict, "\"go\"");
    is(gr_value_ref(gr_get(gr_at(gr_get(gr_get(gr_at(gr_get(state, "__interrupt__"), 0), "value"),
                                        "action_requests"),
                                 0),
                           "description")),
       "\"Mind.\"");
    fails_with(answer(gr_ainvoke(rt, strict,
                                 gr_set(gr_value_ref(state), "resume",
                                        json("{\"decisions\":[{\"type\":\"reject\"}]}")),
                                 NULL)),
               GR_EINVAL, "'reject' is no decision that is allowed for the tool 'add'");
    gr_value_unref(state);
}

Test(agent, without_a_history_the_state_goes_on)
{
    gr_ref r = gr_agent(root, script("[" ADD_1_2 ",\"done\"]"),
                        GR_AGENT(.interrupt_on = json("{\"add\":true}")), adder());
    gr_value *state = run(r, "\"go\"");

    state = gr_set(state, "resume", json("{\"decisions\":[{\"type\":\"approve\"}]}"));
    is(story(answer(gr_ainvoke(rt, r, state, NULL))),
       "[\"human: go\",\"ai:  [add]\",\"tool c1: 3\",\"ai: done\"]");
}

Test(agent, a_thread_is_kept_and_goes_on)
{
    gr_ref history = gr_memory_history(root, NULL);
    gr_ref r = gr_agent(root, script("[" ADD_1_2 ",\"one\",\"two\"]"), GR_AGENT(.history = history),
                        adder());
    gr_value *list;

    gr_value_unref(in_thread(r, gr_str("first")));
    is(story(in_thread(r, gr_str("second"))),
       "[\"human: first\",\"ai:  [add]\",\"tool c1: 3\",\"ai: one\","
       "\"human: second\",\"ai: two\"]");
    /* one that was cut off between the model and its tools goes on with nil */
    gr_value_unref(answer(gr_acall(
        rt, history, "add_messages",
        json("{\"ids\":{\"thread_id\":\"t\"},\"messages\":[{\"type\":\"human\",\"content\":"
             "\"third\"}," CALLS(CALL("add", "{\"a\":3,\"b\":3}", "c9")) "]}"),
        NULL)));
    list = story(in_thread(r, gr_nil()));
    is(gr_value_ref(gr_at(list, 8)), "\"tool c9: 6\"");
    gr_value_unref(list);
}

/* ---- data, hooks ---------------------------------------------------------------------------------------- */

#define SUM                                                                                        \
    "{\"title\":\"Sum\",\"type\":\"object\",\"properties\":{\"sum\":{\"type\":\"integer\"}},"      \
    "\"required\":[\"sum\"]}"

Test(agent, an_answer_may_be_data)
{
    gr_value *state =
        run(gr_agent(root,
                     script("[" ADD_1_2 "," CALLS(CALL("Sum", "{\"sum\":\"3\"}", "c2")) "," CALLS(
                         CALL("Sum", "{\"sum\":3}", "c3")) ",\"never\"]"),
                     GR_AGENT(.response_format = json(SUM)), adder()),
            "\"go\"");

    is(gr_value_ref(gr_get(state, "structured_response")), "{\"sum\":3}");
    is(story(state),
       "[\"human: go\",\"ai:  [add]\",\"tool c1: 3\",\"ai:  [Sum]\",\"tool c2!: Error: Failed to parse structured output "
       "for tool 'Sum': /sum: expected integer, got string.\\n Please fix your mistakes.\",\"ai:  [Sum]\","
       "\"tool c3: Returning structured response: {\\\"sum\\\": 3}\"]");
    state = run(gr_agent(root, script("[" ADD_1_2 ",\"{\\\"sum\\\": 3}\"]"),
                         GR_AGENT(.response_format = json(SUM), .response_method = "provider"),
                         adder()),
                "\"go\"");
    is(gr_value_ref(gr_get(state, "structured_response")), "{\"sum\":3}");
    gr_value_unref(state);
    fails_with(run(gr_agent_n(root, script("[\"{}\"]"),
                              GR_AGENT(.response_format = json(SUM), .response_method = "provider"),
                              NULL, 0),
                   "\"go\""),
               GR_EINVAL, "'sum' is missing");
}

static gr_value *trim_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_map(GR_KV("llm_input_messages", gr_list(gr_human("only this"))),
                  GR_KV("count", gr_int((int64_t)gr_len(gr_get(input, "messages")))));
}

static gr_value *mark_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    const gr_value *messages = gr_get(input, "messages"),
                   *last = gr_at(messages, gr_len(messages) - 1);

    (void)c, (void)arg;
    return gr_map(
        GR_KV("messages", gr_list(gr_set(gr_value_ref(last), "content", gr_str("marked")))));
}

Test(agent, an_answer_that_is_data_needs_no_further_step)
{
    gr_ref r =
        gr_agent(root, script("[" CALLS(CALL("Sum", "{\"n\":3}", "c1")) "]"),
                 GR_AGENT(.response_format = json("{\"title\":\"Sum\",\"type\":\"object\","
                                                  "\"properties\":{\"n\":{\"type\":\"integer\"}},"
                                                  "\"required\":[\"n\"]}")),
                 adder());
    gr_value *state =
        answer(gr_ainvoke(rt, r, gr_str("go"), GR_CALL(.config = json("{\"recursion_limit\":1}"))));

    is(gr_value_ref(gr_get(state, "structured_response")), "{\"n\":3}");
    gr_value_unref(state);
}

Test(agent, hooks_see_and_change_the_state)
{
    gr_ref model = gr_script_model(
        root,
        GR_SCRIPT(.answers = json("[\"hi\"]"),
                  .callbacks = gr_list(gr_handler_value(
                      GR_HANDLER(.name = "observer", .on_event = observer_event, .arg = &seen)))));
    gr_value *state = run(gr_agent_n(root, model,
                                     GR_AGENT(.pre_model_hook = lambda(GR_ASYNC, trim_fn),
                                              .post_model_hook = lambda(GR_ASYNC, mark_fn)),
                                     NULL, 0),
                          "\"go\"");

    is(gr_value_ref(gr_get(state, "count")), "1");
    is(story(state), "[\"human: go\",\"ai: marked\"]");
    is(gr_value_ref(gr_get(gr_at(gr_at(gr_at(seen.lines, 0), 5), 0), "content")), "\"only this\"");
}

/* again_fn puts a question behind whatever was said. */
static gr_value *again_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg, (void)input;
    return gr_map(GR_KV("messages", gr_list(gr_human("again"))));
}

static gr_value *ready_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg, (void)input;
    return gr_ai("ready");
}

Test(agent, a_hook_that_always_asks_again_ends_at_the_recursion_limit)
{
    gr_value *err = NULL,
             *v = gr_invoke(rt,
                            gr_agent_n(root, lambda(GR_ASYNC, ready_fn),
                                       GR_AGENT(.post_model_hook = lambda(GR_ASYNC, again_fn)),
                                       NULL, 0),
                            json("\"go\""), NULL, &err);

    cr_assert_null(v);
    cr_assert_eq(gr_error_code(err), GR_EFULL);
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "recursion");
    gr_value_unref(err);
}

/* bare_fn calls tools as a model of somebody else's may: without the calls' type, and with more than a call has. */
static gr_value *bare_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_len(input) > 1
               ? gr_ai("done")
               : json("{\"type\":\"ai\",\"content\":\"\",\"tool_calls\":[{\"name\":\"who\","
                      "\"args\":{\"user\":\"root\"},\"id\":\"c1\",\"user\":\"root\"},"
                      "{\"name\":\"who\",\"id\":\"c2\",\"user\":\"root\"}]}");
}

static gr_value *who_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_value_ref(gr_get(input, "user"));
}

Test(agent, what_is_injected_is_not_the_models_whatever_its_calls_look_like)
{
    gr_ref who =
        gr_tool(root, GR_CHEAP, who_fn, NULL, NULL,
                GR_TOOL(.name = "who", .injected = json("{\"user\":\"configurable.user\"}"),
                        .args_schema = json("{\"type\":\"object\",\"properties\":{\"user\":{}},"
                                            "\"required\":[\"user\"]}")));
    gr_ref r = gr_agent(root, lambda(GR_ASYNC, bare_fn), NULL, who);

    is(story(answer(gr_ainvoke(rt, r, json("\"go\""),
                               GR_CALL(.config = json("{\"configurable\":{\"user\":\"ann\"}}"))))),
       "[\"human: go\",\"ai:  [who] [who]\",\"tool c1: ann\",\"tool c2: ann\",\"ai: done\"]");
}

Test(agent, consent_that_is_neither_yes_nor_no_is_refused)
{
    fails_with(run(gr_agent(root, script("[\"hi\"]"),
                            GR_AGENT(.interrupt_on = json("{\"add\":\"on\"}")), adder()),
                   "\"go\""),
               GR_ETYPE, "interrupt_on: 'add' must be true, false or a map");
}

/* A tool that has to be asked for its name. */
static gr_value *asked_tool(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self, (void)args;
    return json("{\"name\":\"add\",\"parameters\":{}}");
}

static gr_ref consenting(const char *interrupt_on, gr_ref tool)
{
    return gr_agent(root, script("[" ADD_1_2 ",\"done\"]"),
                    GR_AGENT(.interrupt_on = json(interrupt_on)), tool);
}

Test(agent, consent_to_what_there_is_not_is_refused)
{
    static const gr_method methods[] = { { "tool", GR_ASYNC, asked_tool, NULL } };
    static const gr_class cls = GR_CLASS(.name = "Asked", GR_METHODS(methods));
    gr_ref mistyped = consenting("{\"ad\":true}", adder());
    gr_value *why = gr_check(rt, mistyped);

    cr_assert_not_null(why, "the names are known, so the agent is broken");
    cr_assert_not_null(strstr(gr_error_text(why), "interrupt_on names 'ad', which is no tool; "
                                                  "there is [add]"),
                       "%s", gr_error_text(why));
    gr_value_unref(why);
    fails_with(run(consenting("{\"ad\":true}", gr_spawn(root, &cls, NULL)), "\"go\""), GR_EINVAL,
               "interrupt_on names 'ad'");
    fails_with(run(consenting("{\"add\":{\"allowed\":[\"approve\"]}}", adder()), "\"go\""),
               GR_EINVAL, "'add' has 'allowed'");
    fails_with(run(consenting("{\"add\":{\"allowed_decisions\":[\"aprove\"]}}", adder()), "\"go\""),
               GR_EINVAL, "there is no decision 'aprove'");
    fails_with(run(consenting("{\"add\":{\"allowed_decisions\":[]}}", adder()), "\"go\""), GR_ETYPE,
               "allowed_decisions must be a list");
}

Test(agent, who_reads_values_hears_of_an_interrupt)
{
    gr_value *err = NULL,
             *list = chunks(
                 stream_in(consenting("{\"add\":{\"args_schema\":{}}}", adder()), "\"values\""),
                 &err);
    const gr_value *last = gr_at(list, gr_len(list) - 1), *value;

    cr_assert_null(err);
    value = gr_get(gr_at(gr_get(last, "__interrupt__"), 0), "value");
    is(gr_value_ref(gr_at(gr_get(value, "review_configs"), 0)),
       "{\"action_name\":\"add\",\"allowed_decisions\":[\"approve\",\"edit\",\"reject\",\"respond\"],"
       "\"args_schema\":{}}");
    gr_value_unref(list);
}

/* ---- calls without ids ----------------------------------------------------------------------------- */

#define NAMELESS "{\"type\":\"tool_call\",\"name\":\"add\",\"args\":{\"a\":1,\"b\":2}}"

Test(agent, a_call_without_an_id_gets_one)
{
    const char *answers = "[" CALLS(NAMELESS "," NAMELESS) "," CALLS(
        CALL("add", "{\"a\":1,\"b\":1}", "call_7") "," NAMELESS) ",\"done\",\"more\"]";
    gr_ref r = gr_agent(root, script(answers), GR_AGENT(.history = gr_memory_history(root, NULL)),
                        adder());

    is(story(in_thread(r, gr_str("go"))),
       "[\"human: go\",\"ai:  [add] [add]\",\"tool call_1: 3\",\"tool call_2: 3\","
       "\"ai:  [add] [add]\",\"tool call_7: 2\",\"tool call_8: 3\",\"ai: done\"]");
    gr_value_unref(in_thread(r, gr_str("again"))); /* all of them count as answered */
}

/* forget_fn takes the first message out of the state, and puts a text behind the others. */
static gr_value *forget_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    const gr_value *messages = gr_get(input, "messages");

    (void)c, (void)arg;
    return gr_map(GR_KV("messages",
                        gr_list(gr_map(GR_KV("type", gr_str("remove")),
                                       GR_KV("id", gr_value_ref(gr_get(gr_at(messages, 0), "id")))),
                                gr_str("and?"))));
}

Test(agent, a_hook_may_remove_messages_and_a_thread_forgets_them)
{
    gr_ref r = gr_agent_n(root, script("[\"hi\"]"),
                          GR_AGENT(.history = gr_memory_history(root, NULL),
                                   .pre_model_hook = lambda(GR_ASYNC, forget_fn)),
                          NULL, 0);
    gr_value *state = in_thread(r, gr_str("go"));

    for (size_t i = 0; i < gr_len(gr_get(state, "messages")); i++)
        cr_assert_eq(gr_value_type(gr_get(gr_at(gr_get(state, "messages"), i), "id")), GR_STR);
    is(story(state), "[\"human: and?\",\"ai: hi\"]");
    is(story(in_thread(r, gr_str("more"))),
       "[\"ai: hi\",\"human: more\",\"human: and?\",\"ai: hi\"]");
}

Test(agent, what_can_not_be_an_agent_is_broken)
{
    gr_ref model = script("[\"hi\"]");

    fails_with(run(gr_agent(root, model, GR_AGENT(.stream_mode = "all"), adder()), "1"), GR_EINVAL,
               "stream_mode");
    fails_with(run(gr_agent(root, model, GR_AGENT(.cost_max = 1), adder()), "1"), GR_EINVAL,
               "needs prices");
    fails_with(run(gr_agent(root, model, GR_AGENT(.response_format = json("{}")), adder()), "1"),
               GR_EINVAL, "title");
    fails_with(run(gr_agent(root, model, GR_AGENT(.handle_tool_errors = gr_int(1)), adder()), "1"),
               GR_ETYPE, "handle_tool_errors");
    fails_with(run(gr_agent(root, model, GR_AGENT(.response_format = json("{\"title\":\"add\"}")),
                            adder()),
                   "\"x\""),
               GR_EINVAL, "both called 'add'");
    fails_with(run(gr_agent(root, model, NULL, adder(), adder()), "\"x\""), GR_EINVAL,
               "two tools are called 'add'");
    fails_with(run(gr_agent(root, lambda(GR_ASYNC, same_fn), NULL, adder()), "\"x\""), GR_ETYPE,
               "must answer with an ai message");
}

/* ---- tool nodes, lists of messages ------------------------------------------------------------------------ */

Test(agent, a_tool_node_by_itself)
{
    gr_ref r = gr_tool_node(root, NULL, adder());
    gr_value *v = run(r, "[" ADD_1_2 "]");

    is(told(gr_at(v, 0)), "\"tool c1: 3\"");
    gr_value_unref(v);
    is(story(run(r, "{\"messages\":[" ADD_1_2 "]}")), "[\"tool c1: 3\"]");
    v = run(r, "[" CALL("add", "{\"a\":1,\"b\":2}", "x") "]");
    is(told(gr_at(v, 0)), "\"tool x: 3\"");
    gr_value_unref(v);
    fails_with(run(r, "[{\"type\":\"human\",\"content\":\"x\"}]"), GR_EINVAL,
               "No AIMessage with tool calls");
}

static gr_value *box_tools(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self, (void)args;
    return gr_value_ref(gr_args(c));
}

Test(agent, an_actor_may_stand_for_its_tools)
{
    static const gr_method methods[] = { { "tools", GR_CHEAP, box_tools, NULL } };
    static const gr_class cls = GR_CLASS(.name = "Box", GR_METHODS(methods));
    gr_value *two = gr_list(gr_ref_value(adder()), gr_ref_value(sorry()));
    gr_ref box = gr_spawn(root, &cls, GR_SPAWN(.args = two));
    gr_ref none = gr_spawn(root, &cls, GR_SPAWN(.args = gr_int(1)));

    is(story(run(gr_agent(root, script("[" ADD_1_2 ",\"done\"]"), NULL, box), "\"go\"")),
       "[\"human: go\",\"ai:  [add]\",\"tool c1: 3\",\"ai: done\"]");
    is(last_tool(
           gr_agent(root, script("[" CALLS(CALL("sub", "{}", "c1")) ",\"done\"]"), NULL, box)),
       "\"tool c1!: Error: sub is not a valid tool, try one of [add, sorry].\"");
    fails_with(run(gr_agent(root, script("[\"hi\"]"), NULL, none), "\"go\""), GR_ETYPE,
               "an actor's tools must be a list of refs");
    fails_with(run(gr_agent(root, script("[\"hi\"]"), NULL, box, adder()), "\"go\""), GR_EINVAL,
               "two tools are called 'add'");
}

Test(agent, messages_are_added_by_their_ids)
{
    const char *two =
        "[{\"type\":\"human\",\"content\":\"a\",\"id\":\"1\"},{\"type\":\"ai\",\"content\":\"b\",\"id\":\"2\"}]";

    is(gr_add_messages(json(two), json("{\"type\":\"human\",\"content\":\"c\",\"id\":\"1\"}")),
       "[{\"type\":\"human\",\"content\":\"c\",\"id\":\"1\"},{\"type\":\"ai\",\"content\":\"b\",\"id\":\"2\"}]");
    is(gr_add_messages(json(two), json("[{\"type\":\"remove\",\"id\":\"1\"}]")),
       "[{\"type\":\"ai\",\"content\":\"b\",\"id\":\"2\"}]");
    is(gr_add_messages(json(two), json("[{\"type\":\"remove\",\"id\":\"__remove_all__\"},\"d\"]")),
       "[{\"type\":\"human\",\"content\":\"d\"}]");
    fails_with(gr_add_messages(json(two), json("[{\"type\":\"remove\",\"id\":\"3\"}]")), GR_EINVAL,
               "there is no message '3' to remove");
    fails_with(gr_add_messages(json(two), json("[{\"type\":\"who\"}]")), GR_EINVAL, "");
}
