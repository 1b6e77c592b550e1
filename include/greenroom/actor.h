/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actor.h - writing an actor: a class, a state and a mailbox.
 *
 * A class has methods, each with a verb and a kind. One message is handled at a time. While a
 * handler of an exclusive class waits, nothing else runs in that actor; a reentrant class lets
 * other calls run meanwhile, still one at a time. A class without state (state_size 0) may run on
 * several workers at once.
 */
#ifndef GREENROOM_ACTOR_H
#define GREENROOM_ACTOR_H

#include <greenroom/call.h>
#include <greenroom/scope.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gr_kind {
    GR_CHEAP = 0,   /* never waits; may share its caller's stack */
    GR_ASYNC = 1,   /* may wait, or take the promise (gr_defer) and answer later */
    GR_BLOCKING = 2 /* may block its thread; runs on the blocking pool: see blocking_stack_size */
} gr_kind;

/* A method returns the answer, yours to give; an error value fails the call. args is borrowed. */
typedef gr_value *gr_method_fn(gr_ctx *c, void *self, const gr_value *args);
/* A streaming method emits its chunks with gr_emit and returns GR_OK or what ended it. in is NULL
 * for verbs without an input stream. To fail with a text: gr_fail(c, error value). */
typedef gr_code gr_stream_fn(gr_ctx *c, void *self, gr_stream *in, const gr_value *args);

typedef struct gr_method {
    const char *verb;
    gr_kind kind;
    gr_method_fn *fn;        /* one of the two */
    gr_stream_fn *stream_fn;
} gr_method;

typedef struct gr_class {
    size_t size;
    const char *name;
    size_t state_size; /* zeroed before init; 0: stateless */
    bool reentrant;
    gr_code (*init)(gr_ctx *c, void *self, const gr_value *args);  /* [actor] before any message */
    const gr_method *methods;
    size_t method_count;
    /* what gr_tell sends; may wait */
    void (*receive)(gr_ctx *c, void *self, const gr_value *msg);
    void (*stopped)(void *self, const gr_value *args); /* the last call, also after a failed init */
    /* what link.h tells, ahead of the mailbox: the exit of an actor linked to this one, if it traps
     * exits; the end of one that it monitors. Both may wait, as receive */
    void (*exited)(gr_ctx *c, void *self, gr_ref from, const gr_value *reason);
    void (*down)(gr_ctx *c, void *self, uint64_t monitor, gr_ref who, const gr_value *reason);
    /* before the actor ends, after its last handler: it may answer promises and may wait, until
     * terminate_ms is over. Not after "kill", nor after a failed init */
    void (*terminate)(gr_ctx *c, void *self, const gr_value *reason);
    unsigned run_type; /* a gr_run_type of callbacks.h: what its runs are; 0: GR_TYPE_CHAIN */
} gr_class;
/* A gr_class and all it points to must stay valid, unchanged, as long as the runtime: make it
 * static. */
#define GR_CLASS(...) { .size = sizeof(gr_class), __VA_ARGS__ }
#define GR_METHODS(array) .methods = (array), .method_count = sizeof(array) / sizeof((array)[0])

/* What happens to a message for which the mailbox has no room. */
typedef enum gr_overflow {
    GR_OVERFLOW_REFUSE = 0,      /* the sender gets GR_EFULL; gr_tell_wait waits for room */
    GR_OVERFLOW_DROP_NEWEST = 1, /* it is dropped: a tell returns GR_OK, a call fails, GR_EFULL */
    /* the oldest is dropped for it, a call among them fails with GR_EFULL. Not for stateless
     * classes, nor with max_concurrency */
    GR_OVERFLOW_DROP_OLDEST = 2,
    /* the sender gets GR_EFULL, and the actor exits, as by gr_exit_to, with an error of kind
     * "overflow" */
    GR_OVERFLOW_KILL = 3
} gr_overflow;

typedef struct gr_spawn_opts {
    size_t size;
    const char *name;         /* for people: errors, traces; copied; need not be unique */
    size_t mailbox_max;       /* default: the runtime's; at most 4,128,767 */
    /* calls under way at once, for reentrant and stateless classes; 0: no limit */
    unsigned max_concurrency;
    gr_value *args;           /* taken; what init sees, and stateless methods through gr_args */
    int worker;               /* 1-based pin to a worker; 0: anywhere */
    /* how long terminate may wait, in all; default 5000, negative: not at all */
    int64_t terminate_ms;
    /* links, monitors, names and exits under way, in all; default 65536; beyond: GR_EFULL */
    size_t ties_max;
    bool link;                /* [actor] link it to the spawning actor from its birth: see link.h */
    uint64_t *ret_monitor;    /* [actor] monitor it from its birth; written before it can end */
    gr_overflow overflow;     /* at mailbox_max and mailbox_bytes_max; default: refuse */
    size_t mailbox_bytes_max; /* bytes of the values in its mailbox; 0: the runtime's bytes_max */
    /* how long a message may wait: once they all wait longer, the mailbox takes no more of them
     * than are handled in that time, and refuses the others at once; 0: mailbox_max alone counts */
    int64_t queue_ms;
    /* how long a handler may hold its worker, without waiting; default: the runtime's report_ms.
     * Beyond, it is logged and counted; with handler_kill the actor exits besides, with an error of
     * kind "overtime": it takes no more from that moment, and ends once the handler returns */
    int64_t handler_ms;
    bool handler_kill;
    unsigned asks_max;        /* calls that it has started and that have not ended; 0: no limit.
                                 Beyond: GR_EFULL, kind "asks" */
    size_t stash_max;         /* messages that gr_stash keeps; default: mailbox_max */
    /* taken; handlers that hear of this actor's own runs, not of what these start: a list, as a
     * config's "callbacks", see callbacks.h */
    gr_value *callbacks;
    /* run it in a process of its own: the class is one that gr_isolate_main knows, see isolate.h;
     * NULL: here */
    const struct gr_isolate_opts *isolate;
} gr_spawn_opts;
#define GR_SPAWN(...) GR_OPT(gr_spawn_opts, __VA_ARGS__)

/*
 * gr_spawn makes an actor in a scope and returns its ref at once; init runs before its first
 * message. A ref to an actor that could not be made (or whose init fails) is broken: calls to it
 * fail with the reason, and gr_check tells it; one whose init failed counts as ended from then on,
 * and stays to say why until it is stopped or its scope ends. Arguments that are an error make such a ref at once:
 * so constructors say what is wrong with their options.    [any]
 */
GR_API gr_ref gr_spawn(gr_scope *in, const gr_class *cls, const gr_spawn_opts *opts);
/* gr_stop ends an actor after its current message, with the reason "normal"; what is queued fails
 * with GR_EDEAD, what it has deferred is still answered. [any] */
GR_API void gr_stop(gr_runtime *rt, gr_ref who);
/* gr_check returns NULL for a live actor, else an error value, yours, that says what is wrong.
 * [any] */
GR_API gr_value *gr_check(gr_runtime *rt, gr_ref who);
/* gr_started gives a future that is complete when who's init is done: nil, or why it failed. NULL
 * only when out of memory. [any] */
GR_API gr_future *gr_started(gr_runtime *rt, gr_ref who);

/* ---- inside a handler [actor] ---------------------------------------------------------------- */

GR_API gr_runtime *gr_runtime_of(gr_ctx *c);
/* gr_run_scope: what is spawned or called in it ends with the current call. Borrowed. */
GR_API gr_scope *gr_run_scope(gr_ctx *c);
/* gr_config returns the call's RunnableConfig, or NULL when nobody gave one. Borrowed. */
GR_API const gr_value *gr_config(gr_ctx *c);
/* gr_kwargs returns the map that gr_bind, or a caller's config, gave for this call; NULL: none.
 * Borrowed. */
GR_API const gr_value *gr_kwargs(gr_ctx *c);
GR_API gr_ref gr_self(gr_ctx *c);
GR_API const gr_value *gr_args(gr_ctx *c);  /* the spawn arguments. Borrowed */
GR_API const char *gr_verb(gr_ctx *c);      /* the verb called, "" in receive */
GR_API bool gr_cancelled(gr_ctx *c);        /* also true when the deadline has passed */
/* gr_deadline_ns: on gr_now_ns's clock; 0 when there is none. */
GR_API uint64_t gr_deadline_ns(gr_ctx *c);

/* gr_emit sends a chunk, waiting for room. GR_ECANCELED once the reader has left; GR_EINVAL if the
 * call is not a stream. [waits] */
GR_API gr_code gr_emit(gr_ctx *c, gr_value *chunk GR_TAKES);
/* gr_fail keeps err as the reason for the code it returns: return gr_fail(c, gr_error(…)). */
GR_API gr_code gr_fail(gr_ctx *c, gr_value *err GR_TAKES);
/* gr_delegate passes the duty to answer (and to stream) on to another actor; return its result. */
GR_API gr_value *gr_delegate(gr_ctx *c, gr_ref to, const char *verb, gr_value *args GR_TAKES);

/*
 * gr_then has fn(c, self, outcome, arg) run in this actor, as a message of its own, when f is
 * complete; f is freed after fn. Meanwhile other messages are handled. drop(arg) runs last, also
 * when the actor stops first.
 * Errors: GR_EINVAL, GR_ENOMEM; then only drop runs.
 */
typedef void gr_then_fn(gr_ctx *c, void *self, const gr_outcome *o, void *arg);
GR_API gr_code gr_then(gr_ctx *c, gr_future *f GR_TAKES, gr_then_fn *fn, void (*drop)(void *arg),
                       void *arg);

/*
 * gr_stash sets the current message aside, to be handled again after gr_unstash_all: a tell, or a
 * call, whose answer is then still due (return NULL). gr_unstash_all puts all of them, in order,
 * before what is in the mailbox. When the actor stops, stashed messages fail like queued ones.
 * Errors: GR_EFULL at stash_max: handle it; GR_ENOMEM; GR_EINVAL if the class is stateless, or
 *         there is no message to keep (in init, in a continuation, after gr_defer or gr_stash).
 */
GR_API gr_code gr_stash(gr_ctx *c);
GR_API void gr_unstash_all(gr_ctx *c);

/*
 * gr_exit ends the actor once this handler returns: return gr_exit(c, reason). An error value is a
 * crash, as is NULL; any other value is a reason of one's own, see link.h. Links and monitors get
 * the reason unchanged; what gr_exit returns, for the caller, is the error, or GR_EBROKEN with the
 * reason as its "detail", or nil where nobody waits for an answer. Other calls that the actor holds fail as link.h says.
 */
GR_API gr_value *gr_exit(gr_ctx *c, gr_value *reason GR_TAKES);

/* ---- answering later ------------------------------------------------------------------------- */

/* gr_defer takes the duty to answer; the handler's own return value is then ignored (return NULL).
 * NULL when it was taken already, or in receive. [actor] */
GR_API gr_promise *gr_defer(gr_ctx *c);
/* gr_resolve answers; an error value rejects. For a stream it ends the stream. [any] */
GR_API void gr_resolve(gr_promise *p GR_TAKES, gr_value *v GR_TAKES);
/* gr_promise_emit sends a chunk without waiting. GR_EFULL: keep yours (it was NOT sent, though it
 * is consumed; gr_value_ref it before if you need it again) and wait for room(); GR_ECANCELED.
 * [any] */
GR_API gr_code gr_promise_emit(gr_promise *p, gr_value *chunk GR_TAKES);
/* gr_promise_room tells whether gr_promise_emit would take a chunk now. After false, room() is
 * called once when it would. [any] */
GR_API bool gr_promise_room(gr_promise *p);
/*
 * gr_on_cancel sets what is called when the call is cancelled (cancel) and when there is room for a
 * chunk again (room); either may be NULL. They are called from any thread, at most one at a time,
 * never after gr_resolve or gr_promise_free has returned; they must not wait, and may resolve the
 * promise. When the call is cancelled already, cancel is called before this returns, with
 * GR_ECANCELED. [any]
 */
GR_API gr_code gr_on_cancel(gr_promise *p, void (*cancel)(void *arg), void (*room)(void *arg), void *arg);
/* gr_promise_free without an answer: the caller gets GR_EBROKEN. [any] */
GR_API void gr_promise_free(gr_promise *p);

#ifdef __cplusplus
}
#endif
#endif
