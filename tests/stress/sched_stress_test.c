/* SPDX-License-Identifier: Apache-2.0 */
/* sched_stress_test.c - work that comes in fits and starts, from all sides, while workers park
 * and wake. */
#include <stdlib.h>

#include "runtime/sched/park.h"

#include "tests/support/engine.h"

static _Atomic int ran;

struct job {
    struct gri_task task;
    int again;
};

static void job_run(struct gri_task *t)
{
    struct job *j = gri_container_of(t, struct job, task);

    if (j->again-- > 0) {
        if (j->again % 3 == 0)
            gri_ready_on(gri_sched_of(rt), t, (unsigned)j->again);
        else if (j->again % 3 == 1)
            gri_ready_later(gri_sched_of(rt), t);
        else
            gri_ready(gri_sched_of(rt), t);
        return;
    }
    atomic_fetch_add(&ran, 1);
}

static void *inject_jobs(void *arg)
{
    struct job *jobs = arg;

    for (int i = 0; i < 1000; i++) {
        jobs[i] = (struct job){ .task = { .run = job_run, .name = "job" }, .again = i % 13 };
        gri_ready(gri_sched_of(rt), &jobs[i].task);
        if (i % 50 == 0) /* let the workers go to sleep */
            until(atomic_load(&gri_sched_of(rt)->idle_count) != 0);
    }
    return NULL;
}

Test(sched_stress, everything_readied_runs)
{
    struct job *jobs = calloc(4000, sizeof(*jobs));
    pthread_t threads[4];

    atomic_store(&ran, 0);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, inject_jobs, jobs + i * 1000);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    until(atomic_load(&ran) == 4000);
    free(jobs);
}

/* One at a time, each after all are asleep: what is lost here would never run. */
Test(sched_stress, a_single_task_wakes_a_sleeping_runtime)
{
    struct job job = { .task = { .run = job_run, .name = "job" } };

    atomic_store(&ran, 0);
    for (int i = 0; i < 500; i++) {
        if (i % 5 != 0)
            until(atomic_load(&gri_sched_of(rt)->idle_count) == 3);
        job.again = 0;
        if (i % 2 == 0)
            gri_ready(gri_sched_of(rt), &job.task);
        else
            gri_ready_on(gri_sched_of(rt), &job.task, (unsigned)i);
        until(atomic_load(&ran) == i + 1);
    }
}

/* ---- parks that are woken by everybody at once ----------------------------------------------- */

struct sleeper {
    struct gri_task task;
    struct gri_park park;
    _Atomic int in, out;
};

static void sleeper_run(struct gri_task *t)
{
    struct sleeper *s = gri_container_of(t, struct sleeper, task);
    uint32_t why = 0;

    gri_park_init(&s->park);
    atomic_store(&s->in, 1);
    gri_park_wait(&s->park, gri_sched_now(gri_sched_of(rt)) + 1000000, false, &why);
    if ((why & GRI_WOKEN) == 0)
        gri_park_rest(&s->park);
    atomic_fetch_add(&s->out, 1);
}

Test(sched_stress, a_park_ends_once_however_many_wake_it)
{
    enum { COUNT = 200 };
    struct sleeper *s = calloc(COUNT, sizeof(*s));

    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < COUNT; i++) {
            atomic_store(&s[i].in, 0);
            atomic_store(&s[i].out, 0);
            s[i].task = (struct gri_task){ .run = sleeper_run, .name = "sleeper" };
            gri_ready(gri_sched_of(rt), &s[i].task);
        }
        for (int i = 0; i < COUNT; i++) {
            until(atomic_load(&s[i].in));
            gri_park_wake(&s[i].park, GRI_WOKEN);
        }
        for (int i = 0; i < COUNT; i++)
            until(atomic_load(&s[i].out) == 1);
    }
    free(s);
}

static void start(void)
{
    engine_start(3);
}

TestSuite(sched_stress, .init = start, .fini = engine_down);
