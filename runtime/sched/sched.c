/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched.c - queues, workers, parking.
 *
 * No wake-up is lost: whoever adds a task publishes it (seq_cst store of a tail or a count) and
 * then reads idle_count; whoever parks adds itself to idle_count (seq_cst) and then looks at all
 * queues once more. One of the two sees the other. A LIFO slot wakes nobody, since its owner runs
 * it next; the monitor passes it on when the owner is held up.
 *
 * At most one worker is woken for each task added, and none while another searches already. A
 * searcher that finds something wakes the next one if more is there than it will have done itself
 * by the time that the next one has come, so a burst wakes workers one by one. Where it was wrong
 * about that (see learn_task), so that work waits though nobody has run dry, the monitor wakes another.
 */
#include "runtime/sched/sched.h"

#include "runtime/base/point.h"
#include "runtime/sched/cache.h"
#include "runtime/sched/monitor.h"
#include "runtime/sched/perch.h"
#include "runtime/sched/watchdog.h"

#define LIFO_RUNS_MAX 64 /* then the ring gets its turn */
/* every so many tasks, the injection queue and the timers go first */
#define OUTSIDE_FIRST 61
#define SEARCH_NS_MIN 1000 /* the same where that has never helped lately */
/* the same of one that has a perch, whose input needs the processor until it is there */
#define PERCH_NS 2000
#define LOOK_EVERY 16 /* how many short waits between two looks at the others' rings, at most */
#define STEAL_MAX 32
#define WAKE_PAYS_NS 100000 /* work to be had by another worker that is worth waking it */
#define ELSEWHERE 8         /* tasks that a busy worker takes from another's spill at once */

/* ---- queues ---------------------------------------------------------------------------------- */

static struct gri_task *locked_pop(struct gri_lock *lock, struct gri_task_queue *q,
                                   _Atomic uint32_t *count)
{
    struct gri_task *t;

    if (atomic_load_explicit(count, memory_order_relaxed) == 0)
        return NULL;
    gri_lock(lock);
    t = gri_task_pop(q);
    if (t != NULL)
        atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
    gri_unlock(lock);
    return t;
}

static void locked_push(struct gri_lock *lock, struct gri_task_queue *q, _Atomic uint32_t *count,
                        struct gri_task *t)
{
    gri_lock(lock);
    gri_task_push(q, t);
    atomic_fetch_add(count, 1); /* seq_cst: before idle_count is read */
    gri_unlock(lock);
}

/* ring_push: the owner only. false when full. */
static bool ring_push(struct gri_worker *w, struct gri_task *t)
{
    uint32_t tail = atomic_load_explicit(&w->tail, memory_order_relaxed);
    /* acquire: a thief's claim of a slot comes before we fill the slot again */
    uint32_t head = atomic_load_explicit(&w->head, memory_order_acquire);

    if (tail - head >= GRI_RING || gri_fault(GRI_AT_RING_FULL))
        return false;
    atomic_store_explicit(&w->ring[tail % GRI_RING], t, memory_order_relaxed);
    /* seq_cst: publishes the slot, and comes before idle_count is read */
    atomic_store(&w->tail, tail + 1);
    gri_point(GRI_AT_RING_PUSH);
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
        gri_point(GRI_AT_RING_TAKE);
        /* release: our read of the slot comes before the owner may fill it again */
        if (atomic_compare_exchange_weak_explicit(&w->head, &head, head + 1, memory_order_acq_rel,
                                                  memory_order_acquire))
            return t;
    }
}

/* ---- waking ---------------------------------------------------------------------------------- */

void gri_wake_worker(struct gri_worker *w)
{
    atomic_store(&w->wake, 1);
    if (!gri_perch_rouse(w))
        gri_futex_wake(&w->wake, 1);
}

/* idle_pop takes an idle worker, one that waits for no input if there is such a one. idle_lock is held. */
static struct gri_worker *idle_pop(struct gri_sched *s)
{
    struct gri_worker **at = &s->idle_stack, *w;

    while (*at != NULL && atomic_load_explicit(&(*at)->perched, memory_order_relaxed))
        at = &(*at)->idle_next;
    if (*at == NULL)
        at = &s->idle_stack;
    w = *at;
    if (w != NULL)
        *at = w->idle_next;
    return w;
}

static void wake_one(struct gri_sched *s)
{
    struct gri_worker *w;

    gri_point(GRI_AT_WAKE_ONE);
    if (atomic_load(&s->idle_count) == 0 || atomic_load(&s->searching) != 0)
        return;
    gri_lock(&s->idle_lock);
    w = idle_pop(s);
    if (w != NULL) {
        w->idle = false;
        atomic_fetch_sub(&s->idle_count, 1);
        atomic_fetch_add(&s->searching, 1); /* on its behalf: it looks around when it wakes up */
    }
    gri_unlock(&s->idle_lock);
    if (w != NULL)
        gri_wake_worker(w);
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
    gri_point(GRI_AT_INJECT);
    wake_one(s);
}

static void spill(struct gri_worker *w, struct gri_task *t)
{
    locked_push(&w->spill_lock, &w->spill, &w->spill_count, t);
}

static void push_behind(struct gri_worker *w, struct gri_task *t)
{
    if (!ring_push(w, t))
        spill(w, t);
    wake_one(w->sched);
}

/* A thread that is not the scheduler's own readies a task, which may be the last that its runtime waits for: a
 * handler that awaited another runtime's answer. The runtime does not go before the thread has: gri_sched_stop
 * waits for visitors. Relaxed: what readies the task comes after it, and the runtime's end after the task. */
static void visit(struct gri_sched *s)
{
    atomic_fetch_add_explicit(&s->visitors, 1, memory_order_relaxed);
}

static void leave(struct gri_sched *s)
{
    gri_monitor_notice(s);
    atomic_fetch_sub_explicit(&s->visitors, 1, memory_order_release);
}

static void inject_from_outside(struct gri_sched *s, struct gri_task *t)
{
    struct gri_exec *e = gri_exec();

    visit(s);
    if (e->wakes_held == s) {
        locked_push(&s->inject_lock, &s->injected, &s->inject_count, t);
        e->wake_due = true;
    } else {
        inject(s, t);
    }
    leave(s);
}

void gri_wakes_hold(struct gri_sched *s)
{
    struct gri_exec *e = gri_exec();

    gri_assert(e->worker == NULL && e->wakes_held == NULL);
    e->wakes_held = s;
}

void gri_wakes_release(void)
{
    struct gri_exec *e = gri_exec();
    struct gri_sched *s = e->wakes_held;

    e->wakes_held = NULL;
    if (!e->wake_due)
        return;
    e->wake_due = false;
    visit(s);
    wake_one(s);
    leave(s);
}

void gri_ready(struct gri_sched *s, struct gri_task *t)
{
    struct gri_worker *w = gri_exec()->worker;
    struct gri_task *old;

    if (w == NULL || w->sched != s) {
        inject_from_outside(s, t);
        return;
    }
    old = gri_lifo_swap(&w->lifo, t);
    if (old != NULL)
        push_behind(w, old);
}

void gri_ready_later(struct gri_sched *s, struct gri_task *t)
{
    struct gri_worker *w = gri_exec()->worker;

    if (w == NULL || w->sched != s) {
        inject_from_outside(s, t);
    } else if (atomic_load_explicit(&w->spill_count, memory_order_relaxed) != 0) {
        spill(w, t); /* behind those that have spilled: it has had its turn */
        wake_one(s);
    } else {
        push_behind(w, t);
    }
}

void gri_ready_on(struct gri_sched *s, struct gri_task *t, unsigned worker)
{
    struct gri_worker *w = &s->workers[worker % s->worker_count];

    visit(s);
    locked_push(&w->inbox_lock, &w->inbox, &w->inbox_count, t);
    gri_worker_rouse(w);
    leave(s);
}

void gri_worker_rouse(struct gri_worker *w)
{
    if (leave_idle(w)) {
        atomic_fetch_add(&w->sched->searching, 1);
        gri_wake_worker(w);
    }
}

bool gri_take_lifo(struct gri_task *t)
{
    struct gri_worker *w = gri_exec()->worker;

    if (w == NULL || !gri_lifo_remove(&w->lifo, t))
        return false;
    gri_tally_count(w->tally, GRI_COUNT_CALLS_INLINE, 1);
    return true;
}

/* ---- finding work ---------------------------------------------------------------------------- */

static struct gri_task *take_inside(struct gri_worker *w)
{
    struct gri_task *t;

    if (w->lifo_runs < LIFO_RUNS_MAX && !gri_fault(GRI_AT_LIFO_SKIP)) {
        t = gri_lifo_swap(&w->lifo, NULL);
        if (t != NULL) {
            w->lifo_runs++;
            return t;
        }
    }
    w->lifo_runs = 0;
    t = ring_take(w);
    return t != NULL ? t : gri_lifo_swap(&w->lifo, NULL);
}

static struct gri_task *take_injected(struct gri_worker *w)
{
    struct gri_sched *s = w->sched;
    struct gri_task *t = locked_pop(&s->inject_lock, &s->injected, &s->inject_count);

    if (t != NULL) /* here, since who takes it has a tally, and who adds it may have none */
        gri_tally_count(w->tally, GRI_COUNT_INJECTED, 1);
    return t;
}

static void count_steal(struct gri_worker *w, uint32_t tasks)
{
    gri_tally_count(w->tally, GRI_COUNT_STEALS, 1);
    gri_tally_count(w->tally, GRI_COUNT_STOLEN, tasks);
}

static bool ring_empty(struct gri_worker *w)
{
    return atomic_load_explicit(&w->tail, memory_order_relaxed) ==
           atomic_load_explicit(&w->head, memory_order_relaxed);
}

/* spill_steal moves up to STEAL_MAX of what has spilled from another into w's ring, which is empty, but for
 * the first of them, which it returns. NULL: there is nothing. */
static struct gri_task *spill_steal(struct gri_worker *w, struct gri_worker *from)
{
    uint32_t tail = atomic_load_explicit(&w->tail, memory_order_relaxed), n = 0;
    struct gri_task *first, *t;

    if (atomic_load_explicit(&from->spill_count, memory_order_relaxed) == 0)
        return NULL;
    gri_lock(&from->spill_lock);
    first = gri_task_pop(&from->spill);
    while (first != NULL && n + 1 < STEAL_MAX && (t = gri_task_pop(&from->spill)) != NULL)
        atomic_store_explicit(&w->ring[(tail + n++) % GRI_RING], t, memory_order_relaxed);
    if (first != NULL)
        atomic_fetch_sub_explicit(&from->spill_count, n + 1, memory_order_relaxed);
    gri_unlock(&from->spill_lock);
    if (first == NULL)
        return NULL;
    gri_point(GRI_AT_RING_TAKE);
    atomic_store(&w->tail, tail + n); /* as in ring_push */
    count_steal(w, n + 1);
    return first;
}

/* take_spilled takes one at a time: what it readies goes first, so that a tree of tasks is gone through in depth. */
static struct gri_task *take_spilled(struct gri_worker *w)
{
    return locked_pop(&w->spill_lock, &w->spill, &w->spill_count);
}

/* take_elsewhere takes what has spilled from another worker, who may be busy for long: one task, and a few more into
 * w's own queue. */
static struct gri_task *take_elsewhere(struct gri_worker *w)
{
    struct gri_sched *s = w->sched;
    unsigned live = atomic_load_explicit(&s->live_count, memory_order_relaxed);
    struct gri_task *t = NULL, *more;

    for (unsigned i = 1; i < live && t == NULL; i++) {
        struct gri_worker *from = &s->workers[(w->index + i) % live];

        t = locked_pop(&from->spill_lock, &from->spill, &from->spill_count);
        for (int n = 1;
             n < ELSEWHERE && t != NULL &&
             (more = locked_pop(&from->spill_lock, &from->spill, &from->spill_count)) != NULL;
             n++)
            push_behind(w, more);
    }
    return t;
}

/* take_outside takes from the injection queue, the inbox and the spill, each first in turn: pinned tasks that
 * keep readying each other must not shut the rest out, nor the other way round. */
static struct gri_task *take_outside(struct gri_worker *w)
{
    unsigned first = w->outside++;
    struct gri_task *t = NULL;

    for (unsigned i = 0; i < 3 && t == NULL; i++) {
        switch ((first + i) % 3) {
        case 0: t = locked_pop(&w->inbox_lock, &w->inbox, &w->inbox_count); break;
        case 1: t = take_injected(w); break;
        default: t = take_spilled(w); break;
        }
    }
    return t;
}

/* ring_steal moves half of another's ring, at most STEAL_MAX, into w's own, which is empty, but for the
 * first of them, which it returns: so that thieves come seldom, since each visit takes lines of memory
 * from the cache of a worker that is busy. NULL: there is nothing. */
static struct gri_task *ring_steal(struct gri_worker *w, struct gri_worker *from)
{
    uint32_t head = atomic_load_explicit(&from->head, memory_order_acquire);
    uint32_t tail = atomic_load_explicit(&w->tail, memory_order_relaxed);
    struct gri_task *first;
    uint32_t n;

    do {
        /* acquire: as in ring_take */
        n = atomic_load_explicit(&from->tail, memory_order_acquire) - head;
        if (n == 0)
            return NULL;
        n = n <= GRI_RING ? (n + 1) / 2 : 1; /* more: head has moved since it was read */
        if (n > STEAL_MAX)
            n = STEAL_MAX;
        first = atomic_load_explicit(&from->ring[head % GRI_RING], memory_order_relaxed);
        for (uint32_t i = 1; i < n; i++)
            atomic_store_explicit(
                &w->ring[(tail + i - 1) % GRI_RING],
                atomic_load_explicit(&from->ring[(head + i) % GRI_RING], memory_order_relaxed),
                memory_order_relaxed);
        gri_point(GRI_AT_RING_TAKE);
        /* release: our reads of the slots come before the owner may fill them again */
    } while (!atomic_compare_exchange_weak_explicit(&from->head, &head, head + n,
                                                    memory_order_acq_rel, memory_order_acquire));
    atomic_store(&w->tail, tail + n - 1); /* as in ring_push */
    count_steal(w, n);
    return first;
}

static struct gri_task *steal(struct gri_worker *w)
{
    struct gri_sched *s = w->sched;
    unsigned live = atomic_load_explicit(&s->live_count, memory_order_relaxed);

    for (unsigned i = 1; i < live; i++) {
        struct gri_worker *from = &s->workers[(w->index + i) % live];
        struct gri_task *t = NULL;

        if (ring_empty(w)) {
            t = ring_steal(w, from);
            if (t == NULL)
                t = spill_steal(w, from);
        } else if ((t = ring_take(from)) != NULL) {
            count_steal(w, 1);
        }
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
    for (unsigned i = 0; i < atomic_load(&s->live_count); i++)
        if (atomic_load(&s->workers[i].tail) != atomic_load(&s->workers[i].head) ||
            atomic_load(&s->workers[i].spill_count) != 0)
            return true;
    return false;
}

void gri_worker_empty(struct gri_worker *w)
{
    bool own = gri_exec()->worker == w;
    struct gri_task *t = own ? gri_lifo_swap(&w->lifo, NULL) : gri_lifo_seize(&w->lifo);

    if (t == NULL)
        t = ring_take(w);
    for (; t != NULL; t = ring_take(w))
        inject(w->sched, t);
    while ((t = locked_pop(&w->spill_lock, &w->spill, &w->spill_count)) != NULL)
        inject(w->sched, t);
    if (anything_queued(w)) /* somebody may have counted on w as a searcher */
        wake_one(w->sched);
}

/* park sleeps until there may be work. On return the worker counts as searching. */
static void park(struct gri_worker *w)
{
    struct gri_sched *s = w->sched;

    gri_cache_rest(w);
    gri_lock(&s->idle_lock);
    w->idle = true;
    w->idle_next = s->idle_stack;
    s->idle_stack = w;
    atomic_fetch_add(&s->idle_count, 1); /* seq_cst: before we look once more */
    gri_unlock(&s->idle_lock);
    gri_point(GRI_AT_IDLE);
    if (!GRI_PLANTED(LOST_WAKEUP) && (anything_queued(w) || atomic_load(&s->stopping))) {
        if (leave_idle(w)) {
            atomic_fetch_add(&s->searching, 1);
            /* it may have counted us among the idle ones, and gone to sleep for good */
            gri_monitor_notice(s);
            return;
        }
    }
    gri_point(GRI_AT_PARK);
    gri_tally_count(w->tally, GRI_COUNT_PARKS, 1);
    if (gri_perch_wait(w) &&
        leave_idle(w)) { /* else a waker has taken us off, and `wake` follows */
        atomic_fetch_add(&s->searching, 1);
        gri_monitor_notice(s);
        return;
    }
    while (atomic_load(&w->wake) == 0)
        gri_futex_wait(&w->wake, 0, GRI_NEVER);
    atomic_store(&w->wake, 0);
    gri_tally_count(w->tally, GRI_COUNT_WAKES, 1);
}

/* ring_depth: head is read first, so it is never past tail; but more may have come and gone since. */
static uint32_t ring_depth(struct gri_worker *w)
{
    uint32_t head = atomic_load_explicit(&w->head, memory_order_acquire);
    uint32_t n = atomic_load_explicit(&w->tail, memory_order_relaxed) - head;

    return n < GRI_RING ? n : GRI_RING;
}

/* count_queued: what w could take; others may take it first. */
static uint64_t count_queued(struct gri_worker *w)
{
    struct gri_sched *s = w->sched;
    unsigned live = atomic_load(&s->live_count);
    uint64_t n = (uint64_t)atomic_load(&s->inject_count) + atomic_load(&w->inbox_count);

    for (unsigned i = 0; i < live; i++)
        n += ring_depth(&s->workers[i]) + atomic_load(&s->workers[i].spill_count);
    return n;
}

/* learn_task notes what a task took, now that w has nothing to run. A worker that has not run any, or is simulated,
 * does not know, and takes it that each is worth a wake. */
static void learn_task(struct gri_worker *w, uint64_t now)
{
    unsigned tasks = w->tick - w->busy_tick;
    uint64_t each;

    if (w->sched->sim != NULL || w->busy_ns == 0 || tasks == 0)
        return;
    each = (now - w->busy_ns) / tasks;
    w->task_ns = (w->task_ns * 3 + each) / 4;
}

static void stop_searching(struct gri_worker *w)
{
    uint64_t queued = 0;

    w->busy_ns = gri_clock_ns();
    w->busy_tick = w->tick;
    if (atomic_fetch_sub(&w->sched->searching, 1) != 1)
        return;
    /* the last searcher to find something wakes the next, if there is enough to find */
    queued = count_queued(w);
    if (queued != 0 && (queued >= WAKE_PAYS_NS || queued * w->task_ns >= WAKE_PAYS_NS))
        wake_one(w->sched);
}

void gri_wake_for_waiting(struct gri_sched *s)
{
    if (atomic_load(&s->idle_count) != 0 && atomic_load(&s->searching) == 0 &&
        anything_queued(&s->workers[0]))
        wake_one(s);
}

/* learn says how long w is to look around the next time. Looking pays if work came while it looked, or so
 * soon afterwards that it would have come while looking for as long as may be. Where work comes
 * seldom, as in a stream of tokens, it would cost more than the work. */
static void learn(struct gri_worker *w, bool pays)
{
    if (w->sched->sim != NULL) /* what its seeds do must not depend on this */
        return;
    if (pays)
        w->search_ns = GRI_SEARCH_NS;
    else if (w->search_ns > SEARCH_NS_MIN)
        w->search_ns /= 2;
}

static uint64_t patience_of(const struct gri_worker *w)
{
    bool perched = atomic_load_explicit(&w->perch, memory_order_relaxed) != NULL;

    return perched && w->search_ns > PERCH_NS ? PERCH_NS : w->search_ns;
}

/* search looks around for a while, then parks, and so on. It looks at the others' rings ever more
 * seldom: each look takes the line with the ring's end from who is about to push there. NULL: the scheduler stops, or a spare
 * worker is to rest. */
static struct gri_task *search(struct gri_worker *w)
{
    struct gri_sched *s = w->sched;
    struct gri_task *t;

    /* an even beat: it has nothing to run */
    atomic_store_explicit(&w->beat, atomic_load_explicit(&w->beat, memory_order_relaxed) & ~1u,
                          memory_order_release);
    atomic_fetch_add(&s->searching, 1);
    learn_task(w, gri_clock_ns());
    for (;;) {
        uint64_t start = gri_clock_ns();
        uint64_t patience = patience_of(w);
        unsigned waits = 0, until = 0, step = 1;

        do {
            if (waits >= until) {
                t = look_everywhere(w);
                until = waits + step;
                step = step < LOOK_EVERY ? step * 2 : step;
            } else {
                t = take_outside(w);
            }
            if (t == NULL && atomic_load_explicit(&w->perch, memory_order_relaxed) != NULL &&
                gri_perch_stirs(w))
                t = take_inside(w);
            if (t != NULL) {
                if (waits > 0)
                    learn(w, true);
                stop_searching(w);
                return t;
            }
            if (atomic_load(&s->stopping) || gri_spare_retires(w)) {
                atomic_fetch_sub(&s->searching, 1);
                return NULL;
            }
            for (int i = 0; i < 20; i++)
                gri_cpu_relax();
            waits++;
        } while (gri_clock_ns() - start < patience && !gri_fault(GRI_AT_SEARCH_SHORT));
        atomic_fetch_sub(&s->searching, 1);
        park(w);
        learn(w, gri_clock_ns() - start < GRI_SEARCH_NS);
    }
}

static struct gri_task *next_task(struct gri_worker *w)
{
    struct gri_task *t = NULL;

    if (gri_fault(GRI_AT_STEAL_FIRST))
        t = steal(w);
    if (gri_fault(GRI_AT_TIMERS_FIRST))
        run_timers(w->sched);
    if (t == NULL && (++w->tick % OUTSIDE_FIRST == 0 || gri_fault(GRI_AT_OUTSIDE_FIRST))) {
        run_timers(w->sched);
        t = take_outside(w);
        if (t == NULL)
            t = take_elsewhere(w);
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

struct gri_task *gri_next_task(struct gri_worker *w)
{
    struct gri_task *t = NULL;

    if (atomic_load_explicit(&w->perch, memory_order_relaxed) != NULL &&
        ++w->perch_tasks > GRI_PERCH_TASKS)
        gri_perch_drop(w);
    for (;;) {
        if (gri_spare_retires(w))
            gri_spare_rest(w);
        t = next_task(w);
        if (t != NULL || atomic_load(&w->sched->stopping))
            break;
    }
    gri_worker_begins(w, 0);
    return t;
}

struct gri_depth gri_sched_depth(struct gri_sched *s)
{
    unsigned live = atomic_load(&s->live_count);
    struct gri_depth d = { .shared = atomic_load_explicit(&s->inject_count, memory_order_relaxed) };

    d.all = d.shared;
    for (unsigned i = 0; i < live; i++) {
        struct gri_worker *w = &s->workers[i];
        uint32_t pinned = atomic_load_explicit(&w->inbox_count, memory_order_relaxed);

        d.pinned += pinned;
        d.all += pinned + ring_depth(w) +
                 atomic_load_explicit(&w->spill_count, memory_order_relaxed) +
                 (gri_lifo_peek(&w->lifo) != NULL);
    }
    return d;
}

/* ---- timers --------------------------------------------------------------------------------- */

void gri_timer_start(struct gri_sched *s, struct gri_timer *t, uint64_t at_ns)
{
    bool earliest = gri_wheel_arm(&s->wheel, t, at_ns);

    gri_point(GRI_AT_TIMER_ARM);
    if (earliest && at_ns < atomic_load(&s->monitor_until))
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

/* ---- the world -------------------------------------------------------------------------------- */

struct gri_world *gri_world_of(gr_runtime *rt)
{
    return &gri_sched_of(rt)->world;
}

uint64_t gri_now(gr_runtime *rt)
{
    return gri_sched_now(gri_sched_of(rt));
}

uint64_t gri_wall_us(gr_runtime *rt)
{
    struct gri_world *w = gri_world_of(rt);

    return w->wall(w);
}

uint64_t gri_random(gr_runtime *rt)
{
    struct gri_world *w = gri_world_of(rt);

    return w->random(w);
}
