/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim.h - simulation: a runtime on one thread and a virtual clock, every choice drawn from a seed.
 *
 * gr_runtime_new with sim_seed makes a runtime that has no real threads. Its workers, timers and
 * blocking pool take turns on the calling thread, and only while that waits for the runtime:
 * gr_await, gr_next, gr_sleep, gr_sim_advance, gr_runtime_free. What runs next, when a thread loses
 * the processor, how long things take, what fails: all comes from the seed. So a seed that shows a
 * bug shows it again, under a debugger too. Time is virtual: an hour of waiting takes none.
 *
 * Your handlers run as they are. They should ask gr_now_ns for the time and gr_sleep to wait; code
 * that reads other clocks, draws other random numbers, or starts threads is outside the simulation.
 * HTTP goes to a simulated server (gr_sim_http), links between the runtimes of one simulation over a
 * simulated network. Other threads must keep out: their calls give GR_EINVAL. A wait of the creating
 * thread that nothing can ever end gives GR_EDEADLK instead of hanging.
 *
 * Runtimes made on a thread that already has a simulation join it: the nodes of one cluster. They
 * must have the same sim_seed, and no runtime of another kind can be made there meanwhile.
 */
#ifndef GREENROOM_SIM_H
#define GREENROOM_SIM_H

#include <greenroom/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What may go wrong: gr_runtime_opts.sim_faults. */
typedef enum gr_sim_fault {
    GR_SIM_SCHED = 1,   /* any order of threads and tasks that the machine might choose */
    GR_SIM_TIME = 2,    /* delays, late time-outs, late and spurious wake-ups, slow handlers */
    GR_SIM_MEMORY = 4,  /* allocations fail */
    GR_SIM_FULL = 8,    /* mailboxes, pools and stacks are full now and then */
    GR_SIM_THREADS = 16, /* threads can't be started */
    GR_SIM_HTTP = 32,   /* servers refuse, stall, hang up, answer 429, 500, or nonsense */
    GR_SIM_NET = 64,    /* links break, partition, delay; nodes vanish */
    GR_SIM_FILES = 128, /* files can't be read */
    GR_SIM_NONE = 256,  /* nothing; the order of events is drawn all the same */
    GR_SIM_ALL = 255
} gr_sim_fault;

/* gr_sim_advance lets so much virtual time pass, and everything happen that happens in it.
 * GR_EINVAL: rt is not of the calling thread's simulation, or a handler called. [waits] */
GR_API gr_code gr_sim_advance(gr_runtime *rt, int64_t ms);

/* gr_sim_heal ends all faults for good; order is drawn on. What should recover, recovers now. */
GR_API void gr_sim_heal(void);

typedef struct gr_sim_info {
    uint64_t seed;
    uint64_t now_ns;     /* virtual */
    uint64_t events;     /* points passed, each of which the seed decided something at */
    uint64_t trace_hash; /* of all that was decided: the same for the same seed and program */
} gr_sim_info;

/* gr_sim_report tells of the calling thread's simulation. GR_EINVAL: it has none. */
GR_API gr_code gr_sim_report(gr_sim_info *ret_info);

/* gr_sim_point names the points at which a simulation steps in, by index from 0, and tells how often
 * it did so at each; NULL after the last. ret_what and ret_fired may be NULL. Borrowed, static. */
GR_API const char *gr_sim_point(unsigned index, const char **ret_what, uint64_t *ret_fired);

typedef struct gr_sim_step {
    uint64_t now_ns;
    const char *thread; /* that the step is of */
    unsigned thread_id; /* 0: the creating thread */
    const char *point;  /* where the simulation stepped in; NULL: it is the thread's turn now */
} gr_sim_step;

/*
 * gr_sim_trace has fn(arg, step) called for each decision of the calling thread's simulations, the
 * one that it has and those that come; NULL ends it. fn runs on a simulated thread's stack, must not
 * call Greenroom, and changes nothing: a traced history is the same history.
 */
typedef void gr_sim_trace_fn(void *arg, const gr_sim_step *step);
GR_API void gr_sim_trace(gr_sim_trace_fn *fn, void *arg);

/* ---- the server ------------------------------------------------------------------------------ */

/*
 * All HTTP requests of a simulated runtime go to one simulated server, whatever their URL. A
 * gr_sim_http_fn is that server: it is given a request and says what to answer by the gr_sim_reply
 * calls. It runs on the runtime's simulated HTTP thread, one request at a time: it must not wait.
 * When the answer arrives, in how small pieces, and what goes wrong on the way is the seed's.
 *
 * Without one the server speaks as much of OpenAI's API as gr_chat_model and gr_openai_embeddings
 * use, so chains run unchanged:
 *
 *   POST …/chat/completions  {"model": string, "messages": [at least one], …}
 *       The answer is "Simulated answer to: " and the text of the last message whose role is "user"
 *       (of the last message, if none is); of a list of parts, the text of the parts. With
 *       "stream" one event for the role, one for each word, one for the finish_reason "stop", one
 *       for the usage if stream_options.include_usage asks for it, then [DONE]. The usage counts
 *       words.
 *   POST …/embeddings        {"model": string, "input": string or [strings], …}
 *       For each text a vector of "dimensions" numbers (8 if not given, at most 4096), multiples of
 *       1/128 from -1 to below 1 that depend on the text and the position only; as a list, or with
 *       "encoding_format": "base64" as base64 of little-endian floats. At most 2048 texts.
 *   Anything else: 404; another method: 405; a body that is none of these: 400; each with OpenAI's
 *   {"error": {"message", "type", "code"}}.
 */
typedef struct gr_sim_header {
    const char *name, *value;
} gr_sim_header;

/* All borrowed for the call. The headers are those that were sent, the secret one included. */
typedef struct gr_sim_request {
    const char *method, *url;
    const gr_sim_header *headers;
    size_t header_count;
    const char *body; /* NUL-terminated as well */
    size_t body_size;
} gr_sim_request;

typedef struct gr_sim_reply gr_sim_reply;
typedef void gr_sim_http_fn(void *arg, const gr_sim_request *request, gr_sim_reply *reply);

/*
 * gr_sim_http makes fn the server of rt; NULL: the one above. arg is borrowed and must stay. Requests
 * that arrive from now on see it. GR_EINVAL: rt is not simulated here; GR_ENOMEM. [any]
 */
GR_API gr_code gr_sim_http(gr_runtime *rt, gr_sim_http_fn *fn, void *arg);

/* Inside a gr_sim_http_fn only. The status is 200 unless said otherwise; the order of the rest is
 * the order on the wire. An answer has at most 64 MiB. */
GR_API void gr_sim_reply_status(gr_sim_reply *reply, int status);
GR_API void gr_sim_reply_header(gr_sim_reply *reply, const char *name, const char *value);
GR_API void gr_sim_reply_body(gr_sim_reply *reply, const char *data, size_t size);
/* gr_sim_reply_wait: the server is silent for so long before it goes on. */
GR_API void gr_sim_reply_wait(gr_sim_reply *reply, int64_t ms);
/* gr_sim_reply_hang_up: the connection is lost at this place. */
GR_API void gr_sim_reply_hang_up(gr_sim_reply *reply);

/* ---- the network ----------------------------------------------------------------------------- */

/*
 * Runtimes of one simulation reach each other by gr_serve and gr_remote over a simulated network,
 * where a URL names whoever serves it. gr_sim_partition keeps two of them apart from now on, or lets
 * them reach each other again: meanwhile nothing arrives, connecting hangs, and each side gives its
 * links up when it has waited long enough. gr_sim_heal does not end such a partition.
 *
 * gr_sim_crash cuts rt off for good, with all its links at once, and frees the URLs that it served
 * for its successor. The others learn of it now or later. rt itself goes on in the dark, until
 * gr_runtime_free.
 *
 * GR_EINVAL: a runtime is not of this thread's simulation; GR_ENOMEM. [any]
 */
GR_API gr_code gr_sim_partition(gr_runtime *a, gr_runtime *b, bool on);
GR_API gr_code gr_sim_crash(gr_runtime *rt);

#ifdef __cplusplus
}
#endif
#endif
