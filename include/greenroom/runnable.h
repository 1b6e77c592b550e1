/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runnable.h - LangChain's runnables: each constructor spawns an actor in a scope and returns its
 * ref.
 *
 * Meaning as in langchain-core (docs/from-langchain.md lists the differences). A composition never
 * owns the refs it is given, so steps may be shared; a broken ref among them makes it broken too.
 */
#ifndef GREENROOM_RUNNABLE_H
#define GREENROOM_RUNNABLE_H

#include <greenroom/actor.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * gr_lambda makes a runnable of a function. fn runs for several calls at once, on any thread; arg
 * is shared by them. drop(arg), which may be NULL, runs after the last one, also when this fails.
 */
typedef gr_value *gr_lambda_fn(gr_ctx *c, void *arg, const gr_value *input);
GR_API gr_ref gr_lambda(gr_scope *in, gr_kind kind, gr_lambda_fn *fn, void (*drop)(void *arg),
                        void *arg);

/*
 * gr_sequence pipes each step's answer into the next: RunnableSequence. It streams if its steps do.
 * gr_seq(in, a, b, c) is the short form. No steps: broken.
 */
GR_API gr_ref gr_seq_n(gr_scope *in, const gr_ref *steps, size_t count);
#define gr_seq(in, ...) gr_seq_n((in), GR_ARR(gr_ref, __VA_ARGS__))

/*
 * gr_parallel gives the same input to every step at once and answers with a map, keys in the order
 * given: RunnableParallel. The first failure fails it and cancels the others. Streams give a map of
 * one key for each chunk of a step, as they come.
 */
typedef struct gr_step {
    const char *key;
    gr_ref ref;
} gr_step;
#define GR_STEP(k, r) { (k), (r) }
GR_API gr_ref gr_parallel_n(gr_scope *in, const gr_step *steps, size_t count);
#define gr_parallel(in, ...) gr_parallel_n((in), GR_ARR(gr_step, __VA_ARGS__))

/* gr_passthrough answers with its input, chunk by chunk: RunnablePassthrough. */
GR_API gr_ref gr_passthrough(gr_scope *in);

/*
 * gr_assign_n answers with its input, a map, plus the answers of the steps to that input:
 * RunnablePassthrough.assign. An input that is not a map: GR_ETYPE "must be a dict". Streams pass
 * the input's own chunks first, without the keys that the steps will give.
 */
GR_API gr_ref gr_assign_n(gr_scope *in, const gr_step *steps, size_t count);
#define gr_assign(in, ...) gr_assign_n((in), GR_ARR(gr_step, __VA_ARGS__))

/* gr_pick answers with the value under key of its input, nil if it is not there: RunnablePick. */
GR_API gr_ref gr_pick(gr_scope *in, const char *key);

typedef struct gr_retry_opts {
    size_t size;
    unsigned attempts;      /* in all; default 3 */
    int64_t backoff_ms;     /* before the second attempt, doubling; default 1000, negative: none */
    int64_t backoff_max_ms; /* default 60000 */
    int64_t jitter_ms;      /* up to so much is added at random; default 1000, negative: none */
    bool all_errors;        /* LangChain's default; ours retries what gr_error_retryable says and
                               errors of the chain's own code (GR_EINVAL, GR_ETYPE are final) */
} gr_retry_opts;
#define GR_RETRY(...) GR_OPT(gr_retry_opts, __VA_ARGS__)
/* gr_with_retry invokes inner again when it fails; the last error is the one given. A
 * retry_after_ms in the error counts as the least wait. Streams are not retried, as in
 * LangChain. */
GR_API gr_ref gr_with_retry(gr_scope *in, gr_ref inner, const gr_retry_opts *opts);

/* gr_with_fallbacks tries each in turn until one does not fail; if all fail, the first error. A
 * stream falls back until its first chunk. Cancellation is not a failure. */
GR_API gr_ref gr_with_fallbacks_n(gr_scope *in, const gr_ref *runnables, size_t count);
#define gr_with_fallbacks(in, ...) gr_with_fallbacks_n((in), GR_ARR(gr_ref, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
