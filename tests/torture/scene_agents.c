/* SPDX-License-Identifier: Apache-2.0 */
/* scene_agents.c - schemas, tools, and agents that call them. */
#include <string.h>

#include "tests/torture/torture.h"

static gr_value *json(const char *text)
{
    return gr_json_parse(text, strlen(text), NULL);
}

static void schema(void)
{
    gr_value *err = NULL, *v, *errors;
    gr_schema *s = gr_schema_new(
        json(
            "{\"$defs\":{\"n\":{\"type\":\"integer\",\"default\":3}},\"properties\":{\"a\":{\"$ref\":"
            "\"#/$defs/n\"},\"b\":{\"anyOf\":[{\"const\":1},{\"uniqueItems\":true}]},\"c\":{\"default\":7}},"
            "\"required\":[\"d\"]}"),
        NULL, &err);

    if (s == NULL) {
        said_why(err);
        return;
    }
    v = gr_schema_fill(s, json("{\"a\":\"x\",\"b\":[2,2]}"));
    errors = gr_schema_validate(s, v);
    is(gr_schema_text(errors),
       "\"'d' is missing\\n/a: expected integer, got string\\n/b: none of 2 schemas "
       "holds: must be 1; items 0 and 1 are the same\"");
    gr_value_unref(errors);
    is(v, "{\"a\":\"x\",\"b\":[2,2],\"c\":7}");
    gr_schema_free(s);
}

static gr_value *add_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_int(gr_as_int(gr_get(input, "a"), 0) + gr_as_int(gr_get(input, "b"), 0));
}

static gr_ref adder(void)
{
    return gr_tool(root, GR_ASYNC, add_fn, NULL, NULL,
                   GR_TOOL(.name = "add", .description = "Adds.",
                           .args_schema = json(
                               "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},"
                               "\"b\":{\"type\":\"integer\",\"default\":4}},\"required\":[\"a\"]}"),
                           .injected = json("{\"id\":\"tool_call_id\"}"),
                           .handle_validation_error = gr_str("no")));
}

static void tool_of_function(void)
{
    gives(gr_ainvoke(rt, adder(), json("{\"type\":\"tool_call\",\"id\":\"c\",\"args\":{\"a\":1}}"),
                     NULL),
          "{\"type\":\"tool\",\"content\":\"5\",\"tool_call_id\":\"c\",\"status\":\"success\"}");
    gives(gr_ainvoke(rt, adder(), json("{\"a\":[]}"), NULL), "\"no\"");
}

static gr_value *named_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    const gr_value *tool = gr_at(gr_get(gr_kwargs(c), "tools"), 0);

    (void)arg, (void)input;
    return gr_strf("%s", gr_cstr(gr_get(gr_get(tool, "function"), "name"), "?"));
}

static void bound_tools(void)
{
    gr_ref model = gr_lambda(root, GR_ASYNC, named_fn, NULL, NULL);
    gr_ref r =
        gr_bind_tools(root, model, GR_BIND_TOOLS(.tool_choice = "any", .strict = 1), adder());

    gives(gr_ainvoke(rt, r, gr_nil(), NULL), "\"add\"");
    sums(gr_astream(rt, r, gr_nil(), NULL), "\"add\"");
}

/* last_fn is what the last message of a state says. */
static gr_value *last_fn(gr_ctx *c, void *arg, const gr_value *state)
{
    const gr_value *messages = gr_get(state, "messages");

    (void)c, (void)arg;
    if (gr_get(state, "structured_response") != NULL)
        return gr_value_ref(gr_get(state, "structured_response"));
    return gr_strf("%s%s", gr_cstr(gr_get(gr_at(messages, gr_len(messages) - 1), "content"), "?"),
                   gr_get(state, "__interrupt__") != NULL ? " interrupted" : "");
}

#define CALLS                                                                                              \
    "{\"type\":\"ai\",\"content\":\"\",\"tool_calls\":[{\"type\":\"tool_call\",\"name\":\"add\",\"args\":" \
    "{\"a\":1},\"id\":\"c1\"},{\"type\":\"tool_call\",\"name\":\"sub\",\"args\":{},\"id\":\"c2\"}]}"

static gr_ref last_of(gr_ref agent)
{
    return gr_seq(root, agent, gr_lambda(root, GR_CHEAP, last_fn, NULL, NULL));
}

static gr_ref script(const char *answers)
{
    return gr_script_model(root, GR_SCRIPT(.answers = json(answers)));
}

static void agent(void)
{
    gr_ref r = gr_agent(root, script("[" CALLS ",\"five\"]"),
                        GR_AGENT(.prompt = gr_str("Be kind.")), adder());
    gr_stream *s;
    gr_outcome o;

    gives(gr_ainvoke(rt, last_of(r), gr_str("go"), NULL), "\"five\"");
    s = gr_astream(rt, r, gr_str("go"), NULL);
    while (s != NULL && (o = gr_next(s, -1)).code == GR_OK)
        claim(gr_value_type(o.value) == GR_MAP);
    said(s == NULL ? GR_ENOMEM : o.code);
    gr_stream_free(s);
}

static void agent_of_data(void)
{
    const char *answers =
        "[{\"type\":\"ai\",\"content\":\"\",\"tool_calls\":[{\"type\":\"tool_call\",\"name\":\"Sum\","
        "\"args\":{\"sum\":3},\"id\":\"c1\"}]}]";

    gives(gr_ainvoke(rt,
                     last_of(gr_agent_n(
                         root, script(answers),
                         GR_AGENT(.response_format =
                                      json("{\"title\":\"Sum\",\"properties\":{\"sum\":{\"type\":"
                                           "\"integer\"}}}")),
                         NULL, 0)),
                     gr_str("go"), NULL),
          "{\"sum\":3}");
}

/* The run that goes on may find that the one before could not keep what it had: then it says so. */
static void agent_with_consent(void)
{
    gr_ref r = gr_agent(
        root, script("[" CALLS ",\"done\"]"),
        GR_AGENT(.history = gr_memory_history(root, NULL), .interrupt_on = json("{\"add\":true}")),
        adder());
    const char *resume =
        "{\"resume\":{\"decisions\":[{\"type\":\"edit\",\"edited_action\":{\"name\":\"add\",\"args\":{"
        "\"a\":2}}}]}}";
    gr_value *config = json("{\"configurable\":{\"thread_id\":\"t\"}}"), *err = NULL, *v;

    v = gr_invoke(rt, last_of(r), gr_str("go"), GR_CALL(.config = gr_value_ref(config)), &err);
    if (v == NULL && !said_why(err)) {
        gr_value_unref(config);
        return;
    }
    is(v, "\" interrupted\"");
    gives(gr_ainvoke(rt, last_of(r), json(resume), GR_CALL(.config = config)), "\"done\"");
}

static const struct scene scenes[] = {
    { "schema", schema, 0 },
    { "tool_of_function", tool_of_function, 0 },
    { "bound_tools", bound_tools, 0 },
    { "agent", agent, 0 },
    { "agent_of_data", agent_of_data, 0 },
    { "agent_with_consent", agent_with_consent, 0 },
};
const struct scenes agents_scenes = SCENES(scenes);
