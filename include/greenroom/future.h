/* SPDX-License-Identifier: Apache-2.0 */
/*
 * future.h - one pending answer.
 *
 * A future has one owner and completes once, with a value or an error. Await it, hang a callback
 * on it, collect it from a completion queue (cq.h) or continue in an actor (gr_then, actor.h).
 * Freeing a pending future cancels its call; gr_detach lets the call run.
 * A future outlives its runtime: by then it is complete.
 */
#ifndef GREENROOM_FUTURE_H
#define GREENROOM_FUTURE_H

#include <greenroom/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * gr_await waits for the answer, for at most timeout_ms (-1 for ever, 0 polls). The outcome borrows
 * from f, which stays yours.
 * Codes:   GR_OK with the value; the call's own error; GR_EPENDING when the time is up (the call
 *          goes on); GR_EINTR when the handler that waits was cancelled; GR_EDEADLK from cheap
 *          code, and when the call is to an exclusive actor that waits for this very handler;
 *          GR_EFULL when fibers_max handlers wait already; GR_ENOMEM for NULL.    [waits]
 */
GR_API gr_outcome gr_await(gr_future *f, int64_t timeout_ms);

/* gr_take awaits for ever, frees f, and returns the value, yours; NULL on failure with *reterr
 * yours, which may be NULL if you don't want it. [waits] */
GR_API gr_value *gr_take(gr_future *f GR_TAKES, gr_value **reterr);

/* gr_done tells whether f is complete. [any] */
GR_API bool gr_done(const gr_future *f);

/*
 * gr_on_done has fn(arg, f) run on a worker once f is complete; fn takes f. drop(arg) runs last,
 * once, also when fn could not be called. On an error nothing is called but drop, and f is freed.
 * Errors: GR_EINVAL f is awaited by somebody already; GR_ENOMEM.    [any]
 */
typedef void gr_done_fn(void *arg, gr_future *f GR_TAKES);
GR_API gr_code gr_on_done(gr_future *f GR_TAKES, gr_done_fn *fn, void (*drop)(void *arg), void *arg);

/* gr_future_call names f's call for gr_cancel; {0, 0} when there is none left to cancel, or no memory
 * for a name. [any] */
GR_API gr_call gr_future_call(gr_future *f);
/* gr_cancel asks a call to stop. Its future completes at once, with GR_ECANCELED unless an answer
 * came first; its handler is told, and so is everything that it started. [any] */
GR_API void gr_cancel(gr_runtime *rt, gr_call call);
/* gr_future_cancel does the same through the future. [any] */
GR_API void gr_future_cancel(gr_future *f);

GR_API void gr_detach(gr_future *f GR_TAKES); /* let it run, drop the answer. [any] */
GR_API void gr_future_free(gr_future *f);     /* while pending: cancels. [any] */

/*
 * The combinators take their futures and give one:
 *   gr_all      a list of the values in order; the first failure fails it and cancels the others
 *   gr_any      the first value; if all fail, the first error
 *   gr_race     the first outcome of either kind; the others are cancelled
 *   gr_settled  a list of values and error values in order; never fails
 *   gr_within   f's outcome, or GR_ETIMEDOUT after timeout_ms, which cancels f
 * of no futures: an empty list; GR_EINVAL for any and race.    [any]
 */
GR_API gr_future *gr_all(gr_runtime *rt, gr_future *const *fs GR_TAKES, size_t count);
GR_API gr_future *gr_any(gr_runtime *rt, gr_future *const *fs GR_TAKES, size_t count);
GR_API gr_future *gr_race(gr_runtime *rt, gr_future *const *fs GR_TAKES, size_t count);
GR_API gr_future *gr_settled(gr_runtime *rt, gr_future *const *fs GR_TAKES, size_t count);
GR_API gr_future *gr_within(gr_runtime *rt, gr_future *f GR_TAKES, int64_t timeout_ms);

static inline void gr_future_freep(gr_future **p) { gr_future_free(*p); }

#ifdef __cplusplus
}
#endif
#endif
