/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/supervise/delay.h"

int64_t gri_delay_next(struct gri_delay *d, const gr_backoff *b, int64_t ran_ms, uint64_t dice)
{
    int64_t ms = b->min_ms;

    if (b->min_ms == 0)
        return 0;
    if (ran_ms >= b->reset_after_ms)
        d->doubled = 0;
    for (unsigned i = 0; i < d->doubled && ms < b->max_ms; i++)
        ms = ms <= b->max_ms / 2 ? ms * 2 : b->max_ms;
    if (ms < b->max_ms)
        d->doubled++;
    if (b->jitter_ms > 0) {
        int64_t more = (int64_t)(dice % ((uint64_t)b->jitter_ms + 1));

        ms = ms <= INT64_MAX - more ? ms + more : INT64_MAX;
    }
    return ms;
}
