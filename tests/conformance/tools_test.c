/* SPDX-License-Identifier: Apache-2.0 */
/* tools_test.c - langchain-core's StructuredTool: arguments, errors, what is injected, and tools bound to models. */
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

TestSuite(tools, .init = up, .fini = down, .timeout = 120);

#define CALL(args) "{\"type\":\"tool_call\",\"name\":\"t\",\"id\":\"c1\",\"args\":" args "}"
#define REPLY(content, status)                                                                     \
    "{\"type\":\"tool\",\"content\":" content ",\"tool_call_id\":\"c1\",\"name\":\"t\","           \
    "\"status\":\"" status "\"}"
#define XY                                                                                           \
    "{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"integer\"},\"y\":{\"type\":\"integer\"," \
    "\"default\":5}},\"required\":[\"x\"]}"

static gr_value *add_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_int(gr_as_int(gr_get(input, "x"), 0) + gr_as_int(gr_get(input, "y"), 0));
}

/* sorry_fn fails as its argument says: a text is a ToolException's. */
static gr_value *sorry_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    const gr_value *why = gr_get(input, "why");

    (void)c, (void)arg;
    if (gr_is_nil(why))
        return gr_error(GR_EINVAL, "a value that is wrong");
    return gr_tool_exception("%s", gr_cstr(why, "?"));
}

static gr_value *got_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_strf("got %s of %s", gr_cstr(gr_get(input, "text"), "?"),
                   gr_cstr(gr_get(input, "kind"), "?"));
}

/* given_fn answers with what the "arg" is: a value, borrowed. */
static gr_value *given_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)input;
    return gr_value_ref(arg);
}

static void drop_value(void *arg)
{
    gr_value_unref(arg);
}

static gr_ref adder(gr_value *on_invalid)
{
    return gr_tool(root, GR_CHEAP, add_fn, NULL, NULL,
                   GR_TOOL(.name = "t", .description = "Adds.", .args_schema = json(XY),
                           .handle_validation_error = on_invalid));
}

Test(tools, tool_02_arguments_that_are_not_by_the_schema)
{
    gr_ref plain = adder(NULL);
    gr_value *err;

    invoke_is(plain, CALL("{\"x\":1,\"y\":2}"), REPLY("\"3\"", "success"));
    invoke_is(plain, "{\"x\":1}", "6"); /* y is filled in */
    invoke_fails(plain, CALL("{\"x\":\"1\"}"), GR_EINVAL, "/x: expected integer, got string");
    err = answer(gr_ainvoke(rt, plain, json("{}"), NULL));
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), "?"), "ValidationError");
    cr_assert_str_eq(gr_error_text(err), "1 validation error for t\n'x' is missing");
    cr_assert_eq(gr_len(gr_get(err, "detail")), 1);
    gr_value_unref(err);
    invoke_is(adder(gr_bool(true)), CALL("{}"), REPLY("\"Tool input validation error\"", "error"));
    invoke_is(adder(gr_str("Mind the x.")), CALL("{}"), REPLY("\"Mind the x.\"", "error"));
    invoke_is(adder(gr_ref_value(lambda(GR_ASYNC, got_fn))), "{}",
              "\"got 1 validation error for t\\n'x' is missing of ValidationError\"");
}

static gr_ref sorry(gr_value *handle)
{
    return gr_tool(root, GR_ASYNC, sorry_fn, NULL, NULL,
                   GR_TOOL(.name = "t", .handle_tool_error = handle));
}

Test(tools, tool_03_a_tool_exception)
{
    gr_value *err = answer(gr_ainvoke(rt, sorry(NULL), json("{\"why\":\"m\"}"), NULL));

    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), "?"), "ToolException");
    fails_with(err, GR_EREMOTE, "m");
    invoke_is(sorry(gr_bool(true)), "{\"why\":\"m\"}", "\"m\"");
    invoke_is(sorry(gr_bool(true)), "{\"why\":\"\"}", "\"Tool execution error\"");
    invoke_is(sorry(gr_bool(true)), CALL("{\"why\":\"m\"}"), REPLY("\"m\"", "error"));
    invoke_is(sorry(gr_str("so")), CALL("{\"why\":\"m\"}"), REPLY("\"so\"", "error"));
    invoke_is(sorry(gr_ref_value(lambda(GR_CHEAP, got_fn))), "{\"why\":\"m\"}",
              "\"got m of ToolException\"");
    invoke_fails(sorry(gr_bool(true)), "{}", GR_EINVAL, "a value that is wrong");
    invoke_fails(sorry(gr_bool(false)), "{\"why\":\"m\"}", GR_EREMOTE, "m");
}

static gr_ref pair(const char *text)
{
    return gr_tool(root, GR_CHEAP, given_fn, drop_value, json(text),
                   GR_TOOL(.name = "t", .content_and_artifact = true));
}

Test(tools, tool_04_content_and_artifact)
{
    invoke_is(pair("[\"c\",[1]]"), "{\"x\":1}", "\"c\"");
    invoke_is(pair("[\"c\",[1]]"), CALL("{\"x\":1}"),
              "{\"type\":\"tool\",\"content\":\"c\",\"tool_call_id\":\"c1\",\"name\":\"t\","
              "\"status\":\"success\",\"artifact\":[1]}");
    invoke_fails(pair("\"c\""), "{\"x\":1}", GR_EINVAL, "two-tuple");
    invoke_fails(pair("[1,2,3]"), CALL("{}"), GR_EINVAL, "two-tuple");
}

Test(tools, an_answer_becomes_content)
{
    static const char *const cases[][2] = {
        { "\"a\"", "\"a\"" },
        { "1.5", "\"1.5\"" },
        { "null", "\"null\"" },
        { "{\"a\":1}", "\"{\\\"a\\\": 1}\"" },
        { "[\"a\",{\"type\":\"text\",\"text\":\"b\"}]",
          "[\"a\",{\"type\":\"text\",\"text\":\"b\"}]" },
        { "[{\"type\":\"else\"}]", "\"[{\\\"type\\\": \\\"else\\\"}]\"" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char reply[300];

        snprintf(reply, sizeof(reply), REPLY("%s", "success"), cases[i][1]);
        invoke_is(
            gr_tool(root, GR_CHEAP, given_fn, drop_value, json(cases[i][0]), GR_TOOL(.name = "t")),
            CALL("{}"), reply);
    }
    invoke_is(gr_tool(root, GR_CHEAP, given_fn, drop_value,
                      json("{\"type\":\"tool\",\"content\":\"mine\",\"tool_call_id\":\"\"}"),
                      GR_TOOL(.name = "t")),
              CALL("{}"), REPLY("\"mine\"", "success"));
}

static gr_value *same_args_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_value_ref(input);
}

Test(tools, what_is_injected_is_hidden_from_the_model)
{
    gr_ref r =
        gr_tool(root, GR_CHEAP, same_args_fn, NULL, NULL,
                GR_TOOL(.name = "t",
                        .args_schema = json(
                            "{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"integer\"},"
                            "\"id\":{\"type\":\"string\"},\"user\":{\"type\":\"string\"},"
                            "\"all\":{}},\"required\":[\"x\",\"id\",\"user\"],"
                            "\"additionalProperties\":false}"),
                        .injected = json("{\"id\":\"tool_call_id\",\"user\":\"configurable.user\","
                                         "\"all\":\"state.n\"}")));
    gr_value *v;

    is(answer(gr_acall(rt, r, "tool", gr_nil(), NULL)),
       "{\"name\":\"t\",\"description\":\"Takes {\\\"type\\\": \\\"object\\\", \\\"properties\\\": {\\\"x\\\": "
       "{\\\"type\\\": \\\"integer\\\"}}, \\\"required\\\": [\\\"x\\\"], \\\"additionalProperties\\\": "
       "false}.\",\"parameters\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"integer\"}},"
       "\"required\":[\"x\"],\"additionalProperties\":false},\"takes_state\":true}");
    v = answer(gr_ainvoke(rt, r, json(CALL("{\"x\":1}")),
                          GR_CALL(.config = json("{\"configurable\":{\"user\":\"ann\"},"
                                                 "\"kwargs\":{\"state\":{\"n\":7}}}"))));
    is(gr_json_parse(gr_cstr(gr_get(v, "content"), ""), gr_len(gr_get(v, "content")), NULL),
       "{\"x\":1,\"id\":\"c1\",\"user\":\"ann\",\"all\":7}");
    gr_value_unref(v);
    /* what a model writes under such a name is nobody's */
    v = answer(gr_ainvoke(rt, r, json(CALL("{\"x\":1,\"user\":\"root\",\"all\":3}")),
                          GR_CALL(.config = json("{\"configurable\":{\"user\":\"ann\"}}"))));
    is(gr_json_parse(gr_cstr(gr_get(v, "content"), ""), gr_len(gr_get(v, "content")), NULL),
       "{\"x\":1,\"user\":\"ann\",\"id\":\"c1\"}");
    gr_value_unref(v);
    invoke_fails(r, CALL("{\"x\":1,\"user\":\"root\"}"), GR_EINVAL,
                 "nobody gave the injected argument 'user'");
    invoke_is(r, "{\"x\":1,\"id\":\"mine\",\"user\":\"me\"}",
              "{\"x\":1,\"id\":\"mine\",\"user\":\"me\"}");
}

Test(tools, what_is_no_tool_is_broken)
{
    invoke_fails(gr_tool(root, GR_CHEAP, add_fn, NULL, NULL, NULL), "{}", GR_EINVAL,
                 "tool: no name");
    invoke_fails(gr_tool(root, GR_CHEAP, add_fn, NULL, NULL,
                         GR_TOOL(.name = "t", .args_schema = json("{\"type\":\"text\"}"))),
                 "{}", GR_EINVAL, "schema: /type");
    invoke_fails(gr_tool(root, GR_CHEAP, add_fn, NULL, NULL,
                         GR_TOOL(.name = "t", .injected = json("{\"a\":\"env.HOME\"}"))),
                 "{}", GR_EINVAL, "can't be injected from 'env.HOME'");
    invoke_fails(gr_tool(root, GR_CHEAP, add_fn, NULL, NULL,
                         GR_TOOL(.name = "t", .handle_tool_error = gr_int(1))),
                 "{}", GR_ETYPE, "handle_tool_error must be");
}

static gr_value *slow_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg, (void)input;
    gr_sleep(gr_runtime_of(c), 3600000);
    return gr_nil();
}

Test(tools, a_call_has_its_time)
{
    gr_ref r = gr_tool(root, GR_ASYNC, slow_fn, NULL, NULL, GR_TOOL(.name = "t", .timeout_ms = 20));

    invoke_fails(r, CALL("{}"), GR_ETIMEDOUT, "");
}

static _Atomic int inside, most;

static gr_value *count_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    int now = atomic_fetch_add(&inside, 1) + 1, before = atomic_load(&most);

    (void)arg, (void)input;
    while (before < now && !atomic_compare_exchange_weak(&most, &before, now))
        ;
    gr_sleep(gr_runtime_of(c), 5);
    atomic_fetch_sub(&inside, 1);
    return gr_nil();
}

Test(tools, calls_at_once_are_bounded)
{
    gr_ref r =
        gr_tool(root, GR_ASYNC, count_fn, NULL, NULL, GR_TOOL(.name = "t", .max_concurrency = 2));

    atomic_store(&most, 0);
    batch_is(r, "[{},{},{},{},{},{}]", "[null,null,null,null,null,null]");
    cr_assert_eq(atomic_load(&most), 2, "%d", atomic_load(&most));
}

Test(tools, the_function_is_no_run_of_its_own)
{
    gr_ref r = gr_tool(root, GR_BLOCKING, add_fn, NULL, NULL, GR_TOOL(.name = "adder"));

    is(answer(
           gr_ainvoke(rt, r, json("{\"x\":1,\"y\":1}"), GR_CALL(.config = observed(&seen, NULL)))),
       "2");
    cr_assert_eq(observer_runs(&seen), 1);
    cr_assert_str_eq(seen.runs[0].name, "adder");
    cr_assert_eq(seen.runs[0].type, GR_TYPE_TOOL);
}

/* ---- bound to models ---------------------------------------------------------------------------- */

static gr_value *kwargs_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg, (void)input;
    return gr_kwargs(c) != NULL ? gr_value_ref(gr_kwargs(c)) : gr_nil();
}

#define ADDER_TOOL                                                                                     \
    "{\"type\":\"function\",\"function\":{\"name\":\"t\",\"description\":\"Adds.\",\"parameters\":" XY \
    "}}"

Test(tools, tools_are_bound_in_openai_s_form)
{
    gr_ref model = lambda(GR_ASYNC, kwargs_fn);
    gr_ref r = gr_bind_tools(root, model, NULL, adder(NULL));

    invoke_is(r, "1", "{\"tools\":[" ADDER_TOOL "]}");
    stream_is(r, "1", "[{\"tools\":[" ADDER_TOOL "]}]");
    batch_is(r, "[1,2]", "[{\"tools\":[" ADDER_TOOL "]},{\"tools\":[" ADDER_TOOL "]}]");
    invoke_is(gr_bind_tools(root, model, GR_BIND_TOOLS(.tool_choice = "any", .parallel = -1),
                            adder(NULL)),
              "1",
              "{\"tools\":[" ADDER_TOOL "],\"tool_choice\":\"any\",\"parallel_tool_calls\":false}");
    is(answer(gr_ainvoke(rt, r, gr_int(1),
                         GR_CALL(.config = json("{\"kwargs\":{\"tool_choice\":\"t\"}}")))),
       "{\"tools\":[" ADDER_TOOL "],\"tool_choice\":\"t\"}");
    invoke_is(
        gr_bind_tools_n(
            root, model,
            GR_BIND_TOOLS(.strict = 1, .extra = json("[{\"title\":\"p\",\"type\":\"object\","
                                                     "\"properties\":{\"a\":{\"type\":\"null\"}}},"
                                                     "{\"type\":\"web_search\"}]")),
            NULL, 0),
        "1",
        "{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"p\",\"description\":\"\","
        "\"parameters\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"null\"}},"
        "\"additionalProperties\":false,\"required\":[\"a\"]},\"strict\":true}},"
        "{\"type\":\"web_search\"}]}");
}

Test(tools, a_choice_that_is_no_tool_is_refused)
{
    gr_ref model = lambda(GR_ASYNC, kwargs_fn);
    gr_ref mistyped = gr_bind_tools(root, model, GR_BIND_TOOLS(.tool_choice = "ad"), adder(NULL));
    gr_value *why = gr_check(rt, mistyped);

    cr_assert_not_null(why, "the names are known, so the binding is broken");
    gr_value_unref(why);
    invoke_fails(mistyped, "1", GR_EINVAL,
                 "tool_choice names 'ad', which is no tool; there is [t]");
    invoke_fails(gr_bind_tools(root, model, GR_BIND_TOOLS(.tool_choice = "ad"),
                               gr_as_tool(root, lambda(GR_ASYNC, kwargs_fn), NULL)),
                 "1", GR_EINVAL, "tool_choice names 'ad'");
    invoke_is(gr_bind_tools_n(root, model,
                              GR_BIND_TOOLS(.tool_choice = "web_search",
                                            .extra = json("[{\"type\":\"web_search\"}]")),
                              NULL, 0),
              "1", "{\"tools\":[{\"type\":\"web_search\"}],\"tool_choice\":\"web_search\"}");
}

static gr_value *flaky_tool(gr_ctx *c, void *self, const gr_value *args)
{
    _Atomic int *asked = gr_as_opaque(gr_args(c));

    (void)self, (void)args;
    return atomic_fetch_add(asked, 1) == 0 ? gr_error(GR_EUNREACH, "not yet")
                                           : json("{\"name\":\"f\",\"parameters\":{}}");
}

Test(tools, tools_are_asked_by_the_first_call_and_no_more)
{
    static const gr_method methods[] = { { "tool", GR_ASYNC, flaky_tool, NULL } };
    static const gr_class cls = GR_CLASS(.name = "Flaky", GR_METHODS(methods));
    static _Atomic int asked;
    gr_ref tool = gr_spawn(root, &cls, GR_SPAWN(.args = gr_opaque(&asked, NULL)));
    gr_ref r = gr_bind_tools(root, lambda(GR_ASYNC, kwargs_fn), NULL, tool);
    const char *bound =
        "{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"\","
        "\"parameters\":{}}}]}";

    atomic_store(&asked, 0);
    invoke_fails(r, "1", GR_EUNREACH, "not yet");
    invoke_is(r, "1", bound);
    invoke_is(r, "1", bound);
    cr_assert_eq(atomic_load(&asked), 2);
    invoke_fails(gr_bind_tools_n(root, lambda(GR_ASYNC, kwargs_fn),
                                 GR_BIND_TOOLS(.extra = json("[{}]")), NULL, 0),
                 "1", GR_EINVAL, "a tool must have a name");
}

Test(tools, forms_of_a_tool)
{
    static const char *const cases[][2] = {
        { "{\"name\":\"a\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\"}}",
          "{\"type\":\"function\",\"function\":{\"name\":\"a\",\"description\":\"d\",\"parameters\":{\"type\":"
          "\"object\"}}}" },
        { "{\"name\":\"a\",\"inputSchema\":{}}",
          "{\"type\":\"function\",\"function\":{\"name\":\"a\",\"description\":\"\",\"parameters\":{}}}" },
        { "{\"type\":\"function\",\"function\":{\"name\":\"a\"}}",
          "{\"type\":\"function\",\"function\":{\"name\":\"a\"}}" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        is(gr_openai_tool(json(cases[i][0]), 0), cases[i][1]);
    is(gr_openai_tool(json("{\"name\":\"a\",\"parameters\":{}}"), -1),
       "{\"type\":\"function\",\"function\":{\"name\":\"a\",\"description\":\"\",\"parameters\":{},"
       "\"strict\":false}}");
    fails_with(gr_openai_tool(gr_int(1), 0), GR_EINVAL, "a tool must have a name");
    /* what is strict has all of its properties, at any depth: OpenAI's server refuses anything else */
    is(gr_openai_tool(
           json(
               "{\"title\":\"a\",\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"array\",\"items\":"
               "{\"type\":\"object\",\"properties\":{\"y\":{\"type\":\"string\"}}}},\"z\":{}},"
               "\"required\":[\"x\"]}"),
           1),
       "{\"type\":\"function\",\"function\":{\"name\":\"a\",\"description\":\"\",\"parameters\":{\"type\":"
       "\"object\",\"properties\":{\"x\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":"
       "{\"y\":{\"type\":\"string\"}},\"additionalProperties\":false,\"required\":[\"y\"]}},\"z\":{}},"
       "\"required\":[\"x\",\"z\"],\"additionalProperties\":false},\"strict\":true}}");
}
