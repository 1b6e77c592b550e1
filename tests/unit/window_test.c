/* SPDX-License-Identifier: Apache-2.0 */
/* window_test.c - the intensity of restarts to the nanosecond, and the delay before one. */
#include "runtime/supervise/window.h"
#include "runtime/supervise/delay.h"

#include "tests/support/memory.h"
#include "tests/support/test.h"

#define SECOND UINT64_C(1000000000)

/* Restarts at these times, in ns; the last one is too many, or not. */
static const struct {
    const char *claim;
    uint32_t max;
    uint64_t period_ns;
    uint64_t at[8];
    size_t count;
    bool well;
} rows[] = {
    { "none is allowed", 0, 5 * SECOND, { 1 }, 1, false },
    { "the first of one", 1, 5 * SECOND, { 7 }, 1, true },
    { "a second one at once", 1, 5 * SECOND, { 7, 7 }, 2, false },
    { "a second one just before the period is over", 1, SECOND, { 0, SECOND - 1 }, 2, false },
    { "a second one exactly when the period ends", 1, SECOND, { 0, SECOND }, 2, false },
    { "a second one just after the period", 1, SECOND, { 0, SECOND + 1 }, 2, true },
    { "as many as allowed, at once", 3, SECOND, { 5, 5, 5 }, 3, true },
    { "one more", 3, SECOND, { 5, 5, 5, 5 }, 4, false },
    { "n at t, one at t+period-e", 3, SECOND, { 10, 10, 10, SECOND + 9 }, 4, false },
    { "n at t, one at t+period+e", 3, SECOND, { 10, 10, 10, SECOND + 11 }, 4, true },
    { "the window slides: the oldest leaves, the next is in it",
      2,
      SECOND,
      { 0, SECOND / 2, SECOND + 1, SECOND + 2 },
      4,
      false },
    { "the window slides: both have left",
      2,
      SECOND,
      { 0, SECOND / 2, SECOND + 1, SECOND + SECOND / 2 + 1 },
      4,
      true },
    { "a steady rate at the limit goes on for ever",
      2,
      SECOND,
      { 0, SECOND / 2 + 1, SECOND + 2, 3 * SECOND / 2 + 3, 2 * SECOND + 4, 5 * SECOND / 2 + 5 },
      6,
      true },
};

Test(window, p22_intensity_is_exact_at_its_limit)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gri_window w;

        cr_assert_eq(gri_window_init(&w, rows[i].max, rows[i].period_ns), GR_OK);
        for (size_t j = 0; j + 1 < rows[i].count; j++)
            cr_assert(gri_window_add(&w, rows[i].at[j]), "%s: restart %zu", rows[i].claim, j);
        cr_assert_eq(gri_window_add(&w, rows[i].at[rows[i].count - 1]), rows[i].well, "%s",
                     rows[i].claim);
        gri_window_fini(&w);
    }
}

/* The same, by the definition: the restarts within the period before each one, counted. */
Test(window, p22_agrees_with_counting)
{
    static uint64_t at[2000];
    uint64_t dice = 88172645463325252u, now = 0;
    struct gri_window w;
    size_t kept = 0;

    cr_assert_eq(gri_window_init(&w, 5, 1000), GR_OK);
    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        size_t within = 1;

        dice ^= dice << 13, dice ^= dice >> 7, dice ^= dice << 17;
        now += dice % 400;
        for (size_t j = 0; j < kept; j++)
            within += now - at[j] <= 1000;
        cr_assert_eq(gri_window_add(&w, now), within <= 5, "restart %zu", i);
        if (within <= 5)
            at[kept++] = now;
    }
    cr_assert_gt(kept, 100);
    gri_window_fini(&w);
}

Test(window, without_memory)
{
    struct gri_window w;
    long before = test_memory_live();

    test_memory_fail_at(1);
    cr_assert_eq(gri_window_init(&w, 5, 1000), GR_ENOMEM);
    cr_assert(test_memory_reached());
    cr_assert_eq(test_memory_live(), before);
}

Test(delay, p23_doubles_up_to_the_most)
{
    static const int64_t expected[] = { 100, 200, 400, 800, 1000, 1000, 1000 };
    gr_backoff b = { .min_ms = 100, .max_ms = 1000, .reset_after_ms = 5000 };
    struct gri_delay d = { 0 };

    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        cr_assert_eq(gri_delay_next(&d, &b, 10, 77), expected[i], "restart %zu", i);
}

Test(delay, p23_begins_again_after_a_long_run)
{
    gr_backoff b = { .min_ms = 100, .max_ms = 1000, .reset_after_ms = 5000 };
    struct gri_delay d = { 0 };

    cr_assert_eq(gri_delay_next(&d, &b, 0, 0), 100);
    cr_assert_eq(gri_delay_next(&d, &b, 4999, 0), 200);
    cr_assert_eq(gri_delay_next(&d, &b, 5000, 0), 100);
    cr_assert_eq(gri_delay_next(&d, &b, 0, 0), 200);
}

Test(delay, p23_jitter_is_added_and_bounded)
{
    gr_backoff b = { .min_ms = 100, .max_ms = 100, .jitter_ms = 50, .reset_after_ms = 5000 };
    bool seen[51] = { false };

    for (uint64_t dice = 0; dice < 500; dice++) {
        struct gri_delay d = { 0 };
        int64_t ms = gri_delay_next(&d, &b, 0, dice);

        cr_assert_geq(ms, 100);
        cr_assert_leq(ms, 150);
        seen[ms - 100] = true;
    }
    for (size_t i = 0; i < sizeof(seen); i++)
        cr_assert(seen[i], "%zu", i);
}

Test(delay, none_is_the_default)
{
    gr_backoff b = { .jitter_ms = 50 };
    struct gri_delay d = { 0 };

    cr_assert_eq(gri_delay_next(&d, &b, 0, 12345), 0);
}

Test(delay, large_numbers_do_not_wrap)
{
    gr_backoff b = { .min_ms = INT64_MAX / 2,
                     .max_ms = INT64_MAX,
                     .jitter_ms = INT64_MAX,
                     .reset_after_ms = INT64_MAX };
    struct gri_delay d = { 0 };

    for (int i = 0; i < 5; i++)
        cr_assert_gt(gri_delay_next(&d, &b, 0, UINT64_MAX / 2 - 1), 0);
}
