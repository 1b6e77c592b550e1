/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blocking.h - the elastic pool for code that blocks its thread.
 *
 * Jobs wait in one queue, threads without work on one stack, each on a futex of its own; one lock
 * guards both, and one of the two is always empty. A job for which a thread is free is handed to it
 * past the queue: it runs the job without asking for the lock, and nobody else wakes up. The thread
 * that went to rest last is called first, so the others come to the end of their idle time and
 * leave.
 *
 * Threads are started outside the lock, and by one thread at a time: what takes long is to map
 * stacks, which the kernel does for one thread of a process at a time anyway. Whoever queues a job
 * for which nobody is on the way starts one thread; that one starts the others, as long as there
 * are more jobs than threads on the way, and only then looks for a job itself. So a burst costs its
 * sender one start. If no thread can be started, the jobs for which nobody is on the way are
 * refused: those that work may be waiting for just these, so to queue them could be for ever.
 *
 * No job is overlooked. Under the lock, a job goes to a thread at rest, or into the queue; and a
 * thread rests, or leaves, only when it finds the queue empty, under the same lock. So a queued job
 * is met by a thread that is on the way (`coming`) or that somebody is about to start (`starting`);
 * if there are too few of those and may be more, its sender becomes the one who starts. Only when
 * all threads_max exist does it wait for one to come from its work. A thread that leaves takes
 * itself off `threads` under the lock that it left the stack under, so nobody counts on it.
 *
 * No wake-up is lost. A seat is taken off the stack under the lock, by one caller, who then sets
 * `called`, once; its thread sleeps only while that is 0. A thread whose idle time is over looks,
 * under the lock, whether it is still on the stack: if not, somebody is about to set `called`, and
 * it waits for that. After `called` is set the seat may be gone, and the caller's futex call finds
 * nobody there, or at worst wakes somebody who looks again.
 */
#ifndef GR_RUNTIME_SCHED_BLOCKING_H
#define GR_RUNTIME_SCHED_BLOCKING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <greenroom/base.h>

#include "runtime/base/list.h"
#include "runtime/base/lock.h"

/*
 * A job is part of what it belongs to. Its place: NEW until it is first offered; QUEUED; TAKEN by a
 * thread, or refused; WITHDRAWN before it came into the queue. Guarded by the pool's lock, but for
 * gri_job_offer.
 */
enum gri_job_place {
    GRI_JOB_NEW,
    GRI_JOB_OFFERED,
    GRI_JOB_QUEUED,
    GRI_JOB_TAKEN,
    GRI_JOB_WITHDRAWN
};

/* Zeroed is new. */
struct gri_job {
    struct gri_list node; /* in the queue; its owner may use it otherwise once the job is taken */
    _Atomic uint32_t place;
};

struct gri_blocking_opts {
    unsigned threads_max;
    size_t queue_max; /* of jobs for which there is no thread, and can be none */
    size_t stack_size;
    uint64_t idle_ns; /* how long a thread rests before it leaves */
    /* GR_OK: does the job, on a thread of the pool. GR_ENOMEM: refuses it, since no thread could be
     * started for it; wherever that was found out, in gri_blocking_submit too. */
    void (*run)(struct gri_job *job, gr_code rc);
};

struct gri_blocking {
    struct gri_blocking_opts opts;
    struct gri_lock lock;   /* guards all below */
    _Atomic uint32_t quiet; /* a futex, counts up: a stopping pool's last thread has left */
    struct gri_list queue;  /* of gri_job */
    struct gri_list seats;  /* of threads at rest; the latest is first */
    size_t queued, queued_high;
    unsigned threads, threads_high; /* with those that are being started */
    unsigned idle;                  /* at rest */
    unsigned coming;                /* started, and have not looked for a job yet */
    bool starting;                  /* somebody starts threads */
    bool stopping;
};

void gri_blocking_init(struct gri_blocking *b, const struct gri_blocking_opts *opts);

/* gri_job_offer comes before gri_blocking_submit. Who offers a job and then finds it cancelled must
 * not submit it; who cancels it and then finds it offered must withdraw it (all seq_cst). So a
 * cancelled job never stays in the queue. */
static inline void gri_job_offer(struct gri_job *job)
{
    atomic_store(&job->place, GRI_JOB_OFFERED);
}
static inline bool gri_job_offered(struct gri_job *job)
{
    return atomic_load(&job->place) != GRI_JOB_NEW;
}

/* gri_blocking_submit has the job run, or refused. GR_EFULL: the queue is full; GR_ECANCELED:
 * stopping, or withdrawn; then the job is the caller's. [any] */
gr_code gri_blocking_submit(struct gri_blocking *b, struct gri_job *job);

/* gri_blocking_withdraw takes an offered job out of the queue: true, nobody will run it. false: a
 * thread has it; or it is about to be submitted, and that will fail. [any] */
bool gri_blocking_withdraw(struct gri_blocking *b, struct gri_job *job);

/* gri_blocking_stop runs what is queued, then waits until deadline_ns for the threads
 * to leave; false: some still work, and b must stay. */
bool gri_blocking_stop(struct gri_blocking *b, uint64_t deadline_ns);

#endif
