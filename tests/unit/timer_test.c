/* SPDX-License-Identifier: Apache-2.0 */
/* timer_test.c - the wheel alone, on a clock of the test's own. */
#include <stdlib.h>
#include <string.h>

#include "runtime/sched/timer.h"

#include "runtime/base/assert.h"
#include "runtime/base/thread.h"
#include "tests/support/test.h"

#define TICK (UINT64_C(1) << GRI_TICK_SHIFT)

static uint64_t now;
static int early, fired_count;

struct probe {
    struct gri_timer timer;
    uint64_t at;
    int fired;
};

static void probe_fire(struct gri_timer *t)
{
    struct probe *p = gri_container_of(t, struct probe, timer);

    early += now < p->at;
    p->fired++;
    fired_count++;
}

static void arm(struct gri_wheel *w, struct probe *p, uint64_t at)
{
    p->at = at;
    gri_timer_init(&p->timer, probe_fire);
    gri_wheel_arm(w, &p->timer, at);
}

static void run_to(struct gri_wheel *w, uint64_t at)
{
    now = at;
    gri_wheel_run(w, now);
}

Test(timer, fires_once_when_due_and_never_early)
{
    struct gri_wheel w;
    struct probe p = { .fired = 0 };

    gri_wheel_init(&w, 12345);
    arm(&w, &p, 12345 + 5 * TICK + 1);
    run_to(&w, 12345 + 5 * TICK);
    cr_assert_eq(p.fired, 0);
    run_to(&w, 12345 + 8 * TICK);
    cr_assert_eq(p.fired, 1);
    run_to(&w, 12345 + 100 * TICK);
    cr_assert_eq(p.fired, 1);
    cr_assert_eq(early, 0);
}

Test(timer, a_time_that_has_passed_fires_at_the_next_run)
{
    struct gri_wheel w;
    struct probe p = { .fired = 0 };

    gri_wheel_init(&w, 1000 * TICK);
    arm(&w, &p, 3);
    run_to(&w, 1001 * TICK);
    cr_assert_eq(p.fired, 1);
}

Test(timer, disarmed_it_does_not_fire)
{
    struct gri_wheel w;
    struct probe p = { .fired = 0 };

    gri_wheel_init(&w, 0);
    arm(&w, &p, 10 * TICK);
    cr_assert(gri_wheel_disarm(&w, &p.timer));
    cr_assert_not(gri_wheel_disarm(&w, &p.timer));
    run_to(&w, 100 * TICK);
    cr_assert_eq(p.fired, 0);
    arm(&w, &p, 110 * TICK);
    run_to(&w, 110 * TICK);
    cr_assert_not(gri_wheel_disarm(&w, &p.timer));
}

Test(timer, next_says_when_to_look_again)
{
    struct gri_wheel w;
    struct probe a = { .fired = 0 }, b = { .fired = 0 };

    gri_wheel_init(&w, 0);
    cr_assert_eq(atomic_load(&w.next_ns), GRI_NEVER);
    a.at = b.at = 0;
    gri_timer_init(&a.timer, probe_fire);
    gri_timer_init(&b.timer, probe_fire);
    cr_assert(gri_wheel_arm(&w, &a.timer, 1000 * TICK), "the earliest");
    cr_assert_leq(atomic_load(&w.next_ns), 1000 * TICK);
    cr_assert_not(gri_wheel_arm(&w, &b.timer, 200000 * TICK), "a later one wakes nobody");
    gri_wheel_disarm(&w, &b.timer);
    cr_assert(gri_wheel_arm(&w, &b.timer, 3 * TICK));
    cr_assert_leq(atomic_load(&w.next_ns), 3 * TICK);
    run_to(&w, 3 * TICK);
    cr_assert_gt(atomic_load(&w.next_ns), 3 * TICK);
    run_to(&w, 1000 * TICK);
    cr_assert_eq(fired_count, 2);
    cr_assert_eq(atomic_load(&w.next_ns), GRI_NEVER);
}

/* From a tick to beyond the wheel's span, at the borders of each level. */
Test(timer, far_ones_come_down_through_the_levels)
{
    struct gri_wheel w;
    static struct probe p[40];
    int n = 0;

    gri_wheel_init(&w, 77 * TICK);
    for (int bits = 0; bits <= 32; bits += 2) {
        arm(&w, &p[n++], (77 + (UINT64_C(1) << bits)) * TICK);
        arm(&w, &p[n++], (77 + (UINT64_C(1) << bits) - 1) * TICK);
    }
    for (uint64_t t = 77; fired_count < n && t < UINT64_C(1) << 34; t += 1 + t / 9)
        run_to(&w, t * TICK);
    cr_assert_eq(fired_count, n);
    cr_assert_eq(early, 0);
    for (int i = 0; i < n; i++)
        cr_assert_eq(p[i].fired, 1);
}

/* The wheel's next time is never later than a timer, so whoever sleeps until it is never late. */
Test(timer, following_next_is_never_late)
{
    struct gri_wheel w;
    static struct probe p[2000];

    srand(7);
    gri_wheel_init(&w, 5 * TICK);
    for (int i = 0; i < 2000; i++)
        arm(&w, &p[i], ((uint64_t)rand() % 300000 + 6) * TICK);
    while (fired_count < 2000) {
        uint64_t next = atomic_load(&w.next_ns);

        cr_assert_neq(next, GRI_NEVER);
        for (int i = 0; i < 2000; i++)
            cr_assert(p[i].fired || p[i].at >= next, "a timer is due before the wheel looks again");
        run_to(&w, next);
    }
    cr_assert_eq(early, 0);
}

Test(timer, a_hundred_thousand_armed_and_half_of_them_disarmed)
{
    enum { COUNT = 100000 };
    struct gri_wheel w;
    struct probe *p = calloc(COUNT, sizeof(*p));
    int left = 0;

    srand(42);
    gri_wheel_init(&w, 0);
    now = 0;
    for (int i = 0; i < COUNT; i++) {
        arm(&w, &p[i], now + (uint64_t)rand() % (UINT64_C(5000) * TICK));
        if (i % 100 == 0)
            run_to(&w, now + TICK / 3);
        if (i % 2 == 1 && gri_wheel_disarm(&w, &p[i - 1].timer))
            p[i - 1].at = 0;
    }
    for (int i = 0; i < COUNT; i++)
        left += p[i].at != 0 && p[i].fired == 0;
    fired_count = 0;
    for (; now < UINT64_C(7000) * TICK; now += 7 * TICK / 3)
        run_to(&w, now);
    cr_assert_eq(fired_count, left);
    cr_assert_eq(early, 0);
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(p[i].fired, p[i].at != 0 || p[i].fired == 1);
    cr_assert_eq(atomic_load(&w.next_ns), GRI_NEVER);
    free(p);
}

/* ---- a million ------------------------------------------------------------------------------- */

#define MILLION 1000000

static uint64_t last_tick, out_of_order;

static void ordered_fire(struct gri_timer *t)
{
    out_of_order += t->tick < last_tick;
    last_tick = t->tick;
    probe_fire(t);
}

/* arm_a_million arms them over a span of ticks, as timeouts of all lengths would be. */
static struct probe *arm_a_million(struct gri_wheel *w, uint64_t span)
{
    struct probe *p = calloc(MILLION, sizeof(*p));

    cr_assert_not_null(p);
    for (int i = 0; i < MILLION; i++) {
        p[i].at = now + 1 + (((uint64_t)rand() << 16) ^ (uint64_t)rand()) % (span * TICK);
        gri_timer_init(&p[i].timer, ordered_fire);
        gri_wheel_arm(w, &p[i].timer, p[i].at);
    }
    return p;
}

/* cancel_some disarms three in ten of those that have not fired; returns how many. */
static int cancel_some(struct gri_wheel *w, struct probe *p)
{
    int cancelled = 0;

    for (int i = 0; i < MILLION; i++) {
        if (p[i].fired != 0 || p[i].at == 0 || rand() % 10 >= 3)
            continue;
        cr_assert(gri_wheel_disarm(w, &p[i].timer));
        p[i].at = 0;
        cancelled++;
    }
    return cancelled;
}

static void a_million_over(uint64_t span)
{
    struct gri_wheel w;
    struct probe *p;
    int cancelled;

    gri_wheel_init(&w, now);
    p = arm_a_million(&w, span);
    cr_assert_eq(w.moves + w.stops, 0, "arming moves nothing else");
    cancelled = cancel_some(&w, p);
    run_to(&w, now + span * TICK / 3);
    cr_assert_gt(fired_count, 0);
    cancelled += cancel_some(&w, p);
    while (atomic_load(&w.next_ns) != GRI_NEVER)
        run_to(&w, atomic_load(&w.next_ns));
    cr_assert_eq(fired_count + cancelled, MILLION);
    for (int i = 0; i < MILLION; i++)
        cr_assert_eq(p[i].fired, p[i].at != 0);
    cr_assert_eq(early, 0);
    cr_assert_eq(out_of_order, 0);
    /* each comes down a level at a time, so the work is linear in the timers; and the wheel stops
     * at no more ticks than a clock that strikes each would, plus the slots above */
    cr_assert_leq(w.moves, (uint64_t)(GRI_WHEEL_LEVELS - 1) * MILLION);
    cr_assert_leq(w.stops, span + span / (GRI_WHEEL_SLOTS - 1) + GRI_WHEEL_LEVELS);
    free(p);
}

/* All within a second: a thousand to a tick. */
Test(timer, a_million_in_a_second_fire_in_order_or_not_at_all)
{
    a_million_over(1000);
}

/* Over an hour, so that they come down through the levels, at times beyond any round number. */
Test(timer, a_million_in_an_hour_fire_in_order_or_not_at_all)
{
    now = UINT64_C(123456789) * TICK;
    a_million_over(UINT64_C(3600) * 1000);
}

/* Arming and cancelling beside a million others touches the timer's own slot only: the wheel is the
 * same after as before, and has done nothing. */
Test(timer, beside_a_million_others_one_is_armed_and_cancelled_in_place)
{
    struct gri_wheel w;
    struct probe *p, one = { .fired = 0 };
    uint64_t next, occupied[GRI_WHEEL_LEVELS];

    gri_wheel_init(&w, 0);
    p = arm_a_million(&w, 100000);
    next = atomic_load(&w.next_ns);
    memcpy(occupied, w.occupied, sizeof(occupied));
    for (uint64_t i = 1; i <= 100000; i++) {
        arm(&w, &one, 200000 * TICK + i * 7777 * TICK);
        cr_assert(gri_wheel_disarm(&w, &one.timer));
    }
    cr_assert_eq(w.moves + w.stops, 0);
    cr_assert_eq(atomic_load(&w.next_ns), next);
    cr_assert_eq(memcmp(occupied, w.occupied, sizeof(occupied)), 0);
    free(p);
}

/* In the plain mode all tests run in one process. */
static void start_afresh(void)
{
    now = 0;
    early = fired_count = 0;
    last_tick = out_of_order = 0;
    srand(4711);
}

TestSuite(timer, .init = start_afresh);
