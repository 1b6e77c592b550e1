/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timer.h - deadlines: one hierarchical wheel a runtime, O(1) to arm and to disarm.
 *
 * Five levels of 64 slots; a tick is 2^20 ns (about 1 ms). A timer never fires early. The lock is
 * held while fire runs, so fire only wakes or readies something; in return, once gri_timer_disarm
 * has returned, fire isn't running and won't.
 */
#ifndef GR_RUNTIME_SCHED_TIMER_H
#define GR_RUNTIME_SCHED_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/list.h"
#include "runtime/base/lock.h"

#define GRI_TICK_SHIFT 20
#define GRI_WHEEL_LEVELS 5
#define GRI_WHEEL_SLOTS 64

struct gri_timer {
    struct gri_list node; /* in a slot while armed; alone otherwise */
    uint64_t tick;        /* when due */
    uint8_t level, slot;
    bool armed; /* guarded by the wheel's lock */
    void (*fire)(struct gri_timer *t);
};

struct gri_wheel {
    struct gri_lock lock;
    uint64_t now;                        /* the last tick that was run */
    uint64_t occupied[GRI_WHEEL_LEVELS]; /* a bit for each slot that holds timers */
    struct gri_list slots[GRI_WHEEL_LEVELS][GRI_WHEEL_SLOTS];
    /* what gri_wheel_run has done in all: ticks that it stopped at, timers that it moved down. For
     * the tests, which bound them: a timer moves down less than once a level */
    uint64_t stops, moves;
    /* nothing is due before; GRI_NEVER when empty. Read without lock */
    _Atomic uint64_t next_ns;
};

void gri_wheel_init(struct gri_wheel *w, uint64_t now_ns);
/* gri_timer_init must come before anything else; fire is fixed then. */
void gri_timer_init(struct gri_timer *t, void (*fire)(struct gri_timer *t));
/* gri_wheel_arm returns true when at_ns is now the earliest: whoever sleeps for the wheel must be
 * woken. */
bool gri_wheel_arm(struct gri_wheel *w, struct gri_timer *t, uint64_t at_ns);
/* gri_wheel_disarm returns true when the timer was armed, that is, when fire has not run. */
bool gri_wheel_disarm(struct gri_wheel *w, struct gri_timer *t);
/* gri_wheel_run fires what is due, and returns how many. */
unsigned gri_wheel_run(struct gri_wheel *w, uint64_t now_ns);

#endif
