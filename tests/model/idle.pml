/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idle.pml - workers that run out of work, whoever brings some, and the monitor. Mirrors runtime/sched/sched.c
 * (gri_ready, inject, push_behind, wake_one, leave_idle, park, stop_searching, search) and
 * runtime/sched/monitor.c (pass_on_held, pass_on_waiting, sleep_until, gri_monitor_notice).
 *
 * Two threads from outside inject tasks. One of them is a long handler: it readies a task of its own, which
 * lies in its worker's LIFO slot, and then holds its worker up until all other tasks are done. So the rest must
 * do those, whatever they lie in: each wake-up that is lost on the way shows as a deadlock. Another
 * task readies two, of which one goes to the ring, where it can be stolen, or, as if that were full, to the spill.
 *
 * What is checked: all tasks are run, each once, while one worker is held up; idle_count and
 * searching return to what they must be.
 *
 * A critical section under idle_lock or inject_lock is one step: nothing in one waits. Which idle worker
 * is woken is left open, and so, if there is a monitor, whether a searcher takes what is left for worth a wake. The
 * monitor's ticks that would find nothing are left out, so that an end is an end: it ticks if a LIFO slot isn't empty,
 * work waits that nobody looks for, or all workers are idle. Timers are left out. Sequentially consistent:
 * weaker orders are for ThreadSanitizer and the stress tests.
 *
 * BUG=1  a worker that parks doesn't look at the queues once more
 * BUG=2  a searcher that finds something doesn't wake the next one
 * BUG=3  the monitor goes to sleep for good without looking at the workers once more
 * BUG=4  who injects a task doesn't notice a monitor that sleeps for good
 * BUG=5  who injects a task looks for idle workers before the task is in the queue
 * BUG=6  a worker that leaves the idle ones by itself, since it found something at its last look, doesn't
 *        notice a monitor that went to sleep for good meanwhile (so it was, until this model)
 * BUG=7  a worker that parks doesn't look at the spills once more
 * BUG=8  the monitor wakes nobody for what waits
 */
#ifndef BUG
#define BUG 0
#endif
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef PLAIN
#define PLAIN 1 /* tasks besides the long one and the one that readies two */
#endif
#ifndef BURST
#define BURST 1
#endif

#ifndef MONITOR
#define MONITOR 1 /* 0: none */
#endif
#ifndef LEAVES
#define LEAVES MONITOR /* 0: the long task readies nothing */
#endif

/* there is something for any worker */
#if WORKERS > 2
#define WAITS                                                                                                          \
    (injected[NOTHING] != 0 || ring[0] != 0 || ring[1] != 0 || ring[2] != 0 || spill[0] != 0 || spill[1] != 0 ||       \
     spill[2] != 0)
#else
#define WAITS (injected[NOTHING] != 0 || ring[0] != 0 || ring[1] != 0 || spill[0] != 0 || spill[1] != 0)
#endif

#if BUG == 8
#define PASSES_ON false
#else
#define PASSES_ON (idle_count != 0 && searching == 0 && WAITS)
#endif

#define NOTHING 0
#define TASK 1
#define LONG 2
#define READIES_TWO 3
#define TOTAL (1 + LEAVES + PLAIN + 3 * BURST)

byte injected[4];    /* by kind; injected[NOTHING] is inject_count */
byte ring[WORKERS];  /* plain tasks in it */
byte spill[WORKERS]; /* likewise */
byte lifo[WORKERS];  /* NOTHING or TASK */
byte seen[WORKERS];  /* the monitor's lifo_seen */
bool idle[WORKERS];
bool wake[WORKERS];
byte idle_count = 0;
byte searching = 0;
bool monitor_wake = false;
bool deep = false;
byte done = 0;

inline put(kind)
{
    d_step {
        injected[kind]++;
        injected[NOTHING]++
    }
}

inline wake_one(v)
{
    if
    :: idle_count == 0
    :: else ->
        if
        :: searching != 0
        :: else ->
            v = WORKERS;
            atomic {
                if
                :: idle[0] -> v = 0
                :: idle[1] -> v = 1
#if WORKERS > 2
                :: idle[2] -> v = 2
#endif
                :: else
                fi;
                if
                :: v < WORKERS ->
                    idle[v] = false;
                    idle_count--;
                    searching++
                :: else
                fi
            };
            if
            :: v < WORKERS -> wake[v] = true
            :: else
            fi;
            v = 0
        fi
    fi
}

inline inject(kind, v)
{
#if BUG == 5
    wake_one(v);
    put(kind);
#else
    put(kind);
    wake_one(v);
#endif
#if BUG != 4
    if
    :: deep -> monitor_wake = true /* gri_monitor_notice */
    :: else
    fi
#endif
}

proctype outside(byte first; byte second)
{
    byte v;

    inject(first, v);
    if
    :: second != NOTHING -> inject(second, v)
    :: else
    fi
}

/* t is what is taken; one look at each place, in order */
inline take_injected(t)
{
    atomic {
        if
        :: injected[TASK] > 0 -> t = TASK
        :: injected[LONG] > 0 -> t = LONG
        :: injected[READIES_TWO] > 0 -> t = READIES_TWO
        :: else
        fi;
        if
        :: t != NOTHING ->
            injected[t]--;
            injected[NOTHING]--
        :: else
        fi
    }
}

inline take_ring(t, w)
{
    atomic {
        if
        :: ring[w] > 0 ->
            ring[w]--;
            t = TASK
        :: else
        fi
    }
}

inline take_spill(t, w)
{
    atomic {
        if
        :: spill[w] > 0 ->
            spill[w]--;
            t = TASK
        :: else
        fi
    }
}

inline look_everywhere(t, i)
{
    atomic {
        t = lifo[i];
        lifo[i] = NOTHING
    };
    if
    :: t == NOTHING -> take_ring(t, i)
    :: else
    fi;
    if
    :: t == NOTHING -> take_injected(t)
    :: else
    fi;
    if
    :: t == NOTHING -> take_spill(t, i)
    :: else
    fi;
    if
    :: t == NOTHING -> take_ring(t, (i + 1) % WORKERS)
    :: else
    fi;
    if
    :: t == NOTHING -> take_spill(t, (i + 1) % WORKERS)
    :: else
    fi;
#if WORKERS > 2
    if
    :: t == NOTHING -> take_ring(t, (i + 2) % WORKERS)
    :: else
    fi;
    if
    :: t == NOTHING -> take_spill(t, (i + 2) % WORKERS)
    :: else
    fi
#endif
}

inline anything_queued(any)
{
    any = (injected[NOTHING] != 0);
    if
    :: !any -> any = (ring[0] != 0)
    :: else
    fi;
#if BUG != 7
    if
    :: !any -> any = (spill[0] != 0)
    :: else
    fi;
#endif
    if
    :: !any -> any = (ring[1] != 0)
    :: else
    fi;
#if BUG != 7
    if
    :: !any -> any = (spill[1] != 0)
    :: else
    fi;
#endif
#if WORKERS > 2
    if
    :: !any -> any = (ring[2] != 0)
    :: else
    fi;
#if BUG != 7
    if
    :: !any -> any = (spill[2] != 0)
    :: else
    fi;
#endif
#endif
    skip
}

/* gri_ready on a worker */
inline ready(i, old, v)
{
    atomic {
        old = lifo[i];
        lifo[i] = TASK
    };
    if
    :: old != NOTHING ->
        if
        :: ring[i]++
        :: spill[i]++
        fi;
        old = NOTHING;
        wake_one(v)
    :: else
    fi
}

inline run_task(t, i, old, v)
{
    if
    :: t == LONG ->
#if LEAVES
        ready(i, old, v);
#endif
        done == TOTAL - 1
    :: t == READIES_TWO ->
        ready(i, old, v);
        ready(i, old, v)
    :: else
    fi;
    atomic {
        t = NOTHING;
        done++
    }
}

proctype worker(byte i)
{
    byte t = NOTHING;
    byte old = NOTHING;
    byte v = 0;
    bool any = false;

    do
    :: look_everywhere(t, i);
       if
       :: t != NOTHING -> goto found
       :: else
       fi;
       searching++;
    search:
       look_everywhere(t, i);
       if
       :: t != NOTHING ->
           atomic {
               searching--;
               any = (searching == 0)
           };
           if
           :: any && BUG != 2 ->
               anything_queued(any);
               if
               :: any -> wake_one(v)
#if MONITOR
               :: any /* there is too little of it */
#endif
               :: !any
               fi
           :: else
           fi;
           any = false
       :: else ->
           searching--;
           atomic { /* park */
               idle[i] = true;
               idle_count++
           };
#if BUG != 1
           anything_queued(any);
           if
           :: any ->
               atomic { /* leave_idle */
                   any = idle[i];
                   if
                   :: any ->
                       idle[i] = false;
                       idle_count--
                   :: else
                   fi
               };
               if
               :: any ->
                   searching++;
#if BUG != 6
                   if
                   :: deep -> monitor_wake = true
                   :: else
                   fi;
#endif
                   any = false;
                   goto search
               :: else
               fi
           :: else
           fi;
           any = false;
#endif
       end:
           wake[i] -> wake[i] = false;
           goto search
       fi;
    found:
       run_task(t, i, old, v)
    od
}

proctype monitor()
{
    bool woken = false;
    bool quiet = false;
    byte t = NOTHING;
    byte v = 0;
    byte w = 0;

    do
    :: atomic {
           woken = monitor_wake;
           monitor_wake = false
       };
       w = 0;
       do /* pass_on_stuck */
       :: w < WORKERS ->
           t = lifo[w];
           if
           :: t != NOTHING && t == seen[w] ->
               if
               :: idle_count != 0 ->
                   atomic {
                       if
                       :: lifo[w] == t -> lifo[w] = NOTHING
                       :: else -> t = NOTHING
                       fi
                   };
                   if
                   :: t != NOTHING ->
                       inject(TASK, v);
                       t = NOTHING
                   :: else
                   fi
               :: else
               fi
           :: else
           fi;
           seen[w] = t;
           t = NOTHING;
           w++
       :: else -> break
       od;
       w = 0;
       if /* pass_on_waiting */
       :: PASSES_ON -> wake_one(v)
       :: else
       fi;
       quiet = (idle_count == WORKERS && !woken);
       woken = false;
       /* sleep_until */
       if
       :: quiet ->
           deep = true;
#if BUG != 3
           quiet = (idle_count == WORKERS)
#endif
       :: else
       fi;
       if
       :: quiet ->
       end_deep:
           monitor_wake
       :: else ->
       end_tick:
           monitor_wake || lifo[0] != NOTHING || lifo[1] != NOTHING || idle_count == WORKERS || PASSES_ON
#if WORKERS > 2
               || lifo[2] != NOTHING
#endif
       fi;
       quiet = false;
       deep = false
    od
}

init
{
    byte i;

    atomic {
        for (i : 0 .. WORKERS - 1) {
            run worker(i)
        };
#if MONITOR
        run monitor();
#endif
        run outside(LONG, (BURST -> READIES_TWO : NOTHING));
#if PLAIN == 0
        skip
#elif PLAIN == 1
        run outside(TASK, NOTHING)
#else
        run outside(TASK, TASK)
#endif
    };
    timeout;
    assert(done == TOTAL);
    assert(idle_count == WORKERS && searching == 0 && injected[NOTHING] == 0)
}
