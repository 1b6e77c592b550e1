/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcp_tool.c - one tool of a server as a tool of tool.h. It knows its client's ref and its name there, and what
 * the server says of it, or asks the client for that.
 */
#include <string.h>

#include <greenroom/callbacks.h>
#include <greenroom/message.h>

#include "actors/compose/describe.h"
#include "actors/mcp/mcp_content.h"
#include "actors/mcp/mcp_session.h"

/* The arguments that it was spawned with: {"client", "name", "told"?}. */

static const char *name_of(gr_ctx *c)
{
    return gr_cstr(gr_get(gr_args(c), "name"), "");
}

static gr_value *ask_client(gr_ctx *c, const char *verb, gr_value *args)
{
    gr_value *err = NULL, *v = gr_do(gr_runtime_of(c), gr_as_ref(gr_get(gr_args(c), "client")),
                                     verb, args, NULL, &err);

    return v != NULL ? v : err;
}

/* told says what is known of it. */
static gr_value *told(gr_ctx *c)
{
    const gr_value *known = gr_get(gr_args(c), "told");

    return known != NULL ? gr_value_ref(known)
                         : ask_client(c, "tool", gr_map(GR_KV("name", gr_str(name_of(c)))));
}

static bool is_call(const gr_value *input)
{
    return strcmp(gr_cstr(gr_get(input, "type"), ""), "tool_call") == 0 &&
           gr_get(input, "args") != NULL;
}

/* failed is the error of a tool that has failed. Takes content. */
static gr_value *failed(gr_ctx *c, gr_value *content)
{
    gr_value *text = gri_mcp_error_text(content), *err;

    err = gr_error(GR_EREMOTE, "%s: %.2000s", name_of(c), gr_cstr(text, "failed"));
    gr_value_unref(text);
    err = gr_error_with(err, "kind", gr_str("McpToolError"));
    return gr_error_with(err, "detail", content);
}

/* message_of answers a tool call. Takes content. */
static gr_value *message_of(const gr_value *call, gr_value *content, const gr_value *result)
{
    bool is_error = gr_as_bool(gr_get(result, "isError"), false);
    const gr_value *structured = gr_get(result, "structuredContent");
    gr_value *m;

    if (is_error && gr_value_type(content) == GR_LIST && gr_len(content) == 0) {
        gr_value_unref(content);
        content = gri_mcp_error_text(NULL);
    }
    m = gr_tool_message(gr_cstr(gr_get(call, "id"), ""), content);
    if (gr_get(call, "name") != NULL)
        m = gr_set(m, "name", gr_value_ref(gr_get(call, "name")));
    if (!gr_is_nil(structured) && !is_error)
        m = gr_set(m, "artifact", gr_map(GR_KV("structured_content", gr_value_ref(structured))));
    return gr_set(m, "status", gr_str(is_error ? "error" : "success"));
}

/* answer_of makes the tool's answer of the server's. */
static gr_value *answer_of(gr_ctx *c, const gr_value *input, const gr_value *result)
{
    gr_value *content = gri_mcp_content(gr_get(result, "content"));
    bool is_error = gr_as_bool(gr_get(result, "isError"), false);

    if (gr_error_code(content) != GR_OK)
        return content;
    if (is_error && (!is_call(input) || gr_as_bool(gr_get(result, "raise_errors"), false)))
        return failed(c, content);
    return is_call(input) ? message_of(input, content, result) : content;
}

static gr_value *tool_invoke(gr_ctx *c, void *self, const gr_value *input)
{
    const gr_value *args = is_call(input) ? gr_get(input, "args") : input;
    gr_value *result, *answer;

    (void)self;
    if (!gr_is_nil(args) && gr_value_type(args) != GR_MAP)
        return gr_error(GR_ETYPE, "%s takes a map of arguments", name_of(c));
    result = ask_client(
        c, "call_tool",
        gr_map(GR_KV("name", gr_str(name_of(c))), GR_KV("judge", gr_bool(true)),
               GR_KV("arguments", gr_is_nil(args) ? gr_map_n(NULL, 0) : gr_value_ref(args))));
    if (gr_error_code(result) != GR_OK)
        return result;
    answer = answer_of(c, input, result);
    gr_value_unref(result);
    return answer;
}

static gr_value *tool_tell(gr_ctx *c, void *self, const gr_value *args)
{
    (void)self;
    (void)args;
    return told(c);
}

static gr_value *tool_describe(gr_ctx *c, void *self, const gr_value *args)
{
    gr_value *known = told(c), *described;

    (void)self;
    (void)args;
    if (gr_error_code(known) != GR_OK)
        return known;
    described = gri_describe_leaf(gr_cstr(gr_get(known, "name"), name_of(c)),
                                  gr_value_ref(gr_get(known, "parameters")), NULL);
    gr_value_unref(known);
    return described;
}

static const gr_method tool_methods[] = {
    { "invoke", GR_ASYNC, tool_invoke, NULL },
    { "tool", GR_ASYNC, tool_tell, NULL },
    { "describe", GR_ASYNC, tool_describe, NULL },
};
static const gr_class tool_class =
    GR_CLASS(.name = "McpTool", .run_type = GR_TYPE_TOOL, GR_METHODS(tool_methods));

gr_ref gri_mcp_tool_spawn(gr_scope *in, gr_ref client, const char *name, gr_value *known)
{
    gr_value *args = gr_map(GR_KV("client", gr_ref_value(client)), GR_KV("name", gr_str(name)));
    const char *shown = gr_cstr(gr_get(known, "name"), name);

    if (known != NULL)
        args = gr_set(args, "told", gr_value_ref(known));
    client = gr_spawn(in, &tool_class, GR_SPAWN(.name = shown, .args = args));
    gr_value_unref(known);
    return client;
}

gr_ref gr_mcp_tool(gr_scope *in, gr_ref client, const char *name)
{
    if (name == NULL || name[0] == '\0')
        return gr_spawn(in, &tool_class,
                        GR_SPAWN(.args = gr_error(GR_EINVAL, "a tool needs its name")));
    return gri_mcp_tool_spawn(in, client, name, NULL);
}
