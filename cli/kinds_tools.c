/* SPDX-License-Identifier: Apache-2.0 */
/* kinds_tools.c - the kinds that have to do with tools: as_tool, bind_tools, tool_node, agent; and a model to try them
 * with. */
#include <string.h>

#include "cli/chain_build.h"
#include "cli/chain_kinds.h"
#include "runtime/base/alloc.h"

#define KEYS(array) .keys = (array), .key_count = sizeof(array) / sizeof((array)[0])
#define MS_MAX 86400000.0 /* a day: longer waits are mistakes */

static const struct gri_chain_key as_tool_keys[] = {
    { "runnable", GRI_ARG_ACTOR, true, 0, 0, "what does the work" },
    { "name", GRI_ARG_TEXT, false, 0, 0, "default the runnable's" },
    { "description", GRI_ARG_TEXT, false, 0, 0, "for the model" },
    { "args_schema", GRI_ARG_DATA, false, 0, 0,
      "JSON Schema, by which arguments are judged; default the runnable's input, by which they are "
      "not" },
    { "return_direct", GRI_ARG_BOOL, false, 0, 0,
      "an agent's run ends with its answer; default false" },
    { "content_and_artifact", GRI_ARG_BOOL, false, 0, 0,
      "it answers with a list of two, what the model gets and what is beside it; default false" },
    { "handle_tool_error", GRI_ARG_TEXT, false, 0, 0,
      "what a ToolException is answered with: true, its text; or a text; default it fails" },
    { "handle_validation_error", GRI_ARG_TEXT, false, 0, 0,
      "what arguments that are not by the schema are answered with: true, or a text; default they fail" },
    { "injected", GRI_ARG_DATA, false, 0, 0,
      "arguments that the model neither sees nor gives, and from where they come: tool_call_id, state, "
      "state.KEY, configurable.KEY" },
    { "timeout_ms", GRI_ARG_INT, false, 1, MS_MAX, "for a call; default no limit" },
};
static const struct gri_chain_key bind_tools_keys[] = {
    { "model", GRI_ARG_ACTOR, true, 0, 0, "a chat model" },
    { "tools", GRI_ARG_ACTORS, true, 0, 0, "what it may ask for" },
    { "tool_choice", GRI_ARG_TEXT, false, 0, 0,
      "auto, any, required, none or a tool's name; default the server's" },
    { "parallel", GRI_ARG_BOOL, false, 0, 0,
      "several calls in one answer, or one at most; default the server's" },
    { "strict", GRI_ARG_BOOL, false, 0, 0,
      "asks the server to keep to the schemas; default not sent" },
};

#define HANDLE_HELP                                                                                    \
    "what the model is told of tools that fail: true, the error; false, the call fails; a text; or a " \
    "list of the errors' names that it is told; default only of wrong arguments"

static const struct gri_chain_key tool_node_keys[] = {
    { "tools", GRI_ARG_ACTORS, true, 0, 0, "what may be called" },
    { "handle_tool_errors", GRI_ARG_KEYS, false, 0, 0, HANDLE_HELP },
    { "max_concurrency", GRI_ARG_INT, false, 1, 1e6, "tools at once; default 16" },
    { "timeout_ms", GRI_ARG_INT, false, 1, MS_MAX, "for a tool; default no limit" },
};
static const struct gri_chain_key agent_keys[] = {
    { "model", GRI_ARG_ACTOR, true, 0, 0, "a chat model that can call tools" },
    { "tools", GRI_ARG_ACTORS, false, 0, 0, "what it may ask for" },
    { "prompt", GRI_ARG_TEXT, false, 0, 0, "of a system message before the others" },
    { "handle_tool_errors", GRI_ARG_KEYS, false, 0, 0, HANDLE_HELP },
    { "max_concurrency", GRI_ARG_INT, false, 1, 1e6, "tools at once; default 16" },
    { "tool_timeout_ms", GRI_ARG_INT, false, 1, MS_MAX, "for a tool; default no limit" },
    { "parallel", GRI_ARG_BOOL, false, 0, 0,
      "several calls in one answer, or one at most; default the server's" },
    { "response_format", GRI_ARG_DATA, false, 0, 0,
      "JSON Schema with a title: the answer is data, under structured_response" },
    { "response_method", GRI_ARG_TEXT, false, 0, 0,
      "tool, the default: by a tool that must be called; provider: by the server" },
    { "model_calls_max", GRI_ARG_INT, false, 1, 1e6, "in a run; default no limit but of steps" },
    { "tool_calls_max", GRI_ARG_INT, false, 1, 1e6, "in a run; default no limit but of steps" },
    { "tokens_max", GRI_ARG_INT, false, 1, 1e12, "in a run; default no limit" },
    { "cost_max", GRI_ARG_REAL, false, 0, 1e9, "of a run, by prices; default no limit" },
    { "prices", GRI_ARG_DATA, false, 0, 0,
      "of a million tokens: {input, output, cache_read, cache_creation}, or a map of such by model" },
    { "limits_fail", GRI_ARG_BOOL, false, 0, 0,
      "a run that reaches a limit fails; default it answers that it has" },
    { "history", GRI_ARG_ACTOR, false, 0, 0,
      "who keeps the conversation that the config's thread_id names" },
    { "interrupt_on", GRI_ARG_DATA, false, 0, 0,
      "tools that need consent: name: true, or {allowed_decisions, description}" },
    { "pre_model_hook", GRI_ARG_ACTOR, false, 0, 0,
      "takes the state before each call of the model, answers with what changes" },
    { "post_model_hook", GRI_ARG_ACTOR, false, 0, 0, "and after it" },
    { "stream_mode", GRI_ARG_TEXT, false, 0, 0, "updates, the default, values or messages" },
};
static const struct gri_chain_key script_model_keys[] = {
    { "answers", GRI_ARG_LIST, true, 0, 0,
      "texts, or messages such as {role: ai, content, tool_calls: [{name, args, id, type: tool_call}]}, in "
      "turn" },
    { "delay_ms", GRI_ARG_INT, false, 1, MS_MAX, "before an answer, and between its words" },
};

/* ---- reading --------------------------------------------------------------------------------------- */

/* data_of gives a map's value; NULL: the key is not there. */
static gr_value *data_of(const struct gri_chain_node *args, const char *key)
{
    const struct gri_chain_node *n = gri_chain_get(args, key);

    return n != NULL ? gri_build_data(n) : NULL;
}

/* handle_of reads true, false, a text, or a list of names; NULL: the key is not there. */
static gr_value *handle_of(const struct gri_chain_node *args, const char *key)
{
    const struct gri_chain_node *n = gri_chain_get(args, key);
    const char *text;

    if (n == NULL)
        return NULL;
    if (n->type == GRI_CHAIN_LIST)
        return gri_build_texts(n);
    text = gri_chain_text(n);
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return gr_bool(text[0] == 't');
    return gr_str(text);
}

/* side_of is 1 for true, -1 for false, 0 for what is not there. */
static int side_of(const struct gri_chain_node *args, const char *key)
{
    return gri_chain_get(args, key) == NULL ? 0 : gri_arg_bool(args, key) ? 1 : -1;
}

static gr_ref ref_of(struct gri_chain_builder *b, const struct gri_chain_node *args,
                     const char *key)
{
    return gri_build_actor(b, gri_chain_get(args, key));
}

/* refs_of makes the actors of a list, into an array that the caller frees; none for NULL. NULL: no memory. */
static gr_ref *refs_of(struct gri_chain_builder *b, const struct gri_chain_node *n,
                       size_t *ret_count)
{
    size_t count = n != NULL ? n->count : 0;
    gr_ref *refs = gri_alloc_array(count + 1, sizeof(*refs));

    for (size_t i = 0; refs != NULL && i < count; i++)
        refs[i] = gri_build_actor(b, n->items[i].value);
    *ret_count = count;
    return refs;
}

/* ---- making ---------------------------------------------------------------------------------------- */

static gr_ref build_as_tool(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    gr_ref runnable = ref_of(b, args, "runnable");

    return gr_as_tool(b->in, runnable,
                      GR_TOOL(.name = gri_arg_text(args, "name", NULL),
                              .description = gri_arg_text(args, "description", NULL),
                              .args_schema = data_of(args, "args_schema"),
                              .return_direct = gri_arg_bool(args, "return_direct"),
                              .content_and_artifact = gri_arg_bool(args, "content_and_artifact"),
                              .handle_tool_error = handle_of(args, "handle_tool_error"),
                              .handle_validation_error = handle_of(args, "handle_validation_error"),
                              .injected = data_of(args, "injected"),
                              .timeout_ms = gri_arg_int(args, "timeout_ms", 0)));
}

static gr_ref build_bind_tools(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *list = gri_chain_get(args, "tools");
    gr_ref model = ref_of(b, args, "model"), ref, *tools;
    size_t count;

    tools = refs_of(b, list, &count);
    if (tools == NULL)
        return gri_build_no_memory(b, list);
    ref = gr_bind_tools_n(b->in, model,
                          GR_BIND_TOOLS(.tool_choice = gri_arg_text(args, "tool_choice", NULL),
                                        .parallel = side_of(args, "parallel"),
                                        .strict = side_of(args, "strict")),
                          tools, count);
    gri_free(tools);
    return ref;
}

static gr_ref build_tool_node(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *list = gri_build_arg("tool_node", args, "tools");
    size_t count;
    gr_ref *tools = refs_of(b, list, &count), ref;

    if (tools == NULL)
        return gri_build_no_memory(b, list);
    ref = gr_tool_node_n(
        b->in,
        GR_TOOL_NODE(.handle_tool_errors = handle_of(args, "handle_tool_errors"),
                     .max_concurrency = (unsigned)gri_arg_int(args, "max_concurrency", 0),
                     .timeout_ms = gri_arg_int(args, "timeout_ms", 0)),
        tools, count);
    gri_free(tools);
    return ref;
}

/* agent_of makes the agent of its parts and the file's other keys. */
static gr_ref agent_of(struct gri_chain_builder *b, const struct gri_chain_node *args, gr_ref model,
                       const gr_ref *tools, size_t count)
{
    const char *prompt = gri_arg_text(args, "prompt", NULL);
    double cost_max = 0;

    (void)gri_arg_real(args, "cost_max", &cost_max);
    return gr_agent_n(b->in, model,
                      GR_AGENT(.name = b->name, .prompt = prompt != NULL ? gr_str(prompt) : NULL,
                               .handle_tool_errors = handle_of(args, "handle_tool_errors"),
                               .max_concurrency = (unsigned)gri_arg_int(args, "max_concurrency", 0),
                               .tool_timeout_ms = gri_arg_int(args, "tool_timeout_ms", 0),
                               .parallel = side_of(args, "parallel"),
                               .response_format = data_of(args, "response_format"),
                               .response_method = gri_arg_text(args, "response_method", NULL),
                               .model_calls_max = (unsigned)gri_arg_int(args, "model_calls_max", 0),
                               .tool_calls_max = (unsigned)gri_arg_int(args, "tool_calls_max", 0),
                               .tokens_max = gri_arg_int(args, "tokens_max", 0),
                               .cost_max = cost_max, .prices = data_of(args, "prices"),
                               .limits_fail = gri_arg_bool(args, "limits_fail"),
                               .history = ref_of(b, args, "history"),
                               .interrupt_on = data_of(args, "interrupt_on"),
                               .pre_model_hook = ref_of(b, args, "pre_model_hook"),
                               .post_model_hook = ref_of(b, args, "post_model_hook"),
                               .stream_mode = gri_arg_text(args, "stream_mode", NULL)),
                      tools, count);
}

static gr_ref build_agent(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *list = gri_chain_get(args, "tools");
    gr_ref model = ref_of(b, args, "model"), ref, *tools;
    size_t count;

    tools = refs_of(b, list, &count);
    if (tools == NULL)
        return gri_build_no_memory(b, args);
    ref = agent_of(b, args, model, tools, count);
    gri_free(tools);
    return ref;
}

static gr_ref build_script_model(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    return gr_script_model(
        b->in, GR_SCRIPT(.answers = gri_build_data(gri_build_arg("script_model", args, "answers")),
                         .delay_ms = gri_arg_int(args, "delay_ms", 0)));
}

const struct gri_chain_kind gri_chain_kinds_tools[GRI_CHAIN_KINDS_TOOLS] = {
    { .name = "as_tool",
      .help = "answers the tool calls of a model",
      KEYS(as_tool_keys),
      .build = build_as_tool },
    { .name = "bind_tools",
      .help = "a chat model that is told of tools",
      KEYS(bind_tools_keys),
      .build = build_bind_tools },
    { .name = "tool_node",
      .help = "runs the tool calls of a message",
      KEYS(tool_node_keys),
      .lone = true,
      .build = build_tool_node },
    { .name = "agent",
      .help = "a model that calls tools until it has an answer",
      KEYS(agent_keys),
      .build = build_agent },
    { .name = "script_model",
      .help = "a chat model that says what a script says, for trying things out",
      KEYS(script_model_keys),
      .lone = true,
      .build = build_script_model },
};
