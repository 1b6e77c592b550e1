/* SPDX-License-Identifier: Apache-2.0 */
/* ctx.h - one handler run, on the handler's stack. */
#ifndef GR_RUNTIME_ACTOR_CTX_H
#define GR_RUNTIME_ACTOR_CTX_H

#include "runtime/actor/actor.h"

struct gr_ctx {
    gr_runtime *rt;          /* borrowed */
    struct gri_actor *actor; /* pinned by whoever runs the handler */
    struct gri_call *call;   /* borrowed; NULL in receive and init */
    const gr_value *msg;     /* borrowed; in receive, until it is stashed */
    bool deferred;           /* a promise has the duty to answer, or the stash */
    bool stashed;            /* the call goes to the stash when the handler has returned */
    gr_value *failure;       /* counted; gr_fail's */
    gr_value *exit;          /* counted; gr_exit's */
    struct gri_exec *exec;   /* borrowed; this stack's, as long as the handler runs */
    struct gri_exec saved;   /* what ran on this stack before; unset unless nested */
    bool nested;             /* that was a handler, else nothing ran */
    bool last;               /* terminate: only a kill interrupts it */
    uint64_t limit_ns;       /* terminate: when its waits end; unset else */
    /* not set before they are needed */
    struct gri_resume resume; /* reentrant classes: how control comes back */
    struct gri_list wait;     /* in actor->waits, while it is parked at `park` */
    struct gri_park *park;    /* borrowed; see held.h */
};

void gri_ctx_enter(struct gr_ctx *c, struct gri_actor *a, struct gri_call *call, bool cheap);
void gri_ctx_leave(struct gr_ctx *c);
/* gri_ctx_defer: somebody else will answer the handler's call, which leaves the mailbox. The frame goes on
 * to use the call and its actor, when both may be done with, and lets go of them when the handler has
 * returned: see gri_handle_call. */
void gri_ctx_defer(struct gr_ctx *c);
/* gri_ctx_stay is for a handler during whose waits nothing else may run, in any class. */
void gri_ctx_stay(void);
/* gri_ctx_current returns the handler run under way on this stack, if it is rt's; else NULL. */
struct gr_ctx *gri_ctx_current(gr_runtime *rt);
/* gri_ctx_holds tells whether the handler under way on this stack, or one that waits for it, holds
 * the exclusive actor `id`, so that waiting here for that actor would never end. 0 is no actor. */
bool gri_ctx_holds(gr_runtime *rt, uint64_t id);
/* gri_call_run_scope returns the scope of what a call's handler starts; borrowed from the call,
 * which has not ended. NULL when it has, or out of memory. */
struct gr_scope *gri_call_run_scope(struct gri_call *call);

#endif
