/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcp_fuzz.c - what an MCP server may send: the text of one message, and all that is made of its parts.
 *
 * Every part is also read as what it is not, since a server may put anything anywhere. What was read as a
 * request or a result must be made again the same.
 */
#include <greenroom/codec.h>

#include "actors/mcp/mcp_content.h"
#include "actors/mcp/mcp_message.h"
#include "tests/fuzz/fuzz.h"

static void drop_error(gr_value *v)
{
    must(v != NULL);
    gr_value_unref(v);
}

/* use_part makes of a part all that can be made of one. */
static void use_part(const gr_value *part)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;
    gr_value *headers = gri_mcp_param_headers(part);

    must(gr_error_code(headers) != GR_OK || gr_len(headers) <= 64);
    for (size_t i = 0; gr_error_code(headers) == GR_OK && i < gr_len(headers); i++) {
        const char *name = gr_cstr(gr_get(gr_at(headers, i), "header"), "");

        must(strncmp(name, "Mcp-Param-", 10) == 0 && strpbrk(name, " \r\n:") == NULL);
    }
    gr_value_unref(headers);
    drop_error(gri_mcp_content(part));
    drop_error(gri_mcp_messages(part));
    drop_error(gri_mcp_blob("x://", part));
    drop_error(gri_mcp_document("x://", part));
    drop_error(gri_mcp_error_text(part));
    drop_error(gri_mcp_error(part, 400));
    (void)gri_mcp_common_version(part);
    if (gri_mcp_header_value(&b, part))
        must(b.failed || b.data == NULL || strpbrk(b.data, "\r\n") == NULL);
    gri_strbuf_fini(&b);
}

static void use_parts(const gr_value *body)
{
    size_t n = gr_value_type(body) == GR_MAP || gr_value_type(body) == GR_LIST ? gr_len(body) : 0;

    use_part(body);
    for (size_t i = 0; i < n && i < 16; i++) {
        const char *key = NULL;

        use_part(gr_value_type(body) == GR_MAP ? gr_pair_at(body, i, &key) : gr_at(body, i));
    }
}

/* same: a message made of what was read reads the same. */
static void same(const struct gri_mcp_message *m)
{
    gr_value *again = m->kind == GRI_MCP_RESULT ? gri_mcp_answer_of(m->id, gr_value_ref(m->body))
                                                : gri_mcp_refusal_of(m->id, -32601, "no");
    struct gri_mcp_message read;
    gr_value *err = gri_mcp_read(again, &read);

    must(err == NULL && read.kind == (m->kind == GRI_MCP_RESULT ? GRI_MCP_RESULT : GRI_MCP_ERROR));
    must(gr_equal(read.id, m->id));
    gr_value_unref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cost cost = fuzz_begin();
    gr_value *json =
        gr_json_parse((const char *)data, size, GR_DECODE(.bytes_max = (size_t)1 << 20));
    struct gri_mcp_message m;
    gr_value *err = gri_mcp_read(json, &m);

    must((err == NULL) == (gr_value_type(json) == GR_MAP && err == NULL));
    if (err == NULL && (m.kind == GRI_MCP_REQUEST || m.kind == GRI_MCP_RESULT))
        same(&m);
    if (err == NULL && m.body != NULL)
        use_parts(m.body);
    use_parts(json);
    gr_value_unref(err);
    gr_value_unref(json);
    fuzz_end(&cost, size, 512);
    return 0;
}
