/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine.h - what drives a composition that waits for several things at once: one task, run
 * whenever something it waits for has happened, never twice at a time.
 *
 * `word` is the meeting point. Its low half counts the wakes since the machine last slept, the high
 * half the endings: futures of its own that are complete. Whoever raises the low half from 0
 * readies the task; the task, when step sleeps, takes the low half back to 0 or, if a wake came
 * meanwhile, runs again. A machine whose step is over is gone: so step may say so only when nothing
 * can wake it any more. Streams' waiters are taken back by unwatch, timers by cancelling them, the
 * cancel hook by gri_call_end; futures count their endings in the same atomic step that wakes, so
 * that once all are counted nobody is left who touches the machine.
 */
#ifndef GR_ACTORS_COMPOSE_MACHINE_H
#define GR_ACTORS_COMPOSE_MACHINE_H

#include "runtime/actor/call.h"

enum gri_next {
    GRI_SLEEP, /* until a wake */
    GRI_AGAIN, /* there is more to do; others first */
    GRI_OVER   /* the machine has been freed */
};

struct gri_machine {
    struct gri_task task;
    _Atomic uint64_t word;
    struct gri_sched *sched; /* borrowed */
    enum gri_next (*step)(struct gri_machine *m);
};

/* How much a step does before it lets others run: chunks passed on. */
#define GRI_STEP_BUDGET 64

/* gri_machine_init leaves the machine as if it ran, so that early wakes wait for
 * gri_machine_start. */
void gri_machine_init(struct gri_machine *m, struct gri_sched *sched, const char *name,
                      enum gri_next (*step)(struct gri_machine *m));
/* gri_machine_start runs it for the first time, on this stack; m may be gone after. */
void gri_machine_start(struct gri_machine *m);
void gri_machine_wake(struct gri_machine *m);  /* [any] */
void gri_machine_count(struct gri_machine *m); /* [any] counts an ending, and wakes */
uint32_t gri_machine_counted(struct gri_machine *m);
void gri_machine_cancelled(void *m); /* a gri_call_on_cancel hook */

/* A waiter that wakes a machine: for streams, whose waiters can be taken back. */
struct gri_wake {
    struct gri_waiter waiter;
    struct gri_machine *machine; /* borrowed */
};

void gri_wake_init(struct gri_wake *w, struct gri_machine *m);
/* A waiter that counts an ending: for futures, which fire once for certain. */
void gri_count_init(struct gri_wake *w, struct gri_machine *m);

/* gri_leave_stream takes the waiter back, stops the reading and lets go; NULL is fine. */
void gri_leave_stream(gr_stream *s, struct gri_wake *w);
/* gri_pull reads a chunk, or leaves the waiter and says GR_EPENDING; else as gri_stream_get. */
gr_code gri_pull(gr_stream *s, struct gri_wake *w, gr_value **ret_chunk);
/* gri_push sends *chunk and clears it, or leaves the waiter and says GR_EFULL; else as
 * gri_stream_put. */
gr_code gri_push(gr_stream *s, struct gri_wake *w, gr_value **chunk);
/* gri_stream_why returns the error that s ended with, which `rc` is the code of. */
gr_value *gri_stream_why(gr_stream *s, gr_code rc);

#endif
