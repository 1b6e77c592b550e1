/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_time_test.c - what a thread has had of the processors, asked for by another one. */
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/cpu_time.h"

#include "tests/support/crowd.h"
#include "tests/support/engine.h"

static struct signal_count ready = SIGNAL_COUNT, go = SIGNAL_COUNT;
static struct gri_cpu_id other;
static _Atomic bool computes, done;

static void *compute_then_sleep(void *arg)
{
    gri_cpu_id_here(&other);
    post(&ready);
    while (atomic_load_explicit(&computes, memory_order_relaxed))
        ;
    take(&go);
    return arg;
}

static pthread_t begin(void *(*fn)(void *))
{
    pthread_t t;

    atomic_store(&computes, true);
    atomic_store(&done, false);
    cr_assert_eq(pthread_create(&t, NULL, fn, NULL), 0);
    take(&ready);
    return t;
}

static struct gri_cpu_time now(void)
{
    struct gri_cpu_time t = { 0 };

    cr_assert(gri_cpu_time_read(&other, &t));
    return t;
}

Test(cpu_time, a_thread_that_computes_is_runnable_and_runs_one_that_sleeps_is_not)
{
    struct gri_cpu_time before;
    pthread_t t = begin(compute_then_sleep);

    before = now();
    cr_assert(before.runnable);
    until(now().ran_ns >= before.ran_ns + 10000000);
    atomic_store(&computes, false);
    /* it may block for a moment before it sleeps, too */
    until((before = now(), !before.runnable && now().ran_ns == before.ran_ns));
    post(&go);
    pthread_join(t, NULL);
}

Test(cpu_time, a_thread_that_has_ended_cannot_be_asked)
{
    struct gri_cpu_id none = { 0 };
    struct gri_cpu_time time;
    pthread_t t = begin(compute_then_sleep);

    atomic_store(&computes, false);
    post(&go);
    pthread_join(t, NULL);
    /* its number leaves /proc a moment after it is joined */
    until(!gri_cpu_time_read(&other, &time));
    cr_assert_not(gri_cpu_time_read(&none, &time));
}

static void *wait_in_the_crowd(void *arg)
{
    cpu_set_t old;

    gri_cpu_id_here(&other);
    post(&ready);
    crowd_join(&old);
    while (!atomic_load_explicit(&done, memory_order_relaxed))
        ;
    return arg;
}

Test(cpu_time, what_it_waits_for_a_processor_is_counted)
{
    pthread_t t;

    crowd_gather();
    t = begin(wait_in_the_crowd);
    if (now().waits_known)
        until(now().waited_ns > 100000000 && now().waited_ns > now().ran_ns);
    atomic_store(&done, true);
    pthread_join(t, NULL);
    crowd_part();
}

/* A name may look like the fields of the file that it stands in. */
static void *take_a_name(void *arg)
{
    pthread_setname_np(pthread_self(), "x) S 1 (R) R");
    return compute_then_sleep(arg);
}

Test(cpu_time, a_name_is_no_state)
{
    pthread_t t = begin(take_a_name);

    cr_assert(now().runnable);
    atomic_store(&computes, false);
    until(!now().runnable);
    post(&go);
    pthread_join(t, NULL);
}
