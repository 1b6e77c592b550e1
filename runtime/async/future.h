/* SPDX-License-Identifier: Apache-2.0 */
/*
 * future.h - the one-shot cell behind every pending answer.
 *
 * Two sides hold a reference: the owner who waits, and whoever owes the answer. `waiter` is the
 * meeting point: NULL while pending and unwatched, a waiter once somebody watches, DONE for good
 * after completion. Completing exchanges it for DONE and fires the waiter it finds; watching swaps
 * NULL for the waiter and fails on DONE. So a waiter fires exactly once, or its owner knows that it
 * won't.
 *
 * fire runs on the completing thread, whatever that is: it wakes or readies, and calls no user
 * code.
 */
#ifndef GR_RUNTIME_ASYNC_FUTURE_H
#define GR_RUNTIME_ASYNC_FUTURE_H

#include <greenroom/future.h>

#include "runtime/sched/park.h"

struct gri_future_ops {
    /* cancel asks for the future's completion with an error of code `why`. [any] */
    void (*cancel)(struct gr_future *f, gr_code why);
    /* detach keeps the work going when its owner and the owner's scope are gone; may be NULL */
    void (*detach)(struct gr_future *f);
    /* name gives it a number for gr_cancel; may be NULL */
    gr_call (*name)(struct gr_future *f);
    /* hurry is called before the owner waits: it may run cheap work that the answer needs on the
     * owner's stack; GR_EDEADLK when the answer can't come while the owner waits. May be NULL */
    gr_code (*hurry)(struct gr_future *f);
    /* the last reference is gone; frees f but not its result */
    void (*destroy)(struct gr_future *f);
};

struct gr_future {
    gri_meeting waiter;
    _Atomic uint32_t refs;   /* how many, and the two flags below */
    _Atomic bool claimed;    /* somebody completes it, or has; the loser's answer is dropped */
    bool failed;             /* result is an error; written before DONE, as result is */
    gr_value *result;        /* counted */
    struct gri_sched *sched; /* borrowed; not to be used once the runtime is gone */
    const struct gri_future_ops *ops;
};

#define GRI_DONE GRI_MET

/*
 * What is listed somewhere, by who has no reference to it, and ends before its memory goes, may leave the list
 * in passing: whoever ends it notes LEFT in the step that gives up his reference, and the last
 * reference takes it out of the list. Who closes the list seals it. If SEALED comes first, it has to be taken out at its end; if
 * LEFT does, who seals takes it out: so one of the two does, and both know which.
 */
#define GRI_FUTURE_SEALED (UINT32_C(1) << 31)
#define GRI_FUTURE_LEFT (UINT32_C(1) << 30)
#define GRI_FUTURE_REFS (GRI_FUTURE_LEFT - 1)

/* gri_future_init makes a pending future with `refs` references. */
void gri_future_init(struct gr_future *f, struct gri_sched *s, const struct gri_future_ops *ops,
                     uint32_t refs);
struct gr_future *gri_future_ref(struct gr_future *f);
void gri_future_unref(struct gr_future *f); /* NULL is fine */
/* gri_future_try_ref is for who finds it in a list, under its lock; false: it is about to be freed, which
 * waits for that lock. */
bool gri_future_try_ref(struct gr_future *f);
/* gri_future_leave gives the reference up and notes LEFT; false: it is sealed, and nothing has changed. */
bool gri_future_leave(struct gr_future *f);
/* gri_future_seal: true, it has left: the caller takes it out of the list, and has got a reference. Under the list's
 * lock. */
bool gri_future_seal(struct gr_future *f);

/* gri_future_complete gives the answer; an error value, a broken value or NULL fails it. false: it
 * was complete. */
bool gri_future_complete(struct gr_future *f, gr_value *v GR_TAKES);
/* gri_future_settle does so for who has seen to it that nobody else does. */
void gri_future_settle(struct gr_future *f, gr_value *v GR_TAKES);
static inline bool gri_future_done(const struct gr_future *f)
{
    /* acquire: pairs with the exchange in gri_future_complete; result is readable after */
    return atomic_load_explicit(&((struct gr_future *)f)->waiter, memory_order_acquire) == GRI_DONE;
}
/* gri_future_hurry is for the owner of a call's future that he has just made and will wait for: see hurry above. */
static inline void gri_future_hurry(struct gr_future *f)
{
    if (f->ops->hurry != NULL)
        (void)f->ops->hurry(f); /* GR_EDEADLK is for who waits in a handler */
}
gr_outcome gri_future_outcome(const struct gr_future *f); /* of a done one */

/* gri_future_watch: GR_OK, w will fire once; GR_EOS it is done already, w won't fire; GR_EINVAL it
 * has a watcher. */
gr_code gri_future_watch(struct gr_future *f, struct gri_waiter *w);
/* gri_future_unwatch: true, w won't fire; false, it has fired or is about to. */
bool gri_future_unwatch(struct gr_future *f, struct gri_waiter *w);

/* gri_future_failed makes a future that is complete with an error; NULL when out of memory. */
struct gr_future *gri_future_failed(struct gri_sched *s, gr_value *err GR_TAKES);
/* gri_answer turns what a handler returned into what a future may hold: NULL becomes GR_EINVAL "no
 * value". */
gr_value *gri_answer(gr_value *v GR_TAKES);

#endif
