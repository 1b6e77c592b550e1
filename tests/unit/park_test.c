/* SPDX-License-Identifier: Apache-2.0 */
/* park_test.c - one wait: woken, timed out, interrupted, and each exactly once. */
#include "runtime/sched/park.h"

#include "tests/support/engine.h"

static struct gri_sched *sched(void)
{
    return gri_sched_of(rt);
}

Test(park, a_thread_waits_until_its_deadline)
{
    struct gri_park p;
    uint32_t why = 0;
    uint64_t until_ns = gri_clock_ns() + 3000000;

    gri_park_init(&p);
    cr_assert_eq(gri_park_wait(&p, until_ns, true, &why), GR_OK);
    cr_assert_eq(why, GRI_TIMEDOUT);
    cr_assert_geq(gri_clock_ns(), until_ns);
}

Test(park, a_wake_up_before_the_wait_is_not_lost)
{
    struct gri_park p;
    uint32_t why = 0;

    gri_park_init(&p);
    gri_park_wake(&p, GRI_WOKEN);
    gri_park_wake(&p, GRI_WOKEN);
    cr_assert_eq(gri_park_wait(&p, GRI_NEVER, true, &why), GR_OK);
    cr_assert_eq(why, GRI_WOKEN);
    gri_park_rest(&p);
}

static struct gri_park *shared;
static struct signal_count go = SIGNAL_COUNT;

static void *waker(void *arg)
{
    (void)arg;
    take(&go);
    gri_park_wake(shared, GRI_WOKEN);
    return NULL;
}

Test(park, rest_waits_for_the_wake_up_itself)
{
    struct gri_park p;
    pthread_t thread;
    uint32_t why = 0;

    gri_park_init(&p);
    shared = &p;
    pthread_create(&thread, NULL, waker, NULL);
    cr_assert_eq(gri_park_wait(&p, gri_clock_ns() + 1000000, true, &why), GR_OK);
    cr_assert_eq(why, GRI_TIMEDOUT);
    post(&go);
    gri_park_rest(&p);
    cr_assert(atomic_load(&p.state) & GRI_WOKEN);
    pthread_join(thread, NULL);
}

/* ---- fibers: tasks that wait ----------------------------------------------------------------- */

struct waiter {
    struct gri_task task;
    struct gri_park park;
    struct gri_cancel cancel;
    uint64_t deadline_ns;
    _Atomic uint32_t why, entered, rest, waited;
};

static void wait_run(struct gri_task *t)
{
    struct waiter *w = gri_container_of(t, struct waiter, task);
    struct gri_exec *e = gri_exec();
    uint32_t why = 0;

    e->cancel = &w->cancel;
    gri_park_init(&w->park);
    atomic_store(&w->entered, 1);
    gri_park_wait(&w->park, w->deadline_ns, true, &why);
    atomic_store(&w->waited, why);
    if (why != GRI_WOKEN && atomic_load(&w->rest))
        gri_park_rest(&w->park);
    gri_exec()->cancel = NULL;
    atomic_store(&w->why, why);
}

static void start(struct waiter *w, uint64_t deadline_ns)
{
    w->task = (struct gri_task){ .run = wait_run, .name = "wait" };
    w->deadline_ns = deadline_ns;
    atomic_store(&w->why, 0);
    atomic_store(&w->entered, 0);
    gri_ready(sched(), &w->task);
}

Test(park, a_fiber_is_woken_while_its_worker_goes_on)
{
    struct waiter ws[20] = { { .deadline_ns = 0 } };

    for (int i = 0; i < 20; i++)
        start(&ws[i], GRI_NEVER);
    for (int i = 0; i < 20; i++)
        until(atomic_load(&ws[i].entered));
    for (int i = 0; i < 20; i++)
        gri_park_wake(&ws[i].park, GRI_WOKEN);
    for (int i = 0; i < 20; i++) {
        until(atomic_load(&ws[i].why) != 0);
        cr_assert_eq(atomic_load(&ws[i].why), GRI_WOKEN);
    }
}

Test(park, a_fiber_times_out_and_rests)
{
    struct waiter w = { .deadline_ns = 0 };
    uint64_t at = gri_sched_now(sched()) + 2000000;

    atomic_store(&w.rest, 1);
    start(&w, at);
    until(atomic_load(&w.waited) != 0);
    cr_assert_eq(atomic_load(&w.why), 0, "it rests");
    gri_park_wake(&w.park, GRI_WOKEN);
    until(atomic_load(&w.why) != 0);
    cr_assert_eq(atomic_load(&w.why), GRI_TIMEDOUT);
}

Test(park, a_cancellation_interrupts_this_wait_and_all_later_ones)
{
    struct waiter w = { .deadline_ns = 0 };

    start(&w, GRI_NEVER);
    until(atomic_load(&w.entered));
    cr_assert_not(gri_cancel_fired(&w.cancel));
    gri_cancel_fire(&w.cancel);
    until(atomic_load(&w.why) == GRI_INTERRUPTED);
    cr_assert(gri_cancel_fired(&w.cancel));
    start(&w, GRI_NEVER);
    until(atomic_load(&w.why) == GRI_INTERRUPTED);
}

/* A wake-up, a deadline and a cancellation meet: the waiter goes on once, and nobody touches its
 * frame later. */
Test(park, all_three_at_once)
{
    for (int i = 0; i < 300; i++) {
        struct waiter w = { .deadline_ns = 0 };

        start(&w, gri_sched_now(sched()) + (uint64_t)(i % 3) * 500000);
        until(atomic_load(&w.entered));
        gri_park_wake(&w.park, GRI_WOKEN);
        gri_cancel_fire(&w.cancel);
        until(atomic_load(&w.why) != 0);
    }
}

/* In the plain mode all tests run in one process. */
static void start_afresh(void)
{
    engine_up();
    go.count = 0;
}

TestSuite(park, .init = start_afresh, .fini = engine_down);
