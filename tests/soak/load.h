/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.h - threads that call one ref without a pause, each call with an id of its own, and what came of that.
 *
 * No call may take longer than SOAK_WAIT_MS, and each answer must be the call's own.
 */
#ifndef GR_TESTS_SOAK_LOAD_H
#define GR_TESTS_SOAK_LOAD_H

#include <pthread.h>
#include <stdatomic.h>

#include "tests/soak/soak.h"

#define LOAD_THREADS 8

struct load {
    gr_runtime *rt;
    gr_ref to;
    const char *verbs[3]; /* in turn; "stream" is read to its end. NULL: fewer */
    int64_t ms_most;      /* that a call takes there, at most */
    bool may_fail;        /* with GR_EUNREACH; else any failure is the scenario's */
    pthread_t threads[LOAD_THREADS];
    atomic_bool over;
    atomic_int ids, answered, failed;
    atomic_int slowest_ms; /* of all calls */
};

void load_start(struct load *l);
void load_stop(struct load *l);
/* load_flows waits until so many more calls have been answered. */
void load_flows(struct load *l, int more);

#endif
