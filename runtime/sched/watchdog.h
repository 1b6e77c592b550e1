/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watchdog.h - what the monitor does about a worker that stays in one handler.
 *
 * A worker counts a beat for each task and each handler that it begins; the beat is odd while it
 * has something to run. The monitor compares it at each tick: the same odd beat means the same
 * handler. After its limit the handler is reported, once. After stuck_ns what is queued behind it
 * goes to the others, and a spare worker serves in its place until the handler returns; then the
 * spare sleeps for the next time. Tasks pinned to the worker wait for it: a pin promises the thread.
 */
#ifndef GR_RUNTIME_SCHED_WATCHDOG_H
#define GR_RUNTIME_SCHED_WATCHDOG_H

#include "runtime/sched/sched.h"

/* What the layer above knows of whose handler runs. Both are called by the monitor, which holds
 * nothing. */
struct gri_watch_ops {
    /* limit: how long it may run, in ns */
    uint64_t (*limit)(struct gri_sched *s, uint64_t who);
    /* overtime tells that it has run for longer; fills in its name */
    void (*overtime)(struct gri_sched *s, uint64_t who, char name[64]);
};

/* gri_watchdog_tick looks at all workers: a tick of the monitor. */
void gri_watchdog_tick(struct gri_sched *s, uint64_t now);
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
