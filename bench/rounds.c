/* SPDX-License-Identifier: Apache-2.0 */
/* rounds.c - what a benchmark calls while it runs, and the rounds of one. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/bench.h"

#define SAMPLES_MAX 200000
#define WAIT_NS UINT64_C(120000000000)

/* cpu_ns is what all threads of the process have computed so far. */
static uint64_t cpu_ns(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000 +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
}

void bench_begin(struct bench_run *b)
{
    b->begin_cpu_ns = cpu_ns();
    b->begin_ns = b->lap_ns = gri_clock_ns();
}

static void sample(struct bench_run *b, double ns_op)
{
    if (b->samples != NULL && b->sample_count < b->sample_cap)
        b->samples[b->sample_count++] = ns_op;
}

void bench_lap(struct bench_run *b, long ops)
{
    uint64_t now = gri_clock_ns();

    if (ops > 0)
        sample(b, (double)(now - b->lap_ns) / (double)ops);
    b->lap_ns = now;
}

void bench_end(struct bench_run *b)
{
    b->end_ns = gri_clock_ns();
    b->end_cpu_ns = cpu_ns();
}

double bench_seconds(const struct bench_run *b)
{
    return (double)(b->end_ns - b->begin_ns) / 1e9;
}

void bench_note(struct bench_run *b, const char *name, double value)
{
    if (b->note_count < BENCH_NOTES_MAX)
        b->notes[b->note_count++] = (struct bench_note){ name, value };
}

void bench_fail(struct bench_run *b, const char *what, gr_value *err)
{
    if (!b->failed)
        fprintf(stderr, "bench: %s: %s\n", what, err != NULL ? gr_error_text(err) : "failed");
    b->failed = true;
    gr_value_unref(err);
}

bool bench_take(struct bench_run *b, gr_future *f)
{
    gr_value *err = NULL, *v = gr_take(f, &err);

    if (v == NULL)
        bench_fail(b, "a call failed", err);
    gr_value_unref(v);
    return v != NULL;
}

void bench_done(struct bench_run *b)
{
    bench_end(b);
    atomic_store(&b->done, 1); /* release: the times, for bench_wait */
    gri_futex_wake(&b->done, 1);
}

void bench_wait(struct bench_run *b)
{
    uint64_t deadline_ns = gri_clock_ns() + WAIT_NS;

    while (atomic_load(&b->done) == 0 && gri_clock_ns() < deadline_ns)
        gri_futex_wait(&b->done, 0, deadline_ns);
    if (atomic_exchange(&b->done, 0) == 0)
        bench_fail(b, "it did not end in time", NULL);
}

static void told(struct bench_run *b, gr_code rc)
{
    if (rc == GR_OK)
        return;
    bench_fail(b, "tell", gr_error(rc, "%s", gr_code_name(rc)));
    bench_done(b);
}

void bench_tell(struct bench_run *b, gr_ref to, gr_value *msg)
{
    told(b, gr_tell_wait(b->rt, to, msg));
}

void bench_post(struct bench_run *b, gr_ref to, gr_value *msg)
{
    told(b, gr_tell(b->rt, to, msg));
}

double bench_rss_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long size, resident = 0;

    if (f == NULL)
        return 0;
    if (fscanf(f, "%ld %ld", &size, &resident) != 2)
        resident = 0;
    fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

/* ---- running inside an actor ----------------------------------------------------------------- */

struct inside {
    struct bench_run *b;
    void (*fn)(struct bench_run *b, gr_ctx *c, void *arg);
    void *arg;
};

static gr_value *inside_fn(gr_ctx *c, void *arg, const gr_value *input)
{
    struct inside *i = arg;

    (void)input;
    i->fn(i->b, c, i->arg);
    return gr_nil();
}

void bench_in_handler(struct bench_run *b, void (*fn)(struct bench_run *b, gr_ctx *c, void *arg),
                      void *arg)
{
    struct inside i = { .b = b, .fn = fn, .arg = arg };
    gr_scope *s = gr_scope_new(gr_root(b->rt));

    bench_take(b, gr_ainvoke(b->rt, gr_lambda(s, GR_ASYNC, inside_fn, NULL, &i), gr_nil(), NULL));
    gr_scope_free(s);
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_quantile(double *x, size_t count, double q)
{
    if (count == 0)
        return 0;
    qsort(x, count, sizeof(*x), by_size);
    return x[(size_t)((double)(count - 1) * q)];
}

double bench_median(double *x, size_t count)
{
    return bench_quantile(x, count, 0.5);
}

static void one_round(const struct bench *bench, struct bench_run *b, struct bench_result *r)
{
    size_t laps = b->sample_count;
    int i = r->round_count++;
    double ns_op;

    b->note_count = 0;
    bench->run(b);
    ns_op = bench_seconds(b) * 1e9 / (double)b->n;
    if (b->sample_count == laps)
        sample(b, ns_op);
    r->n = b->n;
    r->rounds[i] = bench->unit != NULL ? b->value : ns_op;
    r->cpu_ns_op[i] = (double)(b->end_cpu_ns - b->begin_cpu_ns) / (double)b->n;
    r->note_count = b->note_count;
    for (size_t k = 0; k < b->note_count; k++)
        r->notes[k][i] = b->notes[k];
}

static void warm_up(const struct bench *bench, struct bench_run *b)
{
    struct bench_run warm = *b;

    warm.n = b->n / 10 + 1;
    bench->run(&warm);
    b->failed = warm.failed;
}

void bench_measure(const struct bench *bench, struct bench_run *b, int rounds,
                   struct bench_result *r)
{
    if (gr_runtime_new(GR_RUNTIME(.workers = b->workers), &b->rt) != GR_OK) {
        bench_fail(b, bench->name, gr_error(GR_ENOMEM, "no runtime"));
        r->failed = true;
        return;
    }
    if (!bench->fresh)
        warm_up(bench, b);
    b->samples = calloc(SAMPLES_MAX, sizeof(*b->samples));
    for (int i = 0; i < rounds && !b->failed; i++) {
        /* an equal share of the samples for each round */
        b->sample_cap = (size_t)(SAMPLES_MAX / rounds) * (size_t)(i + 1);
        one_round(bench, b, r);
    }
    r->failed |= b->failed;
    r->ns_op_p50 = bench_quantile(b->samples, b->sample_count, 0.5);
    r->ns_op_p99 = bench_quantile(b->samples, b->sample_count, 0.99);
    free(b->samples);
    gr_runtime_free(b->rt);
}
