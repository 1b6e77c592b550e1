/* SPDX-License-Identifier: Apache-2.0 */
/* rate_headers_test.c - what model servers' answers say of their limits. */
#include "actors/budget/bucket.h"
#include "actors/model/limit.h"

#include <greenroom/codec.h>

#include <string.h>
#include <strings.h>

#include "tests/support/test.h"

#define NOW_MS UINT64_C(1767323045000) /* 2026-01-02T03:04:05Z */

/* An answer's headers: name, value, … NULL. */
static const char *look(void *from, const char *name)
{
    const char *const *h = from;

    for (; *h != NULL; h += 2)
        if (strcasecmp(h[0], name) == 0)
            return h[1];
    return NULL;
}

static void reads(const char *const *headers, const char *expected)
{
    gr_value *v = gri_limit_read(look, (void *)(uintptr_t)headers, NOW_MS);
    gr_value *wanted = gr_json_parse(expected, strlen(expected), NULL);
    char *text = gr_json_print(v, 0, NULL);

    cr_assert(gr_equal(v, wanted), "%s instead of %s", text, expected);
    gr_free(text);
    gr_value_unref(wanted);
    gr_value_unref(v);
}

Test(rate_headers, openai)
{
    static const char *const h[] = { "X-RateLimit-Limit-Requests",
                                     "60",
                                     "x-ratelimit-remaining-requests",
                                     "59",
                                     "x-ratelimit-reset-requests",
                                     "1s",
                                     "x-ratelimit-limit-tokens",
                                     "150000",
                                     "x-ratelimit-remaining-tokens",
                                     "149984",
                                     "x-ratelimit-reset-tokens",
                                     "6m0.5s",
                                     NULL };

    reads(h,
          "{\"requests\":{\"limit\":60,\"remaining\":59,\"reset_ms\":1000},\"tokens\":{\"limit\":"
          "150000,\"remaining\":149984,\"reset_ms\":360500}}");
}

Test(rate_headers, anthropic)
{
    static const char *const h[] = { "anthropic-ratelimit-requests-limit",
                                     "50",
                                     "anthropic-ratelimit-requests-remaining",
                                     "49",
                                     "anthropic-ratelimit-requests-reset",
                                     "2026-01-02T03:04:06Z",
                                     "anthropic-ratelimit-tokens-remaining",
                                     "5000",
                                     "anthropic-ratelimit-output-tokens-remaining",
                                     "10",
                                     "anthropic-ratelimit-output-tokens-reset",
                                     "2026-01-02T04:04:35.25+01:00",
                                     "retry-after",
                                     "7",
                                     NULL };

    reads(
        h,
        "{\"requests\":{\"limit\":50,\"remaining\":49,\"reset_ms\":1000},\"tokens\":{\"remaining\":"
        "10,\"reset_ms\":30250},\"retry_after_ms\":7000}");
}

Test(rate_headers, what_says_nothing)
{
    static const char *const unknown[] = { "x-ratelimit-remaining-requests",
                                           "-1",
                                           "x-ratelimit-reset-requests",
                                           "soon",
                                           "x-ratelimit-remaining-tokens",
                                           "many",
                                           "x-ratelimit-limit-tokens",
                                           "",
                                           "anthropic-ratelimit-tokens-reset",
                                           "2026-13-02T03:04:06Z",
                                           NULL };
    static const char *const none[] = { NULL };
    static const char *const past[] = { "anthropic-ratelimit-tokens-remaining", "0",
                                        "anthropic-ratelimit-tokens-reset", "2020-01-01T00:00:00Z",
                                        NULL };

    reads(unknown, "null");
    reads(none, "null");
    reads(past, "{\"tokens\":{\"remaining\":0,\"reset_ms\":0}}");
}

Test(rate_headers, times)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: none */
    } rows[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "2026-01-02T03:04:05Z", 1767323045000 },
        { "2026-01-02t03:04:05.1239z", 1767323045123 },
        { "2024-02-29T23:59:60Z", 1709251200000 },
        { "2026-01-02T03:04:05-00:30", 1767324845000 },
        { "2000-03-01 00:00:00Z", 951868800000 },
        { "2023-02-29T00:00:00Z", -1 },
        { "2026-01-02T24:00:00Z", -1 },
        { "2026-01-02T03:04:05", -1 },
        { "2026-01-02T03:04:05Zx", -1 },
        { "2026-01-02T03:04:05.Z", -1 },
        { "26-01-02T03:04:05Z", -1 },
        { "", -1 },
    };
    int64_t ms;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ms = -1;
        (void)gri_limit_time_ms(rows[i].text, &ms);
        cr_assert_eq(ms, rows[i].ms, "%s: %lld", rows[i].text, (long long)ms);
    }
    cr_assert(!gri_limit_time_ms(NULL, &ms));
}

/* the bucket does without a clock, so its corners can be had exactly */
Test(rate_headers, a_bucket)
{
    struct gri_bucket b = { .rate = 2, .most = 2, .left = -1 };

    cr_assert_eq(gri_bucket_wait_ns(&b, 1, 1000), 500000001);
    cr_assert_eq(gri_bucket_wait_ns(&b, 1, 1000 + 500000000), 0);
    gri_bucket_take(&b, 1);
    cr_assert_gt(gri_bucket_wait_ns(&b, 1, 1000 + 500000000), 0);
    /* a clock that goes back gives nothing, and takes nothing */
    cr_assert_gt(gri_bucket_wait_ns(&b, 1, 500), 0);
    /* the smaller of two answers for one time is the later one */
    gri_bucket_saw(&b, 5, 10000, 2000);
    gri_bucket_saw(&b, 7, 10000, 2000);
    cr_assert_float_eq(b.left, 5, 1e-9);
    gri_bucket_saw(&b, -1, 10000, 2000);
    cr_assert_float_eq(b.left, 5, 1e-9);
    gri_bucket_saw(&b, 0, 2000, 2000); /* over already */
    cr_assert_float_eq(b.left, 5, 1e-9);
}
