/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/sched/monitor.h"

#include "runtime/base/alloc.h"
#include "runtime/sched/perch.h"
#include "runtime/sched/slab.h"
#include "runtime/sched/watchdog.h"

#define TICK_NS UINT64_C(2000000)
#define SHORT_TICK_NS UINT64_C(1000000) /* while a handler holds its worker */
#define QUIET_TICKS 10
#define TRIM_WORK 100000 /* calls and messages, after which there may be memory to give back */
#define TRIM_WAIT_NS UINT64_C(1000000000)

/* A task in the LIFO slot of a worker that is held up by a long handler may be had by another one;
 * so may one that was there a tick ago and still is, if another one is idle. */
static void pass_on_held(struct gri_sched *s)
{
    for (unsigned i = 0; i < atomic_load(&s->live_count); i++) {
        struct gri_worker *w = &s->workers[i];
        struct gri_task *t = gri_lifo_peek(&w->lifo);
        bool held = w->watched.held || (t == w->lifo_seen && atomic_load(&s->idle_count) != 0);

        w->lifo_seen = t;
        if (t != NULL && held && (t = gri_lifo_seize(&w->lifo)) != NULL) {
            gri_ready_later(s, t);
            w->lifo_seen = NULL;
        }
        gri_perch_watch(w);
    }
}

static bool all_idle(struct gri_sched *s)
{
    return atomic_load(&s->idle_count) >= atomic_load(&s->active_count);
}

/* all_done: nothing runs, and the watchdog has nothing left to do. */
static bool all_done(struct gri_sched *s)
{
    return all_idle(s) && atomic_load(&s->active_count) <= s->worker_count &&
           !gri_watchdog_waits(s);
}

/* sleep_until publishes when the monitor wakes up, then sleeps, unless a timer is due before. Deep:
 * it isn't to tick, so whoever adds work wakes it. */
static void sleep_until(struct gri_sched *s, uint64_t until, bool deep)
{
    uint64_t next;

    atomic_store(&s->monitor_deep, deep);
    /* Of "wake a worker, see whether the monitor is deep" and "go deep, see whether all are idle"
     * the later one sees the other, so a worker that gets busy now is not left without a
     * monitor. */
    if (deep && !all_idle(s))
        until = gri_sched_now(s) + TICK_NS;
    /* seq_cst: before next_ns is read; pairs with gri_timer_start */
    atomic_store(&s->monitor_until, until);
    next = atomic_load(&s->wheel.next_ns);
    if (next < until) {
        until = next;
        atomic_store(&s->monitor_until, until);
    }
    gri_point(GRI_AT_MONITOR_SLEEP);
    if (atomic_load(&s->monitor_wake) == 0)
        gri_futex_wait(&s->monitor_wake, 0, until);
    atomic_store(&s->monitor_deep, false);
    atomic_store(&s->monitor_until, 0);
}

/* What it takes to give the memory of a burst back, once all is quiet. */
struct trim {
    uint64_t work;   /* that had been done by the last burst */
    uint64_t next;   /* when to do it again; GRI_NEVER */
    uint64_t wait;   /* until then, ns */
    uint64_t stacks; /* when to unmap stacks; GRI_NEVER */
};

/* trim gives memory back in the quiet after a burst: what the store keeps, and what the allocator keeps
 * below a block in use. That again after a second, four and sixteen, since other threads may still be
 * freeing answers. Stacks wait for a second, since the next burst needs them. */
static void trim(struct gri_sched *s, struct trim *t, uint64_t now, bool begins)
{
    uint64_t work = gri_count_total(s->ledger, GRI_COUNT_CALLS) +
                    gri_count_total(s->ledger, GRI_COUNT_MESSAGES);

    if (begins) {
        gri_store_trim(s->store);
        t->stacks = gri_fibers_spare(s) ? now + TRIM_WAIT_NS : GRI_NEVER;
    }
    if (begins && work - t->work >= TRIM_WORK && gri_platform_here() == NULL) {
        t->work = work;
        t->next = now;
        t->wait = TRIM_WAIT_NS;
    }
    if (now >= t->stacks) {
        gri_fibers_trim(s);
        t->stacks = GRI_NEVER;
    }
    if (now < t->next)
        return;
    gri_alloc_trim();
    t->next = t->wait <= 16 * TRIM_WAIT_NS ? now + t->wait : GRI_NEVER;
    t->wait *= 4;
}

/* pass_on_waiting wakes a worker for what has waited, while no worker has run out of work, since the last
 * tick: see stop_searching. */
static void pass_on_waiting(struct gri_sched *s, uint64_t *parks_seen)
{
    uint64_t parks = gri_count_total(s->ledger, GRI_COUNT_PARKS);

    if (parks == *parks_seen)
        gri_wake_for_waiting(s);
    *parks_seen = parks;
}

static void *monitor_main(void *arg)
{
    struct gri_sched *s = arg;
    struct trim memory = { .next = GRI_NEVER, .stacks = GRI_NEVER };
    uint64_t parks = 0, until = 0;
    unsigned quiet = 0;

    gri_thread_prompt();
    while (!atomic_load(&s->stopping)) {
        uint64_t now = gri_sched_now(s);
        bool woken = atomic_exchange(&s->monitor_wake, 0) != 0;
        bool soon;
        unsigned fired = 0;

        if (now >= atomic_load(&s->wheel.next_ns))
            fired = gri_wheel_run(&s->wheel, now);
        soon = gri_watchdog_tick(s, now);
        pass_on_held(s);
        pass_on_waiting(s, &parks);
        quiet = all_done(s) && !woken && fired == 0 ? quiet + 1 : 0;
        if (quiet >= QUIET_TICKS)
            trim(s, &memory, now, quiet == QUIET_TICKS);
        until = memory.next < memory.stacks ? memory.next : memory.stacks;
        sleep_until(s, quiet >= QUIET_TICKS ? until : now + (soon ? SHORT_TICK_NS : TICK_NS),
                    quiet >= QUIET_TICKS);
    }
    gri_watchdog_end(s);
    return NULL;
}

gr_code gri_monitor_start(struct gri_sched *s)
{
    gr_code rc = gri_thread_start(&s->monitor, "gr-monitor", monitor_main, s);

    s->monitor_started = rc == GR_OK;
    return rc;
}

void gri_monitor_wake(struct gri_sched *s)
{
    atomic_store(&s->monitor_wake, 1);
    gri_futex_wake(&s->monitor_wake, 1);
}

void gri_monitor_stop(struct gri_sched *s)
{
    if (!s->monitor_started)
        return;
    gri_monitor_wake(s);
    gri_thread_join(&s->monitor);
}
