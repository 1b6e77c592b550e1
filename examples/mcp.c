/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcp.c - tools of a Model Context Protocol server: load_mcp_tools. The server is this program itself,
 * started with an argument; any other command, or a URL, goes in its place.
 *
 *     cc mcp.c $(pkg-config --cflags --libs greenroom) && ./a.out
 *
 * It prints:
 *
 *     weather_forecast: Tells tomorrow's weather in a city
 *     called plainly: Oslo: snow
 *     called by a model: tool message for call-1, success: Rome: sun
 *     a city that it does not know: error: no such city
 */
#include <greenroom/greenroom.h>

#include <stdio.h>
#include <string.h>

/* ---- the server: a line in, a line out ------------------------------------------------------- */

static const char *result_of(const char *method, const gr_value *params, char *text, size_t size)
{
    const char *city = gr_cstr(gr_get(gr_get(params, "arguments"), "city"), "");
    const char *weather = strcmp(city, "Oslo") == 0   ? "snow"
                          : strcmp(city, "Rome") == 0 ? "sun"
                                                      : NULL;

    if (strcmp(method, "initialize") == 0)
        return "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},"
               "\"serverInfo\":{\"name\":\"weather\",\"version\":\"1\"}}";
    if (strcmp(method, "tools/list") == 0)
        return "{\"tools\":[{\"name\":\"forecast\",\"description\":\"Tells tomorrow's weather in a city\","
               "\"inputSchema\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}}}]}";
    if (strcmp(method, "tools/call") != 0)
        return NULL;
    if (weather == NULL)
        return "{\"content\":[{\"type\":\"text\",\"text\":\"no such city\"}],\"isError\":true}";
    snprintf(text, size, "{\"content\":[{\"type\":\"text\",\"text\":\"%s: %s\"}]}", city, weather);
    return text;
}

static int serve(void)
{
    static char line[65536], text[256];

    while (fgets(line, sizeof(line), stdin) != NULL) {
        GR_AUTO(gr_value) message = gr_json_parse(line, strlen(line), NULL);
        const char *result = result_of(gr_cstr(gr_get(message, "method"), ""),
                                       gr_get(message, "params"), text, sizeof(text));
        long long id = (long long)gr_as_int(gr_get(message, "id"), 0);

        if (result != NULL)
            printf("{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":%s}\n", id, result);
        else if (id != 0)
            printf(
                "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"error\":{\"code\":-32601,\"message\":\"no such method\"}}\n",
                id);
        fflush(stdout);
    }
    return 0;
}

/* ---- the client ------------------------------------------------------------------------------ */

static gr_value *city(const char *name)
{
    return gr_map(GR_KV("city", gr_str(name)));
}

/* call makes the tool call that a model would. */
static gr_value *call(const char *id, gr_value *args)
{
    return gr_map(GR_KV("type", gr_str("tool_call")), GR_KV("name", gr_str("weather_forecast")),
                  GR_KV("args", args), GR_KV("id", gr_str(id)));
}

static const char *text_of(const gr_value *message, const char *key)
{
    return gr_cstr(gr_get(message, key), "?");
}

int main(int argc, char **argv)
{
    const char *const args[] = { "--serve" };
    GR_AUTO(gr_runtime) rt = NULL;
    GR_AUTO(gr_value) err = NULL;
    gr_ref client, tool;

    if (argc > 1)
        return serve();
    if (gr_runtime_new(NULL, &rt) != GR_OK)
        return 1;
    client = gr_mcp_client(
        gr_root(rt), GR_MCP(.command = argv[0], .args = args, .arg_count = 1, .prefix = "weather"));
    GR_AUTO(gr_value) tools = gr_mcp_tools(rt, client, NULL, &err);
    if (tools == NULL) {
        printf("%s\n", gr_error_text(err));
        return 1;
    }
    tool = gr_as_ref(gr_at(tools, 0));

    GR_AUTO(gr_value) told = gr_do(rt, tool, "tool", gr_nil(), NULL, NULL);
    printf("%s: %s\n", text_of(told, "name"), text_of(told, "description"));

    GR_AUTO(gr_value) plain = gr_invoke(rt, tool, city("Oslo"), NULL, NULL);
    printf("called plainly: %s\n", gr_cstr(plain, "?"));

    GR_AUTO(gr_value) message = gr_invoke(rt, tool, call("call-1", city("Rome")), NULL, NULL);
    printf("called by a model: %s message for %s, %s: %s\n", text_of(message, "type"),
           text_of(message, "tool_call_id"), text_of(message, "status"),
           text_of(message, "content"));

    GR_AUTO(gr_value) failed = gr_invoke(rt, tool, call("call-2", city("Atlantis")), NULL, NULL);
    printf("a city that it does not know: %s: %s\n", text_of(failed, "status"),
           text_of(failed, "content"));
    return 0;
}
