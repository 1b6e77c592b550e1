/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blocking.h - the elastic pool for code that blocks its thread: threads are started when work
 * waits and none is free, up to a limit, and leave after 10 s without work.
 */
#ifndef GR_RUNTIME_SCHED_BLOCKING_H
#define GR_RUNTIME_SCHED_BLOCKING_H

#include <pthread.h>
#include <stdbool.h>

#include "runtime/sched/task.h"

struct gri_blocking {
    pthread_mutex_t lock; /* guards all of it */
    pthread_cond_t work;  /* something was queued, or stopping */
    pthread_cond_t quiet; /* a thread has left */
    struct gri_task *first, *last;
    size_t queued, queued_high, queue_max;
    unsigned threads, idle, threads_max;
    bool stopping;
};

gr_code gri_blocking_init(struct gri_blocking *b, unsigned threads_max, size_t queue_max);
/* gri_blocking_submit has t->run called on a pool thread. GR_EFULL: the queue is full; GR_ENOMEM:
 * there is no thread and none can be started; GR_ECANCELED: stopping. */
gr_code gri_blocking_submit(struct gri_blocking *b, struct gri_task *t);
/* gri_blocking_stop runs what is queued, then waits until deadline_ns (real clock) for the threads
 * to leave; false: some still work, and b must stay. */
bool gri_blocking_stop(struct gri_blocking *b, uint64_t deadline_ns);

#endif
