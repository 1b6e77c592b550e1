/* SPDX-License-Identifier: Apache-2.0 */
/*
 * monitor.h - one thread that keeps time for the workers: it fires timers when they are due, looks
 * whether a handler holds its worker (watchdog.h), and moves a task that waits in such a worker's
 * LIFO slot to where another worker finds it. While workers are busy it ticks every 2 ms, and every
 * ms while one of them stays in a handler; when nothing has run for ten ticks it sleeps until the
 * next timer, or for ever. In the quiet after a burst it gives free memory back to the system.
 */
#ifndef GR_RUNTIME_SCHED_MONITOR_H
#define GR_RUNTIME_SCHED_MONITOR_H

#include "runtime/sched/sched.h"

gr_code gri_monitor_start(struct gri_sched *s);
void gri_monitor_stop(struct gri_sched *s);
void gri_monitor_wake(struct gri_sched *s);

/* gri_monitor_notice is called when work comes from outside: a sleeping monitor starts to tick
 * again. */
static inline void gri_monitor_notice(struct gri_sched *s)
{
    /* seq_cst: after a worker was woken; pairs with sleep_until */
    if (atomic_load(&s->monitor_deep))
        gri_monitor_wake(s);
}

#endif
