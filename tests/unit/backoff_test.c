/* SPDX-License-Identifier: Apache-2.0 */
/* backoff_test.c - runtime/http/backoff.h. */
#include "runtime/http/backoff.h"

#include <stddef.h>

#include "tests/support/test.h"

#define WALL_MS UINT64_C(1700000000000) /* Tue, 14 Nov 2023 22:13:20 GMT */

static int64_t duration(const char *text)
{
    int64_t ms = -7;

    return gri_backoff_duration_ms(text, &ms) ? ms : -1;
}

Test(backoff, retries_what_the_official_clients_retry)
{
    static const int yes[] = { 0, 408, 409, 429, 500, 502, 503, 504, 529 };
    static const int no[] = { 200, 301, 400, 401, 403, 404, 413, 422, 499 };

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        cr_assert(gri_backoff_retries(yes[i], NULL), "%d", yes[i]);
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        cr_assert_not(gri_backoff_retries(no[i], NULL), "%d", no[i]);
}

Test(backoff, the_server_has_the_last_word_about_retries)
{
    cr_assert(gri_backoff_retries(400, "true"));
    cr_assert_not(gri_backoff_retries(429, "false"));
    cr_assert(gri_backoff_retries(429, "perhaps"));
    cr_assert_not(gri_backoff_retries(400, ""));
}

Test(backoff, reads_retry_after_in_milliseconds_and_seconds)
{
    cr_assert_eq(gri_backoff_hint_ms("250", NULL, WALL_MS), 250);
    cr_assert_eq(gri_backoff_hint_ms("250", "9", WALL_MS), 250, "milliseconds come first");
    cr_assert_eq(gri_backoff_hint_ms("0.5", NULL, WALL_MS), 1, "parts round up");
    cr_assert_eq(gri_backoff_hint_ms(NULL, "20", WALL_MS), 20000);
    cr_assert_eq(gri_backoff_hint_ms(NULL, " 1.25 ", WALL_MS), 1250);
    cr_assert_eq(gri_backoff_hint_ms("soon", "2", WALL_MS), 2000);
}

Test(backoff, ignores_hints_that_make_no_sense)
{
    cr_assert_eq(gri_backoff_hint_ms(NULL, NULL, WALL_MS), -1);
    cr_assert_eq(gri_backoff_hint_ms("", "", WALL_MS), -1);
    cr_assert_eq(gri_backoff_hint_ms("0", NULL, WALL_MS), -1);
    cr_assert_eq(gri_backoff_hint_ms(NULL, "-5", WALL_MS), -1);
    cr_assert_eq(gri_backoff_hint_ms(NULL, "2147483.648", WALL_MS), -1);
    cr_assert_eq(gri_backoff_hint_ms(NULL, "2147483.647", WALL_MS), INT32_MAX);
    cr_assert_eq(gri_backoff_hint_ms(NULL, "99999999999999999999999999", WALL_MS), -1);
    cr_assert_eq(gri_backoff_hint_ms(NULL, "5 apples", WALL_MS), -1);
    cr_assert_eq(gri_backoff_hint_ms(NULL, ".", WALL_MS), -1);
}

Test(backoff, reads_all_three_forms_of_an_http_date)
{
    cr_assert_eq(gri_backoff_hint_ms(NULL, "Tue, 14 Nov 2023 22:13:25 GMT", WALL_MS), 5000);
    cr_assert_eq(gri_backoff_hint_ms(NULL, "Tuesday, 14-Nov-23 22:13:25 GMT", WALL_MS), 5000);
    cr_assert_eq(gri_backoff_hint_ms(NULL, "Tue Nov 14 22:13:25 2023", WALL_MS), 5000);
    cr_assert_eq(gri_backoff_hint_ms(NULL, "Fri Dec  1 00:00:00 2023", WALL_MS),
                 (int64_t)(1701388800 - 1700000000) * 1000);
    cr_assert_eq(
        gri_backoff_hint_ms(NULL, "Thu, 29 Feb 2024 12:00:00 GMT", UINT64_C(1709207999000)), 1000,
        "a leap day");
}

Test(backoff, refuses_dates_that_are_past_or_are_none)
{
    static const char *const bad[] = {
        "Tue, 14 Nov 2023 22:13:20 GMT",
        "Tue, 14 Nov 2023 22:13:25 CET",
        "Tue, 14 Foo 2023 22:13:25 GMT",
        "Tue, 14 Nov 2023 22:13",
        "Tue, 32 Nov 2023 22:13:25 GMT",
        "Tue, 14 Nov 2023 24:13:25 GMT",
        "Tue, 14 Nov",
        "Tue,",
        ",",
        "Tue",
        "Tue Nov",
        "Tue Nov 14 22:13:25 20",
        "Tue Nov 14 22:13:25 2023 GMT",
        "Tue, 14 Nov 9999 22:13:25 GMT",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_eq(gri_backoff_hint_ms(NULL, bad[i], WALL_MS), -1, "%s", bad[i]);
}

Test(backoff, doubles_from_half_a_second_up_to_eight)
{
    static const int64_t want[] = { 500, 1000, 2000, 4000, 8000, 8000, 8000 };

    for (unsigned n = 0; n < 7; n++)
        cr_assert_eq(gri_backoff_wait_ms(n, -1, 0), want[n]);
    cr_assert_eq(gri_backoff_wait_ms(UINT32_MAX, -1, 0), 8000);
}

Test(backoff, shortens_by_at_most_a_quarter)
{
    cr_assert_eq(gri_backoff_wait_ms(0, -1, UINT64_MAX), 500 - 124);
    cr_assert_eq(gri_backoff_wait_ms(9, -1, UINT64_MAX), 8000 - 1999);
    cr_assert_eq(gri_backoff_wait_ms(9, -1, UINT64_C(1) << 63), 7000);
}

Test(backoff, a_hint_replaces_the_wait)
{
    cr_assert_eq(gri_backoff_wait_ms(9, 17, UINT64_MAX), 17);
    cr_assert_eq(gri_backoff_wait_ms(0, 0, 0), 500);
    /* a server that asks for more than a minute */
    cr_assert_eq(gri_backoff_wait_ms(9, 60000, UINT64_MAX), 60000);
    cr_assert_eq(gri_backoff_wait_ms(0, 60001, 0), 500);
    cr_assert_eq(gri_backoff_wait_ms(1, INT32_MAX, 0), 1000);
}

Test(backoff, reads_durations_as_rate_limit_headers_have_them)
{
    cr_assert_eq(duration("1s"), 1000);
    cr_assert_eq(duration("6m0s"), 360000);
    cr_assert_eq(duration("17ms"), 17);
    cr_assert_eq(duration("2m59.56s"), 179560);
    cr_assert_eq(duration("1.5h"), 5400000);
    cr_assert_eq(duration("1h2m3s4ms"), 3723004);
    cr_assert_eq(duration("0s"), 0);
    cr_assert_eq(duration("1ns"), 1, "parts of a millisecond round up");
    cr_assert_eq(duration("1500us"), 2);
    cr_assert_eq(duration("1500\xC2\xB5s"), 2);
    cr_assert_eq(duration(".5s"), 500);
}

Test(backoff, refuses_what_is_no_duration)
{
    static const char *const bad[] = { "9223372036854775807ns",
                                       "5000000000000000000ns",
                                       "",
                                       "1",
                                       "-1s",
                                       "s",
                                       "1 s",
                                       "1.s.",
                                       "1..5s",
                                       "1y",
                                       "6m 0s",
                                       "1s!",
                                       "99999999999999999999h",
                                       "600000000h600000000h600000000h" };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_eq(duration(bad[i]), -1, "%s", bad[i]);
    cr_assert_eq(duration(NULL), -1);
}
