/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leave.pml - a call that ends without leaving its scope, whoever frees it, and the scope's end. Mirrors
 * gri_future_leave, gri_future_seal, gri_future_try_ref and gri_future_unref in runtime/async/future.c, sweep_locked, next_untold and
 * take_out in runtime/async/scope.c, and gri_call_end and op_destroy in runtime/actor/call.c.
 *
 * The processes: who answers; the owner, who lets go; a cancellation, which passes over the members; and who closes the
 * scope. The scope goes when it is closed and empty, the call with its last reference.
 *
 * What is checked:
 *   - the call is taken out of the scope once, and is in none when its memory goes;
 *   - the call's memory goes once, and nobody touches it afterwards;
 *   - the scope is told once that it is empty, even if the owner waits for that before it lets go, not before the call has ended, and who takes a member out touches
 *     it no more afterwards.
 *
 * A critical section under the scope's lock is several steps here, since others change the references meanwhile.
 * Sequentially consistent: weaker orders are for ThreadSanitizer and the stress tests.
 *
 * BUG=1  who frees the call doesn't look whether it is still in the scope
 * BUG=2  who closes takes out what has left though nobody has a reference to it any more
 * BUG=3  a pass takes a reference even if there is none left
 * BUG=4  who answers looks whether the call is sealed, then gives his reference up: two steps
 * BUG=5  who answers notes that it has left before it is over (so it would be if LEFT of the call's life told it)
 */
#ifndef BUG
#define BUG 0
#endif

byte refs = 2; /* the owner's, the duty's */
bool sealed = false;
bool left = false;
bool in_scope = true; /* the call's pointer to it */
bool listed = true;
bool locked = false;
bool closed = false;
byte count = 1;

/* Not in the program. */
bool over = false; /* all that the answer takes is done */
bool freed = false;
byte emptied = 0;
byte kept = 2; /* the scope, by who cancels and who closes it */

#define THERE assert(!freed)
#define SCOPE_THERE assert(emptied == 0 || kept > 0)

inline lock()
{
    atomic {
        !locked -> SCOPE_THERE;
        locked = true
    }
}

inline look_empty()
{
    /* under the lock; `emptied` is called after it, by who found that */
    if
    :: closed && count == 0 && emptied == 0 ->
        assert(over);
        emptied++
    :: else
    fi
}

inline take_out()
{
    lock();
    atomic {
        THERE;
        assert(listed);
        listed = false;
        count--;
        look_empty();
        locked = false
    }
}

inline free_it()
{
    THERE;
#if BUG != 1
    if
    :: in_scope ->
        in_scope = false;
        take_out()
    :: else
    fi;
#endif
    atomic {
        THERE;
        assert(!listed);
        freed = true
    }
}

inline unref(last)
{
    atomic {
        THERE;
        assert(refs > 0);
        refs--;
        last = (refs == 0)
    };
    if
    :: last -> free_it()
    :: else
    fi;
    last = false
}

proctype answerer()
{
    bool last = false;
    bool eager = false;

#if BUG == 5
    atomic {
        eager = sealed;
        left = !sealed
    };
    over = true;
    if
    :: !eager -> unref(last)
    :: else -> skip
    fi;
#else
    over = true;
#if BUG == 4
    eager = sealed;
    if
    :: !eager ->
        left = true;
        unref(last)
    :: else
    fi;
#else
    atomic {
        eager = sealed;
        if
        :: !sealed ->
            THERE;
            left = true;
            refs--;
            last = (refs == 0)
        :: else
        fi
    };
    if
    :: last -> free_it()
    :: else
    fi;
#endif
#endif
    if
    :: eager ->
        in_scope = false;
        take_out();
        last = false;
        unref(last)
    :: else
    fi
}

proctype owner()
{
    bool last = false;

    if
    :: true -> emptied == 1 /* it keeps the answer until the scope has been joined: nobody may wait for it */
    :: true
    fi;
    unref(last)
}

proctype canceller()
{
    bool last = false;
    bool mine = false;

    lock();
    if
    :: listed ->
        THERE;
        atomic {
#if BUG == 3
            refs++;
            mine = true
#else
            if
            :: refs > 0 ->
                refs++;
                mine = true
            :: else
            fi
#endif
        }
    :: else
    fi;
    locked = false;
    if
    :: mine -> unref(last)
    :: else
    fi;
    kept--
}

proctype closer()
{
    bool last = false;
    bool mine = false;

    lock();
    closed = true;
    if
    :: listed ->
        THERE;
        atomic {
#if BUG == 2
            mine = left;
#else
            mine = (left && refs > 0);
#endif
            sealed = true;
            if
            :: mine -> refs++
            :: else
            fi
        };
        if
        :: mine ->
            THERE;
            listed = false;
            count--;
            in_scope = false
        :: else
        fi
    :: else
    fi;
    locked = false;
    if
    :: mine -> unref(last)
    :: else
    fi;
    lock();
    atomic {
        look_empty();
        locked = false
    };
    kept--
}

init {
    atomic {
        run answerer();
        run owner();
        run canceller();
        run closer()
    };
    (_nr_pr == 1);
    assert(freed && !listed && emptied == 1)
}
