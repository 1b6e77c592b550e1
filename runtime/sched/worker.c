/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.c - the workers' threads: the loop, the stacks it runs on, leaving and resuming them, and how a
 * scheduler starts and stops.
 *
 * Each stack in a pool is either fresh or in the middle of the loop, at a place where it holds nothing; so
 * any of them will do when a handler leaves its own stack behind, and none is missed when it is freed.
 */
#include "runtime/sched/sched.h"

#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/base/point.h"
#include "runtime/sched/cache.h"
#include "runtime/sched/monitor.h"
#include "runtime/sched/perch.h"
#include "runtime/sched/slab.h"
#include "runtime/sched/watchdog.h"
#include "runtime/sched/witness.h"

#define SPARE_MAX 16 /* loop stacks that a worker keeps */

static _Thread_local struct gri_exec *current_exec;
static _Thread_local struct gri_exec thread_exec; /* of a thread that is no worker */

/* Not inlined and opaque to the optimiser, which would else reuse a thread-local address across a
 * switch. */
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

struct gri_exec *gri_exec_swap(struct gri_exec *e)
{
    struct gri_exec *old = current_exec;

    set_exec(e);
    return old;
}

/* ---- fibers --------------------------------------------------------------------------------- */

static void run_after(struct gri_worker *w)
{
    void (*after)(void *) = w->after;

    w->after = NULL;
    if (after != NULL)
        after(w->after_arg);
}

/* switch_to leaves the current fiber for `to`, which first calls after(arg). It returns when
 * somebody switches back, perhaps on another worker. */
static void switch_to(struct gri_worker *w, struct gri_fiber *to, void (*after)(void *), void *arg)
{
    struct gri_fiber *from = w->current;

    w->after = after;
    w->after_arg = arg;
    w->current = to;
    to->exec.worker = w;
    set_exec(&to->exec);
    gri_fiber_switch(from, to);
    w = from->exec.worker; /* whoever came back to `from` has noted there who it is */
    run_after(w);
    gri_worker_begins(w, from->exec.who);
}

static void fiber_give(void *arg);

static void loop(void *arg)
{
    struct gri_exec *e = gri_exec(); /* this stack's */
    struct gri_worker *w = e->worker;
    struct gri_task *t;

    (void)arg;
    run_after(w);
    while ((t = gri_next_task(w)) != NULL) {
        t->run(t);
        w = e->worker; /* t may have waited, and come back on another worker */
    }
    gri_perch_drop(w);
    switch_to(w, &w->native, fiber_give, w->current);
    gri_check_failed("a stopped worker was resumed", __FILE__, __LINE__);
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

    size_t others = atomic_fetch_add(&s->fibers, 1);

    if (others < s->fibers_max + s->worker_count + s->spares_max)
        f = gri_fiber_new(s->stack_size, loop, NULL);
    gri_raise(&s->fibers_high, (int64_t)(others + (f != NULL)));
    if (f != NULL)
        f->exec.fiber = f;
    else
        atomic_fetch_sub(&s->fibers, 1);
    return f;
}

static struct gri_fiber *spare_take(struct gri_worker *w)
{
    struct gri_fiber *f = w->spare;

    w->spare = f->next;
    w->spare_count--;
    return f;
}

/* fiber_take returns a stack that is in the loop, or will enter it; NULL at the limit. */
static struct gri_fiber *fiber_take(struct gri_worker *w)
{
    struct gri_sched *s = w->sched;
    struct gri_fiber *f;

    if (w->spare != NULL && !gri_fault(GRI_AT_NO_SPARE))
        return spare_take(w);
    f = pool_take(s);
    if (f != NULL)
        return f;
    return fiber_new(s);
}

/* fiber_give keeps a loop stack for later; runs on the stack that replaced it. It is not unmapped here, since
 * that stops all threads for a moment (each has to forget the pages). */
static void fiber_give(void *arg)
{
    struct gri_fiber *f = arg;
    struct gri_worker *w = gri_exec()->worker;
    struct gri_sched *s = w->sched;

    if (w->spare_count < SPARE_MAX) {
        f->next = w->spare;
        w->spare = f;
        w->spare_count++;
        return;
    }
    gri_lock(&s->fiber_lock);
    f->next = s->fiber_pool;
    s->fiber_pool = f;
    s->fiber_pool_count++;
    gri_unlock(&s->fiber_lock);
}

void gri_fibers_trim(struct gri_sched *s)
{
    while (gri_fibers_spare(s)) {
        struct gri_fiber *f = pool_take(s);

        if (f == NULL)
            return;
        gri_fiber_free(f);
        atomic_fetch_sub(&s->fibers, 1);
    }
}

/* Leave this loop's stack to the spares, go on with the fiber. When the stack is used again, this
 * returns into its loop. */
void gri_run_fiber(struct gri_fiber *f)
{
    struct gri_worker *w = gri_exec()->worker;

    switch_to(w, f, fiber_give, w->current);
}

static void resume_run(struct gri_task *t)
{
    gri_run_fiber(gri_container_of(t, struct gri_fiber, task));
}

gr_code gri_suspend(struct gri_fiber *f, void (*commit)(void *arg), void *arg)
{
    struct gri_worker *w = f->exec.worker;
    struct gri_fiber *next;

    gri_assert(w != NULL);
    if (gri_fault(GRI_AT_FIBERS_FULL))
        return GR_EFULL;
    gri_point(GRI_AT_SUSPEND);
    next = fiber_take(w);
    if (next == NULL) {
        gri_count(w->sched->ledger, GRI_COUNT_REFUSED_FIBERS, 1);
        return GR_EFULL;
    }
    gri_tally_count(w->tally, GRI_COUNT_WAITS, 1);
    if (f->exec.hooks != NULL)
        f->exec.hooks->suspending(&f->exec);
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

/* On the stack that replaced the handler's. */
static void stand_back(void *arg)
{
    struct gri_fiber *f = arg;
    struct gri_worker *w = gri_exec()->worker;
    struct gri_sched *s = w->sched;

    gri_tally_count(w->tally, GRI_COUNT_STOOD_BACK, 1);
    if (f->exec.pin != 0 || (f->exec.hooks != NULL && f->exec.hooks->resuming != NULL)) {
        gri_resume(s, f);
        return;
    }
    f->task.run = resume_run;
    f->task.name = "resume";
    gri_ready_later(s, &f->task);
}

void gri_let_others_run(struct gri_exec *e)
{
    e->sent = 0;
    if (e->worker != NULL && e->fiber != NULL && e->cheap == 0 && gri_worker_has_queued(e->worker))
        /* without a stack to go on with it keeps the worker */
        gri_suspend(e->fiber, stand_back, e->fiber);
}

/* ---- starting and stopping ------------------------------------------------------------------- */

static void *worker_main(void *arg)
{
    struct gri_worker *w = arg;

    if (w->spare_worker)
        gri_thread_prompt();
    gri_cpu_id_here(&w->cpu);
    gri_fiber_adopt(&w->native);
    w->native.exec.worker = w;
    w->current = &w->native;
    set_exec(&w->native.exec);
    gri_witness_enter(w->witness);
    switch_to(w, spare_take(w), NULL, NULL); /* worker_init has left one there */
    set_exec(NULL);
    gri_witness_leave(w->witness);
    return NULL;
}

/* worker_init makes what the worker's thread needs, so that it can't fail. */
static gr_code worker_init(struct gri_sched *s, unsigned index)
{
    struct gri_worker *w = &s->workers[index];

    gri_check(s->workers != NULL);
    if (w->witness == NULL && gri_witness_new(w) != GR_OK)
        return GR_ENOMEM;
    gri_lifo_init(&w->lifo);
    w->spare = fiber_new(s);
    w->spare_count = w->spare != NULL ? 1 : 0;
    return w->spare != NULL ? GR_OK : GR_ENOMEM;
}

gr_code gri_worker_start(struct gri_sched *s, unsigned index, const char *thread_name)
{
    struct gri_worker *w = &s->workers[index];
    gr_code rc = w->spare != NULL ? GR_OK : worker_init(s, index);

    if (rc == GR_OK)
        rc = gri_thread_start(&w->thread, thread_name, worker_main, w);
    w->started = rc == GR_OK;
    return rc;
}

static gr_code start_threads(struct gri_sched *s)
{
    gr_code rc = gri_monitor_start(s);

    for (unsigned i = 0; i < s->worker_count && rc == GR_OK; i++)
        rc = gri_worker_start(s, i, "gr-worker");
    return rc;
}

/* make_workers makes the workers without threads, the spare ones too, and the ledger. */
static gr_code make_workers(struct gri_sched *s, const struct gri_sched_opts *opts)
{
    unsigned count = opts->workers + opts->spares_max;
    gr_code rc = GR_OK;

    s->workers = gri_alloc_aligned(64, count * sizeof(*s->workers));
    if (s->workers == NULL)
        return GR_ENOMEM;
    s->ledger = gri_ledger_new(count, opts->meter_max);
    s->store = gri_store_new();
    if (s->ledger == NULL || s->store == NULL) {
        gri_ledger_unref(s->ledger);
        gri_store_close(s->store);
        s->ledger = NULL;
        s->store = NULL;
        gri_free_aligned(s->workers);
        s->workers = NULL;
        return GR_ENOMEM;
    }
    for (unsigned i = 0; i < count; i++)
        s->workers[i] = (struct gri_worker){ .sched = s,
                                             .index = i,
                                             .tally = &s->ledger->tally[i],
                                             .search_ns = GRI_SEARCH_NS,
                                             .task_ns = GRI_TASK_NS,
                                             .spare_worker = i >= opts->workers };
    for (unsigned i = 0; i < opts->workers && rc == GR_OK; i++)
        rc = worker_init(s, i);
    return rc;
}

gr_code gri_sched_start(struct gri_sched *s, const struct gri_sched_opts *opts)
{
    gr_code rc;

    gri_world_real(&s->world);
    gri_wheel_init(&s->wheel, gri_sched_now(s));
    s->worker_count = opts->workers;
    s->fibers_max = opts->fibers_max;
    s->stack_size = opts->stack_size;
    s->report_overflow = opts->report_overflow;
    s->backtrace_signal = opts->backtrace_signal;
    s->spares_max = opts->spares_max;
    s->watch.report_ns = opts->report_ns != 0 ? opts->report_ns : GRI_NEVER;
    s->watch.stuck_ns = opts->stuck_ns != 0 ? opts->stuck_ns : GRI_NEVER;
    s->watch.spare_ns = opts->spare_ns != 0 ? opts->spare_ns : GRI_NEVER;
    if (s->watch.spare_ns > s->watch.stuck_ns)
        s->watch.spare_ns = s->watch.stuck_ns; /* a stuck worker is held too */
    atomic_init(&s->live_count, opts->workers);
    atomic_init(&s->active_count, opts->workers);
    rc = gri_witness_begin(s);
    if (rc != GR_OK)
        return rc;
    rc = make_workers(s, opts);
    if (s->workers == NULL) {
        gri_witness_end(s);
        return rc;
    }
    gri_blocking_init(&s->blocking, &opts->blocking);
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
        gri_wake_worker(&s->workers[i]);
    for (unsigned i = 0; i < s->worker_count; i++)
        if (s->workers[i].started)
            gri_thread_join(&s->workers[i].thread);
}

/* join_spares: when the monitor, which starts them, is no more. */
static void join_spares(struct gri_sched *s)
{
    unsigned live = atomic_load(&s->live_count);

    gri_spares_wake(s);
    for (unsigned i = s->worker_count; i < live; i++) {
        gri_wake_worker(&s->workers[i]);
        gri_thread_join(&s->workers[i].thread);
    }
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
    join_spares(s);
    /* acquire: pairs with leave in sched.c */
    while (atomic_load_explicit(&s->visitors, memory_order_acquire) != 0)
        gri_cpu_relax();
    for (unsigned i = 0; i < s->worker_count + s->spares_max; i++) {
        struct gri_worker *w = &s->workers[i];

        free_fibers(w->spare); /* among them the one that its loop ended on */
        gri_shelves_empty(w);
        if (w->started)
            gri_fiber_disown(&w->native);
        gri_witness_free(w->witness);
    }
    gri_witness_end(s);
    free_fibers(s->fiber_pool);
    gri_store_close(s->store);
    s->store = NULL;
    gri_ledger_unref(s->ledger);
    gri_free_aligned(s->workers);
    s->workers = NULL;
}
