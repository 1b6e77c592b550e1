/* SPDX-License-Identifier: Apache-2.0 */
/* pending.c - calls that wait: what one costs in memory, and what a thousand that block take. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/bench.h"

/* ---- calls whose answer does not come ---------------------------------------------------------- */

/* What an actor would know of the calls that it has not answered yet. The arrays are written to
 * before memory is counted, so they are not. */
static struct {
    gr_promise **promises;      /* owned, and each of them */
    gr_future **futures;        /* likewise */
    _Atomic long claimed, held; /* places in promises, and those that are written */
    long due;
    struct bench_run *b;
} held;

static gr_value *holder_invoke(gr_ctx *c, void *self, const gr_value *args)
{
    long i = atomic_fetch_add(&held.claimed, 1);

    (void)self;
    (void)args;
    held.promises[i] = gr_defer(c);
    if (atomic_fetch_add(&held.held, 1) + 1 == held.due)
        bench_done(held.b);
    return NULL;
}

static const gr_method holder_methods[] = { { "invoke", GR_ASYNC, holder_invoke, NULL } };
static const gr_class holder_class = GR_CLASS(.name = "holder", GR_METHODS(holder_methods));

/* fresh_pointers gives an array that is in memory already. */
static void *fresh_pointers(long count)
{
    void *p = malloc((size_t)count * sizeof(void *));

    if (p == NULL)
        abort();
    return memset(p, 1, (size_t)count * sizeof(void *));
}

static void answer_all(long count)
{
    for (long i = 0; i < count; i++)
        gr_resolve(held.promises[i], gr_nil());
    for (long i = 0; i < count; i++)
        gr_future_free(held.futures[i]);
    free(held.promises);
    free(held.futures);
}

static void pending_bytes(struct bench_run *b)
{
    gr_scope *s = gr_scope_new(gr_root(b->rt));
    gr_ref holder = gr_spawn(s, &holder_class, GR_SPAWN(.mailbox_max = (size_t)b->n + 1));
    double before;

    held.promises = fresh_pointers(b->n);
    held.futures = fresh_pointers(b->n);
    held.claimed = held.held = 0;
    held.due = b->n;
    held.b = b;
    before = bench_rss_bytes();
    bench_begin(b);
    for (long i = 0; i < b->n; i++)
        held.futures[i] = gr_ainvoke(b->rt, holder, gr_int(i), NULL);
    bench_wait(b);
    b->value = (bench_rss_bytes() - before) / (double)b->n;
    bench_note(b, "start_ns", bench_seconds(b) * 1e9 / (double)b->n);
    if (!b->failed)
        answer_all(b->n);
    gr_scope_free(s);
}

/* ---- calls that block a thread ----------------------------------------------------------------- */

static gr_value *sleep_10_ms(gr_ctx *c, void *arg, const gr_value *input)
{
    const struct timespec ten_ms = { .tv_nsec = 10000000 };

    (void)c;
    (void)arg;
    nanosleep(&ten_ms, NULL);
    return gr_value_ref(input);
}

/* sleep_all has b->n calls sleep at once and gives the ms until the last has ended. */
static double sleep_all(struct bench_run *b, gr_runtime *rt, gr_ref sleeper)
{
    gr_future **fs = fresh_pointers(b->n);
    uint64_t begin_ns = gri_clock_ns();
    double ms;

    for (long i = 0; i < b->n; i++)
        fs[i] = gr_ainvoke(rt, sleeper, gr_int(i), NULL);
    for (long i = 0; i < b->n; i++)
        bench_take(b, fs[i]);
    ms = (double)(gri_clock_ns() - begin_ns) / 1e6;
    free(fs);
    return ms;
}

/* The pool is cold in a runtime that has not blocked yet, so each round has one of its own. */
static void blocking_1000x10ms(struct bench_run *b)
{
    gr_runtime *rt = NULL;
    gr_ref sleeper;

    bench_begin(b);
    if (gr_runtime_new(GR_RUNTIME(.workers = b->workers), &rt) != GR_OK) {
        bench_fail(b, "no runtime", NULL);
        return;
    }
    sleeper = gr_lambda(gr_root(rt), GR_BLOCKING, sleep_10_ms, NULL, NULL);
    b->value = sleep_all(b, rt, sleeper);
    bench_note(b, "warm", sleep_all(b, rt, sleeper));
    bench_end(b);
    gr_runtime_free(rt);
}

const struct bench bench_pending[] = {
    { .name = "pending_bytes",
      .what = "memory of a call that is not answered yet",
      .n = 200000,
      .run = pending_bytes,
      .unit = "bytes",
      .fresh = true },
    { .name = "blocking_1000x10ms",
      .what = "n calls at once of a lambda that sleeps 10 ms, cold pool; then warm",
      .n = 1000,
      .run = blocking_1000x10ms,
      .unit = "ms" },
    { .name = NULL },
};
