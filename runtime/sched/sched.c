/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched.c - queues, workers, parking.
 *
 * No wake-up is lost: whoever adds a task publishes it (seq_cst store of a tail or a count) and then reads
 * idle_count; whoever parks adds itself to idle_count (seq_cst) and then looks at all queues once more.
 * One of the two sees the other. A LIFO slot wakes nobody, since its owner runs it next; the monitor
 * passes it on when the owner is held up.
 *
 * At most one worker is woken for each task added, and none while another searches already. A searcher
 * that finds something wakes the next one if more is there, so a burst wakes workers one by one.
 */
#include "runtime/sched/sched.h"

#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/sched/monitor.h"

#define LIFO_RUNS_MAX 64         /* then the ring gets its turn */
#define OUTSIDE_FIRST 61         /* every so many tasks, the injection queue and the timers go first */
#define SEARCH_NS 20000          /* how long an idle worker looks around */
#define SPARE_MAX 16             /* loop stacks that a worker keeps */
#define POOL_MAX 256             /* loop stacks that all keep together */

static _Thread_local struct gri_exec *current_exec;
static _Thread_local struct gri_exec thread_exec; /* of a thread that is no worker */

/* Not inlined and opaque to the optimiser, which would else reuse a thread-local address across a switch. */
__attribute__((noinline)) struct gri_exec *gri_exec(void)
{
    struct gri_exec *e = current_exec;

    __asm__ __volatile__("" : "+r"(e)::"memory");
    return e != NULL ? e : &thread_exec;
}

__attribute__((noinline)) static void set_exec(struct gri_exec *e)
{
    current_exec = e;
    __asm__ __volatile__("" ::: "memory");
}

/* ---- queues ---------------------------------------------------------------------------------- */

static void queue_push(struct gri_task_queue *q, struct gri_task *t)
{
    t->next = NULL;
    if (q->first != NULL)
        q->last->next = t;
    else
        q->first = t;
    q->last = t;
}

static struct gri_task *queue_pop(struct gri_task_queue *q)
{
    struct gri_task *t = q->first;

    if (t != NULL)
        q->first = t->next;
    return t;
}

static struct gri_task *locked_pop(struct gri_lock *lock, struct gri_task_queue *q,
                                   _Atomic uint32_t *count)
{
    struct gri_task *t;

    if (atomic_load_explicit(count, memory_order_relaxed) == 0)
        return NULL;
    gri_lock(lock);
    t = queue_pop(q);
    if (t != NULL)
        atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
    gri_unlock(lock);
    return t;
}

static void locked_push(struct gri_lock *lock, struct gri_task_queue *q, _Atomic uint32_t *count,
                        struct gri_task *t)
{
    gri_lock(lock);
    queue_push(q, t);
    atomic_fetch_add(count, 1); /* seq_cst: before idle_count is read */
    gri_unlock(lock);
}

/* ring_push: the owner only. false when full. */
static bool ring_push(struct gri_worker *w, struct gri_task *t)
{
    uint32_t tail = atomic_load_explicit(&w->tail, memory_order_relaxed);
    /* acquire: a thief's claim of a slot comes before we fill the slot again */
    uint32_t head = atomic_load_explicit(&w->head, memory_order_acquire);

    if (tail - head >= GRI_RING)
        return false;
    atomic_store_explicit(&w->ring[tail % GRI_RING], t, memory_order_relaxed);
    atomic_store(&w->tail, tail + 1); /* seq_cst: publishes the slot, and comes before idle_count is read */
    return true;
}

/* ring_take: the owner and thieves alike, so a task is claimed by moving head. */
static struct gri_task *ring_take(struct gri_worker *w)
{
    uint32_t head = atomic_load_explicit(&w->head, memory_order_acquire);

    for (;;) {
        struct gri_task *t;

        /* acquire: the slot's content was stored before tail moved past it */
        if (head == atomic_load_explicit(&w->tail, memory_order_acquire))
            return NULL;
        t = atomic_load_explicit(&w->ring[head % GRI_RING], memory_order_relaxed);
        /* release: our read of the slot comes before the owner may fill it again */
        if (atomic_compare_exchange_weak_explicit(&w->head, &head, head + 1, memory_order_acq_rel,
                                                  memory_order_acquire))
            return t;
    }
}

/* ---- waking ---------------------------------------------------------------------------------- */

static void wake_worker(struct gri_worker *w)
{
    atomic_store(&w->wake, 1);
    gri_futex_wake(&w->wake, 1);
}

static void wake_one(struct gri_sched *s)
{
    struct gri_worker *w;

    if (atomic_load(&s->idle_count) == 0 || atomic_load(&s->searching) != 0)
        return;
    gri_lock(&s->idle_lock);
    w = s->idle_stack;
    if (w != NULL) {
        s->idle_stack = w->idle_next;
        w->idle = false;
        atomic_fetch_sub(&s->idle_count, 1);
        atomic_fetch_add(&s->searching, 1); /* on its behalf: it looks around when it wakes up */
    }
    gri_unlock(&s->idle_lock);
    if (w != NULL)
        wake_worker(w);
}

/* leave_idle takes w off the idle stack; false when a waker has done so already. */
static bool leave_idle(struct gri_worker *w)
{
    struct gri_sched *s = w->sched;
    bool was;

    gri_lock(&s->idle_lock);
    was = w->idle;
    if (was) {
        struct gri_worker **at = &s->idle_stack;

        while (*at != w)
            at = &(*at)->idle_next;
        *at = w->idle_next;
        w->idle = false;
        atomic_fetch_sub(&s->idle_count, 1);
    }
    gri_unlock(&s->idle_lock);
    return was;
}

static void inject(struct gri_sched *s, struct gri_task *t)
{
    locked_push(&s->inject_lock, &s->injected, &s->inject_count, t);
    wake_one(s);
}

static void push_behind(struct gri_worker *w, struct gri_task *t)
{
    if (!ring_push(w, t))
        locked_push(&w->sched->inject_lock, &w->sched->injected, &w->sched->inject_count, t);
    wake_one(w->sched);
}

void gri_ready(struct gri_sched *s, struct gri_task *t)
{
    struct gri_worker *w = gri_exec()->worker;
    struct gri_task *old;

    if (w == NULL || w->sched != s) {
        inject(s, t);
        gri_monitor_notice(s);
        return;
    }
    /* acq_rel: the task's fields are published to the monitor, which may take it from the slot */
    old = atomic_exchange_explicit(&w->lifo, t, memory_order_acq_rel);
    if (old != NULL)
        push_behind(w, old);
}

void gri_ready_later(struct gri_sched *s, struct gri_task *t)
{
    struct gri_worker *w = gri_exec()->worker;

    if (w == NULL || w->sched != s) {
        inject(s, t);
        gri_monitor_notice(s);
    } else {
        push_behind(w, t);
    }
}

void gri_ready_on(struct gri_sched *s, struct gri_task *t, unsigned worker)
{
    struct gri_worker *w = &s->workers[worker % s->worker_count];

    locked_push(&w->inbox_lock, &w->inbox, &w->inbox_count, t);
    if (leave_idle(w)) {
        atomic_fetch_add(&s->searching, 1);
        wake_worker(w);
    }
    gri_monitor_notice(s);
}

bool gri_take_lifo(struct gri_task *t)
{
    struct gri_worker *w = gri_exec()->worker;
    struct gri_task *expected = t;

    return w != NULL && atomic_compare_exchange_strong_explicit(
                            &w->lifo, &expected, NULL, memory_order_acq_rel, memory_order_relaxed);
}

/* ---- finding work ------------------------------------------------------------------------------ */

static struct gri_task *take_inside(struct gri_worker *w)
{
    struct gri_task *t;

    if (w->lifo_runs < LIFO_RUNS_MAX) {
        t = atomic_exchange_explicit(&w->lifo, NULL, memory_order_acq_rel);
        if (t != NULL) {
            w->lifo_runs++;
            return t;
        }
    }
    w->lifo_runs = 0;
    t = ring_take(w);
    return t != NULL ? t : atomic_exchange_explicit(&w->lifo, NULL, memory_order_acq_rel);
}

/* take_outside takes from the injection queue and the inbox, each first in turn: pinned tasks that keep
 * readying each other must not shut the rest out, nor the other way round. */
static struct gri_task *take_outside(struct gri_worker *w)
{
    struct gri_sched *s = w->sched;
    bool inbox_first = (w->outside++ & 1) == 0;
    struct gri_task *t = NULL;

    if (inbox_first)
        t = locked_pop(&w->inbox_lock, &w->inbox, &w->inbox_count);
    if (t == NULL)
        t = locked_pop(&s->inject_lock, &s->injected, &s->inject_count);
    if (t == NULL && !inbox_first)
        t = locked_pop(&w->inbox_lock, &w->inbox, &w->inbox_count);
    return t;
}

static struct gri_task *steal(struct gri_worker *w)
{
    struct gri_sched *s = w->sched;

    for (unsigned i = 1; i < s->worker_count; i++) {
        struct gri_task *t = ring_take(&s->workers[(w->index + i) % s->worker_count]);

        if (t != NULL)
            return t;
    }
    return NULL;
}

static void run_timers(struct gri_sched *s)
{
    uint64_t next = atomic_load_explicit(&s->wheel.next_ns, memory_order_relaxed);
    uint64_t now;

    if (next == GRI_NEVER)
        return;
    now = gri_sched_now(s);
    if (now >= next)
        gri_wheel_run(&s->wheel, now);
}

static struct gri_task *look_everywhere(struct gri_worker *w)
{
    struct gri_task *t = take_inside(w);

    if (t == NULL)
        t = take_outside(w);
    return t != NULL ? t : steal(w);
}

static bool anything_queued(struct gri_worker *w)
{
    struct gri_sched *s = w->sched;

    if (atomic_load(&s->inject_count) != 0 || atomic_load(&w->inbox_count) != 0)
        return true;
    for (unsigned i = 0; i < s->worker_count; i++)
        if (atomic_load(&s->workers[i].tail) != atomic_load(&s->workers[i].head))
            return true;
    return false;
}

/* park sleeps until there may be work. On return the worker counts as searching. */
static void park(struct gri_worker *w)
{
    struct gri_sched *s = w->sched;

    gri_lock(&s->idle_lock);
    w->idle = true;
    w->idle_next = s->idle_stack;
    s->idle_stack = w;
    atomic_fetch_add(&s->idle_count, 1); /* seq_cst: before we look once more */
    gri_unlock(&s->idle_lock);
    if (anything_queued(w) || atomic_load(&s->stopping)) {
        if (leave_idle(w)) {
            atomic_fetch_add(&s->searching, 1);
            return;
        }
    }
    while (atomic_load(&w->wake) == 0)
        gri_futex_wait(&w->wake, 0, GRI_NEVER);
    atomic_store(&w->wake, 0);
}

static void stop_searching(struct gri_worker *w)
{
    /* the last searcher to find something wakes the next, if there is more to find */
    if (atomic_fetch_sub(&w->sched->searching, 1) == 1 && anything_queued(w))
        wake_one(w->sched);
}

/* search looks around for a while, then parks, and so on. NULL: the scheduler stops. */
static struct gri_task *search(struct gri_worker *w)
{
    struct gri_sched *s = w->sched;
    struct gri_task *t;

    atomic_fetch_add(&s->searching, 1);
    for (;;) {
        uint64_t start = gri_clock_ns();

        do {
            t = look_everywhere(w);
            if (t != NULL) {
                stop_searching(w);
                return t;
            }
            if (atomic_load(&s->stopping)) {
                atomic_fetch_sub(&s->searching, 1);
                return NULL;
            }
            for (int i = 0; i < 20; i++)
                gri_cpu_relax();
        } while (gri_clock_ns() - start < SEARCH_NS);
        atomic_fetch_sub(&s->searching, 1);
        park(w);
    }
}

static struct gri_task *next_task(struct gri_worker *w)
{
    struct gri_task *t = NULL;

    if (++w->tick % OUTSIDE_FIRST == 0) {
        run_timers(w->sched);
        t = take_outside(w);
    }
    if (t == NULL)
        t = take_inside(w);
    if (t == NULL)
        t = take_outside(w);
    if (t == NULL) {
        run_timers(w->sched);
        t = search(w);
    }
    return t;
}

/* ---- fibers --------------------------------------------------------------------------------- */

static void run_after(struct gri_worker *w)
{
    void (*after)(void *) = w->after;

    w->after = NULL;
    if (after != NULL)
        after(w->after_arg);
}

/* switch_to leaves the current fiber for `to`, which first calls after(arg). It returns when somebody
 * switches back, perhaps on another worker. */
static void switch_to(struct gri_worker *w, struct gri_fiber *to, void (*after)(void *), void *arg)
{
    struct gri_fiber *from = w->current;

    w->after = after;
    w->after_arg = arg;
    w->current = to;
    to->exec.worker = w;
    set_exec(&to->exec);
    gri_fiber_switch(from, to);
    run_after(gri_exec()->worker);
}

static void fiber_give(void *arg);

static void loop(void *arg)
{
    struct gri_worker *w = gri_exec()->worker;
    struct gri_task *t;

    (void)arg;
    run_after(w);
    while ((t = next_task(w)) != NULL) {
        t->run(t);
        w = gri_exec()->worker; /* t may have waited, and come back on another worker */
    }
    switch_to(w, &w->native, fiber_give, w->current);
    gri_check(!"a stopped worker was resumed");
}

static struct gri_fiber *pool_take(struct gri_sched *s)
{
    struct gri_fiber *f;

    gri_lock(&s->fiber_lock);
    f = s->fiber_pool;
    if (f != NULL) {
        s->fiber_pool = f->next;
        s->fiber_pool_count--;
    }
    gri_unlock(&s->fiber_lock);
    return f;
}

/* fiber_new maps a stack that will enter the loop; NULL at the limit, or without memory. */
static struct gri_fiber *fiber_new(struct gri_sched *s)
{
    struct gri_fiber *f = NULL;

    if (atomic_fetch_add(&s->fibers, 1) < s->fibers_max + s->worker_count)
        f = gri_fiber_new(s->stack_size, loop, NULL);
    if (f != NULL)
        f->exec.fiber = f;
    else
        atomic_fetch_sub(&s->fibers, 1);
    return f;
}

/* fiber_take returns a stack that is in the loop, or will enter it; NULL at the limit. */
static struct gri_fiber *fiber_take(struct gri_worker *w)
{
    struct gri_sched *s = w->sched;
    struct gri_fiber *f = w->spare;

    if (f != NULL) {
        w->spare = f->next;
        w->spare_count--;
        return f;
    }
    f = pool_take(s);
    if (f != NULL)
        return f;
    return fiber_new(s);
}

/* fiber_give keeps a loop stack for later; runs on the stack that replaced it. */
static void fiber_give(void *arg)
{
    struct gri_fiber *f = arg;
    struct gri_worker *w = gri_exec()->worker;
    struct gri_sched *s = w->sched;
    bool kept = false;

    if (w->spare_count < SPARE_MAX) {
        f->next = w->spare;
        w->spare = f;
        w->spare_count++;
        return;
    }
    gri_lock(&s->fiber_lock);
    if (s->fiber_pool_count < POOL_MAX) {
        f->next = s->fiber_pool;
        s->fiber_pool = f;
        s->fiber_pool_count++;
        kept = true;
    }
    gri_unlock(&s->fiber_lock);
    if (!kept) {
        gri_fiber_free(f);
        atomic_fetch_sub(&s->fibers, 1);
    }
}

/* Leave this loop's stack to the spares, go on with the fiber. When the stack is used again, this returns
 * into its loop. */
void gri_run_fiber(struct gri_fiber *f)
{
    struct gri_worker *w = gri_exec()->worker;

    switch_to(w, f, fiber_give, w->current);
}

static void resume_run(struct gri_task *t)
{
    gri_run_fiber(gri_container_of(t, struct gri_fiber, task));
}

gr_code gri_suspend(void (*commit)(void *arg), void *arg)
{
    struct gri_worker *w = gri_exec()->worker;
    struct gri_fiber *next;

    gri_assert(w != NULL);
    next = fiber_take(w);
    if (next == NULL)
        return GR_EFULL;
    if (w->current->exec.hooks != NULL)
        w->current->exec.hooks->suspending(&w->current->exec);
    switch_to(w, next, commit, arg);
    return GR_OK;
}

void gri_resume_now(struct gri_sched *s, struct gri_fiber *f)
{
    f->task.run = resume_run;
    f->task.name = "resume";
    if (f->exec.pin != 0)
        gri_ready_on(s, &f->task, f->exec.pin - 1);
    else
        gri_ready(s, &f->task);
}

void gri_resume(struct gri_sched *s, struct gri_fiber *f)
{
    if (f->exec.hooks != NULL && f->exec.hooks->resuming != NULL)
        f->exec.hooks->resuming(&f->exec);
    else
        gri_resume_now(s, f);
}

/* ---- timers --------------------------------------------------------------------------------- */

void gri_timer_start(struct gri_sched *s, struct gri_timer *t, uint64_t at_ns)
{
    if (gri_wheel_arm(&s->wheel, t, at_ns) && at_ns < atomic_load(&s->monitor_until))
        gri_monitor_wake(s);
}

bool gri_timer_cancel(struct gri_sched *s, struct gri_timer *t)
{
    return gri_wheel_disarm(&s->wheel, t);
}

uint64_t gri_deadline_after(struct gri_sched *s, int64_t timeout_ms)
{
    if (timeout_ms < 0)
        return GRI_NEVER;
    if ((uint64_t)timeout_ms >= UINT64_MAX / 2000000u)
        return GRI_NEVER;
    return gri_sched_now(s) + (uint64_t)timeout_ms * 1000000u;
}

/* ---- starting and stopping ---------------------------------------------------------------------- */

static void *worker_main(void *arg)
{
    struct gri_worker *w = arg;

    gri_fiber_adopt(&w->native);
    w->native.exec.worker = w;
    w->current = &w->native;
    set_exec(&w->native.exec);
    switch_to(w, fiber_take(w), NULL, NULL); /* worker_init has left one there */
    set_exec(NULL);
    return NULL;
}

/* worker_init makes the stack of the worker's loop too, so that its thread can't fail. */
static gr_code worker_init(struct gri_sched *s, unsigned index)
{
    struct gri_worker *w = &s->workers[index];

    w->sched = s;
    w->index = index;
    w->spare = fiber_new(s);
    w->spare_count = w->spare != NULL ? 1 : 0;
    return w->spare != NULL ? GR_OK : GR_ENOMEM;
}

static gr_code start_threads(struct gri_sched *s)
{
    gr_code rc = gri_monitor_start(s);

    for (unsigned i = 0; i < s->worker_count && rc == GR_OK; i++) {
        rc = gri_thread_start(&s->workers[i].thread, "gr-worker", worker_main, &s->workers[i]);
        s->workers[i].started = rc == GR_OK;
    }
    return rc;
}

gr_code gri_sched_start(struct gri_sched *s, const struct gri_sched_opts *opts)
{
    gr_code rc = GR_ENOMEM;

    gri_world_real(&s->world);
    gri_wheel_init(&s->wheel, gri_sched_now(s));
    s->worker_count = opts->workers;
    s->fibers_max = opts->fibers_max;
    s->stack_size = opts->stack_size;
    s->workers = gri_alloc_aligned(64, opts->workers * sizeof(*s->workers));
    if (s->workers == NULL)
        return GR_ENOMEM;
    for (unsigned i = 0; i < opts->workers; i++)
        s->workers[i] = (struct gri_worker){ .index = 0 };
    rc = gri_blocking_init(&s->blocking, (unsigned)opts->blocking_max, opts->blocking_queue_max);
    for (unsigned i = 0; i < opts->workers && rc == GR_OK; i++)
        rc = worker_init(s, i);
    if (rc == GR_OK)
        rc = start_threads(s);
    if (rc != GR_OK) {
        gri_sched_stop(s);
        gri_blocking_stop(&s->blocking, 0);
    }
    return rc;
}

static void join_workers(struct gri_sched *s)
{
    atomic_store(&s->stopping, true);
    for (unsigned i = 0; i < s->worker_count; i++)
        wake_worker(&s->workers[i]);
    for (unsigned i = 0; i < s->worker_count; i++)
        if (s->workers[i].started)
            pthread_join(s->workers[i].thread, NULL);
}

static void free_fibers(struct gri_fiber *f)
{
    while (f != NULL) {
        struct gri_fiber *next = f->next;

        gri_fiber_free(f);
        f = next;
    }
}

void gri_sched_stop(struct gri_sched *s)
{
    join_workers(s);
    gri_monitor_stop(s);
    for (unsigned i = 0; i < s->worker_count; i++) {
        struct gri_worker *w = &s->workers[i];

        free_fibers(w->spare); /* among them the one that its loop ended on */
        if (w->started)
            gri_fiber_disown(&w->native);
    }
    free_fibers(s->fiber_pool);
    gri_free_aligned(s->workers);
    s->workers = NULL;
}

/* ---- services --------------------------------------------------------------------------------- */

struct gri_world *gri_world_of(gr_runtime *rt)
{
    return &gri_sched_of(rt)->world;
}

uint64_t gri_now(gr_runtime *rt)
{
    return gri_sched_now(gri_sched_of(rt));
}

uint64_t gri_random(gr_runtime *rt)
{
    struct gri_world *w = gri_world_of(rt);

    return w->random(w);
}
