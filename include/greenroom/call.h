/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.h - calling an actor: the same for every actor, in this process or another.
 *
 * A call names a verb ("invoke", "add_documents", "embed_query" …). Each verb has a plain form that
 * waits and an a-form that returns at once, whatever kind of method the actor has for it: a method
 * given only as blocking runs on the blocking pool (LangChain's delegation rule). Verbs that an
 * actor lacks have LangChain's defaults: stream gives invoke's answer as one chunk, transform adds
 * up its input and streams that, batch invokes for each item with a sliding window.
 */
#ifndef GREENROOM_CALL_H
#define GREENROOM_CALL_H

#include <greenroom/future.h>
#include <greenroom/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_call_opts {
    size_t size;
    int64_t timeout_ms;      /* becomes a deadline that sub-calls inherit */
    gr_scope *scope;         /* who cancels it; default: the calling handler's run, else the root */
    /* taken. RunnableConfig, see config.h; laid over the caller's, key by key. For a batch it may
     * be a list, one for each input */
    gr_value *config;
    unsigned window_chunks;  /* streams: default 32 chunks */
    size_t window_bytes;     /* streams: default 256 KiB */
    bool return_exceptions;  /* batch: failures, but no cancellation, become error values in the list */
    /*
     * A budget for the whole run: this call and all that its handlers start, at any depth, in this
     * process; 0: no limit. A call that would go beyond fails with GR_EFULL, kind "budget", which
     * gr_error_retryable calls final. Calls in calls keep their caller's budget besides their own.
     */
    size_t calls_max;        /* calls that the run starts, this one not counted */
    unsigned depth_max;      /* calls nested in each other, this one being 1 */
    size_t bytes_max;        /* bytes of the arguments of its calls in flight, this one's too */
} gr_call_opts;
#define GR_CALL(...) GR_OPT(gr_call_opts, __VA_ARGS__)

/* ---- any verb ------------------------------------------------------------------------------ */

/*
 * gr_acall sends a call and returns its future at once; NULL only when out of memory. What is wrong
 * with the call (a broken ref or value, a full mailbox: GR_EFULL, a verb that the actor lacks:
 * GR_ETYPE) arrives in the future.    [any]
 */
GR_API gr_future *gr_acall(gr_runtime *rt, gr_ref to, const char *verb, gr_value *args GR_TAKES,
                           const gr_call_opts *opts);
/* gr_do calls and waits: the value, yours; NULL on failure with *reterr, yours. [waits] */
GR_API gr_value *gr_do(gr_runtime *rt, gr_ref to, const char *verb, gr_value *args GR_TAKES,
                       const gr_call_opts *opts, gr_value **reterr);

/* ---- the Runnable interface ---------------------------------------------------------------- */

GR_API gr_value *gr_invoke(gr_runtime *rt, gr_ref r, gr_value *input GR_TAKES,
                           const gr_call_opts *opts, gr_value **reterr);
GR_API gr_future *gr_ainvoke(gr_runtime *rt, gr_ref r, gr_value *input GR_TAKES,
                             const gr_call_opts *opts);

/*
 * gr_batch invokes r for each item of the list inputs and gives the answers in order. At most
 * config.max_concurrency items are under way at a time (default: half of r's mailbox bound). The
 * first failure fails the batch and cancels the rest, unless return_exceptions; with leave_siblings
 * in the config what is under way goes on, and what has not begun does not begin. A list of configs
 * that is not as long as inputs: GR_EINVAL. What names the call's run, run_name, names each item's.
 */
GR_API gr_value *gr_batch(gr_runtime *rt, gr_ref r, gr_value *inputs GR_TAKES,
                          const gr_call_opts *opts, gr_value **reterr);
GR_API gr_future *gr_abatch(gr_runtime *rt, gr_ref r, gr_value *inputs GR_TAKES,
                            const gr_call_opts *opts);

/*
 * gr_abatch_as_completed does the same, and streams the answers as they come: [index, answer]. With
 * return_exceptions an answer may be an error value. While the reader holds back no further item
 * begins. NULL only when out of memory. [any]
 */
GR_API gr_stream *gr_abatch_as_completed(gr_runtime *rt, gr_ref r, gr_value *inputs GR_TAKES,
                                         const gr_call_opts *opts);

/* gr_astream streams r's answer; read it with gr_next. NULL only when out of memory. [any] */
GR_API gr_stream *gr_astream(gr_runtime *rt, gr_ref r, gr_value *input GR_TAKES,
                             const gr_call_opts *opts);
/* gr_atransform streams r's answer to input that is itself a stream. [any] */
GR_API gr_stream *gr_atransform(gr_runtime *rt, gr_ref r, gr_stream *input GR_TAKES,
                                const gr_call_opts *opts);
/*
 * gr_do_stream, gr_do_transform and gr_do_batch_as_completed are the plain twins: they wait and call fn(arg, chunk) for each
 * chunk, on the caller's own stack; fn returns false to leave early. GR_OK at the end or on
 * leaving; on failure the code, with *reterr.    [waits]
 */
typedef bool gr_chunk_fn(void *arg, const gr_value *chunk);
GR_API gr_code gr_do_stream(gr_runtime *rt, gr_ref r, gr_value *input GR_TAKES,
                            const gr_call_opts *opts, gr_chunk_fn *fn, void *arg, gr_value **reterr);
GR_API gr_code gr_do_transform(gr_runtime *rt, gr_ref r, gr_stream *input GR_TAKES,
                               const gr_call_opts *opts, gr_chunk_fn *fn, void *arg,
                               gr_value **reterr);
GR_API gr_code gr_do_batch_as_completed(gr_runtime *rt, gr_ref r, gr_value *inputs GR_TAKES,
                                        const gr_call_opts *opts, gr_chunk_fn *fn, void *arg,
                                        gr_value **reterr);
/* gr_astream_call is the general form, for verbs of one's own. input: NULL, but for a verb that reads a
 * stream. [any] */
GR_API gr_stream *gr_astream_call(gr_runtime *rt, gr_ref to, const char *verb,
                                  gr_value *args GR_TAKES, gr_stream *input GR_TAKES,
                                  const gr_call_opts *opts);

/* ---- telling: a message without an answer ---------------------------------------------------- */

/* gr_tell sends msg to to's receive. Order holds between one sender and one receiver.
 * Errors: GR_EFULL at the mailbox's bound, GR_EDEAD, GR_ETYPE to receives nothing, the value's own
 * if broken. [any] */
GR_API gr_code gr_tell(gr_runtime *rt, gr_ref to, gr_value *msg GR_TAKES);
/* gr_tell_wait waits for room instead. Also GR_EINTR, GR_EDEADLK. In a handler it lets others have the
 * worker every 256 messages, so that they are handled while they are in the processor's cache. [waits] */
GR_API gr_code gr_tell_wait(gr_runtime *rt, gr_ref to, gr_value *msg GR_TAKES);

#ifdef __cplusplus
}
#endif
#endif
