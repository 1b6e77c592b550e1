/* SPDX-License-Identifier: Apache-2.0 */
/* timer_stress_test.c - timers that are armed and cancelled by several threads while they fire. */
#include <stdlib.h>

#include <greenroom/timer.h>

#include "runtime/sched/sched.h"

#include "tests/support/engine.h"

#define THREADS 3
#define TIMERS 2000
#define ROUNDS 10

struct probe {
    struct gri_timer timer;
    uint64_t at;
    _Atomic int fired;
    int cancelled;
};

static _Atomic int early;

static void probe_fire(struct gri_timer *t)
{
    struct probe *p = gri_container_of(t, struct probe, timer);

    atomic_fetch_add(&early, gri_sched_now(gri_sched_of(rt)) < p->at);
    atomic_fetch_add(&p->fired, 1);
}

/* Each timer a few milliseconds ahead, and half of them cancelled at about that time. */
static void *arm_and_cancel(void *arg)
{
    struct gri_sched *s = gri_sched_of(rt);
    struct probe *p = arg;

    for (int i = 0; i < TIMERS; i++) {
        p[i].at = gri_sched_now(s) + (uint64_t)(i % 5) * 1000000;
        gri_timer_init(&p[i].timer, probe_fire);
        gri_timer_start(s, &p[i].timer, p[i].at);
        if (i >= 1000 && i % 2 == 0)
            p[i - 1000].cancelled = gri_timer_cancel(s, &p[i - 1000].timer);
    }
    return NULL;
}

static void await_all(struct probe *p)
{
    for (int i = 0; i < THREADS * TIMERS; i++) {
        until(atomic_load(&p[i].fired) + p[i].cancelled >= 1);
        cr_assert_eq(atomic_load(&p[i].fired) + p[i].cancelled, 1, "fired and cancelled");
    }
}

Test(timer_stress, each_timer_fires_once_or_is_cancelled)
{
    struct probe *p;
    pthread_t threads[THREADS];

    for (int round = 0; round < ROUNDS; round++) {
        p = calloc(THREADS * TIMERS, sizeof(*p));
        for (int i = 0; i < THREADS; i++)
            cr_assert_eq(pthread_create(&threads[i], NULL, arm_and_cancel, p + i * TIMERS), 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        await_all(p);
        free(p);
    }
    cr_assert_eq(atomic_load(&early), 0);
}

/* ---- in a runtime ---------------------------------------------------------------------------- */

static _Atomic int came, *came_of;

static void count_message(gr_ctx *c, void *self, const gr_value *msg)
{
    (void)c, (void)self;
    atomic_fetch_add(&came_of[gr_as_int(msg, 0)], 1);
    atomic_fetch_add(&came, 1);
}

/* A hundred thousand messages for later, a third taken back at random: the rest come once. */
Test(timer_stress, messages_for_later_come_once_unless_they_are_taken_back)
{
    enum { COUNT = 100000 };
    static const gr_class cls = GR_CLASS(.name = "count", .receive = count_message);
    gr_ref to = gr_spawn(root, &cls, NULL);
    gr_timer *timers = calloc(COUNT, sizeof(*timers));
    bool *back = calloc(COUNT, sizeof(*back));
    int taken = 0;

    came_of = calloc(COUNT, sizeof(*came_of));
    atomic_store(&came, 0);
    srand(3);
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(gr_send_after(rt, to, rand() % 300, gr_int(i), &timers[i]), GR_OK);
    for (int i = 0; i < COUNT; i += 3)
        taken += back[i] = gr_cancel_timer(rt, timers[i]);
    until(atomic_load(&came) == COUNT - taken);
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(atomic_load(&came_of[i]), back[i] ? 0 : 1);
    free(timers);
    free(back);
    free(came_of);
}

TestSuite(timer_stress, .init = engine_up, .fini = engine_down);
