/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tool.h - tools: runnables that a model may ask for by name.
 *
 * A tool takes its arguments plainly, and answers with what it has; or it takes a tool call as a
 * model makes it, {"type": "tool_call", "name", "args", "id"}, and answers with the message that
 * goes back, {"type": "tool", "content", "tool_call_id", "name", "status"}. By the verb "tool" it
 * says {"name", "description", "parameters"}, the last being JSON Schema.
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
    gr_value *args_schema;   /* taken; JSON Schema; default: the runnable's input schema */
} gr_tool_opts;
#define GR_TOOL(...) GR_OPT(gr_tool_opts, __VA_ARGS__)

/*
 * gr_as_tool makes a tool of a runnable: Runnable.as_tool. A call's args are the runnable's input; if
 * its schema's type is not object, the only one of them is. An answer that is no text becomes one in
 * the message, as JSON. A failure fails the call.
 */
GR_API gr_ref gr_as_tool(gr_scope *in, gr_ref runnable, const gr_tool_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
