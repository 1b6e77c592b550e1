/* SPDX-License-Identifier: Apache-2.0 */
/*
 * harness.c - runs the benchmarks whose names contain one of the arguments, or all of them.
 *
 * Each gets a runtime of its own, a tenth of its operations to warm up, and then `repeats` rounds.
 * It prints one JSON object a line; value is the median round's time for an operation.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

#define SAMPLES_MAX 200000
#define REPEATS_MAX 100

void bench_begin(struct bench_run *b)
{
    b->begin_ns = b->lap_ns = gri_clock_ns();
}

void bench_lap(struct bench_run *b, long ops)
{
    uint64_t now = gri_clock_ns();

    if (b->samples != NULL && b->sample_count < b->sample_cap && ops > 0)
        b->samples[b->sample_count++] = (double)(now - b->lap_ns) / (double)ops;
    b->lap_ns = now;
}

void bench_end(struct bench_run *b)
{
    b->end_ns = gri_clock_ns();
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

/* ---- numbers --------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* quantile sorts x. */
static double quantile(double *x, size_t count, double q)
{
    if (count == 0)
        return 0;
    qsort(x, count, sizeof(*x), by_size);
    return x[(size_t)((double)(count - 1) * q)];
}

struct settings {
    unsigned workers;
    long n;
    int repeats;
};

static void print(const struct bench *bench, const struct settings *s, struct bench_run *b,
                  double *rounds)
{
    double value = quantile(rounds, (size_t)s->repeats, 0.5);

    printf("{\"bench\":\"%s\",\"workers\":%u,\"n\":%ld,\"value\":%.1f,\"unit\":\"ns/op\","
           "\"ns_op_p50\":%.1f,\"ns_op_p99\":%.1f,\"ops_s\":%.0f}\n",
           bench->name, s->workers, b->n, value, quantile(b->samples, b->sample_count, 0.5),
           quantile(b->samples, b->sample_count, 0.99), value > 0 ? 1e9 / value : 0.0);
    fflush(stdout);
}

static bool run_one(const struct bench *bench, const struct settings *s)
{
    double rounds[REPEATS_MAX];
    struct bench_run b = { .n = s->n != 0 ? s->n : bench->n };
    struct bench_run warm;

    if (gr_runtime_new(GR_RUNTIME(.workers = s->workers), &b.rt) != GR_OK) {
        bench_fail(&b, bench->name, gr_error(GR_ENOMEM, "no runtime"));
        return false;
    }
    warm = b;
    warm.n = b.n / 10 + 1;
    bench->run(&warm);
    b.failed = warm.failed;
    b.samples = calloc(SAMPLES_MAX, sizeof(*b.samples));
    for (int i = 0; i < s->repeats && !b.failed; i++) {
        /* an equal share of the samples for each round */
        b.sample_cap = (size_t)(SAMPLES_MAX / s->repeats) * (size_t)(i + 1);
        bench->run(&b);
        rounds[i] = (double)(b.end_ns - b.begin_ns) / (double)b.n;
    }
    if (!b.failed)
        print(bench, s, &b, rounds);
    free(b.samples);
    gr_runtime_free(b.rt);
    return !b.failed;
}

static bool chosen(const char *name, char **filters, int count)
{
    for (int i = 0; i < count; i++)
        if (strstr(name, filters[i]) != NULL)
            return true;
    return count == 0;
}

static int usage(void)
{
    fputs("usage: greenroom_bench [--workers N] [--n N] [--repeats R] [--list] [NAME...]\n"
          "       greenroom_bench --overload SECONDS [--queue-ms N]\n",
          stderr);
    return 2;
}

static const struct bench *const themes[] = { bench_invoke, bench_stream, bench_actors,
                                              bench_rag,    bench_remote, bench_timers };

/* each calls run_one for, or lists, what was chosen. */
static int each(const struct settings *s, bool list, char **filters, int count)
{
    int failures = 0;

    for (size_t t = 0; t < sizeof(themes) / sizeof(themes[0]); t++)
        for (const struct bench *b = themes[t]; b->name != NULL; b++) {
            if (!chosen(b->name, filters, count))
                continue;
            if (list)
                printf("%-24s %s\n", b->name, b->what);
            else if (!run_one(b, s))
                failures++;
        }
    return failures == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "workers", required_argument, NULL, 'w' },  { "n", required_argument, NULL, 'n' },
        { "repeats", required_argument, NULL, 'r' },  { "list", no_argument, NULL, 'l' },
        { "serve", required_argument, NULL, 's' },    { "overload", required_argument, NULL, 'o' },
        { "queue-ms", required_argument, NULL, 'q' }, { NULL, 0, NULL, 0 },
    };
    struct settings s = { .workers = 2, .repeats = 5 };
    bool list = false;
    long overload_s = 0, queue_ms = 10;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        long value = c != 'l' && c != 's' && c != '?' ? strtol(optarg, NULL, 10) : 1;

        if (c == '?' || value < (c == 'q' ? 0 : 1) || (c == 'w' && value > 64) ||
            (c == 'r' && value > REPEATS_MAX))
            return usage();
        switch (c) {
        case 'w': s.workers = (unsigned)value; break;
        case 'n': s.n = value; break;
        case 'r': s.repeats = (int)value; break;
        case 'l': list = true; break;
        case 's': return bench_serve(optarg);
        case 'o': overload_s = value; break;
        case 'q': queue_ms = value; break;
        default: return usage();
        }
    }
    if (overload_s > 0)
        return bench_overload((int)overload_s, queue_ms);
    return each(&s, list, argv + optind, argc - optind);
}
