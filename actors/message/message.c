/* SPDX-License-Identifier: Apache-2.0 */
/* message.c - making messages, making them of what people write for them, and reading their
 * text. */
#include <greenroom/codec.h>
#include <greenroom/message.h>
#include <greenroom/messages.h>

#include <string.h>

#include "actors/message/role.h"
#include "actors/message/tool_calls.h"
#include "runtime/base/strbuf.h"

static gr_value *check_content(gr_value *content)
{
    gr_type type = gr_value_type(content);
    gr_value *err;

    if (content == NULL)
        return gr_error(GR_EINVAL, "no value for a message's content");
    if (type == GR_STR || type == GR_LIST || gr_error_code(content) != GR_OK)
        return content;
    if (type == GR_NIL) {
        gr_value_unref(content);
        return gr_str("");
    }
    err = gr_error(GR_ETYPE, "a message's content is a string or a list, not of type %s",
                   gr_type_name(type));
    gr_value_unref(content);
    return err;
}

static gr_value *typed(const char *type, gr_value *content)
{
    content = check_content(content);
    if (gr_error_code(content) != GR_OK)
        return content;
    return gr_map(GR_KV("type", gr_str(type)), GR_KV("content", content));
}

gr_value *gr_human(const char *text)
{
    return typed("human", gr_str(text));
}

gr_value *gr_ai(const char *text)
{
    return typed("ai", gr_str(text));
}

gr_value *gr_system(const char *text)
{
    return typed("system", gr_str(text));
}

gr_value *gr_ai_chunk(const char *text)
{
    return typed("AIMessageChunk", gr_str(text));
}

gr_value *gr_chat_message(const char *role, gr_value *content)
{
    gr_value *m = typed("chat", content);

    return gr_error_code(m) != GR_OK ? m : gr_set(m, "role", gr_str(role));
}

gr_value *gr_remove_message(const char *id)
{
    gr_value *m = typed("remove", gr_str(""));

    return gr_error_code(m) != GR_OK ? m : gr_set(m, "id", gr_str(id));
}

gr_value *gr_tool_message(const char *tool_call_id, gr_value *content)
{
    gr_value *m = typed("tool", content);

    return gr_error_code(m) != GR_OK ? m : gr_set(m, "tool_call_id", gr_str(tool_call_id));
}

/* unknown_role takes what must be freed, and gives the error that names the role. */
static gr_value *unknown_role(const gr_value *role, gr_value *rest)
{
    gr_value *err = gr_error(GR_EINVAL,
                             "unknown role '%s': expected human, user, ai, assistant, system, "
                             "developer, tool or function",
                             gr_cstr(role, ""));

    gr_value_unref(rest);
    return gr_error_with(err, "kind", gr_str("MESSAGE_COERCION_FAILURE"));
}

static gr_value *of_role(const gr_value *name, gr_value *content)
{
    const struct gri_role *role = gri_role_find(name);
    gr_value *m;

    if (role == NULL || !role->has_content)
        return unknown_role(name, content);
    m = typed(role->type, content);
    if (strcmp(role->name, "developer") == 0 && gr_error_code(m) == GR_OK)
        m = gr_set(m, "additional_kwargs", gr_map(GR_KV("__openai_role__", gr_str("developer"))));
    return m;
}

gr_value *gr_message(const char *role, gr_value *content)
{
    gr_value *name = gr_str(role == NULL ? "" : role), *m;

    if (gr_error_code(name) == GR_ENOMEM) {
        gr_value_unref(content);
        return name;
    }
    m = of_role(name, content);
    gr_value_unref(name);
    return m;
}

static bool is_openai_calls(const gr_value *calls)
{
    return gr_value_type(calls) == GR_LIST && gr_get(gr_at(calls, 0), "function") != NULL;
}

/* is_message tells whether a map is one already, of a type that has been written as it should be. */
static bool is_message(const gr_value *map, const struct gri_role *role)
{
    gr_type content = gr_value_type(gr_get(map, "content"));

    return role != NULL && strcmp(role->type, role->name) == 0 &&
           (content == GR_STR || content == GR_LIST) &&
           (gr_get(map, "role") == NULL || role->kind == GRI_CHAT);
}

/* read_calls gives an answer the calls that it has in OpenAI's form only. */
static gr_value *read_calls(gr_value *m)
{
    const gr_value *own = gr_get(m, "tool_calls");
    const gr_value *calls = gr_get(gr_get(m, "additional_kwargs"), "tool_calls");
    gr_value *kept;

    if (strcmp(gr_cstr(gr_get(m, "type"), ""), "ai") != 0)
        return m;
    if (is_openai_calls(own))
        calls = own;
    else if (gr_len(own) > 0 || !is_openai_calls(calls))
        return m;
    kept = gr_value_ref(calls);
    m = gri_tool_calls_add(gr_without(m, "tool_calls"), kept);
    gr_value_unref(kept);
    return m;
}

/* removal: such a message has an id, and no content. */
static gr_value *removal(gr_value *map)
{
    const gr_value *id = gr_get(map, "id");
    gr_value *m;

    if (gr_value_type(id) == GR_STR)
        m = gr_remove_message(gr_cstr(id, ""));
    else
        m = gr_error_with(gr_error(GR_EINVAL, "a message of type remove has the id of another"),
                          "kind", gr_str("MESSAGE_COERCION_FAILURE"));
    gr_value_unref(map);
    return m;
}

/* of_map leaves a message as it is, and gives a map with a role its type first. */
static gr_value *of_map(gr_value *map)
{
    const gr_value *type = gr_get(map, "type"), *name = gr_get(map, "role");
    const struct gri_role *role = gri_role_find(type);
    gr_value *m;

    if (name == NULL && role == NULL)
        return unknown_role(type, map);
    if (is_message(map, role))
        return read_calls(map);
    if (name == NULL || (role != NULL && role->kind == GRI_CHAT))
        name = type;
    role = gri_role_find(name);
    if (role != NULL && role->kind == GRI_REMOVE)
        return removal(map);
    m = gr_value_ref(gr_get(map, "content"));
    m = m != NULL ? m : gr_nil();
    if (role != NULL && role->kind == GRI_CHAT)
        m = gr_chat_message(gr_cstr(gr_get(map, "role"), ""), m);
    else
        m = of_role(name, m);
    if (gr_error_code(m) != GR_OK) {
        gr_value_unref(map);
        return m;
    }
    map = gr_without(gr_without(gr_without(map, "role"), "type"), "content");
    return read_calls(gr_merge(m, map));
}

gr_value *gr_message_coerce(gr_value *v)
{
    gr_value *m;

    if (gr_error_code(v) != GR_OK)
        return v != NULL ? v : gr_error(GR_EINVAL, "no value");
    switch (gr_value_type(v)) {
    case GR_STR: return typed("human", v);
    case GR_LIST:
        if (gr_len(v) == 2 && gr_value_type(gr_at(v, 0)) == GR_STR) {
            m = of_role(gr_at(v, 0), gr_value_ref(gr_at(v, 1)));
            gr_value_unref(v);
            return m;
        }
        break;
    case GR_MAP: return of_map(v);
    default: break;
    }
    m = gr_error(
        GR_EINVAL,
        "a message is a string, a map with \"type\" or \"role\" and \"content\", or a pair "
        "[role, text]; not this %s",
        gr_type_name(gr_value_type(v)));
    gr_value_unref(v);
    return gr_error_with(m, "kind", gr_str("MESSAGE_COERCION_FAILURE"));
}

static gr_value *list_of_one(gr_value *m)
{
    return gr_error_code(m) != GR_OK ? m : gr_list(m);
}

/* A pair [role, text] that was read from JSON looks like two texts; the role tells. */
static bool is_pair(const gr_value *v)
{
    return gr_len(v) == 2 && gr_value_type(gr_at(v, 1)) == GR_STR &&
           gri_role_find(gr_at(v, 0)) != NULL;
}

gr_value *gr_messages_coerce(gr_value *v)
{
    gr_value *list;

    if (gr_error_code(v) != GR_OK)
        return v != NULL ? v : gr_error(GR_EINVAL, "no value");
    if (gr_value_type(v) == GR_MAP && gr_value_type(gr_get(v, "messages")) == GR_LIST) {
        list = gr_value_ref(gr_get(v, "messages"));
        gr_value_unref(v);
        v = list;
    }
    if (gr_value_type(v) != GR_LIST || is_pair(v))
        return list_of_one(gr_message_coerce(v));
    list = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(v) && gr_error_code(list) == GR_OK; i++) {
        gr_value *m = gr_message_coerce(gr_value_ref(gr_at(v, i)));

        if (gr_error_code(m) != GR_OK) {
            gr_value *err = gr_error(gr_error_code(m), "message %zu: %s", i + 1, gr_error_text(m));

            gr_value_unref(m);
            m = gr_error_with(err, "kind", gr_str("MESSAGE_COERCION_FAILURE"));
        }
        if (gr_error_code(m) != GR_OK) {
            gr_value_unref(list);
            list = m;
        } else {
            list = gr_append(list, m);
        }
    }
    gr_value_unref(v);
    return list;
}

/* add_text adds the text of a content: a string, or the strings and text blocks of a list. */
static void add_text(struct gri_strbuf *b, const gr_value *content)
{
    if (gr_value_type(content) == GR_STR)
        gri_strbuf_add(b, gr_cstr(content, ""), gr_len(content));
    if (gr_value_type(content) != GR_LIST)
        return;
    for (size_t i = 0; i < gr_len(content); i++) {
        const gr_value *block = gr_at(content, i);

        if (gr_value_type(block) == GR_MAP &&
            strcmp(gr_cstr(gr_get(block, "type"), "text"), "text") == 0)
            block = gr_get(block, "text");
        if (gr_value_type(block) == GR_STR)
            gri_strbuf_add(b, gr_cstr(block, ""), gr_len(block));
    }
}

static gr_value *take_text(struct gri_strbuf *b)
{
    gr_value *v = b->failed ? gr_error(GR_ENOMEM, "out of memory")
                            : gr_strn(b->len == 0 ? "" : b->data, b->len);

    gri_strbuf_fini(b);
    return v;
}

gr_value *gr_message_text(const gr_value *message)
{
    const gr_value *content = gr_get(message, "content");
    struct gri_strbuf b = GRI_STRBUF_INIT;

    if (gr_error_code(message) != GR_OK && message != NULL)
        return gr_value_ref(message);
    if (gr_value_type(message) == GR_STR)
        return gr_value_ref(message);
    if (gr_value_type(message) != GR_MAP || content == NULL)
        return gr_error(GR_ETYPE, "expected a message or a string, got a value of type %s",
                        gr_type_name(gr_value_type(message)));
    if (gr_value_type(content) == GR_STR)
        return gr_value_ref(content);
    add_text(&b, content);
    return take_text(&b);
}

gr_value *gr_message_of_chunk(gr_value *chunk)
{
    const gr_value *calls = gr_get(chunk, "tool_call_chunks");
    gr_value *kept = NULL;

    if (strcmp(gr_cstr(gr_get(chunk, "type"), ""), "AIMessageChunk") != 0)
        return chunk;
    if (gr_len(calls) > 0) {
        kept = gr_value_ref(calls);
        chunk = gr_without(gr_without(chunk, "tool_calls"), "invalid_tool_calls");
    }
    chunk = gr_set(chunk, "type", gr_str("ai"));
    chunk = gr_without(gr_without(chunk, "tool_call_chunks"), "chunk_position");
    if (kept != NULL)
        chunk = gri_tool_calls_add(chunk, kept);
    gr_value_unref(kept);
    return chunk;
}

/* add_calls adds what an answer calls, as JSON. */
static void add_calls(struct gri_strbuf *b, const gr_value *message)
{
    const gr_value *calls = gr_get(message, "tool_calls");
    char *json;

    if (gr_len(calls) == 0)
        calls = gr_get(gr_get(message, "additional_kwargs"), "function_call");
    if (gr_len(calls) == 0)
        return;
    json = gr_json_print(calls, 0, NULL);
    if (json != NULL)
        gri_strbuf_adds(b, json);
    b->failed |= json == NULL;
    gr_free(json);
}

gr_value *gr_get_buffer_string(const gr_value *messages, const char *human, const char *ai)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;

    if (gr_value_type(messages) != GR_LIST)
        return gr_error(GR_ETYPE, "expected a list of messages, got a value of type %s",
                        gr_type_name(gr_value_type(messages)));
    for (size_t i = 0; i < gr_len(messages); i++) {
        const gr_value *m = gr_at(messages, i);
        const struct gri_role *role = gri_role_of(m);
        const char *title = role == NULL ? NULL : role->title;

        if (role == NULL) {
            gri_strbuf_fini(&b);
            return gr_error(GR_ETYPE, "item %zu is no message", i + 1);
        }
        if (role->kind == GRI_HUMAN && human != NULL)
            title = human;
        else if (role->kind == GRI_AI && ai != NULL)
            title = ai;
        else if (role->kind == GRI_CHAT)
            title = gr_cstr(gr_get(m, "role"), title);
        gri_strbuf_addf(&b, "%s%s: ", i == 0 ? "" : "\n", title);
        add_text(&b, gr_get(m, "content"));
        if (role->kind == GRI_AI)
            add_calls(&b, m);
    }
    return take_text(&b);
}

gr_value *gr_messages_text(const gr_value *messages)
{
    return gr_get_buffer_string(messages, NULL, NULL);
}
