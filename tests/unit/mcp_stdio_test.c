/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_stdio_test.c - the MCP client with servers that are programs: good ones of both eras, and others. */
#include <greenroom/greenroom.h>

#include <limits.h>
#include <time.h>

#include "tests/support/isolated.h"
#include "tests/support/mcp_server.h"

static gr_runtime *rt;
static gr_scope *root;
static gr_value *err;
static char self[PATH_MAX];

static void start(void)
{
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    self[n > 0 ? n : 0] = '\0';
    err = NULL;
    setenv("GR_TEST_TOKEN", "token-canary", 1);
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2), &rt), GR_OK);
    root = gr_root(rt);
}

static void stop(void)
{
    gr_value_unref(err);
    gr_runtime_free(rt);
    cr_assert_eq(isolated_children(), 0, "a server is left");
}

#define SERVER(mode)                                                                               \
    .name = "test", .command = self, .args = (const char *const[]){ MCP_SERVER_ARG, mode },        \
    .arg_count = 2
#define CLIENT(mode) gr_mcp_client(root, GR_MCP(SERVER(mode)))
#define CLIENT_WITH(mode, ...) gr_mcp_client(root, GR_MCP(SERVER(mode), __VA_ARGS__))

static gr_value *do_in(gr_ref client, const char *verb, gr_value *args)
{
    gr_value_unref(err);
    err = NULL;
    return gr_do(rt, client, verb, args, GR_CALL(.timeout_ms = TEST_WAIT_MS), &err);
}

static gr_value *call(gr_ref client, const char *name, gr_value *arguments)
{
    gr_value *args = gr_map(GR_KV("name", gr_str(name)));

    return do_in(client, "call_tool",
                 arguments != NULL ? gr_set(args, "arguments", arguments) : args);
}

/* says expects the text of a call's answer. */
static void says(gr_ref client, const char *name, gr_value *arguments, const char *text)
{
    gr_value *v = call(client, name, arguments);

    cr_assert_str_eq(gr_cstr(gr_get(gr_at(gr_get(v, "content"), 0), "text"), gr_error_text(err)),
                     text);
    gr_value_unref(v);
}

static void json_is(gr_value *v, const char *expected)
{
    gr_value *due = gr_json_parse(expected, strlen(expected), NULL);
    char *json = gr_json_print(v, 0, NULL), *same = gr_json_print(due, 0, NULL);

    cr_assert_str_eq(json, same, "%s instead of %s (%s)", json, same, gr_error_text(err));
    gr_free(json);
    gr_free(same);
    gr_value_unref(due);
    gr_value_unref(v);
}

/* fails expects an error of a code whose text has a part. Takes v, which must be NULL. */
static void fails(gr_value *v, gr_code code, const char *part)
{
    cr_assert_null(v);
    cr_assert_eq(gr_error_code(err), code, "%s: %s", gr_code_name(gr_error_code(err)),
                 gr_error_text(err));
    cr_assert_not_null(strstr(gr_error_text(err), part), "%s", gr_error_text(err));
}

/* ---- well ------------------------------------------------------------------------------------- */

static void works(const char *mode, const char *era, const char *version)
{
    gr_ref client = CLIENT(mode);
    gr_value *v = do_in(client, "server", gr_nil());

    cr_assert_str_eq(gr_cstr(gr_get(v, "era"), gr_error_text(err)), era);
    cr_assert_str_eq(gr_cstr(gr_get(v, "protocolVersion"), ""), version);
    cr_assert_str_eq(gr_cstr(gr_get(gr_get(v, "serverInfo"), "name"), ""), "test");
    gr_value_unref(v);
    says(client, "echo", gr_map(GR_KV("text", gr_str("häß \"x\"\n"))), "häß \"x\"\n");
    v = do_in(client, "list_tools", gr_nil());
    cr_assert_eq(gr_len(v), 4, "%s", gr_error_text(err));
    cr_assert_str_eq(gr_cstr(gr_get(gr_at(v, 3), "name"), ""), "picture");
    gr_value_unref(v);
    v = gr_mcp_resources(rt, client, NULL, NULL, &err);
    json_is(
        v,
        "[{\"data\":\"hello\",\"mimetype\":\"text/plain\",\"metadata\":{\"uri\":\"test://a\"},\"type\":"
        "\"Blob\"},{\"data\":\"AAEC\",\"metadata\":{\"uri\":\"test://b\"},\"type\":\"Blob\"}]");
    v = gr_load(rt, client, NULL, &err);
    json_is(v, "[{\"page_content\":\"hello\",\"metadata\":{\"source\":\"test://a\",\"mime_type\":"
               "\"text/plain\"},\"type\":\"Document\"}]");
    v = gr_mcp_prompt(rt, client, "greet", NULL, NULL, &err);
    json_is(v, "[{\"type\":\"human\",\"content\":\"Hi\"},{\"type\":\"ai\",\"content\":\"Hello\"}]");
    fails(call(client, "nothing", NULL), GR_EREMOTE, "Unknown tool");
    cr_assert_eq(gr_as_int(gr_get(gr_get(err, "detail"), "code"), 0), -32602);
    fails(do_in(client, "request", gr_map(GR_KV("method", gr_str("what/ever")))), GR_EREMOTE,
          "Method not found");
}

Test(mcp_stdio, speaks_with_a_server_that_shakes_hands, .init = start, .fini = stop)
{
    works("legacy", "legacy", "2025-11-25");
}

Test(mcp_stdio, speaks_with_a_server_without_a_handshake, .init = start, .fini = stop)
{
    works("modern", "modern", "2026-07-28");
}

Test(mcp_stdio, a_server_that_ignores_the_probe_is_an_old_one, .init = start, .fini = stop)
{
    gr_ref client = CLIENT_WITH("silent", .probe_ms = 300);

    says(client, "echo", gr_map(GR_KV("text", gr_str("x"))), "x");
}

Test(mcp_stdio, the_version_may_be_given, .init = start, .fini = stop)
{
    gr_ref client = CLIENT_WITH("legacy", .protocol = "2025-06-18");
    gr_value *v = do_in(client, "server", gr_nil());

    cr_assert_str_eq(gr_cstr(gr_get(v, "protocolVersion"), gr_error_text(err)), "2025-06-18");
    gr_value_unref(v);
    fails(do_in(CLIENT_WITH("legacy", .protocol = "2026-07-28"), "server", gr_nil()), GR_EREMOTE,
          "not like");
    fails(do_in(CLIENT_WITH("legacy", .protocol = "1999"), "server", gr_nil()), GR_EINVAL, "1999");
}

Test(mcp_stdio, versions_that_nobody_speaks_are_refused, .init = start, .fini = stop)
{
    fails(do_in(CLIENT("older"), "server", gr_nil()), GR_EPROTO, "2023-01-01");
    fails(do_in(CLIENT("future"), "server", gr_nil()), GR_EPROTO, "no version");
    isolated_wait_no_children(); /* what is of no use is ended at once */
}

Test(mcp_stdio, options_that_make_no_sense_are_told, .init = start, .fini = stop)
{
    fails(do_in(gr_mcp_client(root, NULL), "server", gr_nil()), GR_EINVAL, "either");
    cr_assert_eq(gr_mcp_client(NULL, GR_MCP(SERVER("legacy"), .env = gr_map_n(NULL, 0))).node, 0);
    fails(do_in(CLIENT_WITH("legacy", .url = "http://x/"), "server", gr_nil()), GR_EINVAL,
          "either");
    fails(do_in(CLIENT_WITH("legacy", .timeout_ms = -1), "server", gr_nil()), GR_EINVAL, "time");
    fails(do_in(CLIENT_WITH("legacy", .log_level = "warn"), "server", gr_nil()), GR_EINVAL,
          "'warn'");
    fails(
        do_in(CLIENT_WITH("legacy", .env = gr_map(GR_KV("A=B", gr_str("x")))), "server", gr_nil()),
        GR_EINVAL, "A=B");
    fails(do_in(gr_mcp_client(root, GR_MCP(.command = "/nothing/there")), "server", gr_nil()),
          GR_EBROKEN, "can't be run");
    fails(do_in(gr_mcp_client(root, GR_MCP(.url = "ftp://x/")), "server", gr_nil()), GR_EINVAL,
          "http");
}

/* ---- tools --------------------------------------------------------------------------------------- */

static gr_value *tool_call(const char *name, gr_value *args)
{
    return gr_map(GR_KV("type", gr_str("tool_call")), GR_KV("name", gr_str(name)),
                  GR_KV("args", args), GR_KV("id", gr_str("c1")));
}

static gr_ref tool_at(const gr_value *tools, size_t i)
{
    return gr_as_ref(gr_at(tools, i));
}

Test(mcp_stdio, tools_are_tools, .init = start, .fini = stop)
{
    gr_ref client = CLIENT_WITH("legacy", .prefix = "t");
    gr_value *tools = gr_mcp_tools(rt, client, NULL, &err), *again;

    cr_assert_eq(gr_len(tools), 4, "%s", gr_error_text(err));
    json_is(
        do_in(tool_at(tools, 0), "tool", gr_nil()),
        "{\"name\":\"t_echo\",\"description\":\"Says it again\",\"parameters\":{\"type\":\"object\","
        "\"properties\":{\"text\":{\"type\":\"string\"}},\"required\":[\"text\"]},\"metadata\":"
        "{\"readOnlyHint\":true}}");
    json_is(do_in(tool_at(tools, 0), "invoke", gr_map(GR_KV("text", gr_str("x")))), "\"x\"");
    json_is(
        do_in(tool_at(tools, 1), "invoke",
              tool_call("t_add", gr_map(GR_KV("a", gr_int(2)), GR_KV("b", gr_int(3))))),
        "{\"type\":\"tool\",\"content\":\"5\",\"tool_call_id\":\"c1\",\"name\":\"t_add\",\"artifact\":"
        "{\"structured_content\":{\"sum\":5}},\"status\":\"success\"}");
    json_is(
        do_in(tool_at(tools, 2), "invoke", tool_call("t_fail", gr_map_n(NULL, 0))),
        "{\"type\":\"tool\",\"content\":\"no such city\",\"tool_call_id\":\"c1\",\"name\":\"t_fail\","
        "\"status\":\"error\"}");
    fails(do_in(tool_at(tools, 2), "invoke", gr_map_n(NULL, 0)), GR_EREMOTE, "no such city");
    json_is(do_in(tool_at(tools, 3), "invoke", gr_nil()),
            "[{\"type\":\"text\",\"text\":\"a dot\"},{\"type\":\"image\",\"base64\":\"iVBORw==\","
            "\"mime_type\":\"image/png\"}]");
    again = gr_mcp_tools(rt, client, NULL, &err);
    cr_assert(gr_equal(tools, again), "what has not changed is the same actor");
    gr_value_unref(again);
    gr_value_unref(tools);
}

Test(mcp_stdio, only_the_tools_that_are_let_through, .init = start, .fini = stop)
{
    const char *const names[] = { "add" };
    gr_ref client = CLIENT_WITH("legacy", .tools = names, .tool_count = 1, .raise_errors = true);
    gr_value *tools = gr_mcp_tools(rt, client, NULL, &err);

    cr_assert_eq(gr_len(tools), 1, "%s", gr_error_text(err));
    gr_value_unref(tools);
    fails(call(client, "echo", NULL), GR_EINVAL, "not among");
}

Test(mcp_stdio, a_tool_that_is_named_and_not_there_is_told, .init = start, .fini = stop)
{
    const char *const names[] = { "add", "ecoh" };
    gr_ref client = CLIENT_WITH("legacy", .tools = names, .tool_count = 2);

    fails(gr_mcp_tools(rt, client, NULL, &err), GR_EINVAL, "'ecoh'");
    fails(do_in(client, "list_tools", gr_nil()), GR_EINVAL, "'ecoh'");
}

Test(mcp_stdio, arguments_are_judged_before_they_are_sent, .init = start, .fini = stop)
{
    gr_ref echo = gr_mcp_tool(root, CLIENT_WITH("legacy", .prefix = "t"), "echo");
    gr_value *wrong = gr_map(GR_KV("text", gr_int(5)));

    fails(do_in(echo, "invoke", gr_value_ref(wrong)), GR_EINVAL, "1 validation error for t_echo");
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "ValidationError");
    cr_assert_str_eq(gr_cstr(gr_get(gr_at(gr_get(err, "detail"), 0), "path"), ""), "/text");
    fails(do_in(echo, "invoke", tool_call("t_echo", wrong)), GR_EINVAL, "/text");
    fails(do_in(echo, "invoke", gr_nil()), GR_EINVAL, "text");
    json_is(do_in(echo, "invoke", gr_map(GR_KV("text", gr_str("x")))), "\"x\"");
    json_is(
        do_in(gr_mcp_tool(root, CLIENT("odd"), "echo"), "invoke", gr_map(GR_KV("text", gr_int(5)))),
        "\"?\"");
}

Test(mcp_stdio, what_is_wrong_by_an_old_schema_is_judged_again, .init = start, .fini = stop)
{
    gr_ref client = CLIENT("shift"), echo = gr_mcp_tool(root, client, "echo");

    json_is(do_in(echo, "invoke", gr_map(GR_KV("text", gr_str("x")))), "\"x\"");
    fails(do_in(echo, "invoke", gr_map(GR_KV("word", gr_str("x")))), GR_EINVAL, "text");
    says(client, "change", NULL, "changed");
    json_is(do_in(echo, "invoke", gr_map(GR_KV("word", gr_str("x")))), "\"x\"");
}

Test(mcp_stdio, an_error_may_be_raised, .init = start, .fini = stop)
{
    gr_ref tool = gr_mcp_tool(root, CLIENT_WITH("legacy", .raise_errors = true), "fail");

    fails(do_in(tool, "invoke", tool_call("fail", gr_map_n(NULL, 0))), GR_EREMOTE, "no such city");
    fails(do_in(gr_mcp_tool(root, CLIENT("legacy"), "none"), "tool", gr_nil()), GR_EINVAL, "none");
    fails(do_in(tool, "invoke", gr_str("x")), GR_ETYPE, "map");
}

Test(mcp_stdio, the_list_is_kept_until_it_changes, .init = start, .fini = stop)
{
    gr_ref client = CLIENT("legacy");

    for (int i = 0; i < 3; i++)
        gr_value_unref(do_in(client, "list_tools", gr_nil()));
    says(client, "lists", NULL, "1");
    says(client, "change", NULL, "changed");
    gr_value_unref(do_in(client, "list_tools", gr_nil()));
    says(client, "lists", NULL, "2");
}

/* ---- progress, cancelling, time ------------------------------------------------------------------ */

static _Atomic int steps;

static void note_step(void *arg, const gr_event *e)
{
    (void)arg;
    if (strcmp(e->name != NULL ? e->name : "", "mcp_progress") == 0)
        steps++;
}

static gr_value *observed(void)
{
    return gr_map(GR_KV(
        "callbacks",
        gr_list(gr_handler_value(GR_HANDLER(.on_event = note_step, .kinds = GR_RUN_CUSTOM)))));
}

Test(mcp_stdio, progress_is_told_to_callbacks, .init = start, .fini = stop)
{
    gr_ref tool = gr_mcp_tool(root, CLIENT("legacy"), "steps");
    gr_value *v;

    steps = 0;
    v = gr_invoke(rt, tool, gr_nil(), GR_CALL(.config = observed()), &err);
    json_is(v, "\"done\"");
    cr_assert_eq(steps, 3);
}

Test(mcp_stdio, a_flood_of_progress_hides_no_answer, .init = start, .fini = stop)
{
    says(CLIENT("legacy"), "flood", NULL, "done");
}

/* until_says asks again and again until the answer is this text. */
static void until_says(gr_ref client, const char *name, const char *text)
{
    bool said = false;

    for (int i = 0; !said; i++) {
        gr_value *v = call(client, name, NULL);

        said = strcmp(gr_cstr(gr_get(gr_at(gr_get(v, "content"), 0), "text"), ""), text) == 0;
        gr_value_unref(v);
        cr_assert_lt(i, 10000);
    }
}

static void cancels(const char *mode)
{
    gr_ref client = CLIENT(mode);
    gr_future *f;

    says(client, "cancelled", NULL, "0");
    f = gr_acall(rt, client, "call_tool", gr_map(GR_KV("name", gr_str("wait"))), NULL);
    until_says(client, "waits", "1"); /* cancelled before it is sent, nobody would be told */
    gr_future_free(f);
    until_says(client, "cancelled", "1");
}

Test(mcp_stdio, cancelling_tells_the_server, .init = start, .fini = stop)
{
    cancels("legacy");
    cancels("modern");
}

Test(mcp_stdio, a_subscription_that_the_server_ends_is_begun_anew, .init = start, .fini = stop)
{
    gr_ref client = CLIENT_WITH("modern", .listen = true);

    until_says(client, "listens", "1");
    says(client, "unlisten", NULL, "done");
    until_says(client, "listens", "2");
}

Test(mcp_stdio, an_answer_that_does_not_come_is_not_waited_for, .init = start, .fini = stop)
{
    gr_ref client = CLIENT_WITH("legacy", .timeout_ms = 200);

    fails(call(client, "wait", NULL), GR_ETIMEDOUT, "tools/call");
    says(client, "echo", gr_map(GR_KV("text", gr_str("on"))), "on");
    fails(do_in(CLIENT_WITH("mute", .probe_ms = 100, .connect_ms = 300), "server", gr_nil()),
          GR_ETIMEDOUT, "");
}

/* ---- what the server asks ------------------------------------------------------------------------ */

static gr_value *choose(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    if (strcmp(gr_cstr(gr_get(input, "message"), ""), "Which colour?") != 0)
        return gr_error(GR_EINVAL, "what?");
    return gr_map(GR_KV("action", gr_str("accept")),
                  GR_KV("content", gr_map(GR_KV("colour", gr_str("green")))));
}

Test(mcp_stdio, a_handler_answers_what_the_server_asks, .init = start, .fini = stop)
{
    gr_ref chooser = gr_lambda(root, GR_ASYNC, choose, NULL, NULL);
    gr_value *roots = gr_list(gr_map(GR_KV("uri", gr_str("file:///w"))));

    says(CLIENT_WITH("legacy", .elicitation = chooser), "ask", NULL,
         "{\"action\": \"accept\", \"content\": {\"colour\": \"green\"}}");
    says(CLIENT_WITH("modern", .elicitation = chooser), "ask", NULL,
         "{\"colour\": {\"action\": \"accept\", \"content\": {\"colour\": \"green\"}}}");
    says(CLIENT_WITH("legacy", .roots = gr_value_ref(roots)), "ask",
         gr_map(GR_KV("method", gr_str("roots/list"))), "{\"roots\": [{\"uri\": \"file:///w\"}]}");
    says(CLIENT_WITH("modern", .roots = roots), "ask",
         gr_map(GR_KV("method", gr_str("roots/list"))),
         "{\"colour\": {\"roots\": [{\"uri\": \"file:///w\"}]}}");
    says(CLIENT("legacy"), "ask", gr_map(GR_KV("method", gr_str("ping"))), "{}");
}

static _Atomic int pondering, stopped;

/* ponder never comes to an end by itself. */
static gr_value *ponder(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)arg, (void)input;
    pondering++;
    while (!gr_cancelled(c))
        (void)gr_sleep(gr_runtime_of(c), 600000);
    stopped++;
    return gr_nil();
}

static void reaches(_Atomic int *counter, int value)
{
    for (int i = 0; *counter < value; i++) {
        cr_assert_lt(i, TEST_WAIT_MS);
        (void)gr_sleep(rt, 1);
    }
}

Test(mcp_stdio, a_question_that_is_taken_back_is_pondered_no_more, .init = start, .fini = stop)
{
    gr_ref thinker = gr_lambda(root, GR_ASYNC, ponder, NULL, NULL);
    gr_ref client = CLIENT_WITH("legacy", .elicitation = thinker);

    pondering = stopped = 0;
    says(client, "wonder", NULL, "asked");
    reaches(&pondering, 1);
    says(client, "regret", NULL, "regretted");
    reaches(&stopped, 1);
    says(client, "wonder", NULL, "asked");
    reaches(&pondering, 2);
    gr_stop(rt, client);
    reaches(&stopped, 2);
}

Test(mcp_stdio, without_a_handler_it_is_refused_clearly, .init = start, .fini = stop)
{
    says(CLIENT("legacy"), "ask", gr_map(GR_KV("method", gr_str("sampling/createMessage"))),
         "{\"code\": -32601, \"message\": \"this client does not answer sampling/createMessage\"}");
    fails(call(CLIENT("modern"), "ask", NULL), GR_EREMOTE, "elicitation/create");
    cr_assert_str_eq(gr_cstr(gr_get(err, "kind"), ""), "McpInputRequired");
    cr_assert_str_eq(gr_cstr(gr_get(gr_get(err, "detail"), "requestState"), ""), "opaque");
}

/* ---- servers that misbehave ------------------------------------------------------------------------ */

Test(mcp_stdio, what_is_no_message_is_left_out, .init = start, .fini = stop)
{
    gr_ref garbage = CLIENT("garbage"), strange = CLIENT("strange");

    for (int i = 0; i < 20; i++) {
        says(garbage, "echo", gr_map(GR_KV("text", gr_str("x"))), "x");
        says(strange, "twice", NULL, "first");
    }
}

Test(mcp_stdio, a_message_that_is_too_long_ends_it, .init = start, .fini = stop)
{
    gr_ref client = CLIENT_WITH("huge", .message_bytes_max = 65536);

    says(client, "echo", gr_map(GR_KV("text", gr_str("x"))), "x");
    fails(call(client, "huge", NULL), GR_EBROKEN, "65536");
}

Test(mcp_stdio, pages_have_an_end, .init = start, .fini = stop)
{
    fails(do_in(CLIENT_WITH("endless", .pages_max = 50), "list_tools", gr_nil()), GR_EFULL,
          "50 pages");
    fails(do_in(CLIENT_WITH("legacy", .list_max = 3), "list_tools", gr_nil()), GR_EFULL,
          "more than 3");
}

Test(mcp_stdio, a_list_has_only_so_many_bytes, .init = start, .fini = stop)
{
    gr_ref client = CLIENT_WITH("fat", .list_bytes_max = (size_t)1 << 20);
    gr_value *uris = gr_list_n(NULL, 0);

    fails(do_in(client, "list_tools", gr_nil()), GR_EFULL, "list_bytes_max");
    fails(do_in(client, "tools", gr_nil()), GR_EFULL, "1048576 bytes");
    for (int i = 0; i < 20; i++)
        uris = gr_append(uris, gr_str("test://fat"));
    fails(do_in(client, "resources", gr_map(GR_KV("uris", gr_value_ref(uris)))), GR_EFULL,
          "resources");
    fails(do_in(client, "load", gr_map(GR_KV("uris", uris))), GR_EFULL, "resources");
    says(client, "echo", gr_map(GR_KV("text", gr_str("on"))), "on");
}

Test(mcp_stdio, requests_under_way_are_counted, .init = start, .fini = stop)
{
    gr_ref client = CLIENT_WITH("legacy", .pending_max = 2);
    gr_future *f[3], *first;
    gr_outcome o;

    says(client, "echo", gr_map(GR_KV("text", gr_str("x"))), "x");
    for (int i = 0; i < 3; i++)
        f[i] = gr_acall(rt, client, "call_tool", gr_map(GR_KV("name", gr_str("wait"))), NULL);
    first = gr_race(rt, f, 3);
    o = gr_await(first, TEST_WAIT_MS);
    cr_assert_eq(o.code, GR_EFULL, "%s", gr_error_text(o.error));
    cr_assert_not_null(strstr(gr_error_text(o.error), "2 requests"));
    gr_future_free(first);
}

Test(mcp_stdio, a_server_that_dies_is_the_clients_end, .init = start, .fini = stop)
{
    gr_ref client = CLIENT("legacy");
    gr_future *ended, *other;
    gr_outcome o;

    says(client, "echo", gr_map(GR_KV("text", gr_str("x"))), "x");
    ended = gr_ended(rt, client);
    other = gr_acall(rt, client, "call_tool", gr_map(GR_KV("name", gr_str("wait"))), NULL);
    fails(call(client, "die", NULL), GR_EBROKEN, "");
    cr_assert(gr_error_retryable(err), "%s", gr_error_text(err));
    o = gr_await(other, TEST_WAIT_MS);
    cr_assert_eq(o.code, GR_EBROKEN);
    o = gr_await(ended, TEST_WAIT_MS);
    cr_assert_eq(o.code, GR_EBROKEN);
    cr_assert_eq(gr_as_int(gr_get(gr_get(o.error, "detail"), "status"), 0), 9, "%s",
                 gr_error_text(o.error));
    gr_future_free(ended);
    gr_future_free(other);
    fails(do_in(CLIENT("die"), "server", gr_nil()), GR_EBROKEN, "exit status 7");
}

Test(mcp_stdio, a_server_that_closes_its_output_ends, .init = start, .fini = stop)
{
    gr_ref client = CLIENT("legacy");

    fails(call(client, "shut", NULL), GR_EBROKEN, "");
}

Test(mcp_stdio, a_server_that_will_not_end_is_killed, .init = start, .fini = stop)
{
    gr_ref client = CLIENT_WITH("stubborn", .end_ms = 50, .term_ms = 50);

    says(client, "echo", gr_map(GR_KV("text", gr_str("x"))), "x");
    gr_stop(rt, client);
    isolated_wait_no_children();
}

Test(mcp_stdio, stopping_a_client_ends_its_server, .init = start, .fini = stop)
{
    gr_ref client = CLIENT("legacy");

    says(client, "echo", gr_map(GR_KV("text", gr_str("x"))), "x");
    gr_stop(rt, client);
    isolated_wait_no_children();
    fails(call(client, "echo", NULL), GR_EDEAD, "");
}

Test(mcp_stdio, a_server_gets_no_more_of_the_environment_than_it_is_given, .init = start,
     .fini = stop)
{
    const char *const pass[] = { "GR_TEST_TOKEN" };
    gr_ref client = CLIENT("legacy"),
           given = CLIENT_WITH("legacy", .env_pass = pass, .env_pass_count = 1,
                               .env = gr_map(GR_KV("COLOUR", gr_str("green"))));

    says(client, "env", gr_map(GR_KV("name", gr_str("GR_TEST_TOKEN"))), "(unset)");
    says(client, "env", gr_map(GR_KV("name", gr_str("PATH"))), getenv("PATH"));
    says(given, "env", gr_map(GR_KV("name", gr_str("GR_TEST_TOKEN"))), "token-canary");
    says(given, "env", gr_map(GR_KV("name", gr_str("COLOUR"))), "green");
}

/* ---- what nobody may see ---------------------------------------------------------------------------- */

static _Atomic int shown, leaked;

static void hear(void *arg, int level, const char *line)
{
    (void)arg, (void)level;
    if (strstr(line, "the token is") != NULL || strstr(line, "said: ") != NULL)
        shown++;
    if (strstr(line, "token-canary") != NULL)
        leaked++;
}

Test(mcp_stdio, what_a_server_was_passed_is_in_no_log_and_no_error, .init = start, .fini = stop)
{
    const char *const pass[] = { "GR_TEST_TOKEN" };
    gr_ref client = CLIENT_WITH("legacy", .env_pass = pass, .env_pass_count = 1);
    char *json;

    shown = leaked = 0;
    says(client, "env", gr_map(GR_KV("name", gr_str("GR_TEST_TOKEN"))), "token-canary");
    gr_set_log(hear, NULL, 4);
    fails(call(client, "leak", NULL), GR_EREMOTE, "************");
    json = gr_json_print(gr_get(err, "detail"), 0, NULL);
    cr_assert_null(strstr(json, "canary"), "%s", json);
    gr_free(json);
    for (int i = 0; shown < 2; i++) { /* of each there is a line a second in the log */
        cr_assert_lt(i, 100000);
        cr_assert_null(call(client, "leak", NULL));
    }
    gr_set_log(NULL, NULL, 0);
    cr_assert_eq(leaked, 0);
}

/* ---- supervised ------------------------------------------------------------------------------------ */

static gr_ref start_client(gr_scope *in, void *arg, const gr_value *args)
{
    (void)arg, (void)args;
    return gr_mcp_client(in, GR_MCP(.command = self,
                                    .args = (const char *const[]){ MCP_SERVER_ARG, "legacy" },
                                    .arg_count = 2));
}

Test(mcp_stdio, a_supervisor_starts_it_again, .init = start, .fini = stop)
{
    const gr_child_spec child = GR_CHILD(.id = "mcp", .start = start_client);
    gr_ref sup =
        gr_supervisor(root, GR_SUPERVISOR(.children = &child, .child_count = 1, .intensity = 5));
    gr_ref client = gr_child(root, sup, "mcp", NULL), tool = gr_mcp_tool(root, client, "echo"),
           steady = gr_with_retry(root, tool,
                                  GR_RETRY(.attempts = 100, .backoff_ms = 20, .jitter_ms = -1));
    gr_future *up = gr_started(rt, sup);

    cr_assert_eq(gr_await(up, TEST_WAIT_MS).code, GR_OK);
    gr_future_free(up);
    json_is(gr_invoke(rt, tool, gr_map(GR_KV("text", gr_str("one"))), NULL, &err), "\"one\"");
    cr_assert_null(call(client, "die", NULL));
    json_is(gr_invoke(rt, steady, gr_map(GR_KV("text", gr_str("two"))), NULL, &err), "\"two\"");
}

/* add_script has the model call "add" and then answer, twice. */
static gr_ref add_script(void)
{
    gr_value *answers = gr_list_n(NULL, 0);

    for (int i = 0; i < 2; i++) {
        gr_value *args = gr_map(GR_KV("a", gr_int(2)), GR_KV("b", gr_int(3)));
        gr_value *calls = gr_list(tool_call("add", args));

        answers = gr_append(answers, gr_set(gr_ai(""), "tool_calls", calls));
        answers = gr_append(answers, gr_str("five"));
    }
    return gr_script_model(root, GR_SCRIPT(.answers = answers));
}

Test(mcp_stdio, an_agent_goes_on_with_a_server_that_was_started_again, .init = start, .fini = stop)
{
    const gr_child_spec child = GR_CHILD(.id = "mcp", .start = start_client);
    gr_ref sup =
        gr_supervisor(root, GR_SUPERVISOR(.children = &child, .child_count = 1, .intensity = 5));
    gr_ref client = gr_child(root, sup, "mcp", GR_NAMED(.wait_ms = TEST_WAIT_MS));
    gr_ref agent = gr_agent(root, add_script(), NULL, client);

    for (int i = 0; i < 2; i++) {
        gr_value *state = do_in(agent, "invoke", gr_str("2 and 3?"));
        gr_value *tools = do_in(client, "tools", gr_nil());
        gr_future *gone = gr_ended(rt, tool_at(tools, 1));

        cr_assert_str_eq(
            gr_cstr(gr_get(gr_at(gr_get(state, "messages"), 2), "content"), gr_error_text(err)),
            "5");
        gr_value_unref(state);
        cr_assert_null(call(client, "die", NULL));
        cr_assert_neq(gr_await(gone, TEST_WAIT_MS).code, GR_EPENDING);
        gr_future_free(gone);
        gr_value_unref(tools);
    }
}

static gr_ref start_nothing(gr_scope *in, void *arg, const gr_value *args)
{
    (void)arg, (void)args;
    return gr_mcp_client(in, GR_MCP(.command = "/nothing/there"));
}

Test(mcp_stdio, a_child_that_can_not_be_started_says_why, .init = start, .fini = stop)
{
    const gr_child_spec child = GR_CHILD(.id = "mcp", .start = start_nothing);
    gr_ref sup = gr_supervisor(root, GR_SUPERVISOR(.children = &child, .child_count = 1));
    gr_ref client = gr_child(root, sup, "mcp", NULL),
           patient = gr_child(root, sup, "mcp", GR_NAMED(.wait_ms = 600000));
    gr_future *up = gr_started(rt, sup);

    cr_assert_neq(gr_await(up, TEST_WAIT_MS).code, GR_OK);
    gr_future_free(up);
    fails(do_in(client, "server", gr_nil()), GR_EUNREACH,
          "/nothing/there can't be run: No such file or directory");
    fails(do_in(patient, "server", gr_nil()), GR_EUNREACH, "No such file");
    cr_assert_eq(gr_error_code(gr_get(err, "cause")), GR_EBROKEN);
}

Test(mcp_stdio, many_come_and_go, .init = start, .fini = stop)
{
    for (int i = 0; i < 30; i++) {
        gr_scope *in = gr_scope_new(root);
        gr_ref client = gr_mcp_client(
            in, GR_MCP(.command = self, .args = (const char *const[]){ MCP_SERVER_ARG, "modern" },
                       .arg_count = 2));

        if (i % 3 != 0)
            says(client, "echo", gr_map(GR_KV("text", gr_str("x"))), "x");
        gr_scope_free(in);
        isolated_wait_no_children();
    }
}

/* ---- with an agent --------------------------------------------------------------------------------- */

Test(mcp_stdio, an_agent_uses_its_tools, .init = start, .fini = stop)
{
    gr_ref client = CLIENT("legacy");
    gr_value *tools = gr_mcp_tools(rt, client, NULL, &err), *calls, *model_says, *state;
    gr_ref refs[4], model, agent;

    for (size_t i = 0; i < 4; i++)
        refs[i] = tool_at(tools, i);
    calls = gr_list(tool_call("add", gr_map(GR_KV("a", gr_int(2)), GR_KV("b", gr_int(3)))));
    model_says = gr_set(gr_ai(""), "tool_calls", calls);
    model = gr_script_model(root, GR_SCRIPT(.answers = gr_list(model_says, gr_str("It is five."))));
    agent = gr_agent_n(root, model, NULL, refs, 4);
    state = gr_invoke(rt, agent, gr_str("2 and 3?"), GR_CALL(.timeout_ms = TEST_WAIT_MS), &err);
    cr_assert_eq(gr_len(gr_get(state, "messages")), 4, "%s", gr_error_text(err));
    cr_assert_str_eq(gr_cstr(gr_get(gr_at(gr_get(state, "messages"), 2), "content"), ""), "5");
    cr_assert_str_eq(gr_cstr(gr_get(gr_at(gr_get(state, "messages"), 3), "content"), ""),
                     "It is five.");
    gr_value_unref(state);
    gr_value_unref(tools);
}
