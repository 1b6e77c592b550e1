/* SPDX-License-Identifier: Apache-2.0 */
/* kinds_mcp.c - clients of Model Context Protocol servers, and their tools. */
#include <string.h>

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
    { "env", GRI_ARG_DATA, false, 0, 0,
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

/* What a client's options borrow. */
struct parts {
    const char **args, **env_pass, **tools; /* owned arrays */
    size_t arg_count, env_pass_count, tool_count;
    gr_header *headers; /* owned array */
    size_t header_count;
    char *command, *folder; /* owned; NULL: as written; none */
    bool failed;
};

static const char **read_texts(struct parts *p, const struct gri_chain_node *args, const char *key,
                               size_t *ret_count)
{
    const struct gri_chain_node *n = gri_chain_get(args, key);
    const char **texts = gri_build_names(n, ret_count);

    if (texts == NULL && n != NULL && n->count > 0)
        p->failed = true;
    return texts;
}

static char *read_path(struct gri_chain_builder *b, struct parts *p, const struct gri_chain_node *n)
{
    char *path = n != NULL ? gri_build_path(b, n) : NULL;

    if (n != NULL && path == NULL)
        p->failed = true;
    return path;
}

static void parts_init(struct gri_chain_builder *b, struct parts *p,
                       const struct gri_chain_node *args)
{
    const char *command = gri_arg_text(args, "command", "");
    const struct gri_chain_node *headers = gri_chain_get(args, "headers");

    *p = (struct parts){ .failed = false };
    p->args = read_texts(p, args, "args", &p->arg_count);
    p->env_pass = read_texts(p, args, "env_pass", &p->env_pass_count);
    p->tools = read_texts(p, args, "tools", &p->tool_count);
    p->folder = read_path(b, p, gri_chain_get(args, "folder"));
    if (strncmp(command, "./", 2) == 0 || strncmp(command, "../", 3) == 0)
        p->command = read_path(b, p, gri_chain_get(args, "command"));
    p->headers = gri_build_headers(args, 0, &p->header_count);
    if (p->headers == NULL && headers != NULL)
        p->failed = true;
}

static void parts_fini(struct parts *p)
{
    gri_free(p->args);
    gri_free(p->env_pass);
    gri_free(p->tools);
    gri_free(p->headers);
    gri_free(p->command);
    gri_free(p->folder);
}

static gr_ref build_mcp(struct gri_chain_builder *b, const struct gri_chain_node *args)
{
    const struct gri_chain_node *env = gri_chain_get(args, "env");
    gr_ref sampling = gri_build_actor(b, gri_chain_get(args, "sampling")),
           elicitation = gri_build_actor(b, gri_chain_get(args, "elicitation")), ref;
    struct parts p;

    parts_init(b, &p, args);
    if (p.failed) {
        parts_fini(&p);
        return gri_build_no_memory(b, args);
    }
    ref = gr_mcp_client(
        b->in,
        GR_MCP(.name = gri_arg_text(args, "name", NULL),
               .command = p.command != NULL ? p.command : gri_arg_text(args, "command", NULL),
               .args = p.args, .arg_count = p.arg_count,
               .env = env != NULL ? gri_build_data(env) : NULL, .env_pass = p.env_pass,
               .env_pass_count = p.env_pass_count, .folder = p.folder,
               .url = gri_arg_text(args, "url", NULL), .headers = p.headers,
               .header_count = p.header_count, .key_env = gri_arg_text(args, "key_env", NULL),
               .guard = gri_arg_bool(args, "guard"), .prefix = gri_arg_text(args, "prefix", NULL),
               .tools = p.tools, .tool_count = p.tool_count,
               .raise_errors = gri_arg_bool(args, "raise_errors"),
               .listen = gri_arg_bool(args, "listen"),
               .protocol = gri_arg_text(args, "protocol", NULL),
               .connect_ms = gri_arg_int(args, "connect_ms", 0),
               .probe_ms = gri_arg_int(args, "probe_ms", 0),
               .timeout_ms = gri_arg_int(args, "timeout_ms", 0),
               .total_ms = gri_arg_int(args, "total_ms", 0), .sampling = sampling,
               .elicitation = elicitation, .log_level = gri_arg_text(args, "log_level", NULL)));
    parts_fini(&p);
    return ref;
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
