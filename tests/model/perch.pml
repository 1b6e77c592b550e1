/* SPDX-License-Identifier: Apache-2.0 */
/*
 * perch.pml - a worker that waits at its perch, those who wake it, what comes there, and the monitor. Mirrors
 * runtime/sched/perch.c, park and gri_wake_worker of sched.c, and runtime/net/link_perch.c.
 *
 * The worker has been given a perch: a read that is under way. It parks there, unless it is held up by a handler
 * first. One input may come at any moment, and two pieces of work, each by a thread that wakes the worker if it is idle; one
 * of the two wakers may find it off the idle stack already. The monitor may take the perch away while the worker does not wait there: then the
 * input is for somebody else. The work is done when the worker has seen it, the input when somebody has been told of it.
 *
 * What is checked: the worker never sleeps for good while there is work for it, or input at its perch; whoever rouses
 * the perch finds it there; it is left once.
 *
 * A critical section under perch_lock or idle_lock is one step.
 *
 * BUG=1  a worker waits at the perch without looking whether it is to wake up
 * BUG=2  who wakes looks for the perch before it says that the worker is to wake up
 * BUG=3  who rouses a perch does not look again under the lock: it may have gone
 * BUG=4  the monitor takes the perch of a worker that waits there
 */
#ifndef BUG
#define BUG 0
#endif

#define WAKERS 2

bool perch = true;    /* w->perch is set */
bool perched = false; /* it waits there */
bool stirs = false;   /* the read has ended: cancelled, or with what has come */
bool came = false;    /* input has come */
bool told = false;    /* and somebody has it */
byte left = 0;        /* how often the perch was left */
bool wake = false;
bool futex = false;   /* the worker sleeps on `wake` */
bool idle = false;
byte work = 0;        /* that nobody has seen */
byte seen = 0;
byte begun = 0;       /* wakers that have added their work */
bool held = false;    /* a handler keeps the worker from its perch */
bool quiet = false;   /* the input has come, or never will */

/* leave: what has come is passed on; else it will be, by a callback, which the link sets then. */
inline leave()
{
    d_step {
        left++;
        assert(left == 1);
        told = true /* now, or by the callback of the read that is set here */
    }
}

#define ALL (seen == WAKERS && quiet && (told || !came)) /* nothing is left, and nothing will come */

/* take_self: leave_idle; mine is false when a waker has taken it off, whose wake-up follows. */
inline take_self()
{
    atomic {
        mine = idle;
        idle = false
    }
}

active proctype worker()
{
    bool mine = false;

    do
    :: ALL -> break
    :: else ->
        if
        :: skip /* it has nothing else to do */
        :: held = true; /* only the monitor can help the input: the handler lasts until it has */
            (told || !came);
            held = false
        fi;
        /* park */
        idle = true;
        mine = false;
        if
        :: work > 0 -> take_self() /* anything_queued */
        :: else
        fi;
        if
        :: mine
        :: else ->
            /* gri_perch_wait */
            atomic {
                if
                :: perch -> perched = true
                :: else
                fi
            };
            if
            :: perched ->
#if BUG == 1
                (stirs || ALL);
#else
                if
                :: wake
                :: else -> (stirs || ALL)
                fi;
#endif
                atomic {
                    perched = false;
                    perch = false
                };
                leave();
                take_self()
            :: else
            fi
        fi;
        if
        :: mine
        :: else ->
            /* the futex: a sleep ends when it is woken, and is not begun when `wake` is set */
            do
            :: atomic { wake || ALL -> break }
            :: atomic { !wake -> futex = true };
                (!futex || ALL)
            od;
            wake = false;
            idle = false
        fi;
        /* search */
        d_step {
            seen = seen + work;
            work = 0
        }
    od
}

/* gri_wake_worker, by who has taken the worker off the idle stack */
inline wake_worker(there)
{
#if BUG == 2
    there = perched;
    wake = true;
#else
    wake = true;
    there = perched;
#endif
    if
    :: there ->
        atomic {
#if BUG != 3
            there = perched;
#endif
            if
            :: there ->
                assert(perch);
                stirs = true
            :: else
            fi
        }
    :: else
    fi;
    if
    :: !there -> futex = false
    :: else
    fi
}

active [WAKERS] proctype waker()
{
    bool mine = false, there = false;

    d_step {
        work++;
        begun++
    };
    atomic {
        mine = idle;
        idle = false
    };
    if
    :: mine -> wake_worker(there)
    :: else /* it runs, and looks once more before it sleeps */
    fi
}

active proctype input()
{
    if
    :: skip
    :: atomic {
            came = true;
            stirs = true
        }
    fi;
    quiet = true
}

/* The monitor's tick may come at any time; the worker is not held when it waits at its perch. */
active proctype monitor()
{
    bool taken = false;

end:
    atomic {
#if BUG == 4
        perch ->
#else
        perch && !perched ->
#endif
        perch = false;
        taken = true
    };
    leave()
}
