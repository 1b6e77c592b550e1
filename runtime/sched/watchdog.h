/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watchdog.h - what the monitor does about a worker that stays in one handler.
 *
 * A worker counts a beat for each task and each handler that it begins; the beat is odd while it
 * has something to run. The monitor compares it at each tick: the same odd beat means the same
 * handler. After its limit the handler is reported, once; with a backtrace if the worker can be asked
 * where it is (witness.h), and answers in time: the monitor goes on ticking meanwhile. What its thread
 * has waited for a processor does not count against the limit (cpu_time.h).
 *
 * After spare_ns, of all time, the worker counts as held. When all are held and work waits, a spare worker serves
 * too, and whatever the handlers ready is passed on to it. After stuck_ns the worker counts as stuck:
 * what is queued behind it goes to the others, and a spare worker serves in its place. A spare worker
 * that has not been needed for a while rests until the next time. Tasks pinned to a worker wait for
 * it: a pin promises the thread.
 */
#ifndef GR_RUNTIME_SCHED_WATCHDOG_H
#define GR_RUNTIME_SCHED_WATCHDOG_H

#include "runtime/sched/sched.h"

/* What the layer above knows of whose handler runs. The first two are called by the monitor, which
 * holds nothing. */
struct gri_watch_ops {
    /* limit: how long it may run, in ns */
    uint64_t (*limit)(struct gri_sched *s, uint64_t who);
    /* overtime tells that it has run for longer; fills in its name */
    void (*overtime)(struct gri_sched *s, uint64_t who, char name[64]);
    /* its name, or NULL. Called in a signal handler of the worker that runs it */
    const char *(*name)(struct gri_sched *s, uint64_t who);
};

/* gri_watchdog_tick looks at all workers: a tick of the monitor. It returns whether it wants to look
 * again soon: a worker is still in the handler in which it was at the last tick. */
bool gri_watchdog_tick(struct gri_sched *s, uint64_t now);
/* gri_watchdog_waits: a report waits for its backtrace. */
bool gri_watchdog_waits(const struct gri_sched *s);
/* gri_watchdog_end says what there still is to say, when the monitor ends. */
void gri_watchdog_end(struct gri_sched *s);
/* gri_spare_rest is for a spare worker that is told to retire: it hands over what it has, and
 * returns when it is to serve again, or the scheduler stops. */
void gri_spare_rest(struct gri_worker *w);
static inline bool gri_spare_retires(const struct gri_worker *w)
{
    return w->spare_worker && !atomic_load_explicit(&w->serve, memory_order_acquire);
}
/* gri_spares_wake has resting spares see that the scheduler stops. */
void gri_spares_wake(struct gri_sched *s);

#endif
