/* SPDX-License-Identifier: Apache-2.0 */
/*
 * park.c - see park.h.
 *
 * `state` holds the reasons and GRI_PARKED. Whoever sets the first reason while GRI_PARKED is set
 * resumes the waiter; if a reason is there before GRI_PARKED, the waiter sees it when it sets
 * GRI_PARKED and resumes itself. So it is resumed exactly once. A waker reads what it needs from
 * the park before its fetch_or, since the frame may be gone right after.
 *
 * A fiber that waits at a meeting goes by that word instead, so that a wait that ends well takes two
 * atomic steps, one on each side: the waiter puts itself there when it has left its stack, so who
 * finds it there may resume it at once, and whoever takes it out of the word is the one to do so,
 * once. That is who brings what is waited for, or a waker, who sets his reason in `state` first. A
 * waker that comes before the waiter is there leaves STOPPED: the waiter then finds that, or MET, and
 * resumes itself. What a waker does comes before the waiter has taken the park away from him, so he
 * may look at it, and STOPPED is taken back after that.
 */
#include "runtime/sched/park.h"

#include "runtime/base/point.h"

#define REASONS (GRI_WOKEN | GRI_TIMEDOUT | GRI_INTERRUPTED)

static void timer_fired(struct gri_timer *t)
{
    gri_park_wake(gri_container_of(t, struct gri_park, timer), GRI_TIMEDOUT);
}

static void init(struct gri_park *p, struct gri_exec *e)
{
    atomic_init(&p->state, 0);
    p->fiber = e->fiber;
    p->sched = e->worker != NULL ? e->worker->sched : NULL;
    p->meeting = NULL;
}

void gri_park_init(struct gri_park *p)
{
    init(p, gri_exec());
}

uint64_t gri_park_deadline(int64_t timeout_ms)
{
    struct gri_worker *w;

    if (timeout_ms < 0)
        return GRI_NEVER;
    w = gri_exec()->worker;
    if (w != NULL)
        return gri_deadline_after(w->sched, timeout_ms);
    if (timeout_ms > INT64_MAX / 2000000)
        return GRI_NEVER;
    return gri_clock_ns() + (uint64_t)timeout_ms * 1000000u;
}

/* stop takes the waiter out of its meeting: true, the caller resumes it. false: somebody else does,
 * or it is not there yet and won't stay. */
static bool stop(struct gri_park *p, gri_meeting *meeting)
{
    struct gri_waiter *there = atomic_load_explicit(meeting, memory_order_acquire);
    struct gri_waiter *next;

    do {
        gri_point(GRI_AT_UNWATCH);
        if (there != &p->waiter && there != NULL)
            return false;
        next = there == NULL ? GRI_STOPPED : NULL;
        /* acq_rel: the reason is seen by the waiter; what it left on its stack by us */
    } while (!atomic_compare_exchange_weak_explicit(meeting, &there, next, memory_order_acq_rel,
                                                    memory_order_acquire));
    return next == NULL;
}

void gri_park_wake(struct gri_park *p, uint32_t why)
{
    struct gri_fiber *fiber = p->fiber;
    struct gri_sched *sched = p->sched;
    gri_meeting *meeting = p->meeting;
    /* acq_rel: what came before the wake-up is seen by the waiter, which reads state with
     * acquire */
    uint32_t old = atomic_fetch_or_explicit(&p->state, why, memory_order_acq_rel);

    if (meeting != NULL ? !stop(p, meeting) : (old & GRI_PARKED) == 0 || (old & REASONS) != 0)
        return;
    gri_point(GRI_AT_PARK_WAKE);
    if (fiber != NULL)
        gri_resume(sched, fiber);
    else
        /* at worst a spurious wake-up of whoever uses the address now */
        gri_futex_wake(&p->state, 1);
}

/* On the stack that replaced the waiter's: from here on the waiter can be resumed. */
static void commit(void *arg)
{
    struct gri_park *p = arg;
    struct gri_fiber *fiber = p->fiber;
    struct gri_sched *sched = p->sched;
    uint32_t old;

    gri_point(GRI_AT_COMMIT);
    old = atomic_fetch_or_explicit(&p->state, GRI_PARKED, memory_order_acq_rel);

    if ((old & REASONS) != 0 && !GRI_PLANTED(LOST_RESUME))
        gri_resume(sched, fiber);
}

/* commit_meeting does so for a waiter at a meeting; the frame may be gone once it is there. */
static void commit_meeting(void *arg)
{
    struct gri_park *p = arg;
    struct gri_fiber *fiber = p->fiber;
    struct gri_sched *sched = p->sched;
    struct gri_waiter *there = NULL;

    gri_point(GRI_AT_COMMIT);
    /* acq_rel: the frame is seen by who takes us out; what was brought, or why we stop, by us */
    if (atomic_compare_exchange_strong_explicit(p->meeting, &there, &p->waiter,
                                                memory_order_acq_rel, memory_order_acquire))
        return;
    p->refused = gri_is_waiter(there);
    if (!GRI_PLANTED(LOST_RESUME))
        gri_resume(sched, fiber);
}

/* false: nothing will ever wake it, see gri_futex_wait. */
static bool thread_sleep(struct gri_park *p, uint64_t deadline_ns)
{
    uint32_t state = atomic_fetch_or_explicit(&p->state, GRI_PARKED, memory_order_acq_rel);

    while ((state & REASONS) == 0) {
        if (!gri_futex_wait(&p->state, GRI_PARKED, deadline_ns))
            return false;
        state = atomic_load_explicit(&p->state, memory_order_acquire);
        if ((state & REASONS) == 0 && deadline_ns != GRI_NEVER && gri_clock_ns() >= deadline_ns)
            state = atomic_fetch_or_explicit(&p->state, GRI_TIMEDOUT, memory_order_acq_rel) |
                    GRI_TIMEDOUT;
    }
    return true;
}

static gr_code sleep_now(struct gri_park *p, uint64_t deadline_ns)
{
    gr_code rc;

    if (p->fiber == NULL)
        return thread_sleep(p, deadline_ns) ? GR_OK : GR_EDEADLK;
    if (deadline_ns != GRI_NEVER) {
        gri_timer_init(&p->timer, timer_fired);
        gri_timer_start(p->sched, &p->timer, deadline_ns);
    }
    rc = gri_suspend(p->fiber, p->meeting != NULL ? commit_meeting : commit, p);
    if (deadline_ns != GRI_NEVER)
        gri_timer_cancel(p->sched, &p->timer);
    return rc;
}

static void leave(struct gri_cancel *c, struct gri_park *p)
{
    if (atomic_compare_exchange_strong(&c->parked, &p, NULL))
        return;
    gri_lock(&c->lock);
    gri_unlock(&c->lock);
}

/* enter lets c interrupt p; false when it has fired already. */
static bool enter(struct gri_cancel *c, struct gri_park *p)
{
    atomic_store(&c->parked, p);
    if (!atomic_load(&c->fired))
        return true;
    leave(c, p);
    return false;
}

/* followed sleeps while the layer above knows of it. */
static gr_code followed(struct gri_exec *e, struct gri_park *p, uint64_t deadline_ns)
{
    const struct gri_exec_hooks *hooks = e->hooks;
    uint64_t until = deadline_ns;
    gr_code rc;

    if (hooks == NULL || hooks->waiting == NULL)
        return sleep_now(p, deadline_ns);
    if (!hooks->waiting(e, p, &until)) {
        atomic_fetch_or_explicit(&p->state, GRI_INTERRUPTED, memory_order_acq_rel);
        return GR_OK;
    }
    rc = sleep_now(p, until);
    hooks->waited(e);
    if (until < deadline_ns &&
        (atomic_fetch_and_explicit(&p->state, ~(uint32_t)GRI_TIMEDOUT, memory_order_acq_rel) &
         GRI_TIMEDOUT) != 0)
        atomic_fetch_or_explicit(&p->state, GRI_INTERRUPTED, memory_order_acq_rel);
    return rc;
}

/* interruptibly sleeps while the handler's gri_cancel may end it. */
static gr_code interruptibly(struct gri_exec *e, struct gri_park *p, uint64_t deadline_ns)
{
    struct gri_cancel *c = e->cancel;
    gr_code rc;

    if (c != NULL && !enter(c, p)) {
        atomic_fetch_or_explicit(&p->state, GRI_INTERRUPTED, memory_order_acq_rel);
        return GR_OK;
    }
    rc = followed(e, p, deadline_ns);
    if (c != NULL)
        leave(c, p);
    return rc;
}

gr_code gri_park_wait(struct gri_park *p, uint64_t deadline_ns, bool interruptible,
                      uint32_t *ret_why)
{
    struct gri_exec *e = gri_exec(); /* this stack's, also after the wait */
    gr_code rc = GR_OK;

    if ((atomic_load_explicit(&p->state, memory_order_acquire) & REASONS) == 0) {
        if (e->cheap != 0)
            return GR_EDEADLK;
        rc = interruptible ? interruptibly(e, p, deadline_ns) : sleep_now(p, deadline_ns);
    }
    if (rc == GR_OK)
        *ret_why = atomic_load_explicit(&p->state, memory_order_acquire) & REASONS;
    return rc;
}

static void resume_waiter(struct gri_waiter *w)
{
    struct gri_park *p = gri_container_of(w, struct gri_park, waiter);

    gri_point(GRI_AT_PARK_WAKE);
    gri_resume(p->sched, p->fiber);
}

static void wake_waiter(struct gri_waiter *w)
{
    gri_park_wake(gri_container_of(w, struct gri_park, waiter), GRI_WOKEN);
}

/* meet_as_thread: there is no stack to leave, so the thread is at the word first, and then sleeps. */
static gr_code meet_as_thread(struct gri_exec *e, struct gri_park *p, gri_meeting *meeting,
                              uint64_t deadline_ns)
{
    struct gri_waiter *there = NULL;
    gr_code rc;

    p->waiter.fire = wake_waiter;
    gri_point(GRI_AT_WATCH);
    if (!atomic_compare_exchange_strong_explicit(meeting, &there, &p->waiter, memory_order_acq_rel,
                                                 memory_order_acquire))
        return there == GRI_MET ? GR_OK : GR_EINVAL;
    rc = interruptibly(e, p, deadline_ns);
    gri_point(GRI_AT_UNWATCH);
    there = &p->waiter;
    if (!atomic_compare_exchange_strong_explicit(meeting, &there, NULL, memory_order_acq_rel,
                                                 memory_order_acquire))
        gri_park_rest(p); /* it is being brought: wake_waiter will touch our frame */
    return rc;
}

static gr_code meet_as_fiber(struct gri_exec *e, struct gri_park *p, gri_meeting *meeting,
                             uint64_t deadline_ns)
{
    struct gri_waiter *stopped = GRI_STOPPED;
    gr_code rc;

    p->meeting = meeting;
    p->waiter.fire = resume_waiter;
    p->refused = false;
    gri_point(GRI_AT_WATCH);
    rc = interruptibly(e, p, deadline_ns);
    if (atomic_load_explicit(meeting, memory_order_acquire) == GRI_STOPPED) {
        gri_point(GRI_AT_UNWATCH);
        atomic_compare_exchange_strong_explicit(meeting, &stopped, NULL, memory_order_acq_rel,
                                                memory_order_acquire);
    }
    return p->refused ? GR_EINVAL : rc;
}

gr_code gri_park_meet(gri_meeting *meeting, uint64_t deadline_ns, uint32_t *ret_why)
{
    struct gri_exec *e = gri_exec();
    struct gri_park p;
    gr_code rc;

    if (e->cheap != 0)
        return GR_EDEADLK;
    init(&p, e);
    rc = e->fiber != NULL ? meet_as_fiber(e, &p, meeting, deadline_ns)
                          : meet_as_thread(e, &p, meeting, deadline_ns);
    *ret_why = atomic_load_explicit(&p.state, memory_order_acquire) & REASONS;
    if (atomic_load_explicit(meeting, memory_order_acquire) == GRI_MET)
        return GR_OK;
    return rc;
}

void gri_park_rest(struct gri_park *p)
{
    uint32_t state = atomic_fetch_and_explicit(&p->state, GRI_WOKEN, memory_order_acq_rel);

    while ((state & GRI_WOKEN) == 0) {
        if (p->fiber == NULL || gri_suspend(p->fiber, commit, p) != GR_OK) {
            /* a thread; or no stack is left, and the wake-up is moments away */
            if (p->fiber == NULL)
                gri_check(thread_sleep(p, GRI_NEVER));
            else
                gri_cpu_relax();
        }
        state = atomic_load_explicit(&p->state, memory_order_acquire);
    }
}

void gri_cancel_fire_locked(struct gri_cancel *c)
{
    struct gri_park *p;

    atomic_store(&c->fired, true);
    p = atomic_exchange(&c->parked, NULL);
    if (p != NULL)
        gri_park_wake(p, GRI_INTERRUPTED);
}

void gri_cancel_fire(struct gri_cancel *c)
{
    gri_lock(&c->lock);
    gri_cancel_fire_locked(c);
    gri_unlock(&c->lock);
}

bool gri_cancel_fired(struct gri_cancel *c)
{
    return atomic_load(&c->fired);
}
