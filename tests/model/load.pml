/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.pml - who holds an actor, its end, and its slot's next actor. Mirrors runtime/actor/actor.c
 * (gri_actor_pin, gri_actor_unpin, finish_run, give_back), drained in turn.c, publish in spawn.c, and
 * registry.c as far as a slot is used again under another id.
 *
 * One slot, in which two actors live one after the other. SENDERS hold a ref to the first, one more
 * gets a ref to the second; two passes over the scope tell the first one to stop; it has an error to tell,
 * which senders read when they find it stopping.
 *
 * What is checked:
 *   - each actor is finished exactly once, and only with nobody on the way to it or in it;
 *   - who was given an actor works with the one it meant, before its end;
 *   - its error is read only while it is there, and nobody tells the slot's next actor to stop;
 *   - both actors end, and the slot becomes free with no pin left.
 *
 * Sequentially consistent: weaker orders are for ThreadSanitizer and the stress tests.
 *
 * BUG=1  whoever drops the last pin finishes the actor, without claiming that by the mark
 * BUG=2  the claim leaves the mark where it is
 * BUG=3  the slot is given back without waiting for pins
 * BUG=4  a sender doesn't look at the id again once it holds a pin
 */
#ifndef BUG
#define BUG 0
#endif
#ifndef SENDERS
#define SENDERS 2
#endif

byte pins = 1;       /* the low half of load; the first actor's own is there */
bool marked = false; /* GRI_LOAD_DRAINED */
byte id = 1;         /* 0 while the slot is free */
bool stopping = false;
bool drained = false;
bool said = true;   /* GRI_SAID */
bool error = true;  /* actor.error is there */
bool member = true; /* in its scope's list */
byte turns = 0;
byte finishes = 0; /* finish tasks in the queues */
bool slot_free = false;

/* Not in the program. */
byte actor = 1; /* which of the two lives in the slot, or did last */
byte finished[3];
byte users[3]; /* who was given the actor and still works with it */
byte second = 0; /* its ref, once somebody knows it */

inline unpin(last)
{
    atomic {
        assert(pins > 0);
        pins--;
        last = (pins == 0 && marked)
    };
    if
    :: last ->
        atomic {
            if
            :: (pins == 0 && marked) || BUG == 1 ->
#if BUG != 2
                marked = false;
#endif
                finishes++;
                last = false
            :: else -> last = false
            fi
        }
    :: else
    fi
}

inline ready_turn()
{
    pins++;
    turns++
}

/* gri_actor_pin, and what comes of it: given is set when it found the actor */
inline pin(ref, given, last)
{
    given = false;
    if
    :: id != ref
    :: else ->
        pins++;
        atomic { /* the second look at the id, then at the flags */
            given = (id == ref || BUG == 4)
        };
        atomic {
            given = given && !stopping;
            if
            :: given ->
                assert(actor == ref && finished[ref] == 0);
                users[ref]++
            :: else
            fi
        };
        if
        :: given
        :: else ->
            if
            :: id == ref ->
                if
                :: said -> assert(error && actor == ref)
                :: else
                fi
            :: else
            fi;
            unpin(last)
        fi
    fi
}

proctype sender(byte ref)
{
    bool given;
    bool last = false;

    pin(ref, given, last);
    if
    :: given -> /* a message: handled some time later, then unpinned */
        atomic {
            assert(actor == ref && finished[ref] == 0);
            users[ref]--
        };
        unpin(last)
    :: else
    fi
}

/* member_ref, member_stop, member_unref: a pass over the scope */
proctype stopper(byte which)
{
    bool last = false;
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
    :: else -> ready_turn() /* gri_mailbox_kick: the mailbox is idle here */
    fi;
    unpin(last);
gone:
    skip
}

/* a worker: turns, of which drained is what matters, and finishes */
proctype worker()
{
    bool last = false;
    bool was;
    byte which;

end:
    do
    :: atomic {
           turns > 0 -> turns--
       };
       atomic {
           was = drained;
           drained = true
       };
       if
       :: was
       :: else ->
           marked = true;
           unpin(last)
       fi;
       unpin(last)
    :: atomic { /* finish_run */
           finishes > 0 ->
           finishes--;
           which = actor;
           finished[which]++;
           assert(finished[which] == 1);
           assert(users[which] == 0)
       };
       id = 0;
       member = false; /* gri_scope_leave */
#if BUG != 3
       pins == 0; /* give_back comes again until it sees that */
#endif
       error = false;
       slot_free = true
    od
}

/* gr_spawn, once the slot is free, and then the second actor's life */
proctype spawner()
{
    slot_free -> slot_free = false;
    atomic { /* set_up: the actor is not to be found yet */
        actor = 2;
        said = false
    };
    pins++;
    atomic {
        stopping = false; /* one store of all flags */
        drained = false
    };
    id = 2;
    member = true;
    second = 2;
    run stopper(2)
}

proctype late_sender()
{
    bool given;
    bool last = false;

    second == 2;
    pin(2, given, last);
    if
    :: given ->
        atomic {
            assert(actor == 2 && finished[2] == 0);
            users[2]--
        };
        unpin(last)
    :: else
    fi
}

init
{
    byte i;

    atomic {
        for (i : 1 .. SENDERS) {
            run sender(1)
        };
        run stopper(1);
        run stopper(1);
        run spawner();
        run late_sender();
        run worker();
        run worker()
    };
    timeout;
    assert(finished[1] == 1 && finished[2] == 1);
    assert(pins == 0 && !marked && slot_free)
}
