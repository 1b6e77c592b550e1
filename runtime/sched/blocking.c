/* SPDX-License-Identifier: Apache-2.0 */
/* blocking.c - see blocking.h, also for why nothing is overlooked. */
#include "runtime/sched/blocking.h"

#include "runtime/base/assert.h"
#include "runtime/base/thread.h"

#define THREAD_NAME "gr-blocking"

/* Where a thread rests: on its own stack. */
struct seat {
    struct gri_list node;    /* in b->seats; alone once somebody has taken it from there */
    struct gri_job *job;     /* what it is called for; NULL: to leave */
    _Atomic uint32_t called; /* the futex that it sleeps on */
};

void gri_blocking_init(struct gri_blocking *b, const struct gri_blocking_opts *opts)
{
    *b = (struct gri_blocking){ .opts = *opts };
    gri_list_init(&b->queue);
    gri_list_init(&b->seats);
}

/* ---- the queue and the seats, under the lock ------------------------------------------------- */

static struct gri_job *job_of(struct gri_list *n)
{
    return gri_container_of(n, struct gri_job, node);
}

static void enqueue(struct gri_blocking *b, struct gri_job *job)
{
    gri_list_push(&b->queue, &job->node);
    atomic_store(&job->place, GRI_JOB_QUEUED);
    b->queued++;
    if (b->queued > b->queued_high)
        b->queued_high = b->queued;
}

static void dequeue(struct gri_blocking *b, struct gri_job *job)
{
    gri_list_remove(&job->node);
    atomic_store(&job->place, GRI_JOB_TAKEN);
    b->queued--;
}

/* seat_take returns the thread that went to rest last, with the seat taken; NULL: none rests. */
static struct seat *seat_take(struct gri_blocking *b)
{
    struct gri_list *n = gri_list_pop(&b->seats);

    if (n == NULL)
        return NULL;
    b->idle--;
    return gri_container_of(n, struct seat, node);
}

/* call_up wakes the thread of a taken seat, without the lock. */
static void call_up(struct seat *seat)
{
    _Atomic uint32_t *called = &seat->called;

    atomic_store(called, 1); /* from here on the seat may be gone */
    gri_futex_wake(called, 1);
}

/* ---- starting threads ------------------------------------------------------------------------ */

/* wants_thread: there are more jobs than threads on the way, and there may be more threads. */
static bool wants_thread(const struct gri_blocking *b)
{
    return b->queued > b->coming && b->threads < b->opts.threads_max;
}

static void count_start(struct gri_blocking *b)
{
    b->coming++;
    b->threads++;
    if (b->threads > b->threads_high)
        b->threads_high = b->threads;
}

static void leave(struct gri_blocking *b)
{
    b->threads--;
    if (b->threads > 0 || !b->stopping)
        return;
    /* the last touch of b, under the lock, without which gri_blocking_stop can't go on */
    atomic_fetch_add(&b->quiet, 1);
    gri_futex_wake(&b->quiet, 1);
}

/* It is detached: gri_blocking_stop counts instead of joining. */
static gr_code start(struct gri_blocking *b, void *(*fn)(void *))
{
    struct gri_thread thread;
    gr_code rc = gri_thread_start_sized(&thread, THREAD_NAME, b->opts.stack_size, fn, b);

    if (rc == GR_OK)
        gri_thread_detach(&thread);
    return rc;
}

/* not_started takes back a start that failed, and refuses the jobs for which nobody is on the way,
 * from the latest on. */
static void not_started(struct gri_blocking *b, gr_code rc)
{
    void (*run)(struct gri_job * job, gr_code rc) = b->opts.run;
    struct gri_list refused, *n;

    gri_list_init(&refused);
    gri_lock(&b->lock);
    b->coming--;
    b->starting = false;
    while (b->queued > b->coming) {
        struct gri_job *job = job_of(b->queue.prev);

        dequeue(b, job);
        gri_list_push(&refused, &job->node);
    }
    leave(b);
    gri_unlock(&b->lock);
    while ((n = gri_list_pop(&refused)) != NULL)
        run(job_of(n), rc);
}

/* ---- a thread -------------------------------------------------------------------------------- */

/* called_in_time sleeps until the seat is called; false: the idle time is over. */
static bool called_in_time(struct seat *seat, uint64_t deadline_ns)
{
    bool on_time = true;

    while (atomic_load(&seat->called) == 0 && on_time)
        on_time = gri_futex_wait(&seat->called, 0, deadline_ns) && gri_clock_ns() < deadline_ns;
    return atomic_load(&seat->called) != 0;
}

/* given_up: the idle time is over, and nobody has taken the seat: this thread has left. */
static bool given_up(struct gri_blocking *b, struct seat *seat)
{
    bool left;

    gri_lock(&b->lock);
    left = !gri_list_empty(&seat->node);
    if (left) {
        gri_list_remove(&seat->node);
        b->idle--;
        leave(b);
    }
    gri_unlock(&b->lock);
    return left;
}

/* rest waits for a job; as next_job. */
static struct gri_job *rest(struct gri_blocking *b)
{
    uint64_t until = gri_clock_ns() + b->opts.idle_ns;
    struct seat seat = { .job = NULL };

    gri_list_init(&seat.node);
    gri_list_push(b->seats.next, &seat.node); /* before the first: a stack */
    b->idle++;
    gri_unlock(&b->lock);
    if (!called_in_time(&seat, until)) {
        if (given_up(b, &seat))
            return NULL;
        while (atomic_load(&seat.called) == 0) /* somebody is about to set it */
            gri_futex_wait(&seat.called, 0, GRI_NEVER);
    }
    if (seat.job != NULL)
        return seat.job;
    gri_lock(&b->lock);
    leave(b);
    gri_unlock(&b->lock);
    return NULL;
}

/* next_job gives the lock back. NULL: this thread has left, and must not touch b. */
static struct gri_job *next_job(struct gri_blocking *b)
{
    struct gri_job *job = NULL;

    if (!gri_list_empty(&b->queue)) {
        job = job_of(b->queue.next);
        dequeue(b, job);
    } else if (b->stopping) {
        leave(b);
    } else {
        return rest(b);
    }
    gri_unlock(&b->lock);
    return job;
}

/* serve does jobs until the thread leaves; it begins under the lock. */
static void serve(struct gri_blocking *b)
{
    struct gri_job *job;

    b->coming--;
    while ((job = next_job(b)) != NULL) {
        gri_point(GRI_AT_SLOW_BLOCKING);
        b->opts.run(job, GR_OK);
        gri_lock(&b->lock);
    }
}

static void *pool_thread(void *arg)
{
    struct gri_blocking *b = arg;

    gri_thread_name(THREAD_NAME);
    gri_lock(&b->lock);
    serve(b);
    return NULL;
}

/* start_others starts threads as long as they are wanted; under the lock. */
static void start_others(struct gri_blocking *b)
{
    while (wants_thread(b)) {
        gr_code rc;

        count_start(b);
        gri_unlock(&b->lock);
        rc = start(b, pool_thread);
        if (rc != GR_OK)
            not_started(b, rc);
        gri_lock(&b->lock);
        if (rc != GR_OK)
            return; /* somebody else may start by now */
    }
    b->starting = false;
}

/* The thread that starts the others. It counts as coming meanwhile: it takes a job in the end. */
static void *first_thread(void *arg)
{
    struct gri_blocking *b = arg;

    gri_thread_name(THREAD_NAME);
    gri_lock(&b->lock);
    start_others(b);
    serve(b);
    return NULL;
}

/* ---- the outside ----------------------------------------------------------------------------- */

/* full: the queue has queue_max jobs besides those for which a thread is coming, or could. */
static bool full(const struct gri_blocking *b)
{
    size_t served = b->coming + (b->opts.threads_max - b->threads);

    return gri_fault(GRI_AT_BLOCKING_FULL) ||
           (b->idle == 0 && b->queued >= served && b->queued - served >= b->opts.queue_max);
}

static gr_code may_submit(const struct gri_blocking *b, const struct gri_job *job)
{
    if (b->stopping || atomic_load(&job->place) == GRI_JOB_WITHDRAWN)
        return GR_ECANCELED;
    return full(b) ? GR_EFULL : GR_OK;
}

/* place_job hands the job to a thread at rest, which is returned, or queues it. *ret_start: the
 * caller is to start a thread. */
static struct seat *place_job(struct gri_blocking *b, struct gri_job *job, bool *ret_start)
{
    struct seat *seat = seat_take(b);

    if (seat != NULL) {
        atomic_store(&job->place, GRI_JOB_TAKEN);
        seat->job = job;
        return seat;
    }
    enqueue(b, job);
    *ret_start = !b->starting && wants_thread(b);
    if (*ret_start) {
        b->starting = true;
        count_start(b);
    }
    return NULL;
}

gr_code gri_blocking_submit(struct gri_blocking *b, struct gri_job *job)
{
    struct seat *seat = NULL;
    bool starts = false;
    gr_code rc;

    gri_lock(&b->lock);
    rc = may_submit(b, job);
    if (rc == GR_OK)
        seat = place_job(b, job, &starts);
    gri_unlock(&b->lock);
    if (seat != NULL)
        call_up(seat);
    if (starts) {
        gr_code started = start(b, first_thread);

        if (started != GR_OK)
            not_started(b, started);
    }
    return rc;
}

bool gri_blocking_withdraw(struct gri_blocking *b, struct gri_job *job)
{
    uint32_t place;

    gri_lock(&b->lock);
    place = atomic_load(&job->place);
    if (place == GRI_JOB_QUEUED)
        dequeue(b, job);
    else if (place == GRI_JOB_OFFERED)
        atomic_store(&job->place, GRI_JOB_WITHDRAWN);
    gri_unlock(&b->lock);
    return place == GRI_JOB_QUEUED;
}

/* await_quiet_locked waits until the last thread has left; false at deadline_ns. */
static bool await_quiet_locked(struct gri_blocking *b, uint64_t deadline_ns)
{
    bool on_time = true;

    while (b->threads > 0 && on_time) {
        uint32_t seen = atomic_load(&b->quiet);

        gri_unlock(&b->lock);
        on_time = gri_futex_wait(&b->quiet, seen, deadline_ns) && gri_clock_ns() < deadline_ns;
        gri_lock(&b->lock);
    }
    return b->threads == 0;
}

bool gri_blocking_stop(struct gri_blocking *b, uint64_t deadline_ns)
{
    struct seat *seat;
    bool all;

    gri_lock(&b->lock);
    b->stopping = true;
    while ((seat = seat_take(b)) != NULL) {
        gri_unlock(&b->lock);
        call_up(seat); /* without a job: to leave */
        gri_lock(&b->lock);
    }
    all = await_quiet_locked(b, deadline_ns);
    gri_unlock(&b->lock);
    return all;
}
