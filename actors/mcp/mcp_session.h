/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcp_session.h - one MCP server as its client sees it: settings, where it is, what was agreed on, and the
 * requests that it owes an answer to.
 *
 * The actors that make a client share it (mcp_client.c tells which they are), and so do the threads that
 * bring what the server says: the one of programs, the one of HTTP. Whoever takes a request out of
 * `pending`, under the lock, is the one who answers it.
 */
#ifndef GR_ACTORS_MCP_MCP_SESSION_H
#define GR_ACTORS_MCP_MCP_SESSION_H

#include <stdatomic.h>

#include <greenroom/actor.h>
#include <greenroom/mcp.h>

#include "actors/mcp/mcp_message.h"
#include "runtime/base/list.h"
#include "runtime/base/lock.h"
#include "runtime/base/log.h"
#include "runtime/base/map.h"
#include "runtime/http/hidden.h"
#include "runtime/http/http.h"
#include "runtime/http/ndjson.h"
#include "runtime/program/program.h"

#define GRI_MCP_ASKS_MAX 32 /* requests of the server under way; more are refused */
#define GRI_MCP_SAYS_MAX                                                                           \
    256 /* answers and notifications on their way over HTTP; more are dropped */

struct gri_mcp_request;
struct gri_mcp_post;

/* What does not change after the client was made. */
struct gri_mcp_settings {
    char *name;                      /* owned */
    char **argv, **env, *folder;     /* owned; argv NULL: over HTTP */
    char *url, *secret;              /* owned; secret: "Authorization: Bearer …", or NULL */
    const char *key;                 /* borrowed from secret: the token; or NULL */
    struct gri_http_header *headers; /* owned, names and values owned */
    size_t header_count;
    struct gri_hidden
        hidden; /* the key, what headers say, the URL's password, what env_pass passes: no error shows them */
    char *protocol, *log_level;           /* owned, or NULL */
    char *prefix;                         /* owned; before the names of tools, or NULL */
    gr_value *tools;                      /* counted; names that are let through; NULL: all */
    gr_value *roots;                      /* counted, or NULL */
    gr_value *client_info;                /* counted */
    gr_ref sampling, elicitation, events; /* {0, 0}: none */
    uint64_t end_ms, term_ms;
    int64_t connect_ms, probe_ms, timeout_ms, total_ms;
    size_t message_bytes_max, pending_max, list_max, list_bytes_max;
    unsigned pages_max, rounds_max, resumes_max;
    bool listen, raise_errors, guard;
};

struct gri_mcp {
    _Atomic uint32_t refs;
    gr_runtime *rt; /* borrowed */
    gr_scope *in;   /* borrowed; where the client lives, and its tools */
    struct gri_mcp_settings set;
    gr_ref wire, link, listener; /* of the actors behind the client */
    struct gri_log_gate gate, err_gate;

    struct gri_lock lock;   /* guards what follows */
    struct gri_map pending; /* id -> gri_mcp_request */
    struct gri_list posts;  /* gri_mcp_post: transfers under way */
    int64_t last_id;
    struct gri_list asked;       /* of mcp_asked.c: answers that are being made */
    unsigned asks;               /* how many */
    unsigned says;               /* posts under way that nobody waits for */
    gr_value *ended;             /* counted; why it is of no use any more, or NULL */
    struct gri_program *program; /* a reference, or NULL */
    gr_promise *closing;         /* who waits for the program's end */
    gr_promise *opening;         /* who waits until the listener hears */
    bool opened;                 /* it does, or there is nothing to hear */
    bool modern;
    unsigned generation; /* of sessions: 0: none yet */
    char version[32], session_id[256];
    gr_value *server;    /* counted: what the server said of itself */
    gr_value *tool_list; /* counted: the tools as listed, or NULL */
    gr_value *schemas;   /* counted: {name: schema} of those whose arguments were judged, or NULL */
    uint64_t fresh_until_ns; /* as the server says */
    bool steady;             /* it was read while changes are told, and none has been */
    bool hears;       /* somebody listens, and the server has said that it will tell of changes */
    unsigned changes; /* of the list of tools that the server has told; and of `hears` */
    int64_t subscription; /* the listener's request; 0: none yet */

    struct gri_lock tools_lock; /* guards tool_refs; taken alone */
    gr_value *tool_refs;        /* counted: {name: {"ref", "tool"}} of the actors that were made */

    /* of the thread of programs */
    struct gri_ndjson lines, err_lines;
};

struct gri_mcp *gri_mcp_ref(struct gri_mcp *s);
void gri_mcp_unref(void *s); /* struct gri_mcp; NULL is fine */
/* gri_mcp_settings_init reads options, and takes their values. NULL, or what is wrong; then too _fini must be called. */
gr_value *gri_mcp_settings_init(struct gri_mcp_settings *set, const gr_mcp_opts *o);
void gri_mcp_settings_fini(struct gri_mcp_settings *set);

/* ---- requests (mcp_request.c) ------------------------------------------------------------------ */

struct gri_mcp_request {
    struct gri_mcp *s; /* a reference */
    int64_t id;
    gr_promise *promise; /* owned; a stream of {"progress": …}, and at the end {"result": …} */
    bool quiet;          /* its cancellation is not told */
    /* guarded by s->lock */
    struct gri_mcp_post *post; /* borrowed; over HTTP, while it is under way */
    bool done;                 /* out of `pending` */
    bool giving, again;        /* somebody uses the promise; and shall look again */
    unsigned resumes;          /* in a row, without a word */
    gr_value *result;          /* owned; once done */
};

/*
 * gri_mcp_request_begin takes the duty to answer the call, and gives the request a number, by which it is known
 * from then on: it may be gone at any time. 0: it is over, and the handler returns *reterr, which may be NULL.
 * quiet: the server is not told when the call is cancelled.    [actor]
 */
int64_t gri_mcp_request_begin(gr_ctx *c, struct gri_mcp *s, bool quiet, gr_value **reterr);
/* gri_mcp_note_subscription remembers the request's number if it is the listener's. [any] */
void gri_mcp_note_subscription(struct gri_mcp *s, int64_t id, const char *method);
/* gri_mcp_with_token puts the number of a request into its params, as the token for words of progress. */
gr_value *gri_mcp_with_token(gr_value *params GR_TAKES, int64_t id);
/* gri_mcp_complete ends the request of that number, if it is there: a result, or an error value. [any] */
void gri_mcp_complete(struct gri_mcp *s, int64_t id, gr_value *v GR_TAKES);
/* gri_mcp_progress passes on a word about it, if there is room. [any] */
void gri_mcp_progress(struct gri_mcp *s, int64_t id, const gr_value *params);
/* gri_mcp_end has nothing answered any more: what is pending fails with why and, if it is no end that was asked for,
 * the client exits with it. The first reason counts. [any] */
void gri_mcp_end(struct gri_mcp *s, gr_value *why GR_TAKES, bool exits);

/* ---- what the server says (mcp_incoming.c) ------------------------------------------------------ */

/* gri_mcp_take takes a text that is a message, or a list of such. only: the one request that may be answered
 * by it; 0: any. [any] */
void gri_mcp_take(struct gri_mcp *s, const char *text, size_t len, int64_t only);
bool gri_mcp_is_ref(gr_ref r); /* false: {0, 0} */
/* gri_mcp_on_request answers a request of the server's, or has it answered. [any] */
void gri_mcp_on_request(struct gri_mcp *s, const struct gri_mcp_message *m);
/* gri_mcp_unask cancels who makes the answer to the server's request of that id, which is not sent any more; NULL: all. [any] */
void gri_mcp_unask(struct gri_mcp *s, const gr_value *id);
/* gri_mcp_ask has a request of the server's answered: by a handler of the user's, NULL if there is none for it. */
gr_future *gri_mcp_ask(struct gri_mcp *s, const char *method, const gr_value *params);
/* gri_mcp_answers: there is something that we answer when the server asks. */
bool gri_mcp_answers(const struct gri_mcp *s);
/* gri_mcp_capabilities: what we say that we are able to. */
gr_value *gri_mcp_capabilities(const struct gri_mcp *s);

/* ---- ways to it (mcp_stdio.c, mcp_http.c) -------------------------------------------------------- */

gr_value *gri_mcp_stdio_start(struct gri_mcp *s); /* NULL, or why not */
gr_value *gri_mcp_stdio_send(gr_ctx *c, struct gri_mcp *s, const gr_value *args);
/* gri_mcp_stdio_write writes one message. [any] */
gr_code gri_mcp_stdio_write(struct gri_mcp *s, const gr_value *message);
gr_value *gri_mcp_http_send(gr_ctx *c, struct gri_mcp *s, const gr_value *args);
/* gri_mcp_http_post sends what has no answer. [any] */
gr_code gri_mcp_http_post(struct gri_mcp *s, const gr_value *message);
void gri_mcp_http_abort_locked(struct gri_mcp_post *post);
struct gri_mcp_post *gri_mcp_post_at(struct gri_list *node); /* of s->posts */
gr_value *gri_mcp_http_close(gr_ctx *c, struct gri_mcp *s);
/* gri_mcp_opened: the server has answered the one who listens, whatever it said. [any] */
void gri_mcp_opened(struct gri_mcp *s);
/* gri_mcp_http_resume goes on with a stream that was cut. [actor] */
void gri_mcp_http_resume(struct gri_mcp *s, int64_t id, const char *last_event_id);
/* gri_mcp_post sends a notification, or an answer, by whichever way there is. [any] */
gr_code gri_mcp_post(struct gri_mcp *s, gr_value *message GR_TAKES);

/* ---- the actors ---------------------------------------------------------------------------------- */

extern const gr_class gri_mcp_wire_class, gri_mcp_link_class, gri_mcp_listener_class;

/* gri_mcp_call asks the server for something, and waits: the result, or an error value. Within a run progress
 * is told by an event "mcp_progress". [waits] */
struct gri_mcp_call {
    const char *method;
    gr_value *params;        /* taken; NULL: none */
    const gr_value *headers; /* borrowed: a map of further headers; NULL: none */
    int64_t timeout_ms;      /* 0: the client's; negative: none */
    bool quiet;              /* its cancellation is not told */
    bool notification;       /* it is one: the answer is empty */
    bool listens;            /* a GET: what the server has to say */
};
gr_value *gri_mcp_call(gr_ctx *c, struct gri_mcp *s, const struct gri_mcp_call *call);
/* gri_mcp_call_once does so, but makes no new session, and asks nobody for input: for making one. */
gr_value *gri_mcp_call_once(gr_ctx *c, struct gri_mcp *s, const struct gri_mcp_call *call);

/* gri_mcp_tools_of gives the server's tools, from memory if they are fresh. [waits] */
gr_value *gri_mcp_tools_of(gr_ctx *c, struct gri_mcp *s, bool anew);
/* gri_mcp_tools_listed gives them, too, unless the settings name one that is not there. [waits] */
gr_value *gri_mcp_tools_listed(gr_ctx *c, struct gri_mcp *s);
/* gri_mcp_tools_changed: the server says that its list is another one now. [any] */
void gri_mcp_tools_changed(struct gri_mcp *s);
/* gri_mcp_hear notes whether the server tells of changes from now on. [any] */
void gri_mcp_hear(struct gri_mcp *s, bool hears);
/* gri_mcp_judge returns NULL, or what is wrong with the arguments of a tool, of kind "ValidationError". mcp_judge.c
 * [waits] */
gr_value *gri_mcp_judge(gr_ctx *c, struct gri_mcp *s, const char *name, const gr_value *arguments);
/* gri_mcp_call_tool calls one, by its own name: the result as it is. [waits] */
gr_value *gri_mcp_call_tool(gr_ctx *c, struct gri_mcp *s, const char *name,
                            const gr_value *arguments);
/* gri_mcp_tool_spawn makes a tool: by the server's name for it, and with what is known of it (as the verb "tool" tells),
 * NULL: nothing yet. */
gr_ref gri_mcp_tool_spawn(gr_scope *in, gr_ref client, const char *name, gr_value *told GR_TAKES);
/* gri_mcp_tool_refs answers the verb "tools". [waits] */
gr_value *gri_mcp_tool_refs(gr_ctx *c, void *self, const gr_value *args);
/* gri_mcp_shown is the name by which a tool is known here. */
gr_value *gri_mcp_shown(const struct gri_mcp *s, const char *name);
/* gri_mcp_told is what the verb "tool" tells of a listed tool. */
gr_value *gri_mcp_told(const struct gri_mcp *s, const gr_value *tool);
const gr_value *gri_mcp_named(const gr_value *list, const char *name); /* of maps; NULL: none */

gr_value *gri_mcp_no_memory(void);

#endif
