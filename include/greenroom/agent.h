/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent.h - a model that calls tools until it has an answer: LangChain's create_agent, LangGraph's create_react_agent.
 *
 * The state is a map: "messages", and whatever else the input has. A turn asks the model; if its message has tool calls
 * they are run, at once, their answers are added in the order of the calls, and the model is asked again; a message
 * without any is the answer. Each message of the state has an id; one that comes with an id that is there already replaces
 * that, see gr_add_messages.
 */
#ifndef GREENROOM_AGENT_H
#define GREENROOM_AGENT_H

#include <greenroom/tool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_agent_opts {
    size_t size;
    const char *name; /* for people; default "agent" */
    /* taken: what the model gets before the messages, a text (of a system message) or a message; or a ref: the runnable
     * that makes what the model gets of the state */
    gr_value *prompt;
    /* tools: see gr_tool_node_opts */
    gr_value *handle_tool_errors; /* taken */
    unsigned max_concurrency;     /* tools at once; default 16 */
    int64_t tool_timeout_ms;      /* for each; 0: none */
    int parallel;                 /* 1: several calls in one answer, -1: one at most; 0: the server's default */
    /*
     * Taken. A JSON Schema with a "title": the answer is data, under "structured_response" in the state.
     * response_method: "tool", the default, has the model call a tool of that name, and try again if that is not by the
     * schema; "provider" asks the server for it (response_format) and fails if it isn't.
     */
    gr_value *response_format;
    const char *response_method;
    /*
     * Bounds of one run; 0: none. Beyond, a last ai message says so and is the answer; with limits_fail the run fails,
     * GR_EFULL, kind "LimitExceeded". Calls of tools beyond theirs are not made, and the model is told. Turns count as
     * LangGraph's steps, the model's and the tools' each, against the config's recursion_limit (25); when there is no room
     * for what the model wants, the answer is "Sorry, need more steps to process this request."; hooks that go on beyond
     * it fail the run, GR_EFULL, kind "recursion".
     */
    unsigned model_calls_max, tool_calls_max;
    int64_t tokens_max; /* total_tokens of usage_metadata */
    double cost_max;    /* by prices, which it needs; in their currency */
    /* taken: for a million tokens, {"input", "output", "cache_read", "cache_creation"}, or a map of such by the
     * model_name of response_metadata. With it, or with tokens_max, the state has "usage_metadata" and "cost" */
    gr_value *prices;
    bool limits_fail;
    /* Who keeps the conversation: any actor with the verbs of history.h. The config's configurable must have
     * "thread_id", which names it: {"thread_id": …}. What was said before is the state's beginning. Two runs of one
     * thread at a time don't see each other */
    gr_ref history;
    /*
     * Taken. Tools that need somebody's consent: a map of their names to true (false: none), or to {"allowed_decisions": [of
     * "approve", "edit", "reject", "respond"], "description", "args_schema"}. A run that wants to call one ends, nothing
     * called, with "__interrupt__" in the state: [{"value": {"action_requests": [{"name", "args", "description"}],
     * "review_configs": [{"action_name", "allowed_decisions", "args_schema"?}]}, "id"}]. A name that is that of no tool would
     * let calls pass in silence, so it is refused: by this constructor where the tools' names are known (those of gr_tool, and
     * of a gr_as_tool with a name), else by each run. The next run goes on from there if its input has
     * "resume": {"decisions": […]}, one for each request: {"type": "approve"}, {"type": "edit", "edited_action": {"name",
     * "args"}}, {"type": "reject", "message"}, {"type": "respond", "message"}. It finds the state by the thread's history,
     * or, without one, in the "messages" of its input.
     */
    gr_value *interrupt_on;
    /* Runnables from the state to what changes in it, before and after each call of the model: {"messages": …} and other
     * keys; {0, 0}: none. What pre_model_hook has under "llm_input_messages" the model gets instead of the messages */
    gr_ref pre_model_hook, post_model_hook;
    const char *stream_mode; /* "updates", the default, "values" or "messages": see below */
} gr_agent_opts;
#define GR_AGENT(...) GR_OPT(gr_agent_opts, __VA_ARGS__)

/*
 * gr_agent_n makes an agent of a chat model and tools. The model is any runnable that heeds the kwargs "tools",
 * "tool_choice", "parallel_tool_calls" and "response_format" in OpenAI's form. A tool call that it gives no id gets one, call_1
 * and so on. gr_agent(in, model, opts, a, b) is the short form.
 *
 * The input is a map with "messages", or what gr_messages_coerce takes; nil goes on with a thread that was interrupted
 * or cut off. The answer is the state. A stream's chunks are, by its mode:
 *
 *   updates   {"model": {"messages": [message]}}, {"tools": {"messages": [message]}} for each tool as it is done,
 *             {"__interrupt__": […]}
 *   values    the state, at the beginning and whenever a step is done
 *   messages  [chunk, {"langgraph_node", "langgraph_step"}]: what the model says as it says it, and the tools' messages
 *
 * The kwarg "stream_mode" is a call's own mode; a list of modes gives [mode, chunk].
 *
 * Errors:  GR_EINVAL  "INVALID_CHAT_HISTORY": a tool call that was never answered; thread_id is missing; decisions that
 *                     don't fit what was asked; two tools of one name
 *          GR_EFULL   "LimitExceeded"
 *          broken: an option that makes no sense: GR_ETYPE, such as interrupt_on with what is neither a boolean nor a map;
 *          GR_EINVAL, such as interrupt_on that names no tool
 *          the model's, and those of tools that are not told the model
 *
 * Deadlines and cancellation reach model and tools. [any]
 */
GR_API gr_ref gr_agent_n(gr_scope *in, gr_ref model, const gr_agent_opts *opts, const gr_ref *tools,
                         size_t count);
#define gr_agent(in, model, opts, ...) gr_agent_n((in), (model), (opts), GR_ARR(gr_ref, __VA_ARGS__))

/*
 * gr_add_messages adds messages to a list of messages: LangGraph's add_messages. One whose id is in the list already
 * takes that one's place; {"type": "remove", "id"} takes it out, and all before it if the id is "__remove_all__". right
 * is what gr_messages_coerce takes. Errors: GR_EINVAL "there is no message 'x' to remove", and gr_messages_coerce's. [any]
 */
GR_API gr_value *gr_add_messages(gr_value *left GR_TAKES, gr_value *right GR_TAKES);

#ifdef __cplusplus
}
#endif
#endif
