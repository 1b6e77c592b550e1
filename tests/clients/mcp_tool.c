/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcp_tool.c - our MCP client with a server that others wrote: the "everything" server of the MCP project.
 *
 *   mcp_tool URL | mcp_tool PROGRAM ARGUMENT…
 *   mcp_tool --conform URL     for the conformance suite, whose server looks at what comes
 *
 * Prints "ok" or "FAIL" with what it looked at, a line each; its exit code is how many failed.
 */
#include <greenroom/greenroom.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define WAIT_MS 30000

static gr_runtime *rt;
static gr_ref client;
static gr_value *err;
static int failures;
static atomic_int steps, notes;

static void note(bool good, const char *what, const gr_value *got)
{
    char *json = good ? NULL : gr_json_print(got, 0, NULL);

    printf("%s %s%s%.1500s%s%s\n", good ? "ok" : "FAIL", what, good ? "" : ": ", good ? "" : json,
           good || err == NULL ? "" : " - ", good || err == NULL ? "" : gr_error_text(err));
    fflush(stdout);
    failures += !good;
    gr_free(json);
}

static gr_value *ask(gr_ref who, const char *verb, gr_value *args)
{
    gr_value_unref(err);
    err = NULL;
    return gr_do(rt, who, verb, args, GR_CALL(.timeout_ms = WAIT_MS), &err);
}

/* has looks for a part in an answer, which it takes. */
static void has(const char *what, gr_value *v, const char *part)
{
    char *json = gr_json_print(v, 0, NULL);

    note(v != NULL && strstr(json, part) != NULL, what, v);
    gr_free(json);
    gr_value_unref(v);
}

static gr_value *call_of(const char *name, gr_value *args)
{
    return gr_map(GR_KV("type", gr_str("tool_call")), GR_KV("name", gr_str(name)),
                  GR_KV("args", args), GR_KV("id", gr_str("call-1")));
}

static gr_value *use(const char *name, gr_value *args)
{
    return ask(gr_mcp_tool(gr_root(rt), client, name), "invoke", call_of(name, args));
}

static gr_value *none(void)
{
    return gr_map_n(NULL, 0);
}

static void see_tools(void)
{
    gr_value *tools = gr_mcp_tools(rt, client, NULL, &err), *told;

    note(gr_len(tools) >= 10, "tools", tools);
    told = ask(gr_as_ref(gr_at(tools, 0)), "tool", gr_nil());
    has("the first is echo, with its schema", told, "\"parameters\": {\"$schema\"");
    gr_value_unref(tools);
    has("echo", use("echo", gr_map(GR_KV("message", gr_str("Grüße, \"world\"")))), "Echo: Grüße");
    has("sum", use("get-sum", gr_map(GR_KV("a", gr_int(2)), GR_KV("b", gr_int(40)))), "42");
    has("an image", use("get-tiny-image", none()), "\"mime_type\": \"image/png\"");
    has("structured content",
        use("get-structured-content", gr_map(GR_KV("location", gr_str("New York")))),
        "\"artifact\": {\"structured_content\": {");
    has("annotated",
        use("get-annotated-message",
            gr_map(GR_KV("messageType", gr_str("error")), GR_KV("includeImage", gr_bool(true)))),
        "\"type\": \"image\"");
    has("links", use("get-resource-links", gr_map(GR_KV("count", gr_int(3)))),
        "\"type\": \"file\", \"url\"");
    has("a resource within",
        use("get-resource-reference",
            gr_map(GR_KV("resourceType", gr_str("Text")), GR_KV("resourceId", gr_int(1)))),
        "\"type\": \"text\"");
    /* these are judged here, and never reach the server */
    gr_value_unref(use("get-sum", gr_map(GR_KV("a", gr_str("x")))));
    note(err != NULL && strstr(gr_error_text(err), "2 validation errors for get-sum") != NULL,
         "wrong arguments never reach the server", NULL);
    has("a tool that is not there is its error", use("no-such-tool", none()),
        "\"status\": \"error\"");
}

static void see_the_rest(void)
{
    has("resources", ask(client, "list_resources", gr_nil()), "\"uri\"");
    has("templates", ask(client, "list_resource_templates", gr_nil()), "\"uriTemplate\"");
    has("a resource as a blob",
        ask(client, "resources", gr_map(GR_KV("uris", gr_str("demo://resource/dynamic/text/1")))),
        "\"type\": \"Blob\"");
    has("bytes",
        ask(client, "resources", gr_map(GR_KV("uris", gr_str("demo://resource/dynamic/blob/1")))),
        "\"data\"");
    has("documents", ask(client, "load", gr_nil()), "\"page_content\"");
    has("prompts", ask(client, "list_prompts", gr_nil()), "\"name\"");
    has("a prompt", ask(client, "prompt", gr_map(GR_KV("name", gr_str("simple-prompt")))),
        "\"type\": \"human\"");
    has("a prompt with arguments",
        ask(client, "prompt",
            gr_map(GR_KV("name", gr_str("args-prompt")),
                   GR_KV("arguments", gr_map(GR_KV("city", gr_str("Paris")))))),
        "Paris");
    has("completion",
        ask(client, "request",
            gr_map(GR_KV("method", gr_str("completion/complete")),
                   GR_KV("params",
                         gr_map(GR_KV("ref", gr_map(GR_KV("type", gr_str("ref/prompt")),
                                                    GR_KV("name", gr_str("completable-prompt")))),
                                GR_KV("argument", gr_map(GR_KV("name", gr_str("department")),
                                                         GR_KV("value", gr_str("E")))))))),
        "Engineering");
    has("ping", ask(client, "request", gr_map(GR_KV("method", gr_str("ping")))), "{}");
}

static void on_step(void *arg, const gr_event *e)
{
    (void)arg;
    if (strcmp(e->name != NULL ? e->name : "", "mcp_progress") == 0)
        steps++;
}

static void see_progress(void)
{
    gr_value *config = gr_map(
        GR_KV("callbacks",
              gr_list(gr_handler_value(GR_HANDLER(.on_event = on_step, .kinds = GR_RUN_CUSTOM)))));
    gr_ref tool = gr_mcp_tool(gr_root(rt), client, "trigger-long-running-operation");
    gr_value *v =
        gr_invoke(rt, tool, gr_map(GR_KV("duration", gr_real(0.5)), GR_KV("steps", gr_int(5))),
                  GR_CALL(.config = config, .timeout_ms = WAIT_MS), &err);
    gr_future *f;

    has("a long operation", v, "completed");
    note(steps == 5, "told five times of its progress", NULL);
    f = gr_ainvoke(rt, tool, gr_map(GR_KV("duration", gr_int(600)), GR_KV("steps", gr_int(600))),
                   NULL);
    has("others are answered meanwhile", use("echo", gr_map(GR_KV("message", gr_str("on")))),
        "Echo: on");
    gr_future_free(f);
    has("and after it was cancelled", use("echo", gr_map(GR_KV("message", gr_str("off")))),
        "Echo: off");
}

static gr_value *elicit(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_get(input, "message") != NULL
               ? gr_map(GR_KV("action", gr_str("accept")),
                        GR_KV("content",
                              gr_map(GR_KV("name", gr_str("Ada")), GR_KV("check", gr_bool(true)))))
               : gr_error(GR_EINVAL, "no message");
}

static gr_value *sample(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg, (void)input;
    return gr_map(GR_KV("role", gr_str("assistant")), GR_KV("model", gr_str("none")),
                  GR_KV("content", gr_map(GR_KV("type", gr_str("text")),
                                          GR_KV("text", gr_str("sampled here")))));
}

static void heard(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)c, (void)self;
    notes += strcmp(gr_cstr(gr_get(msg, "type"), ""), "mcp_notification") == 0;
}

static gr_value *heard_nothing(gr_ctx *c, void *self, const gr_value *args)
{
    (void)c, (void)self;
    return gr_value_ref(args);
}

static gr_ref listener(void)
{
    static const gr_method methods[] = { { "invoke", GR_CHEAP, heard_nothing, NULL } };
    static const gr_class cls = GR_CLASS(.name = "listener", .receive = heard, GR_METHODS(methods));

    return gr_spawn(gr_root(rt), &cls, NULL);
}

static void see_questions(void)
{
    has("the roots", use("get-roots-list", none()), "file:///workspace");
    has("an elicitation", use("trigger-elicitation-request", none()), "Ada");
    has("a sampling", use("trigger-sampling-request", gr_map(GR_KV("prompt", gr_str("hi")))),
        "sampled here");
    note(notes > 0, "notifications are told", NULL);
}

/* defaults_of makes the content of a form of what its schema says is the default: what a user accepts unread. */
static gr_value *defaults_of(const gr_value *schema)
{
    const gr_value *properties = gr_get(schema, "properties");
    gr_value *content = gr_map_n(NULL, 0);

    for (size_t i = 0; i < gr_len(properties); i++) {
        const char *name = "";
        const gr_value *otherwise = gr_get(gr_pair_at(properties, i, &name), "default");

        if (otherwise != NULL)
            content = gr_set(content, name, gr_value_ref(otherwise));
    }
    return content;
}

static gr_value *accept_defaults(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_map(GR_KV("action", gr_str("accept")),
                  GR_KV("content", defaults_of(gr_get(input, "requestedSchema"))));
}

/* numbers_for gives each argument that a tool takes a number. */
static gr_value *numbers_for(const gr_value *schema)
{
    const gr_value *properties = gr_get(schema, "properties");
    gr_value *args = gr_map_n(NULL, 0);

    for (size_t i = 0; i < gr_len(properties); i++) {
        const char *name = "";

        (void)gr_pair_at(properties, i, &name);
        args = gr_set(args, name, gr_int((int64_t)i + 3));
    }
    return args;
}

/* conform does what the scenarios of the MCP project's conformance suite want of a client: all tools are called. */
static int conform(const char *url)
{
    gr_value *list;

    client = gr_mcp_client(
        gr_root(rt), GR_MCP(.url = url, .elicitation = gr_lambda(gr_root(rt), GR_CHEAP,
                                                                 accept_defaults, NULL, NULL)));
    list = ask(client, "list_tools", gr_nil());
    note(list != NULL, "list", list);
    for (size_t i = 0; i < gr_len(list); i++) {
        const gr_value *tool = gr_at(list, i);
        gr_value *v =
            use(gr_cstr(gr_get(tool, "name"), ""), numbers_for(gr_get(tool, "inputSchema")));

        note(v != NULL, gr_cstr(gr_get(tool, "name"), ""), v);
        gr_value_unref(v);
    }
    gr_value_unref(list);
    gr_value_unref(err);
    gr_runtime_free(rt);
    return failures;
}

int main(int argc, char **argv)
{
    bool url = argc == 2 && strncmp(argv[1], "http", 4) == 0;
    gr_value *server;

    if (argc < 2 || gr_runtime_new(NULL, &rt) != GR_OK)
        return 99;
    if (argc == 3 && strcmp(argv[1], "--conform") == 0)
        return conform(argv[2]);
    client = gr_mcp_client(
        gr_root(rt),
        GR_MCP(.name = "everything", .url = url ? argv[1] : NULL, .command = url ? NULL : argv[1],
               .args = url ? NULL : (const char *const *)&argv[2],
               .arg_count = url ? 0 : (size_t)argc - 2, .listen = true, .events = listener(),
               .roots = gr_list(
                   gr_map(GR_KV("uri", gr_str("file:///workspace")), GR_KV("name", gr_str("w")))),
               .elicitation = gr_lambda(gr_root(rt), GR_CHEAP, elicit, NULL, NULL),
               .sampling = gr_lambda(gr_root(rt), GR_CHEAP, sample, NULL, NULL)));
    server = ask(client, "server", gr_nil());
    has("a server", server, "\"name\": \"mcp-servers/everything\"");
    see_tools();
    see_the_rest();
    see_progress();
    see_questions();
    gr_value_unref(err);
    gr_runtime_free(rt);
    return failures;
}
