/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timers.c - what a deadline costs: to arm and to cancel, beside few others and beside a million.
 *
 * The others are due in one to two hours, so none fires. The wheel is the runtime's own: what two
 * threads pay at once is what two workers would.
 */
#include <stdlib.h>

#include "bench/bench.h"
#include "runtime/sched/sched.h"

#define LAP 64
#define HOUR_NS (UINT64_C(3600) * 1000000000)

static void never(struct gri_timer *t)
{
    (void)t;
}

struct armer {
    struct gri_sched *sched;
    struct gri_thread thread;
    struct bench_run *lapped; /* NULL: its laps are not counted */
    uint64_t now, chance;
    long n;
};

/* Deadlines as programs have them: mostly between 100 ms and a minute. */
static uint64_t deadline(struct armer *a)
{
    a->chance = a->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return a->now + UINT64_C(100000000) + (a->chance >> 28);
}

static void *arm_and_cancel(void *arg)
{
    struct armer *a = arg;
    struct gri_timer t;

    gri_timer_init(&t, never);
    for (long i = 0; i < a->n; i++) {
        gri_timer_start(a->sched, &t, deadline(a));
        gri_timer_cancel(a->sched, &t);
        if (a->lapped != NULL && (i + 1) % LAP == 0)
            bench_lap(a->lapped, LAP);
    }
    return NULL;
}

/* pending arms so many timers that stay; the caller cancels and frees them. */
static struct gri_timer *pending(struct gri_sched *s, long count)
{
    struct gri_timer *t = calloc((size_t)count, sizeof(*t));
    uint64_t now = gri_clock_ns();

    for (long i = 0; t != NULL && i < count; i++) {
        gri_timer_init(&t[i], never);
        gri_timer_start(s, &t[i], now + HOUR_NS + (uint64_t)i * HOUR_NS / (uint64_t)count);
    }
    return t;
}

static void drop_pending(struct gri_sched *s, struct gri_timer *t, long count)
{
    for (long i = 0; t != NULL && i < count; i++)
        gri_timer_cancel(s, &t[i]);
    free(t);
}

static void among(struct bench_run *b, long others, int threads)
{
    struct gri_sched *s = gri_sched_of(b->rt);
    struct gri_timer *t = pending(s, others);
    struct armer a[2];

    if (t == NULL) {
        bench_fail(b, "no memory for the timers", NULL);
        return;
    }
    for (int i = 0; i < threads; i++)
        a[i] = (struct armer){ .sched = s,
                               .now = gri_clock_ns(),
                               .chance = (uint64_t)i,
                               .lapped = i == 0 ? b : NULL,
                               .n = b->n / threads };
    bench_begin(b);
    for (int i = 1; i < threads; i++)
        if (gri_thread_start(&a[i].thread, "bench", arm_and_cancel, &a[i]) != GR_OK)
            bench_fail(b, "no thread", NULL);
    arm_and_cancel(&a[0]);
    for (int i = 1; i < threads && !b->failed; i++)
        gri_thread_join(&a[i].thread);
    bench_end(b);
    drop_pending(s, t, others);
}

static void among_10(struct bench_run *b)
{
    among(b, 10, 1);
}

static void among_1k(struct bench_run *b)
{
    among(b, 1000, 1);
}

static void among_1m(struct bench_run *b)
{
    among(b, 1000000, 1);
}

static void two_threads(struct bench_run *b)
{
    among(b, 1000, 2);
}

/* ---- the deadline of a call ------------------------------------------------------------------ */

static gr_value *same(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c, (void)arg;
    return gr_value_ref(input);
}

static void calls(struct bench_run *b, gr_ctx *c, void *arg)
{
    const gr_ref *r = arg;

    (void)c;
    bench_begin(b);
    for (long i = 0; i < b->n; i++) {
        if (!bench_take(b, gr_ainvoke(b->rt, *r, gr_int(i), GR_CALL(.timeout_ms = 60000))))
            break;
        if ((i + 1) % LAP == 0)
            bench_lap(b, LAP);
    }
    bench_end(b);
}

static void call_deadline(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    gr_ref r = gr_lambda(s, GR_CHEAP, same, NULL, NULL);

    bench_in_handler(b, calls, &r);
    gr_scope_free(s);
}

const struct bench bench_timers[] = {
    { .name = "timer_arm_cancel",
      .what = "arm a timer and cancel it, beside 10 others",
      .n = 2000000,
      .run = among_10 },
    { .name = "timer_arm_cancel_1k",
      .what = "the same, beside 1,000 others",
      .n = 2000000,
      .run = among_1k },
    { .name = "timer_arm_cancel_1m",
      .what = "the same, beside 1,000,000 others",
      .n = 2000000,
      .run = among_1m },
    { .name = "timer_arm_cancel_2t",
      .what = "the same, beside 1,000, by two threads at once",
      .n = 2000000,
      .run = two_threads },
    { .name = "ainvoke_deadline",
      .what = "a handler calls a cheap lambda with a deadline",
      .n = 200000,
      .run = call_deadline },
    { .name = NULL },
};
