/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content_blocks.c - gr_content_blocks: a message's content as langchain-core's standard blocks.
 *
 * Standard blocks go through as they are. OpenAI's and Anthropic's parts, and the blocks of langchain-core's first version
 * ("source_type"), are translated; what nobody knows becomes {"type": "non_standard", "value": …}.
 */
#include <greenroom/codec.h>
#include <greenroom/message.h>
#include <greenroom/messages.h>

#include <string.h>

#include "actors/message/role.h"

static bool is(const gr_value *text, const char *wanted)
{
    return strcmp(gr_cstr(text, ""), wanted) == 0;
}

static bool is_text(const gr_value *v)
{
    return gr_value_type(v) == GR_STR && gr_len(v) > 0;
}

static gr_value *block_of(const char *type)
{
    return gr_map(GR_KV("type", gr_str(type)));
}

/* put copies a value under another key, if it is there. */
static gr_value *put(gr_value *block, const char *as, const gr_value *v)
{
    return gr_is_nil(v) ? block : gr_set(block, as, gr_value_ref(v));
}

/* put_extra does so under "extras". */
static gr_value *put_extra(gr_value *block, const char *as, const gr_value *v)
{
    gr_value *extras;

    if (gr_is_nil(v))
        return block;
    extras =
        gr_get(block, "extras") != NULL ? gr_value_ref(gr_get(block, "extras")) : gr_map_n(NULL, 0);
    return gr_set(block, "extras", gr_set(extras, as, gr_value_ref(v)));
}

/* put_common keeps what every block may have. */
static gr_value *put_common(gr_value *block, const gr_value *from)
{
    return put(put(block, "id", gr_get(from, "id")), "index", gr_get(from, "index"));
}

/* put_url adds a URL, or the data that stands in one: "data:image/png;base64,…". */
static gr_value *put_url(gr_value *block, const gr_value *url)
{
    const char *s = gr_cstr(url, ""), *comma = strchr(s, ','), *mark = strstr(s, ";base64,");

    if (strncmp(s, "data:", 5) != 0 || mark == NULL || comma != mark + 7)
        return put(block, "url", url);
    block = gr_set(block, "base64", gr_str(comma + 1));
    return mark > s + 5 ? gr_set(block, "mime_type", gr_strn(s + 5, (size_t)(mark - s - 5)))
                        : block;
}

/* ---- OpenAI ---------------------------------------------------------------------------------- */

static gr_value *of_image_url(const gr_value *from)
{
    const gr_value *image = gr_get(from, "image_url");
    gr_value *block =
        put_url(block_of("image"), gr_value_type(image) == GR_STR ? image : gr_get(image, "url"));

    return put_extra(block, "detail", gr_get(image, "detail"));
}

static gr_value *of_input_audio(const gr_value *from)
{
    const gr_value *audio = gr_get(from, "input_audio");
    const char *format = gr_cstr(gr_get(audio, "format"), NULL);
    gr_value *block = put(block_of("audio"), "base64", gr_get(audio, "data"));

    return format == NULL ? block : gr_set(block, "mime_type", gr_strf("audio/%s", format));
}

static gr_value *of_file(const gr_value *from)
{
    const gr_value *file = gr_get(from, "file");
    gr_value *block = block_of("file");

    if (is_text(gr_get(file, "file_data")))
        block = put_url(block, gr_get(file, "file_data"));
    block = put(block, "file_id", gr_get(file, "file_id"));
    return put_extra(block, "filename", gr_get(file, "filename"));
}

/* ---- Anthropic ------------------------------------------------------------------------------- */

/* of_source reads an image or a document with its "source". */
static gr_value *of_source(const gr_value *from)
{
    const gr_value *source = gr_get(from, "source"), *type = gr_get(source, "type");
    bool text = is(type, "text");
    gr_value *block = block_of(is(gr_get(from, "type"), "image") ? "image"
                               : text                            ? "text-plain"
                                                                 : "file");

    if (text)
        block = put(block, "text", gr_get(source, "data"));
    else if (is(type, "base64"))
        block = put(block, "base64", gr_get(source, "data"));
    block = put(put(block, "url", gr_get(source, "url")), "file_id", gr_get(source, "file_id"));
    block = put(block, "mime_type", gr_get(source, "media_type"));
    block = put(put(block, "title", gr_get(from, "title")), "context", gr_get(from, "context"));
    return put_extra(block, "cache_control", gr_get(from, "cache_control"));
}

static gr_value *of_thinking(const gr_value *from)
{
    gr_value *block = put(block_of("reasoning"), "reasoning", gr_get(from, "thinking"));

    return put_extra(block, "signature", gr_get(from, "signature"));
}

/* args_of reads the arguments of a call, which may have come as text. */
static gr_value *args_of(const gr_value *from)
{
    const gr_value *input = gr_get(from, "input"), *text = gr_get(from, "partial_json");
    gr_value *args;

    if (gr_len(input) > 0 || !is_text(text))
        return input != NULL ? gr_value_ref(input) : gr_map_n(NULL, 0);
    args = gr_json_parse(gr_cstr(text, ""), gr_len(text), NULL);
    if (gr_value_type(args) == GR_MAP)
        return args;
    gr_value_unref(args);
    return gr_map_n(NULL, 0);
}

static gr_value *of_tool_use(const gr_value *from)
{
    bool server = is(gr_get(from, "type"), "server_tool_use");
    gr_value *block = block_of(server ? "server_tool_call" : "tool_call");

    if (server && is(gr_get(from, "name"), "code_execution"))
        block = gr_set(block, "name", gr_str("code_interpreter"));
    else
        block = put(block, "name", gr_get(from, "name"));
    return gr_set(block, "args", args_of(from));
}

/* of_open_call reads one that is still coming. */
static gr_value *of_open_call(const gr_value *from)
{
    const gr_value *text = gr_get(from, "partial_json");
    gr_value *block = put(block_of("tool_call_chunk"), "name", gr_get(from, "name"));

    block = gr_set(block, "args", is_text(text) ? gr_value_ref(text) : gr_str(""));
    return put_common(block, from);
}

/* annotation_of reads a citation. */
static gr_value *annotation_of(const gr_value *from)
{
    static const char *const kinds[] = { "web_search_result_location", "char_location",
                                         "content_block_location", "page_location",
                                         "search_result_location" };
    static const char *const known[] = { "type",           "cited_text", "url",   "title",
                                         "document_title", "index",      "extras" };
    const gr_value *v;
    const char *key = NULL;
    size_t kind = 0;
    gr_value *out;

    while (kind < 5 && !is(gr_get(from, "type"), kinds[kind]))
        kind++;
    if (kind == 5)
        return gr_set(block_of("non_standard_annotation"), "value", gr_value_ref(from));
    out = put(block_of("citation"), "cited_text", gr_get(from, "cited_text"));
    out = put(put(out, "url", gr_get(from, "url")), "title", gr_get(from, "title"));
    out = put(out, "title", gr_get(from, "document_title"));
    for (size_t i = 0; (v = gr_pair_at(from, i, &key)) != NULL; i++) {
        size_t k = 0;

        while (k < 7 && strcmp(known[k], key) != 0)
            k++;
        if (k == 7)
            out = put_extra(out, key, v);
    }
    return out;
}

static gr_value *of_cited_text(const gr_value *from)
{
    const gr_value *citations = gr_get(from, "citations"), *text = gr_get(from, "text");
    gr_value *block =
        gr_set(block_of("text"), "text", text != NULL ? gr_value_ref(text) : gr_str(""));
    gr_value *list = gr_list_n(NULL, 0);

    for (size_t i = 0; i < gr_len(citations); i++)
        list = gr_append(list, annotation_of(gr_at(citations, i)));
    return gr_set(block, "annotations", list);
}

static gr_value *of_tool_result(const gr_value *from)
{
    const gr_value *content = gr_get(from, "content");
    bool failed = gr_get(content, "error_code") != NULL;
    gr_value *block =
        put(block_of("server_tool_result"), "tool_call_id", gr_get(from, "tool_use_id"));

    block = gr_set(block, "status", gr_str(failed ? "error" : "success"));
    return put(block, "output", content);
}

/* ---- langchain-core's first version ----------------------------------------------------------- */

static gr_value *of_source_type(const gr_value *from)
{
    const gr_value *how = gr_get(from, "source_type");
    bool text = is(how, "text");
    gr_value *block = block_of(text ? "text-plain" : gr_cstr(gr_get(from, "type"), ""));

    if (text)
        block = put(block, "text", gr_get(from, "text"));
    else if (is(how, "base64"))
        block = put(block, "base64", gr_get(from, "data"));
    else if (is(how, "id"))
        block = put(block, "file_id", gr_get(from, "id"));
    block = put(block, "url", gr_get(from, "url"));
    block = put(block, "mime_type", gr_get(from, "mime_type"));
    return put_extra(block, "metadata", gr_get(from, "metadata"));
}

/* ---- one block ------------------------------------------------------------------------------- */

static bool is_standard(const char *type)
{
    static const char *const types[] = { "text",
                                         "reasoning",
                                         "tool_call",
                                         "tool_call_chunk",
                                         "image",
                                         "invalid_tool_call",
                                         "server_tool_call",
                                         "server_tool_call_chunk",
                                         "audio",
                                         "file",
                                         "video",
                                         "server_tool_result",
                                         "text-plain",
                                         "non_standard" };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i], type) == 0)
            return true;
    return false;
}

/* translated reads what is in a form of somebody's; NULL: it is in none that is known. */
static gr_value *translated(const gr_value *from, const char *type)
{
    static const struct {
        const char *type, *key; /* what it must have besides */
        gr_value *(*read)(const gr_value *from);
    } forms[] = {
        { "image_url", "image_url", of_image_url },
        { "input_audio", "input_audio", of_input_audio },
        { "file", "file", of_file },
        { "image", "source", of_source },
        { "document", "source", of_source },
        { "thinking", "thinking", of_thinking },
        { "text", "citations", of_cited_text },
        { "tool_use", "type", of_tool_use },
        { "server_tool_use", "name", of_tool_use },
        { "web_search_tool_result", "tool_use_id", of_tool_result },
        { "code_execution_tool_result", "tool_use_id", of_tool_result },
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (strcmp(forms[i].type, type) == 0 && gr_get(from, forms[i].key) != NULL)
            return put_common(forms[i].read(from), from);
    return gr_get(from, "source_type") != NULL && is_standard(type) ? of_source_type(from) : NULL;
}

static gr_value *standard(const gr_value *block)
{
    const char *type = gr_cstr(gr_get(block, "type"), "");
    gr_value *v;

    if (gr_value_type(block) == GR_STR)
        return gr_set(block_of("text"), "text", gr_value_ref(block));
    v = translated(block, type);
    if (v != NULL)
        return v;
    if (is_standard(type))
        return gr_value_ref(block);
    return gr_set(block_of("non_standard"), "value", gr_value_ref(block));
}

/* ---- what stands beside the content ----------------------------------------------------------- */

static bool has(const gr_value *blocks, const char *type, const gr_value *id)
{
    for (size_t i = 0; i < gr_len(blocks); i++)
        if (is(gr_get(gr_at(blocks, i), "type"), type) &&
            (id == NULL || gr_equal(gr_get(gr_at(blocks, i), "id"), id)))
            return true;
    return false;
}

/* add_calls adds the calls with an id that the blocks lack. */
static gr_value *add_calls(gr_value *blocks, const gr_value *calls)
{
    for (size_t i = 0; i < gr_len(calls); i++) {
        const gr_value *call = gr_at(calls, i), *id = gr_get(call, "id");

        if (is_text(id) && !has(blocks, "tool_call", id))
            blocks = gr_append(blocks, gr_merge(gr_value_ref(call), block_of("tool_call")));
    }
    return blocks;
}

/* add_chunks adds the calls that are still coming, which have not been read, unless the content has them. */
static gr_value *add_chunks(gr_value *blocks, const gr_value *chunks)
{
    if (has(blocks, "tool_call_chunk", NULL))
        return blocks;
    for (size_t i = 0; i < gr_len(chunks); i++)
        blocks = gr_append(blocks,
                           gr_merge(gr_value_ref(gr_at(chunks, i)), block_of("tool_call_chunk")));
    return blocks;
}

/* of_call reads a call in the content: the message's own, if it has been read there; `open`: it is still coming. */
static gr_value *of_call(const gr_value *block, const gr_value *calls, bool open)
{
    const gr_value *id = gr_get(block, "id");

    for (size_t i = 0; is_text(id) && i < gr_len(calls); i++)
        if (gr_equal(gr_get(gr_at(calls, i), "id"), id))
            return put(gr_merge(gr_value_ref(gr_at(calls, i)), block_of("tool_call")), "index",
                       gr_get(block, "index"));
    return open ? of_open_call(block) : standard(block);
}

/* reasoning_first puts what the model thought before all it said. */
static gr_value *reasoning_first(gr_value *blocks, const gr_value *message)
{
    const gr_value *said = gr_get(gr_get(message, "additional_kwargs"), "reasoning_content");
    gr_value *block;

    if (!is_text(said) || has(blocks, "reasoning", NULL))
        return blocks;
    block = gr_set(block_of("reasoning"), "reasoning", gr_value_ref(said));
    return gr_add(gr_list(block), blocks);
}

gr_value *gr_content_blocks(const gr_value *message)
{
    gr_value *m = gr_message_coerce(gr_value_ref(message)), *blocks;
    const gr_value *content = gr_get(m, "content"), *calls = gr_get(m, "tool_calls");
    bool open;

    if (gr_error_code(m) != GR_OK)
        return m;
    open = calls == NULL && gr_len(gr_get(m, "tool_call_chunks")) > 0;
    blocks = gr_list_n(NULL, 0);
    if (is_text(content))
        blocks = gr_append(blocks, standard(content));
    for (size_t i = 0; gr_value_type(content) == GR_LIST && i < gr_len(content); i++) {
        const gr_value *block = gr_at(content, i);
        bool call = is(gr_get(block, "type"), "tool_use");

        blocks = gr_append(blocks, call ? of_call(block, calls, open) : standard(block));
    }
    if (gri_role_of(m)->kind == GRI_AI) {
        blocks =
            open ? add_chunks(blocks, gr_get(m, "tool_call_chunks")) : add_calls(blocks, calls);
        blocks = reasoning_first(blocks, m);
    }
    gr_value_unref(m);
    return blocks;
}
