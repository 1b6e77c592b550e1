/* SPDX-License-Identifier: Apache-2.0 */
/*
 * future.pml - an answer, its owner, and who else would like to complete it. Mirrors runtime/async/future.c
 * (gri_future_settle, gri_future_watch, gri_future_unwatch, gri_future_unref) and of the call around it
 * finish and gri_call_cancel in runtime/actor/call.c and start_call, drop_shell in turn.c: a call is queued, then runs,
 * or is dropped by a cancellation that comes before it runs.
 *
 * The processes: the queue's taker, who has the duty to answer; the owner, who watches, may lose patience,
 * may cancel, and lets go; and, or not, a deadline, which cancels too, with a reference of its own.
 *
 * What is checked:
 *   - one answer is stored, before anybody can see that the future is done, and none is stored twice;
 *   - a watcher fires exactly once, unless it was taken back in time, and then never;
 *   - an owner who watches always gets to know (no lost wake-up);
 *   - the duty ends once: by the handler, or by the cancellation that dropped the call;
 *   - the last reference destroys the future, once, and nobody touches it afterwards.
 *
 * Sequentially consistent: weaker orders are for ThreadSanitizer and the stress tests.
 *
 * BUG=1  who ends the duty doesn't look whether a cancellation answers
 * BUG=2  completing looks for a watcher, then stores DONE: two steps
 * BUG=3  the watcher is fired after the duty's reference was dropped
 * BUG=4  taking a watcher back stores NULL, whatever is there
 * BUG=5  the handler starts without looking whether the call was dropped
 * BUG=6  the deadline has no reference of its own
 */
#ifndef BUG
#define BUG 0
#endif

#define NOBODY 0
#define WATCHER 1
#define DONE 2

#define QUEUED 0
#define RUNNING 1
#define DROPPED 2

byte waiter = NOBODY;
byte refs = 2; /* the owner's, the duty's */
byte result = 0; /* answers stored */
byte call = QUEUED;
bool cancelling = false;
bool ended = false;

/* Not in the program. */
byte fired = 0;
bool taken_back = false;
byte duties = 0; /* ends of the duty */
bool destroyed = false;

#define THERE assert(!destroyed)

inline unref(last)
{
    atomic {
        THERE;
        assert(refs > 0);
        refs--;
        last = (refs == 0)
    };
    if
    :: last ->
        THERE;
        assert(waiter != WATCHER);
        destroyed = true
    :: else
    fi;
    last = false
}

inline settle(w)
{
    atomic {
        THERE;
        assert(waiter != DONE);
        result++;
        assert(result == 1)
    };
#if BUG == 2
    w = waiter;
    waiter = DONE;
#else
    atomic {
        THERE;
        w = waiter;
        waiter = DONE
    };
#endif
#if BUG == 3
    refs--; /* the duty's, which its holder drops later below */
    if
    :: refs == 0 -> destroyed = true
    :: else
    fi;
    refs++;
#endif
    if
    :: w == WATCHER ->
        atomic {
            THERE;
            assert(!taken_back);
            fired++;
            assert(fired == 1)
        }
    :: else
    fi
}

/* finish, for who has the duty; it doesn't drop the reference */
inline finish(was, w)
{
    atomic {
        duties++;
        assert(duties == 1)
    };
    atomic { /* `life`: one word for both */
        THERE;
        was = cancelling;
        ended = true
    };
    if
    :: was && BUG != 1
    :: else -> settle(w)
    fi
}

/* gri_call_cancel, with a reference held. Whoever drops the call leaves the duty's reference to the queue. */
inline cancel(was, w)
{
    atomic {
        THERE;
        was = cancelling || ended;
        cancelling = true
    };
    if
    :: was
    :: else ->
        settle(w);
        atomic {
            THERE;
            was = (call == QUEUED);
            if
            :: was -> call = DROPPED
            :: else
            fi
        };
        if
        :: was -> finish(was, w)
        :: else
        fi
    fi;
    was = false;
    w = NOBODY
}

/* call_run: takes the call from the queue */
proctype taker()
{
    bool was;
    byte w;

    atomic {
        THERE;
        was = (call == QUEUED);
        if
        :: was || BUG == 5 ->
            was = true;
            call = RUNNING
        :: else
        fi
    };
    if
    :: was -> finish(was, w)
    :: else /* a shell */
    fi;
    unref(was)
}

proctype deadline()
{
    bool was;
    byte w;

    cancel(was, w);
#if BUG != 6
    unref(was)
#endif
}

proctype owner()
{
    bool was;
    byte w;
    bool watches = false;

    atomic { /* gri_future_watch */
        THERE;
        if
        :: waiter == NOBODY ->
            waiter = WATCHER;
            watches = true
        :: else -> assert(waiter == DONE)
        fi
    };
    if
    :: watches ->
        if
        :: fired > 0
        :: true -> /* runs out of patience: gri_future_unwatch */
            if
            :: true -> cancel(was, w) /* and may cancel while it watches */
            :: true
            fi;
            atomic {
                THERE;
                if
                :: waiter == WATCHER || BUG == 4 ->
                    waiter = NOBODY;
                    taken_back = true;
                    watches = false
                :: else
                fi
            };
            if
            :: watches -> fired > 0 /* gri_park_rest */
            :: else
            fi
        fi
    :: else
    fi;
    /* gri_future_done: what it says must be so */
    atomic {
        THERE;
        assert(waiter != DONE || result == 1);
        assert(taken_back || waiter == DONE)
    };
    if
    :: waiter != DONE -> cancel(was, w) /* gr_future_free */
    :: else
    fi;
    unref(was)
}

init
{
    atomic {
        run taker();
        run owner();
        if
        :: true ->
#if BUG != 6
            refs++;
#endif
            run deadline()
        :: true
        fi
    };
    _nr_pr == 1;
    assert(destroyed && refs == 0);
    assert(result == 1 && waiter == DONE);
    assert(duties == 1);
    assert(fired + taken_back <= 1)
}
