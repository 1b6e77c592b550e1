/* SPDX-License-Identifier: Apache-2.0 */
/* openai_wire.c - messages to requests, answers and deltas to messages. */
#include "actors/model/openai_wire.h"

#include <string.h>

#include <greenroom/codec.h>
#include <greenroom/message.h>

#include "actors/message/tool_calls.h"

/* ---- requests -------------------------------------------------------------------------------- */

static const char *role_of(const gr_value *m)
{
    const char *type = gr_cstr(gr_get(m, "type"), "");
    const char *own = gr_cstr(gr_get(gr_get(m, "additional_kwargs"), "__openai_role__"), NULL);

    if (strcmp(type, "human") == 0 || strcmp(type, "HumanMessageChunk") == 0)
        return "user";
    if (strcmp(type, "ai") == 0 || strcmp(type, "AIMessageChunk") == 0)
        return "assistant";
    if (strcmp(type, "system") == 0 || strcmp(type, "SystemMessageChunk") == 0)
        return own != NULL && strcmp(own, "developer") == 0 ? "developer" : "system";
    if (strcmp(type, "tool") == 0 || strcmp(type, "ToolMessageChunk") == 0)
        return "tool";
    return NULL;
}

static gr_value *arguments_text(const gr_value *args)
{
    size_t len = 0;
    char *json;
    gr_value *text;

    if (gr_value_type(args) == GR_STR)
        return gr_value_ref(args);
    json = args == NULL ? NULL : gr_json_print(args, 0, &len);
    if (json == NULL)
        return args == NULL ? gr_str("{}") : gr_str(NULL) /* broken */;
    text = gr_strn(json, len);
    gr_free(json);
    return text;
}

static gr_value *add_calls(gr_value *list, const gr_value *calls)
{
    for (size_t i = 0; i < gr_len(calls); i++) {
        const gr_value *call = gr_at(calls, i), *id = gr_get(call, "id");
        gr_value *fn = gr_map(GR_KV("name", gr_str(gr_cstr(gr_get(call, "name"), ""))),
                              GR_KV("arguments", arguments_text(gr_get(call, "args"))));

        list = gr_append(list, gr_map(GR_KV("id", gr_str(gr_cstr(id, ""))),
                                      GR_KV("type", gr_str("function")), GR_KV("function", fn)));
    }
    return list;
}

static gr_value *request_message(const gr_value *m, size_t index)
{
    const char *role = role_of(m);
    const gr_value *content = gr_get(m, "content"), *name = gr_get(m, "name");
    gr_value *calls, *out;

    if (role == NULL)
        return gr_error(GR_EINVAL, "message %zu: type '%s' can't be sent to a model", index + 1,
                        gr_cstr(gr_get(m, "type"), ""));
    out = gr_map(GR_KV("role", gr_str(role)),
                 GR_KV("content", content == NULL ? gr_str("") : gr_value_ref(content)));
    if (gr_value_type(name) == GR_STR)
        out = gr_set(out, "name", gr_value_ref(name));
    if (strcmp(role, "tool") == 0)
        out = gr_set(out, "tool_call_id", gr_str(gr_cstr(gr_get(m, "tool_call_id"), "")));
    calls = add_calls(gr_list_n(NULL, 0), gr_get(m, "tool_calls"));
    calls = add_calls(calls, gr_get(m, "invalid_tool_calls"));
    if (strcmp(role, "assistant") != 0 || (gr_error_code(calls) == GR_OK && gr_len(calls) == 0)) {
        gr_value_unref(calls);
        return out;
    }
    if (gr_value_type(content) == GR_STR && gr_len(content) == 0)
        out = gr_set(out, "content", gr_nil());
    return gr_set(out, "tool_calls", calls);
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

/* ---- answers --------------------------------------------------------------------------------- */

static gr_value *count_of(const gr_value *usage, const char *key)
{
    return gr_int(gr_as_int(gr_get(usage, key), 0));
}

/* details keeps the counts that LangChain has a name for. */
static gr_value *details(gr_value *out, const char *as, const gr_value *from, const char *key,
                         const char *key_as)
{
    const gr_value *n = gr_get(from, key);

    if (gr_value_type(n) != GR_INT)
        return out;
    return gr_set(out, as, gr_map(GR_KV(key_as, gr_value_ref(n))));
}

gr_value *gri_openai_usage(const gr_value *usage)
{
    gr_value *out;

    if (gr_value_type(usage) != GR_MAP)
        return gr_nil();
    out = gr_map(GR_KV("input_tokens", count_of(usage, "prompt_tokens")),
                 GR_KV("output_tokens", count_of(usage, "completion_tokens")),
                 GR_KV("total_tokens", count_of(usage, "total_tokens")));
    out = details(out, "input_token_details", gr_get(usage, "prompt_tokens_details"),
                  "cached_tokens", "cache_read");
    return details(out, "output_token_details", gr_get(usage, "completion_tokens_details"),
                   "reasoning_tokens", "reasoning");
}

static gr_value *keep(gr_value *map, const char *as, const gr_value *v)
{
    return gr_is_nil(v) ? map : gr_set(map, as, gr_value_ref(v));
}

/* extras adds what has no place of its own: a refusal, and what reasoning models say aside. */
static gr_value *extras(gr_value *m, const gr_value *from)
{
    static const char *const keys[] = { "refusal", "reasoning_content", "reasoning" };
    gr_value *kwargs = gr_map_n(NULL, 0);

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        kwargs = keep(kwargs, keys[i], gr_get(from, keys[i]));
    if (gr_error_code(kwargs) == GR_OK && gr_len(kwargs) == 0) {
        gr_value_unref(kwargs);
        return m;
    }
    return gr_set(m, "additional_kwargs", kwargs);
}

static gr_value *content_of(const gr_value *content)
{
    gr_type type = gr_value_type(content);

    return type == GR_STR || type == GR_LIST ? gr_value_ref(content) : gr_str("");
}

static gr_value *response_metadata(const gr_value *json, const gr_value *finish)
{
    gr_value *meta = gr_map_n(NULL, 0);

    meta = keep(meta, "model_name", gr_get(json, "model"));
    meta = keep(meta, "system_fingerprint", gr_get(json, "system_fingerprint"));
    return keep(meta, "finish_reason", finish);
}

gr_value *gri_openai_answer(const gr_value *json)
{
    const gr_value *choice = gr_at(gr_get(json, "choices"), 0), *from = gr_get(choice, "message");
    const gr_value *error = gr_get(json, "error"), *id = gr_get(json, "id"), *calls;
    gr_value *m, *usage;

    if (!gr_is_nil(error))
        return gri_openai_error_of(200, error, -1);
    if (gr_value_type(json) != GR_MAP)
        return gr_error(GR_EPROTO, "the answer is no JSON object");
    if (gr_value_type(from) != GR_MAP)
        return gr_error(GR_EPROTO, "the answer has no choices[0].message");
    m = gr_map(GR_KV("type", gr_str("ai")), GR_KV("content", content_of(gr_get(from, "content"))));
    m = extras(m, from);
    calls = gr_get(from, "tool_calls");
    if (gr_len(calls) > 0)
        m = gri_tool_calls_add(m, calls);
    m = gr_set(m, "response_metadata", response_metadata(json, gr_get(choice, "finish_reason")));
    usage = gri_openai_usage(gr_get(json, "usage"));
    m = gr_is_nil(usage) ? m : gr_set(m, "usage_metadata", usage);
    return gr_value_type(id) == GR_STR ? gr_set(m, "id", gr_value_ref(id)) : m;
}

/* ---- streams --------------------------------------------------------------------------------- */

/* An empty text where a later fragment repeats its field means nothing (LM Studio sends name
 * ""). */
static gr_value *text_or_nil(const gr_value *v)
{
    return gr_value_type(v) == GR_STR && gr_len(v) > 0 ? gr_value_ref(v) : gr_nil();
}

static gr_value *call_chunks(const gr_value *calls)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(calls); i++) {
        const gr_value *call = gr_at(calls, i), *fn = gr_get(call, "function");
        const gr_value *args = gr_get(fn, "arguments");

        list = gr_append(
            list, gr_map(GR_KV("name", text_or_nil(gr_get(fn, "name"))),
                         GR_KV("args", gr_value_type(args) == GR_MAP ? arguments_text(args)
                                                                     : text_or_nil(args)),
                         GR_KV("id", text_or_nil(gr_get(call, "id"))),
                         GR_KV("index", gr_int(gr_as_int(gr_get(call, "index"), (int64_t)i))),
                         GR_KV("type", gr_str("tool_call_chunk"))));
    }
    return list;
}

static gr_value *delta_chunk(const gr_value *json, const gr_value *choice, const gr_value *delta)
{
    const gr_value *id = gr_get(json, "id"), *finish = gr_get(choice, "finish_reason");
    const gr_value *calls = gr_get(delta, "tool_calls");
    gr_value *m = gr_map(GR_KV("type", gr_str("AIMessageChunk")),
                         GR_KV("content", content_of(gr_get(delta, "content"))));

    m = extras(m, delta);
    if (gr_len(calls) > 0)
        m = gr_set(m, "tool_call_chunks", call_chunks(calls));
    /* Only the last delta carries the metadata: strings of several would be added up. */
    if (gr_value_type(finish) == GR_STR)
        m = gr_set(m, "response_metadata", response_metadata(json, finish));
    return gr_value_type(id) == GR_STR ? gr_set(m, "id", gr_value_ref(id)) : m;
}

gr_value *gri_openai_chunk(const gr_value *json, bool *finished)
{
    const gr_value *error = gr_get(json, "error"), *choices = gr_get(json, "choices");
    const gr_value *choice = NULL;
    gr_value *usage, *m;

    if (gr_value_type(json) != GR_MAP)
        return gr_error(GR_EPROTO, "a chunk of the stream is no JSON object");
    if (!gr_is_nil(error))
        return gri_openai_error_of(200, error, -1);
    if (strcmp(gr_cstr(gr_get(json, "object"), ""), "error") == 0)
        return gri_openai_error_of(200, json, -1);
    for (size_t i = 0; i < gr_len(choices) && choice == NULL; i++)
        if (gr_as_int(gr_get(gr_at(choices, i), "index"), 0) == 0) /* others: asked for with n */
            choice = gr_at(choices, i);
    usage = gri_openai_usage(gr_get(json, "usage"));
    if (choice == NULL && gr_is_nil(usage))
        return gr_nil();
    m = delta_chunk(json, choice, gr_get(choice, "delta"));
    if (gr_value_type(gr_get(choice, "finish_reason")) == GR_STR)
        *finished = true;
    return gr_is_nil(usage) ? m : gr_set(m, "usage_metadata", usage);
}

gr_value *gri_openai_event(const char *name, const gr_value *json, bool *finished)
{
    if (strcmp(name, "error") == 0 && gr_is_nil(gr_get(json, "error")))
        return gri_openai_error_of(200, json, -1);
    return gri_openai_chunk(json, finished);
}
