/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rate_headers_fuzz.c - what servers say of their limits: whatever the headers hold, what a limiter is told has
 * numbers in range, and a time that is read is that of a calendar.
 *
 * The input is the values of the headers, a line each, in the order of the names below.
 */
#include "actors/model/limit.h"
#include "tests/fuzz/fuzz.h"

#define WEEK_MS ((int64_t)7 * 86400 * 1000)

static const char *const names[] = {
    "retry-after-ms",
    "retry-after",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
    "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-tokens-reset",
    "anthropic-ratelimit-output-tokens-remaining",
    "anthropic-ratelimit-output-tokens-reset",
};
#define COUNT (sizeof(names) / sizeof(names[0]))

static const char *look(void *from, const char *name)
{
    char **values = from;

    for (size_t i = 0; i < COUNT; i++)
        if (strcmp(names[i], name) == 0)
            return values[i];
    return NULL;
}

static void check_one(const gr_value *said)
{
    must(gr_as_int(gr_get(said, "limit"), 0) >= 0);
    must(gr_as_int(gr_get(said, "remaining"), 0) >= 0);
    must(gr_as_int(gr_get(said, "reset_ms"), 0) >= 0);
    must(gr_as_int(gr_get(said, "reset_ms"), 0) <= WEEK_MS);
}

/* times: one that is read lies in the years that four digits can say. */
static void check_time(const char *text)
{
    int64_t ms = 0;

    if (text != NULL && gri_limit_time_ms(text, &ms))
        must(ms > -INT64_C(63000000000000) && ms < INT64_C(254000000000000) && strlen(text) >= 20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cost cost = fuzz_begin();
    char *text = fuzz_text(data, size), *rest = text, *values[COUNT] = { NULL };
    gr_value *v;

    for (size_t i = 0; i < COUNT && rest != NULL; i++) {
        char *line = strsep(&rest, "\n");

        values[i] = line[0] != '\0' ? line : NULL;
    }
    v = gri_limit_read(look, values, UINT64_C(1767323045000));
    must(gr_is_nil(v) || gr_value_type(v) == GR_MAP);
    check_one(gr_get(v, "requests"));
    check_one(gr_get(v, "tokens"));
    must(gr_get(v, "retry_after_ms") == NULL || gr_as_int(gr_get(v, "retry_after_ms"), 0) > 0);
    for (size_t i = 0; i < COUNT; i++)
        check_time(values[i]);
    gr_value_unref(v);
    free(text);
    fuzz_end(&cost, size, 64);
    return 0;
}
