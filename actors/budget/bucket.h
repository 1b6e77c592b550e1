/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bucket.h - a token bucket that also knows what a server said is left: pure, without a clock.
 *
 * It is LangChain's InMemoryRateLimiter in exact form: it starts empty, its clock starts with the
 * first look at it, and it fills at `rate` up to `most`. Besides, a server's answers may say how
 * much is left until when; then both must have room.
 */
#ifndef GR_ACTORS_BUDGET_BUCKET_H
#define GR_ACTORS_BUDGET_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define GRI_LIMITER_WAITERS_MAX 65536 /* the default of gr_rate_limiter_opts */

struct gri_bucket {
    double rate;       /* a second; 0: no limit of its own */
    double most;       /* what it holds */
    double have;       /* below 0: more was taken than it holds, and is being paid for */
    double owe_max;    /* so far below 0 it goes at most */
    uint64_t since_ns; /* when have was right; 0: its clock has not started */
    double left;       /* as the server has it; negative: unknown */
    uint64_t reset_ns; /* until then */
};

/* gri_bucket_wait_ns tells how long to wait for n: 0, now; UINT64_MAX never is an answer. More than
 * the bucket holds waits for a full one. */
uint64_t gri_bucket_wait_ns(struct gri_bucket *b, double n, uint64_t now_ns);
/* gri_bucket_take takes n, whether they are there or not; a negative n gives back. What would make it owe more
 * than owe_max is forgiven. */
void gri_bucket_take(struct gri_bucket *b, double n);
/* gri_bucket_saw: a server said that left remain until reset_ns. A larger number than the one it
 * said before for the same time is the older answer, and is not believed. */
void gri_bucket_saw(struct gri_bucket *b, double left, uint64_t reset_ns, uint64_t now_ns);

#endif
