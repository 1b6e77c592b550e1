/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox.pml - messages into an actor: the stack, the turn that takes it whole, who readies the next turn,
 * who waits for room. Mirrors runtime/actor/mailbox.[ch]; of turn.c gri_turn_run, owe, rest and go_idle; of
 * actor.c gri_actor_unpin, gri_actor_look_for_room and gri_actor_wait_room; gri_actor_stop; and the signals of
 * signal.c. The slot's next actor, and who comes with a stale ref, are in load.pml.
 *
 * What is checked, over every interleaving of PRODUCERS senders of MESSAGES each (tells and calls by turns),
 * two workers and, with STOP, one who stops the actor; with SIGNAL, one who signals it:
 *   - at most one turn is queued or running;
 *   - each message is taken once, and those of one sender in order;
 *   - a tell that has been given back is not looked at any more;
 *   - nothing stays in the mailbox when all have come to rest (a lost wake-up), no signal is overlooked, nobody
 *     waits for room that is there;
 *   - an actor that was told to stop finishes, once, with nothing left in it; any other has no pin left but its own,
 *     and no place.
 *
 * One statement is one atomic operation; what a thread does with its own memory in between is joined to it.
 * FINE=0, for more senders, joins some of them where that loses little: taking IDLE out and readying the turn (until
 * then nobody else may); what a turn does for one message. A
 * swap of the pair is one statement, though the program reads the pair first: all that a swap does and decides
 * depends on the pair alone, and it succeeds only if the pair still is what was read. (So a tell whose memory
 * has become another tell's in between does no harm either: a push links to whatever lies on top.) Every
 * operation is sequentially consistent here: whether the weaker orders suffice is for ThreadSanitizer and the
 * stress tests. A short mailbox is exact in the program; OWED makes it inexact here, which is harder.
 *
 * BUG=1   going idle doesn't compare the head
 * BUG=2   a push onto an empty mailbox readies a turn too, not only one onto an idle one
 * BUG=3   stopping doesn't kick the mailbox
 * BUG=4   a turn that went idle doesn't look once more whether it was told to stop, or signalled
 * BUG=5   the turn doesn't turn the stack around
 * BUG=6   taking the stack doesn't stop at the tell that was left there
 * BUG=7   going idle forgets what the turn owes after the swap instead of before
 * BUG=8   going idle leaves the finish to others
 * BUG=9   who waits for room looks first, and counts itself then
 * BUG=10  what the end of a turn gives back wakes nobody
 * BUG=11  a push doesn't look whether the actor is drained
 */
#ifndef BUG
#define BUG 0
#endif
#ifndef PRODUCERS
#define PRODUCERS 3
#endif
#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef STOP
#define STOP 1
#endif
#ifndef SIGNAL
#define SIGNAL 0
#endif
#ifndef ADMIT
#define ADMIT COUNT /* actor.admit */
#endif
#ifndef FINE
#define FINE 1
#endif
#if FINE
#define JOIN
#else
#define JOIN atomic
#endif
#define OWED 1   /* actor.owed_max */
#define BUDGET 2 /* TURN_BUDGET; the actor is let go of in the middle, too */
#define COUNT (PRODUCERS * MESSAGES)

/* What head holds besides messages, which are 1 to COUNT. */
#define EMPTY 0
#define IDLE 254
#define CLOSED 255

/* The pair. */
byte head = IDLE;
byte places = 0;
byte pins = 1; /* the actor's own */
bool drained = false;
#define OVER (drained && pins == 0 && places == 0)

bool stopping = false; /* GRI_STOPPING */
bool signals = false;  /* GRI_SIGNALS */
byte turns = 0;        /* a->turn in the workers' queues */
byte room_waiting = 0;
bool in_room[PRODUCERS]; /* actor.room */
bool woken[PRODUCERS];

/* The turn's own. */
byte ready = EMPTY;
byte left = EMPTY;
byte owed = 0;
byte owed_pins = 0;

byte below[COUNT + 1]; /* envelope.next */

/* Not in the program: what the checks count. */
bool there[COUNT + 1]; /* the message is somebody's to look at */
byte running = 0;      /* turns from their start until they have gone idle or yielded */
byte expected[PRODUCERS];
byte posted = 0;
byte taken = 0;
byte finished = 0;
byte done = 0;

#define IS_CALL(m) ((m) % 2 == 0)

inline finish()
{
    finished++;
    assert(finished == 1 && posted == taken && turns == 0 && running == 0)
}

inline ready_turn()
{
    atomic {
        turns++;
        assert(turns == 1 && running == 0 && finished == 0)
    }
}

inline unpin(last)
{
    atomic {
        assert(pins > 0);
        pins--;
        last = OVER
    };
    if
    :: last ->
        atomic { /* look_finished */
            if
            :: OVER && head == IDLE ->
                head = CLOSED;
                finish()
            :: else
            fi;
            last = false
        }
    :: else
    fi
}

inline kick(h)
{
    JOIN {
        atomic {
            h = head;
            if
            :: h == IDLE -> head = EMPTY
            :: else
            fi
        };
        if
        :: h == IDLE -> ready_turn()
        :: else
        fi;
        h = EMPTY
    }
}

inline wake_senders()
{
    d_step {
        byte w = 0;
        do
        :: w < PRODUCERS ->
            woken[w] = woken[w] || in_room[w];
            in_room[w] = false;
            w++
        :: else -> break
        od;
        w = 0
    }
}

/* what a step has left of the places */
inline look_for_room(p)
{
    if
    :: room_waiting != 0 && p <= ADMIT / 2 -> wake_senders()
    :: else
    fi;
    p = 0
}

/* ---- senders --------------------------------------------------------------------------------- */

/* gri_actor_wait_room under a pin, as in gr_tell_wait */
inline wait_room(id, last)
{
    pins++;
    if
    :: stopping ->
        unpin(last);
        goto refused
    :: else
    fi;
#if BUG == 9
    if
    :: places < ADMIT -> goto room
    :: else
    fi;
#endif
    atomic {
        room_waiting++;
        in_room[id] = true
    };
#if BUG != 9
    if
    :: places < ADMIT -> goto room
    :: else
    fi;
#endif
    if
    :: stopping
    :: else -> woken[id]
    fi;
room:
    atomic {
        if
        :: BUG != 9 || in_room[id] || woken[id] -> room_waiting--
        :: else
        fi;
        in_room[id] = false;
        woken[id] = false
    };
    unpin(last)
}

proctype producer(byte id)
{
    byte k = 0;
    byte h = EMPTY;
    byte m;
    bool no_room = false;
    bool last = false;

    do
    :: k < MESSAGES ->
        JOIN {
            atomic { /* gri_inbox_come; the look at `stopping` before only saves work */
                if
                :: drained && BUG != 11 -> goto refused
                :: else
                fi;
                no_room = (places >= ADMIT);
                if
                :: no_room
                :: else ->
                    m = id * MESSAGES + k + 1;
                    h = head;
                    below[m] = (h >= IDLE -> EMPTY : h);
                    there[m] = true;
                    head = m;
                    places++;
                    pins = pins + IS_CALL(m);
                    posted++;
                    k++;
                    m = 0
                fi
            };
            if
            :: !no_room && (h == IDLE || (BUG == 2 && h == EMPTY)) -> ready_turn()
            :: else
            fi;
            h = EMPTY
        };
        if
        :: no_room -> wait_room(id, last)
        :: else
        fi
    :: else -> break
    od;
refused:
    done++
}

#if STOP
/* gr_stop: gri_actor_stop under a pin */
active proctype stopper()
{
    byte h = EMPTY;
    bool last = false;

    pins++;
    stopping = true;
#if BUG != 3
    kick(h);
#endif
    wake_senders();
    unpin(last)
}
#endif

#if SIGNAL
/* gri_signal_push_locked, gri_told_done; refused once the actor is dead */
active proctype signaller()
{
    byte h = EMPTY;
    bool last = false;

    atomic {
        if
        :: finished > 0 -> goto dead
        :: else -> signals = true
        fi
    };
    atomic {
        pins++;
        last = (head == CLOSED)
    };
    if
    :: last -> last = false
    :: else -> kick(h)
    fi;
    atomic { /* the pin of one that has been told too late is not the last of anything: see load.pml */
        if
        :: finished > 0 ->
            pins--;
            goto dead
        :: else
        fi
    };
    unpin(last);
dead:
    skip
}
#endif

/* ---- the turn -------------------------------------------------------------------------------- */

/* gri_tell_discard */
inline discard(m)
{
    assert(there[m] && !IS_CALL(m));
    there[m] = false
}

/* gri_actor_settle */
inline settle(p)
{
    if
    :: owed > 0 || owed_pins > 0 ->
        atomic {
            places = places - owed;
            pins = pins - owed_pins;
            owed = 0;
            owed_pins = 0;
            p = places
        };
        look_for_room(p)
    :: else
    fi
}

/* the part of gri_mailbox_take_all that is the turn's own: what lay on top goes to `ready` */
inline turn_around(e, rest)
{
    d_step {
        do
        :: e != EMPTY && (e != left || BUG == 6) ->
            assert(there[e]);
            rest = below[e];
            below[e] = (BUG == 5 -> rest : ready);
            ready = e;
            e = rest
        :: else -> break
        od;
        if
        :: left != EMPTY -> discard(left)
        :: else
        fi;
        left = EMPTY;
        rest = EMPTY
    }
}

/* gri_mailbox_pop: e is EMPTY if there is nothing */
inline pop(e, rest, p)
{
    if
    :: ready == EMPTY ->
        e = head;
        if
        :: e == left -> e = EMPTY
        :: else ->
            assert(e < IDLE && there[e]);
            if
            :: !IS_CALL(e) && below[e] == EMPTY && left == EMPTY -> left = e
            :: else ->
                atomic {
                    e = head;
                    head = EMPTY;
                    places = places - owed;
                    pins = pins - owed_pins;
                    p = (owed > 0 || owed_pins > 0 -> places : COUNT + 1);
                    owed = 0;
                    owed_pins = 0;
#if BUG == 5
                    ready = e; /* in the order of the stack */
                    left = EMPTY;
                    e = EMPTY
#else
                    turn_around(e, rest)
#endif
                };
                look_for_room(p);
                atomic {
                    e = ready;
                    ready = below[e]
                }
            fi
        fi
    :: else ->
        atomic {
            e = ready;
            ready = below[e]
        }
    fi
}

/* what a turn does with one message, be it to handle or to refuse it: turn_call, turn_tell, fail_queued */
inline take(e, p, last)
{
    d_step {
        assert(there[e]);
        assert((e - 1) % MESSAGES == expected[(e - 1) / MESSAGES]);
        expected[(e - 1) / MESSAGES]++;
        taken++
    };
    if
    :: IS_CALL(e) && stopping ->
        atomic {
            there[e] = false;
            places--;
            p = places
        };
        look_for_room(p);
        unpin(last) /* the call's */
    :: else ->
        atomic {
            owed++;
            if
            :: IS_CALL(e) -> owed_pins++; there[e] = false
            :: !IS_CALL(e) && e != left -> discard(e)
            :: else
            fi
        };
        if
        :: owed > OWED -> settle(p)
        :: else
        fi
    fi;
    e = EMPTY
}

#define WENT_IDLE 0
#define SOMETHING_CAME 1
#define ENDED 2

/* gri_mailbox_go_idle. What it takes out of the actor before the step it puts back if the step fails; nobody
 * else looks at it in between. */
inline go_idle(drain, how, p)
{
    atomic {
        if
        :: head != left && BUG != 1 -> how = SOMETHING_CAME
        :: else ->
            places = places - owed;
            pins = pins - owed_pins;
            p = (owed > 0 || owed_pins > 0 -> places : COUNT + 1);
            if
            :: drain && !drained ->
                drained = true;
                pins--
            :: else
            fi;
            how = (OVER && BUG != 8 -> ENDED : WENT_IDLE);
            head = (how == ENDED -> CLOSED : IDLE);
            if
            :: left != EMPTY -> discard(left)
            :: else
            fi;
            running--;
#if BUG != 7
            left = EMPTY;
            owed = 0;
            owed_pins = 0
#endif
        fi
    };
#if BUG == 7
    if
    :: how != SOMETHING_CAME ->
        atomic {
            left = EMPTY;
            owed = 0;
            owed_pins = 0
        }
    :: else
    fi;
#endif
}

active [2] proctype worker()
{
    byte e = EMPTY;
    byte rest = EMPTY;
    byte budget;
    byte how;
    byte p;
    byte h;
    bool last = false;
    bool look;
    bool come;

end:
    do
    :: atomic {
           turns > 0 ->
           turns--;
           running++;
           assert(running == 1 && finished == 0);
           budget = BUDGET
       };
       /* gri_turn_run */
       do
       :: JOIN {
#if SIGNAL
              atomic { /* heed */
                  if
                  :: signals && !stopping -> signals = false
                  :: else
                  fi
              };
#endif
              pop(e, rest, p);
              if
              :: e != EMPTY -> come = true; take(e, p, last)
              :: else -> come = false
              fi
          };
          if
          :: come ->
              budget--;
              if
              :: budget == 0 -> /* yield_turn */
                  JOIN {
                      settle(p);
                      atomic {
                          running--;
                          turns++
                      }
                  };
                  break
              :: else
              fi
          :: else ->
              look = stopping; /* rest */
              go_idle(look, how, p);
              if
              :: how == ENDED ->
                  d_step {
                      finish()
                  };
                  break
              :: how == WENT_IDLE ->
#if BUG != 10
                  look_for_room(p);
#endif
#if BUG != 4
                  JOIN {
                      if /* due: the flags, then the pair */
                      :: stopping -> look = !drained
                      :: else -> look = signals
                      fi;
                      if
                      :: look -> kick(h)
                      :: else
                      fi
                  };
#endif
                  break
              :: else
              fi
          fi
       od;
       skip;
       d_step {
           look = false;
           come = false;
           budget = 0;
           how = 0;
           p = 0
       }
    od
}

active proctype check()
{
    timeout;
    assert(done == PRODUCERS);
    assert(posted == taken);
    assert(left == EMPTY && ready == EMPTY && owed == 0 && owed_pins == 0);
    assert(finished == STOP);
    assert(head == (STOP -> CLOSED : IDLE));
    assert(pins == 1 - finished && places == 0);
    assert(!signals || stopping)
}

init
{
    atomic {
        byte i;
        for (i : 0 .. PRODUCERS - 1) {
            run producer(i)
        }
    }
}
