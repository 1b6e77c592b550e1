/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_http_head.h - the headers of one request to a server, and what owns their texts. */
#ifndef GR_ACTORS_MCP_MCP_HTTP_HEAD_H
#define GR_ACTORS_MCP_MCP_HTTP_HEAD_H

#include "actors/mcp/mcp_session.h"

#define GRI_MCP_HEADERS_MAX 64 /* of the user's, and of a tool's arguments, each */

struct gri_mcp_head {
    struct gri_http_header headers[2 * GRI_MCP_HEADERS_MAX + 8];
    size_t count;
    gr_value *texts; /* counted: a list that owns what headers borrow */
    bool failed;     /* no memory, or no room */
};

/* gri_mcp_head_init collects them: the client's own, those that the protocol wants for this message (NULL: none)
 * and `extra`, a map of texts, or NULL. */
void gri_mcp_head_init(struct gri_mcp_head *h, struct gri_mcp *s, const gr_value *message,
                       const gr_value *extra, bool handshake);
void gri_mcp_head_fini(struct gri_mcp_head *h);
/* gri_mcp_head_add adds one; value NULL: nothing. */
void gri_mcp_head_add(struct gri_mcp_head *h, const char *name, const char *value);

#endif
