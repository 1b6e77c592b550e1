/* SPDX-License-Identifier: Apache-2.0 */
/* anthropic_content.c - a message's content as Anthropic's blocks. */
#include <ctype.h>

#include <greenroom/codec.h>

#include "actors/model/anthropic_wire.h"
#include "actors/model/media.h"
#include "actors/model/wire.h"

static gr_value *typed(const char *type)
{
    return gr_map(GR_KV("type", gr_str(type)));
}

/* is_blank: the API refuses a text of nothing but white space. */
static bool is_blank(const gr_value *text)
{
    const char *s = gr_cstr(text, "");

    for (size_t i = 0; i < gr_len(text); i++)
        if (!isspace((unsigned char)s[i]))
            return false;
    return true;
}

static gr_value *text_block(const gr_value *text)
{
    return is_blank(text) ? gr_nil() : gr_set(typed("text"), "text", gr_value_ref(text));
}

/* cached keeps where the prompt is to be cached, which may stand in a standard block's extras. */
static gr_value *cached(gr_value *block, const gr_value *part)
{
    block = gri_keep(block, "cache_control", gr_get(part, "cache_control"));
    return gri_keep(block, "cache_control", gr_get(gr_get(part, "extras"), "cache_control"));
}

static gr_value *of_text(const gr_value *part, bool strict)
{
    gr_value *block = text_block(gr_get(part, "text"));

    if (gr_is_nil(block))
        return block;
    if (!strict && gr_len(gr_get(part, "citations")) > 0)
        block = gri_keep(block, "citations", gr_get(part, "citations"));
    return cached(block, part);
}

static gr_value *source_of(const struct gri_media *m)
{
    if (m->text != NULL)
        return gr_map(GR_KV("type", gr_str("text")), GR_KV("media_type", gr_str("text/plain")),
                      GR_KV("data", gr_value_ref(m->text)));
    if (m->data != NULL && m->mime == NULL)
        return gr_error(GR_EINVAL, "base64 data needs a mime_type");
    if (m->data != NULL)
        return gr_map(GR_KV("type", gr_str("base64")),
                      GR_KV("media_type", gr_strn(m->mime, m->mime_len)),
                      GR_KV("data", gr_strn(m->data, m->data_len)));
    if (m->file_id != NULL)
        return gr_map(GR_KV("type", gr_str("file")), GR_KV("file_id", gr_str(m->file_id)));
    return gr_map(GR_KV("type", gr_str("url")), GR_KV("url", gr_str(m->url)));
}

static gr_value *of_media(const gr_value *part, const struct gri_media *m)
{
    bool image = m->kind == GRI_MEDIA_IMAGE;
    gr_value *source, *block;

    if (m->kind == GRI_MEDIA_AUDIO || m->kind == GRI_MEDIA_VIDEO)
        return gr_error(GR_EINVAL, "Anthropic takes images and documents, no '%s'",
                        gr_cstr(gr_get(part, "type"), ""));
    if (gri_media_is_empty(m))
        return gr_error(GR_EINVAL, "an '%s' without a source that can be read",
                        gr_cstr(gr_get(part, "type"), ""));
    source = source_of(m);
    if (gr_error_code(source) != GR_OK)
        return source;
    block = gr_set(typed(image ? "image" : "document"), "source", source);
    if (!image) {
        block = gri_keep(block, "title", m->title);
        block = gri_keep(block, "context", gr_get(part, "context"));
        block = gri_keep(block, "citations", gr_get(part, "citations"));
    }
    return cached(block, part);
}

/* of_reasoning gives a standard block back as what it was made of; without its signature the API would
 * refuse it. */
static gr_value *of_reasoning(const gr_value *part)
{
    const gr_value *signature = gr_get(part, "signature");

    if (signature == NULL)
        signature = gr_get(gr_get(part, "extras"), "signature");
    if (gr_value_type(signature) != GR_STR)
        return gr_nil();
    return gr_map(GR_KV("type", gr_str("thinking")),
                  GR_KV("thinking", gr_str(gr_cstr(gr_get(part, "reasoning"), ""))),
                  GR_KV("signature", gr_value_ref(signature)));
}

gr_value *gri_anthropic_call(const gr_value *call)
{
    const gr_value *args = gr_get(call, "args");

    return gr_map(
        GR_KV("type", gr_str("tool_use")), GR_KV("id", gr_str(gr_cstr(gr_get(call, "id"), ""))),
        GR_KV("name", gr_str(gr_cstr(gr_get(call, "name"), ""))),
        GR_KV("input", gr_value_type(args) == GR_MAP ? gr_value_ref(args) : gr_map_n(NULL, 0)));
}

/* joined gives a block its arguments that came in parts. */
static gr_value *joined(gr_value *block)
{
    const gr_value *text = gr_get(block, "partial_json");
    gr_value *input;

    if (gr_value_type(text) != GR_STR)
        return block;
    input = gr_json_parse(gr_cstr(text, ""), gr_len(text), NULL);
    if (gr_value_type(input) == GR_MAP)
        return gr_without(gr_set(block, "input", input), "partial_json");
    gr_value_unref(input);
    return gr_without(block, "partial_json");
}

/* of_own lets Anthropic's own blocks pass, without what only chunks and answers have. */
static gr_value *of_own(const gr_value *part)
{
    gr_value *block = joined(gr_without(gr_value_ref(part), "index"));

    return gr_is_nil(gr_get(block, "citations")) ? gr_without(block, "citations") : block;
}

static gr_value *block_of(const gr_value *part, bool strict)
{
    struct gri_media m;

    if (gr_value_type(part) == GR_STR)
        return text_block(part);
    if (gr_value_type(gr_get(part, "type")) != GR_STR)
        return gr_error(GR_EINVAL, "a part of the content has no type");
    if (gri_has_type(part, "text"))
        return of_text(part, strict);
    if (gri_has_type(part, "reasoning"))
        return of_reasoning(part);
    if (gri_has_type(part, "tool_call"))
        return gri_anthropic_call(part);
    if (gri_has_type(part, "non_standard") && gr_value_type(gr_get(part, "value")) == GR_MAP)
        return gr_value_ref(gr_get(part, "value"));
    m = gri_media_read(part);
    return m.kind != GRI_MEDIA_NONE ? of_media(part, &m) : of_own(part);
}

gr_value *gri_anthropic_blocks(const gr_value *content, size_t at, bool strict)
{
    gr_value *list = gr_list_n(NULL, 0), *block, *err;
    bool plain = gr_value_type(content) == GR_STR;
    size_t count = plain ? 1 : gr_len(content);

    for (size_t i = 0; i < count; i++) {
        block = block_of(plain ? content : gr_at(content, i), strict);
        if (gr_error_code(block) != GR_OK) {
            err = gr_error(gr_error_code(block), "message %zu, part %zu: %s", at + 1, i + 1,
                           gr_error_text(block));
            gr_value_unref(block);
            gr_value_unref(list);
            return err;
        }
        if (!gr_is_nil(block))
            list = gr_append(list, block);
    }
    return list;
}
