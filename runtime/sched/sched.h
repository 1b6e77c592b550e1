/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched.h - tasks onto workers.
 *
 * Each worker has a LIFO slot (what it readied last runs next, while its data is warm), a ring from
 * which others may steal, a spill for what does not fit in there, which they may steal from too, and an
 * inbox for tasks pinned to it. What comes from other threads goes through the injection queue. An idle worker looks around for about 20
 * us, then parks on a futex. A monitor thread fires timers while workers are busy or parked, and
 * passes on a LIFO slot whose worker is held up; it sleeps while nothing happens.
 *
 * The scheduler knows tasks and fibers; no future, value or actor.
 */
#ifndef GR_RUNTIME_SCHED_SCHED_H
#define GR_RUNTIME_SCHED_SCHED_H

#include <stdatomic.h>
#include <stdbool.h>

#include "runtime/base/cpu_time.h"
#include "runtime/base/list.h"
#include "runtime/base/lock.h"
#include "runtime/base/thread.h"
#include "runtime/sched/blocking.h"
#include "runtime/sched/fiber.h"
#include "runtime/sched/ledger.h"
#include "runtime/sched/lifo.h"
#include "runtime/sched/region.h"
#include "runtime/sched/service.h"
#include "runtime/sched/shelf.h"
#include "runtime/sched/timer.h"
#include "runtime/sched/world.h"

#define GRI_RING 256
#define GRI_WORKERS_MAX 64
#define GRI_SEARCH_NS 20000 /* how long an idle worker looks around, at most */
#define GRI_STACKS_KEPT 256 /* by all workers together, in the quiet after a burst */
#define GRI_TASK_NS 1000000 /* what a worker thinks that a task takes, before it has run any */

/* What the monitor has seen of a worker: see watchdog.h. */
struct gri_watched {
    uint32_t beat;
    uint64_t since_ns; /* when it first saw that beat */
    uint64_t seen_ns;  /* when it last did */
    uint64_t who;      /* whose handler it is */
    uint64_t limit_ns; /* 0: not asked yet */
    bool reported, held, stuck;
    /* What is known of the handler's thread, from from_ns on: see held_ns in watchdog.c */
    bool asked;
    uint64_t from_ns;
    uint64_t before_ns; /* how long it had held its worker by then */
    uint64_t late_ns;   /* how long the monitor has been late since */
    struct gri_cpu_time from, last;
    uint64_t last_ns; /* when `last` was read */
};

struct gri_perch;

struct gri_worker {
    /* written by this worker and by thieves */
    _Alignas(64) _Atomic uint32_t head; /* next to take */
    struct gri_lock spill_lock;         /* guards spill */
    struct gri_task_queue spill;        /* what the ring had no room for */
    _Atomic uint32_t spill_count;
    /* next to fill; written by the owner only */
    _Alignas(64) _Atomic uint32_t tail;
    _Atomic(struct gri_task *) ring[GRI_RING];
    /* filled and emptied by the owner; the monitor takes from it if stuck */
    _Alignas(64) struct gri_lifo lifo;

    struct gri_sched *sched; /* borrowed */
    struct gri_tally *tally; /* borrowed from the ledger */
    unsigned index;
    unsigned lifo_runs;        /* in a row; bounded so that the ring gets its turn */
    unsigned tick;             /* tasks run; every so often the outside goes first */
    unsigned outside;          /* looks outside; its three queues go first in turn */
    struct gri_fiber *current; /* what runs */
    /* loop stacks to go on with; only this worker's thread uses them */
    struct gri_fiber *spare;
    unsigned spare_count;
    struct gri_shelf shelf[GRI_BLOCKS]; /* only this worker's thread uses them, */
    struct gri_homecoming tells;        /* and this */
    void (*after)(void *arg);           /* run by whoever is switched to, before anything else */
    void *after_arg;
    struct gri_fiber native; /* the thread's own stack */
    struct gri_thread thread;
    bool started;

    struct gri_lock inbox_lock;  /* guards inbox */
    struct gri_task_queue inbox; /* pinned tasks */
    _Atomic uint32_t inbox_count;

    _Atomic uint32_t wake;             /* 1: there may be work; the futex it parks on */
    struct gri_lock perch_lock;        /* see perch.c */
    _Atomic(struct gri_perch *) perch; /* its own, until it is left; NULL: none */
    _Atomic bool perched;              /* it waits there */
    uint64_t
        search_ns;    /* how long it looks around for work before it parks: see learn in sched.c */
    uint64_t task_ns; /* what a task took it lately: see learn_task in sched.c */
    uint64_t busy_ns; /* when it last found work after looking around */
    unsigned busy_tick;                 /* tick at that time */
    unsigned perch_tasks;               /* run since it was given the perch */
    const struct gri_perch *perch_seen; /* the monitor's; never looked into */
    struct gri_worker *idle_next;       /* guarded by sched->idle_lock */
    bool idle;                          /* on the idle stack; guarded by sched->idle_lock */
    struct gri_task *lifo_seen;         /* the monitor's */
    struct gri_watched watched;         /* the monitor's */

    _Atomic uint32_t beat;  /* tasks and handlers begun; odd: it runs one. Written by the owner */
    _Atomic uint64_t who;   /* the actor whose handler runs; 0: none. Written by the owner */
    struct gri_cpu_id cpu;  /* its thread's, set before the first beat */
    bool spare_worker;      /* serves only in another's place */
    _Atomic uint32_t serve; /* a spare's: 0, it is to rest; the futex that it rests on */
    _Atomic bool resting;   /* a spare's: it has handed everything over and sleeps */
    struct gri_witness *witness; /* owned; NULL: no option asks for it */
};

struct gri_sched_opts {
    unsigned workers;
    size_t fibers_max, stack_size;
    struct gri_blocking_opts blocking;
    size_t meter_max[GRI_METERS]; /* 0: no limit */
    unsigned spares_max;
    uint64_t report_ns, stuck_ns, spare_ns; /* 0: never */
    bool report_overflow;
    int backtrace_signal; /* 0: none; negative: one of our choice */
};

/* A report that waits for the worker to tell where it is. */
struct gri_slow {
    struct gri_worker *worker; /* NULL: there is none */
    char name[64];
    uint64_t ran_ns, until_ns;
    uint32_t beat;
    unsigned unsaid;
};

/* The watchdog's: all of it the monitor's, but for ops, which is set before there are actors. */
struct gri_watchdog {
    const struct gri_watch_ops *ops; /* NULL: nobody knows the actors */
    uint64_t report_ns, stuck_ns, spare_ns;
    uint64_t spared_since_ns; /* since when there has been a spare worker too many */
    uint64_t log_again_ns;
    unsigned unsaid; /* reports since the last line of the log */
    struct gri_slow slow;
};

struct gri_sim;

/* The head of every gr_runtime, so a gr_runtime pointer is a pointer to one. */
struct gri_sched {
    struct gri_world world;
    struct gri_sim *sim; /* borrowed; NULL: on the machine */
    struct gri_wheel wheel;
    struct gri_blocking blocking;
    struct gri_ledger *ledger;  /* counted */
    struct gri_worker *workers; /* owned array; spare ones behind the others */
    unsigned worker_count, spares_max;
    _Atomic unsigned live_count;   /* workers with a thread, spare ones too: who is stolen from */
    _Atomic unsigned active_count; /* those of them that don't rest */
    struct gri_watchdog watch;
    bool report_overflow; /* see witness.h */
    int backtrace_signal; /* 0: none */
    size_t fibers_max, stack_size;
    _Atomic size_t fibers; /* stacks that exist */
    _Atomic int64_t fibers_high;
    struct gri_lock fiber_lock; /* guards the two below */
    struct gri_fiber *fiber_pool;
    _Atomic unsigned fiber_pool_count; /* written under the lock */

    struct gri_store *store; /* owned; blocks for messages and calls */

    struct gri_lock inject_lock; /* guards injected */
    struct gri_task_queue injected;
    _Atomic uint32_t inject_count;
    /* threads that are not its own, on their way through gri_ready: see visit */
    _Atomic uint32_t visitors;

    struct gri_lock idle_lock; /* guards idle_stack and the workers' idle fields */
    struct gri_worker *idle_stack;
    _Atomic uint32_t idle_count;
    _Atomic uint32_t searching; /* workers that look around for work */
    _Atomic bool stopping;

    struct gri_thread monitor;
    bool monitor_started;
    _Atomic uint32_t monitor_wake;  /* the futex it sleeps on */
    _Atomic uint64_t monitor_until; /* when it wakes up by itself; 0 while awake */
    _Atomic bool monitor_deep;      /* it sleeps until the next timer and does not tick */

    struct gri_lock service_lock; /* guards services; held while one is made */
    struct gri_service services[GRI_SERVICE_COUNT];
    bool services_closed;
};

static inline struct gri_sched *gri_sched_of(gr_runtime *rt)
{
    return (struct gri_sched *)(void *)rt;
}

gr_code gri_sched_start(struct gri_sched *s, const struct gri_sched_opts *opts);
/* gri_sched_stop joins the workers once they have nothing left to run. Tasks still parked are left
 * behind. */
void gri_sched_stop(struct gri_sched *s);
void gri_services_stop(struct gri_sched *s);

/* gri_ready has t run soon: next on this worker, or injected from elsewhere. gri_ready_later puts
 * it behind what is queued already; gri_ready_on has it run on a worker of one's choice. [any] */
void gri_ready(struct gri_sched *s, struct gri_task *t);
void gri_ready_later(struct gri_sched *s, struct gri_task *t);
void gri_ready_on(struct gri_sched *s, struct gri_task *t, unsigned worker);

/* gri_worker_has_more: w has more than what it readied last, which will run next. */
static inline bool gri_worker_has_more(const struct gri_worker *w)
{
    return atomic_load_explicit(&w->head, memory_order_relaxed) !=
               atomic_load_explicit(&w->tail, memory_order_relaxed) ||
           atomic_load_explicit(&w->spill_count, memory_order_relaxed) != 0;
}

/* gri_worker_has_queued: w, which is the caller's, has something to run besides what runs. */
static inline bool gri_worker_has_queued(const struct gri_worker *w)
{
    return gri_lifo_peek(&w->lifo) != NULL || gri_worker_has_more(w);
}

/* What is ready and waits, for any worker and for a certain one, while others go on adding and taking. */
struct gri_depth {
    uint64_t all, shared, pinned;
};
struct gri_depth gri_sched_depth(struct gri_sched *s); /* [any] */

/* gri_next_task is what a worker's loop runs next; it waits for work. NULL: the scheduler stops. */
struct gri_task *gri_next_task(struct gri_worker *w);
void gri_wake_worker(struct gri_worker *w);
/* gri_worker_start starts the thread of a worker, with its first stack. */
gr_code gri_worker_start(struct gri_sched *s, unsigned index, const char *thread_name);
/* gri_worker_empty gives what a worker has queued, but for pinned tasks, to all of them: on the worker
 * itself, or on the monitor;
 * gri_worker_rouse wakes it up if it has nothing to do. [any] */
void gri_worker_empty(struct gri_worker *w);
void gri_worker_rouse(struct gri_worker *w);
/* gri_worker_begins notes that w begins a handler of `who`, or goes on with one. */
static inline void gri_worker_begins(struct gri_worker *w, uint64_t who)
{
    atomic_store_explicit(&w->who, who, memory_order_relaxed);
    /* release: who finds the beat finds whose it is */
    atomic_store_explicit(&w->beat, (atomic_load_explicit(&w->beat, memory_order_relaxed) + 2) | 1,
                          memory_order_release);
}

/* gri_take_lifo takes t out of the calling worker's LIFO slot, if it is what lies there, for the caller to
 * run at once: it counts as inline. */
bool gri_take_lifo(struct gri_task *t);
/* gri_wake_for_waiting wakes an idle worker, if there is one and work waits that no worker looks for. */
void gri_wake_for_waiting(struct gri_sched *s);

/* gri_exec returns what runs on this thread now. A call, not inlined: code that goes on after a switch
 * may be on another thread. But a stack's exec is the same as long as the stack runs. */
struct gri_exec *gri_exec(void);
/* gri_worker_of is the calling worker's number, if it is one of s's; else UINT32_MAX. */
static inline uint32_t gri_worker_of(const struct gri_sched *s)
{
    const struct gri_worker *w = gri_exec()->worker;

    return w != NULL && w->sched == s ? w->index : UINT32_MAX;
}
/* gri_exec_swap is for the simulation, whose threads share a real one. */
struct gri_exec *gri_exec_swap(struct gri_exec *e);

/*
 * gri_suspend leaves f, the running fiber, for the worker's loop and calls commit(arg) once it can be
 * resumed; gri_resume readies it again. gri_suspend returns GR_EFULL, without commit, when no stack
 * is left.
 */
gr_code gri_suspend(struct gri_fiber *f, void (*commit)(void *arg), void *arg);
void gri_resume(struct gri_sched *s, struct gri_fiber *f);
/* gri_let_others_run has the running handler stand back behind what its worker has queued, if there is
 * something; nothing in cheap code, and on threads that are no workers. [waits] */
void gri_let_others_run(struct gri_exec *e);
/* gri_resume_now readies a fiber past its hooks. gri_run_fiber goes on with it at once on this
 * worker, leaving the current stack to the spares: when it returns, the caller must return to the
 * loop and touch nothing. */
void gri_resume_now(struct gri_sched *s, struct gri_fiber *f);
void gri_run_fiber(struct gri_fiber *f);
/* gri_fibers_trim unmaps the stacks that a burst of waiting handlers has left behind, but for some. */
void gri_fibers_trim(struct gri_sched *s);
static inline bool gri_fibers_spare(const struct gri_sched *s)
{
    return atomic_load(&s->fiber_pool_count) > GRI_STACKS_KEPT;
}

/* gri_wakes_hold: what this thread, which is no worker, readies from now on wakes nobody until
 * gri_wakes_release, which wakes one worker for all of it. For a thread that readies many in a row: each
 * wake is a system call, and a worker that runs out of work between two tasks sleeps and is woken again. It
 * must not wait in between. */
void gri_wakes_hold(struct gri_sched *s);
void gri_wakes_release(void);

/* gri_timer_start arms t for at_ns; gri_timer_cancel as gri_wheel_disarm. [any] */
void gri_timer_start(struct gri_sched *s, struct gri_timer *t, uint64_t at_ns);
bool gri_timer_cancel(struct gri_sched *s, struct gri_timer *t);

/* gri_sched_foreign: the runtime is simulated, and not on this thread: see greenroom/sim.h. */
static inline bool gri_sched_foreign(const struct gri_sched *s)
{
    return s->sim != NULL && gri_platform_here() == NULL;
}

static inline uint64_t gri_sched_now(struct gri_sched *s)
{
    return s->world.now(&s->world);
}

/* gri_deadline_after turns a wait's timeout into a deadline: -1 for ever, 0 now. */
uint64_t gri_deadline_after(struct gri_sched *s, int64_t timeout_ms);

#endif
