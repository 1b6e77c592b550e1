/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crowd.h - threads that compute on one processor, so that another one there mostly waits for it.
 *
 *     crowd_gather();
 *     crowd_join(&old);      the calling thread is among them from now on: it has a sixteenth
 *     crowd_leave(&old);
 *     crowd_part();
 *
 * A crowd is a process's only one. crowd_part is to be called whatever comes before.
 */
#ifndef GR_TESTS_SUPPORT_CROWD_H
#define GR_TESTS_SUPPORT_CROWD_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "tests/support/test.h"

#define CROWD 15

static struct crowd {
    pthread_t thread[CROWD];
    _Atomic bool computes;
    cpu_set_t where; /* one processor */
} crowd;

static inline uint64_t crowd_clock(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void crowd_join(cpu_set_t *ret_old)
{
    cr_assert_eq(pthread_getaffinity_np(pthread_self(), sizeof(*ret_old), ret_old), 0);
    cr_assert_eq(pthread_setaffinity_np(pthread_self(), sizeof(crowd.where), &crowd.where), 0);
}

static inline void crowd_leave(const cpu_set_t *old)
{
    cr_assert_eq(pthread_setaffinity_np(pthread_self(), sizeof(*old), old), 0);
}

static inline void *crowd_compute(void *arg)
{
    cpu_set_t old;

    crowd_join(&old);
    while (atomic_load_explicit(&crowd.computes, memory_order_relaxed))
        ;
    return arg;
}

static inline void crowd_gather(void)
{
    cpu_set_t mine;
    size_t cpu = 0;

    cr_assert_eq(pthread_getaffinity_np(pthread_self(), sizeof(mine), &mine), 0);
    while (!CPU_ISSET(cpu, &mine))
        cpu++;
    CPU_ZERO(&crowd.where);
    CPU_SET(cpu, &crowd.where);
    atomic_store(&crowd.computes, true);
    for (int i = 0; i < CROWD; i++)
        cr_assert_eq(pthread_create(&crowd.thread[i], NULL, crowd_compute, NULL), 0);
}

static inline void crowd_part(void)
{
    atomic_store(&crowd.computes, false);
    for (int i = 0; i < CROWD; i++)
        pthread_join(crowd.thread[i], NULL);
}

#endif
