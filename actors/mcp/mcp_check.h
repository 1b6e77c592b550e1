/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for cli/ */
/* mcp_check.h - whether an MCP client could be made, without starting a program or reaching a host. */
#ifndef GR_ACTORS_MCP_MCP_CHECK_H
#define GR_ACTORS_MCP_MCP_CHECK_H

#include <greenroom/mcp.h>

/* gri_mcp_check takes what gr_mcp_client would, and says what is wrong with it: NULL, or an error. A program must be
 * there, and one that may be run; of a server nothing is known. */
gr_value *gri_mcp_check(const gr_mcp_opts *opts);

#endif
