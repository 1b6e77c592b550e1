/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/sched/blocking.h"

#include <errno.h>
#include <time.h>

#include "runtime/base/thread.h"

#define IDLE_S 10

gr_code gri_blocking_init(struct gri_blocking *b, unsigned threads_max, size_t queue_max)
{
    pthread_condattr_t attr;

    *b = (struct gri_blocking){ .threads_max = threads_max, .queue_max = queue_max };
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->work, &attr);
    pthread_cond_init(&b->quiet, &attr);
    pthread_condattr_destroy(&attr);
    return GR_OK;
}

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000u),
                              .tv_nsec = (long)(ns % 1000000000u) };
}

/* wait_locked waits for work; false when the thread should leave. */
static bool wait_locked(struct gri_blocking *b)
{
    struct timespec until = timespec_of(gri_clock_ns() + IDLE_S * UINT64_C(1000000000));
    int rc = 0;

    b->idle++;
    while (b->first == NULL && !b->stopping && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&b->work, &b->lock, &until);
    b->idle--;
    return b->first != NULL;
}

static void *pool_thread(void *arg)
{
    struct gri_blocking *b = arg;

    pthread_mutex_lock(&b->lock);
    while (b->first != NULL || wait_locked(b)) {
        struct gri_task *t = b->first;

        b->first = t->next;
        b->queued--;
        pthread_mutex_unlock(&b->lock);
        t->run(t);
        pthread_mutex_lock(&b->lock);
    }
    b->threads--;
    pthread_cond_signal(&b->quiet);
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

/* start_locked adds a thread. It is detached: gri_blocking_stop counts instead of joining. */
static gr_code start_locked(struct gri_blocking *b)
{
    pthread_t thread;
    gr_code rc = gri_thread_start(&thread, "gr-blocking", pool_thread, b);

    if (rc != GR_OK)
        return rc;
    pthread_detach(thread);
    b->threads++;
    return GR_OK;
}

gr_code gri_blocking_submit(struct gri_blocking *b, struct gri_task *t)
{
    gr_code rc = GR_OK;

    t->next = NULL;
    pthread_mutex_lock(&b->lock);
    if (b->stopping)
        rc = GR_ECANCELED;
    else if (b->queued >= b->queue_max)
        rc = GR_EFULL;
    else if (b->queued >= b->idle && b->threads < b->threads_max && start_locked(b) != GR_OK &&
             b->threads == 0)
        rc = GR_ENOMEM;
    if (rc == GR_OK) {
        if (b->first != NULL)
            b->last->next = t;
        else
            b->first = t;
        b->last = t;
        b->queued++;
        if (b->queued > b->queued_high)
            b->queued_high = b->queued;
        pthread_cond_signal(&b->work);
    }
    pthread_mutex_unlock(&b->lock);
    return rc;
}

bool gri_blocking_stop(struct gri_blocking *b, uint64_t deadline_ns)
{
    struct timespec until = timespec_of(deadline_ns);
    bool all;

    pthread_mutex_lock(&b->lock);
    b->stopping = true;
    pthread_cond_broadcast(&b->work);
    while (b->threads > 0 && pthread_cond_timedwait(&b->quiet, &b->lock, &until) != ETIMEDOUT)
        ;
    all = b->threads == 0;
    pthread_mutex_unlock(&b->lock);
    if (all) {
        pthread_cond_destroy(&b->work);
        pthread_cond_destroy(&b->quiet);
        pthread_mutex_destroy(&b->lock);
    }
    return all;
}
