/* SPDX-License-Identifier: Apache-2.0 */
/* ollama_request.c - messages and settings to the body of a request. */
#include "actors/model/media.h"
#include "actors/model/ollama_wire.h"
#include "actors/model/wire.h"
#include "runtime/base/strbuf.h"

/* ---- messages -------------------------------------------------------------------------------- */

static const char *role_of(const gr_value *m)
{
    static const char *const roles[][2] = {
        { "human", "user" },    { "HumanMessageChunk", "user" },
        { "ai", "assistant" },  { "AIMessageChunk", "assistant" },
        { "system", "system" }, { "SystemMessageChunk", "system" },
        { "tool", "tool" },     { "ToolMessageChunk", "tool" },
    };

    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        if (gri_has_type(m, roles[i][0]))
            return roles[i][1];
    return NULL;
}

/* What a content is taken apart into: Ollama has texts, thoughts and images, each in a field of its own. */
struct parts {
    struct gri_strbuf text, thinking;
    gr_value *images; /* owned */
};

static void add_text(struct gri_strbuf *b, const gr_value *text)
{
    if (b->len > 0)
        gri_strbuf_addc(b, '\n');
    gri_strbuf_add(b, gr_cstr(text, ""), gr_len(text));
}

static gr_value *add_image(struct parts *p, const gr_value *part)
{
    struct gri_media m = gri_media_read(part);

    if (m.kind == GRI_MEDIA_FILE && m.text != NULL) {
        add_text(&p->text, m.text);
        return NULL;
    }
    if (m.kind != GRI_MEDIA_IMAGE)
        return gr_error(GR_EINVAL, "Ollama takes texts and images, no '%s'",
                        gr_cstr(gr_get(part, "type"), ""));
    if (m.data == NULL)
        return gr_error(GR_EINVAL, "Ollama takes images in base64 only; one by URL is not fetched");
    p->images = gr_append(p->images, gr_strn(m.data, m.data_len));
    return NULL;
}

static gr_value *add_part(struct parts *p, const gr_value *part)
{
    if (gr_value_type(part) == GR_STR)
        add_text(&p->text, part);
    else if (gri_has_type(part, "text"))
        add_text(&p->text, gr_get(part, "text"));
    else if (gri_has_type(part, "reasoning"))
        add_text(&p->thinking, gr_get(part, "reasoning"));
    else if (gri_has_type(part, "thinking"))
        add_text(&p->thinking, gr_get(part, "thinking"));
    else if (!gri_has_type(part, "tool_use") && !gri_has_type(part, "tool_call") &&
             !gri_has_type(
                 part, "redacted_thinking")) /* those are in tool_calls, too, or not for others */
        return add_image(p, part);
    return NULL;
}

static gr_value *add_content(struct parts *p, const gr_value *content, size_t at)
{
    if (gr_value_type(content) == GR_STR)
        add_text(&p->text, content);
    for (size_t i = 0; gr_value_type(content) == GR_LIST && i < gr_len(content); i++) {
        gr_value *why = add_part(p, gr_at(content, i));

        if (why != NULL) {
            gr_value *err = gr_error(gr_error_code(why), "message %zu, part %zu: %s", at + 1, i + 1,
                                     gr_error_text(why));

            gr_value_unref(why);
            return err;
        }
    }
    return NULL;
}

static gr_value *text_of(struct gri_strbuf *b)
{
    if (b->failed)
        return gr_str(NULL); /* broken, and so is what it goes into */
    return gr_strn(b->len == 0 ? "" : b->data, b->len);
}

static gr_value *calls_of(const gr_value *m)
{
    const gr_value *calls = gr_get(m, "tool_calls");
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(calls); i++) {
        const gr_value *call = gr_at(calls, i), *args = gr_get(call, "args");
        gr_value *fn =
            gr_map(GR_KV("name", gr_str(gr_cstr(gr_get(call, "name"), ""))),
                   GR_KV("arguments",
                         gr_value_type(args) == GR_MAP ? gr_value_ref(args) : gr_map_n(NULL, 0)));

        list = gr_append(list, gr_map(GR_KV("function", fn)));
    }
    return list;
}

/* tool_name: which tool a result is of. Ollama knows no ids, so the call is looked for that has it. */
static const gr_value *tool_name(const gr_value *messages, size_t at)
{
    const gr_value *m = gr_at(messages, at), *id = gr_get(m, "tool_call_id");

    if (gr_value_type(gr_get(m, "name")) == GR_STR)
        return gr_get(m, "name");
    for (size_t i = at; i-- > 0;) {
        const gr_value *calls = gr_get(gr_at(messages, i), "tool_calls");

        for (size_t k = 0; k < gr_len(calls); k++)
            if (gr_equal(gr_get(gr_at(calls, k), "id"), id))
                return gr_get(gr_at(calls, k), "name");
    }
    return NULL;
}

static gr_value *fill_message(const gr_value *messages, size_t at, const char *role,
                              struct parts *p)
{
    const gr_value *m = gr_at(messages, at);
    const gr_value *aside = gr_get(gr_get(m, "additional_kwargs"), "reasoning_content");
    gr_value *out;

    if (p->thinking.len == 0 && gr_len(aside) > 0)
        add_text(&p->thinking, aside);
    out = gr_map(GR_KV("role", gr_str(role)), GR_KV("content", text_of(&p->text)));
    if (p->thinking.len > 0 && role[0] == 'a')
        out = gr_set(out, "thinking", text_of(&p->thinking));
    out = gri_keep_some(out, "images", gr_value_ref(p->images));
    if (role[0] == 'a')
        out = gri_keep_some(out, "tool_calls", calls_of(m));
    if (role[0] == 't')
        out = gri_keep(out, "tool_name", tool_name(messages, at));
    return out;
}

static gr_value *message_of(const gr_value *messages, size_t at)
{
    const gr_value *m = gr_at(messages, at);
    const char *role = role_of(m);
    struct parts p = { .text = GRI_STRBUF_INIT, .thinking = GRI_STRBUF_INIT };
    gr_value *out;

    if (role == NULL)
        return gr_error(GR_EINVAL, "message %zu: type '%s' can't be sent to Ollama", at + 1,
                        gr_cstr(gr_get(m, "type"), ""));
    p.images = gr_list_n(NULL, 0);
    out = add_content(&p, gr_get(m, "content"), at);
    if (out == NULL)
        out = fill_message(messages, at, role, &p);
    gri_strbuf_fini(&p.text);
    gri_strbuf_fini(&p.thinking);
    gr_value_unref(p.images);
    return out;
}

static gr_value *messages_of(const gr_value *messages)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(messages); i++) {
        gr_value *m = message_of(messages, i);

        if (gr_error_code(m) != GR_OK) {
            gr_value_unref(list);
            return m;
        }
        list = gr_append(list, m);
    }
    return list;
}

/* ---- settings -------------------------------------------------------------------------------- */

static bool is_one_of(const char *key, const char *const *keys)
{
    while (*keys != NULL && strcmp(*keys, key) != 0)
        keys++;
    return *keys != NULL;
}

static const char *const option_keys[] = { "temperature",
                                           "top_p",
                                           "top_k",
                                           "min_p",
                                           "typical_p",
                                           "tfs_z",
                                           "seed",
                                           "num_ctx",
                                           "num_predict",
                                           "num_keep",
                                           "num_gpu",
                                           "main_gpu",
                                           "num_batch",
                                           "num_thread",
                                           "numa",
                                           "use_mmap",
                                           "use_mlock",
                                           "low_vram",
                                           "repeat_last_n",
                                           "repeat_penalty",
                                           "presence_penalty",
                                           "frequency_penalty",
                                           "mirostat",
                                           "mirostat_eta",
                                           "mirostat_tau",
                                           "penalize_newline",
                                           NULL };
/* Those that are read on their own, or that Ollama has nothing like. */
static const char *const common_keys[] = { "model",
                                           "messages",
                                           "stop",
                                           "tools",
                                           "tool_choice",
                                           "parallel_tool_calls",
                                           "response_format",
                                           "max_tokens",
                                           "max_completion_tokens",
                                           "stream",
                                           "stream_options",
                                           "options",
                                           NULL };

gr_value *gri_ollama_options(gr_value *body, const gr_value *settings)
{
    const gr_value *given = gr_get(settings, "options"), *stop = gr_get(settings, "stop");
    gr_value *options = gr_map_n(NULL, 0);

    for (size_t i = 0; i < gr_len(settings); i++) {
        const char *key;
        const gr_value *v = gr_pair_at(settings, i, &key);

        if (is_one_of(key, option_keys))
            options = gri_keep(options, key, v);
    }
    options = gri_keep(options, "num_predict", gr_get(settings, "max_completion_tokens"));
    options = gri_keep(options, "num_predict", gr_get(settings, "max_tokens"));
    if (gr_value_type(stop) == GR_STR)
        options = gr_set(options, "stop", gr_list(gr_value_ref(stop)));
    else
        options = gri_keep(options, "stop", stop);
    if (gr_value_type(given) == GR_MAP)
        options = gr_merge(options, gr_value_ref(given));
    return gri_keep_some(body, "options", options);
}

/* tools_of offers the tools that the choice leaves. */
static gr_value *tools_of(const gr_value *tools, const gr_value *choice)
{
    static const char *const words[] = { "auto", "any", "required", NULL };
    const gr_value *name = gr_get(gr_get(choice, "function"), "name");
    gr_value *list = gr_list_n(NULL, 0);

    if (gri_is_text(choice, "none"))
        return list;
    if (gr_value_type(choice) == GR_STR && !is_one_of(gr_cstr(choice, ""), words))
        name = choice;
    for (size_t i = 0; i < gr_len(tools); i++) {
        const gr_value *tool = gr_at(tools, i);

        if (gr_is_nil(name) || gr_equal(gr_get(gr_get(tool, "function"), "name"), name))
            list = gr_append(list, gr_value_ref(tool));
    }
    return list;
}

/* format_of gives the schema, or "json"; nil for text. */
static gr_value *format_of(const gr_value *format)
{
    const gr_value *schema = gr_get(gr_get(format, "json_schema"), "schema");

    if (gri_has_type(format, "json_object"))
        return gr_str("json");
    if (gr_is_nil(format) || gri_has_type(format, "text"))
        return gr_nil();
    if (gri_has_type(format, "json_schema") && gr_value_type(schema) == GR_MAP)
        return gr_value_ref(schema);
    return gr_error(GR_EINVAL, "response_format is a json_schema with a schema, or json_object");
}

gr_value *gri_ollama_body(const gr_value *settings, const gr_value *messages, bool stream)
{
    gr_value *list = messages_of(messages),
             *format = format_of(gr_get(settings, "response_format"));
    gr_value *body;

    if (gr_error_code(list) != GR_OK || gr_error_code(format) != GR_OK) {
        gr_value *err = gr_value_ref(gr_error_code(list) != GR_OK ? list : format);

        gr_value_unref(list);
        gr_value_unref(format);
        return err;
    }
    body = gr_map(GR_KV("model", gr_str(gr_cstr(gr_get(settings, "model"), ""))),
                  GR_KV("messages", list), GR_KV("stream", gr_bool(stream)));
    if (!gr_is_nil(format))
        body = gr_set(body, "format", format);
    body = gri_keep_some(body, "tools",
                         tools_of(gr_get(settings, "tools"), gr_get(settings, "tool_choice")));
    body = gri_ollama_options(body, settings);
    for (size_t i = 0; i < gr_len(settings); i++) {
        const char *key;
        const gr_value *v = gr_pair_at(settings, i, &key);

        if (!is_one_of(key, common_keys) && !is_one_of(key, option_keys))
            body = gri_keep(body, key, v);
    }
    return body;
}
