/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life.pml - a call from its end, or its cancellation, to the end of its memory: its run scope, who keeps it in its
 * place, who moves it to another. Mirrors gri_call_life of runtime/actor/call.h and what goes by it: in call.c end_life,
 * finish, end_run, call_leave, leave, hold, let_leave, make_run_scope, run_emptied, gri_call_step_up, gri_call_end,
 * gri_call_abort, op_detach and op_destroy; in ctx.c gri_run_holds and above_holds; the references of
 * runtime/async/future.c; in scope.c refuse, next_untold, take_out and gri_scope_move. leave.pml looks more
 * closely at who leaves in passing while a scope ends.
 *
 * The call lies in its parent's run scope (PARENT), may be moved to the root scope (ROOT), and what it starts lies in
 * its own (RUN): one member, which ends when it is told to, or before. The parent is in its own parent's run scope, and
 * that one may be gone once the parent has left it. The processes:
 *
 *   duty     has the duty: takes the call from the queue (QUEUED) or finds it cancelled there, may start something,
 *            may wait until it is cancelled, and ends it
 *   owner    frees the future at once, or when it has been answered, or when the parent's scope has been joined; or,
 *            with MOVES, detaches it
 *   closer   the parent's end, which closes its run scope; with MOVES also the root scope's, at any time
 *   TIMED    a timer, which cancels the call
 *   STARTS   a handler that deferred: it has a reference, and starts something at any time, maybe when the call has ended
 *   STEPS    who goes up from it by references
 *   WALKS    the handler goes up before it ends, without a reference to its call
 *
 * RUNS=0, for more of these, leaves out that who has the duty may start something.
 *
 * What is checked:
 *   - the call is answered once, its duty ends once, and it leaves its scope once, not before its run scope is empty;
 *   - its memory goes once, when it is in no scope, and nobody touches it afterwards; nor the parent's, nor the
 *     grandparent's;
 *   - a run scope that was made is closed once and told once that it is empty, the parent's too, and nobody touches that
 *     afterwards;
 *   - nothing waits for ever: who waits to be cancelled is, if a scope is closed in which it is or was to be found.
 *
 * One atomic operation is one statement, and so is what is done under a scope's lock, since at most one thing in there is
 * seen by who has not got the lock. Who waits in a loop just waits. A pass looks at the call once. Streams and the
 * actor's part are left out. Sequentially consistent: weaker orders are for ThreadSanitizer and the stress tests.
 *
 * BUG=1   who ends the call doesn't look whether it has been cancelled
 * BUG=2   LEFT is set with ENDED even if the call has a run scope
 * BUG=3   LEFT is set with ENDED even if somebody holds the call
 * BUG=4   who holds it looks for LEFT, then gives HELD_HERE up: two steps
 * BUG=5   a run scope is made even if the call has ended
 * BUG=6   who ends it reads `run` without the lock
 * BUG=7   a run scope does not count its call
 * BUG=8   it leaves in passing even if it has been moved
 * BUG=9   who finds but one reference, his own, does not look at the flags beside it
 * BUG=10  what can't be moved is not cancelled, though a pass may have missed it (so it was once)
 * BUG=11  who goes up without references does so beyond the parent (likewise)
 * BUG=12  who moves it does not count its parent
 * BUG=13  who takes it out of the queue doesn't look whether it has been cancelled
 */
#ifndef BUG
#define BUG 0
#endif
#ifndef QUEUED
#define QUEUED 0
#endif
#ifndef MOVES
#define MOVES 0
#endif
#ifndef TIMED
#define TIMED 0
#endif
#ifndef STARTS
#define STARTS 0
#endif
#ifndef STEPS
#define STEPS 0
#endif
#ifndef WALKS
#define WALKS 0
#endif
#ifndef RUNS
#define RUNS !STARTS
#endif

#define NONE 0
#define PARENT 1
#define ROOT 2
#define RUN 3

/* life */
bool cancelling, ended, left, held, ran;
bool foreign;
/* the future's refs */
byte refs = 2 + TIMED + STARTS + STEPS; /* the owner's, the duty's */
bool sealed, passed;                    /* passed: GRI_FUTURE_LEFT */
bool done;
/* the rest of it */
bool queued = QUEUED; /* state */
bool fired;                    /* cancel.fired */
bool cancel_locked;
bool has_run; /* there is one */
bool armed = TIMED;
byte scope = PARENT; /* member.scope */

/* Scopes, by number. */
bool closed[4], told_empty[4];
byte members[4];
bool cancelled; /* RUN */
byte listed = PARENT; /* in which list the call is */

/* The parent. */
byte parent_refs = 2; /* who ends it, its run scope's */
bool parent_ended, parent_left, parent_held;
bool parent_out; /* of its scope: the grandparent may be gone */

/* Not in the program. */
bool freed, parent_freed;
byte answers, leaves, closes;

#define THERE assert(!freed)
#define PARENT_THERE assert(!parent_freed)
#define GRANDPARENT_THERE assert(!parent_out)

/* What each process has for itself. */
#define OWN                                                                                        \
    bool last, mine, counted, is_empty, gone, was_ran, was_held, passing, up;                         \
    byte s

/* ---- the parent ------------------------------------------------------------------------------ */

inline parent_ref()
{
    atomic {
        PARENT_THERE;
        assert(parent_refs > 0);
        parent_refs++
    }
}

inline parent_unref()
{
    atomic {
        PARENT_THERE;
        assert(parent_refs > 0);
        parent_refs--;
        if
        :: parent_refs == 0 ->
            assert(parent_out);
            parent_freed = true
        :: else
        fi
    }
}

/* parent_emptied is run_emptied of the parent. */
inline parent_emptied()
{
    atomic {
        PARENT_THERE;
        assert(scope == ROOT || (ended && (!ran || told_empty[RUN])));
        assert(!parent_left);
        parent_left = true;
        parent_out = !parent_held
    };
    parent_unref()
}

/* parent_step_up is gri_call_step_up of the parent. */
inline parent_step_up()
{
    atomic {
        (parent_left || !parent_held) -> PARENT_THERE;
        mine = !parent_left;
        parent_held = parent_held || mine
    };
    if
    :: mine ->
        if
        :: !parent_ended -> GRANDPARENT_THERE
        :: else
        fi;
        atomic {
            PARENT_THERE;
            parent_held = false;
            parent_out = parent_left
        };
        mine = false
    :: else
    fi;
    parent_unref()
}

/* ---- scopes ---------------------------------------------------------------------------------- */

inline scope_there(in)
{
    assert((in != PARENT || !parent_freed) && (in != RUN || !freed))
}

/* look_empty is the last thing under the lock of `in`: is `emptied` to be called? */
inline look_empty(in)
{
    is_empty = (closed[in] && members[in] == 0 && !told_empty[in]);
    told_empty[in] = told_empty[in] || is_empty
}

inline tell_parent(in)
{
    if
    :: is_empty ->
        is_empty = false;
        if
        :: in == PARENT -> parent_emptied()
        :: else
        fi
    :: else
    fi
}

/* scope_leave is gri_scope_leave of the call. */
inline scope_leave()
{
    atomic {
        THERE;
        s = scope;
        scope = NONE
    };
    if
    :: s != NONE ->
        atomic {
            THERE;
            scope_there(s);
            assert(listed == s);
            listed = NONE;
            members[s]--;
            look_empty(s)
        };
        tell_parent(s);
        s = NONE
    :: else
    fi
}

/* ---- the call's references ------------------------------------------------------------------- */

inline destroy()
{
    scope_leave();
    atomic {
        THERE;
        assert(listed == NONE && left);
        assert(!has_run || told_empty[RUN]);
        freed = true
    }
}

inline unref()
{
    atomic {
        THERE;
        assert(refs > 0);
#if BUG == 9
        last = (refs == 1)
#else
        last = (refs == 1 && !sealed && !passed)
#endif
    };
    if
    :: !last ->
        atomic {
            THERE;
            refs--;
            last = (refs == 0)
        }
    :: else
    fi;
    if
    :: last -> destroy()
    :: else
    fi;
    last = false
}

/* ---- leaving --------------------------------------------------------------------------------- */

inline leave()
{
    atomic {
        THERE;
        assert(left && leaves == 0);
        leaves++;
        counted = foreign
    };
    scope_leave();
    if
    :: counted -> parent_unref()
    :: else
    fi;
    counted = false
}

inline call_leave()
{
    atomic {
        THERE;
        left = true;
        mine = !held
    };
    if
    :: mine -> leave()
    :: else
    fi;
    mine = false
}

/* hold: mine is false when it leaves. */
inline hold()
{
    atomic {
        (left || !held) -> THERE;
        mine = !left;
        held = held || mine
    }
}

inline let_leave()
{
#if BUG == 4
    mine = left;
    held = false;
#else
    atomic {
        THERE;
        held = false;
        mine = left
    };
#endif
    if
    :: mine -> leave()
    :: else
    fi;
    mine = false
}

/* step_up: `up` says that the caller has a reference to the parent; the call's is given up. */
inline step_up()
{
    hold();
    if
    :: mine ->
        up = !ended;
        if
        :: up -> parent_ref()
        :: else
        fi;
        let_leave()
    :: else
    fi;
    unref()
}

/* ---- the run scope --------------------------------------------------------------------------- */

inline run_emptied()
{
    call_leave();
#if BUG != 7
    unref()
#endif
}

inline tell_run()
{
    if
    :: is_empty ->
        is_empty = false;
        run_emptied()
    :: else
    fi
}

/* make_run is make_run_scope, when there is none yet. */
inline make_run()
{
    atomic {
        !cancel_locked -> THERE;
        cancel_locked = true
    };
    atomic {
        THERE;
        mine = !ended;
#if BUG == 5
        mine = true;
#endif
        ran = ran || mine
    };
    if
    :: mine ->
        atomic {
            THERE;
#if BUG != 7
            refs++;
#endif
            cancelled = fired;
            mine = false
        };
        has_run = true
    :: else
    fi;
    atomic {
        THERE;
        cancel_locked = false
    }
}

/* start makes a run scope and starts something in it, unless it is too late. */
inline start()
{
    make_run();
    if
    :: has_run && !ended ->
        atomic {
            scope_there(RUN);
            if
            :: !closed[RUN] && !cancelled ->
                members[RUN]++;
                run member()
            :: else
            fi
        }
    :: else
    fi
}

proctype member()
{
    OWN;

    if
    :: true -> cancelled || closed[RUN]
    :: true
    fi;
    atomic {
        scope_there(RUN);
        members[RUN]--;
        look_empty(RUN)
    };
    tell_run()
}

/* ---- ending ---------------------------------------------------------------------------------- */

inline answer()
{
    atomic {
        THERE;
        answers++;
        assert(answers == 1);
        done = true
    }
}

inline end_run()
{
#if BUG == 6
    assert(has_run);
#else
    atomic {
        !cancel_locked -> THERE;
        assert(has_run)
    };
#endif
    atomic {
        scope_there(RUN);
        closes++;
        closed[RUN] = true
    };
    atomic {
        scope_there(RUN);
        look_empty(RUN)
    };
    tell_run()
}

/* finish: `passing` says that its place in its scope, too, is the caller's to give up. Who made the call is open. */
inline finish()
{
    atomic {
        THERE;
        assert(!ended);
        ended = true;
        was_ran = ran;
        was_held = held;
#if BUG == 2
        was_ran = false;
#endif
#if BUG == 3
        was_held = false;
#endif
        left = left || (!was_ran && !was_held);
#if BUG == 8
        counted = false;
#else
        counted = foreign;
#endif
#if BUG == 1
        mine = true
#else
        mine = !cancelling
#endif
    };
    if
    :: mine ->
        answer();
        mine = false
    :: else
    fi;
    atomic {
        THERE;
        mine = armed;
        armed = false
    };
    if
    :: mine ->
        mine = false;
        unref()
    :: else
    fi;
    atomic {
        if
        :: !was_ran && !was_held && !counted -> passing = true
        :: true
        fi;
        counted = false
    };
    if
    :: passing
    :: else ->
        if
        :: was_ran -> end_run()
        :: !was_ran && was_held -> call_leave()
        :: else -> leave()
        fi
    fi;
    was_ran = false;
    was_held = false
}

/* end is gri_call_end. */
inline end()
{
    finish();
    if
    :: passing ->
        atomic {
            THERE;
            passing = false;
            if
            :: !sealed ->
                gone = true;
                passed = true;
                refs--;
                last = (refs == 0)
            :: else
            fi
        };
        if
        :: gone && last -> destroy()
        :: gone && !last
        :: else -> leave()
        fi
    :: else
    fi;
    if
    :: !gone -> unref()
    :: else
    fi
}

/* ---- cancelling ------------------------------------------------------------------------------ */

/* abort is gri_call_abort, by who has a reference. */
inline abort()
{
    atomic {
        THERE;
        mine = (!cancelling && !ended);
        cancelling = true
    };
    if
    :: mine ->
        answer();
        atomic {
            !cancel_locked -> THERE;
            fired = true;
            mine = has_run
        };
        if
        :: mine ->
            atomic {
                scope_there(RUN);
                cancelled = true
            }
        :: else
        fi;
        atomic {
            THERE;
            mine = queued;
            queued = false
        };
        if
        :: mine ->
            mine = false;
            finish();
            if
            :: passing ->
                passing = false;
                leave()
            :: else
            fi
        :: else
        fi
    :: else
    fi
}

/* ---- who does all that ----------------------------------------------------------------------- */

/* go_up is above_holds, from the call's parent. */
inline go_up()
{
    if
    :: up ->
        up = false;
        parent_step_up()
    :: else
    fi
}

/* walk is gri_run_holds of a handler that has not answered: it needs no reference to the call's parent. */
inline walk()
{
#if BUG == 11
    atomic {
        PARENT_THERE;
        mine = !parent_ended
    };
    if
    :: mine ->
        GRANDPARENT_THERE;
        mine = false
    :: else
    fi
#else
    parent_ref();
    parent_step_up()
#endif
}

proctype duty()
{
    OWN;

#if QUEUED
    atomic {
        THERE;
        mine = queued;
        queued = false
    };
#if BUG == 13
    mine = true;
#endif
    if
    :: !mine ->
        unref(); /* a shell */
        goto over
    :: else -> mine = false
    fi;
#endif
#if RUNS
    if
    :: true -> start()
    :: true
    fi;
#endif
#if WALKS
    walk();
#endif
    if
    :: true -> fired
    :: true
    fi;
    end();
over:
    skip
}

inline detach()
{
    hold();
    if
    :: mine ->
#if BUG != 12
        parent_ref();
#endif
        atomic {
            THERE;
            foreign = true
        };
        /* gri_scope_move; its stand-in is what is still counted */
        atomic {
            scope_there(PARENT);
            assert(listed == PARENT);
            listed = NONE
        };
        atomic {
            THERE;
            gone = closed[ROOT];
            scope = (gone -> NONE : ROOT);
            listed = scope;
            members[ROOT] = members[ROOT] + !gone
        };
        atomic {
            scope_there(PARENT);
            if
            :: !gone ->
                members[PARENT]--;
                look_empty(PARENT)
            :: else ->
                THERE;
                listed = PARENT;
                scope = PARENT
            fi
        };
        tell_parent(PARENT);
        let_leave();
        if
#if BUG != 10
        :: gone -> abort()
#endif
        :: else
        fi;
        gone = false
    :: else
    fi
}

proctype owner()
{
    OWN;

    if
    :: true ->
        if
        :: !done -> abort()
        :: else
        fi
    :: true -> done
    :: true -> told_empty[PARENT]
#if MOVES
    :: true ->
        if
        :: !done -> detach()
        :: else
        fi
#endif
    fi;
    unref()
}

/* closer is gri_scope_close. */
proctype closer(byte in)
{
    OWN;

    parent_ended = parent_ended || in == PARENT;
    atomic {
        scope_there(in);
        closed[in] = true;
        if
        :: listed == in ->
            THERE;
            mine = (!sealed && passed && refs > 0);
            sealed = true;
            if
            :: mine ->
                refs++;
                members[in]--;
                listed = NONE;
                scope = NONE
            :: else
            fi
        :: else
        fi
    };
    if
    :: mine ->
        mine = false;
        unref()
    :: else
    fi;
    atomic {
        scope_there(in);
        if
        :: listed == in && refs > 0 ->
            THERE;
            refs++;
            mine = true
        :: else
        fi
    };
    if
    :: mine ->
        abort();
        mine = false;
        unref()
    :: else
    fi;
    atomic {
        scope_there(in);
        look_empty(in)
    };
    tell_parent(in);
    if
    :: in == PARENT -> parent_unref()
    :: else
    fi
}

proctype timer()
{
    OWN;

    atomic {
        mine = armed;
        armed = false
    };
    if
    :: mine ->
        abort();
        mine = false;
        unref()
    :: else
    fi
}

proctype starter()
{
    OWN;

    start();
    unref()
}

proctype stepper()
{
    OWN;

    step_up();
    go_up()
}

init {
    atomic {
        members[PARENT] = 1;
        run duty();
        run owner();
        run closer(PARENT);
#if MOVES
        run closer(ROOT);
#endif
#if TIMED
        run timer();
#endif
#if STARTS
        run starter();
#endif
#if STEPS
        run stepper()
#endif
    };
    (_nr_pr == 1);
    assert(freed && parent_freed && answers == 1 && ended && listed == NONE);
    assert(members[PARENT] == 0 && members[ROOT] == 0 && members[RUN] == 0);
    assert(!held && closes == ran && told_empty[RUN] == ran && told_empty[PARENT])
}
