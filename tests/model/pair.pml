/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair.pml - which of the connections between two nodes is their link (runtime/net/pair.h).
 *
 * The decider and the other node, and N connections between them, whoever dialled. On each the other
 * sends one proof, with a stamp and the connections that are alive for it, and gets one verdict: welcome,
 * or spare and which one stays. CUTS connections break at any time: what was on its way is lost or still
 * arrives, and each end notices when it does.
 *
 * Claims: a link is taken the place of only if it was cut; who is told that its connection is spare
 * has the one that stays, unless that was cut; the other never goes back to an earlier link; and when all
 * has been said both have the same link, if there is one that was not cut.
 *
 * BUG 1: the decider does not look at stamps; 2: nor at what is alive for the other; 3: the other does not
 * name what it waits for a verdict on; 4: nor compares the numbers of welcomes; 5: stamps come after
 * what they count was looked at; 6: a number is forgotten with its link.
 */
#ifndef N
#define N 3
#endif
#ifndef CUTS
#define CUTS 1
#endif
#ifndef BUG
#define BUG 0
#endif
#define NONE N /* the arrays have a place for it */

mtype = { welcome, spare };
mtype = { fresh, proved, current, gone };

chan proofs[N] = [1] of { byte, byte };   /* stamp, alive */
chan verdicts[N] = [1] of { mtype, byte }; /* and the welcome's number, or which one stays */

mtype at_decider[N + 1], at_other[N + 1];
bool cut[N + 1];
byte stamp_of[N + 1], stamps, numbers;
byte link_of_other_number; /* the greatest that the other remembers */
byte greatest;             /* and the greatest that there was */
byte decider = NONE, other = NONE; /* their links */
byte cuts;
byte held[N]; /* BUG 5: what was looked at */

inline alive_of(i, mask) {
    j = 0;
    mask = 0;
    do
    :: j < N ->
        if
        :: j != i && (at_other[j] == current || (at_other[j] == proved && BUG != 3)) ->
            mask = mask | (1 << j)
        :: else
        fi;
        j++
    :: else -> break
    od;
    j = 0
}

inline decide(i, stamp, alive) {
    if
    :: decider != NONE && ((stamp < stamp_of[decider] && BUG != 1) ||
                           ((alive & (1 << decider)) != 0 && BUG != 2)) ->
        if
        :: !cut[i] -> verdicts[i] ! spare, decider
        :: else
        fi;
        at_decider[i] = gone
    :: else ->
        if
        :: decider != NONE ->
            assert(cut[decider]);
            at_decider[decider] = gone; cut[decider] = true
        :: else
        fi;
        decider = i;
        at_decider[i] = current;
        stamp_of[i] = stamp;
        numbers++;
        if
        :: !cut[i] -> verdicts[i] ! welcome, numbers
        :: else
        fi
    fi
}

inline hear(i, what, n) {
    if
    :: what == spare ->
        assert(cut[n] || at_other[n] == proved || at_other[n] == current);
        at_other[i] = gone
    :: what == welcome && (n > link_of_other_number || BUG == 4) ->
        assert(n > greatest);
        greatest = n;
        if
        :: other != NONE -> at_other[other] = gone; cut[other] = true
        :: else
        fi;
        other = i;
        link_of_other_number = n;
        at_other[i] = current
    :: else -> at_other[i] = gone; cut[i] = true
    fi
}

inline step(i) {
    if
    :: atomic { at_other[i] == fresh && !cut[i] && BUG != 5 ->
        alive_of(i, m);
        stamps++;
        at_other[i] = proved;
        proofs[i] ! stamps, m }
    :: atomic { at_other[i] == fresh && !cut[i] && BUG == 5 && held[i] == NONE ->
        alive_of(i, m);
        held[i] = m }
    :: atomic { at_other[i] == fresh && !cut[i] && BUG == 5 && held[i] != NONE ->
        stamps++;
        at_other[i] = proved;
        proofs[i] ! stamps, held[i] }
    :: atomic { at_decider[i] == fresh && nempty(proofs[i]) ->
        proofs[i] ? s, m;
        decide(i, s, m) }
    :: atomic { at_other[i] == proved && nempty(verdicts[i]) ->
        verdicts[i] ? v, s;
        hear(i, v, s) }
    :: atomic { !cut[i] && cuts < CUTS && at_other[i] != fresh && at_other[i] != gone &&
                at_decider[i] != gone ->
        cuts++;
        cut[i] = true;
        if
        :: nempty(proofs[i]) -> proofs[i] ? s, m
        :: nempty(verdicts[i]) -> verdicts[i] ? v, s
        :: true
        fi }
    :: atomic { cut[i] && at_decider[i] != gone ->
        if
        :: decider == i -> decider = NONE
        :: else
        fi;
        at_decider[i] = gone }
    :: atomic { cut[i] && at_other[i] != gone && at_other[i] != fresh ->
        if
        :: other == i ->
            other = NONE;
            link_of_other_number = (BUG == 6 -> 0 : link_of_other_number)
        :: else
        fi;
        at_other[i] = gone }
    fi
}

active proctype all() {
    byte i, j, s, m;
    mtype v;

    d_step {
        i = 0;
        do
        :: i < N ->
            at_decider[i] = fresh;
            at_other[i] = fresh;
            held[i] = NONE;
            i++
        :: else -> break
        od;
        i = 0
    }
    do
    :: step(0)
    :: step(1)
#if N > 2
    :: step(2)
#endif
#if N > 3
    :: step(3)
#endif
    :: timeout -> break
    od;
    assert(cuts > 0 || decider != NONE);
    assert(decider == NONE || cut[decider] || other == decider);
    assert(other == NONE || cut[other] || other == decider)
}
