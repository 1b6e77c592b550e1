/* SPDX-License-Identifier: Apache-2.0 */
/* kinds_mcp.c - clients of Model Context Protocol servers, and their tools. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "actors/mcp/mcp_check.h"
#include "cli/chain_build.h"
#include "cli/chain_kinds.h"
#include "runtime/base/alloc.h"

#define MS_MAX 86400000.0 /* a day */
#define KEY_ENV "name the environment variable that holds it with key_env"
#define KEYS(array) .keys = (array), .key_count = sizeof(array) / sizeof((array)[0])

static const struct gri_chain_key mcp_keys[] = {
    { "command", GRI_ARG_TEXT, false, 0, 0,
      "the program; with ./ or ../ seen from the chain file; or give a url" },
    { "args", GRI_ARG_TEXTS, false, 0, 0, "its arguments" },
    { "env", GRI_ARG_HEADERS, false, 0, 0,
      "variables that it gets besides HOME, LOGNAME, PATH, SHELL, TERM and USER; not for secrets" },
    { "env_pass", GRI_ARG_TEXTS, false, 0, 0, "names of our own variables that it gets" },
    { "folder", GRI_ARG_TEXT, false, 0, 0,
      "where it runs, seen from the chain file; default here" },
    { "url", GRI_ARG_TEXT, false, 0, 0, "http:// or https://, with the path" },
    { "headers", GRI_ARG_HEADERS, false, 0, 0, "sent with each request; not for secrets" },
    { "key_env", GRI_ARG_VARIABLE, false, 0, 0, "the variable that holds a bearer token" },
    { "guard", GRI_ARG_BOOL, false, 0, 0,
      "the url comes from a user: only public addresses; default false" },
    { "name", GRI_ARG_TEXT, false, 0, 0, "for people; default the program's, or the host's" },
    { "prefix", GRI_ARG_TEXT, false, 0, 0, "of the tools' names here, prefix_name; default none" },
    { "tools", GRI_ARG_TEXTS, false, 0, 0, "only these, by the server's names; default all" },
    { "raise_errors", GRI_ARG_BOOL, false, 0, 0,
      "what a tool reports as an error fails the call; default a tool message says so" },
    { "listen", GRI_ARG_BOOL, false, 0, 0, "hear of changes; default false" },
    { "protocol", GRI_ARG_TEXT, false, 0, 0, "a version, 2025-11-25; default what both know best" },
    { "connect_ms", GRI_ARG_INT, false, 1, MS_MAX, "for the handshake; default 30000" },
    { "probe_ms", GRI_ARG_INT, false, 1, MS_MAX, "for finding out the era; default 10000" },
    { "timeout_ms", GRI_ARG_INT, false, 1, MS_MAX,
      "the longest silence about a request; default 60000" },
    { "total_ms", GRI_ARG_INT, false, 1, MS_MAX, "for a request in all; default 600000" },
    { "message_bytes_max", GRI_ARG_INT, false, 1024, 1073741824.0,
      "of the longest message; default 16777216" },
    { "list_max", GRI_ARG_INT, false, 1, 1e6, "tools, resources or prompts; default 10000" },
    { "pages_max", GRI_ARG_INT, false, 1, 1e6, "of a list; default 1000" },
    { "list_bytes_max", GRI_ARG_INT, false, 1024, 1e12,
      "of a list in memory, all its pages together; default 67108864" },
    { "sampling", GRI_ARG_ACTOR, false, 0, 0, "answers sampling/createMessage; default refused" },
    { "elicitation", GRI_ARG_ACTOR, false, 0, 0, "answers elicitation/create; default refused" },
    { "log_level", GRI_ARG_TEXT, false, 0, 0, "log messages to ask for, from info, say" },
    { "key", GRI_ARG_SECRET, false, 0, 0, KEY_ENV },
    { "api_key", GRI_ARG_SECRET, false, 0, 0, KEY_ENV },
};
static const struct gri_chain_key mcp_tool_keys[] = {
    { "client", GRI_ARG_ACTOR, true, 0, 0, "an mcp" },
    { "name", GRI_ARG_TEXT, true, 0, 0, "the server's name for the tool" },
};

/* ---- what a client is made of, time and again ------------------------------------------------ */

#define INTENSITY                                                                                  \
    10 /* ends of a server in PERIOD_MS that are made good; with one more it stays down */
#define PERIOD_MS 60000
#define WAIT_MS 10000 /* how long a call waits for the next one */
#define BACKOFF_MS 200
#define BACKOFF_MAX_MS 10000

/* A client's options as a value, of which each of its lives is made; NULL keys are left out. */
static gr_value *with_texts(gr_value *plan, const struct gri_chain_node *args)
{
    static const char *const keys[] = { "command", "url",      "key_env",   "name",
                                        "prefix",  "protocol", "log_level", "folder" };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (gri_arg_text(args, keys[i], NULL) != NULL)
            plan = gr_set(plan, keys[i], gr_str(gri_arg_text(args, keys[i], NULL)));
    return plan;
}

static gr_value *with_rest(gr_value *plan, const struct gri_chain_node *args)
{
    static const char *const lists[] = { "args", "env_pass", "tools" };
    static const char *const numbers[] = { "connect_ms", "probe_ms",          "timeout_ms",
                                           "total_ms",   "message_bytes_max", "list_max",
                                           "pages_max",  "list_bytes_max" };
    static const char *const flags[] = { "raise_errors", "listen", "guard" };

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (gri_chain_get(args, lists[i]) != NULL)
            plan = gr_set(plan, lists[i], gri_build_texts(gri_chain_get(args, lists[i])));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        plan = gr_set(plan, numbers[i], gr_int(gri_arg_int(args, numbers[i], 0)));
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        plan = gr_set(plan, flags[i], gr_bool(gri_arg_bool(args, flags[i])));
    return plan;
}

/* with_path sets a key to a path seen from the chain file. */
static gr_value *with_path(struct gri_chain_builder *b, gr_value *plan, const char *key,
                           const struct gri_chain_node *n)
{
    char *path = gri_build_path(b, n);

    if (path != NULL)
        plan = gr_set(plan, key, gr_str(path));
    gri_free(path);
    return plan;
}

/* with_command sets the program. With a folder of its own that is entered first, so the path must be a whole one. */
static gr_value *with_command(struct gri_chain_builder *b, gr_value *plan,
                              const struct gri_chain_node *n, bool has_folder)
{
    char whole[PATH_MAX], *path = gri_build_path(b, n);

    if (path != NULL)
        plan = gr_set(plan, "command",
                      gr_str(has_folder && realpath(path, whole) != NULL ? whole : path));
    gri_free(path);
    return plan;
}

static gr_value *with_map(gr_value *plan, const char *key, const struct gri_chain_node *n)
{
    gr_value *map = gr_map_n(NULL, 0);

    for (size_t i = 0; n != NULL && i < n->count; i++)
        map = gr_set(map, n->items[i].key->text, gr_str(gri_chain_text(n->items[i].value)));
    return gr_set(plan, key, map);
}

static gr_value *plan_of(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const char *command = gri_arg_text(args, "command", "");
    gr_value *plan = with_rest(with_texts(gr_map_n(NULL, 0), args), args);

    plan = with_map(plan, "env", gri_chain_get(args, "env"));
    plan = with_map(plan, "headers", gri_chain_get(args, "headers"));
    if (strncmp(command, "./", 2) == 0 || strncmp(command, "../", 3) == 0)
        plan = with_command(b, plan, gri_chain_get(args, "command"),
                            gri_chain_get(args, "folder") != NULL);
    if (gri_chain_get(args, "folder") != NULL)
        plan = with_path(b, plan, "folder", gri_chain_get(args, "folder"));
    plan =
        gr_set(plan, "sampling", gr_ref_value(gri_build_actor(b, gri_chain_get(args, "sampling"))));
    return gr_set(plan, "elicitation",
                  gr_ref_value(gri_build_actor(b, gri_chain_get(args, "elicitation"))));
}

/* texts_of makes an array that borrows a list's texts; NULL: none, or no memory. */
static const char **texts_of(const gr_value *list)
{
    const char **texts = gr_len(list) > 0 ? gri_alloc_array(gr_len(list), sizeof(*texts)) : NULL;

    for (size_t i = 0; texts != NULL && i < gr_len(list); i++)
        texts[i] = gr_cstr(gr_at(list, i), "");
    return texts;
}

static gr_header *headers_of(const gr_value *map)
{
    gr_header *headers = gr_len(map) > 0 ? gri_alloc_array(gr_len(map), sizeof(*headers)) : NULL;

    for (size_t i = 0; headers != NULL && i < gr_len(map); i++)
        headers[i].value = gr_cstr(gr_pair_at(map, i, &headers[i].name), "");
    return headers;
}

static const char *text_of(const gr_value *plan, const char *key)
{
    return gr_cstr(gr_get(plan, key), NULL);
}

static bool is_set(const gr_value *plan, const char *key)
{
    return gr_as_bool(gr_get(plan, key), false);
}

/* start_mcp makes a client of a plan; arg, if it is not NULL, gets what is wrong with it instead, or NULL. */
static gr_ref start_mcp(gr_scope *in, void *arg, const gr_value *plan)
{
    const gr_value *list = gr_get(plan, "args"), *pass = gr_get(plan, "env_pass"),
                   *names = gr_get(plan, "tools"), *sent = gr_get(plan, "headers");
    const char **args = texts_of(list), **env_pass = texts_of(pass), **tools = texts_of(names);
    gr_header *headers = headers_of(sent);
    bool url = text_of(plan, "url") != NULL;
    const gr_mcp_opts *opts =
        GR_MCP(.name = text_of(plan, "name"), .command = text_of(plan, "command"), .args = args,
               .arg_count = args != NULL ? gr_len(list) : 0,
               .env = url && gr_len(gr_get(plan, "env")) == 0 ? NULL
                                                              : gr_value_ref(gr_get(plan, "env")),
               .env_pass = env_pass, .env_pass_count = env_pass != NULL ? gr_len(pass) : 0,
               .folder = text_of(plan, "folder"), .url = text_of(plan, "url"), .headers = headers,
               .header_count = headers != NULL ? gr_len(sent) : 0,
               .key_env = text_of(plan, "key_env"), .guard = is_set(plan, "guard"),
               .prefix = text_of(plan, "prefix"), .tools = tools,
               .tool_count = tools != NULL ? gr_len(names) : 0,
               .raise_errors = is_set(plan, "raise_errors"), .listen = is_set(plan, "listen"),
               .protocol = text_of(plan, "protocol"),
               .connect_ms = gr_as_int(gr_get(plan, "connect_ms"), 0),
               .probe_ms = gr_as_int(gr_get(plan, "probe_ms"), 0),
               .timeout_ms = gr_as_int(gr_get(plan, "timeout_ms"), 0),
               .total_ms = gr_as_int(gr_get(plan, "total_ms"), 0),
               .sampling = gr_as_ref(gr_get(plan, "sampling")),
               .elicitation = gr_as_ref(gr_get(plan, "elicitation")),
               .message_bytes_max = (size_t)gr_as_int(gr_get(plan, "message_bytes_max"), 0),
               .list_max = (size_t)gr_as_int(gr_get(plan, "list_max"), 0),
               .pages_max = (unsigned)gr_as_int(gr_get(plan, "pages_max"), 0),
               .list_bytes_max = (size_t)gr_as_int(gr_get(plan, "list_bytes_max"), 0),
               .log_level = text_of(plan, "log_level"));
    gr_ref ref = { 0, 0 };

    if (arg != NULL)
        *(gr_value **)arg = gri_mcp_check(opts);
    else
        ref = gr_mcp_client(in, opts);
    gri_free(args);
    gri_free(env_pass);
    gri_free(tools);
    gri_free(headers);
    return ref;
}

/* check_mcp looks at a plan, which it takes; what stands in the client's place does nothing. */
static gr_ref check_mcp(struct gri_chain_builder *b, const struct gri_chain_node *where,
                        gr_value *plan)
{
    gr_value *err = NULL;

    (void)start_mcp(b->in, &err, plan);
    if (err != NULL)
        gri_chain_mistake(b->report, where->at, "%s: %s",
                          where->type == GRI_CHAIN_SCALAR ? gri_chain_text(where) : "mcp",
                          gr_error_text(err));
    gr_value_unref(err);
    gr_value_unref(plan);
    return gr_passthrough(b->in);
}

/* build_mcp puts the client under a supervisor of its own: a server that ends is started again. */
static gr_ref build_mcp(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *where = gri_chain_get(args, "command");
    gr_child_spec spec = GR_CHILD(.id = "mcp", .start = start_mcp, .args = plan_of(b, args),
                                  .backoff = { .min_ms = BACKOFF_MS, .max_ms = BACKOFF_MAX_MS });
    size_t first = b->made_count;
    gr_ref sup;

    if (where == NULL)
        where = gri_chain_get(args, "url");
    if (b->checks)
        return check_mcp(b, where != NULL ? where : args, spec.args);
    sup = gr_supervisor(b->in,
                        GR_SUPERVISOR(.name = "mcp", .intensity = INTENSITY, .period_ms = PERIOD_MS,
                                      .children = &spec, .child_count = 1));
    if (where != NULL) {
        gri_build_note(b, where, sup, first);
        if (b->made_count > first)
            b->made[b->made_count - 1].isolated = true; /* its start is waited for */
    }
    return gr_child(b->in, sup, "mcp", GR_NAMED(.wait_ms = WAIT_MS));
}

static gr_ref build_mcp_tool(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    gr_ref client = gri_build_actor(b, gri_chain_get(args, "client"));

    return gr_mcp_tool(b->in, client, gri_arg_text(args, "name", NULL));
}

const struct gri_chain_kind gri_chain_kinds_mcp[GRI_CHAIN_KINDS_MCP] = {
    { .name = "mcp",
      .help = "a client of a Model Context Protocol server: a program, or a URL",
      KEYS(mcp_keys),
      .build = build_mcp },
    { .name = "mcp_tool",
      .help = "one tool of such a server",
      KEYS(mcp_tool_keys),
      .build = build_mcp_tool },
};
