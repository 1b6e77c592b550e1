/* SPDX-License-Identifier: Apache-2.0 */
/*
 * park.h - one wait of one execution, a fiber or a thread alike; and what interrupts waits.
 *
 * A gri_park lives on the waiter's stack. Whoever wants to end the wait calls gri_park_wake, from
 * anywhere, any number of times until the waiter has taken the park away from it; the first one
 * counts. The waiter must take it away (cancel the timer, detach from the future) before it leaves
 * the frame.
 */
#ifndef GR_RUNTIME_SCHED_PARK_H
#define GR_RUNTIME_SCHED_PARK_H

#include "runtime/sched/sched.h"

/* Why a wait ended; several may come true. */
enum {
    GRI_WOKEN = 1, /* what was waited for has come */
    GRI_TIMEDOUT = 2,
    GRI_INTERRUPTED = 4, /* the waiter's own call was cancelled */
    GRI_PARKED = 8       /* internal: somebody must be resumed */
};

struct gri_waiter {
    void (*fire)(struct gri_waiter *w);
};

/*
 * A word in which one who waits and one who brings what is waited for meet: NULL at first, a waiter,
 * GRI_MET for good once it has been brought. Who brings it exchanges the word for GRI_MET and fires
 * the waiter that he finds. GRI_STOPPED is no waiter: a wait at the word was interrupted before it
 * had begun.
 */
typedef _Atomic(struct gri_waiter *) gri_meeting;
#define GRI_MET ((struct gri_waiter *)(uintptr_t)1)
#define GRI_STOPPED ((struct gri_waiter *)(uintptr_t)2)

static inline bool gri_is_waiter(const struct gri_waiter *w)
{
    return (uintptr_t)w > (uintptr_t)GRI_STOPPED;
}

struct gri_park {
    _Atomic uint32_t state;
    struct gri_fiber *fiber;  /* borrowed; NULL: a thread sleeps on `state` */
    struct gri_sched *sched;  /* the fiber's */
    gri_meeting *meeting;     /* borrowed; gri_park_meet's, of a fiber; else NULL */
    struct gri_waiter waiter; /* at the meeting */
    bool refused;             /* somebody else waits there */
    struct gri_timer timer;
};

/* What interrupts the waits of a handler: one in each call whose handler may wait. Zeroed is
 * ready. */
struct gri_cancel {
    struct gri_lock lock;
    _Atomic bool fired; /* set under lock */
    /* borrowed from the waiter's stack. The waiter puts it there, then looks at `fired`; who fires sets
     * that, then takes it, under lock: so the later one sees the other. A waiter that finds it taken
     * takes the lock once, since it may be looked at until that is free */
    _Atomic(struct gri_park *) parked;
};

void gri_park_init(struct gri_park *p);
/* gri_park_deadline turns a wait's timeout into a deadline on the clock of whoever waits: -1 for
 * ever, 0 now. What is waited for may have outlived its runtime, whose clock is then no more. */
uint64_t gri_park_deadline(int64_t timeout_ms);
void gri_park_wake(struct gri_park *p, uint32_t why);
/*
 * gri_park_wait waits for a wake-up or for deadline_ns (GRI_NEVER). With `interruptible` the
 * current handler's gri_cancel ends it too, at once if it has fired already. On GR_OK the reasons
 * are in *ret_why; GR_EDEADLK in cheap code, GR_EFULL when no stack is left.
 */
gr_code gri_park_wait(struct gri_park *p, uint64_t deadline_ns, bool interruptible,
                      uint32_t *ret_why);
/* gri_park_rest waits for GRI_WOKEN itself, however long, after a wait that ended for another
 * reason. */
void gri_park_rest(struct gri_park *p);

/*
 * gri_park_meet waits at a word, interruptible: GR_OK, and the word is GRI_MET or *ret_why tells why
 * not; GR_EINVAL, somebody else waits there; or as gri_park_wait. When it returns there is nobody at
 * the word.
 */
gr_code gri_park_meet(gri_meeting *meeting, uint64_t deadline_ns, uint32_t *ret_why);

/* gri_cancel_fire interrupts the wait under way, if any, and all later ones. */
void gri_cancel_fire(struct gri_cancel *c);
void gri_cancel_fire_locked(struct gri_cancel *c); /* the caller holds c->lock */
bool gri_cancel_fired(struct gri_cancel *c);

#endif
