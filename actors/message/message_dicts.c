/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message_dicts.c - messages as langchain-core writes them down, and back: {"type", "data"} with all keys, or the
 * constructor of a message.
 *
 * What is read is data: only the constructors of messages are known, and nothing is made by a name that the text gives.
 */
#include <greenroom/message.h>
#include <greenroom/messages.h>

#include <string.h>

#include "actors/message/role.h"

/* value_or: a key that a message lacks has a default there. */
static gr_value *value_or(const gr_value *message, const char *key, gr_value *otherwise)
{
    const gr_value *v = gr_get(message, key);

    if (v == NULL)
        return otherwise;
    gr_value_unref(otherwise);
    return gr_value_ref(v);
}

/* whole gives a message with all keys that its class has. */
static gr_value *whole(const gr_value *m, const struct gri_role *role)
{
    gr_value *data =
        gr_map(GR_KV("content", value_or(m, "content", gr_str(""))),
               GR_KV("additional_kwargs", value_or(m, "additional_kwargs", gr_map_n(NULL, 0))),
               GR_KV("response_metadata", value_or(m, "response_metadata", gr_map_n(NULL, 0))),
               GR_KV("type", gr_str(role->type)), GR_KV("name", value_or(m, "name", gr_nil())),
               GR_KV("id", value_or(m, "id", gr_nil())));

    if (role->kind == GRI_AI) {
        data = gr_set(data, "tool_calls", value_or(m, "tool_calls", gr_list_n(NULL, 0)));
        data = gr_set(data, "invalid_tool_calls",
                      value_or(m, "invalid_tool_calls", gr_list_n(NULL, 0)));
        data = gr_set(data, "usage_metadata", value_or(m, "usage_metadata", gr_nil()));
    } else if (role->kind == GRI_TOOL) {
        data = gr_set(data, "tool_call_id", value_or(m, "tool_call_id", gr_str("")));
        data = gr_set(data, "artifact", value_or(m, "artifact", gr_nil()));
        data = gr_set(data, "status", value_or(m, "status", gr_str("success")));
    } else if (role->kind == GRI_CHAT) {
        data = gr_set(data, "role", value_or(m, "role", gr_str("")));
    }
    return gr_merge(data, gr_value_ref(m));
}

static gr_value *dict_of(const gr_value *m, const struct gri_role *role)
{
    return gr_map(GR_KV("type", gr_str(role->type)), GR_KV("data", whole(m, role)));
}

/* class_of is what a message's class is called. */
static gr_value *class_of(const struct gri_role *role)
{
    return role->is_chunk ? gr_str(role->chunk) : gr_strf("%sMessage", role->title);
}

static gr_value *constructor_of(const gr_value *m, const struct gri_role *role)
{
    gr_value *kwargs = gr_value_ref(m);

    if (role->kind == GRI_AI) {
        kwargs = gr_set(kwargs, "tool_calls", value_or(m, "tool_calls", gr_list_n(NULL, 0)));
        kwargs = gr_set(kwargs, "invalid_tool_calls",
                        value_or(m, "invalid_tool_calls", gr_list_n(NULL, 0)));
    }
    return gr_map(GR_KV("lc", gr_int(1)), GR_KV("type", gr_str("constructor")),
                  GR_KV("id", gr_list(gr_str("langchain"), gr_str("schema"), gr_str("messages"),
                                      class_of(role))),
                  GR_KV("kwargs", kwargs));
}

static gr_value *write_all(const gr_value *input,
                           gr_value *write(const gr_value *m, const struct gri_role *role))
{
    gr_value *messages = gr_messages_coerce(gr_value_ref(input)), *list;

    if (gr_error_code(messages) != GR_OK)
        return messages;
    list = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(messages); i++)
        list = gr_append(list, write(gr_at(messages, i), gri_role_of(gr_at(messages, i))));
    gr_value_unref(messages);
    return list;
}

gr_value *gr_messages_to_dict(const gr_value *messages)
{
    return write_all(messages, dict_of);
}

gr_value *gr_messages_dumpd(const gr_value *messages)
{
    return write_all(messages, constructor_of);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* compact leaves out what says nothing: nil, and empty lists and maps. */
static gr_value *compact(const gr_value *data, const char *type)
{
    gr_value *m = gr_map(GR_KV("type", gr_str(type)));
    const char *key = NULL;
    const gr_value *v;

    for (size_t i = 0; (v = gr_pair_at(data, i, &key)) != NULL; i++) {
        bool container = gr_value_type(v) == GR_LIST || gr_value_type(v) == GR_MAP;

        if (strcmp(key, "type") == 0 || gr_is_nil(v) ||
            (container && gr_len(v) == 0 && strcmp(key, "content") != 0))
            continue;
        m = gr_set(m, key, gr_value_ref(v));
    }
    return m;
}

/* type_of_class reads "HumanMessage", "AIMessageChunk" and so on; NULL: no message. */
static const char *type_of_class(const char *name)
{
    static const char *const types[] = { "human",    "ai",   "system", "tool",
                                         "function", "chat", "remove" };
    size_t len = strlen(name);
    const struct gri_role *role = gri_role_named(name);

    if (role != NULL && role->is_chunk)
        return role->type;
    if (len <= 7 || strcmp(name + len - 7, "Message") != 0)
        return NULL;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        role = gri_role_named(types[i]);
        if (strlen(role->title) == len - 7 && strncmp(role->title, name, len - 7) == 0)
            return role->type;
    }
    return NULL;
}

static gr_value *of_constructor(const gr_value *dict)
{
    const gr_value *path = gr_get(dict, "id");
    const char *name = gr_cstr(gr_at(path, gr_len(path) - 1), "");
    const char *type = type_of_class(name);

    if (strcmp(gr_cstr(gr_get(dict, "type"), ""), "constructor") != 0 || gr_len(path) == 0 ||
        type == NULL || gr_value_type(gr_get(dict, "kwargs")) != GR_MAP)
        return gr_error(GR_EINVAL, "'%.60s' is no constructor of a message", name);
    return gr_message_coerce(compact(gr_get(dict, "kwargs"), type));
}

static gr_value *of_dict(const gr_value *dict)
{
    const gr_value *data = gr_get(dict, "data");

    if (gr_get(dict, "lc") != NULL)
        return of_constructor(dict);
    if (gr_value_type(data) != GR_MAP)
        return gr_message_coerce(gr_value_ref(dict));
    if (gri_role_find(gr_get(dict, "type")) == NULL)
        return gr_error(GR_EINVAL, "type '%.60s' is none of a message",
                        gr_cstr(gr_get(dict, "type"), ""));
    return gr_message_coerce(compact(data, gr_cstr(gr_get(dict, "type"), "")));
}

gr_value *gr_messages_from_dict(const gr_value *dicts)
{
    gr_value *list = gr_list_n(NULL, 0);

    if (gr_value_type(dicts) != GR_LIST) {
        gr_value_unref(list);
        return gr_error(GR_ETYPE, "expected a list of messages, got a value of type %s",
                        gr_type_name(gr_value_type(dicts)));
    }
    for (size_t i = 0; i < gr_len(dicts) && gr_error_code(list) == GR_OK; i++) {
        gr_value *m = of_dict(gr_at(dicts, i));

        if (gr_error_code(m) == GR_OK) {
            list = gr_append(list, m);
            continue;
        }
        gr_value_unref(list);
        list = gr_error(gr_error_code(m), "message %zu: %s", i + 1, gr_error_text(m));
        gr_value_unref(m);
    }
    return list;
}
