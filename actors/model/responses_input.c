/* SPDX-License-Identifier: Apache-2.0 */
/*
 * responses_input.c - messages to the items of a request.
 *
 * A message of the model's may be several items: what it thought, said and called, in that order, as its blocks have it.
 */
#include "actors/model/media.h"
#include "actors/model/openai_wire.h"
#include "actors/model/responses_wire.h"
#include "actors/model/wire.h"

static gr_value *of_type(const char *type)
{
    return gr_map(GR_KV("type", gr_str(type)));
}

static bool has_type_of(const gr_value *block, const char *const *types)
{
    while (*types != NULL && !gri_has_type(block, *types))
        types++;
    return *types != NULL;
}

/* own_of gives the block within one that langchain-core calls non-standard. */
static const gr_value *own_of(const gr_value *block)
{
    const gr_value *value = gr_get(block, "value");

    return gri_has_type(block, "non_standard") && gr_value_type(value) == GR_MAP ? value : block;
}

/* ---- what users and tools say ---------------------------------------------------------------- */

/* of_chat gives a part of chat completions, which is taken, as this API has it. */
static gr_value *of_chat(gr_value *part)
{
    const gr_value *image = gr_get(part, "image_url"), *file = gr_get(part, "file");
    gr_value *out = NULL;

    if (gri_has_type(part, "text"))
        out = gr_set(of_type("input_text"), "text", gr_str(gr_cstr(gr_get(part, "text"), "")));
    else if (gri_has_type(part, "image_url") && image != NULL)
        out = gri_keep(gri_keep(of_type("input_image"), "image_url",
                                gr_value_type(image) == GR_STR ? image : gr_get(image, "url")),
                       "detail", gr_get(image, "detail"));
    else if (gri_has_type(part, "file") && gr_value_type(file) == GR_MAP)
        out = gr_merge(of_type("input_file"), gr_value_ref(file));
    if (out == NULL)
        return part;
    gr_value_unref(part);
    return out;
}

/* part_of gives a block as this API has it; nil: it is left out; an error says which can't be sent. */
static gr_value *part_of(const gr_value *block, size_t message, size_t index)
{
    static const char *const own[] = { "input_text", "input_image", "input_file", "input_audio",
                                       NULL };
    struct gri_media m;

    block = own_of(block);
    if (has_type_of(block, own))
        return gr_without(gr_value_ref(block), "index");
    m = gri_media_read(block);
    if (m.kind == GRI_MEDIA_IMAGE && m.file_id != NULL && m.url == NULL && m.data == NULL)
        return gri_keep(gr_set(of_type("input_image"), "file_id", gr_str(m.file_id)), "detail",
                        gr_get(block, "detail"));
    if (m.kind == GRI_MEDIA_FILE && m.url != NULL)
        return gr_set(of_type("input_file"), "file_url", gr_str(m.url));
    return of_chat(gri_openai_part(block, message, index));
}

/* add_user adds what a user or a system says. An approval is an item of its own. */
static gr_value *add_user(gr_value *list, const gr_value *m, const char *role, size_t at)
{
    const gr_value *content = gr_get(m, "content");
    gr_value *parts;

    if (gr_value_type(content) != GR_LIST)
        return gr_append(list, gr_map(GR_KV("role", gr_str(role)),
                                      GR_KV("content", gr_str(gr_cstr(content, "")))));
    parts = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(content) && gr_error_code(parts) == GR_OK; i++) {
        const gr_value *block = own_of(gr_at(content, i));
        gr_value *part;

        if (gri_has_type(block, "mcp_approval_response")) {
            list = gr_append(list, gr_value_ref(block));
            continue;
        }
        part = part_of(block, at, i);
        if (!gr_is_nil(part))
            parts = gri_append_unless_error(parts, part);
    }
    if (gr_error_code(parts) != GR_OK) {
        gr_value_unref(list);
        return parts;
    }
    if (gr_len(parts) > 0)
        return gr_append(list, gr_map(GR_KV("role", gr_str(role)), GR_KV("content", parts)));
    gr_value_unref(parts);
    return list;
}

/* output_of gives what a tool said: a text, or parts if all of it can be said so, else its JSON. */
static gr_value *output_of(const gr_value *content, size_t at)
{
    gr_value *parts;

    if (gr_value_type(content) != GR_LIST)
        return gri_wire_text(content);
    parts = gr_list_n(NULL, 0);
    for (size_t i = 0; i < gr_len(content) && gr_error_code(parts) == GR_OK; i++) {
        gr_value *part = part_of(gr_at(content, i), at, i);

        parts = gr_is_nil(part) ? parts : gri_append_unless_error(parts, part);
    }
    if (gr_error_code(parts) == GR_OK || gr_error_code(parts) == GR_ENOMEM)
        return parts;
    gr_value_unref(parts);
    return gri_wire_text(content);
}

/* add_output adds what a tool said. The outputs of the server's own kinds of tools are items as they are. */
static gr_value *add_output(gr_value *list, const gr_value *m, size_t at)
{
    static const char *const own[] = { "computer_call_output", "custom_tool_call_output", NULL };
    const gr_value *content = gr_get(m, "content"), *id = gr_get(m, "tool_call_id");
    gr_value *output;

    for (size_t i = 0; gr_value_type(content) == GR_LIST && i < gr_len(content); i++) {
        const gr_value *block = own_of(gr_at(content, i));

        if (has_type_of(block, own))
            return gr_append(list,
                             gri_keep(gr_without(gr_value_ref(block), "index"), "call_id", id));
    }
    output = output_of(content, at);
    if (gr_error_code(output) != GR_OK) {
        gr_value_unref(list);
        return output;
    }
    return gr_append(list,
                     gr_map(GR_KV("type", gr_str("function_call_output")),
                            GR_KV("call_id", gr_str(gr_cstr(id, ""))), GR_KV("output", output)));
}

/* ---- what the model said --------------------------------------------------------------------- */

/* What has been read of a message of the model's. At most one of parts and thought is there. */
struct said {
    gr_value *list;     /* owned: the items that are complete */
    gr_value *parts;    /* owned: of the text that may grow; NULL: none */
    gr_value *thought;  /* owned: a reasoning item that may grow; NULL: none */
    const gr_value *id; /* of the text's item, or NULL */
    bool stored;
};

static bool same(const gr_value *a, const gr_value *b)
{
    return gr_is_nil(a) || gr_is_nil(b) ? gr_is_nil(a) && gr_is_nil(b) : gr_equal(a, b);
}

static void flush(struct said *s)
{
    if (s->parts != NULL)
        s->list = gr_append(s->list, gri_keep(gr_map(GR_KV("type", gr_str("message")),
                                                     GR_KV("role", gr_str("assistant")),
                                                     GR_KV("content", s->parts)),
                                              "id", s->id));
    if (s->thought != NULL)
        s->list = gr_append(s->list, s->thought);
    s->parts = s->thought = NULL;
}

static void add_item(struct said *s, gr_value *item)
{
    flush(s);
    s->list = gr_append(s->list, item);
}

/* say adds a part of a text; parts of one item go together. */
static void say(struct said *s, gr_value *part, const gr_value *id)
{
    if (s->parts == NULL || !same(s->id, id)) {
        flush(s);
        s->parts = gr_list_n(NULL, 0);
        s->id = id;
    }
    s->parts = gr_append(s->parts, part);
}

/* citations_of gives what stands in a text as the server has it. */
static gr_value *citations_of(const gr_value *annotations)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(annotations); i++) {
        const gr_value *a = gr_at(annotations, i), *index = gr_get(a, "file_index");
        gr_value *out = gr_value_ref(a);

        if (index != NULL)
            out = gr_set(gr_without(out, "file_index"), "index", gr_value_ref(index));
        list = gr_append(list, out);
    }
    return list;
}

static void say_text(struct said *s, const gr_value *text, const gr_value *block)
{
    if (gr_value_type(text) != GR_STR || gr_len(text) == 0)
        return;
    say(s,
        gr_map(GR_KV("type", gr_str("output_text")), GR_KV("text", gr_value_ref(text)),
               GR_KV("annotations", citations_of(gr_get(block, "annotations")))),
        gr_get(block, "id"));
}

/* plain_parts gives the parts of a thought without the places that they had in a stream. */
static gr_value *plain_parts(const gr_value *parts)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(parts); i++)
        list = gr_append(list, gr_without(gr_value_ref(gr_at(parts, i)), "index"));
    return list;
}

/* thought_of gives a reasoning item of a block as the API has it, or as langchain-core's standard does. */
static gr_value *thought_of(const gr_value *block)
{
    const gr_value *extras = gr_get(block, "extras"), *text = gr_get(block, "reasoning");
    gr_value *item =
        gr_without(gr_without(gr_without(gr_value_ref(block), "index"), "extras"), "reasoning");
    gr_value *summary = plain_parts(gr_get(block, "summary"));

    if (gr_value_type(extras) == GR_MAP)
        item = gr_merge(item, gr_value_ref(extras));
    if (gr_len(text) > 0)
        summary = gr_append(summary, gr_map(GR_KV("type", gr_str("summary_text")),
                                            GR_KV("text", gr_value_ref(text))));
    item = gr_set(item, "summary", summary);
    if (gr_value_type(gr_get(block, "content")) == GR_LIST)
        item = gr_set(item, "content", plain_parts(gr_get(block, "content")));
    return item;
}

/* think adds a thought. Those of other providers have nothing that this server would know them by. */
static void think(struct said *s, const gr_value *block)
{
    gr_value *item = thought_of(block);
    const gr_value *id = gr_get(item, "id");

    if (gr_error_code(item) == GR_OK && gr_is_nil(gr_get(item, "encrypted_content")) &&
        (!s->stored || gr_is_nil(id))) {
        gr_value_unref(item);
        return;
    }
    if (s->thought != NULL && !gr_is_nil(id) && same(gr_get(s->thought, "id"), id)) {
        gr_value *all = gr_add(gr_value_ref(gr_get(s->thought, "summary")),
                               gr_value_ref(gr_get(item, "summary")));

        s->thought = gr_set(s->thought, "summary", all);
        gr_value_unref(item);
        return;
    }
    flush(s);
    s->thought = item;
}

/* call_of gives a call's item; the API refuses one whose arguments are no JSON at all. */
static gr_value *call_of(const gr_value *block)
{
    gr_value *item = gr_without(gr_value_ref(block), "index");

    return gri_has_type(block, "function_call") && gr_len(gr_get(block, "arguments")) == 0
               ? gr_set(item, "arguments", gr_str("{}"))
               : item;
}

static void add_block(struct said *s, const gr_value *block)
{
    static const char *const items[] = { "function_call",
                                         "custom_tool_call",
                                         "web_search_call",
                                         "file_search_call",
                                         "computer_call",
                                         "mcp_call",
                                         "mcp_list_tools",
                                         "mcp_approval_request",
                                         "code_interpreter_call",
                                         "local_shell_call",
                                         NULL };

    block = own_of(block);
    if (gr_value_type(block) == GR_STR)
        say_text(s, block, NULL);
    else if (gri_has_type(block, "text") || gri_has_type(block, "output_text"))
        say_text(s, gr_get(block, "text"), block);
    else if (gri_has_type(block, "refusal") && gr_value_type(gr_get(block, "refusal")) == GR_STR)
        say(s,
            gr_map(GR_KV("type", gr_str("refusal")),
                   GR_KV("refusal", gr_value_ref(gr_get(block, "refusal")))),
            gr_get(block, "id"));
    else if (gri_has_type(block, "reasoning"))
        think(s, block);
    else if (gri_has_type(block, "image_generation_call")) /* it is known by its id */
        add_item(s, gri_keep(of_type("image_generation_call"), "id", gr_get(block, "id")));
    else if (has_type_of(block, items))
        add_item(s, call_of(block));
}

/* is_called tells whether an item has that call already. */
static bool is_called(const gr_value *list, size_t from, const gr_value *id)
{
    for (size_t i = from; i < gr_len(list); i++)
        if ((gri_has_type(gr_at(list, i), "function_call") ||
             gri_has_type(gr_at(list, i), "custom_tool_call")) &&
            same(gr_get(gr_at(list, i), "call_id"), id))
            return true;
    return false;
}

static void add_calls(struct said *s, size_t from, const gr_value *calls)
{
    for (size_t i = 0; i < gr_len(calls); i++) {
        const gr_value *call = gr_at(calls, i), *id = gr_get(call, "id"),
                       *args = gr_get(call, "args");

        if (is_called(s->list, from, id))
            continue;
        add_item(s,
                 gr_map(GR_KV("type", gr_str("function_call")),
                        GR_KV("call_id", gr_str(gr_cstr(id, ""))),
                        GR_KV("name", gr_str(gr_cstr(gr_get(call, "name"), ""))),
                        GR_KV("arguments", gr_is_nil(args) ? gr_str("{}") : gri_wire_text(args))));
    }
}

static gr_value *add_said(gr_value *list, const gr_value *m, bool stored)
{
    const gr_value *content = gr_get(m, "content");
    size_t from = gr_len(list);
    struct said s = { .list = list, .stored = stored };

    if (gr_value_type(content) == GR_STR)
        say_text(&s, content, NULL);
    for (size_t i = 0; gr_value_type(content) == GR_LIST && i < gr_len(content); i++)
        add_block(&s, gr_at(content, i));
    flush(&s);
    add_calls(&s, from, gr_get(m, "tool_calls"));
    add_calls(&s, from, gr_get(m, "invalid_tool_calls"));
    return s.list;
}

/* ---- all ------------------------------------------------------------------------------------- */

static gr_value *add_message(gr_value *list, const gr_value *m, size_t at, bool stored)
{
    const char *role = gri_openai_role(m);

    if (role == NULL || strcmp(role, "function") == 0) {
        gr_value_unref(list);
        return gr_error(GR_EINVAL, "message %zu: type '%s' can't be sent to a model", at + 1,
                        gr_cstr(gr_get(m, "type"), ""));
    }
    if (strcmp(role, "assistant") == 0)
        return add_said(list, m, stored);
    return strcmp(role, "tool") == 0 ? add_output(list, m, at) : add_user(list, m, role, at);
}

gr_value *gri_responses_input(const gr_value *messages, size_t first, bool stored)
{
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = first; i < gr_len(messages) && gr_error_code(list) == GR_OK; i++)
        list = add_message(list, gr_at(messages, i), i, stored);
    return list;
}
