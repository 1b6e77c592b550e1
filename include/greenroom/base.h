/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base.h - what every Greenroom header needs: the rules, the error codes, the type names.
 *
 * The rules that hold everywhere:
 *
 *   Ownership   A parameter tagged GR_TAKES is consumed whether the call succeeds or fails, so
 *               constructors nest without leaks: gr_tell(rt, to, gr_str("hi")). gr_value pointers
 *               inside options structs are taken too. Every other pointer is borrowed for the call.
 *               A returned pointer is yours; a returned const pointer is borrowed from the object
 *               it was read from. Every _free and _unref accepts NULL.
 *   Refs        gr_ref is a plain value: copy it, store it, never free it. It cannot dangle: a ref
 *               to a stopped, unreachable or never-built actor fails the call, with the reason.
 *   Owners      What is built or spawned belongs to a scope and stops when that scope ends:
 *               gr_root(rt) for the runtime's life, gr_run_scope(c) for the current call's. A
 *               composition never owns the refs it is given, so steps may be shared.
 *   Broken      Value constructors never return NULL: out of memory, bad UTF-8, too deep or too
 *               large gives a static broken value; a container of one is broken; it surfaces as
 *               that error where it is used. NULL where a value is due is GR_EINVAL "no value".
 *   Errors      0 is success. gr_code says what to do; the error value (kind, text, where, status,
 *               retry_after_ms, detail, cause) says the rest. ret_ outputs are written on success
 *               only, reterr on failure only. Nothing is thread-local.
 *   Completion  An accepted call completes exactly once. The future may already be complete when
 *               the call returns; what never happens is the caller's code (then_fn, done_fn,
 *               readiness of a queue) running inside gr_ainvoke, gr_then, gr_on_done, gr_cq_watch,
 *               gr_cancel or gr_resolve. A handler that ends without an answer completes its
 *               caller with GR_EBROKEN. Every callback pair has drop(arg), called exactly once,
 *               last.
 *   Threads     [any] any thread. [actor] only inside that actor's own handler. [waits] blocks the
 *               calling thread; inside a handler it parks that handler and frees the worker. errno,
 *               thread-local state, held locks and C++ catch blocks don't survive a wait. GR_CHEAP
 *               code can't wait: GR_EDEADLK.
 *   Options     GR_FOO(.field = x) is a const struct on the caller's stack with .size filled, so
 *               structs may grow at the end without an ABI break. NULL and zero: defaults.
 *   Time        _ms is relative milliseconds. A call's timeout_ms: 0 none, negative already
 *               expired; a wait's: -1 for ever, 0 polls. Inside, and on the wire, time is a
 *               deadline.
 *   Fork        After fork() only exec may follow in the child.
 */
#ifndef GREENROOM_BASE_H
#define GREENROOM_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GR_API __attribute__((visibility("default")))
#define GR_NODISCARD __attribute__((warn_unused_result))
#define GR_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define GR_TAKES /* the callee consumes this argument, on success and on failure alike */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11 && !defined(__cplusplus)
#define GR_OWNED(fn) __attribute__((malloc(fn, 1))) /* single-owner types only */
#else
#define GR_OWNED(fn)
#endif

/* GR_OPT builds an options struct in place; each options type has a short macro of its own. C
 * only. */
#define GR_OPT(type, ...) (&(const type){ .size = sizeof(type), __VA_ARGS__ })
/* GR_ARR makes "array, count" out of a list of elements. C only; for shallow nesting. */
#define GR_ARR(type, ...) (type[]){ __VA_ARGS__ }, sizeof((type[]){ __VA_ARGS__ }) / sizeof(type)
/* GR_AUTO(gr_value) v = …; frees v when the block is left. GNU C; not used inside the library. */
#define GR_AUTO(type) __attribute__((cleanup(type##_freep))) type *

/*
 * gr_code says what went wrong in one of few ways that a program can act on. The numbers are
 * pinned: they cross the wire, where an unknown one arrives as GR_EREMOTE.
 */
typedef enum gr_code {
    GR_OK = 0,
    GR_ENOMEM = 1,     /* no memory, or a limit on bytes was reached */
    GR_EINVAL = 2,     /* a bad argument, a bad file, a missing value */
    GR_ETYPE = 3,      /* a value of the wrong kind, or a verb that the actor does not have */
    GR_ETIMEDOUT = 10, /* the deadline passed */
    GR_ECANCELED = 11, /* somebody asked for it to stop */
    GR_EDEAD = 20,     /* the actor has stopped, or never was */
    GR_EBROKEN = 21,   /* the actor ended without an answer */
    GR_EFULL = 22,     /* a bound was reached: try later */
    GR_EUNREACH = 30,  /* the node or the server can't be reached, or was lost; worth a retry */
    GR_EPROTO = 31,    /* the peer sent what it must not send */
    GR_EREMOTE = 40,   /* a model, a store or a peer said no */
    GR_ERATE = 41,     /* a model or a store said: not so fast; see retry_after_ms */
    GR_EPENDING = 50,  /* local only: not done yet */
    GR_EOS = 51,       /* local only: the stream has ended */
    GR_EDEADLK = 52,   /* local only: waiting here would never end */
    GR_EINTR = 53      /* local only: the waiter itself was cancelled */
} gr_code;

/* gr_code_name returns the code's name, "GR_EINVAL"; for an unknown code "GR_E?". [any] */
GR_API const char *gr_code_name(gr_code code);

typedef struct gr_runtime gr_runtime; /* worker pool, registry, timers, links */
typedef struct gr_value gr_value;     /* immutable, reference-counted tree */
/* one pending answer, single owner; NULL reads as GR_ENOMEM */
typedef struct gr_future gr_future;
typedef struct gr_stream gr_stream;   /* many pending answers, single owner */
typedef struct gr_scope gr_scope;     /* owns actors and calls; cancels and joins them together */
typedef struct gr_promise gr_promise; /* the duty to answer one call; droppable */
typedef struct gr_ctx gr_ctx;         /* one handler run: self, caller's deadline, scope, config */
typedef struct gr_cq gr_cq;           /* completion queue: how a foreign event loop takes answers */

/* gr_ref names an actor. node: 64 random bits of its runtime's start; id: slot + generation. */
typedef struct gr_ref {
    uint64_t node, id;
} gr_ref;

/* gr_call names a call in flight, to cancel it. */
typedef struct gr_call {
    uint64_t node, id;
} gr_call;

/* gr_outcome is an answer: on GR_OK a value, else an error value (NULL for GR_EPENDING and GR_EOS).
 * Both borrowed from what gave it. */
typedef struct gr_outcome {
    gr_code code;
    const gr_value *value;
    const gr_value *error;
} gr_outcome;

#define GR_VERSION_MAJOR 0
#define GR_VERSION_MINOR 1
#define GR_VERSION_PATCH 0
#define GR_VERSION_NUM (GR_VERSION_MAJOR * 10000 + GR_VERSION_MINOR * 100 + GR_VERSION_PATCH)
#define GR_VERSION "0.1.0"

/* gr_version returns the version of the library that is linked, "0.1.0"; compare with GR_VERSION.
 * [any] */
GR_API const char *gr_version(void);

/*
 * gr_set_allocator replaces malloc for everything Greenroom allocates itself. resize(ctx, NULL, n)
 * allocates, resize(ctx, p, 0) frees and returns NULL, else it reallocates; a NULL answer is out of
 * memory. Process-wide, before the first use of anything else. [any]
 *
 * Errors:  GR_EFULL  something was allocated already: nothing changed.
 */
typedef void *gr_resize_fn(void *ctx, void *p, size_t size);
GR_API gr_code gr_set_allocator(gr_resize_fn *resize, void *ctx);

/*
 * gr_set_log sends the library's log lines to fn; NULL (the default) drops them. The library logs
 * only what no return value can carry. level: 0 error, 1 warning, 2 info, 3 debug. fn may be
 * called from any thread, must not call back into Greenroom, and sees no secret. [any]
 */
typedef void gr_log_fn(void *arg, int level, const char *text);
GR_API void gr_set_log(gr_log_fn *fn, void *arg, int level_max);

/*
 * gr_set_log_lines does so with whom a line is about: for logs that are searched by that. It and
 * gr_set_log replace each other. The line is borrowed for the call; what is not known is NULL. [any]
 */
typedef struct gr_log_line {
    size_t size;
    int level;
    const char *text;
    const char *actor; /* its name */
    const char *peer;  /* the other node's URL, or a general name */
} gr_log_line;
typedef void gr_log_line_fn(void *arg, const gr_log_line *line);
GR_API void gr_set_log_lines(gr_log_line_fn *fn, void *arg, int level_max);

#ifdef __cplusplus
}
#endif
#endif
