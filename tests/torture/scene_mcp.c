/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scene_mcp.c - MCP clients: a program that is a line of shell, and the HTTP server of this process. Both answer
 * everything with the same list of answers, of which the client takes the one that it has asked for.
 */
#include "tests/torture/torture.h"

#include <stdio.h>

#include "tests/support/fault_server.h"

#define RESULT                                                                                     \
    "{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{},"     \
    "\"protocolVersion\":\"2025-11-25\",\"tools\":[{\"name\":\"echo\",\"inputSchema\":{\"type\":"  \
    "\"object\"}}],\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}"
#define ANSWER(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" RESULT "}"
#define ANSWERS                                                                                    \
    "[" ANSWER("1") "," ANSWER("2") "," ANSWER("3") "," ANSWER("4") "," ANSWER("5") "," ANSWER(    \
        "6") "]"

void mcp_scripts(struct fault_server *s)
{
    fault_server_reply(s, "/mcp", 200, "Content-Type: application/json\r\n", ANSWERS);
    fault_server_reply(s, "/mcp-events", 200, "Content-Type: text/event-stream\r\n",
                       "data: " ANSWERS "\n\n");
}

/* use asks for the tools, and calls one. What ends the server ends the client. */
static void use(gr_ref client)
{
    gr_value *tools;

    may_also(GR_EBROKEN);
    tools = answer(gr_amcp_tools(rt, client, NULL));
    if (tools != NULL)
        gives(gr_ainvoke(rt, gr_as_ref(gr_at(tools, 0)), gr_map_n(NULL, 0), NULL), "\"hi\"");
    gr_value_unref(tools);
}

static gr_ref remote(const char *path)
{
    char url[160];

    snprintf(url, sizeof(url), "%s%s", fault_server_url(http_server()), path);
    return gr_mcp_client(root, GR_MCP(.url = url, .timeout_ms = 6000));
}

static void mcp_http(void)
{
    use(remote("/mcp"));
}

static void mcp_events(void)
{
    use(remote("/mcp-events"));
}

static void mcp_stdio(void)
{
    const char *const args[] = { "-c", "while read -r line; do echo '" ANSWERS "'; done" };

    may_also(GR_EDEAD); /* a message that there is no memory for ends it, between two calls, too */
    use(gr_mcp_client(root, GR_MCP(.command = "/bin/sh", .args = args, .arg_count = 2,
                                   .end_ms = 1000, .term_ms = 1000, .timeout_ms = 6000)));
}

static const struct scene scenes[] = { { "mcp_http", mcp_http, SCENE_HTTP },
                                       { "mcp_events", mcp_events, SCENE_HTTP },
                                       { "mcp_stdio", mcp_stdio, 0 } };
const struct scenes mcp_scenes = SCENES(scenes);
