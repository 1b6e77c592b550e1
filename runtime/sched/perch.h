/* SPDX-License-Identifier: Apache-2.0 */
/*
 * perch.h - where a worker waits for input and for work at once.
 *
 * A worker that has just handled what came over a link, and has nothing else to do, most likely waits for what
 * comes next over the same link: it waits there instead of on its futex, so that the input needs no other thread
 * to wake the worker. A worker has one perch at most, the last that it was given. Until it parks there it looks
 * whether the perch stirs while it searches; one that is busy instead gives it up after a few tasks, and the
 * monitor takes the perch of one that is held up by a handler: then what comes is readied as ever.
 */
#ifndef GR_RUNTIME_SCHED_PERCH_H
#define GR_RUNTIME_SCHED_PERCH_H

#include "runtime/sched/sched.h"

#define GRI_PERCH_TASKS 8 /* that a worker may run before it gives its perch up */

struct gri_perch {
    bool (*stirs)(struct gri_perch
                      *p); /* input has come, or it was roused; a guess, until wait has returned */
    void (*wait)(struct gri_perch *p);  /* returns when it stirs */
    void (*rouse)(struct gri_perch *p); /* has it stir; does not wait */
    /* leave ends the perch: what has come is readied, or will be as it comes */
    void (*leave)(struct gri_perch *p);
};

/* gri_perch_take gives w, the calling thread's, a perch; one that it had it leaves. */
void gri_perch_take(struct gri_worker *w, struct gri_perch *p);
/* gri_perch_drop leaves w's perch, if it has one that it does not wait at: the worker, or the monitor. */
void gri_perch_drop(struct gri_worker *w);
/* gri_perch_stirs leaves w's perch if it stirs, and there may be a task in the LIFO slot then: the worker. */
bool gri_perch_stirs(struct gri_worker *w);
/* gri_perch_wait waits at w's perch until that stirs, or w is to wake up, and leaves it. false: it has none. */
bool gri_perch_wait(struct gri_worker *w);
/* gri_perch_rouse has w come back from its perch; false: it does not wait there. [any] */
bool gri_perch_rouse(struct gri_worker *w);
/* gri_perch_watch is the monitor's, at each tick: a perch that was there at the last one is taken from a worker
 * that is not waiting at it. */
void gri_perch_watch(struct gri_worker *w);

#endif
