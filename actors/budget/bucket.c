/* SPDX-License-Identifier: Apache-2.0 */
/* bucket.c - filling, taking, and the time until there is enough. */
#include "actors/budget/bucket.h"

#define NS 1e9
#define WAIT_MAX_NS (UINT64_C(86400) * 1000000000) /* nobody waits longer without a look */
#define ALMOST 1e-9 /* what rounding may take away from a whole one */

static void fill(struct gri_bucket *b, uint64_t now_ns)
{
    if (b->since_ns == 0 || now_ns < b->since_ns) {
        b->since_ns = now_ns != 0 ? now_ns : 1;
        return;
    }
    b->have += b->rate * ((double)(now_ns - b->since_ns) / NS);
    if (b->have > b->most)
        b->have = b->most;
    b->since_ns = now_ns != 0 ? now_ns : 1;
}

/* own_wait_ns is that of the bucket itself. */
static uint64_t own_wait_ns(struct gri_bucket *b, double n, uint64_t now_ns)
{
    double wanted = n < b->most ? n : b->most, wait;

    if (b->rate <= 0)
        return 0;
    fill(b, now_ns);
    if (b->have + ALMOST >= wanted)
        return 0;
    wait = (wanted - b->have) / b->rate * NS;
    return wait < (double)WAIT_MAX_NS ? (uint64_t)wait + 1 : WAIT_MAX_NS;
}

uint64_t gri_bucket_wait_ns(struct gri_bucket *b, double n, uint64_t now_ns)
{
    uint64_t own = own_wait_ns(b, n, now_ns), theirs = 0;

    if (b->left >= 0 && now_ns >= b->reset_ns)
        b->left = -1;
    if (n > 0 && b->left >= 0 && b->left < n)
        theirs = b->reset_ns - now_ns;
    if (theirs > WAIT_MAX_NS)
        theirs = WAIT_MAX_NS;
    return own > theirs ? own : theirs;
}

void gri_bucket_take(struct gri_bucket *b, double n)
{
    if (b->rate > 0) {
        b->have -= n;
        if (b->have > b->most)
            b->have = b->most;
        if (b->have < -b->owe_max)
            b->have = -b->owe_max;
    }
    if (b->left >= 0)
        b->left = b->left > n ? b->left - n : 0;
}

void gri_bucket_saw(struct gri_bucket *b, double left, uint64_t reset_ns, uint64_t now_ns)
{
    if (left < 0 || reset_ns <= now_ns)
        return;
    if (b->left < 0 || now_ns >= b->reset_ns || left < b->left)
        b->left = left;
    b->reset_ns = reset_ns;
}
