/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcp_server.h - an MCP server on stdio that behaves as its argument says: another copy of the test's program, whose
 * constructor never returns to main. It answers with what the protocol's texts show, written down here.
 *
 *   legacy, modern   well; modern is 2026-07-28
 *   silent           legacy, and says nothing to what it does not know
 *   older            legacy, of a version that nobody speaks
 *   future           modern, of versions that nobody speaks
 *   garbage          legacy, with lines between that are no messages
 *   strange          legacy, answers what was not asked, answers twice, asks what is no client's business
 *   huge             legacy; "huge" is answered by a line without an end
 *   endless          legacy, with pages that never end
 *   fat              likewise, and each has 64 KiB; so has each resource
 *   odd              legacy, with schemas that are none of ours
 *   shift            legacy; after its first list of tools "echo" takes another argument
 *   stubborn         legacy, and does not end when told so
 *   mute             says nothing at all
 *   die              ends at once, with status 7
 */
#ifndef GR_TESTS_SUPPORT_MCP_SERVER_H
#define GR_TESTS_SUPPORT_MCP_SERVER_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <greenroom/codec.h>

#define MCP_SERVER_ARG "--mcp-server"
#define MCP_LINE_MAX ((size_t)1 << 20)

static const char *mcp_mode = "";
static long mcp_cancelled, mcp_initialized, mcp_lists, mcp_waits, mcp_listens;
static gr_value *mcp_listener; /* the id of the request that listens */
static char mcp_asked[256];    /* what the client has answered to our last request */
static gr_value *mcp_waiting;  /* the id of the call that waits for that */

static inline bool mcp_is(const char *mode)
{
    return strcmp(mcp_mode, mode) == 0;
}

static inline void mcp_say(const char *line)
{
    fputs(line, stdout);
    fputc('\n', stdout);
    fflush(stdout);
}

static inline void mcp_send(gr_value *message)
{
    char *line = gr_json_print(message, 0, NULL);

    mcp_say(line);
    gr_free(line);
    gr_value_unref(message);
}

static inline gr_value *mcp_head(const gr_value *id)
{
    return gr_map(GR_KV("jsonrpc", gr_str("2.0")), GR_KV("id", gr_value_ref(id)));
}

/* mcp_result sends a result; modern ones say that they are whole. */
static inline void mcp_result(const gr_value *id, gr_value *result)
{
    if (mcp_is("modern") && gr_get(result, "resultType") == NULL)
        result = gr_set(result, "resultType", gr_str("complete"));
    mcp_send(gr_set(mcp_head(id), "result", result));
}

static inline void mcp_refuse(const gr_value *id, int code, const char *text, gr_value *data)
{
    gr_value *error = gr_map(GR_KV("code", gr_int(code)), GR_KV("message", gr_str(text)));

    if (data != NULL)
        error = gr_set(error, "data", data);
    mcp_send(gr_set(mcp_head(id), "error", error));
}

static inline gr_value *mcp_json(const char *text)
{
    return gr_json_parse(text, strlen(text), NULL);
}

static inline void mcp_text(const gr_value *id, const char *text)
{
    mcp_result(id, gr_map(GR_KV("content", gr_list(gr_map(GR_KV("type", gr_str("text")),
                                                          GR_KV("text", gr_str(text)))))));
}

/* ---- tools ----------------------------------------------------------------------------------- */

#define MCP_TOOL(name, about)                                                                      \
    "{\"name\":\"" name "\",\"description\":\"" about "\",\"inputSchema\":{\"type\":\"object\"}}"

static const char mcp_tools_one[] =
    "{\"tools\":[{\"name\":\"echo\",\"description\":\"Says it again\",\"inputSchema\":{\"type\":"
    "\"object\",\"properties\":{\"text\":{\"type\":\"string\"}},\"required\":[\"text\"]},"
    "\"annotations\":{\"readOnlyHint\":true}}," MCP_TOOL("add", "Adds") "],\"nextCursor\":\"two\"}";
static const char mcp_tools_odd[] =
    "{\"tools\":[{\"name\":\"echo\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"text\":"
    "{\"$ref\":\"https://example.com/text\"}}}}]}";
static const char mcp_tools_shifted[] =
    "{\"tools\":[{\"name\":\"echo\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"word\":"
    "{\"type\":\"string\"}},\"required\":[\"word\"]}}]}";
static const char mcp_tools_two[] =
    "{\"tools\":[" MCP_TOOL("fail", "Fails") "," MCP_TOOL("picture", "Shows") "]}";

static inline void mcp_progress(const gr_value *params, int at)
{
    const gr_value *token = gr_get(gr_get(params, "_meta"), "progressToken");

    mcp_send(gr_map(GR_KV("jsonrpc", gr_str("2.0")),
                    GR_KV("method", gr_str("notifications/progress")),
                    GR_KV("params", gr_map(GR_KV("progressToken", gr_value_ref(token)),
                                           GR_KV("progress", gr_int(at)), GR_KV("total", gr_int(3)),
                                           GR_KV("message", gr_str("on it"))))));
}

/* mcp_ask asks the client, the way of the era; the call is answered with what comes. */
static inline void mcp_ask(const gr_value *id, const gr_value *params)
{
    const gr_value *responses = gr_get(params, "inputResponses");
    const char *method =
        gr_cstr(gr_get(gr_get(params, "arguments"), "method"), "elicitation/create");
    gr_value *ask = gr_map(GR_KV("method", gr_str(method)),
                           GR_KV("params", mcp_json("{\"message\":\"Which colour?\"}")));

    if (!mcp_is("modern")) {
        gr_value_unref(mcp_waiting);
        mcp_waiting = gr_value_ref(id);
        mcp_send(
            gr_merge(gr_map(GR_KV("jsonrpc", gr_str("2.0")), GR_KV("id", gr_str("ask-1"))), ask));
    } else if (responses == NULL) {
        mcp_result(id, gr_map(GR_KV("resultType", gr_str("input_required")),
                              GR_KV("inputRequests", gr_map(GR_KV("colour", ask))),
                              GR_KV("requestState", gr_str("opaque"))));
    } else {
        char *json = gr_json_print(responses, 0, NULL);

        gr_value_unref(ask);
        if (strcmp(gr_cstr(gr_get(params, "requestState"), ""), "opaque") != 0)
            mcp_refuse(id, -32602, "the state is gone", NULL);
        else
            mcp_text(id, json);
        gr_free(json);
    }
}

/* mcp_leak says aloud what it should keep to itself: to standard error, to the log, in an error. */
static inline void mcp_leak(const gr_value *id, const char *token)
{
    fprintf(stderr, "the token is %s\n", token);
    mcp_send(gr_map(GR_KV("jsonrpc", gr_str("2.0")),
                    GR_KV("method", gr_str("notifications/message")),
                    GR_KV("params", gr_map(GR_KV("level", gr_str("warning")),
                                           GR_KV("data", gr_strf("said: %s", token))))));
    mcp_refuse(id, -32000, token, gr_str(token));
}

/* mcp_counter is what a tool tells that only counts; NULL: another one. */
static inline const long *mcp_counter(const char *name)
{
    static const struct {
        const char *name;
        const long *counter;
    } counters[] = { { "waits", &mcp_waits },
                     { "cancelled", &mcp_cancelled },
                     { "lists", &mcp_lists },
                     { "listens", &mcp_listens } };

    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
        if (strcmp(counters[i].name, name) == 0)
            return counters[i].counter;
    return NULL;
}

/* mcp_wonder asks the client, and does not wait; or takes that back. */
static inline void mcp_wonder(const gr_value *id, bool regrets)
{
    if (regrets)
        mcp_say(
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":"
            "\"ask-2\"}}");
    else
        mcp_say(
            "{\"jsonrpc\":\"2.0\",\"id\":\"ask-2\",\"method\":\"elicitation/create\",\"params\":{}}");
    mcp_text(id, regrets ? "regretted" : "asked");
}

static inline void mcp_call(const gr_value *id, const gr_value *params)
{
    const char *name = gr_cstr(gr_get(params, "name"), "");
    const gr_value *args = gr_get(params, "arguments");
    const long *counter = mcp_counter(name);
    char text[128];

    if (counter != NULL) {
        snprintf(text, sizeof(text), "%ld", *counter);
        mcp_text(id, text);
    } else if (strcmp(name, "echo") == 0) {
        mcp_text(id, gr_cstr(gr_get(args, "text"), gr_cstr(gr_get(args, "word"), "?")));
    } else if (strcmp(name, "add") == 0) {
        int64_t sum = gr_as_int(gr_get(args, "a"), 0) + gr_as_int(gr_get(args, "b"), 0);

        snprintf(text, sizeof(text), "%lld", (long long)sum);
        mcp_result(id, gr_map(GR_KV("content", gr_list(gr_map(GR_KV("type", gr_str("text")),
                                                              GR_KV("text", gr_str(text))))),
                              GR_KV("structuredContent", gr_map(GR_KV("sum", gr_int(sum))))));
    } else if (strcmp(name, "fail") == 0) {
        mcp_result(id, mcp_json("{\"content\":[{\"type\":\"text\",\"text\":\"no such city\"}],"
                                "\"isError\":true}"));
    } else if (strcmp(name, "picture") == 0) {
        mcp_result(id, mcp_json("{\"content\":[{\"type\":\"text\",\"text\":\"a dot\"},{\"type\":"
                                "\"image\",\"data\":\"iVBORw==\",\"mimeType\":\"image/png\"}]}"));
    } else if (strcmp(name, "steps") == 0) {
        for (int i = 1; i <= 3; i++)
            mcp_progress(params, i);
        mcp_text(id, "done");
    } else if (strcmp(name, "flood") == 0) {
        for (int i = 1; i <= 2000; i++)
            mcp_progress(params, i);
        mcp_text(id, "done");
    } else if (strcmp(name, "wait") == 0) {
        mcp_waits++; /* and never an answer */
    } else if (strcmp(name, "env") == 0) {
        mcp_text(id, getenv(gr_cstr(gr_get(args, "name"), "")) != NULL
                         ? getenv(gr_cstr(gr_get(args, "name"), ""))
                         : "(unset)");
    } else if (strcmp(name, "leak") == 0) {
        mcp_leak(id, getenv("GR_TEST_TOKEN"));
    } else if (strcmp(name, "wonder") == 0 || strcmp(name, "regret") == 0) {
        mcp_wonder(id, name[0] == 'r');
    } else if (strcmp(name, "ask") == 0) {
        mcp_ask(id, params);
    } else if (strcmp(name, "die") == 0) {
        _exit(9);
    } else if (strcmp(name, "shut") == 0) {
        fclose(stdout); /* it has nothing more to say */
    } else if (strcmp(name, "huge") == 0) {
        for (size_t i = 0; i < (size_t)4 << 20; i++)
            fputc('x', stdout);
        fflush(stdout);
    } else if (strcmp(name, "twice") == 0) {
        mcp_text(id, "first");
        mcp_text(id, "second");
    } else if (strcmp(name, "unlisten") == 0) {
        mcp_send(gr_map(GR_KV("jsonrpc", gr_str("2.0")),
                        GR_KV("method", gr_str("notifications/cancelled")),
                        GR_KV("params", gr_map(GR_KV("requestId", gr_value_ref(mcp_listener))))));
        mcp_text(id, "done");
    } else if (strcmp(name, "change") == 0) {
        mcp_say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}");
        mcp_text(id, "changed");
    } else {
        mcp_refuse(id, -32602, "Unknown tool", NULL);
    }
}

/* ---- the rest -------------------------------------------------------------------------------- */

static inline void mcp_greet(const gr_value *id, const gr_value *params)
{
    mcp_result(id, gr_map(GR_KV("protocolVersion",
                                mcp_is("older") ? gr_str("2023-01-01")
                                                : gr_value_ref(gr_get(params, "protocolVersion"))),
                          GR_KV("capabilities", mcp_json("{\"tools\":{\"listChanged\":true},"
                                                         "\"logging\":{}}")),
                          GR_KV("serverInfo", mcp_json("{\"name\":\"test\",\"version\":\"1\"}")),
                          GR_KV("instructions", gr_str("Be kind."))));
}

static inline void mcp_discover(const gr_value *id)
{
    if (mcp_is("future"))
        mcp_refuse(id, -32022, "Unsupported protocol version",
                   mcp_json("{\"supported\":[\"2099-01-01\"],\"requested\":\"2026-07-28\"}"));
    else
        mcp_result(
            id, mcp_json("{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{}},"
                         "\"_meta\":{\"io.modelcontextprotocol/serverInfo\":{\"name\":\"test\","
                         "\"version\":\"2\"}},\"ttlMs\":0,\"cacheScope\":\"public\"}"));
}

/* mcp_listen promises to tell of changes. */
static inline void mcp_listen(const gr_value *id)
{
    mcp_listens++;
    gr_value_unref(mcp_listener);
    mcp_listener = gr_value_ref(id);
    mcp_send(gr_map(
        GR_KV("jsonrpc", gr_str("2.0")),
        GR_KV("method", gr_str("notifications/subscriptions/acknowledged")),
        GR_KV("params",
              gr_map(GR_KV("_meta", gr_map(GR_KV("io.modelcontextprotocol/subscriptionId",
                                                 gr_value_ref(id)))),
                     GR_KV("notifications", gr_map(GR_KV("toolsListChanged", gr_bool(true))))))));
}

/* mcp_fat has a page of 64 KiB, and the cursor of another. */
static inline gr_value *mcp_fat(void)
{
    static char text[64 * 1024];

    memset(text, 'x', sizeof(text) - 1);
    return gr_map(
        GR_KV("tools",
              gr_list(gr_map(GR_KV("name", gr_str("fat")), GR_KV("description", gr_str(text)),
                             GR_KV("inputSchema", gr_map(GR_KV("type", gr_str("object"))))))),
        GR_KV("contents",
              gr_list(gr_map(GR_KV("uri", gr_str("test://fat")), GR_KV("text", gr_str(text))))),
        GR_KV("nextCursor", gr_str("again")));
}

static inline void mcp_list(const gr_value *id, const gr_value *params)
{
    const char *cursor = gr_cstr(gr_get(params, "cursor"), "");

    if (cursor[0] == '\0')
        mcp_lists++;
    if (mcp_is("endless"))
        mcp_result(id, mcp_json("{\"tools\":[],\"nextCursor\":\"again\"}"));
    else if (mcp_is("fat"))
        mcp_result(id, mcp_fat());
    else if (mcp_is("odd"))
        mcp_result(id, mcp_json(mcp_tools_odd));
    else if (mcp_is("shift") && mcp_lists > 1)
        mcp_result(id, mcp_json(mcp_tools_shifted));
    else
        mcp_result(id, mcp_json(strcmp(cursor, "two") == 0 ? mcp_tools_two : mcp_tools_one));
}

/* mcp_is_wrong: the modern era wants its metadata with each request, the other one none before the handshake. */
static inline bool mcp_is_wrong(const char *method, const gr_value *params)
{
    const gr_value *meta = gr_get(params, "_meta");
    const char *version = gr_cstr(gr_get(meta, "io.modelcontextprotocol/protocolVersion"), "");

    if (mcp_is("modern"))
        return strcmp(version, "2026-07-28") != 0 ||
               gr_get(meta, "io.modelcontextprotocol/clientInfo") == NULL ||
               gr_get(meta, "io.modelcontextprotocol/clientCapabilities") == NULL;
    return mcp_initialized < 2 && strcmp(method, "initialize") != 0;
}

static inline void mcp_on_request(const gr_value *id, const char *method, const gr_value *params)
{
    bool modern = mcp_is("modern") || mcp_is("future");

    if (mcp_is("silent") && strcmp(method, "server/discover") == 0)
        return;
    if (modern && strcmp(method, "server/discover") == 0) {
        mcp_discover(id);
    } else if (!modern && strcmp(method, "initialize") == 0) {
        mcp_initialized = 1;
        mcp_greet(id, params);
    } else if (mcp_is_wrong(method, params)) {
        mcp_refuse(id, modern ? -32602 : -32000, "not like this", NULL);
    } else if (strcmp(method, "tools/list") == 0) {
        mcp_list(id, params);
    } else if (modern && strcmp(method, "subscriptions/listen") == 0) {
        mcp_listen(id);
    } else if (mcp_is("fat") && strcmp(method, "resources/read") == 0) {
        mcp_result(id, mcp_fat());
    } else if (strcmp(method, "tools/call") == 0) {
        mcp_call(id, params);
    } else if (strcmp(method, "resources/list") == 0) {
        mcp_result(
            id,
            mcp_json("{\"resources\":[{\"uri\":\"test://a\",\"name\":\"a\"},{\"uri\":\"test://b\","
                     "\"name\":\"b\"}]}"));
    } else if (strcmp(method, "resources/read") == 0) {
        if (strcmp(gr_cstr(gr_get(params, "uri"), ""), "test://a") == 0)
            mcp_result(id,
                       mcp_json("{\"contents\":[{\"uri\":\"test://a\",\"mimeType\":\"text/plain\","
                                "\"text\":\"hello\"}]}"));
        else
            mcp_result(id, mcp_json("{\"contents\":[{\"uri\":\"test://b\",\"blob\":\"AAEC\"}]}"));
    } else if (strcmp(method, "prompts/get") == 0) {
        mcp_result(
            id,
            mcp_json("{\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"text\",\"text\":"
                     "\"Hi\"}},{\"role\":\"assistant\",\"content\":{\"type\":\"text\",\"text\":"
                     "\"Hello\"}}]}"));
    } else {
        mcp_refuse(id, -32601, "Method not found", NULL);
    }
}

static inline void mcp_on_answer(const gr_value *message)
{
    char *json = gr_json_print(gr_get(message, "result") != NULL ? gr_get(message, "result")
                                                                 : gr_get(message, "error"),
                               0, NULL);

    snprintf(mcp_asked, sizeof(mcp_asked), "%s", json);
    gr_free(json);
    if (mcp_waiting != NULL)
        mcp_text(mcp_waiting, mcp_asked);
    gr_value_unref(mcp_waiting);
    mcp_waiting = NULL;
}

static inline void mcp_on_line(const char *line)
{
    gr_value *message = mcp_json(line);
    const gr_value *id = gr_get(message, "id");
    const char *method = gr_cstr(gr_get(message, "method"), "");

    if (mcp_is("garbage")) {
        mcp_say("this is no message");
        mcp_say("[1,2,{\"jsonrpc\":\"1.0\"}]");
        mcp_say("{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":3}");
        fputs("\xff\xfe\n", stdout);
    }
    if (mcp_is("strange")) {
        mcp_say("{\"jsonrpc\":\"2.0\",\"id\":999999,\"result\":{}}");
        mcp_say("{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":{}}");
        mcp_say(
            "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"what?\"}}");
        mcp_say("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"format/disk\"}");
    }
    if (strcmp(method, "notifications/cancelled") == 0)
        mcp_cancelled++;
    else if (strcmp(method, "notifications/initialized") == 0)
        mcp_initialized = 2;
    else if (method[0] == '\0')
        mcp_on_answer(message);
    else if (id != NULL && !mcp_is("mute"))
        mcp_on_request(id, method, gr_get(message, "params"));
    gr_value_unref(message);
}

__attribute__((constructor)) static void mcp_server_main(int argc, char **argv)
{
    static char line[MCP_LINE_MAX];

    if (argc < 3 || strcmp(argv[1], MCP_SERVER_ARG) != 0)
        return;
    mcp_mode = argv[2];
    fprintf(stderr, "the server %s is up\n", mcp_mode);
    if (mcp_is("die"))
        _exit(7);
    if (mcp_is("stubborn"))
        signal(SIGTERM, SIG_IGN);
    while (fgets(line, sizeof(line), stdin) != NULL)
        mcp_on_line(line);
    while (mcp_is("stubborn"))
        pause();
    _exit(0);
}

#endif
