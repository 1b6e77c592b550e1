/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget.h - what a chain may spend: rate limiters, response caches, circuit breakers.
 *
 * Each is an actor, so one that a node publishes (node.h) serves as many processes as link to it: give
 * its gr_remote where its ref is due. docs/budget.md tells how they work together.
 */
#ifndef GREENROOM_BUDGET_H
#define GREENROOM_BUDGET_H

#include <greenroom/runnable.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- rate limiters --------------------------------------------------------------------------- */

typedef struct gr_rate_limiter_opts {
    size_t size;
    double requests_per_second; /* 0: requests have no limit of its own */
    double requests_burst;      /* the most that are granted at once; default 1, at least 1 */
    double tokens_per_minute;   /* 0: tokens have no limit of its own */
    double tokens_burst;        /* default what a minute gives; at least 1 */
    bool starts_full;           /* default: it starts empty, as LangChain's */
    size_t waiters_max;         /* calls that wait; default 65536; beyond: GR_EFULL */
    bool ignores_servers;       /* what servers say of their limits changes nothing */
    int64_t hold_max_ms; /* the longest that what a server says, or what was used beyond what was
                          * granted, holds calls back; default 600000, at most a day */
} gr_rate_limiter_opts;
#define GR_RATE_LIMITER(...) GR_OPT(gr_rate_limiter_opts, __VA_ARGS__)

/*
 * gr_rate_limiter makes a token bucket for requests, one for tokens, or both: InMemoryRateLimiter.
 * Without either it holds back only as much as servers say. Any actor with these verbs is one:
 *
 *   "acquire"  {"requests"?, "tokens"?, "blocking"?} -> true once they are granted. Default 1, 0 and
 *              true; with blocking false it does not wait: false, and nothing is taken
 *   "used"     {"tokens"?, "requests"?} -> nil: so many more were used than acquired; negative: less
 *   "saw"      {"requests"?: {"remaining", "reset_ms"}, "tokens"?: …, "retry_after_ms"?} -> nil: what
 *              a server said. Also by gr_tell, which is how models' answers tell it
 *   "stats"    nil -> {"granted", "refused", "cancelled", "waiting", "wait_ms", "requests", "tokens",
 *              "blocked_ms"}: wait_ms is what all have waited in sum; requests and tokens are what is
 *              there now, nil without a limit
 *
 * Who waits is served in order, at the moment when enough is there, and can be cancelled: then
 * nothing is taken. As LangChain's, its clock starts with the first call. What asks for more tokens
 * than the bucket holds waits for a full one, and those behind it wait until the rest is paid.
 * What servers say is believed within bounds, since a limiter may be everybody's: a reset or a retry-after
 * counts for hold_max_ms at most, and of tokens that are owed as many as come in that time; the rest is forgiven.
 *
 * Errors:  of the maker: GR_EINVAL a rate or a burst that is negative, infinite or below 1, hold_max_ms
 *          out of range
 *          of "acquire": GR_EFULL waiters_max wait; GR_EINVAL a number that is negative, or more
 *          requests than requests_burst; GR_ECANCELED; GR_ETIMEDOUT     [any]
 */
GR_API gr_ref gr_rate_limiter(gr_scope *in, const gr_rate_limiter_opts *opts);

typedef struct gr_acquire_opts {
    size_t size;
    double requests; /* default 1; negative: none */
    double tokens;   /* default 0 */
    bool no_wait;    /* LangChain's blocking=False */
} gr_acquire_opts;
#define GR_ACQUIRE(...) GR_OPT(gr_acquire_opts, __VA_ARGS__)
/* gr_acquire waits for what want says, NULL: one request; true, or false with no_wait. BaseRateLimiter's
 * acquire [waits], aacquire [any]. opts: as for every call, or NULL. */
GR_API gr_value *gr_acquire(gr_runtime *rt, gr_ref limiter, const gr_acquire_opts *want,
                            const gr_call_opts *opts, gr_value **reterr);
GR_API gr_future *gr_aacquire(gr_runtime *rt, gr_ref limiter, const gr_acquire_opts *want,
                              const gr_call_opts *opts);

typedef struct gr_limited_opts {
    size_t size;
    bool counts_tokens; /* acquires tokens, too: see gr_with_rate_limiter */
    unsigned tokens_answer; /* what an answer is reckoned with until it is known; default 0 */
} gr_limited_opts;
#define GR_LIMITED(...) GR_OPT(gr_limited_opts, __VA_ARGS__)
/*
 * gr_with_rate_limiter calls runnable once limiter has granted a request; runnable may be a model, an
 * embedder or anything else. It has no run of its own. Where tokens count, an input is reckoned as
 * count_tokens_approximately does (four characters a token, three for each message), max_tokens of the
 * call's kwargs or else tokens_answer for the answer; when the answer's usage_metadata tells what it
 * was, the limiter is told of the difference. [any]
 */
GR_API gr_ref gr_with_rate_limiter(gr_scope *in, gr_ref runnable, gr_ref limiter,
                                   const gr_limited_opts *opts);

/* ---- response caches ------------------------------------------------------------------------- */

typedef struct gr_response_cache_opts {
    size_t size;
    int64_t ttl_ms;         /* how long an answer is good; default for ever */
    const char *name_space; /* what its keys begin with; default "llm"; copied */
} gr_response_cache_opts;
#define GR_RESPONSE_CACHE(...) GR_OPT(gr_response_cache_opts, __VA_ARGS__)

/*
 * gr_response_cache keeps answers of models in a byte store (byte_store.h): InMemoryCache over
 * gr_memory_byte_store, SQLiteCache over gr_sqlite_store. Any actor with these verbs is a cache:
 *
 *   "lookup"  {"prompt", "llm"}           -> the answer, or nil
 *   "update"  {"prompt", "llm", "answer"} -> nil
 *   "clear"   nil                         -> nil
 *   "stats"   nil                         -> {"hits", "misses", "updates"}
 *
 * prompt and llm are any values; keys are the SHA-256 of both, as JSON with sorted keys, so two
 * prompts share an answer only if they are the same to the last byte. What the store holds that is no
 * answer counts as none. [any]
 */
GR_API gr_ref gr_response_cache(gr_scope *in, gr_ref store, const gr_response_cache_opts *opts);

/*
 * gr_with_cache looks the input up before it calls model, and keeps the answer. The key is the messages
 * without their ids, together with settings (taken; what else decides about an answer: the model's
 * name, temperature …), the call's kwargs, and what its configurable says of the model, as the model's
 * config_specs tell (graph.h). Calls for the same that come at once ask the model once: the others wait
 * for the first one's answer. If it fails they all ask, and if its caller leaves the next one does. A kept ai message comes with
 * usage_metadata.total_cost 0. A stream is model's own: it is not looked up, as in LangChain. A cache
 * that fails is logged, at level 3, and counts as one that does not have it. No run of its own.
 *
 * Errors:  of a call: GR_ETYPE cache is no cache; model's own    [any]
 */
GR_API gr_ref gr_with_cache(gr_scope *in, gr_ref model, gr_ref cache, gr_value *settings GR_TAKES);

/* ---- circuit breakers ------------------------------------------------------------------------ */

typedef struct gr_breaker_opts {
    size_t size;
    double failures_share; /* of the window's calls at which it opens, above 0, to 1; default 0.5 */
    unsigned calls_min;    /* calls in the window below which it does not; default 10 */
    int64_t window_ms;     /* default 60000 */
    int64_t open_ms;       /* how long it stays open before a probe; default 30000 */
    /* names of the errors that count, as in gr_retry_opts; NULL: those of the service (GR_EUNREACH,
     * GR_ETIMEDOUT, GR_ERATE, GR_EPROTO, GR_EFULL, GR_EBROKEN, GR_EDEAD, and GR_EREMOTE but for a
     * status of 400 to 499), not those of the caller */
    const char *const *errors;
    size_t error_count;
} gr_breaker_opts;
#define GR_BREAKER(...) GR_OPT(gr_breaker_opts, __VA_ARGS__)

/*
 * gr_with_breaker calls runnable as long as it works. Once failures_share of the calls that ended within
 * window_ms have failed it opens: calls fail at once with GR_EUNREACH, kind "breaker",
 * retry_after_ms. After open_ms one call is let through, the probe; if it succeeds the breaker closes and
 * starts anew, else it stays open for open_ms more. A probe that has not ended after open_ms and
 * window_ms, whichever is longer, is given up, and the next call is one. What was cancelled says
 * nothing; a call whose deadline passed meanwhile counts as GR_ETIMEDOUT. A stream counts when it ends.
 * It has no run of its own. "breaker_stats" tells {"state": "closed", "open" or "half_open", "calls",
 * "failures", "refused", "opened"}, of the window the first two.
 *
 * Errors:  GR_EINVAL an option out of range    [any]
 */
GR_API gr_ref gr_with_breaker(gr_scope *in, gr_ref runnable, const gr_breaker_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
