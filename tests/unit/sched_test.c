/* SPDX-License-Identifier: Apache-2.0 */
/* sched_test.c - tasks onto workers: all run, once, soon, and where they should. */
#include <stdlib.h>

#include "runtime/sched/sched.h"

#include "tests/support/engine.h"

static struct gri_sched *sched(void)
{
    return gri_sched_of(rt);
}

static _Atomic int ran;

struct job {
    struct gri_task task;
    int left; /* tasks it readies when it runs */
    struct job *more;
    unsigned worker; /* where it ran, 1-based */
};

static void job_run(struct gri_task *t)
{
    struct job *j = gri_container_of(t, struct job, task);

    j->worker = gri_exec()->worker->index + 1;
    for (int i = 0; i < j->left; i++)
        gri_ready(sched(), &j->more[i].task);
    atomic_fetch_add(&ran, 1);
}

static struct job *jobs_new(int count)
{
    struct job *jobs = calloc((size_t)count, sizeof(*jobs));

    for (int i = 0; i < count; i++)
        jobs[i].task = (struct gri_task){ .run = job_run, .name = "job" };
    return jobs;
}

Test(sched, tasks_from_outside_all_run)
{
    struct job *jobs = jobs_new(5000);

    for (int i = 0; i < 5000; i++)
        (i % 2 == 0 ? gri_ready : gri_ready_later)(sched(), &jobs[i].task);
    until(atomic_load(&ran) == 5000);
    free(jobs);
}

/* run_in_eights runs count jobs, eight for each release, and waits for those. */
static void run_in_eights(struct job *jobs, int count)
{
    for (int i = 0; i < count; i += 8) {
        gri_wakes_hold(sched());
        for (int k = 0; k < 8; k++)
            gri_ready(sched(), &jobs[i + k].task);
        gri_wakes_release();
        until(atomic_load(&ran) == i + 8);
    }
}

/* The workers sleep, or are about to, whenever a round begins: nothing but the release wakes them. */
Test(sched, held_wakes_come_with_their_release)
{
    struct job *jobs = jobs_new(8000);

    run_in_eights(jobs, 8000);
    gri_wakes_hold(sched());
    gri_wakes_release(); /* nothing is due */
    free(jobs);
}

/* meet waits until two of them run. */
static _Atomic int met;

static void meet_run(struct gri_task *t)
{
    (void)t;
    atomic_fetch_add(&met, 1);
    until(atomic_load(&met) >= 2);
    atomic_fetch_add(&ran, 1);
}

/* After many that take no time a worker expects the like of them, and wakes nobody for one more. */
Test(sched, what_takes_longer_than_expected_is_passed_on)
{
    struct job *jobs = jobs_new(8000);
    struct gri_task meets[2] = { { .run = meet_run, .name = "meet" },
                                 { .run = meet_run, .name = "meet" } };

    engine_down();
    engine_blocks = test_memory_live();
    cr_assert_eq(gr_runtime_new(GR_RUNTIME(.workers = 2, .stuck_ms = 600000), &rt), GR_OK);
    run_in_eights(jobs, 8000);
    gri_wakes_hold(sched());
    gri_ready(sched(), &meets[0]);
    gri_ready(sched(), &meets[1]);
    gri_wakes_release();
    until(atomic_load(&ran) == 8002);
    free(jobs);
}

/* More than a ring holds, from one task: the rest spills. */
Test(sched, a_burst_from_a_worker_all_runs)
{
    struct job *jobs = jobs_new(5001);

    jobs[0].left = 5000;
    jobs[0].more = jobs + 1;
    gri_ready(sched(), &jobs[0].task);
    until(atomic_load(&ran) == 5001);
    free(jobs);
}

Test(sched, pinned_tasks_run_on_their_worker)
{
    struct job *jobs = jobs_new(1000);

    for (int i = 0; i < 1000; i++)
        gri_ready_on(sched(), &jobs[i].task, (unsigned)i % 2);
    until(atomic_load(&ran) == 1000);
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(jobs[i].worker, (unsigned)i % 2 + 1);
    free(jobs);
}

/* ---- a held worker --------------------------------------------------------------------------- */

static struct signal_count holding = SIGNAL_COUNT, go = SIGNAL_COUNT;
static struct job *behind;

static void hold_run(struct gri_task *t)
{
    (void)t;
    gri_ready(sched(), &behind->task); /* into the LIFO slot, which nobody steals from */
    post(&holding);
    take(&go);
    atomic_fetch_add(&ran, 1);
}

Test(sched, what_a_held_worker_has_readied_is_passed_on)
{
    struct gri_task hold = { .run = hold_run, .name = "hold" };

    behind = jobs_new(1);
    gri_ready(sched(), &hold);
    cr_assert(take(&holding));
    until(atomic_load(&ran) == 1);
    post(&go);
    until(atomic_load(&ran) == 2);
    free(behind);
}

/* What its ring has no room for must not wait for a worker that is held up: the other one takes it. */
static struct job *spilled;
#define SPILLED 1000

static void spill_run(struct gri_task *t)
{
    (void)t;
    for (int i = 0; i < SPILLED; i++)
        gri_ready_later(sched(), &spilled[i].task);
    cr_assert_gt(atomic_load(&gri_exec()->worker->spill_count), 0);
    post(&holding);
    take(&go);
    atomic_fetch_add(&ran, 1);
}

Test(sched, what_a_held_worker_has_spilled_is_taken_by_others)
{
    struct gri_task spill = { .run = spill_run, .name = "spill" };

    spilled = jobs_new(SPILLED);
    gri_ready(sched(), &spill);
    cr_assert(take(&holding));
    until(atomic_load(&ran) == SPILLED);
    cr_assert_eq(gri_sched_depth(sched()).all, 0);
    post(&go);
    until(atomic_load(&ran) == SPILLED + 1);
    free(spilled);
}

/* ---- a LIFO that never ends ------------------------------------------------------------------ */

static _Atomic bool enough;

static void again_run(struct gri_task *t)
{
    if (!atomic_load(&enough))
        gri_ready(sched(), t);
    else
        atomic_fetch_add(&ran, 1);
}

Test(sched, a_task_that_readies_itself_does_not_starve_the_others)
{
    struct gri_task selfish[2] = { { .run = again_run, .name = "again" },
                                   { .run = again_run, .name = "again" } };
    struct job *jobs = jobs_new(10);

    gri_ready(sched(), &selfish[0]);
    gri_ready(sched(), &selfish[1]);
    for (int i = 0; i < 10; i++)
        gri_ready_on(sched(), &jobs[i].task, (unsigned)i % 2);
    until(atomic_load(&ran) == 10);
    for (int i = 0; i < 10; i++)
        gri_ready(sched(), &jobs[i].task);
    until(atomic_load(&ran) == 20);
    atomic_store(&enough, true);
    until(atomic_load(&ran) == 22);
    free(jobs);
}

/* ---- timers ---------------------------------------------------------------------------------- */

struct alarm_clock {
    struct gri_timer timer;
    uint64_t at_ns;
};

static _Atomic int rung, early;

static void ring(struct gri_timer *t)
{
    struct alarm_clock *a = gri_container_of(t, struct alarm_clock, timer);

    if (gri_sched_now(sched()) < a->at_ns)
        atomic_fetch_add(&early, 1);
    atomic_fetch_add(&rung, 1);
}

Test(sched, a_hundred_thousand_timers_armed_and_cancelled)
{
    enum { COUNT = 100000 };
    struct alarm_clock *a = calloc(COUNT, sizeof(*a));
    int cancelled = 0;

    for (int i = 0; i < COUNT; i++) {
        gri_timer_init(&a[i].timer, ring);
        a[i].at_ns = gri_sched_now(sched()) + (uint64_t)(i * 37 % 200) * 1000000;
        gri_timer_start(sched(), &a[i].timer, a[i].at_ns);
        if (i % 3 == 0)
            cancelled += gri_timer_cancel(sched(), &a[i / 2].timer);
    }
    until(atomic_load(&rung) + cancelled == COUNT);
    cr_assert_eq(atomic_load(&early), 0);
    for (int i = 0; i < COUNT; i++)
        cr_assert_not(gri_timer_cancel(sched(), &a[i].timer));
    free(a);
}

/* The monitor sleeps until the far timer; a nearer one must wake it. */
Test(sched, a_nearer_timer_wakes_a_sleeping_monitor)
{
    struct alarm_clock far = { .at_ns = gri_sched_now(sched()) + UINT64_C(600000000000) }, near;

    gri_timer_init(&far.timer, ring);
    gri_timer_start(sched(), &far.timer, far.at_ns);
    until(atomic_load(&sched()->monitor_deep));
    gri_timer_init(&near.timer, ring);
    near.at_ns = gri_sched_now(sched()) + 2000000;
    gri_timer_start(sched(), &near.timer, near.at_ns);
    until(atomic_load(&rung) == 1);
    cr_assert(gri_timer_cancel(sched(), &far.timer));
}

Test(sched, deadlines_from_timeouts)
{
    uint64_t now = gri_sched_now(sched());

    cr_assert_eq(gri_deadline_after(sched(), -1), GRI_NEVER);
    cr_assert_eq(gri_deadline_after(sched(), INT64_MAX), GRI_NEVER);
    cr_assert_geq(gri_deadline_after(sched(), 0), now);
    cr_assert_geq(gri_deadline_after(sched(), 1000), now + UINT64_C(1000000000));
}

/* In the plain mode all tests run in one process. */
static void start_afresh(void)
{
    engine_up();
    atomic_store(&ran, 0);
    atomic_store(&met, 0);
    atomic_store(&rung, 0);
    atomic_store(&early, 0);
    atomic_store(&enough, false);
    holding.count = 0;
    go.count = 0;
}

TestSuite(sched, .init = start_afresh, .fini = engine_down);
