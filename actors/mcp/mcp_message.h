/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcp_message.h - JSON-RPC 2.0 as MCP uses it: pure functions between messages and values.
 *
 * The rules are those of the specification's revisions 2025-11-25 and 2026-07-28, "Base protocol".
 */
#ifndef GR_ACTORS_MCP_MCP_MESSAGE_H
#define GR_ACTORS_MCP_MCP_MESSAGE_H

#include <greenroom/value.h>

#include "runtime/base/strbuf.h"

#define GRI_MCP_MODERN                                                                             \
    "2026-07-28" /* the first revision without a handshake, and the one we speak */
#define GRI_MCP_LEGACY "2025-11-25" /* what we offer in a handshake */

enum gri_mcp_code {
    GRI_MCP_NO_METHOD = -32601,
    GRI_MCP_BAD_PARAMS = -32602,
    GRI_MCP_INTERNAL = -32603,
    GRI_MCP_HEADER_MISMATCH = -32020,
    GRI_MCP_NO_CAPABILITY = -32021,
    GRI_MCP_BAD_VERSION = -32022
};

enum gri_mcp_kind { GRI_MCP_REQUEST, GRI_MCP_NOTIFICATION, GRI_MCP_RESULT, GRI_MCP_ERROR };

/* One message; all of it is borrowed from the value that it was read from. */
struct gri_mcp_message {
    enum gri_mcp_kind kind;
    const char *method; /* of a request, a notification */
    const gr_value *id; /* of all but a notification; NULL: an error about what could not be read */
    const gr_value *body; /* params, result or error; NULL: no params */
};

/* gri_mcp_read tells what a value is; NULL, or an error value that says why it is no message. */
gr_value *gri_mcp_read(const gr_value *json, struct gri_mcp_message *ret_message);

gr_value *gri_mcp_request_of(int64_t id, const char *method, gr_value *params GR_TAKES);
gr_value *gri_mcp_notification_of(const char *method, gr_value *params GR_TAKES);
gr_value *gri_mcp_answer_of(const gr_value *id, gr_value *result GR_TAKES);
gr_value *gri_mcp_refusal_of(const gr_value *id, int code, const char *text);

/* gri_mcp_error makes an error value of a message's error: GR_EREMOTE, kind "McpError", "detail" {"code",
 * "data"?}, "status" unless it is 0. */
gr_value *gri_mcp_error(const gr_value *error, int status);
/* gri_mcp_error_code_of reads the code back; 0: the value is no such error. */
int gri_mcp_error_code_of(const gr_value *err);
/* gri_mcp_is_modern_code: an error that only a server without a handshake gives. */
bool gri_mcp_is_modern_code(int code);

/* gri_mcp_is_legacy_version: a revision with a handshake that we can speak. */
bool gri_mcp_is_legacy_version(const char *version);
/* gri_mcp_common_version picks of a server's "supported" the best that we speak; NULL: none. */
const char *gri_mcp_common_version(const gr_value *supported);

/* gri_mcp_header_value writes a text, a whole number or a boolean as the value of a header, encoded where the
 * plain text is not safe there; false: it is something else. */
bool gri_mcp_header_value(struct gri_strbuf *b, const gr_value *v);

/*
 * gri_mcp_param_headers reads which arguments of a tool go into headers, from its input schema: a list of
 * {"header": "Mcp-Param-Region", "path": [key …]}, empty for none; an error value for an annotation that
 * breaks the rules, for which the tool must be left out.
 */
gr_value *gri_mcp_param_headers(const gr_value *schema);

#endif
