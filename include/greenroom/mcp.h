/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcp.h - tools, resources and prompts of Model Context Protocol servers.
 *
 * A client is an actor for one server, which is a program that it runs (stdio) or one that is reached by
 * URL (streamable HTTP). It speaks both eras of the protocol: that with a handshake, 2024-11-05 to
 * 2025-11-25, and that without, 2026-07-28, and finds out which one the server is of. Several servers are
 * several clients. What it gives is what langchain-mcp-adapters gives: load_mcp_tools, load_mcp_prompt,
 * load_mcp_resources, get_server_info.
 *
 * Its verbs, besides "load", which makes it a loader of text.h ({"uris"?}: the text resources as documents):
 *
 *   "tools"          nil                     -> [ref …], a tool (tool.h) for each of the server's
 *   "list_tools"     nil                     -> [{"name", "inputSchema", "description"?, …} …]
 *   "tool"           {"name"}                -> {"name", "description", "parameters", …} of one of them
 *   "call_tool"      {"name", "arguments"?}  -> {"content": […], "structuredContent"?, "isError"?}
 *   "list_resources" nil                     -> [{"uri", "name", …} …]
 *   "list_resource_templates" nil            -> [{"uriTemplate", "name", …} …]
 *   "read_resource"  {"uri"}                 -> {"contents": […]}
 *   "resources"      {"uris"?}               -> [blob …]: {"data": string or bytes, "mimetype"?,
 *                                               "metadata": {"uri"}, "type": "Blob"}
 *   "list_prompts"   nil                     -> [{"name", "arguments"?, …} …]
 *   "prompt"         {"name", "arguments"?}  -> [message …]
 *   "server"         nil                     -> {"protocolVersion", "era": "modern" or "legacy",
 *                                               "capabilities", "serverInfo"?, "instructions"?}
 *   "request"        {"method", "params"?}   -> the result: any other request of the protocol
 *
 * Names are the server's own. Words of progress on a call are told to the callbacks of the run that
 * it is made in, as the custom event "mcp_progress": {"progress", "total"?, "message"?}. Log messages
 * and the standard error of the server go to the log, a line a second of each at most. docs/mcp.md
 * has examples.
 */
#ifndef GREENROOM_MCP_H
#define GREENROOM_MCP_H

#include <greenroom/model.h>
#include <greenroom/runnable.h>
#include <greenroom/tool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_mcp_opts {
    size_t size;
    const char *name;      /* for people: log, errors; default: the program's, or the URL's host */

    /* A program: command and args, no shell. It gets of the environment HOME, LOGNAME, PATH, SHELL,
     * TERM and USER, those variables of ours that env_pass names, and env's own. */
    const char *command;   /* a path, or looked up in $PATH */
    const char *const *args;
    size_t arg_count;
    gr_value *env;         /* taken: a map of texts; not for secrets, which env_pass is for */
    const char *const *env_pass;
    size_t env_pass_count;
    const char *folder;    /* where it runs; default: here */
    int64_t end_ms;        /* from the closing of its standard input to SIGTERM; default 2000 */
    int64_t term_ms;       /* from there to SIGKILL; default 2000 */

    /* Or a URL */
    const char *url;       /* http:// or https://, with the path */
    const gr_header *headers; /* sent with every request; copied. Not for secrets: use key_env, though
                               * errors hide what a server repeats of them, in words of 8 bytes and more */
    size_t header_count;
    const char *key_env;   /* the environment variable that holds a bearer token; default: none */
    /* the URL comes from a user or a model: only public addresses, see guard.h. An operator's needs no guard */
    bool guard;

    /* hear of changes that no request asked for: a GET stream, or subscriptions/listen */
    bool listen;
    /* the version to speak, "2026-07-28", "2025-11-25" …; default: what both know best */
    const char *protocol;
    int64_t connect_ms;    /* for the handshake; default 30000 */
    int64_t probe_ms;      /* for finding out the era; default 10000: an old server that says nothing */
    int64_t timeout_ms;    /* the longest silence about a request; default 60000. Words of progress end it */
    int64_t total_ms;      /* for a request in all; default 600000 */

    const char *prefix;    /* of the tools' names here: "weather" makes "weather_search" of "search" */
    /* only these, by their own names; default: all. While the server lacks one of them "tools" and "list_tools" fail,
     * GR_EINVAL, and say which: a name that is mistyped is none that is left out in silence */
    const char *const *tools;
    size_t tool_count;
    /* default: an error that a tool reports (isError) becomes a tool message with status "error" when the
     * tool got a tool call; with raise_errors it fails the call, as it always does when args came plainly */
    bool raise_errors;

    gr_value *roots;       /* taken: [{"uri", "name"?} …], what roots/list is answered with */
    gr_ref sampling;       /* invoked with the params of sampling/createMessage; answers with its result */
    gr_ref elicitation;    /* likewise, of elicitation/create: {"action": "accept", "content": {…}} */
    /* told of every notification: {"type": "mcp_notification", "server", "method", "params"} */
    gr_ref events;
    /* ask the server for log messages from here on: "debug", "info", "notice", "warning", "error", "critical", "alert",
     * "emergency" */
    const char *log_level;

    size_t message_bytes_max; /* longest message; default 16 MiB */
    size_t pending_max;    /* requests under way; default 1024; beyond: GR_EFULL */
    size_t list_max;       /* tools, resources, prompts; default 10000; beyond: GR_EFULL */
    unsigned pages_max;    /* of a list; default 1000; beyond: GR_EFULL */
    unsigned rounds_max;   /* of asking for input before it answers a request; default 8 */
    unsigned resumes_max;  /* attempts in a row to go on with a broken stream; default 5 */
    /* of a list in memory, all of its pages together; and of what "resources" or "load" read together; default 64 MiB;
     * beyond: GR_EFULL */
    size_t list_bytes_max;
} gr_mcp_opts;
#define GR_MCP(...) GR_OPT(gr_mcp_opts, __VA_ARGS__)

/*
 * gr_mcp_client makes a client. Its init starts the program and agrees on a version with the server,
 * so gr_started (actor.h) tells when it is ready and gr_check why it is not; calls wait for that.
 * Under a supervisor, whose start function calls this, a server that dies is started again; calls that
 * it had fail with GR_EBROKEN, kind "ActorExit", and may be retried. Over HTTP a session that the
 * server has lost is made anew by itself.
 *
 * When the client is stopped the program's standard input is closed, then, after end_ms, its process
 * group gets SIGTERM and, after term_ms, SIGKILL; over HTTP the session is ended. So it is, too, when
 * the runtime is freed.
 *
 * Errors of calls:
 *   GR_EREMOTE   the server said no: kind "McpError", "detail" {"code", "data"?}; or an HTTP "status"; or, kind
 *                "McpInputRequired", it wants something that this client has no handler for: "detail" is what
 *   GR_ETIMEDOUT timeout_ms or total_ms passed; the server is told
 *   GR_EBROKEN   the program ended
 *   GR_EUNREACH, GR_ERATE, GR_EPROTO, GR_EFULL, GR_ENOMEM
 * Cancelling a call tells the server: by notifications/cancelled or, over HTTP in the era without
 * handshakes, by closing the stream.
 * Broken, GR_EINVAL: neither or both of command and url, or an option that makes no sense. [any]
 */
GR_API gr_ref gr_mcp_client(gr_scope *in, const gr_mcp_opts *opts);

/*
 * gr_mcp_tools asks a client for its tools: a list of refs, each a tool as tool.h says, with the server's schema.
 * The actors are the client's, and end with it; asked again, tools that have not changed are the same
 * actors. Given a tool call a tool answers with a tool message, whose "artifact" is {"structured_content"} if
 * there is some; given args, with the content: a text, if it is one text, else a list of content blocks.
 * Arguments are judged by the tool's schema before they are sent, as those of gr_tool are: GR_EINVAL, kind
 * "ValidationError". A schema that schema.h can't read, or that takes too long, judges nothing; the server does.
 * NULL on failure, with *reterr. [waits]
 */
GR_API gr_value *gr_mcp_tools(gr_runtime *rt, gr_ref client, const gr_call_opts *opts, gr_value **reterr);
GR_API gr_future *gr_amcp_tools(gr_runtime *rt, gr_ref client, const gr_call_opts *opts); /* [any] */

/* gr_mcp_tool makes one tool, by the server's name for it, without asking the server: the first call
 * does. With a client that is a gr_child (supervisor.h) it outlives the server. [any] */
GR_API gr_ref gr_mcp_tool(gr_scope *in, gr_ref client, const char *name);

/* gr_mcp_prompt fills a prompt of the server's: a list of messages. arguments: a map of texts, or NULL. [waits] */
GR_API gr_value *gr_mcp_prompt(gr_runtime *rt, gr_ref client, const char *name,
                               gr_value *arguments GR_TAKES, const gr_call_opts *opts,
                               gr_value **reterr);
GR_API gr_future *gr_amcp_prompt(gr_runtime *rt, gr_ref client, const char *name,
                                 gr_value *arguments GR_TAKES, const gr_call_opts *opts); /* [any] */

/* gr_mcp_resources reads resources: a list of blobs. uris: a list of texts; NULL: all that the server lists. [waits] */
GR_API gr_value *gr_mcp_resources(gr_runtime *rt, gr_ref client, gr_value *uris GR_TAKES,
                                  const gr_call_opts *opts, gr_value **reterr);
GR_API gr_future *gr_amcp_resources(gr_runtime *rt, gr_ref client, gr_value *uris GR_TAKES,
                                    const gr_call_opts *opts); /* [any] */

#ifdef __cplusplus
}
#endif
#endif
