/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.pml - who keeps an actor, its end, and its slot's next actor. Mirrors runtime/actor/actor.c
 * (gri_actor_enter, enter_bounded, pin_slot, gri_actor_pin, gri_actor_unpin, gri_actor_leave), mailbox.[ch] as far as
 * the pair decides who ends an actor (gri_inbox_come, gri_mailbox_init, _close, _kick_id, _go_idle), go_idle of
 * turn.c, gri_pin_locked of signal.c, gri_actor_finish_run and give_back of exit.c, publish of spawn.c, and
 * registry.c as far as a slot is used again under another id. How messages get in and out is in mailbox.pml; here
 * they are only counted.
 *
 * One slot, in which two actors live one after the other; with FAILS one more between them is made in vain. A pass
 * over the scope tells the first to stop, and later the last one. Who comes with a ref to the first:
 *
 *   TELLS    gr_tell, or a call to an actor with state: place, pin and push in one step. The second is a call.
 *   ENTERS   a call to a stateless actor: place and pin, then a look at the flags; it runs past the turn
 *   BOUNDED  a tell to an actor with bounds: a pin, a place, a push
 *   ASKS     gri_asks_end: it looks at the bounds, under a pin, at whatever stage the actor is
 *   EXITS    an exit signal, pinned under the lock
 *
 * LATE of the kind TELLS have a ref to the last actor. QUEUES: tells to one with bounds wait there (drop the oldest).
 *
 * What is checked:
 *   - each actor is finished exactly once, and only with nobody on the way to it or in it;
 *   - who was let in works with the actor it meant, before its end; a turn is readied for the one that was meant;
 *   - an actor's error and its bounds are read only while they are there, and nobody tells the slot's next
 *     actor to stop;
 *   - an actor that could not be made has no turn queued;
 *   - both actors end, and the slot becomes free with no pin left, nor place.
 *
 * Each swap of the pair is one statement, as in mailbox.pml. Sequentially consistent: weaker orders are for
 * ThreadSanitizer and the stress tests.
 *
 * BUG=1   whoever drops the last pin finishes the actor, without claiming that by CLOSED
 * BUG=2   the claim leaves IDLE where it is
 * BUG=3   the slot is given back without waiting for pins
 * BUG=4   who pins doesn't look at the id again
 * BUG=5   who enters doesn't compare the generation
 * BUG=6   who enters doesn't look whether the actor is drained
 * BUG=7   a turn that went idle kicks whoever is in the slot
 * BUG=8   the slot's next actor begins with one pin, whatever pins there are
 * BUG=9   a turn that went idle looks at the bounds without a pin
 * BUG=10  a turn that went idle doesn't look at the bounds
 */
#ifndef BUG
#define BUG 0
#endif
#ifndef TELLS
#define TELLS 0
#endif
#ifndef ENTERS
#define ENTERS 0
#endif
#ifndef BOUNDED
#define BOUNDED 0
#endif
#ifndef ASKS
#define ASKS 0
#endif
#ifndef EXITS
#define EXITS 0
#endif
#ifndef LATE
#define LATE 1
#endif
#ifndef QUEUES
#define QUEUES 0
#endif
#ifndef FAILS
#define FAILS 0
#endif
#define LAST (2 + FAILS)

#define BUSY 0 /* a turn is queued or running */
#define IDLE 1
#define CLOSED 2

/* The pair; what lies in the stack is counted only. */
byte head = IDLE;
byte tells = 0, calls = 0;
byte places = 0;
byte pins = 1; /* the actor's own */
bool drained = false;
byte generation = 1;
#define OVER (drained && pins == 0 && places == 0)

byte id = 1; /* 0 while the slot is free */
bool stopping = false;
bool dead = false;  /* GRI_DEAD */
bool said = true;   /* GRI_SAID */
bool error = true;  /* actor.reason is there */
bool bounds = true; /* actor.bounds is there */
bool member = true; /* in its scope's list */
byte outside = 0;   /* bounds.queued */
byte turns = 0;
byte finishes = 0; /* finish tasks in the queues */
bool slot_free = false;

/* The turn's own. */
byte owed = 0, owed_pins = 0;

/* Not in the program. */
byte actor = 1; /* which of them lives in the slot, or did last */
byte finished[4];
byte users[4]; /* who was let in and still works with the actor, and its messages */

/* ---- senders --------------------------------------------------------------------------------- */

inline look_finished(last)
{
    if
    :: last ->
        atomic {
            if
            :: (OVER && head == IDLE) || BUG == 1 ->
#if BUG != 2
                head = CLOSED;
#endif
                finishes++
            :: else
            fi;
            last = false
        }
    :: else
    fi
}

inline unpin(last)
{
    atomic {
        assert(pins > 0);
        pins--;
        last = OVER
    };
    look_finished(last)
}

inline ready_turn(g)
{
    atomic {
        turns++;
        assert(turns == 1 && actor == g && finished[g] == 0)
    }
}

/* let in: from here to the end of its work it counts among the users */
inline enters(ref)
{
    assert(actor == ref && finished[ref] == 0);
    users[ref]++
}

/* gri_mailbox_kick_id */
inline kick(g, was_idle)
{
    atomic {
        was_idle = (head == IDLE && (generation == g || BUG == 7));
        if
        :: was_idle -> head = BUSY
        :: else
        fi
    };
    if
    :: was_idle -> ready_turn(g)
    :: else
    fi;
    was_idle = false
}

/* pin_slot */
inline pin_slot(ref, given, last)
{
    atomic {
        given = (generation == ref);
        pins = pins + given
    };
    if
    :: given ->
        given = (id == ref || BUG == 4);
        if
        :: given
        :: else -> unpin(last)
        fi
    :: else
    fi
}

/* gri_actor_pin */
inline pin(ref, given, last)
{
    pin_slot(ref, given, last);
    if
    :: given ->
        atomic {
            given = !stopping;
            if
            :: given -> enters(ref)
            :: else
            fi
        };
        if
        :: given
        :: else ->
            if
            :: said -> assert(error && actor == ref) /* gri_actor_error */
            :: else
            fi;
            unpin(last)
        fi
    :: else
    fi
}

proctype teller(byte ref; bool call)
{
    bool was_idle = false;

    atomic { /* gri_mailbox_enter */
        if
        :: (generation != ref && BUG != 5) || (drained && BUG != 6) -> goto gone
        :: else
        fi;
        enters(ref);
        places++;
        pins = pins + call;
        calls = calls + call;
        tells = tells + !call;
        was_idle = (head == IDLE);
        head = BUSY
    };
    if
    :: was_idle -> ready_turn(ref)
    :: else
    fi;
gone:
    skip
}

proctype enterer(byte ref)
{
    bool last = false;
    bool given;

    atomic { /* gri_actor_enter */
        if
        :: (generation != ref && BUG != 5) || (drained && BUG != 6) -> goto gone
        :: else
        fi;
        places++;
        pins++
    };
    atomic {
        given = !stopping;
        if
        :: given -> enters(ref)
        :: else
        fi
    };
    if
    :: given -> /* on a worker: its place goes first */
        assert(actor == ref && finished[ref] == 0);
        places--;
        atomic {
            assert(actor == ref && finished[ref] == 0);
            users[ref]--
        };
        unpin(last)
    :: else -> /* gri_actor_leave; no_place */
        atomic {
            places--;
            pins--;
            last = OVER
        };
        look_finished(last);
        pin(ref, given, last);
        assert(!given)
    fi;
gone:
    skip
}

proctype bounded(byte ref)
{
    bool last = false;
    bool was_idle = false;
    bool given;

    pin(ref, given, last);
    if
    :: given ->
        assert(bounds && actor == ref);
        atomic {
            if
            :: drained -> given = false
            :: true -> places++ /* gri_bounds_would_start lets it in without that look */
            fi
        };
        if
#if QUEUES
        :: given -> /* gri_bounds_put; the message may be handled, and its place gone, once it lies there */
            pins++;
            outside++;
            kick(ref, was_idle);
            unpin(last)
#else
        :: given ->
            atomic { /* gri_actor_post; its place keeps the actor from here on */
                tells++;
                was_idle = (head == IDLE);
                head = BUSY
            };
            if
            :: was_idle -> ready_turn(ref)
            :: else
            fi
#endif
        :: else -> users[ref]--
        fi;
        unpin(last)
    :: else
    fi
}

proctype asker(byte ref)
{
    bool last = false;
    bool given;

    pin_slot(ref, given, last);
    if
    :: given ->
        assert(bounds && actor == ref);
        unpin(last)
    :: else
    fi
}

/* gri_exit_locked, gri_told_done */
proctype exiter(byte ref)
{
    bool last = false;
    bool was_idle = false;

    atomic {
        if
        :: id == ref && !dead ->
            assert(actor == ref && error);
            pins++;
            last = (head == CLOSED);
            stopping = stopping || !last
        :: else -> goto gone
        fi
    };
    if
    :: last -> last = false
    :: else -> kick(ref, was_idle)
    fi;
    assert(actor == ref);
    unpin(last);
gone:
    skip
}

/* member_ref, member_stop, member_unref: a pass over the scope */
proctype stopper(byte which)
{
    bool last = false;
    bool was_idle = false;
    bool was;

    atomic {
        if
        :: member && actor == which -> pins++
        :: else -> goto gone
        fi
    };
    atomic {
        assert(actor == which);
        was = stopping;
        stopping = true
    };
    if
    :: was
    :: else -> kick(which, was_idle)
    fi;
    unpin(last);
gone:
    skip
}

/* ---- workers --------------------------------------------------------------------------------- */

#define SOMETHING_CAME 0
#define WENT_IDLE 1
#define ENDED 2

/* gri_mailbox_take_all, and what is done for the messages: their places and pins are owed then */
inline take_all(which)
{
    atomic {
        assert(actor == which && finished[which] == 0);
        places = places - owed;
        pins = pins - owed_pins;
        owed = tells + calls;
        owed_pins = calls;
        users[which] = users[which] - owed;
        tells = 0;
        calls = 0
    }
}

/* gri_mailbox_go_idle */
inline go_idle(drain, how)
{
    atomic {
        how = SOMETHING_CAME;
        if
        :: tells + calls == 0 ->
            places = places - owed;
            pins = pins - owed_pins;
            owed = 0;
            owed_pins = 0;
            if
            :: drain && !drained ->
                drained = true;
                pins--
            :: else
            fi;
            how = (OVER -> ENDED : WENT_IDLE);
            head = (OVER -> CLOSED : IDLE)
        :: else
        fi
    }
}

/* gri_actor_finish_run, give_back */
inline finish(which)
{
    atomic {
        which = actor;
        finished[which]++;
        assert(finished[which] == 1);
        assert(users[which] == 0 && places == 0 && turns == 0)
    };
    dead = true; /* gri_actor_die */
    id = 0;
    member = false; /* gri_scope_leave */
#if BUG != 3
    pins == 0; /* give_back comes again until it sees that */
#endif
    atomic {
        error = false;
        bounds = false
    };
    slot_free = true
}

inline turn(which, drain, how, last, was_idle)
{
    which = actor;
    do
    :: tells + calls > 0 -> take_all(which)
#if QUEUES
    :: tells + calls == 0 && outside > 0 ->
        outside--;
        places--;
        users[which]--
#endif
    :: tells + calls + outside == 0 ->
        drain = stopping;
#if QUEUES && BUG != 9
        pins++;
#endif
        go_idle(drain, how);
        if
        :: how == ENDED ->
            finish(which);
            break
        :: how == WENT_IDLE ->
#if QUEUES
            assert(bounds && actor == which); /* gri_bounds_waits */
#endif
            /* due: the flags, then the pair; maybe those of the slot's next actor */
            if
            :: stopping -> drain = !drained
            :: else -> drain = false
            fi;
#if QUEUES && BUG != 10
            drain = drain || outside > 0;
#endif
            if
            :: drain -> kick(which, was_idle)
            :: else
            fi;
#if QUEUES && BUG != 9
            unpin(last);
#endif
            break
        :: else ->
#if QUEUES && BUG != 9
            unpin(last)
#endif
        fi
    od
}

proctype worker()
{
    bool last = false;
    bool was_idle = false;
    bool drain;
    byte how;
    byte which;

end:
    do
    :: atomic {
           turns > 0 -> turns--
       };
       turn(which, drain, how, last, was_idle);
       skip;
       d_step {
           drain = false;
           how = 0;
           which = 0
       }
    :: atomic {
           finishes > 0 -> finishes--
       };
       finish(which);
       which = 0
    od
}

/* gr_spawn, once the slot is free */
inline publish(which)
{
    atomic { /* set_up: the actor is not to be found yet */
        actor = which;
        said = false;
        stopping = false; /* one store of all flags */
        dead = false;
        bounds = true
    };
    atomic { /* gri_mailbox_init */
        generation = which;
        drained = false;
        head = IDLE;
        pins = (BUG == 8 -> 1 : pins + 1)
    };
    id = which
}

proctype spawner()
{
    byte i;

    slot_free -> slot_free = false;
#if FAILS
    publish(2);
    id = 0; /* it does not get into its scope */
    atomic { /* gri_mailbox_close */
        assert(turns == 0);
        head = CLOSED;
        pins--;
        drained = true
    };
    bounds = false;
#endif
    publish(LAST);
    atomic {
        member = true;
        i = 0;
        do
        :: i < LATE ->
            i++;
            run teller(LAST, i - 1)
        :: else -> break
        od;
        run stopper(LAST)
    }
}

init
{
    byte i;

    atomic {
        i = 0;
        do
        :: i < TELLS ->
            i++;
            run teller(1, i - 1)
        :: else -> break
        od;
        i = 0;
        do
        :: i < ENTERS ->
            i++;
            run enterer(1)
        :: else -> break
        od;
        i = 0;
        do
        :: i < BOUNDED ->
            i++;
            run bounded(1)
        :: else -> break
        od;
        i = 0;
        do
        :: i < ASKS ->
            i++;
            run asker(1)
        :: else -> break
        od;
        i = 0;
        do
        :: i < EXITS ->
            i++;
            run exiter(1)
        :: else -> break
        od;
        run stopper(1);
        run spawner();
        run worker();
        run worker()
    };
    timeout;
    assert(finished[1] == 1 && finished[LAST] == 1);
    assert(pins == 0 && places == 0 && slot_free && head == CLOSED)
}
