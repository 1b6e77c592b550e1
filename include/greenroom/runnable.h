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
 *
 * A function that is not cheap may answer with a runnable, gr_ref_value(r): that is then called with
 * the same input, by stream if the lambda was, and its answer is the lambda's. How often that may
 * happen in a row is the config's recursion_limit, 25 unless given: then GR_EFULL, kind "recursion".
 */
typedef gr_value *gr_lambda_fn(gr_ctx *c, void *arg, const gr_value *input);
GR_API gr_ref gr_lambda(gr_scope *in, gr_kind kind, gr_lambda_fn *fn, void (*drop)(void *arg),
                        void *arg);

/*
 * gr_generator makes a runnable of a function from a stream to a stream: RunnableGenerator. fn reads
 * in by gr_next, to GR_EOS, and sends what it makes of it by gr_emit; what it returns is as for
 * gr_stream_fn. drop as for a lambda. kind: GR_ASYNC or GR_BLOCKING, else broken.
 */
typedef gr_code gr_generator_fn(gr_ctx *c, void *arg, gr_stream *in);
GR_API gr_ref gr_generator(gr_scope *in, gr_kind kind, gr_generator_fn *fn,
                           void (*drop)(void *arg), void *arg);

/*
 * gr_seq_n pipes each step's answer into the next: RunnableSequence. It streams if its steps do. Steps of
 * gr_remote, one after the other, pass the value on from node to node when invoked: docs/cluster.md.
 * gr_seq(in, a, b, c) is the short form. The step behind a structured prompt is taken for a model that is to answer with
 * data (structured_prompt.h). No steps: broken.
 */
GR_API gr_ref gr_seq_n(gr_scope *in, const gr_ref *steps, size_t count);
#define gr_seq(in, ...) gr_seq_n((in), GR_ARR(gr_ref, __VA_ARGS__))

/*
 * gr_parallel gives the same input to every step at once and answers with a map, keys in the order
 * given: RunnableParallel. The first failure fails it and cancels the others. Streams give a map of
 * one key for each chunk of a step, as they come. No steps: {}, and a stream without chunks.
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
/* gr_passthrough_tap does so too, and invokes tap with the whole input before it ends; tap's answer
 * is dropped, its error is not: RunnablePassthrough(func). */
GR_API gr_ref gr_passthrough_tap(gr_scope *in, gr_ref tap);

/*
 * gr_assign_n answers with its input, a map, plus the answers of the steps to that input:
 * RunnablePassthrough.assign. An input that is not a map: GR_ETYPE "must be a dict". Streams pass
 * the input's own chunks first, without the keys that the steps will give.
 */
GR_API gr_ref gr_assign_n(gr_scope *in, const gr_step *steps, size_t count);
#define gr_assign(in, ...) gr_assign_n((in), GR_ARR(gr_step, __VA_ARGS__))

/* gr_pick answers with the value under key of its input, nil if it is not there: RunnablePick. */
GR_API gr_ref gr_pick(gr_scope *in, const char *key);
/* gr_pick_n answers with a map of those of the keys that are there; nil if none is. */
GR_API gr_ref gr_pick_n(gr_scope *in, const char *const *keys, size_t count);
#define gr_pick_keys(in, ...) gr_pick_n((in), GR_ARR(const char *, __VA_ARGS__))

/*
 * gr_branch asks the conditions one after the other, by invoke, and answers with the runnable of the
 * first that holds, or with otherwise: RunnableBranch. A condition holds as Python has it: not when
 * it answers nil, false, 0, or something empty. A condition that fails, fails it.
 */
typedef struct gr_arm {
    gr_ref condition, runnable;
} gr_arm;
#define GR_ARM(c, r) { (c), (r) }
GR_API gr_ref gr_branch_n(gr_scope *in, gr_ref otherwise, const gr_arm *arms, size_t count);
#define gr_branch(in, otherwise, ...)                                                              \
    gr_branch_n((in), (otherwise), GR_ARR(gr_arm, __VA_ARGS__))

/*
 * gr_router takes {"key", "input"} and answers with what the runnable of that key answers to input:
 * RouterRunnable. A key that it doesn't have: GR_EINVAL; a batch with one starts nothing. Kwargs go to
 * what it calls for the items of a batch, and only there.
 */
GR_API gr_ref gr_router_n(gr_scope *in, const gr_step *runnables, size_t count);
#define gr_router(in, ...) gr_router_n((in), GR_ARR(gr_step, __VA_ARGS__))

/* gr_each gives each item of a list to runnable, as a batch does, and answers with the list of the
 * answers: RunnableEach, Runnable.map. It streams the list as one chunk. What gr_bind, gr_with_config and
 * gr_with_listeners lay round it goes to runnable: the result is an each again. */
GR_API gr_ref gr_each(gr_scope *in, gr_ref runnable);

/*
 * gr_bind has runnable called with kwargs, which its handlers find by gr_kwargs: Runnable.bind. Those
 * of the call replace them key by key. A sequence gives its kwargs to its first step, a parallel to
 * none; retry, fallbacks, branch and each give them to what they call. kwargs that are no map:
 * broken, GR_ETYPE.
 */
GR_API gr_ref gr_bind(gr_scope *in, gr_ref runnable, gr_value *kwargs GR_TAKES);
/* gr_with_config has runnable called with a config under that of the call, by gr_merge_configs:
 * Runnable.with_config. */
GR_API gr_ref gr_with_config(gr_scope *in, gr_ref runnable, gr_value *config GR_TAKES);

typedef struct gr_alternatives_opts {
    size_t size;
    const char *id;          /* required; the key in the config's configurable */
    const char *default_key; /* the name of the one that answers otherwise; default "default" */
    /* configurable's keys "id==name/key" are "key" for the one of that name */
    bool prefix_keys;
    bool is_shared;          /* its id gets no prefix where it is itself within an alternative */
    const char *name;        /* for people, in the config's schema; may be NULL */
    const char *description; /* likewise */
} gr_alternatives_opts;
#define GR_ALTERNATIVES(...) GR_OPT(gr_alternatives_opts, __VA_ARGS__)
/*
 * gr_configurable_alternatives answers with the alternative whose key stands under id in the
 * config's configurable, else with otherwise: Runnable.configurable_alternatives. An unknown one:
 * GR_EINVAL "Unknown alternative".
 */
GR_API gr_ref gr_configurable_alternatives_n(gr_scope *in, gr_ref otherwise,
                                             const gr_alternatives_opts *opts,
                                             const gr_step *alternatives, size_t count);
#define gr_configurable_alternatives(in, otherwise, opts, ...)                                     \
    gr_configurable_alternatives_n((in), (otherwise), (opts), GR_ARR(gr_step, __VA_ARGS__))

typedef struct gr_field {
    const char *name;    /* what make knows it by */
    const char *id;      /* the key in the config's configurable; default: name */
    gr_value *otherwise; /* taken; its default. With options: one of their keys, or a list of them */
    /* taken; a map of the values that may be chosen, by the keys that a config names them with.
     * NULL: any value is the field's own */
    gr_value *options;
    const char *title;       /* for people, in the config's schema; default: name */
    const char *description; /* likewise; may be NULL */
    bool is_shared;          /* its id gets no prefix within an alternative: see prefix_keys */
} gr_field;
#define GR_FIELD(name, id, otherwise, options)                                                     \
    { (name), (id), (otherwise), (options), NULL, NULL, false }
/*
 * gr_configurable_fields is the runnable that make makes of a map of fields:
 * Runnable.configurable_fields. make is called once for the defaults, with the scope `in`; and for
 * each call whose config changes a field, with a scope that ends with that call. It must not wait,
 * and may be called for several calls at once. drop(arg) runs last, also when this fails. An option
 * that there is not: GR_EINVAL.
 */
typedef gr_ref gr_make_fn(gr_scope *in, void *arg, const gr_value *fields);
GR_API gr_ref gr_configurable_fields_n(gr_scope *in, gr_make_fn *make, void (*drop)(void *arg),
                                       void *arg, const gr_field *fields, size_t count);
#define gr_configurable_fields(in, make, drop, arg, ...)                                           \
    gr_configurable_fields_n((in), (make), (drop), (arg), GR_ARR(gr_field, __VA_ARGS__))

typedef struct gr_retry_opts {
    size_t size;
    unsigned attempts;      /* in all; default 3 */
    int64_t backoff_ms;     /* before the second attempt, growing; default 1000, negative: none */
    int64_t backoff_max_ms; /* default 60000 */
    int64_t jitter_ms;      /* up to so much is added at random; default 1000, negative: none */
    bool all_errors;        /* LangChain's default; ours retries what gr_error_retryable says and
                               errors of the chain's own code (GR_EINVAL, GR_ETYPE are final) */
    /* names of those that are tried again, and no others: kinds ("RateLimit"), codes ("GR_ERATE") */
    const char *const *errors;
    size_t error_count;
    double exp_base;        /* by how much backoff_ms grows; at least 1; default 2 */
} gr_retry_opts;
#define GR_RETRY(...) GR_OPT(gr_retry_opts, __VA_ARGS__)
/*
 * gr_with_retry calls inner again when it fails; the last error is the one given. A retry_after_ms
 * in the error counts as the least wait. A batch tries again only the items that failed, each by
 * itself. A stream is tried again until its first chunk has come; a transform, whose input can be
 * read only once, is not: it is inner's, without a run of the retry's. GR_ECANCELED is final.
 */
GR_API gr_ref gr_with_retry(gr_scope *in, gr_ref inner, const gr_retry_opts *opts);

/* gr_with_fallbacks tries each in turn until one does not fail; if all fail, the first error. A
 * stream falls back until its first chunk. Cancellation is not a failure. */
GR_API gr_ref gr_with_fallbacks_n(gr_scope *in, const gr_ref *runnables, size_t count);
#define gr_with_fallbacks(in, ...) gr_with_fallbacks_n((in), GR_ARR(gr_ref, __VA_ARGS__))

typedef struct gr_fallbacks_opts {
    size_t size;
    /* names of the errors that are handled, as in gr_retry_opts; NULL: all. Others fail the call */
    const char *const *errors;
    size_t error_count;
    /* the input is a map, else GR_ETYPE, and those after the first get it with the error before
     * them under this key */
    const char *exception_key;
} gr_fallbacks_opts;
#define GR_FALLBACKS(...) GR_OPT(gr_fallbacks_opts, __VA_ARGS__)
/* gr_with_fallbacks_for is gr_with_fallbacks with options. */
GR_API gr_ref gr_with_fallbacks_for_n(gr_scope *in, const gr_fallbacks_opts *opts,
                                      const gr_ref *runnables, size_t count);
#define gr_with_fallbacks_for(in, opts, ...)                                                       \
    gr_with_fallbacks_for_n((in), (opts), GR_ARR(gr_ref, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
