/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.h - how a benchmark is written: a function that does b->n operations, and says when they
 * begin and end.
 *
 * What comes before bench_begin and after bench_end is not measured. Between them bench_lap(b, ops)
 * marks that `ops` more operations are done: a lap's time by its operations is one sample of the
 * distribution. A clock reading costs about as much as a tenth of the cheapest operation here, so
 * such ones are lapped by the dozen; a round without laps is one sample.
 *
 * Each benchmark runs in a process of its own, so files may keep what their actors share in statics.
 */
#ifndef GR_BENCH_BENCH_H
#define GR_BENCH_BENCH_H

#include <greenroom/greenroom.h>

#include "runtime/base/thread.h"

#define BENCH_NOTES_MAX 4

/* A further number that a round gives: printed as the median of the rounds, as the value is. */
struct bench_note {
    const char *name;
    double value;
};

struct bench_run {
    gr_runtime *rt; /* made for this benchmark, with the workers asked for */
    unsigned workers;
    long n; /* operations to do */
    _Atomic bool failed;
    uint64_t begin_ns, end_ns, lap_ns;
    uint64_t begin_cpu_ns, end_cpu_ns;
    double value; /* of this round, where the benchmark has a unit of its own */
    struct bench_note notes[BENCH_NOTES_MAX];
    size_t note_count;
    double *samples; /* ns an operation */
    size_t sample_count, sample_cap;
    _Atomic uint32_t done; /* 1: bench_done was called; waited for as a futex */
};

struct bench {
    const char *name;
    const char *what; /* one operation, in a few words */
    long n;           /* the default */
    void (*run)(struct bench_run *b);
    const char *unit; /* of b->value; NULL: ns/op, of the time between begin and end */
    bool fresh;     /* each round in a process of its own and without a warm-up: it counts memory */
    int rounds_max; /* for what takes seconds; 0: as many as are asked for */
};

/* Each file's benchmarks, up to one without a name. */
extern const struct bench bench_invoke[], bench_stream[], bench_actors[], bench_births[],
    bench_asks[], bench_pending[], bench_compute[], bench_fairness[], bench_remote[], bench_rag[],
    bench_timers[], bench_observed[], bench_decode[], bench_model_streams[], bench_keep[];

void bench_begin(struct bench_run *b);
void bench_lap(struct bench_run *b, long ops);
void bench_end(struct bench_run *b);
/* bench_seconds is the time between begin and end. */
double bench_seconds(const struct bench_run *b);
/* bench_note gives a further number of this round; name is a literal. */
void bench_note(struct bench_run *b, const char *name, double value);
/* bench_fail says why the numbers mean nothing; takes err, which may be NULL. */
void bench_fail(struct bench_run *b, const char *what, gr_value *err);
/* bench_take waits for f and drops its answer; false: it failed, and so has b. */
bool bench_take(struct bench_run *b, gr_future *f);
/* bench_in_handler runs fn(b, c, arg) as the code of an actor, and waits for it. */
void bench_in_handler(struct bench_run *b, void (*fn)(struct bench_run *b, gr_ctx *c, void *arg),
                      void *arg);

/*
 * A benchmark whose operations are actors' own has one of them call bench_done, which is bench_end
 * and lets bench_wait return. bench_wait fails b if that does not happen within two minutes.
 */
void bench_done(struct bench_run *b);
void bench_wait(struct bench_run *b);
/* bench_tell is gr_tell_wait, and bench_post gr_tell, for which failing is the benchmark's end. */
void bench_tell(struct bench_run *b, gr_ref to, gr_value *msg);
void bench_post(struct bench_run *b, gr_ref to, gr_value *msg);

double bench_median(double *x, size_t count);             /* sorts x */
double bench_quantile(double *x, size_t count, double q); /* likewise; 0 of nothing */
double bench_rss_bytes(void);                             /* what the process has in memory */
double bench_condvar_ns(long n);                          /* see condvar.c */
/* bench_spin computes for about ns nanoseconds, whatever else the processor does meanwhile takes
 * longer; bench_spin_calibrate first, on a thread that is alone. */
void bench_spin_calibrate(void);
void bench_spin(uint64_t ns);

/* bench_measure is the child's part of one benchmark, see rounds.c. */
struct bench_result {
    bool failed;
    long n; /* what it made of the number asked for */
    int round_count;
    double rounds[100], cpu_ns_op[100];
    struct bench_note notes[BENCH_NOTES_MAX][100];
    size_t note_count;
    double ns_op_p50, ns_op_p99;
};
#define BENCH_ROUNDS_MAX 100
void bench_measure(const struct bench *bench, struct bench_run *b, int rounds,
                   struct bench_result *r);

/* bench_overload is `--overload SECONDS [--queue-ms N]`: prints its figures, and fails if a goal is
 * missed. bench_growth is `--growth`, likewise, with n messages for each figure. */
int bench_overload(int seconds, int64_t queue_ms);
int bench_growth(long n);

/* bench_serve is the child process of bench_remote: it serves at url until its input ends. bench_keep_publish has it
 * publish what bench_keep calls there. */
int bench_serve(const char *url);
gr_code bench_keep_publish(gr_runtime *rt);
/* bench_isolate is called first in main: this program may be an isolated actor's process. */
void bench_isolate(int argc, char **argv);

#endif
