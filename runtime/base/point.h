/* SPDX-License-Identifier: Apache-2.0 */
/*
 * point.h - places where a simulation may step in, listed once.
 *
 * gri_point(P) stands between two steps of a protocol: there a simulated thread may lose the
 * processor to another one, or be delayed. gri_fault(P) asks whether something happens that could
 * always happen: a bound is reached, a wake-up is spurious, memory runs out. Outside of simulations
 * neither does anything.
 */
#ifndef GR_RUNTIME_BASE_POINT_H
#define GR_RUNTIME_BASE_POINT_H

#include "runtime/base/platform.h"

/* What a fault belongs to, for the options to choose from; gr_sim_fault's bits in order. */
enum gri_point_class {
    GRI_SCHED,  /* which thread runs, and from which queue */
    GRI_TIME,   /* delays, late and spurious wake-ups */
    GRI_MEMORY, /* allocations fail */
    GRI_FULL,   /* bounds are reached early */
    GRI_THREADS,
    GRI_HTTP,
    GRI_NET,
    GRI_FILES,
    GRI_POINT_CLASSES
};

/* X(name, class, what): gri_point for SCHED_… and gri_fault for all others is not a rule: see each
 * place. */
#define GRI_POINTS(X)                                                                              \
    /* threads and time, in the simulation itself */                                               \
    X(LOCK, SCHED, "before a lock is taken")                                                       \
    X(UNLOCK, SCHED, "after a lock is given back")                                                 \
    X(FUTEX_WAIT, SCHED, "before a futex is looked at")                                            \
    X(FUTEX_WAKE, SCHED, "after a futex was woken")                                                \
    X(SPURIOUS, TIME, "a futex wait returns for nothing")                                          \
    X(LATE_WAKE, TIME, "a woken thread starts late")                                               \
    X(LATE_TIMEOUT, TIME, "a time-out is noticed late")                                            \
    X(DELAY, TIME, "a thread loses the processor for a while")                                     \
    X(SLOW_BLOCKING, TIME, "a blocking handler takes long")                                        \
    X(THREAD_START, THREADS, "no thread can be started")                                           \
    X(ALLOC, MEMORY, "an allocation fails")                                                        \
    /* scheduler */                                                                                \
    X(RING_PUSH, SCHED, "a task was put into a ring")                                              \
    X(RING_TAKE, SCHED, "between reading a ring's slot and claiming it")                           \
    X(RING_FULL, SCHED, "a ring takes no more")                                                    \
    X(LIFO_BUSY, SCHED, "a worker is at its LIFO slot, and has not seen whether it is claimed")    \
    X(LIFO_TAKE, SCHED, "between looking at a LIFO slot and leaving it")                           \
    X(LIFO_CLAIM, SCHED, "the monitor has claimed a LIFO slot")                                    \
    X(LIFO_SKIP, SCHED, "a worker does not run what it readied last")                              \
    X(STEAL_FIRST, SCHED, "a worker steals before it looks at its own queue")                      \
    X(OUTSIDE_FIRST, SCHED, "a worker takes from outside first")                                   \
    X(TIMERS_FIRST, SCHED, "a worker runs timers before anything else")                            \
    X(INJECT, SCHED, "a task was injected, nobody woken yet")                                      \
    X(WAKE_ONE, SCHED, "before an idle worker is looked for")                                      \
    X(IDLE, SCHED, "a worker has put itself on the idle stack")                                    \
    X(PARK, SCHED, "a worker is about to park")                                                    \
    X(SEARCH_SHORT, SCHED, "a worker gives up its search early")                                   \
    X(TIMER_ARM, SCHED, "a timer was armed, the monitor not woken yet")                            \
    X(MONITOR_SLEEP, SCHED, "the monitor is about to sleep")                                       \
    X(SUSPEND, SCHED, "a handler is leaving its stack")                                            \
    X(COMMIT, SCHED, "a handler has left its stack, and can't be resumed yet")                     \
    X(PARK_WAKE, SCHED, "before a waiter is resumed")                                              \
    X(NO_SPARE, SCHED, "a worker has no stack of its own left over")                               \
    X(FIBERS_FULL, FULL, "no stack is left to wait with")                                          \
    X(BLOCKING_FULL, FULL, "the blocking pool's queue is full")                                    \
    /* futures, streams, scopes */                                                                 \
    X(COMPLETE, SCHED, "a future is claimed and not yet done")                                     \
    X(WATCH, SCHED, "before a future is watched")                                                  \
    X(UNWATCH, SCHED, "before a watch is withdrawn")                                               \
    X(SCOPE_ADD, SCHED, "before a member is added to a scope")                                     \
    X(SCOPE_LEAVE, SCHED, "before a member leaves its scope")                                      \
    X(SCOPE_PASS, SCHED, "between two members of a pass")                                          \
    X(SCOPE_SPREAD, SCHED, "a scope is spread early")                                              \
    /* actors and calls */                                                                         \
    X(PIN, SCHED, "an actor was found and not pinned yet")                                         \
    X(PINNED, SCHED, "an actor was pinned and not looked at again yet")                            \
    X(UNPIN, SCHED, "the last pin was dropped, the finish not claimed")                            \
    X(PUSH, SCHED, "before a message is pushed")                                                   \
    X(POP, SCHED, "a mailbox was taken whole")                                                     \
    X(GO_IDLE, SCHED, "before a turn goes idle")                                                   \
    X(WENT_IDLE, SCHED, "a turn went idle and looks once more")                                    \
    X(KICK, SCHED, "before a turn is kicked")                                                      \
    X(STOP, SCHED, "an actor was told to stop")                                                    \
    X(ROOM_WAIT, SCHED, "a sender waits for room and looks once more")                             \
    X(SHORT_TURN, SCHED, "a turn ends after one message")                                          \
    X(NO_HURRY, SCHED, "an awaited cheap call is not run at once")                                 \
    X(NO_DIRECT, SCHED, "a cheap step is called by a message")                                     \
    X(MAILBOX_FULL, FULL, "a mailbox takes no more")                                               \
    X(ACTORS_FULL, FULL, "no slot is left for an actor")                                           \
    X(WAIT_NOTED, SCHED, "a handler that is about to wait looks once more")                        \
    X(CALL_QUEUED, SCHED, "a call is about to be queued")                                          \
    X(CALL_START, SCHED, "before a queued call is claimed")                                        \
    X(CALL_RUN_SCOPE, SCHED, "before a call has a run scope")                                      \
    X(CALL_HELD, SCHED, "a call is held in its place, or not any more")                            \
    X(CALL_ABOVE, SCHED, "between a call and the one that it is nested in")                        \
    X(CALL_CANCEL, SCHED, "between the steps of a cancellation")                                   \
    X(CALL_END, SCHED, "between the steps of a call's end")                                        \
    X(BATCH_BACK, SCHED, "a batch's item came back, the batch is not told yet")                    \
    X(DEADLINE, SCHED, "a deadline has fired")                                                     \
    X(PROMISE, SCHED, "before a promise is resolved")                                              \
    X(SIGNAL, SCHED, "an actor was told something ahead of its mailbox")                           \
    X(LINK, SCHED, "before two actors are linked")                                                 \
    X(UNLINK, SCHED, "before a link is taken away")                                                \
    X(DEMONITOR, SCHED, "before a monitor is taken away")                                          \
    X(DOWN, SCHED, "an actor has ended, and somebody is not told yet")                             \
    X(NAME_GONE, SCHED, "an actor has lost its names, and is not dead yet")                        \
    /* the world outside */                                                                        \
    X(HTTP_REFUSED, HTTP, "a server can't be reached")                                             \
    X(HTTP_RESET, HTTP, "a server goes away in mid-answer")                                        \
    X(HTTP_STATUS, HTTP, "a server answers 429, 500 or 503")                                       \
    X(HTTP_STALL, HTTP, "a server falls silent for long")                                          \
    X(HTTP_SPLIT, HTTP, "an answer comes in small pieces")                                         \
    X(HTTP_GARBLED, HTTP, "an answer is not what it should be")                                    \
    X(HTTP_LATE, HTTP, "a server takes long to connect to, or to answer")                          \
    X(NET_REFUSED, NET, "a node can't be dialled")                                                 \
    X(NET_CUT, NET, "a link is cut")                                                               \
    X(NET_LOST, NET, "what was sent is lost, then the link goes down")                             \
    X(NET_HALF, NET, "a link goes down on one side first")                                         \
    X(NET_DELAY, NET, "frames take long")                                                          \
    X(NET_FULL, NET, "a link's queue is full")                                                     \
    X(NET_PARTITION, NET, "two nodes don't reach each other for a while")                          \
    X(NET_CRASH, NET, "a node vanishes with all its links")                                        \
    X(FILE_ERROR, FILES, "a file can't be read")                                                   \
    X(FILE_SHORT, FILES, "a file is shorter than it should be")

enum gri_point {
#define X(name, class, what) GRI_AT_##name,
    GRI_POINTS(X)
#undef X
        GRI_POINT_COUNT
};

/* always inlined: the compiler, which sees all files at once, would else call it on paths where a call is most of
 * what it costs */
static inline __attribute__((always_inline)) void gri_point(enum gri_point p)
{
    const struct gri_platform *m = gri_platform_here();

    if (__builtin_expect(m != NULL, 0))
        m->point(p);
}

static inline __attribute__((always_inline)) bool gri_fault(enum gri_point p)
{
    const struct gri_platform *m = gri_platform_here();

    return __builtin_expect(m != NULL, 0) && m->fault(p);
}

/*
 * GRI_PLANTED(F) is true in the library that tests link, for the one fault that a test has chosen: so
 * tests/sim/planted_test.c shows that simulation finds what it is there to find. Else it is 0.
 */
enum gri_plant {
    GRI_PLANT_NONE,
    GRI_PLANT_LOST_MESSAGE,      /* a turn goes idle without a second look at its mailbox */
    GRI_PLANT_DOUBLE_COMPLETION, /* a call is answered after a read and a write, not one exchange */
    GRI_PLANT_LOST_WAKEUP,       /* a worker parks without a second look at the queues */
    GRI_PLANT_LOST_RESUME,       /* a handler that parks overlooks a wake-up that came first */
    GRI_PLANT_STALE_REF,         /* a sender trusts the id that it read before it pinned */
    GRI_PLANT_SKIPPED_UNLINK,    /* an unlink leaves it at that if the other has just ended */
    GRI_PLANT_COUNT
};
#ifdef GR_TESTING
extern enum gri_plant gri_planted;
#define GRI_PLANTED(f) (gri_planted == GRI_PLANT_##f)
#else
#define GRI_PLANTED(f) 0
#endif

#endif
