/* SPDX-License-Identifier: Apache-2.0 */
/*
 * growth.c - what a message costs as workers and actors become more.
 *
 * Actors form a ring in which the next one is far away in memory, and as many messages as there are
 * workers go round it. A million actors don't fit into any cache, so each message misses some: the
 * goal is that it costs no more than one among a thousand and three cache misses. What a miss costs
 * is measured in the same process, by a walk through memory in which each load depends on the one
 * before.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"

#define MISSES_MOST 3
#define ROUNDS 5
#define STEPS 1000000
#define LINES_MAX (UINT32_C(4) << 20)

static const unsigned worker_counts[] = { 1, 2, 4, 8 };
static const long actor_counts[] = { 10, 100, 1000, 10000, 100000, 1000000 };
#define WORKER_COUNTS (sizeof(worker_counts) / sizeof(worker_counts[0]))
#define ACTOR_COUNTS (sizeof(actor_counts) / sizeof(actor_counts[0]))

/* ---- a dependent cache miss -------------------------------------------------------------------- */

struct line {
    uint32_t next;
    uint32_t rest[15];
};

static uint32_t random_below(uint64_t *x, uint32_t bound)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return (uint32_t)((*x >> 16) % bound);
}

/* shuffle makes the lines one cycle, after Sattolo. */
static void shuffle(struct line *lines, uint32_t count)
{
    uint64_t chance = UINT64_C(88172645463325252);

    for (uint32_t i = 0; i < count; i++)
        lines[i].next = i;
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t other = random_below(&chance, i), kept = lines[i].next;

        lines[i].next = lines[other].next;
        lines[other].next = kept;
    }
}

/* miss_ns goes on from line to line, from where it was; the least of a few walks is the one that
 * nothing interrupted. */
static double miss_ns(uint32_t count)
{
    struct line *lines = malloc(count * sizeof(*lines));
    uint32_t at = 0, steps = count < STEPS ? count : STEPS;
    double least = 0;

    if (lines == NULL)
        abort();
    shuffle(lines, count);
    for (int walk = 0; walk < ROUNDS; walk++) {
        uint64_t begin_ns = gri_clock_ns();
        double ns;

        for (uint32_t i = 0; i < steps; i++)
            at = lines[at].next;
        ns = (double)(gri_clock_ns() - begin_ns) / steps;
        if (walk == 0 || ns < least)
            least = ns;
    }
    if (at >= count) /* a walk must have an outcome, or it would be left out */
        abort();
    free(lines);
    return least;
}

/* ---- the ring ---------------------------------------------------------------------------------- */

static struct {
    struct bench_run *b;
    _Atomic long open; /* messages on their way, or actors that don't know their next yet */
} growth;

struct walker {
    gr_ref next;
};

static void one_less(void)
{
    if (atomic_fetch_sub(&growth.open, 1) == 1)
        bench_done(growth.b);
}

/* The next actor, once; from then on how many actors a message has yet to reach. */
static void walker_receive(gr_ctx *c, void *self, const gr_value *msg)
{
    struct walker *w = self;
    int64_t left = gr_as_int(msg, -1);

    (void)c;
    if (left > 1) {
        bench_post(growth.b, w->next, gr_int(left - 1));
        return;
    }
    if (left < 0)
        w->next = gr_as_ref(msg);
    one_less();
}

static const gr_class walker_class =
    GR_CLASS(.name = "walker", .state_size = sizeof(struct walker), .receive = walker_receive);

/* far gives a step that is about 0.62 of count and has no factor in common with it. */
static long far(long count)
{
    long step = count * 62 / 100 | 1, a, b;

    for (;; step += 2) {
        for (a = step, b = count; b != 0;) {
            long rest = a % b;

            a = b;
            b = rest;
        }
        if (a == 1)
            return step;
    }
}

static void walk(struct bench_run *b, const gr_ref *ring, long count, long messages)
{
    long tokens = (long)b->workers < count ? (long)b->workers : count;

    growth.open = tokens;
    bench_begin(b);
    for (long i = 0; i < tokens; i++)
        bench_post(b, ring[i * (count / tokens)], gr_int((messages + tokens - 1) / tokens));
    bench_wait(b);
}

/* ring_ns gives the ns a message of the round that was least interrupted. */
static double ring_ns(struct bench_run *b, long count)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    gr_ref *ring = calloc((size_t)count, sizeof(*ring));
    long step = far(count);
    double rounds[ROUNDS];

    if (ring == NULL)
        abort();
    for (long i = 0; i < count; i++)
        ring[i] = gr_spawn(s, &walker_class, NULL);
    growth.b = b;
    growth.open = count;
    for (long i = 0; i < count; i++)
        bench_post(b, ring[i], gr_ref_value(ring[(i + step) % count]));
    bench_wait(b);
    for (int i = 0; i < ROUNDS && !b->failed; i++) {
        walk(b, ring, count, b->n);
        rounds[i] = bench_seconds(b) * 1e9 / (double)b->n;
    }
    gr_scope_free(s);
    free(ring);
    return b->failed ? 0 : bench_quantile(rounds, ROUNDS, 0);
}

/* ---- the table --------------------------------------------------------------------------------- */

/* row prints a line of the table; false: the goal was missed. */
static bool row(unsigned workers, long messages, double miss)
{
    struct bench_run b = { .workers = workers, .n = messages };
    double ns, among_1000 = 0, among_most = 0;
    bool met;

    if (gr_runtime_new(GR_RUNTIME(.workers = workers), &b.rt) != GR_OK)
        return false;
    printf("%7u", workers);
    for (size_t i = 0; i < ACTOR_COUNTS && !b.failed; i++) {
        /* a small ring is a large one's beginning: enough for a smoke test */
        long count = actor_counts[i] < messages ? actor_counts[i] : messages;

        among_most = ns = ring_ns(&b, count);
        if (actor_counts[i] == 1000)
            among_1000 = ns;
        printf(" %9.1f", ns);
        fflush(stdout);
    }
    gr_runtime_free(b.rt);
    met = !b.failed && among_most <= among_1000 + MISSES_MOST * miss;
    printf("  %+6.2f misses  %s\n", (among_most - among_1000) / miss, met ? "ok" : "MISS");
    return met;
}

int bench_growth(long n)
{
    long messages = n != 0 ? n : 1000000;
    double miss = miss_ns(messages < LINES_MAX / 4 ? (uint32_t)messages : LINES_MAX);
    int missed = 0;

    printf("a dependent cache miss: %.1f ns\nns a message, by workers and actors; last: a message "
           "among the most against one among 1,000, at most %d misses more\n%7s",
           miss, MISSES_MOST, "workers");
    for (size_t i = 0; i < ACTOR_COUNTS; i++)
        printf(" %9ld", actor_counts[i]);
    printf("\n");
    for (size_t i = 0; i < WORKER_COUNTS; i++)
        missed += !row(worker_counts[i], messages, miss);
    return missed == 0 ? 0 : 1;
}
