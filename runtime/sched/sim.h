/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim.h - a simulated machine: threads that take turns on one real thread, and a virtual clock.
 *
 * A simulation belongs to the thread that made it. Every thread that a runtime starts there is a
 * stack of its own here; one runs at a time, until it waits, spins, ends, or loses the processor at
 * a point. Who goes on, what happens at points, and how time passes is drawn from the seed, so one
 * seed is one history. When nobody can run, time jumps to the next deadline; when there is none
 * either, the creating thread's wait gives up: nothing would ever end it.
 *
 * The runtimes that are made on the thread while it has a simulation join it, so several nodes
 * share one clock and one history.
 */
#ifndef GR_RUNTIME_SCHED_SIM_H
#define GR_RUNTIME_SCHED_SIM_H

#include <greenroom/sim.h>

#include "runtime/base/list.h"
#include "runtime/base/point.h"
#include "runtime/base/thread.h"
#include "runtime/sched/fiber.h"

enum gri_sim_state {
    GRI_SIM_RUNNABLE,
    GRI_SIM_WAITING, /* on `word`, or for `until` */
    GRI_SIM_DONE
};

struct gri_sim_thread {
    struct gri_list node;     /* in sim->threads, by birth */
    struct gri_fiber at;      /* where it was left, and on which stack */
    struct gri_fiber *stack;  /* owned; NULL for the creating thread */
    struct gri_fiber *resume; /* its stack at first, then `at` */
    struct gri_exec exec;     /* of a thread that is no worker */
    struct gri_exec *current; /* what gri_exec gives it; NULL: the machine's own */
    const char *name;         /* static */
    void *(*fn)(void *arg);
    void *arg;
    unsigned id;
    unsigned process; /* whose thread it is: that of who started it */
    uint64_t priority;
    enum gri_sim_state state;
    bool detached;
    _Atomic uint32_t *word; /* the futex that it waits on; NULL: for the time only */
    uint64_t until;         /* GRI_NEVER: no deadline */
    _Atomic uint32_t done;  /* 1 at its end; what a join waits on */
};

/* How a seed lets threads take turns. */
enum gri_sim_policy {
    GRI_SIM_UNIFORM,    /* anybody next */
    GRI_SIM_PRIORITIES, /* the most important one, whose rank is drawn anew now and then */
    GRI_SIM_POLICIES
};

/* What chance decides in one simulation: drawn from the seed when it is made. */
struct gri_sim_chance {
    uint64_t seed, state; /* splitmix64's */
    enum gri_sim_policy policy;
    uint32_t preempt;                /* of 2^16: that a thread loses the processor at a point */
    uint32_t delay;                  /* of 2^16: that it does so for longer */
    uint32_t rates[GRI_POINT_COUNT]; /* of 2^16: that a fault happens */
    uint64_t step_ns, delay_ns;      /* the most that a step and a delay take */
    uint64_t hash, events;
    uint64_t fired[GRI_POINT_COUNT];
    bool healed; /* no more faults, only turns */
};

struct gri_sim {
    struct gri_sim_chance chance;
    unsigned runtimes; /* that live here */
    uint64_t now_ns;
    struct gri_list threads;
    struct gri_sim_thread main; /* the creating thread */
    struct gri_sim_thread *running;
    struct gri_sim_thread *ended; /* to be freed by whoever runs next */
    unsigned thread_count;
    unsigned frozen; /* no thread of this process runs before frozen_until */
    uint64_t frozen_until;
    bool stuck; /* nothing can ever happen again, but by the creating thread */
    void *net;  /* the simulated network; owned, through net_free */
    void (*net_free)(struct gri_sim *s); /* set with net */
};

/*
 * gri_sim_enter makes the calling thread's machine a simulated one, or joins the one there is.
 * GR_EINVAL: it has one with another seed; GR_ENOMEM. gri_sim_leave undoes it; the last one to leave
 * takes the simulation away.
 */
gr_code gri_sim_enter(uint64_t seed, uint32_t faults);
void gri_sim_leave(void);
/* gri_sim_here returns the calling thread's simulation, or NULL. */
struct gri_sim *gri_sim_here(void);
/* gri_sim_tell tells whoever traces of a step: at p, or with GRI_POINT_COUNT of a new turn. */
void gri_sim_tell(enum gri_point p);
/* gri_sim_sleep lets the running thread wait for so long. */
void gri_sim_sleep(struct gri_sim *s, uint64_t ns);

/* gri_sim_process has the threads that the calling one starts from now on, and theirs, belong to a process of that
 * number; 0: to none. gri_sim_freeze stops all threads of one process for so long, as SIGSTOP would; one at a time. */
void gri_sim_process(unsigned process);
void gri_sim_freeze(unsigned process, uint64_t ns);

/* sim_chance.c */
void gri_sim_seed(struct gri_sim_chance *c, uint64_t seed, uint32_t faults);
uint64_t gri_sim_draw(struct gri_sim_chance *c, uint64_t below);
bool gri_sim_odds(struct gri_sim_chance *c, uint32_t of_65536);
/* gri_sim_fault decides whether a fault happens, and counts and records it. */
bool gri_sim_fault(struct gri_sim_chance *c, enum gri_point p);
void gri_sim_record(struct gri_sim_chance *c, uint64_t what);

#endif
