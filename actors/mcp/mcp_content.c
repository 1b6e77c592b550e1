/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_content.c - content blocks, messages, blobs and documents. */
#include "actors/mcp/mcp_content.h"

#include <string.h>

#include <greenroom/message.h>
#include <greenroom/text.h>

#include "runtime/base/base64.h"

static gr_value *text_block(const gr_value *text)
{
    if (gr_value_type(text) != GR_STR)
        return gr_error(GR_EPROTO, "MCP content: a text block without text");
    return gr_map(GR_KV("type", gr_str("text")), GR_KV("text", gr_value_ref(text)));
}

/* data_block: where says what holds the data, "base64" or "url". */
static gr_value *data_block(const char *type, const char *where, const gr_value *data,
                            const gr_value *mime_type)
{
    gr_value *block;

    if (gr_value_type(data) != GR_STR)
        return gr_error(GR_EPROTO, "MCP content: a block of type %s without its %s", type, where);
    block = gr_map(GR_KV("type", gr_str(type)), GR_KV(where, gr_value_ref(data)));
    return gr_value_type(mime_type) == GR_STR ? gr_set(block, "mime_type", gr_value_ref(mime_type))
                                              : block;
}

static const char *file_type(const gr_value *mime_type)
{
    return strncmp(gr_cstr(mime_type, ""), "image/", 6) == 0 ? "image" : "file";
}

static gr_value *resource_block(const gr_value *resource)
{
    const gr_value *mime_type = gr_get(resource, "mimeType");

    if (gr_get(resource, "text") != NULL)
        return text_block(gr_get(resource, "text"));
    return data_block(file_type(mime_type), "base64", gr_get(resource, "blob"), mime_type);
}

static gr_value *block_of(const gr_value *item)
{
    const char *type = gr_cstr(gr_get(item, "type"), "");
    const gr_value *mime_type = gr_get(item, "mimeType");

    if (strcmp(type, "text") == 0)
        return text_block(gr_get(item, "text"));
    if (strcmp(type, "image") == 0 || strcmp(type, "audio") == 0)
        return data_block(type, "base64", gr_get(item, "data"), mime_type);
    if (strcmp(type, "resource_link") == 0)
        return data_block(file_type(mime_type), "url", gr_get(item, "uri"), mime_type);
    if (strcmp(type, "resource") == 0)
        return resource_block(gr_get(item, "resource"));
    return gr_error(GR_EPROTO, "MCP content of an unknown type, \"%.40s\"", type);
}

gr_value *gri_mcp_blocks(const gr_value *content)
{
    gr_value *blocks = gr_list_n(NULL, 0);

    if (gr_value_type(content) != GR_LIST) {
        gr_value_unref(blocks);
        return gr_error(GR_EPROTO, "MCP content that is no list");
    }
    for (size_t i = 0; i < gr_len(content); i++) {
        gr_value *block = block_of(gr_at(content, i));

        if (gr_error_code(block) != GR_OK) {
            gr_value_unref(blocks);
            return block;
        }
        blocks = gr_append(blocks, block);
    }
    return blocks;
}

gr_value *gri_mcp_content(const gr_value *content)
{
    gr_value *blocks = gri_mcp_blocks(content);
    const gr_value *text = gr_len(blocks) == 1 ? gr_get(gr_at(blocks, 0), "text") : NULL;

    if (gr_value_type(blocks) != GR_LIST || text == NULL)
        return blocks;
    text = gr_value_ref(text);
    gr_value_unref(blocks);
    return (gr_value *)(uintptr_t)text;
}

gr_value *gri_mcp_error_text(const gr_value *content)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *text;

    if (gr_value_type(content) == GR_STR)
        return gr_value_ref(content);
    for (size_t i = 0; i < gr_len(content); i++) {
        const char *line = gr_cstr(gr_get(gr_at(content, i), "text"), NULL);

        if (line != NULL) {
            gri_strbuf_adds(&b, b.len > 0 ? "\n" : "");
            gri_strbuf_adds(&b, line);
        }
    }
    if (b.len > 0)
        text = gr_strn(b.data, b.len);
    else if (gr_len(content) > 0)
        text = gr_strf("the tool failed, with %zu blocks that are no text", gr_len(content));
    else
        text = gr_str("the tool failed, without a word");
    gri_strbuf_fini(&b);
    return text;
}

/* message_of makes a message of one of a prompt's. */
static gr_value *message_of(const gr_value *m)
{
    const char *role = gr_cstr(gr_get(m, "role"), "");
    const gr_value *content = gr_get(m, "content");
    gr_value *made;

    if (strcmp(role, "user") != 0 && strcmp(role, "assistant") != 0)
        return gr_error(GR_EPROTO, "MCP prompt: a message of an unknown role, \"%.40s\"", role);
    if (gr_value_type(content) == GR_LIST)
        made = gri_mcp_content(content);
    else {
        gr_value *list = gr_list(gr_value_ref(content));

        made = gri_mcp_content(list);
        gr_value_unref(list);
    }
    return gr_error_code(made) != GR_OK ? made : gr_message(role, made);
}

gr_value *gri_mcp_messages(const gr_value *messages)
{
    gr_value *all = gr_list_n(NULL, 0);

    if (gr_value_type(messages) != GR_LIST) {
        gr_value_unref(all);
        return gr_error(GR_EPROTO, "MCP prompt: no list of messages");
    }
    for (size_t i = 0; i < gr_len(messages); i++) {
        gr_value *m = message_of(gr_at(messages, i));

        if (gr_error_code(m) != GR_OK) {
            gr_value_unref(all);
            return m;
        }
        all = gr_append(all, m);
    }
    return all;
}

/* uri_of: a resource may have several contents, each with a URI of its own. */
static const char *uri_of(const char *uri, const gr_value *contents)
{
    return gr_cstr(gr_get(contents, "uri"), uri);
}

/* bytes_of decodes a blob's data. */
static gr_value *bytes_of(const gr_value *blob)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *bytes;

    if (gr_value_type(blob) != GR_STR || !gri_base64_decode(&b, gr_cstr(blob, ""), gr_len(blob)))
        bytes = gr_error(GR_EPROTO, "MCP resource: neither text nor base64");
    else
        bytes = gr_bin(b.data, b.len);
    gri_strbuf_fini(&b);
    return bytes;
}

gr_value *gri_mcp_blob(const char *uri, const gr_value *contents)
{
    const gr_value *text = gr_get(contents, "text"), *mime_type = gr_get(contents, "mimeType");
    gr_value *data =
        gr_value_type(text) == GR_STR ? gr_value_ref(text) : bytes_of(gr_get(contents, "blob"));
    gr_value *blob;

    if (gr_error_code(data) != GR_OK)
        return data;
    blob = gr_map(GR_KV("data", data));
    if (gr_value_type(mime_type) == GR_STR)
        blob = gr_set(blob, "mimetype", gr_value_ref(mime_type));
    blob = gr_set(blob, "metadata", gr_map(GR_KV("uri", gr_str(uri_of(uri, contents)))));
    return gr_set(blob, "type", gr_str("Blob"));
}

gr_value *gri_mcp_document(const char *uri, const gr_value *contents)
{
    const gr_value *text = gr_get(contents, "text"), *mime_type = gr_get(contents, "mimeType");
    gr_value *metadata;

    if (gr_value_type(text) != GR_STR)
        return gr_nil();
    metadata = gr_map(GR_KV("source", gr_str(uri_of(uri, contents))));
    if (gr_value_type(mime_type) == GR_STR)
        metadata = gr_set(metadata, "mime_type", gr_value_ref(mime_type));
    return gr_document(gr_cstr(text, ""), metadata, NULL);
}
