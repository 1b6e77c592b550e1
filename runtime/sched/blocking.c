/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/sched/blocking.h"

#include "runtime/base/thread.h"

#define IDLE_NS (10 * UINT64_C(1000000000))

void gri_blocking_init(struct gri_blocking *b, unsigned threads_max, size_t queue_max)
{
    *b = (struct gri_blocking){ .threads_max = threads_max, .queue_max = queue_max };
}

/* sleep_locked gives the lock back and waits until the futex counts up; false at deadline_ns. */
static bool sleep_locked(struct gri_blocking *b, _Atomic uint32_t *futex, uint64_t deadline_ns)
{
    uint32_t seen = atomic_load(futex);
    bool on_time = true;

    gri_unlock(&b->lock);
    while (atomic_load(futex) == seen && on_time)
        on_time = gri_futex_wait(futex, seen, deadline_ns) && gri_clock_ns() < deadline_ns;
    gri_lock(&b->lock);
    return atomic_load(futex) != seen;
}

/* wait_locked waits for work; false when the thread should leave. */
static bool wait_locked(struct gri_blocking *b)
{
    uint64_t until = gri_clock_ns() + IDLE_NS;
    bool on_time = true;

    b->idle++;
    while (b->queue.first == NULL && !b->stopping && on_time)
        on_time = sleep_locked(b, &b->work, until);
    b->idle--;
    return b->queue.first != NULL;
}

static void *pool_thread(void *arg)
{
    struct gri_blocking *b = arg;

    gri_lock(&b->lock);
    while (b->queue.first != NULL || wait_locked(b)) {
        struct gri_task *t = gri_task_pop(&b->queue);

        b->queued--;
        gri_unlock(&b->lock);
        gri_point(GRI_AT_SLOW_BLOCKING);
        t->run(t);
        gri_lock(&b->lock);
    }
    b->threads--;
    /* the last touch of b, under the lock, without which gri_blocking_stop can't go on */
    atomic_fetch_add(&b->quiet, 1);
    gri_futex_wake(&b->quiet, 1);
    gri_unlock(&b->lock);
    return NULL;
}

/* start_locked adds a thread. It is detached: gri_blocking_stop counts instead of joining. */
static gr_code start_locked(struct gri_blocking *b)
{
    struct gri_thread thread;
    gr_code rc = gri_thread_start(&thread, "gr-blocking", pool_thread, b);

    if (rc != GR_OK)
        return rc;
    gri_thread_detach(&thread);
    b->threads++;
    return GR_OK;
}

gr_code gri_blocking_submit(struct gri_blocking *b, struct gri_task *t)
{
    gr_code rc = GR_OK;
    bool wake = false;

    gri_lock(&b->lock);
    if (b->stopping)
        rc = GR_ECANCELED;
    else if (b->queued >= b->queue_max || gri_fault(GRI_AT_BLOCKING_FULL))
        rc = GR_EFULL;
    else if (b->queued >= b->idle && b->threads < b->threads_max)
        rc = start_locked(b); /* waiting for the others could be for ever: they may wait for this */
    if (rc == GR_OK) {
        gri_task_push(&b->queue, t);
        b->queued++;
        if (b->queued > b->queued_high)
            b->queued_high = b->queued;
        atomic_fetch_add(&b->work, 1);
        wake = b->idle > 0;
    }
    gri_unlock(&b->lock);
    if (wake)
        gri_futex_wake(&b->work, 1);
    return rc;
}

bool gri_blocking_stop(struct gri_blocking *b, uint64_t deadline_ns)
{
    bool on_time = true, all;

    gri_lock(&b->lock);
    b->stopping = true;
    atomic_fetch_add(&b->work, 1);
    gri_futex_wake(&b->work, INT32_MAX);
    while (b->threads > 0 && on_time)
        on_time = sleep_locked(b, &b->quiet, deadline_ns);
    all = b->threads == 0;
    gri_unlock(&b->lock);
    return all;
}
