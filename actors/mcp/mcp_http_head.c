/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_http_head.c - which headers a message goes with. */
#include "actors/mcp/mcp_http_head.h"

#include <string.h>

void gri_mcp_head_add(struct gri_mcp_head *h, const char *name, const char *value)
{
    gr_value *n, *v;

    if (value == NULL)
        return;
    n = gr_str(name);
    v = gr_str(value);
    if (gr_error_code(n) != GR_OK || gr_error_code(v) != GR_OK ||
        h->count == sizeof(h->headers) / sizeof(h->headers[0])) {
        gr_value_unref(n);
        gr_value_unref(v);
        h->failed = true;
        return;
    }
    h->headers[h->count++] =
        (struct gri_http_header){ .name = gr_cstr(n, ""), .value = gr_cstr(v, "") };
    h->texts = gr_append(gr_append(h->texts, n), v);
    h->failed = h->failed || gr_error_code(h->texts) != GR_OK;
}

/* add_value adds a header made of a value, encoded if need be. */
static void add_value(struct gri_mcp_head *h, const char *name, const gr_value *v)
{
    struct gri_strbuf b = GRI_STRBUF_INIT;

    if (gri_mcp_header_value(&b, v))
        gri_mcp_head_add(h, name, b.failed || b.data == NULL ? "" : b.data);
    h->failed = h->failed || b.failed;
    gri_strbuf_fini(&b);
}

/* add_modern mirrors the message. */
static void add_modern(struct gri_mcp_head *h, const gr_value *message)
{
    const char *method = gr_cstr(gr_get(message, "method"), "");
    const gr_value *params = gr_get(message, "params");

    gri_mcp_head_add(h, "Mcp-Method", method);
    if (strcmp(method, "tools/call") == 0 || strcmp(method, "prompts/get") == 0)
        add_value(h, "Mcp-Name", gr_get(params, "name"));
    else if (strcmp(method, "resources/read") == 0)
        add_value(h, "Mcp-Name", gr_get(params, "uri"));
}

void gri_mcp_head_init(struct gri_mcp_head *h, struct gri_mcp *s, const gr_value *message,
                       const gr_value *extra, bool handshake)
{
    char version[sizeof(s->version)], session[sizeof(s->session_id)];
    bool modern;

    h->count = 0;
    h->failed = false;
    h->texts = gr_list_n(NULL, 0);
    gri_lock(&s->lock);
    modern = s->modern;
    memcpy(version, s->version, sizeof(version));
    memcpy(session, s->session_id, sizeof(session));
    gri_unlock(&s->lock);
    if (message != NULL)
        gri_mcp_head_add(h, "Content-Type", "application/json");
    gri_mcp_head_add(h, "Accept",
                     message != NULL ? "application/json, text/event-stream" : "text/event-stream");
    if (version[0] != '\0' && !handshake)
        gri_mcp_head_add(h, "MCP-Protocol-Version", version);
    if (session[0] != '\0' && !handshake)
        gri_mcp_head_add(h, "Mcp-Session-Id", session);
    if (modern && gr_get(message, "method") != NULL)
        add_modern(h, message);
    for (size_t i = 0; i < gr_len(extra); i++) {
        const char *name = "";
        const gr_value *v = gr_pair_at(extra, i, &name);

        add_value(h, name, v);
    }
    for (size_t i = 0; i < s->set.header_count; i++)
        gri_mcp_head_add(h, s->set.headers[i].name, s->set.headers[i].value);
}

void gri_mcp_head_fini(struct gri_mcp_head *h)
{
    gr_value_unref(h->texts);
}
