/* SPDX-License-Identifier: Apache-2.0 */
/*
 * witness.h - what a worker tells of itself when a signal interrupts it: whose stack has overflowed,
 * and where a handler is that holds its worker.
 *
 * Only on request, since signals belong to the host: see report_overflow and backtrace_signal of
 * gr_runtime_opts. A worker that has a witness has an alternate stack and lets these signals through;
 * all other threads of the runtime block them as they block every signal.
 */
#ifndef GR_RUNTIME_SCHED_WITNESS_H
#define GR_RUNTIME_SCHED_WITNESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <greenroom/base.h>

struct gri_sched;
struct gri_worker;

#define GRI_FRAMES 32

/* Where a worker is: its answer to a signal. */
struct gri_trace {
    uint32_t beat; /* of the handler that it was in */
    unsigned count;
    void *frame[GRI_FRAMES]; /* innermost first */
};

struct gri_witness {
    struct gri_worker *worker; /* borrowed */
    void *stack;               /* owned; the alternate one */
    _Atomic int thread;        /* the kernel's number of the worker's thread; 0: it does not run */
    uint32_t asked;            /* the monitor's */
    _Atomic uint32_t answered; /* the last request that `trace` answers */
    struct gri_trace trace;    /* the worker's until then */
};

/* gri_witness_begin installs the handlers that the options ask for; GR_EINVAL when somebody handles
 * the signal for backtraces. gri_witness_end gives them back. */
gr_code gri_witness_begin(struct gri_sched *s);
void gri_witness_end(struct gri_sched *s);

/* gri_witness_new makes one for a worker, or none if no option asks for it; GR_ENOMEM. */
gr_code gri_witness_new(struct gri_worker *w);
void gri_witness_free(struct gri_witness *x);

/* The worker's thread, first and last; NULL is fine. */
void gri_witness_enter(struct gri_witness *x);
void gri_witness_leave(struct gri_witness *x);

/* gri_witness_ask asks a worker where it is; false: it can't answer. gri_witness_answer returns the
 * answer, or NULL as long as there is none. The monitor only. */
bool gri_witness_ask(struct gri_witness *x);
const struct gri_trace *gri_witness_answer(struct gri_witness *x);

#endif
