/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_resource.h - the client's verbs that have to do with resources: see mcp.h. All of them wait. */
#ifndef GR_ACTORS_MCP_MCP_RESOURCE_H
#define GR_ACTORS_MCP_MCP_RESOURCE_H

#include <greenroom/actor.h>

gr_value *gri_mcp_list_resources(gr_ctx *c, void *self, const gr_value *args);
gr_value *gri_mcp_list_templates(gr_ctx *c, void *self, const gr_value *args);
gr_value *gri_mcp_read_resource(gr_ctx *c, void *self, const gr_value *args);
gr_value *gri_mcp_read_blobs(gr_ctx *c, void *self, const gr_value *args);     /* "resources" */
gr_value *gri_mcp_read_documents(gr_ctx *c, void *self, const gr_value *args); /* "load" */

#endif
