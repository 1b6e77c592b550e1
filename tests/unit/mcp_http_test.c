/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_http_test.c - the MCP client over streamable HTTP, against a server that does as it is told. */
#include <greenroom/greenroom.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fault_server.h"
#include "tests/support/test.h"

#define PATH "/mcp"
#define SECRET "mcp-very-secret"
#define JSON "Content-Type: application/json\r\n"
#define SSE "Content-Type: text/event-stream\r\n"

static gr_runtime *rt;
static struct fault_server *server;
static char url[128];
static gr_value *err;

static void start(void)
{
    err = NULL;
    setenv("no_proxy", "*", 1);
    setenv("GR_TEST_KEY", SECRET, 1);
    server = fault_server_start();
    snprintf(url, sizeof(url), "%s" PATH, fault_server_url(server));
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
}

static void stop(void)
{
    gr_value_unref(err);
    gr_runtime_free(rt);
    fault_server_stop(server);
}

static void reply(int status, const char *headers, const char *body)
{
    fault_server_reply(server, PATH, status, headers, body);
}

static gr_value *do_in(gr_ref client, const char *verb, gr_value *args)
{
    gr_value_unref(err);
    err = NULL;
    return gr_do(rt, client, verb, args, GR_CALL(.timeout_ms = TEST_WAIT_MS), &err);
}

#define CLIENT() gr_mcp_client(gr_root(rt), GR_MCP(.url = url))
#define CLIENT_WITH(...) gr_mcp_client(gr_root(rt), GR_MCP(.url = url, __VA_ARGS__))

static gr_value *call(gr_ref client, const char *name)
{
    return do_in(client, "call_tool",
                 gr_map(GR_KV("name", gr_str(name)),
                        GR_KV("arguments",
                              gr_map(GR_KV("region", gr_str("Zürich")), GR_KV("n", gr_int(3))))));
}

static void says(gr_value *v, const char *text)
{
    cr_assert_str_eq(gr_cstr(gr_get(gr_at(gr_get(v, "content"), 0), "text"), gr_error_text(err)),
                     text);
    gr_value_unref(v);
}

static void fails(gr_value *v, gr_code code, const char *part)
{
    cr_assert_null(v);
    cr_assert_eq(gr_error_code(err), code, "%s: %s", gr_code_name(gr_error_code(err)),
                 gr_error_text(err));
    cr_assert_not_null(strstr(gr_error_text(err), part), "%s", gr_error_text(err));
}

/* sent expects the index-th request to hold a text, or not to. */
static void sent(size_t index, const char *part, bool due)
{
    char *request = fault_server_request(server, index);

    cr_assert_not_null(request, "there was no request %zu", index);
    cr_assert((strstr(request, part) != NULL) == due, "%s: %s", part, request);
    free(request);
}

/* ---- what a server says -------------------------------------------------------------------------- */

#define DISCOVERED                                                                                  \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"complete\",\"supportedVersions\":[" \
    "\"2026-07-28\"],\"capabilities\":{\"tools\":{}}}}"
#define GREETING(id, version)                                                                      \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{\"protocolVersion\":\"" version "\","          \
    "\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"test\",\"version\":\"1\"}}}"
#define TEXT(id, text)                                                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":" id                                                              \
    ",\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"" text "\"}]}}"
#define NOT_INITIALIZED                                                                              \
    "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":\"Bad Request: Server " \
    "not initialized\"}}"
#define EVENT(data) "data: " data "\n\n"

/* modern answers the discovery; legacy the probe and the handshake: the next request's id is 2, or 4. */
static void modern(void)
{
    reply(200, JSON, DISCOVERED);
}

static void legacy(void)
{
    reply(400, JSON, NOT_INITIALIZED);
    reply(200, SSE "Mcp-Session-Id: session-one\r\n",
          "event: message\n" EVENT(GREETING("2", "2025-11-25")));
    reply(202, "", "");
}

/* ---- without a handshake --------------------------------------------------------------------------- */

#define TOOLS(id, header)                                                                                \
    "{\"jsonrpc\":\"2.0\",\"id\":" id                                                                    \
    ",\"result\":{\"resultType\":\"complete\",\"tools\":[{\"name\":"                                     \
    "\"sql\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"region\":{\"type\":\"string\","      \
    "\"x-mcp-header\":\"" header                                                                         \
    "\"},\"n\":{\"type\":\"integer\",\"x-mcp-header\":\"N\"}}}},{\"name\":"                              \
    "\"bad\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"array\",\"items\":{" \
    "\"type\":\"string\",\"x-mcp-header\":\"X\"}}}}}],\"ttlMs\":60000,\"cacheScope\":\"public\"}}"

Test(mcp_http, a_modern_request_stands_alone, .init = start, .fini = stop)
{
    gr_header header = { "X-Mine", "yes" };
    gr_ref client;

    modern();
    reply(200, JSON, TOOLS("2", "Region"));
    reply(200, JSON, TEXT("3", "ok"));
    client = CLIENT_WITH(.key_env = "GR_TEST_KEY", .headers = &header, .header_count = 1);
    says(call(client, "sql"), "ok");
    sent(0, "Mcp-Method: server/discover", true);
    sent(2, "MCP-Protocol-Version: 2026-07-28", true);
    sent(2, "Mcp-Method: tools/call", true);
    sent(2, "Mcp-Name: sql", true);
    sent(2, "Mcp-Param-Region: =?base64?WsO8cmljaA==?=", true);
    sent(2, "Mcp-Param-N: 3", true);
    sent(2, "Accept: application/json, text/event-stream", true);
    sent(2, "Authorization: Bearer " SECRET, true);
    sent(2, "X-Mine: yes", true);
    sent(2, "io.modelcontextprotocol/clientCapabilities", true);
    sent(2, "Mcp-Session-Id", false);
}

Test(mcp_http, a_tool_with_a_wrong_header_is_left_out, .init = start, .fini = stop)
{
    gr_value *list;

    modern();
    reply(200, JSON, TOOLS("2", "Region"));
    list = do_in(CLIENT(), "list_tools", gr_nil());
    cr_assert_eq(gr_len(list), 1, "%s", gr_error_text(err));
    cr_assert_str_eq(gr_cstr(gr_get(gr_at(list, 0), "name"), ""), "sql");
    gr_value_unref(list);
}

Test(mcp_http, a_header_mismatch_asks_for_the_tools_again, .init = start, .fini = stop)
{
    modern();
    reply(200, JSON, TOOLS("2", "Region"));
    reply(400, JSON,
          "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32020,\"message\":\"mismatch\"}}");
    reply(200, JSON, TOOLS("4", "Area"));
    reply(200, JSON, TEXT("5", "ok"));
    says(call(CLIENT(), "sql"), "ok");
    sent(4, "Mcp-Param-Area", true);
}

Test(mcp_http, a_stream_brings_progress_and_the_answer, .init = start, .fini = stop)
{
    modern();
    reply(200, JSON, TOOLS("2", "Region"));
    reply(
        200, SSE,
        ": hello\n\n" EVENT("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":"
                            "{\"progressToken\":3,\"progress\":1}}") EVENT(TEXT("3", "streamed")));
    says(call(CLIENT(), "sql"), "streamed");
}

Test(mcp_http, a_whole_number_goes_into_a_header_however_it_came, .init = start, .fini = stop)
{
    modern();
    reply(200, JSON, TOOLS("2", "Region"));
    reply(200, JSON, TEXT("3", "ok"));
    says(do_in(CLIENT(), "call_tool",
               gr_map(GR_KV("name", gr_str("sql")),
                      GR_KV("arguments",
                            gr_map(GR_KV("region", gr_str("")), GR_KV("n", gr_real(3.0)))))),
         "ok");
    sent(2, "Mcp-Param-N: 3\r\n", true);
    sent(2, "Mcp-Param-Region:", true);
}

#define PAGE(id, name, cursor)                                                                     \
    "{\"jsonrpc\":\"2.0\",\"id\":" id                                                              \
    ",\"result\":{\"resultType\":\"complete\",\"tools\":[{\"name\":\"" name                        \
    "\",\"inputSchema\":{\"type\":\"object\"}}]" cursor "}}"

Test(mcp_http, an_empty_cursor_is_a_cursor, .init = start, .fini = stop)
{
    gr_value *list;

    modern();
    reply(200, JSON, PAGE("2", "one", ",\"nextCursor\":\"\""));
    reply(200, JSON, PAGE("3", "two", ""));
    list = do_in(CLIENT(), "list_tools", gr_nil());
    cr_assert_eq(gr_len(list), 2, "%s", gr_error_text(err));
    gr_value_unref(list);
    sent(2, "\"cursor\": \"\"", true);
}

Test(mcp_http, an_unknown_result_type_is_no_result, .init = start, .fini = stop)
{
    modern();
    reply(200, JSON, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"resultType\":\"perhaps\"}}");
    fails(do_in(CLIENT(), "request", gr_map(GR_KV("method", gr_str("x")))), GR_EPROTO, "perhaps");
}

Test(mcp_http, input_is_asked_for_only_so_often, .init = start, .fini = stop)
{
    modern();
    for (int i = 2; i < 5; i++) {
        char text[256];

        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"resultType\":\"input_required\","
                 "\"requestState\":\"s%d\"}}",
                 i, i);
        reply(200, JSON, text);
    }
    fails(do_in(CLIENT_WITH(.rounds_max = 2), "request",
                gr_map(GR_KV("method", gr_str("prompts/get")))),
          GR_EFULL, "again and again");
    sent(3, "\"requestState\": \"s3\"", true);
}

Test(mcp_http, versions_are_agreed_on, .init = start, .fini = stop)
{
    gr_value *v;

    reply(400, JSON,
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32022,\"message\":\"no\",\"data\":{"
          "\"supported\":[\"2025-06-18\"]}}}");
    reply(200, JSON, GREETING("2", "2025-06-18"));
    reply(202, "", "");
    v = do_in(CLIENT(), "server", gr_nil());
    cr_assert_str_eq(gr_cstr(gr_get(v, "protocolVersion"), gr_error_text(err)), "2025-06-18");
    gr_value_unref(v);
    sent(1, "\"protocolVersion\": \"2025-06-18\"", true);
}

Test(mcp_http, a_modern_error_is_no_reason_to_fall_back, .init = start, .fini = stop)
{
    reply(400, JSON,
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32021,\"message\":\"needs roots\"}}");
    fails(do_in(CLIENT(), "server", gr_nil()), GR_EREMOTE, "needs roots");
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 1);
}

Test(mcp_http, who_is_not_let_in_is_told_so, .init = start, .fini = stop)
{
    reply(401, "", "who are you?");
    fails(do_in(CLIENT_WITH(.key_env = "GR_TEST_KEY"), "server", gr_nil()), GR_EREMOTE, "401");
    cr_assert_null(strstr(gr_error_text(err), SECRET));
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 1);
}

Test(mcp_http, what_a_server_repeats_of_a_request_is_in_no_error, .init = start, .fini = stop)
{
    gr_header headers[] = { { "X-Gateway-Token", "gateway-token-1" },
                            { "Cookie", "sid=session-cookie-1; a=b" } };
    gr_ref client;

    modern();
    reply(200, JSON, TOOLS("2", "Region"));
    reply(200, JSON,
          "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":1,\"message\":\"no " SECRET
          " gateway-token-1\",\"data\":{\"a\":\"session\\u002dcookie-1\"}}}");
    reply(403, "", "not with " SECRET " and gateway-token-1");
    client = CLIENT_WITH(.key_env = "GR_TEST_KEY", .headers = headers, .header_count = 2);
    for (size_t i = 0; i < 2; i++) {
        gr_value *got = call(client, "sql");
        char *text;

        fails(got, GR_EREMOTE, "***");
        text = gr_json_print(err, 0, NULL);
        cr_assert_null(strstr(text, SECRET), "%s", text);
        cr_assert_null(strstr(text, "gateway-token-1"), "%s", text);
        cr_assert_null(strstr(text, "cookie-1"), "%s", text);
        gr_free(text);
    }
}

Test(mcp_http, a_token_that_is_repeated_is_hidden, .init = start, .fini = stop)
{
    gr_ref client;

    modern();
    reply(200, JSON, TEXT("2", "you are " SECRET));
    reply(400, "", "no " SECRET " here");
    reply(400, JSON,
          "{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":-32000,\"message\":\"no " SECRET
          "\"}}");
    client = CLIENT_WITH(.key_env = "GR_TEST_KEY");
    says(do_in(client, "request", gr_map(GR_KV("method", gr_str("x")))), "you are ***************");
    for (int i = 0; i < 2; i++) {
        fails(do_in(client, "request", gr_map(GR_KV("method", gr_str("x")))), GR_EREMOTE,
              "no ***************");
        cr_assert_null(strstr(gr_error_text(err), SECRET));
    }
}

Test(mcp_http, a_stream_that_goes_on_after_its_answer_is_closed, .init = start, .fini = stop)
{
    static const struct fault_step goes_on[] = {
        FAULT_STREAM_HEAD, FAULT_CHUNK(EVENT(TEXT("2", "ok"))),
        FAULT_GATE(0),     FAULT_CHUNK(": still here\n\n"),
        FAULT_HANG,
    };
    gr_ref client;

    modern();
    fault_server_script(server, PATH, goes_on, 5);
    client = CLIENT();
    says(do_in(client, "request", gr_map(GR_KV("method", gr_str("x")))), "ok");
    fault_server_open(server, 0);
    cr_assert(fault_server_wait(server, FAULT_DROPPED, 1));
}

static const struct fault_step hanging[] = { FAULT_STREAM_HEAD, FAULT_CHUNK(": wait\n\n"),
                                             FAULT_HANG };

Test(mcp_http, closing_the_stream_is_the_cancellation, .init = start, .fini = stop)
{
    gr_ref client;
    gr_future *f;

    modern();
    fault_server_script(server, PATH, hanging, 3);
    client = CLIENT();
    f = gr_acall(rt, client, "request", gr_map(GR_KV("method", gr_str("x"))), NULL);
    cr_assert(fault_server_wait(server, FAULT_REQUESTS, 2));
    gr_future_free(f);
    cr_assert(fault_server_wait(server, FAULT_DROPPED, 1));
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 2);
}

/* ---- with a handshake ------------------------------------------------------------------------------ */

Test(mcp_http, a_session_is_begun_and_ended, .init = start, .fini = stop)
{
    gr_ref client;

    legacy();
    reply(200, SSE, EVENT(TEXT("4", "one")));
    reply(200, JSON, TEXT("5", "two"));
    reply(200, "", "");
    client = CLIENT();
    says(call(client, "sql"), "one");
    says(call(client, "sql"), "two");
    gr_stop(rt, client);
    cr_assert(fault_server_wait(server, FAULT_REQUESTS, 6));
    sent(1, "\"method\": \"initialize\"", true);
    sent(1, "MCP-Protocol-Version", false);
    sent(2, "notifications/initialized", true);
    sent(2, "Mcp-Session-Id: session-one", true);
    sent(2, "MCP-Protocol-Version: 2025-11-25", true);
    sent(3, "Mcp-Method", false);
    sent(3, "Mcp-Param", false);
    sent(5, "DELETE ", true);
    sent(5, "Mcp-Session-Id: session-one", true);
}

Test(mcp_http, a_session_that_is_lost_is_made_anew, .init = start, .fini = stop)
{
    legacy();
    reply(404, JSON,
          "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32001,\"message\":\"Session not "
          "found\"}}");
    reply(200, JSON "Mcp-Session-Id: session-two\r\n", GREETING("5", "2025-11-25"));
    reply(202, "", "");
    reply(200, JSON, TEXT("7", "again"));
    reply(200, "", "");
    says(call(CLIENT(), "sql"), "again");
    sent(4, "initialize", true);
    sent(4, "Mcp-Session-Id", false);
    sent(6, "Mcp-Session-Id: session-two", true);
}

Test(mcp_http, a_session_that_is_lost_each_time_is_given_up, .init = start, .fini = stop)
{
    legacy();
    for (int i = 0; i < 3; i++) {
        reply(404, "", "gone");
        reply(200, JSON "Mcp-Session-Id: another\r\n",
              i == 0 ? GREETING("5", "2025-11-25") : GREETING("8", "2025-11-25"));
        reply(202, "", "");
    }
    fails(call(CLIENT(), "sql"), GR_EREMOTE, "404");
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "McpSessionLost");
}

static const struct fault_step cut[] = {
    FAULT_STREAM_HEAD,
    FAULT_CHUNK("id: ev-1\nretry: 1\ndata:\n\n"),
    FAULT_CHUNK(""),
};
static const struct fault_step broken[] = {
    FAULT_STREAM_HEAD,
    FAULT_CHUNK(
        "id: ev-2\n" EVENT("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":"
                           "{\"level\":\"info\",\"data\":\"x\"}}")),
    FAULT_RST,
};

Test(mcp_http, a_stream_that_breaks_is_gone_on_with, .init = start, .fini = stop)
{
    legacy();
    fault_server_script(server, PATH, cut, 3);
    fault_server_script(server, PATH, broken, 3);
    reply(200, SSE, EVENT(TEXT("4", "after all")));
    reply(200, "", "");
    says(call(CLIENT(), "sql"), "after all");
    sent(4, "GET ", true);
    sent(4, "Last-Event-ID: ev-1", true);
    sent(5, "Last-Event-ID: ev-2", true);
    sent(5, "Mcp-Session-Id: session-one", true);
}

Test(mcp_http, a_stream_without_an_answer_is_an_error, .init = start, .fini = stop)
{
    legacy();
    reply(200, SSE, ": nothing\n\n");
    reply(200, "", "");
    fails(call(CLIENT(), "sql"), GR_EPROTO, "without an answer");
}

Test(mcp_http, what_the_server_asks_is_answered_by_a_post, .init = start, .fini = stop)
{
    static const struct fault_step asks[] = {
        FAULT_STREAM_HEAD,
        FAULT_CHUNK(EVENT("{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}")),
        FAULT_GATE(0),
        FAULT_CHUNK(EVENT(TEXT("4", "thanks"))),
        FAULT_CHUNK(""),
    };
    gr_ref client;
    gr_future *f;
    gr_outcome o;

    legacy();
    fault_server_script(server, PATH, asks, 5);
    reply(202, "", "");
    reply(200, "", "");
    client = CLIENT();
    f = gr_acall(rt, client, "call_tool", gr_map(GR_KV("name", gr_str("sql"))), NULL);
    cr_assert(fault_server_wait(server, FAULT_REQUESTS, 5));
    sent(4, "{\"jsonrpc\": \"2.0\", \"id\": \"p\", \"result\": {}}", true);
    fault_server_open(server, 0);
    o = gr_await(f, TEST_WAIT_MS);
    cr_assert_eq(o.code, GR_OK, "%s", gr_error_text(o.error));
    gr_future_free(f);
}

Test(mcp_http, a_get_listens_for_changes, .init = start, .fini = stop)
{
    static const struct fault_step tells[] = {
        FAULT_STREAM_HEAD,
        FAULT_CHUNK(EVENT("{\"jsonrpc\":\"2.0\",\"id\":\"r\",\"method\":\"roots/list\"}")),
        FAULT_HANG,
    };
    gr_ref client;

    legacy();
    fault_server_script(server, PATH, tells, 3);
    reply(202, "", "");
    client =
        CLIENT_WITH(.listen = true, .roots = gr_list(gr_map(GR_KV("uri", gr_str("file:///w")))));
    gr_value_unref(do_in(client, "server", gr_nil()));
    cr_assert(fault_server_wait(server, FAULT_REQUESTS, 5));
    sent(3, "GET ", true);
    sent(3, "Accept: text/event-stream", true);
    sent(4, "file:///w", true);
}

Test(mcp_http, a_list_is_not_kept_where_nobody_hears_of_changes, .init = start, .fini = stop)
{
    gr_ref client;

    reply(400, JSON, NOT_INITIALIZED);
    reply(200, JSON,
          "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"protocolVersion\":\"2025-11-25\","
          "\"capabilities\":{\"tools\":{\"listChanged\":true}}}}");
    reply(202, "", "");
    reply(405, "", "");
    reply(200, JSON, PAGE("5", "one", ""));
    reply(200, JSON, PAGE("6", "two", ""));
    client = CLIENT_WITH(.listen = true);
    gr_value_unref(do_in(client, "list_tools", gr_nil()));
    gr_value_unref(do_in(client, "list_tools", gr_nil()));
    sent(3, "GET ", true);
    sent(5, "tools/list", true);
}

Test(mcp_http, cancelling_tells_an_old_server, .init = start, .fini = stop)
{
    gr_ref client;
    gr_future *f;

    legacy();
    fault_server_script(server, PATH, hanging, 3);
    reply(202, "", "");
    client = CLIENT();
    f = gr_acall(rt, client, "call_tool", gr_map(GR_KV("name", gr_str("sql"))), NULL);
    cr_assert(fault_server_wait(server, FAULT_REQUESTS, 4));
    gr_future_free(f);
    cr_assert(fault_server_wait(server, FAULT_REQUESTS, 5));
    sent(4, "notifications/cancelled", true);
    sent(4, "\"requestId\": 4", true);
}

/* ---- servers that misbehave ------------------------------------------------------------------------ */

Test(mcp_http, what_is_no_answer_is_an_error, .init = start, .fini = stop)
{
    modern();
    reply(200, JSON, "{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{}}");
    reply(200, JSON, "<html>");
    reply(200, JSON, "");
    reply(503, "Retry-After: 7\r\n", "busy");
    reply(429, "", "");
    gr_ref client = CLIENT();
    gr_value *request = gr_map(GR_KV("method", gr_str("x")));

    for (int i = 0; i < 3; i++)
        fails(do_in(client, "request", gr_value_ref(request)), GR_EPROTO, "no answer");
    fails(do_in(client, "request", gr_value_ref(request)), GR_EREMOTE, "503");
    cr_assert(gr_error_retryable(err));
    cr_assert_eq(gr_as_int(gr_get(err, "retry_after_ms"), 0), 7000);
    fails(do_in(client, "request", request), GR_ERATE, "429");
}

Test(mcp_http, a_long_answer_is_cut, .init = start, .fini = stop)
{
    static const struct fault_step flood[] = { FAULT_STREAM_HEAD, FAULT_FLOOD("400\r\ndata: ", 1),
                                               FAULT_FLOOD("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                                                           100000) };

    modern();
    fault_server_script(server, PATH, flood, 3);
    fails(do_in(CLIENT_WITH(.message_bytes_max = 512), "request",
                gr_map(GR_KV("method", gr_str("x")))),
          GR_ENOMEM, "");
}

Test(mcp_http, nobody_there_is_told, .init = start, .fini = stop)
{
    fails(do_in(gr_mcp_client(gr_root(rt), GR_MCP(.url = "http://127.0.0.1:9/mcp")), "server",
                gr_nil()),
          GR_EUNREACH, "127.0.0.1:9");
}

/* What stands before the @ of a URL is a name and a password: errors and the log have the host only. */
Test(mcp_http, a_password_in_the_url_is_no_part_of_the_name, .init = start, .fini = stop)
{
    gr_ref client =
        gr_mcp_client(gr_root(rt), GR_MCP(.url = "http://ann:" SECRET "@127.0.0.1:9/mcp",
                                          .protocol = "2025-11-25"));

    gr_value_unref(do_in(client, "list_tools", gr_nil()));
    cr_assert_not_null(err);
    cr_assert_null(strstr(gr_error_text(err), SECRET), "%s", gr_error_text(err));
    cr_assert_null(strstr(gr_cstr(gr_get(err, "where"), ""), SECRET), "%s",
                   gr_cstr(gr_get(err, "where"), ""));
}

Test(mcp_http, a_session_with_a_wild_name_is_refused, .init = start, .fini = stop)
{
    reply(400, JSON, NOT_INITIALIZED);
    reply(200, JSON "Mcp-Session-Id: two words\r\n", GREETING("2", "2025-11-25"));
    fails(do_in(CLIENT(), "server", gr_nil()), GR_EPROTO, "session");
}

Test(mcp_http, a_url_of_a_users_leads_nowhere_private, .init = start, .fini = stop)
{
    modern();
    fails(do_in(CLIENT_WITH(.guard = true), "server", gr_nil()), GR_EINVAL, "");
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "NotPublic", "%s", gr_error_text(err));
    cr_assert_eq(fault_server_count(server, FAULT_REQUESTS), 0);
}

/* A server that asks and asks while it answers: what it makes us send is bounded, and the answer comes. */
Test(mcp_http, a_flood_of_questions_hides_no_answer, .init = start, .fini = stop)
{
    static const struct fault_step flood[] = {
        FAULT_TEXT(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"),
        FAULT_FLOOD("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n\n", 2000),
        FAULT_TEXT("data: " TEXT("4", "at last") "\n\n"),
        FAULT_END,
    };

    legacy();
    fault_server_script(server, PATH, flood, 4);
    reply(202, "", "");
    says(call(CLIENT(), "sql"), "at last");
}

/* What the conformance suite's servers do: anything is answered, and questions come by the GET stream. */
Test(mcp_http, an_answer_that_is_no_discovery_is_an_old_servers, .init = start, .fini = stop)
{
    gr_value *v;

    reply(200, JSON, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
    reply(200, JSON, GREETING("2", "2025-11-25"));
    reply(202, "", "");
    v = do_in(CLIENT(), "server", gr_nil());
    cr_assert_str_eq(gr_cstr(gr_get(v, "era"), gr_error_text(err)), "legacy");
    gr_value_unref(v);
    reply(200, JSON, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
    fails(do_in(CLIENT_WITH(.protocol = "2026-07-28"), "server", gr_nil()), GR_EPROTO,
          "which versions");
}

Test(mcp_http, who_answers_questions_listens_for_them, .init = start, .fini = stop)
{
    gr_ref client;

    legacy();
    reply(405, "", "");
    client = CLIENT_WITH(.roots = gr_list_n(NULL, 0));
    gr_value_unref(do_in(client, "server", gr_nil()));
    cr_assert(fault_server_wait(server, FAULT_REQUESTS, 4));
    sent(3, "GET ", true);
}
