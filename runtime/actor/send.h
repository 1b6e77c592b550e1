/* SPDX-License-Identifier: Apache-2.0 */
/* send.h - bringing calls to actors. */
#ifndef GR_RUNTIME_ACTOR_SEND_H
#define GR_RUNTIME_ACTOR_SEND_H

#include "runtime/actor/call.h"
#include "runtime/actor/klass.h"

/* gri_call_new makes a call with two references, owner's and duty's, in no scope. NULL: out of
 * memory. */
struct gri_call *gri_call_new(gr_runtime *rt, uint16_t verb, gr_value *args GR_TAKES,
                              gr_stream *in GR_TAKES);
/* gri_call_goes notes by what a call's verb is served. A stream that invoke answers and passes on to a
 * plain verb still has that answer as its chunk. */
static inline void gri_call_goes(struct gri_call *call, enum gri_how how)
{
    uint16_t verb = atomic_load_explicit(&call->verb, memory_order_relaxed);
    bool was = atomic_load_explicit(&call->one_chunk, memory_order_relaxed);

    /* relaxed: who ends the call has it from here, or sees it cancelled */
    atomic_store_explicit(&call->one_chunk,
                          how == GRI_BY_INVOKE ||
                              (was && verb != GRI_STREAM && verb != GRI_TRANSFORM),
                          memory_order_relaxed);
}
/* gri_call_arm starts the timer for the call's own deadline. */
gr_code gri_call_arm(struct gri_call *call);
/* gri_call_post sends a call that the caller holds to an actor; what is wrong ends it. Consumes the
 * duty. */
void gri_call_post(struct gri_call *call, gr_ref to);
/* gri_call_dispatch goes on with a call that has waited for a permit; see run_limit.h. */
void gri_call_dispatch(struct gri_call *call);
/* gri_call_offer passes a call on as gri_call_forward does, with verb, arguments and input as they are,
 * if `to` takes it: NULL, and the duty is consumed. Else the error, the caller's, who keeps the
 * duty. */
gr_value *gri_call_offer(struct gri_call *call, gr_ref to);

/* gri_started is gr_started as a member of `scope`, whose deadline and cancellation are not those
 * of the handler that asks. */
gr_future *gri_started(gr_scope *scope, gr_ref who);

/* gri_call_hook_done ends the run of a hook; a cancellation that came during it is told now. The
 * caller holds a reference. */
void gri_call_hook_done(struct gri_call *call);

/* gri_call_budget returns the budget of a call's run; NULL: it has none. */
static inline struct gri_budget *gri_call_budget(struct gri_call *call)
{
    const struct gri_call_more *more = gri_call_has_more(call);

    return more != NULL ? more->budget : NULL;
}

extern const struct gri_member_ops gri_call_member_ops;

#endif
