/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_list.h - lists of many pages, and what an answer may weigh that is made of many. */
#ifndef GR_ACTORS_MCP_MCP_LIST_H
#define GR_ACTORS_MCP_MCP_LIST_H

#include <string.h>

#include "actors/mcp/mcp_session.h"

#define GRI_MCP_TTL_MAX_MS INT64_C(86400000) /* a list is fresh for a day at most */

/* gri_mcp_weigh takes what v weighs from *left, at first list_bytes_max; NULL, or GR_EFULL. what: of what there is too much. */
gr_value *gri_mcp_weigh(const struct gri_mcp *s, size_t *left, const gr_value *v, const char *what);

/* gri_mcp_list asks for all pages of a list: a list of what is under key; and, if asked for, until when the server calls
 * it fresh. [waits] */
gr_value *gri_mcp_list(gr_ctx *c, struct gri_mcp *s, const char *method, const char *key,
                       uint64_t *ret_fresh_until_ns);

#endif
