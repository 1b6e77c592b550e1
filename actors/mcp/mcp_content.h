/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcp_content.h - what MCP calls content, as LangChain has it: pure functions.
 *
 * The blocks are those of langchain-mcp-adapters; audio, which it refuses, becomes LangChain's audio block.
 */
#ifndef GR_ACTORS_MCP_MCP_CONTENT_H
#define GR_ACTORS_MCP_MCP_CONTENT_H

#include <greenroom/value.h>

/* gri_mcp_blocks makes content blocks of a list of MCP's; an error value for what is none. */
gr_value *gri_mcp_blocks(const gr_value *content);
/* gri_mcp_content does so, and gives the text itself if that is all: a message's content. */
gr_value *gri_mcp_content(const gr_value *content);
/* gri_mcp_error_text says in words what a tool's error is. Blocks may be a text, too. */
gr_value *gri_mcp_error_text(const gr_value *content);
/* gri_mcp_messages makes messages of a prompt's. */
gr_value *gri_mcp_messages(const gr_value *messages);
/* gri_mcp_blob makes a blob of one of a resource's contents; gri_mcp_document a document, nil for bytes. */
gr_value *gri_mcp_blob(const char *uri, const gr_value *contents);
gr_value *gri_mcp_document(const char *uri, const gr_value *contents);

#endif
