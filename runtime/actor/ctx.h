/* SPDX-License-Identifier: Apache-2.0 */
/* ctx.h - one handler run, on the handler's stack. */
#ifndef GR_RUNTIME_ACTOR_CTX_H
#define GR_RUNTIME_ACTOR_CTX_H

#include "runtime/actor/actor.h"
#include "runtime/actor/call.h"
#include "runtime/actor/klass.h"

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
    bool noted;              /* in actor->waits for good; set under its tie_lock. See held.c */
    bool last;               /* terminate: only a kill interrupts it */
    uint64_t limit_ns;       /* terminate: when its waits end; unset else */
    /* not set before they are needed */
    struct gri_resume resume; /* reentrant classes: how control comes back */
    struct gri_list wait;     /* in actor->waits: see held.h */
    struct gri_park *park;    /* borrowed; where it waits, unless it is found through its call */
};

/* held.c's: for a handler that waits no more, if it has been noted that it did. */
void gri_waits_forget(struct gr_ctx *c);

/* How the waits of a handler are followed, in a reentrant class and elsewhere. */
extern const struct gri_exec_hooks gri_ctx_reentrant_hooks, gri_ctx_hooks;

/* gri_ctx_enter begins a handler run on this stack, gri_ctx_leave ends it. Inlined: they are part of the cost
 * of each message. */
static inline void gri_ctx_enter(struct gr_ctx *c, struct gri_actor *a, struct gri_call *call,
                                 bool cheap)
{
    struct gri_exec *e = gri_exec();

    c->rt = a->rt;
    c->actor = a;
    c->call = call;
    c->msg = NULL;
    c->deferred = c->stashed = c->noted = c->last = false;
    c->failure = c->exit = NULL;
    c->exec = e;
    c->nested = e->ctx != NULL;
    if (c->nested)
        c->saved = *e;
    e->ctx = c;
    e->who = atomic_load_explicit(&a->id, memory_order_relaxed);
    if (e->worker != NULL)
        gri_worker_begins(e->worker, e->who);
    e->cancel = call != NULL ? &call->cancel : NULL;
    e->pin = a->pin;
    e->hooks = &gri_ctx_hooks;
    if (cheap) {
        e->cheap++;
    } else if (!a->klass->stateless && a->klass->cls->reentrant && e->fiber != NULL) {
        c->resume = (struct gri_resume){ .envelope.kind = GRI_RESUME, .fiber = e->fiber };
        e->hooks = &gri_ctx_reentrant_hooks;
    }
}

static inline void gri_ctx_leave(struct gr_ctx *c)
{
    struct gri_exec *e = c->exec;

    gri_assert(e == gri_exec() && e->ctx == c);
    if (c->noted)
        gri_waits_forget(c);
    if (!c->nested) { /* the next task or message begins anew */
        e->ctx = NULL;
        e->who = 0;
        e->cancel = NULL;
        e->cheap = e->pin = 0;
        e->hooks = NULL;
        return;
    }
    e->ctx = c->saved.ctx;
    e->who = c->saved.who;
    if (e->worker != NULL)
        gri_worker_begins(e->worker, e->who);
    e->cancel = c->saved.cancel;
    e->cheap = c->saved.cheap;
    e->pin = c->saved.pin;
    e->hooks = c->saved.hooks;
}

/* gri_ctx_defer: somebody else will answer the handler's call, which leaves the mailbox. The frame goes on
 * to use the call and its actor, when both may be done with, and lets go of them when the handler has
 * returned: see gri_handle_call. */
void gri_ctx_defer(struct gr_ctx *c);
/* gri_ctx_stay is for a handler during whose waits nothing else may run, in any class. */
void gri_ctx_stay(void);
/* gri_ctx_current returns the handler run under way on this stack, if it is rt's; else NULL. */
struct gr_ctx *gri_ctx_current(gr_runtime *rt);
/* gri_run_holds tells whether a handler run, or one that waits for it, holds the exclusive actor `id`,
 * so that waiting in it for that actor would never end. 0 is no actor. */
bool gri_run_holds(const struct gr_ctx *c, uint64_t id);
/* gri_ctx_holds asks that of the handler run under way on this stack. */
static inline bool gri_ctx_holds(gr_runtime *rt, uint64_t id)
{
    const struct gr_ctx *c = gri_ctx_current(rt);

    return c != NULL && gri_run_holds(c, id);
}
/* gri_call_run_scope returns the scope of what a call's handler starts; borrowed from the call,
 * which has not ended. NULL when it has, or out of memory. */
struct gr_scope *gri_call_run_scope(struct gri_call *call);

#endif
