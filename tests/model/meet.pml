/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meet.pml - a fiber waits at a word for what another one brings, and is woken by that, a timer, an
 * interruption, several of them or all. Mirrors runtime/sched/park.c (meet_as_fiber, commit_meeting,
 * resume_waiter, gri_park_wake with stop, interruptibly with enter and leave; gri_cancel_fire_locked),
 * gri_future_settle in runtime/async/future.c, and of timer.c that a timer fires under the wheel's lock.
 *
 * What is checked, for every set of wakers that isn't empty and every interleaving:
 *   - the waiter goes on (no wake-up is lost), and is resumed once for each time it left its stack, never
 *     before it has;
 *   - nobody touches the frame of a wait after that is gone: the frames of two waits in a row have numbers,
 *     and who comes with an old number is caught;
 *   - when a wait is over there is nobody at the word, and no STOPPED.
 *
 * Sequentially consistent: weaker orders are for ThreadSanitizer and the stress tests.
 *
 * BUG=1  a waker that comes before the waiter is at the word leaves nothing there
 * BUG=2  a waker resumes though somebody else has taken the waiter out
 * BUG=3  the waiter puts itself at the word before it has left its stack
 * BUG=4  an interruption wakes after it has let go of the lock
 * BUG=5  STOPPED is not taken back
 * BUG=6  the timer is not taken away before the frame is left
 */
#ifndef BUG
#define BUG 0
#endif

#define NOBODY 0
#define STOPPED 8
#define MET 9

byte frame = NOBODY;  /* the frame that is there */
byte word = NOBODY;   /* the meeting: a frame's number, STOPPED or MET */
byte armed = NOBODY;  /* the timer: a frame's number */
byte parked = NOBODY; /* gri_cancel.parked */
bool fired = false;
bool wheel = false; /* gri_wheel.lock is held */
bool lock = false;  /* gri_cancel.lock */
bool away = false;  /* the fiber has left its stack */
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
        assert(away && !resumed);
        away = false;
        resumed = true
    }
}

/* gri_park_wake, for a reason other than that it has been brought; the caller holds what keeps the frame */
inline wake(f, won)
{
    assert(frame == f); /* it sets the reason there */
    atomic { /* each failed exchange of stop() reads the word anew: this is the one that succeeds */
        won = false;
        if
        :: word == f ->
            word = NOBODY;
            won = true
#if BUG != 1
        :: word == NOBODY -> word = STOPPED
#endif
#if BUG == 2
        :: word == MET -> won = true
#endif
        :: else
        fi
    };
    if
    :: won -> resume()
    :: else
    fi;
    won = false
}

/* gri_future_settle */
proctype completer()
{
    byte w;

    atomic {
        w = word;
        word = MET
    };
    if
    :: w != NOBODY && w != STOPPED ->
        assert(frame == w); /* it reads whom to resume */
        resume()
    :: else
    fi
}

proctype timer()
{
    byte f;
    bool won;

    do
    :: armed != NOBODY ->
        take(wheel);
        atomic {
            f = armed;
            armed = NOBODY
        };
        if
        :: f != NOBODY ->
            wake(f, won);
            wheel = false;
            break
        :: else -> wheel = false
        fi
    :: frame == NOBODY -> break /* all is over */
    od
}

proctype interrupter()
{
    byte f;
    bool won;

    take(lock);
    fired = true;
    atomic {
        f = parked;
        parked = NOBODY
    };
#if BUG == 4
    lock = false;
#endif
    if
    :: f != NOBODY -> wake(f, won)
    :: else
    fi;
#if BUG != 4
    lock = false
#endif
}

/* commit_meeting: runs on the stack that replaced the waiter's */
inline commit(f, there)
{
    atomic {
        there = word;
        if
        :: there == NOBODY -> word = f
        :: else
        fi
    };
    if
    :: there != NOBODY -> resume()
    :: else
    fi;
    there = NOBODY
}

inline suspend(f, there)
{
#if BUG == 3
    commit(f, there);
    away = true;
#else
    away = true;
    commit(f, there);
#endif
    atomic {
        resumed -> resumed = false
    }
}

/* leave: by one exchange, or, if the interrupter has taken us out, by taking his lock once */
inline leave(f, there)
{
    atomic {
        there = parked;
        if
        :: parked == f -> parked = NOBODY
        :: else
        fi
    };
    if
    :: there != f ->
        take(lock);
        lock = false
    :: else
    fi;
    there = NOBODY
}

inline sleep_now(f, deadline, there)
{
    if
    :: deadline ->
        take(wheel);
        armed = f;
        wheel = false
    :: else
    fi;
    if
    :: suspend(f, there)
    :: true /* no stack is left: GR_EFULL */
    fi;
    if
    :: deadline && BUG != 6 ->
        take(wheel);
        armed = NOBODY;
        wheel = false
    :: else
    fi
}

/* waits once, or again after a wait that ended for another reason, if it will be brought. */
proctype waiter()
{
    byte f = 1;
    byte there = NOBODY;
    bool deadline = times_out;

    do
    :: if
       :: word == MET -> break
       :: else
       fi;
       parked = f; /* enter */
       if
       :: !fired -> sleep_now(f, deadline, there)
       :: else
       fi;
       leave(f, there);
#if BUG != 5
       atomic {
           if
           :: word == STOPPED -> word = NOBODY
           :: else
           fi
       };
#endif
       assert(word == NOBODY || word == MET);
       if
       :: word == MET || f == 2 || !completes -> break
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
        if
        :: times_out -> run timer()
        :: else
        fi;
        if
        :: interrupts -> run interrupter()
        :: else
        fi
    };
    /* all have ended */
    _nr_pr == 1;
    assert(!away && !resumed && !lock && !wheel)
}
