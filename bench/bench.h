/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.h - how a benchmark is written: a function that does b->n operations, and says when they
 * begin and end.
 *
 * What comes before bench_begin and after bench_end is not measured. Between them bench_lap(b, ops)
 * marks that `ops` more operations are done: a lap's time by its operations is one sample of the
 * distribution. A clock reading costs about as much as a tenth of the cheapest operation here, so
 * such ones are lapped by the dozen.
 */
#ifndef GR_BENCH_BENCH_H
#define GR_BENCH_BENCH_H

#include <greenroom/greenroom.h>

#include "runtime/base/thread.h"

struct bench_run {
    gr_runtime *rt; /* made for this benchmark, with the workers asked for */
    long n;         /* operations to do */
    bool failed;
    uint64_t begin_ns, end_ns, lap_ns;
    double *samples; /* ns an operation */
    size_t sample_count, sample_cap;
};

struct bench {
    const char *name;
    const char *what; /* one operation, in a few words */
    long n;           /* the default */
    void (*run)(struct bench_run *b);
};

/* Each file's benchmarks, up to one without a name. */
extern const struct bench bench_invoke[], bench_stream[], bench_actors[], bench_remote[],
    bench_rag[], bench_timers[];

void bench_begin(struct bench_run *b);
void bench_lap(struct bench_run *b, long ops);
void bench_end(struct bench_run *b);
/* bench_fail says why the numbers mean nothing; takes err, which may be NULL. */
void bench_fail(struct bench_run *b, const char *what, gr_value *err);
/* bench_take waits for f and drops its answer; false: it failed, and so has b. */
bool bench_take(struct bench_run *b, gr_future *f);
/* bench_in_handler runs fn(b, c, arg) as the code of an actor, and waits for it. */
void bench_in_handler(struct bench_run *b, void (*fn)(struct bench_run *b, gr_ctx *c, void *arg),
                      void *arg);

/* bench_overload is `--overload SECONDS [--queue-ms N]`: prints its figures, and fails if a goal is
 * missed. */
int bench_overload(int seconds, int64_t queue_ms);

/* bench_serve is the child process of bench_remote: it serves at url until its input ends. */
int bench_serve(const char *url);

#endif
