/* SPDX-License-Identifier: Apache-2.0 */
/* blocking_test.c - the elastic pool alone. */
#include "runtime/sched/blocking.h"
#include "runtime/base/thread.h"

#include <dlfcn.h>
#include <errno.h>

#include "tests/support/engine.h"

static struct gri_blocking pool;
static struct signal_count entered = SIGNAL_COUNT, go = SIGNAL_COUNT;
static _Atomic int ran;

static void wait_task(struct gri_task *t)
{
    (void)t;
    post(&entered);
    take(&go);
    atomic_fetch_add(&ran, 1);
}

static uint64_t soon(void)
{
    return gri_clock_ns() + TEST_WAIT_MS * UINT64_C(1000000);
}

Test(blocking, threads_come_as_work_does_up_to_the_bound)
{
    struct gri_task tasks[6];

    gri_blocking_init(&pool, 3, 2);
    cr_assert_eq(pool.threads, 0, "none before there is work");
    for (int i = 0; i < 6; i++)
        tasks[i] = (struct gri_task){ .run = wait_task, .name = "wait" };
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(gri_blocking_submit(&pool, &tasks[i]), GR_OK);
        cr_assert(take(&entered));
    }
    cr_assert_eq(gri_blocking_submit(&pool, &tasks[3]), GR_OK);
    cr_assert_eq(gri_blocking_submit(&pool, &tasks[4]), GR_OK);
    cr_assert_eq(gri_blocking_submit(&pool, &tasks[5]), GR_EFULL);
    for (int i = 0; i < 5; i++)
        post(&go);
    cr_assert(gri_blocking_stop(&pool, soon()), "what was queued runs first");
    cr_assert_eq(atomic_load(&ran), 5);
}

Test(blocking, a_free_thread_is_used_again)
{
    struct gri_task task = { .run = wait_task, .name = "wait" };

    gri_blocking_init(&pool, 64, 64);
    for (int i = 0; i < 50; i++) {
        unsigned idle = 0;

        post(&go);
        cr_assert_eq(gri_blocking_submit(&pool, &task), GR_OK);
        cr_assert(take(&entered));
        until((gri_lock(&pool.lock), idle = pool.idle, gri_unlock(&pool.lock), idle == 1));
    }
    cr_assert_eq(pool.threads, 1);
    cr_assert(gri_blocking_stop(&pool, soon()));
}

Test(blocking, a_stopping_pool_takes_no_more_and_says_when_it_is_still_busy)
{
    struct gri_task task = { .run = wait_task, .name = "wait" }, late = task;

    gri_blocking_init(&pool, 2, 2);
    cr_assert_eq(gri_blocking_submit(&pool, &task), GR_OK);
    cr_assert(take(&entered));
    cr_assert_not(gri_blocking_stop(&pool, gri_clock_ns() + 1000000));
    cr_assert_eq(gri_blocking_submit(&pool, &late), GR_ECANCELED);
    post(&go);
    cr_assert(gri_blocking_stop(&pool, soon()));
}

/* In the plain mode all tests run in one process. */
static void start_afresh(void)
{
    atomic_store(&ran, 0);
    entered.count = go.count = 0;
}

TestSuite(blocking, .init = start_afresh);

static _Atomic bool no_threads;

/* pthread_create stands before the C library's, to refuse threads while the test says so. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = NULL;
    void *symbol = dlsym(RTLD_NEXT, "pthread_create");

    if (atomic_load(&no_threads))
        return EAGAIN;
    memcpy(&real, &symbol, sizeof(real));
    return real(thread, attr, fn, arg);
}

/* The one thread may wait for just this task, so queueing it could be for ever. */
Test(blocking, a_task_that_no_thread_is_free_for_and_none_can_be_started_is_refused)
{
    struct gri_task tasks[2] = { { .run = wait_task, .name = "wait" },
                                 { .run = wait_task, .name = "wait" } };

    gri_blocking_init(&pool, 4, 4);
    cr_assert_eq(gri_blocking_submit(&pool, &tasks[0]), GR_OK);
    cr_assert(take(&entered));
    atomic_store(&no_threads, true);
    cr_assert_eq(gri_blocking_submit(&pool, &tasks[1]), GR_ENOMEM);
    atomic_store(&no_threads, false);
    cr_assert_eq(gri_blocking_submit(&pool, &tasks[1]), GR_OK);
    cr_assert(take(&entered));
    post(&go);
    post(&go);
    cr_assert(gri_blocking_stop(&pool, soon()));
}
