/* SPDX-License-Identifier: Apache-2.0 */
/* openai_request.c - messages and parameters to the body of a request. */
#include "actors/model/openai_wire.h"

#include "actors/model/wire.h"

/* ---- messages -------------------------------------------------------------------------------- */

static bool is_type(const gr_value *m, const char *type, const char *chunk)
{
    const char *own = gr_cstr(gr_get(m, "type"), "");

    return strcmp(own, type) == 0 || strcmp(own, chunk) == 0;
}

const char *gri_openai_role(const gr_value *m)
{
    const char *own = gr_cstr(gr_get(gr_get(m, "additional_kwargs"), "__openai_role__"), "");

    if (is_type(m, "human", "HumanMessageChunk"))
        return "user";
    if (is_type(m, "ai", "AIMessageChunk"))
        return "assistant";
    if (is_type(m, "system", "SystemMessageChunk"))
        return strcmp(own, "developer") == 0 ? "developer" : "system";
    if (is_type(m, "tool", "ToolMessageChunk"))
        return "tool";
    if (is_type(m, "function", "FunctionMessageChunk"))
        return "function";
    if (is_type(m, "chat", "ChatMessageChunk"))
        return gr_cstr(gr_get(m, "role"), NULL);
    return NULL;
}

/* arguments_of: a call without any has the arguments {}. */
static gr_value *arguments_of(const gr_value *call)
{
    const gr_value *args = gr_get(call, "args");

    return gr_is_nil(args) ? gr_str("{}") : gri_wire_text(args);
}

static gr_value *add_calls(gr_value *list, const gr_value *calls)
{
    for (size_t i = 0; i < gr_len(calls); i++) {
        const gr_value *call = gr_at(calls, i), *id = gr_get(call, "id");
        gr_value *fn = gr_map(GR_KV("name", gr_str(gr_cstr(gr_get(call, "name"), ""))),
                              GR_KV("arguments", arguments_of(call)));

        list = gr_append(list, gr_map(GR_KV("id", gr_str(gr_cstr(id, ""))),
                                      GR_KV("type", gr_str("function")), GR_KV("function", fn)));
    }
    return list;
}

/* unsaid: the content of who only called is null, not "". */
static gr_value *unsaid(gr_value *out)
{
    const gr_value *content = gr_get(out, "content");

    return gr_value_type(content) == GR_STR && gr_len(content) == 0
               ? gr_set(out, "content", gr_nil())
               : out;
}

/* assistant adds what only the model's own messages have. Of what it said aloud only the id goes back. */
static gr_value *assistant(gr_value *out, const gr_value *m)
{
    const gr_value *aside = gr_get(m, "additional_kwargs");
    const gr_value *audio = gr_get(gr_get(aside, "audio"), "id");
    const gr_value *old = gr_get(aside, "function_call"); /* what there was before tool calls */
    gr_value *calls = add_calls(gr_list_n(NULL, 0), gr_get(m, "tool_calls"));

    calls = add_calls(calls, gr_get(m, "invalid_tool_calls"));
    if (gr_value_type(audio) == GR_STR)
        out = gr_set(out, "audio", gr_map(GR_KV("id", gr_value_ref(audio))));
    if (gr_error_code(calls) == GR_OK && gr_len(calls) == 0) {
        gr_value_unref(calls);
        return gr_value_type(old) == GR_MAP
                   ? gr_set(unsaid(out), "function_call", gr_value_ref(old))
                   : out;
    }
    return gr_set(unsaid(out), "tool_calls", calls);
}

static gr_value *request_message(const gr_value *m, size_t index)
{
    const char *role = gri_openai_role(m);
    const gr_value *name = gr_get(m, "name");
    gr_value *content, *out;

    if (role == NULL)
        return gr_error(GR_EINVAL, "message %zu: type '%s' can't be sent to a model", index + 1,
                        gr_cstr(gr_get(m, "type"), ""));
    content = gri_openai_content(gr_get(m, "content"), index);
    if (gr_error_code(content) != GR_OK)
        return content;
    out = gr_map(GR_KV("role", gr_str(role)), GR_KV("content", content));
    if (strcmp(role, "tool") == 0)
        return gr_set(out, "tool_call_id", gr_str(gr_cstr(gr_get(m, "tool_call_id"), "")));
    if (gr_value_type(name) == GR_STR)
        out = gr_set(out, "name", gr_value_ref(name));
    return strcmp(role, "assistant") == 0 ? assistant(out, m) : out;
}

gr_value *gri_openai_messages(const gr_value *messages)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(messages); i++) {
        gr_value *m = request_message(gr_at(messages, i), i);

        if (gr_error_code(m) != GR_OK) {
            gr_value_unref(list);
            return m;
        }
        list = gr_append(list, m);
    }
    return list;
}

/* ---- parameters ------------------------------------------------------------------------------ */

/* tool_choice: langchain-core's words for it, and a tool's name. */
static gr_value *tool_choice(const gr_value *choice)
{
    const char *name = gr_cstr(choice, NULL);

    if (gr_value_type(choice) == GR_BOOL)
        return gr_str(gr_as_bool(choice, false) ? "required" : "none");
    if (name == NULL || strcmp(name, "auto") == 0 || strcmp(name, "none") == 0 ||
        strcmp(name, "required") == 0)
        return gr_value_ref(choice);
    if (strcmp(name, "any") == 0)
        return gr_str("required");
    return gr_map(GR_KV("type", gr_str("function")),
                  GR_KV("function", gr_map(GR_KV("name", gr_value_ref(choice)))));
}

/* is_openai: OpenAI's own servers, also those of one region ("eu.api.openai.com"), have another name for the longest
 * answer than all others. */
static bool is_openai(const char *url)
{
    static const char scheme[] = "https://", host[] = "api.openai.com";
    size_t len;

    if (url == NULL || strncmp(url, scheme, sizeof(scheme) - 1) != 0)
        return false;
    url += sizeof(scheme) - 1;
    len = strcspn(url, "/:?");
    if (len < sizeof(host) - 1)
        return false;
    len -= sizeof(host) - 1;
    return memcmp(url + len, host, sizeof(host) - 1) == 0 && (len == 0 || url[len - 1] == '.');
}

/* is_of_streams: servers refuse stream_options where there is no stream, and whether there is one is not for a
 * parameter to say. */
static bool is_of_streams(const char *key, bool stream)
{
    return strcmp(key, "stream") == 0 || (!stream && strcmp(key, "stream_options") == 0);
}

/* params_of gives the body without its messages. */
static gr_value *params_of(const struct gri_model_ask *ask)
{
    gr_value *body = gr_map_n(NULL, 0);

    for (size_t i = 0; i < gr_len(ask->params); i++) {
        const char *key = NULL;
        const gr_value *v = gr_pair_at(ask->params, i, &key);

        if (gr_is_nil(v) || is_of_streams(key, ask->stream))
            continue;
        if (strcmp(key, "tool_choice") == 0)
            body = gr_set(body, key, tool_choice(v));
        else if (strcmp(key, "max_tokens") == 0 && is_openai(ask->url))
            body = gr_set(body, "max_completion_tokens", gr_value_ref(v));
        else
            body = gr_set(body, key, gr_value_ref(v));
    }
    return body;
}

gr_value *gri_openai_request(const struct gri_model_ask *ask)
{
    gr_value *wire = gri_openai_messages(ask->messages), *body;

    if (gr_error_code(wire) != GR_OK)
        return wire;
    body = gr_set(params_of(ask), "messages", wire);
    if (!ask->stream)
        return body;
    body = gr_set(body, "stream", gr_bool(true));
    /* Whoever says anything about it, and be it nil, knows a server that has its own mind. */
    if (gr_get(ask->params, "stream_options") != NULL)
        return body;
    return gr_set(body, "stream_options", gr_map(GR_KV("include_usage", gr_bool(true))));
}
