/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tool.h - tools: runnables that a model may ask for by name.
 *
 * A tool takes its arguments plainly, and answers with what it has; or it takes a tool call as a
 * model makes it, {"type": "tool_call", "name", "args", "id"}, and answers with the message that
 * goes back, {"type": "tool", "content", "tool_call_id", "name", "status"} and, if it gives one, "artifact".
 * By the verb "tool" it says {"name", "description", "parameters"}, the last being JSON Schema; "return_direct"
 * and "takes_state", true each, are there where they hold. Any actor that does so is a tool.
 *
 * Where a list of tools is asked for, an actor may stand for its tools: by the verb "tools" it answers with a list of
 * refs, as an MCP client does.
 *
 * The content of the message is the answer if that is a text, or a list of texts and of blocks such as {"type":
 * "text", "text"}; else the answer as JSON. An answer that is a tool message already stays.
 */
#ifndef GREENROOM_TOOL_H
#define GREENROOM_TOOL_H

#include <greenroom/runnable.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_tool_opts {
    size_t size;
    const char *name;        /* default: the runnable's */
    const char *description; /* default: "Takes " and its schema */
    /* taken; JSON Schema, see schema.h; arguments are judged by it, and what has a default is filled in.
     * Default: the runnable's input schema, which is told, but judges nothing */
    gr_value *args_schema;
    bool return_direct;        /* an agent's run ends with this tool's answer */
    bool content_and_artifact; /* it answers with two: the content for the model, and what is beside it */
    /*
     * Taken. What becomes of a ToolException, and of arguments that are not by the schema: NULL or false, the call
     * fails; true, the message has the error's text, or "Tool input validation error", as content and "error" as
     * status; a text, that text; a ref, what that runnable answers to {"kind", "text", "code", "detail"}. Called with
     * plain arguments the tool answers with that content. Other errors always fail the call.
     */
    gr_value *handle_tool_error, *handle_validation_error;
    /*
     * Taken. Arguments that the model neither sees nor gives: a map from their names to where they come from,
     * "tool_call_id"; "state" or "state.KEY", an agent's; "configurable.KEY", the config's. Whatever a tool call has
     * under such a name is overwritten. Who calls the tool with plain arguments may give them himself.
     */
    gr_value *injected;
    int64_t timeout_ms;       /* for one call; 0: none */
    unsigned max_concurrency; /* of gr_tool: calls of the function under way at once; 0: no limit */
} gr_tool_opts;
#define GR_TOOL(...) GR_OPT(gr_tool_opts, __VA_ARGS__)

/*
 * gr_as_tool makes a tool of a runnable: Runnable.as_tool. A call's args are the runnable's input; if
 * its schema's type is not object, the only one of them is. A text as input is the first property of an object.
 *
 * Errors:  GR_EINVAL  kind "ValidationError": arguments that are not by the schema; detail: what is wrong, see
 *                     schema.h
 *          GR_EINVAL  "two-tuple": content_and_artifact, and the answer is no list of two
 *          the runnable's own
 *          broken: a schema that can't be read, an unknown place in injected     [any]
 */
GR_API gr_ref gr_as_tool(gr_scope *in, gr_ref runnable, const gr_tool_opts *opts);

/*
 * gr_tool makes a tool of a function, which is as for gr_lambda and gets the map of its arguments: @tool,
 * StructuredTool.from_function. The function is no run of its own. name is required. [any]
 */
GR_API gr_ref gr_tool(gr_scope *in, gr_kind kind, gr_lambda_fn *fn, void (*drop)(void *arg), void *arg,
                      const gr_tool_opts *opts);

/* gr_tool_exception makes the error by which a tool says that it can't do what it is asked, and why: ToolException.
 * GR_EREMOTE, kind "ToolException". [any] */
GR_API gr_value *gr_tool_exception(const char *fmt, ...) GR_PRINTF(1, 2);

/*
 * gr_openai_tool gives a tool in OpenAI's form, {"type": "function", "function": {"name", "description",
 * "parameters"}}: convert_to_openai_tool. It takes what the verb "tool" answers; a JSON Schema with a "title";
 * {"name", "parameters"}; Anthropic's {"name", "input_schema"}; and OpenAI's form itself. A map that is none of these
 * but has a "type", a server's own tool, comes back unchanged. strict: 1 has "strict" true, and the objects in
 * parameters closed, with all of their properties required; -1 has it false; 0 says nothing. Else: GR_EINVAL. [any]
 */
GR_API gr_value *gr_openai_tool(gr_value *tool GR_TAKES, int strict);

typedef struct gr_bind_tools_opts {
    size_t size;
    /* "auto", "any" or "required", "none", a tool's name, or the type of a server's own in extra; NULL: the server's default.
     * Another one is refused: the binding is broken, or, where tools must be asked for their names, calls fail; GR_EINVAL */
    const char *tool_choice;
    int parallel;            /* 1: several calls in one answer, -1: one at most; 0: the server's default */
    int strict;              /* as in gr_openai_tool */
    gr_value *extra;         /* taken; a list of further tools as maps, of the kinds gr_openai_tool takes */
} gr_bind_tools_opts;
#define GR_BIND_TOOLS(...) GR_OPT(gr_bind_tools_opts, __VA_ARGS__)

/*
 * gr_bind_tools_n has a chat model called with the tools: bind_tools. The model is any runnable that heeds the kwargs
 * "tools", "tool_choice" and "parallel_tool_calls" in OpenAI's form; those of the call replace them. The
 * tools are asked what they are by the first call, and never again; while that fails, calls do.
 * gr_bind_tools(in, model, opts, a, b) is the short form. [any]
 */
GR_API gr_ref gr_bind_tools_n(gr_scope *in, gr_ref model, const gr_bind_tools_opts *opts,
                              const gr_ref *tools, size_t count);
#define gr_bind_tools(in, model, opts, ...)                                                        \
    gr_bind_tools_n((in), (model), (opts), GR_ARR(gr_ref, __VA_ARGS__))

typedef struct gr_tool_node_opts {
    size_t size;
    /*
     * Taken. What becomes of a tool that fails. NULL: arguments that are not by its schema are told the model, anything
     * else fails the call. true: all is told, "Error: …\n Please fix your mistakes."; false: all fails. A text: that is
     * told. A list of names of errors, kinds or codes: these are told. A ref: what that runnable answers to {"kind",
     * "text", "code", "detail"} is told. That the call itself was cancelled, or has no time left, always fails it.
     */
    gr_value *handle_tool_errors;
    unsigned max_concurrency; /* tools at once; default 16 */
    int64_t timeout_ms;       /* for each tool; 0: none */
} gr_tool_node_opts;
#define GR_TOOL_NODE(...) GR_OPT(gr_tool_node_opts, __VA_ARGS__)

/*
 * gr_tool_node_n runs the tool calls of an ai message, at once, and answers with the messages that go back in the order
 * of the calls: LangGraph's ToolNode. The input is a list of messages, the last of which has the calls, and the answer a
 * list; or a map with "messages", which tools that take a state get, and the answer {"messages": […]}; or a list of
 * tool calls. It streams an answer for each call, as they come. A tool that there is not is told the model: "Error: x is
 * not a valid tool, try one of [a, b].". A failure that is not told cancels the other calls. [any]
 */
GR_API gr_ref gr_tool_node_n(gr_scope *in, const gr_tool_node_opts *opts, const gr_ref *tools,
                             size_t count);
#define gr_tool_node(in, opts, ...) gr_tool_node_n((in), (opts), GR_ARR(gr_ref, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
