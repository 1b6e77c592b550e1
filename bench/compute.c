/* SPDX-License-Identifier: Apache-2.0 */
/* compute.c - handlers that compute: what a second worker is good for. */
#include <stdlib.h>

#include "bench/bench.h"

/* ---- computing for a given time ---------------------------------------------------------------- */

static double spins_per_ns;

/* spin is work that no compiler leaves out, and that needs no memory. */
static void spin(uint64_t count)
{
    static _Atomic uint64_t sink;
    uint64_t x = UINT64_C(88172645463325252);

    for (uint64_t i = 0; i < count; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    atomic_store_explicit(&sink, x, memory_order_relaxed);
}

/* The shortest of a few tries is the one that nothing interrupted. */
void bench_spin_calibrate(void)
{
    const uint64_t count = 1000000;
    uint64_t least_ns = UINT64_MAX;

    for (int i = 0; i < 10; i++) {
        uint64_t begin_ns = gri_clock_ns(), ns;

        spin(count);
        ns = gri_clock_ns() - begin_ns;
        if (ns < least_ns)
            least_ns = ns;
    }
    spins_per_ns = (double)count / (double)least_ns;
}

void bench_spin(uint64_t ns)
{
    spin((uint64_t)((double)ns * spins_per_ns));
}

/* ---- many short tasks -------------------------------------------------------------------------- */

#define TASK_NS 50000

static gr_value *compute(gr_ctx *c, void *arg, const gr_value *input)
{
    (void)c;
    (void)arg;
    bench_spin(TASK_NS);
    return gr_value_ref(input);
}

/* compute_all gives the ms that b->n tasks take so many workers. */
static double compute_all(struct bench_run *b, unsigned workers)
{
    gr_runtime *rt = NULL;
    gr_future **fs = calloc((size_t)b->n, sizeof(gr_future *));
    double ms = 0;
    gr_ref task;

    if (fs == NULL || gr_runtime_new(GR_RUNTIME(.workers = workers), &rt) != GR_OK) {
        free(fs);
        bench_fail(b, "no runtime", NULL);
        return 0;
    }
    task = gr_lambda(gr_root(rt), GR_ASYNC, compute, NULL, NULL);
    if (bench_take(b, gr_ainvoke(rt, task, gr_int(0), NULL))) {
        uint64_t begin_ns = gri_clock_ns();

        for (long i = 0; i < b->n; i++)
            fs[i] = gr_ainvoke(rt, task, gr_int(i), NULL);
        bench_take(b, gr_all(rt, fs, (size_t)b->n));
        ms = (double)(gri_clock_ns() - begin_ns) / 1e6;
    }
    gr_runtime_free(rt);
    free(fs);
    return ms;
}

static void parallel_50us(struct bench_run *b)
{
    double one_ms, two_ms;

    bench_spin_calibrate();
    bench_begin(b);
    one_ms = compute_all(b, 1);
    two_ms = compute_all(b, 2);
    bench_end(b);
    b->value = two_ms > 0 ? one_ms / two_ms : 0;
    bench_note(b, "one_worker_ms", one_ms);
    bench_note(b, "two_workers_ms", two_ms);
}

const struct bench bench_compute[] = {
    { .name = "parallel_50us",
      .what = "n tasks that compute 50 us each: the time of one worker by that of two",
      .n = 1000,
      .run = parallel_50us,
      .unit = "times" },
    { .name = NULL },
};
