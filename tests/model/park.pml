/* SPDX-License-Identifier: Apache-2.0 */
/*
 * park.pml - one execution waits for a future, and is woken by its completion, a timer, an interruption,
 * several of them or all. Mirrors runtime/sched/park.c (commit, gri_park_wake, sleep_now, enter, leave,
 * gri_park_wait, gri_park_rest, thread_sleep; gri_cancel_fire_locked), of a thread meet_as_thread there, of a fiber
 * wait_until in runtime/supervise/incarnation.c (any other wait of a fiber for a future is in meet.pml), and
 * of timer.c that a timer fires under the wheel's lock. THREAD=1: the waiter is a thread and sleeps on a futex;
 * else it is a fiber, which the scheduler resumes.
 *
 * What is checked, for every set of wakers that isn't empty and every interleaving:
 *   - the waiter goes on (no wake-up is lost), and a fiber is resumed once for each time it left its stack,
 *     never before it has;
 *   - nobody touches the park after its frame is gone: the frames of two waits in a row have numbers, and
 *     a waker that comes with an old number is caught.
 *
 * Sequentially consistent: weaker orders are for ThreadSanitizer and the stress tests.
 *
 * BUG=1  commit (a thread: the sleep) doesn't look whether a reason was there before
 * BUG=2  each waker resumes, not only the first (fibers)
 * BUG=3  a waiter that can't unwatch leaves its frame without gri_park_rest
 * BUG=4  an interruption wakes after it has let go of the lock
 * BUG=5  gri_park_rest takes the old reasons away, but not GRI_PARKED (fibers)
 * BUG=6  the timer is not taken away before the frame is left (fibers)
 */
#ifndef BUG
#define BUG 0
#endif
#ifndef THREAD
#define THREAD 0
#endif

#define WOKEN 1
#define TIMEDOUT 2
#define INTERRUPTED 4
#define PARKED 8
#define REASONS 7

#define NOBODY 0
#define DONE 9

byte state[3];       /* gri_park.state, for frames 1 and 2 */
byte frame = NOBODY; /* the frame that is there */
byte cell = NOBODY;  /* gr_future.waiter: a frame's number, or DONE */
byte armed = NOBODY; /* the timer: a frame's number */
byte parked = NOBODY; /* gri_cancel.parked */
bool fired = false;
bool wheel = false; /* gri_wheel.lock is held */
bool lock = false;  /* gri_cancel.lock */
bool away = false;  /* the fiber has left its stack, or the thread sleeps on the futex */
bool resumed = false;

bool completes, times_out, interrupts; /* who comes */

inline take(l)
{
    atomic {
        !l -> l = true
    }
}

inline resume()
{
    atomic {
#if THREAD
        away = false /* a futex wake-up that finds nobody does nothing */
#else
        assert(away && !resumed);
        away = false;
        resumed = true
#endif
    }
}

/* gri_park_wake */
inline wake(f, why, old)
{
    atomic {
        assert(frame == f);
        old = state[f];
        state[f] = state[f] | why
    };
    if
    :: (old & PARKED) != 0 && ((old & REASONS) == 0 || BUG == 2) -> resume()
    :: else
    fi;
    old = 0
}

proctype completer()
{
    byte w;
    byte old;

    atomic {
        w = cell;
        cell = DONE
    };
    if
    :: w != NOBODY -> wake(w, WOKEN, old)
    :: else
    fi
}

#if !THREAD
proctype timer()
{
    byte f;
    byte old;

    do
    :: armed != NOBODY ->
        take(wheel);
        atomic {
            f = armed;
            armed = NOBODY
        };
        if
        :: f != NOBODY ->
            wake(f, TIMEDOUT, old);
            wheel = false;
            break
        :: else -> wheel = false
        fi
    :: frame == NOBODY -> break /* all is over */
    od
}
#endif

proctype interrupter()
{
    byte f;
    byte old;

    take(lock);
    fired = true;
    f = parked;
#if BUG == 4
    lock = false;
#endif
    if
    :: f != NOBODY -> wake(f, INTERRUPTED, old)
    :: else
    fi;
    lock = false
}

/* gri_suspend with commit, until somebody resumes */
inline suspend(f, old)
{
    away = true;
    atomic {
        old = state[f];
        state[f] = state[f] | PARKED
    };
    if
    :: (old & REASONS) != 0 && BUG != 1 -> resume()
    :: else
    fi;
    atomic {
        resumed -> resumed = false
    };
    old = 0
}

/* thread_sleep; the deadline may pass whenever it sleeps */
inline thread_sleep(f, deadline)
{
#if BUG != 1
    state[f] = state[f] | PARKED;
    do
    :: (state[f] & REASONS) != 0 -> break
    :: else ->
#else
    do
    :: (state[f] & REASONS) != 0 -> break
    :: else ->
        state[f] = PARKED;
#endif
        atomic { /* the kernel compares and lies down in one */
            if
            :: state[f] == PARKED -> away = true
            :: else
            fi
        };
        if
        :: !away
        :: deadline ->
            atomic {
                away = false;
                state[f] = state[f] | TIMEDOUT
            }
        fi
    od
}

inline sleep_now(f, deadline, old)
{
#if THREAD
    thread_sleep(f, deadline);
#else
    if
    :: deadline ->
        take(wheel);
        armed = f;
        wheel = false
    :: else
    fi;
    if
    :: suspend(f, old)
    :: true /* no stack is left: GR_EFULL */
    fi;
    if
    :: deadline && BUG != 6 ->
        take(wheel);
        armed = NOBODY;
        wheel = false
    :: else
    fi;
#endif
    skip
}

inline rest(f, old)
{
    atomic {
        old = state[f];
#if BUG == 5
        state[f] = state[f] & (WOKEN | PARKED)
#else
        state[f] = state[f] & WOKEN
#endif
    };
    do
    :: (old & WOKEN) != 0 -> break
    :: else ->
#if THREAD
        thread_sleep(f, false);
#else
        if
        :: suspend(f, old)
        :: true /* no stack is left: it spins */
        fi;
#endif
        old = state[f]
    od;
    old = 0
}

/* waits once, or again after a wait that ended for another reason, if an answer will come. */
proctype waiter()
{
    byte f = 1;
    byte old = 0;
    bool deadline = times_out;

    do
    :: atomic {
           if
           :: cell == DONE -> break
           :: else -> cell = f /* gri_future_watch */
           fi
       };
       if
       :: (state[f] & REASONS) != 0
       :: else ->
           take(lock); /* enter */
           if
           :: fired ->
               lock = false;
               state[f] = state[f] | INTERRUPTED
           :: else ->
               parked = f;
               lock = false;
               sleep_now(f, deadline, old);
               take(lock); /* leave */
               parked = NOBODY;
               lock = false
           fi
       fi;
       if
       :: (state[f] & WOKEN) != 0 -> break
       :: else
       fi;
       atomic { /* gri_future_unwatch */
           old = cell;
           if
           :: cell == f -> cell = NOBODY
           :: else
           fi
       };
       if
       :: old == DONE ->
#if BUG != 3
           rest(f, old);
#endif
           break
       :: else
       fi;
       old = 0;
       if
       :: f == 2 || !completes -> break
       :: else
       fi;
       atomic { /* the next wait has a frame of its own, and no deadline */
           f = 2;
           frame = f;
           deadline = false
       }
    od;
    frame = NOBODY
}

init
{
    atomic {
        if
        :: completes = true
        :: completes = false
        fi;
        if
        :: times_out = true
        :: times_out = false
        fi;
        if
        :: interrupts = true
        :: completes || times_out -> interrupts = false
        fi;
        frame = 1;
        run waiter();
        if
        :: completes -> run completer()
        :: else
        fi;
#if !THREAD
        if
        :: times_out -> run timer()
        :: else
        fi;
#endif
        if
        :: interrupts -> run interrupter()
        :: else
        fi
    };
    /* all have ended */
    _nr_pr == 1;
    assert(!away && !resumed && !lock && !wheel)
}
