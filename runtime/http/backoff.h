/* SPDX-License-Identifier: Apache-2.0 */
/* gri: for actors/ */
/*
 * backoff.h - when to ask a server again, and how long to wait: pure functions, no clock, no dice.
 *
 * The policy is that of OpenAI's own clients. What only the body tells (insufficient_quota is a 429
 * that is not worth a retry) is the caller's business.
 */
#ifndef GR_RUNTIME_HTTP_BACKOFF_H
#define GR_RUNTIME_HTTP_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

/*
 * gri_backoff_retries tells whether a request that got `status` may be sent again; 0 stands for no
 * answer at all (connection lost). should_retry is the header x-should-retry or NULL; "true" and
 * "false" have the last word.
 */
bool gri_backoff_retries(int status, const char *should_retry);

/*
 * gri_backoff_hint_ms returns how long the server asked to wait, from the headers retry-after-ms
 * (milliseconds) or, failing that, retry-after (seconds, or an HTTP date, which is compared with
 * wall_ms since 1970). -1 when there is no hint, it is not positive, or it is over 2^31-1 ms.
 */
int64_t gri_backoff_hint_ms(const char *retry_after_ms, const char *retry_after, uint64_t wall_ms);

/*
 * gri_backoff_wait_ms returns how long to wait before retry number n (from 0): the hint if it is
 * positive and at most a minute, else min(0.5 s * 2^n, 8 s), shortened by up to a quarter at random. A
 * longer hint is no reason to sit there: OpenAI's client asks again by its own rule, too.
 */
int64_t gri_backoff_wait_ms(unsigned n, int64_t hint_ms, uint64_t random);

/*
 * gri_backoff_duration_ms reads what x-ratelimit-reset-* headers hold: "1s", "6m0s", "17ms", "1.5h"
 * (Go's durations). Parts of a millisecond round up. False for NULL, a sign, a bare number, no
 * unit.
 */
bool gri_backoff_duration_ms(const char *text, int64_t *ret_ms);

#endif
