/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lifo.pml - a worker's LIFO slot: the owner without atomic steps, the monitor with a barrier in all threads.
 * Mirrors runtime/sched/lifo.h (gri_lifo_swap, gri_lifo_seize).
 *
 * The owner's stores lie in a store buffer for a while, in order, as on x86: its own loads see them, the monitor
 * doesn't. gri_barrier empties the buffer; so does an atomic step of the owner's. Anything else of weaker
 * orders is for ThreadSanitizer and the stress tests.
 *
 * What is checked: each of the owner's tasks is had once, by the owner or by the monitor, and none is lost.
 *
 * BUG=1  the monitor has no barrier passed
 * BUG=2  the monitor doesn't look whether the owner is at it
 * BUG=3  the owner looks whether it is claimed before it sets `busy`
 * BUG=4  the owner takes what it saw before it was at it
 * BUG=5  the owner finds it claimed, and takes by plain steps all the same
 */
#ifndef BUG
#define BUG 0
#endif
#ifndef TASKS
#define TASKS 3
#endif
#ifndef SEIZURES
#define SEIZURES 2
#endif

#define NONE 0 /* tasks are numbered from 1 */
#define TASK_WORD 1
#define BUSY_WORD 2
#define DEPTH 4

byte task = NONE; /* what others see */
bool busy = false;
bool claimed = false;
byte had[TASKS + 1];

/* the owner's store buffer: words and values, the oldest first */
chan buffer = [DEPTH] of { byte, byte };
byte own_task = NONE; /* what the owner itself sees of its last store to task, */
byte own_stores = 0;  /* while so many of those are in the buffer */

/* within an atomic step */
inline drain_one()
{
    if
    :: buffer ? TASK_WORD, d_value ->
        task = d_value;
        own_stores--
    :: buffer ? BUSY_WORD, d_value -> busy = d_value
    fi;
    d_value = 0
}

inline drain_all()
{
    do
    :: nempty(buffer) -> drain_one()
    :: empty(buffer) -> break
    od
}

/* the memory takes the owner's stores over whenever it likes */
proctype memory()
{
    byte d_value;

end:
    do
    :: atomic { nempty(buffer) -> drain_one() }
    od
}

inline store_task(v)
{
    atomic {
        nfull(buffer);
        own_task = v;
        own_stores++;
        buffer ! TASK_WORD, v
    }
}

inline store_busy(v)
{
    atomic {
        nfull(buffer);
        buffer ! BUSY_WORD, v
    }
}

inline load_task(t)
{
    atomic {
        if
        :: own_stores > 0 -> t = own_task
        :: else -> t = task
        fi
    }
}

inline have(t)
{
    atomic {
        if
        :: t != NONE ->
            had[t]++;
            assert(had[t] == 1)
        :: else
        fi;
        t = NONE
    }
}

/* gri_lifo_swap */
inline swap(t, old)
{
    load_task(old);
    if
    :: old == NONE ->
        if
        :: t != NONE -> store_task(t)
        :: else
        fi
    :: else ->
#if BUG == 3
        is_claimed = claimed;
        store_busy(true);
#else
        store_busy(true);
        is_claimed = claimed;
#endif
        if
#if BUG == 5
        :: true ->
#else
        :: !is_claimed ->
#endif
#if BUG != 4
            load_task(old);
#endif
            store_task(t)
#if BUG != 5
        :: else ->
            atomic {
                drain_all();
                old = task;
                task = t
            }
#endif
        fi;
        store_busy(false);
        is_claimed = false
    fi
}

proctype owner()
{
    byte i = 1;
    byte old = NONE;
    byte d_value;
    bool is_claimed = false;

    do
    :: i <= TASKS -> /* readies a task, */
        swap(i, old);
        have(old);
        i++;
        if
        :: swap(NONE, old); /* and takes one, or readies the next */
            have(old)
        :: skip
        fi
    :: else -> break
    od;
    swap(NONE, old);
    have(old);
    empty(buffer)
}

/* gri_lifo_seize */
proctype monitor()
{
    byte n = 0;
    byte t = NONE;
    byte d_value;

    do
    :: n < SEIZURES ->
        n++;
        if
        :: task != NONE ->
            claimed = true;
#if BUG != 1
            atomic { drain_all() };
#endif
            if
#if BUG == 2
            :: true ->
#else
            :: !busy ->
#endif
                atomic {
                    t = task;
                    task = NONE
                };
                have(t)
#if BUG != 2
            :: else
#endif
            fi;
            claimed = false
        :: else
        fi
    :: else -> break
    od
}

init
{
    byte i;

    atomic {
        run memory();
        run owner();
        run monitor()
    };
    timeout;
    for (i : 1 .. TASKS) {
        assert(had[i] == 1)
    }
}
