/* SPDX-License-Identifier: Apache-2.0 */
/*
 * callbacks.h - who watches runs: LangChain's callback handlers, listeners, event streams, tracers.
 *
 * A run is one invoke, stream or transform of a runnable; batches make one for each item. A config's
 * key "callbacks", a list of handlers, has a call and all that it starts observed; what is not observed makes no
 * run and costs next to nothing. Each run that has started ends exactly once: well, by an error, or by its
 * cancellation, which is an error whose code is GR_ECANCELED, whatever its runnable does.
 *
 * Names, ids, tags and metadata are as in langchain-core: a run is called by its config's run_name,
 * else by its runnable's name; its id is the config's run_id, else a fresh UUID (version 7); its tags are what its place
 * gives it (seq:step:2, map:key:a, retry:attempt:2, condition:1, branch:default), then those of the
 * config, which what it starts inherits, as it does metadata and callbacks. A call that is given callbacks of its own
 * begins a new tree; gr_with_config's are added to what there is.
 *
 * What a run starts ends before it does, unless it is let go on (gr_detach, leave_siblings, a scope
 * of its own). Of a stream the run ends when its reader has read the end, or leaves it; a transform's begins when
 * the first chunk of its input is read, and does not begin if the input fails before. A call that is cancelled before
 * its handler was reached has had no run. docs/callbacks.md tells more.
 */
#ifndef GREENROOM_CALLBACKS_H
#define GREENROOM_CALLBACKS_H

#include <greenroom/actor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What has happened. A bit each, so that a handler can choose. */
typedef enum gr_event_kind {
    GR_RUN_START = 1,
    GR_RUN_STREAM = 2, /* a chunk of its answer; of a chat model that is on_llm_new_token, too */
    GR_RUN_END = 4,
    GR_RUN_ERROR = 8,
    GR_RUN_CUSTOM = 16, /* gr_dispatch_event */
    GR_RUN_RETRY = 32   /* with_retry is about to try again; of its run */
} gr_event_kind;
#define GR_RUN_ALL 63u

/* What kind of thing runs: LangChain's run types. A bit each, as its ignore_llm, ignore_chain … */
typedef enum gr_run_type {
    GR_TYPE_CHAIN = 1, /* all that is nothing else */
    GR_TYPE_LLM = 2,
    GR_TYPE_CHAT_MODEL = 4,
    GR_TYPE_TOOL = 8,
    GR_TYPE_RETRIEVER = 16,
    GR_TYPE_PROMPT = 32,
    GR_TYPE_PARSER = 64,
    GR_TYPE_NONE = 128 /* no run: what only passes calls on, a binding or a router */
} gr_run_type;
#define GR_TYPE_ALL 127u

/* A run as handlers see it. All is borrowed, for as long as the handler runs. */
typedef struct gr_run {
    const char *id;        /* 36 characters, unless the config's run_id is otherwise */
    const char *parent_id; /* NULL: it is the root */
    const gr_value *parent_ids; /* a list, the root's first */
    const char *name;
    gr_run_type type;
    const gr_value *tags;     /* a list of texts; for CUSTOM those that the run passes on */
    const gr_value *metadata; /* a map */
    /* NULL at the start if it comes as a stream; the sum of its chunks at the end */
    const gr_value *input;
    int64_t start_us; /* microseconds since 1970 */
    /* it was called by stream or transform, and passes on chunks as they come, or could */
    bool streams;
    void *inner; /* Greenroom's own; NULL in one that you fill in */
} gr_run;

typedef struct gr_event {
    gr_event_kind kind;
    const gr_run *run;    /* for CUSTOM, whose handler dispatched it */
    /* STREAM: the chunk. END: the output, of a stream the sum of its chunks. ERROR: of a stream that sum
     * so far, else NULL. CUSTOM: the data */
    const gr_value *data;
    const gr_value *error; /* ERROR, RETRY: an error value */
    const char *name;      /* CUSTOM: the event's name */
    int64_t at_us;         /* microseconds since 1970 */
    uint64_t number;       /* counts the events of a tree of runs, from 1 */
} gr_event;

/* "on_chat_model_start", "on_chain_stream" …: LangChain's name of an event. Static. */
GR_API const char *gr_event_name(const gr_event *event);
/* gr_run_type_name is "chain", "llm", "chat_model", "tool", "retriever", "prompt" or "parser". */
GR_API const char *gr_run_type_name(gr_run_type type);
/* gr_event_value gives the event as astream_events (v2) does: a map of event, name, run_id, parent_ids, tags,
 * metadata and data. [any] */
GR_API gr_value *gr_event_value(const gr_event *event);

/* on_event runs on the thread on which the event happened, at once: it must not take long, since the run, and
 * what else happens in its tree, does not go on before; what waits gives GR_EDEADLK in it. It may cancel what it
 * hears of: what that brings about is told after the event under way. */
typedef void gr_event_fn(void *arg, const gr_event *event);

typedef struct gr_handler {
    size_t size;
    const char *name; /* for the log; static */
    gr_event_fn *on_event;
    void (*drop)(void *arg); /* last, on any thread; may be NULL */
    void *arg;
    unsigned kinds; /* of gr_event_kind; default all */
    unsigned types; /* of gr_run_type; default all; CUSTOM and RETRY come whatever the type */
    bool root_only; /* only runs that are not in one that it hears of */
} gr_handler;
#define GR_HANDLER(...) (&(const gr_handler){ .size = sizeof(gr_handler), __VA_ARGS__ })

/*
 * gr_handler_value makes a handler to be put into "callbacks". Of one tree of runs it is called for one
 * event at a time, handlers in the order of the list, the same one twice counting once; the runs of a batch are in
 * one tree, those of two calls, or of two calls that are given callbacks of their own, are not. It never leaves its
 * process, but hears of runs on other nodes (node.h) like of those here.    [any]
 *
 * An actor is a handler, too: gr_ref_value(actor) in "callbacks". Its receive gets gr_event_value's maps, in order
 * for each run, and the run does not wait for it. When its mailbox is full the event is lost, and counted:
 * events_lost of gr_stats.
 */
GR_API gr_value *gr_handler_value(const gr_handler *handler);

/*
 * gr_dispatch_event tells the handlers of the run under way about something of one's own: on_custom_event,
 * adispatch_custom_event. GR_OK also when nobody observes; GR_EINVAL outside of a run.    [actor]
 */
GR_API gr_code gr_dispatch_event(gr_ctx *c, const char *name, gr_value *data GR_TAKES);

/*
 * gr_with_listeners has the functions called for the runs of runnable itself, not of what it calls: with_listeners.
 * Any may be NULL. drop(arg) runs last, also when this fails.
 */
typedef struct gr_listeners {
    size_t size;
    gr_event_fn *on_start, *on_end, *on_error;
    void (*drop)(void *arg);
    void *arg;
} gr_listeners;
#define GR_LISTENERS(...) (&(const gr_listeners){ .size = sizeof(gr_listeners), __VA_ARGS__ })
GR_API gr_ref gr_with_listeners(gr_scope *in, gr_ref runnable, const gr_listeners *listeners);

/* ---- streams of events ------------------------------------------------------------------------- */

/* Which runs' events to tell of: those that match any include, all if there is none, and no exclude. Arrays
 * of texts that end with NULL; NULL: none. Types are gr_run_type_name's. */
typedef struct gr_events_opts {
    size_t size;
    const char *const *include_names, *const *include_types, *const *include_tags;
    const char *const *exclude_names, *const *exclude_types, *const *exclude_tags;
    /* Events that may wait for a slow reader, beyond what the run's streams hold back; more: the stream ends with
     * GR_EFULL. Default 65536 */
    size_t events_max;
} gr_events_opts;
#define GR_EVENTS(...) GR_OPT(gr_events_opts, __VA_ARGS__)

/*
 * gr_astream_events streams r's answer to input as the events of the run and of all within: astream_events, version
 * v2. The chunks are gr_event_value's maps; there is none for an error, which ends the stream, but for a
 * tool's. A slow reader holds the run back; closing the stream ends the run before it returns.    [any]
 */
GR_API gr_stream *gr_astream_events(gr_runtime *rt, gr_ref r, gr_value *input GR_TAKES,
                                    const gr_call_opts *opts, const gr_events_opts *events);
/*
 * gr_astream_log streams patches (RFC 6902: lists of maps of op, path and value) that build a log of
 * the run: astream_log. gr_log_apply applies one to the state so far, NULL at first.    [any]
 */
GR_API gr_stream *gr_astream_log(gr_runtime *rt, gr_ref r, gr_value *input GR_TAKES,
                                 const gr_call_opts *opts, const gr_events_opts *events);
GR_API gr_value *gr_log_apply(gr_value *state GR_TAKES, const gr_value *patch);

/* ---- tracers ------------------------------------------------------------------------------------ */

/* Both write to a file descriptor, borrowed, and give an error value when out of memory. Values longer than
 * value_max bytes are cut (default 1024), and what is under keys that name secrets is masked. */
typedef struct gr_tracer_opts {
    size_t size;
    size_t value_max;
} gr_tracer_opts;
#define GR_TRACER(...) GR_OPT(gr_tracer_opts, __VA_ARGS__)
/* gr_console_tracer writes a line for each start and end, indented as the runs are nested: ConsoleCallbackHandler. */
GR_API gr_value *gr_console_tracer(int fd, const gr_tracer_opts *opts);
/* gr_json_tracer writes each event as a line of JSON: gr_event_value's map, with "time". */
GR_API gr_value *gr_json_tracer(int fd, const gr_tracer_opts *opts);

/*
 * gr_run_collector keeps finished trees of runs, as maps of id, name, run_type, inputs, outputs, error, start_time,
 * end_time, tags, metadata, child_runs, parent_run_id, trace_id and dotted_order: collect_runs. At most trees_max (0: 100);
 * the oldest goes. gr_run_collector_take takes what is there, a list. [any]
 */
GR_API gr_value *gr_run_collector(size_t trees_max);
GR_API gr_value *gr_run_collector_take(const gr_value *collector);

#ifdef __cplusplus
}
#endif
#endif
