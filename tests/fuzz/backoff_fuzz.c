/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff_fuzz.c - any text as the headers that say when to try again. Hints and durations are in
 * their ranges; plain numbers mean what they say; waits are within the policy.
 *
 * The first byte chooses the header, the next eight are the clock.
 */
#include "runtime/http/backoff.h"
#include "tests/fuzz/fuzz.h"

static void check_hint(const char *text, uint64_t wall_ms)
{
    int64_t as_ms = gri_backoff_hint_ms(text, NULL, wall_ms);
    int64_t as_s = gri_backoff_hint_ms(NULL, text, wall_ms);
    size_t digits = strspn(text, "0123456789");

    must(as_ms == -1 || (as_ms > 0 && as_ms <= INT32_MAX));
    must(as_s == -1 || (as_s > 0 && as_s <= INT32_MAX));
    must(gri_backoff_hint_ms(text, text, wall_ms) == (as_ms != -1 ? as_ms : -1) || as_ms == -1);
    if (digits > 0 && digits < 10 && text[digits] == '\0') {
        int64_t n = strtoll(text, NULL, 10);

        must(as_ms == (n > 0 && n <= INT32_MAX ? n : -1));
        must(as_s == (n > 0 && n * 1000 <= INT32_MAX ? n * 1000 : -1));
    }
    for (unsigned n = 0; n < 8; n++) {
        int64_t wait = gri_backoff_wait_ms(n, as_s, wall_ms);

        must(as_s > 0 && as_s <= 60000 ? wait == as_s : wait >= 375 && wait <= 8000);
    }
}

static void check_duration(const char *text)
{
    int64_t ms = -1;

    if (!gri_backoff_duration_ms(text, &ms)) {
        must(ms == -1);
        return;
    }
    must(ms >= 0 && ms <= (INT64_C(1) << 61) / 1000000 + 1);
    must(text[0] == '.' || (text[0] >= '0' && text[0] <= '9'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cost cost = fuzz_begin();
    uint64_t wall_ms = 0;
    char *text;

    if (size < 9)
        return 0;
    memcpy(&wall_ms, data + 1, 8);
    wall_ms %= UINT64_C(1) << 48; /* some nine thousand years */
    text = fuzz_text(data + 9, size - 9);
    if (data[0] % 2 == 0)
        check_hint(text, wall_ms);
    else
        check_duration(text);
    (void)gri_backoff_retries(data[0], text);
    free(text);
    fuzz_end(&cost, size, 1);
    return 0;
}
