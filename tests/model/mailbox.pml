/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox.pml - messages into an actor: the stack, the turn that takes it whole, and who readies the
 * next turn. Mirrors runtime/actor/mailbox.[ch] and of turn.c gri_turn_run, rest and drained; of actor.c
 * gri_actor_pin, gri_actor_unpin and gri_actor_stop, as far as they decide about turns (load.pml has the rest).
 *
 * What is checked, over every interleaving of PRODUCERS senders of MESSAGES each, two workers and,
 * with STOP, one who stops the actor:
 *   - at most one turn is queued or running;
 *   - each message is taken once, and those of one sender in order;
 *   - nothing stays in the mailbox when all have come to rest (a lost wake-up);
 *   - an actor that was told to stop finishes, once, with nothing left in it.
 *
 * One statement is one atomic operation; what a thread does with its own memory in between is joined to
 * it. FINE=0, for more senders, joins some of them where that loses nothing: reading the head and exchanging
 * it for the message (an exchange that fails reads it again, and no message is pushed twice, so a head that
 * is the same is unchanged); winning the exchange and readying the turn (until then nobody else may); taking
 * a message and dropping its pin (the turn has its own). Pins are joined with what they are for; load.pml
 * takes those apart. Every operation is sequentially consistent here: whether the weaker orders in mailbox.h suffice is
 * for ThreadSanitizer and the stress tests.
 *
 * BUG=1  going idle stores IDLE instead of exchanging it for "empty"
 * BUG=2  a push onto an empty mailbox readies a turn too, not only one onto an idle one
 * BUG=3  stopping doesn't kick the mailbox
 * BUG=4  a turn that went idle doesn't look once more whether it was told to stop
 * BUG=5  the turn doesn't turn the stack around
 */
#ifndef BUG
#define BUG 0
#endif
#ifndef PRODUCERS
#define PRODUCERS 3
#endif
#ifndef MESSAGES
#define MESSAGES 3
#endif
#ifndef STOP
#define STOP 1
#endif
#ifndef FINE
#define FINE 1
#endif
#if FINE
#define JOIN
#else
#define JOIN atomic
#endif
#define BUDGET 2 /* TURN_BUDGET; the actor is let go of in the middle, too */
#define COUNT (PRODUCERS * MESSAGES)

/* What inbox holds besides messages, which are 1 to COUNT. */
#define EMPTY 0
#define IDLE 255

byte inbox = IDLE;
byte below[COUNT + 1]; /* envelope.task.next */
byte ready = EMPTY;    /* actor.ready: the turn's own */
byte turns = 0;        /* a->turn in the workers' queues */
bool stopping = false; /* GRI_STOPPING */
bool drained = false;  /* GRI_DRAINED */
byte pins = 1;         /* the low half of load; one is the actor's own */
bool marked = false;   /* GRI_LOAD_DRAINED in load */

/* Not in the program: what the checks count. */
byte running = 0; /* turns from their start until they have gone idle or yielded */
byte expected[PRODUCERS];
byte posted = 0;
byte taken = 0;
byte finished = 0;

inline unpin(last)
{
    JOIN {
        atomic {
            assert(pins > 0);
            pins--;
            last = (pins == 0 && marked)
        };
        if
        :: last ->
            atomic {
                if
                :: pins == 0 && marked ->
                    marked = false;
                    finished++;
                    assert(finished == 1);
                    assert(posted == taken);
                    assert(turns == 0 && running == 0)
                :: else
                fi;
                last = false
            }
        :: else
        fi
    }
}

inline ready_turn()
{
    JOIN {
        pins++;
        atomic {
            turns++;
            assert(turns == 1 && running == 0)
        }
    }
}

inline kick()
{
    atomic {
        if
        :: inbox == IDLE -> inbox = EMPTY
        :: else -> goto kicked
        fi
    };
    ready_turn();
kicked:
    skip
}

/* gri_actor_post */
inline post(m, head)
{
    head = inbox;
    do
    :: atomic {
           below[m] = (head == IDLE -> EMPTY : head);
           if
           :: inbox == head ->
               inbox = m;
               posted++;
               break
           :: else -> head = inbox
           fi
       }
    od;
    if
    :: head == IDLE || (BUG == 2 && head == EMPTY) -> ready_turn()
    :: else
    fi;
    head = EMPTY
}

proctype producer(byte id)
{
    byte k = 0;
    byte head;
    bool last = false;

    do
    :: k < MESSAGES ->
        /* gri_actor_pin: is it gone (skipped here: only saves work), pin, look */
        JOIN {
            pins++;
            if
            :: stopping ->
                unpin(last);
                goto refused
            :: else
            fi;
#if FINE || STOP
        };
        JOIN {
#endif
            post(id * MESSAGES + k + 1, head);
            k++
        }
    :: else -> break
    od;
refused:
    skip
}

#if STOP
/* gr_stop: gri_actor_stop under a pin */
active proctype stopper()
{
    bool last = false;

    pins++;
    stopping = true;
#if BUG != 3
    kick();
#endif
    unpin(last)
}
#endif

/* take is what a turn does with one message, be it to handle or to refuse it. */
inline take(m)
{
    d_step {
        assert(m != EMPTY);
        assert((m - 1) % MESSAGES == expected[(m - 1) / MESSAGES]);
        expected[(m - 1) / MESSAGES]++;
        taken++
    }
}

/* gri_mailbox_pop: e is EMPTY if there is nothing */
inline pop(e, rest)
{
    atomic {
        e = ready;
        if
        :: e == EMPTY ->
            e = inbox;
            inbox = EMPTY;
#if BUG != 5
            d_step {
                ready = EMPTY;
                do
                :: e != EMPTY ->
                    rest = below[e];
                    below[e] = ready;
                    ready = e;
                    e = rest
                :: else -> break
                od;
                e = ready
            }
#endif
        :: else
        fi;
        if
        :: e != EMPTY ->
            ready = below[e];
            below[e] = EMPTY
        :: else
        fi;
        rest = EMPTY
    }
}

active [2] proctype worker()
{
    byte e = EMPTY;
    byte rest = EMPTY;
    byte budget;
    bool last = false;
    bool look;

end:
    do
    :: atomic {
           turns > 0 ->
           turns--;
           running++;
           assert(running == 1);
           budget = BUDGET
       };
       /* gri_turn_run */
       do
       :: JOIN {
              pop(e, rest);
              if
              :: e != EMPTY ->
                  take(e);
                  unpin(last) /* the message's */
              :: else
              fi
          };
          if
          :: e != EMPTY ->
              atomic {
                  e = EMPTY;
                  budget--;
                  if
                  :: budget == 0 -> /* yield_turn, with the turn's pin */
                      running--;
                      turns++;
                      break
                  :: else
                  fi
              }
          :: else ->
              /* rest: drained */
              if
              :: stopping ->
                  atomic {
                      look = !drained;
                      drained = true
                  };
                  if
                  :: look ->
                      marked = true;
                      unpin(last) /* the actor's own */
                  :: else
                  fi
              :: else
              fi;
              /* gri_mailbox_go_idle */
              atomic {
                  if
                  :: inbox == EMPTY || BUG == 1 ->
                      inbox = IDLE;
                      running--
                  :: else -> goto more
                  fi
              };
#if BUG != 4
              atomic {
                  look = stopping && !drained
              };
              if
              :: look -> kick()
              :: else
              fi;
#endif
              unpin(last); /* the turn's */
              break;
          more:
              skip
          fi
       od;
       skip;
       d_step {
           look = false;
           budget = 0
       }
    od
}

active proctype check()
{
    timeout;
    assert(posted == taken);
    assert(inbox == IDLE && ready == EMPTY);
    assert(finished == STOP);
    assert(pins == 1 - finished)
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
