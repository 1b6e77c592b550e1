/* SPDX-License-Identifier: Apache-2.0 */
/*
 * harness.c - runs the benchmarks whose names contain one of the arguments, or all of them.
 *
 * Each runs in a child process: a runtime of its own, a tenth of its operations to warm up, and
 * then `repeats` rounds. So none finds the memory as another left it, and one that crashes takes no
 * other with it. This process itself never uses the library, for of a process that has used it no
 * child may. It prints one JSON object a line; value is the median of the rounds.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/streams.h"

struct settings {
    unsigned workers;
    long n;
    int repeats;
};

/* ---- one benchmark --------------------------------------------------------------------------- */

/* in_child measures so many rounds in a process of its own; false: it failed. r is shared with it. */
static bool in_child(const struct bench *bench, const struct settings *s, int rounds,
                     struct bench_result *r)
{
    struct bench_run b = { .workers = s->workers, .n = s->n != 0 ? s->n : bench->n };
    int status = 1;
    pid_t pid = fork();

    if (pid == 0) {
        bench_measure(bench, &b, rounds, r);
        exit(r->failed ? 1 : 0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* digits is how many a number of this size is printed with after the point. */
static int digits(double x)
{
    return x < 10 ? 3 : 1;
}

static double median_note(struct bench_result *r, size_t k)
{
    double values[BENCH_ROUNDS_MAX];

    for (int i = 0; i < r->round_count; i++)
        values[i] = r->notes[k][i].value;
    return bench_median(values, (size_t)r->round_count);
}

static void print(const struct bench *bench, const struct settings *s, struct bench_result *r)
{
    size_t count = (size_t)r->round_count;
    double value = bench_median(r->rounds, count);

    printf("{\"bench\":\"%s\",\"workers\":%u,\"n\":%ld,\"value\":%.*f,\"unit\":\"%s\","
           "\"least\":%.*f,\"most\":%.*f",
           bench->name, s->workers, r->n, digits(value), value,
           bench->unit != NULL ? bench->unit : "ns/op", digits(r->rounds[0]), r->rounds[0],
           digits(r->rounds[count - 1]), r->rounds[count - 1]);
    if (bench->unit == NULL)
        printf(",\"ns_op_p50\":%.1f,\"ns_op_p99\":%.1f,\"ops_s\":%.0f,\"cpu_ns_op\":%.1f",
               r->ns_op_p50, r->ns_op_p99, value > 0 ? 1e9 / value : 0.0,
               bench_median(r->cpu_ns_op, count));
    for (size_t k = 0; k < r->note_count; k++) {
        double note = median_note(r, k);

        printf(",\"%s\":%.*f", r->notes[k][0].name, digits(note), note);
    }
    printf("}\n");
    fflush(stdout);
}

static bool run_one(const struct bench *bench, const struct settings *s)
{
    struct bench_result *r =
        mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int rounds = s->repeats;
    bool ok = r != MAP_FAILED;

    if (!ok)
        return false;
    if (bench->rounds_max != 0 && rounds > bench->rounds_max)
        rounds = bench->rounds_max;
    for (int i = 0; i < rounds && ok; i += bench->fresh ? 1 : rounds)
        ok = in_child(bench, s, bench->fresh ? 1 : rounds, r);
    if (ok)
        print(bench, s, r);
    else
        fprintf(stderr, "bench: %s failed\n", bench->name);
    munmap(r, sizeof(*r));
    return ok;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static const struct bench *const themes[] = { bench_invoke,  bench_stream,        bench_actors,
                                              bench_births,  bench_asks,          bench_pending,
                                              bench_compute, bench_fairness,      bench_timers,
                                              bench_rag,     bench_remote,        bench_observed,
                                              bench_decode,  bench_model_streams, bench_keep };

static bool chosen(const char *name, char **filters, int count)
{
    for (int i = 0; i < count; i++)
        if (strstr(name, filters[i]) != NULL)
            return true;
    return count == 0;
}

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

static int usage(void)
{
    fputs("usage: greenroom_bench [--workers N] [--n N] [--repeats R] [--list] [NAME...]\n"
          "       greenroom_bench --growth [--n N]\n"
          "       greenroom_bench --overload SECONDS [--queue-ms N]\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "workers", required_argument, NULL, 'w' },
        { "n", required_argument, NULL, 'n' },
        { "repeats", required_argument, NULL, 'r' },
        { "list", no_argument, NULL, 'l' },
        { "serve", required_argument, NULL, 's' },
        { "serve-streams", required_argument, NULL, 'S' },
        { "overload", required_argument, NULL, 'o' },
        { "queue-ms", required_argument, NULL, 'q' },
        { "growth", no_argument, NULL, 'g' },
        { NULL, 0, NULL, 0 },
    };
    struct settings s = { .workers = 2, .repeats = 5 };
    bool list = false, growth = false;
    long overload_s = 0, queue_ms = 10;
    int c;

    bench_isolate(argc, argv);
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        long value = optarg != NULL && c != 's' && c != 'S' ? strtol(optarg, NULL, 10) : 1;

        if (c == '?' || value < (c == 'q' ? 0 : 1) || (c == 'w' && value > 64) ||
            (c == 'r' && value > BENCH_ROUNDS_MAX))
            return usage();
        switch (c) {
        case 'w': s.workers = (unsigned)value; break;
        case 'n': s.n = value; break;
        case 'r': s.repeats = (int)value; break;
        case 'l': list = true; break;
        case 's': return bench_serve(optarg);
        case 'S': return bench_serve_streams(optarg);
        case 'o': overload_s = value; break;
        case 'q': queue_ms = value; break;
        case 'g': growth = true; break;
        default: return usage();
        }
    }
    if (overload_s > 0)
        return bench_overload((int)overload_s, queue_ms);
    if (growth)
        return bench_growth(s.n);
    return each(&s, list, argv + optind, argc - optind);
}
