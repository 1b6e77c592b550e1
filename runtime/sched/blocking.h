/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blocking.h - the elastic pool for code that blocks its thread: threads are started when work
 * waits and none is free, up to a limit, and leave after 10 s without work.
 */
#ifndef GR_RUNTIME_SCHED_BLOCKING_H
#define GR_RUNTIME_SCHED_BLOCKING_H

#include <stdatomic.h>
#include <stdbool.h>

#include "runtime/base/lock.h"
#include "runtime/sched/task.h"

struct gri_blocking {
    struct gri_lock lock;   /* guards all of it */
    _Atomic uint32_t work;  /* a futex, counts up: something was queued, or stopping */
    _Atomic uint32_t quiet; /* a futex, counts up: a thread has left */
    struct gri_task_queue queue;
    size_t queued, queued_high, queue_max;
    unsigned threads, idle, threads_max;
    bool stopping;
};

void gri_blocking_init(struct gri_blocking *b, unsigned threads_max, size_t queue_max);
/* gri_blocking_submit has t->run called on a pool thread. GR_EFULL: the queue is full; GR_ENOMEM:
 * none is idle and none can be started, and those that work may wait for t; GR_ECANCELED:
 * stopping. */
gr_code gri_blocking_submit(struct gri_blocking *b, struct gri_task *t);
/* gri_blocking_stop runs what is queued, then waits until deadline_ns for the threads
 * to leave; false: some still work, and b must stay. */
bool gri_blocking_stop(struct gri_blocking *b, uint64_t deadline_ns);

#endif
