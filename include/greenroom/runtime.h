/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime.h - the engine: a worker pool, timers, a blocking pool, and what they own.
 *
 * A process may hold several runtimes; they share nothing but the allocator and the log hook. A
 * runtime starts its workers when it is made, blocking threads and the HTTP thread when they are
 * first needed; all of them block every signal, unless an option says otherwise.
 */
#ifndef GREENROOM_RUNTIME_H
#define GREENROOM_RUNTIME_H

#include <greenroom/value.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_runtime_opts {
    size_t size;
    unsigned workers;       /* default: online CPUs; at most 64 */
    size_t mailbox_max;     /* messages queued for an actor; default 1024, at most 4,128,767; see
                             * docs/limits.md */
    size_t fibers_max;      /* parked handlers; default 8192; beyond: GR_EFULL */
    size_t stack_size;      /* bytes of a handler's stack; default 256 KiB, least 64 KiB */
    size_t blocking_max;    /* threads of the blocking pool; default 1024 */
    /* calls that wait for such a thread; default 65536; beyond: GR_EFULL */
    size_t blocking_queue_max;
    size_t actors_max;      /* default 4 Mi, at most 16 Mi - 1; beyond: broken refs, GR_EFULL */
    int64_t shutdown_ms;    /* how long gr_runtime_free waits for handlers to end; default 5000 */
    /* not 0: the runtime is simulated, see sim.h; workers then defaults to 2 */
    uint64_t sim_seed;
    unsigned sim_faults;    /* of gr_sim_fault; default: GR_SIM_SCHED | GR_SIM_TIME */
    /* bytes of the values in mailboxes, timers, calls in flight and stream windows; default 1 GiB.
     * Beyond: calls and tells fail with GR_EFULL, streams take one chunk at a time. Integers,
     * booleans and nil weigh nothing; lists and maps of more than 32 parts are estimated */
    size_t bytes_max;
    size_t calls_max;       /* calls in flight; default 2 Mi; beyond: GR_EFULL */
    size_t timers_max;      /* of gr_send_after, at once; default 1 Mi; beyond: GR_EFULL */
    size_t peer_verbs_max;  /* verbs learnt from other processes, ever; default 256, at most 512 */
    /* a handler that holds its worker for report_ms, computing or blocked, is logged and counted;
     * default 100. What its thread waits for a processor is not the handler's, where the kernel tells:
     * see docs/reliability.md. This and the next two default to never, never and none in a simulation */
    int64_t report_ms;
    /* after stuck_ms a spare worker serves in its place; default 5000 */
    int64_t stuck_ms;
    unsigned spares_max;    /* spare workers at once; default 4, at most 16 */
    size_t blocking_stack_size; /* bytes of a blocking thread's stack; default 256 KiB, least 64 */
    int64_t blocking_idle_ms; /* a blocking thread without work leaves then; default 10,000 */
    /* when all workers have been in their handlers for spare_ms and work waits, a spare one serves
     * too; default 1, but with one worker, where handlers run one at a time, stuck_ms; never in a
     * simulation */
    int64_t spare_ms;
    /* The next two have the runtime handle signals, which it otherwise leaves to its host; not in a
     * simulation. See docs/reliability.md.
     *   report_overflow   a handler that overflows its stack is named on stderr, by a handler of
     *                     SIGSEGV that passes on all that is not such an overflow; then the process
     *                     ends as it would have
     *   backtrace_signal  a report of report_ms comes with a backtrace: this signal asks the worker
     *                     where it is. It must not be handled by anybody yet: GR_EINVAL. Handlers that
     *                     block in a system call may see it fail with EINTR. Default: none */
    bool report_overflow;
    int backtrace_signal;
    unsigned isolated_max; /* processes of isolated actors (isolate.h) at once; default 64, at most
                            * 4096; beyond: GR_EFULL */
    /* HTTP requests, to models and other servers. Beyond the first: GR_EFULL; beyond the other two
     * requests wait, within their deadlines */
    size_t http_requests_max;           /* under way or waiting; default 10,000 */
    unsigned http_connections_max;      /* open at once; default 8192 */
    unsigned http_host_connections_max; /* to one host; default 4096 */
    /* HTTP/2 with servers that offer it in the TLS handshake: many requests share a connection, so a
     * reader that stops can't stop the server without stopping the others. What it leaves is kept, up
     * to 1 MiB; beyond, its request ends with GR_EFULL. Otherwise HTTP/1.1, where it just waits. Of one client
     * alone: gr_chat_opts, gr_embeddings_opts */
    bool http2;
} gr_runtime_opts;
#define GR_BACKTRACE_SIGNAL (-1) /* SIGRTMAX - 1, which hosts seldom use */
#define GR_RUNTIME(...) GR_OPT(gr_runtime_opts, __VA_ARGS__)

/*
 * gr_runtime_new makes a runtime and starts its workers.
 * Errors:  GR_EINVAL an option out of range, or a simulation (sim.h) that this thread's own does not
 *          go with; GR_ENOMEM memory or threads ran out.    [any]
 */
GR_NODISCARD GR_API gr_code gr_runtime_new(const gr_runtime_opts *opts, gr_runtime **ret_rt);

/*
 * gr_runtime_free refuses new calls, cancels those in flight, joins handlers for up to shutdown_ms,
 * stops actors in the reverse order of their birth, then the network, the blocking pool and the
 * workers. Futures, streams, promises and values stay valid. A handler that never returns is left
 * behind with a warning, and so is the memory it uses. Not from inside a handler.     [waits]
 */
GR_API void gr_runtime_free(gr_runtime *rt);

/* gr_root returns the scope of what lives as long as the runtime. Borrowed. [any] */
GR_API gr_scope *gr_root(gr_runtime *rt);

/* gr_now_ns returns the runtime's monotonic clock, in nanoseconds. [any] */
GR_API uint64_t gr_now_ns(gr_runtime *rt);

/* gr_sleep waits; in a handler it parks. GR_OK, GR_EINTR if cancelled, GR_EDEADLK in cheap code.
 * [waits] */
GR_API gr_code gr_sleep(gr_runtime *rt, int64_t ms);

static inline void gr_runtime_freep(gr_runtime **p) { gr_runtime_free(*p); }

#ifdef __cplusplus
}
#endif
#endif
