/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform.h - what a thread believes to run on: the real one, or a simulated one.
 *
 * Threads, futexes, the clock and chance are asked for through thread.h. On a thread that belongs to
 * a simulation (runtime/sched/sim.c) those calls go to the table below instead, so the scheduler
 * above runs unchanged on simulated threads and a virtual clock. Points (point.h) are where such a
 * simulation may also step in between two instructions. Without a simulation in the process all
 * this costs one load of a global that is 0.
 */
#ifndef GR_RUNTIME_BASE_PLATFORM_H
#define GR_RUNTIME_BASE_PLATFORM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <greenroom/base.h>

struct gri_thread;

struct gri_platform {
    gr_code (*thread_start)(struct gri_thread *ret, const char *name, void *(*fn)(void *),
                            void *arg);
    void (*thread_join)(struct gri_thread *t);
    void (*thread_detach)(struct gri_thread *t);
    /* false: nothing will ever wake this thread, or any other */
    bool (*futex_wait)(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns);
    void (*futex_wake)(_Atomic uint32_t *word, int count);
    uint64_t (*clock_ns)(void);
    uint64_t (*random)(void);
    void (*relax)(void); /* the thread spins until another one has done something */
    void (*point)(unsigned point);
    bool (*fault)(unsigned point);
    void (*stack)(const void **ret_bottom, size_t *ret_size); /* of the running thread itself */
};

/* How many simulations the process has, and the one that runs this thread; NULL: none. */
extern _Atomic uint32_t gri_simulations;
extern _Thread_local const struct gri_platform *gri_platform;

static inline const struct gri_platform *gri_platform_here(void)
{
    if (__builtin_expect(atomic_load_explicit(&gri_simulations, memory_order_relaxed) == 0, 1))
        return NULL;
    return gri_platform;
}

#endif
