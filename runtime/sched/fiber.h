/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fiber.h - stacks that code can leave and come back to.
 *
 * A worker's loop runs on a pooled stack. A handler that waits leaves that stack as it is, and the
 * thread goes on with the loop on another one. What ran on a stack is in its `exec`.
 *
 * A switch stores the callee-saved registers and the stack pointer, nothing else: errno,
 * thread-local state and the floating-point control words don't survive a wait. AddressSanitizer
 * and ThreadSanitizer are told of every switch.
 */
#ifndef GR_RUNTIME_SCHED_FIBER_H
#define GR_RUNTIME_SCHED_FIBER_H

#include <stdbool.h>

#include "runtime/sched/task.h"

struct gri_worker;
struct gri_cancel;
struct gri_park;

struct gri_exec;

/* How the layer above follows a handler that waits. Both run without locks, on a worker or any
 * thread. */
struct gri_exec_hooks {
    void (*suspending)(struct gri_exec *e); /* about to leave its stack */
    /* may go on: ready it, by gri_resume_now or through a queue; NULL is gri_resume_now */
    void (*resuming)(struct gri_exec *e);
    /* around a wait that may be interrupted, of a thread too: waiting may end it by a wake-up until
     * waited has returned, may set an earlier deadline, which then counts as an interruption, and
     * returns false to interrupt it at once. Both NULL: nobody follows */
    bool (*waiting)(struct gri_exec *e, struct gri_park *p, uint64_t *deadline_ns);
    void (*waited)(struct gri_exec *e);
};

/* What runs now, on a fiber or on a thread that is no worker. */
struct gri_exec {
    struct gri_worker *worker; /* borrowed; NULL on a thread that is no worker */
    struct gri_fiber *fiber;   /* borrowed; NULL likewise */
    void *ctx;                 /* the handler run under way: a gr_ctx, known to the actor layer */
    uint64_t who;              /* its actor, for the watchdog; 0: none */
    struct gri_cancel *cancel; /* borrowed; what interrupts its waits, NULL: nothing does */
    unsigned cheap;            /* > 0: cheap code, which can't wait */
    unsigned pin;              /* 1-based worker that it must resume on; 0: any */
    unsigned sent;             /* messages since it last let others run: see gri_let_others_run */
    const struct gri_exec_hooks *hooks; /* borrowed; NULL: none */
    /* a thread that is no worker: between gri_wakes_hold and _release; whether a wake is due then */
    struct gri_sched *wakes_held; /* borrowed */
    bool wake_due;
};

struct gri_fiber {
    void *sp;               /* where to go on; valid while not running */
    void *stack;            /* owned mapping, guard page first; NULL for a thread's own stack */
    size_t stack_size;      /* of the mapping */
    struct gri_fiber *next; /* in a pool */
    struct gri_exec exec;
    struct gri_task task; /* readied to resume the fiber */
    void *entry_arg;
    void (*entry)(void *arg);
    void *asan_fake;         /* AddressSanitizer's fake stack while switched away */
    const void *asan_bottom; /* the stack that may be used: for AddressSanitizer too */
    size_t asan_size;
    void *tsan;           /* ThreadSanitizer's fiber */
    unsigned valgrind_id; /* memcheck's name for the stack; test builds only */
};

/* gri_fiber_new maps a stack on which entry(arg) will run at the first switch; it must never
 * return. */
struct gri_fiber *gri_fiber_new(size_t stack_size, void (*entry)(void *arg), void *arg);
/* gri_fiber_free unmaps it; it must not be running, and what is on its stack is forgotten. */
void gri_fiber_free(struct gri_fiber *f);
/* gri_fiber_guards tells whether an address lies in the fiber's guard page; gri_fiber_stack_size is what
 * lies above that. */
static inline bool gri_fiber_guards(const struct gri_fiber *f, const void *address)
{
    return f->stack != NULL && address >= f->stack && address < f->asan_bottom;
}
static inline size_t gri_fiber_stack_size(const struct gri_fiber *f)
{
    return f->asan_size;
}
/* gri_fiber_bounds and gri_fiber_note fill in what the sanitizers want to know of the calling thread's
 * own stack, and of what runs now; nothing without them. */
void gri_fiber_bounds(struct gri_fiber *f);
void gri_fiber_note(struct gri_fiber *f);
/* gri_fiber_adopt makes f stand for the calling thread's own stack. */
void gri_fiber_adopt(struct gri_fiber *f);
void gri_fiber_disown(struct gri_fiber *f);
/* gri_fiber_switch leaves `from`, which runs, for `to`; it returns when somebody switches back. */
void gri_fiber_switch(struct gri_fiber *from, struct gri_fiber *to);

#endif
