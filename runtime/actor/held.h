/* SPDX-License-Identifier: Apache-2.0 */
/*
 * held.h - what an actor holds while it does nothing: handlers that wait, calls that it has
 * deferred, continuations that are due. An ordinary call appears in none of these lists; a handler
 * is in `waits` from its first wait until it returns, if it has a call to answer itself, else during
 * each wait, a call in `deferred` from gr_defer until its promise is kept.
 *
 * A deferred call pins its actor. When the actor exits the pin is taken from it (`loose`), so that
 * the actor can end; then the call is found by this list alone, failed, and taken out. A promise
 * that is kept later finds its call in no list, and no actor.
 */
#ifndef GR_RUNTIME_ACTOR_HELD_H
#define GR_RUNTIME_ACTOR_HELD_H

#include "runtime/actor/ctx.h"

/* gri_held_interrupt ends the waits of all handlers, and fails their calls. The caller has a pin. */
void gri_held_interrupt(struct gri_actor *a);
/* gri_held_loosen takes the pins of what is deferred, and drops the continuations. In the turn. */
void gri_held_loosen(struct gri_actor *a);
/* gri_held_fail fails what is deferred. */
void gri_held_fail(struct gri_actor *a);

/* gri_wait_begin notes that a handler is about to park; false: it must not, its actor exits. */
bool gri_wait_begin(struct gr_ctx *c, struct gri_park *p, uint64_t *deadline_ns);
void gri_wait_end(struct gr_ctx *c);
/* gri_waits_forget is for a handler that returns, or gives its call to somebody else to answer: before
 * it does. */
void gri_waits_forget(struct gr_ctx *c);

/* gri_defer_begin notes that a promise has the call's duty. gri_defer_end takes the call back, with
 * a pin, before the promise ends it; its actor is NULL then if that has gone. */
void gri_defer_begin(struct gri_call *call);
void gri_defer_end(struct gri_call *call);

/* gri_then_begin watches a continuation's future and notes the continuation: as gri_future_watch, or
 * GR_EDEAD when the actor exits. On GR_OK it may be over at once. gri_then_end forgets it. */
gr_code gri_then_begin(struct gri_actor *a, struct gri_list *node, gr_future *f,
                       struct gri_waiter *w);
void gri_then_end(struct gri_actor *a, struct gri_list *node);
/* then.c: drops a continuation that is in no list any more, unless it is on its way to the
 * mailbox. */
void gri_then_cut(struct gri_actor *a, struct gri_list *node);

#endif
