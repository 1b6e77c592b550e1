/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread.h - threads that block all signals, futex waits, the clock and random seeds of the
 * machine.
 *
 * Only runtime/sched/world.c and the adapters of foreign libraries use the clock and the seed;
 * everything else asks the runtime (gri_now, gri_random), so that it can be simulated.
 */
#ifndef GR_RUNTIME_BASE_THREAD_H
#define GR_RUNTIME_BASE_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <greenroom/base.h>

#include "runtime/base/platform.h"

#define GRI_NEVER UINT64_MAX /* a deadline that doesn't come */

struct gri_thread {
    pthread_t os;
    void *simulated; /* a simulation's; NULL on the machine */
};

/* gri_thread_start runs fn(arg) on a new thread, named for ps and gdb (15 characters), all signals
 * blocked; then it is joined or detached, once. GR_ENOMEM when the system has no more. */
gr_code gri_thread_start(struct gri_thread *ret_thread, const char *name, void *(*fn)(void *),
                         void *arg);
/* gri_thread_start_sized does so with a stack of so many bytes, 0 for the system's choice. It leaves
 * it to fn to call gri_thread_name: naming another thread means opening a file. */
gr_code gri_thread_start_sized(struct gri_thread *ret_thread, const char *name, size_t stack_size,
                               void *(*fn)(void *), void *arg);
void gri_thread_name(const char *name); /* the calling thread's own */
void gri_thread_join(struct gri_thread *t);
void gri_thread_detach(struct gri_thread *t);
/* gri_thread_prompt: the calling thread does short pieces of work and should be let in at once, even
 * while others compute. A wish, which kernels before 6.12 don't know. */
void gri_thread_prompt(void);

/*
 * gri_futex_wait sleeps while *word == expected, until deadline_ns (GRI_NEVER); spurious returns
 * happen. false: nothing can ever wake it, which only a simulation finds out; the caller gives up.
 */
bool gri_futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns);
void gri_futex_wake(_Atomic uint32_t *word, int count);

uint64_t gri_clock_ns(void); /* CLOCK_MONOTONIC */
uint64_t gri_clock_wall_us(
    void); /* since 1970; simulated: since a fixed day, as far as the clock is */
uint64_t gri_random_seed(void); /* 64 bits from the kernel; never 0 */

/* gri_barrier has all threads of the process that run pass a full memory barrier, before it returns: the
 * costly side of a pair of which the other side needs none, see membarrier(2). A few us. false: it
 * could not, for good if gri_barrier_ready says so. */
bool gri_barrier_ready(void);
bool gri_barrier(void);

/* gri_want fetches the line of memory at p, to be changed: who reads it first and changes it then would
 * have it come twice, from a processor that has changed it last. */
static inline void gri_want(const void *p)
{
#if defined(__x86_64__)
    __asm__ __volatile__(
        "prefetchw %0"
        :
        : "m"(*(const char *)p)); /* nothing where the processor does not know it */
#else
    __builtin_prefetch(p, 1);
#endif
}

/* gri_cpu_relax is for loops that wait for another thread's next few instructions. */
static inline void gri_cpu_relax(void)
{
    const struct gri_platform *m = gri_platform_here();

    if (__builtin_expect(m != NULL, 0)) {
        m->relax();
        return;
    }
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

#endif
