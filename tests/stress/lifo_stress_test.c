/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lifo_stress_test.c - a worker's LIFO slot, filled and emptied as fast as can be while another thread takes
 * from it: each task is had once, by one of the two, and in the end none is left.
 */
#include <pthread.h>
#include <stdint.h>

#include "runtime/sched/lifo.h"
#include "runtime/sched/task.h"
#include "tests/support/test.h"

#if defined(__SANITIZE_THREAD__)
#define ROUNDS 400000
#else
#define ROUNDS 3000000
#endif
#define TASKS 8

static struct gri_lifo lifo;
static struct gri_task tasks[TASKS];
/* who has a task: 0, it is in the slot or was had and put back */
static _Atomic int out[TASKS];
static _Atomic bool done;
static _Atomic long twice, seized;

/* had takes a task for the caller; it must not be anybody's. */
static void had(struct gri_task *t)
{
    if (t != NULL && atomic_exchange(&out[t - tasks], 1) != 0)
        atomic_fetch_add(&twice, 1);
}

static void *monitor(void *arg)
{
    (void)arg;
    while (!atomic_load(&done)) {
        struct gri_task *t = gri_lifo_seize(&lifo);

        if (t != NULL) {
            had(t);
            atomic_fetch_add(&seized, 1);
        }
    }
    return NULL;
}

/* one puts a task that is out into the slot, and has what was there. */
static void one(uint64_t i)
{
    struct gri_task *t = &tasks[i % TASKS];

    if (atomic_load(&out[t - tasks]) == 0)
        return;
    atomic_store(&out[t - tasks], 0);
    had(gri_lifo_swap(&lifo, t));
    if (i % 3 == 0)
        had(gri_lifo_swap(&lifo, NULL));
    else if (i % 3 == 1 && gri_lifo_remove(&lifo, t))
        had(t);
}

static void race(bool for_good)
{
    pthread_t other;
    long left = 0;

    gri_lifo_init(&lifo);
    if (for_good) /* as where there is no membarrier */
        atomic_store(&lifo.claimed, GRI_CLAIMED_FOR_GOOD);
    atomic_store(&done, false);
    atomic_store(&seized, 0);
    for (int i = 0; i < TASKS; i++)
        atomic_store(&out[i], 1);
    cr_assert_eq(pthread_create(&other, NULL, monitor, NULL), 0);
    /* the other thread may get no processor for a while */
    for (uint64_t i = 0; i < ROUNDS || (atomic_load(&seized) < 100 && i < 50 * (uint64_t)ROUNDS);
         i++)
        one(i);
    atomic_store(&done, true);
    pthread_join(other, NULL);
    had(gri_lifo_swap(&lifo, NULL));
    for (int i = 0; i < TASKS; i++)
        left += atomic_load(&out[i]) == 0;
    cr_assert_eq(atomic_load(&twice), 0);
    cr_assert_eq(left, 0, "lost");
}

Test(lifo_stress, each_task_is_had_once)
{
    race(false);
    cr_assert_gt(atomic_load(&seized), 0);
}

Test(lifo_stress, so_it_is_where_there_is_no_membarrier)
{
    race(true);
    cr_assert_gt(atomic_load(&seized), 0);
}
