#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run.sh - checks the models beside it with spin, each over its full state space, and prints how many states
# that were. Each model is checked once more for each of its BUGs, which must be found.
#
#   tests/model/run.sh [--big|--quick] [MODEL…]
#     --big: more senders and workers; takes minutes     --quick: one BUG of each model only
#
# Last line: N passed, N failed. Exits with 77 if spin or a compiler is missing.
set -eu
cd "$(dirname "$0")"

command -v spin >/dev/null 2>&1 && command -v cc >/dev/null 2>&1 || {
    echo "spin and a C compiler are needed: ./dev setup"
    exit 77
}
size=small
bugs=all
case ${1:-} in
--big)
    size=big
    shift
    ;;
--quick)
    bugs=one
    shift
    ;;
esac
chosen=" ${*:-mailbox park meet future leave life load idle perch lifo pair} "
here=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# Compiling takes longer than any search but the large ones.
optimise=-O0
[ "$size" = small ] || optimise=-O2
# search MODEL DEFINITION… leaves spin's report in $work/report.
search() {
    model=$1
    shift
    rm -f "$work"/pan* "$work/report"
    (
        cd "$work"
        # shellcheck disable=SC2068  # each is one word
        spin -a $@ "$here/$model.pml"
        cc $optimise -w -DSAFETY -DCOLLAPSE -DNOFAIR -DMEMLIM=8000 -o pan pan.c
        ./pan -m200000
    ) >"$work/report" 2>&1 || true
}

states() { sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$work/report"; }
ended() { grep -q 'errors: ' "$work/report"; }
whole() { ended && ! grep -Eq 'Search not completed|max search depth too small|truncated' "$work/report"; }
clean() { grep -q 'errors: 0' "$work/report"; }

tell() { # tell MARK WHAT STATES
    printf '%-4s %-58s %12s states\n' "$1" "$2" "${3:-?}"
    if [ "$1" = ok ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        sed 's/^/     /' "$work/report" | head -n 20
    fi
}

# holds MODEL DEFINITION…: the whole space, and nothing is wrong in it.
holds() {
    case $chosen in *" $1 "*) ;; *) return 0 ;; esac
    search "$@"
    if whole && clean; then tell ok "$*" "$(states)"; else tell FAIL "$*" "$(states)"; fi
}

# breaks MODEL DEFINITION…: what the definitions break is found.
breaks() {
    case $chosen in *" $1 "*) ;; *) return 0 ;; esac
    search "$@"
    if ended && ! clean; then tell ok "$*: found" "$(states)"; else tell FAIL "$*: not found" "$(states)"; fi
}

if [ "$size" = small ]; then
    holds mailbox -DPRODUCERS=2 -DMESSAGES=2 -DFINE=0
    holds mailbox -DPRODUCERS=2 -DMESSAGES=2 -DFINE=0 -DSTOP=0 -DADMIT=1
    holds mailbox -DPRODUCERS=1 -DMESSAGES=2 -DFINE=0 -DSIGNAL=1
    holds load -DTELLS=2
    holds load -DENTERS=1
    holds load -DBOUNDED=1 -DASKS=1
    holds load -DBOUNDED=1 -DQUEUES=1
    holds load -DTELLS=1 -DEXITS=1 -DFAILS=1
    holds idle -DPLAIN=0 -DBURST=0
    holds idle -DMONITOR=0 -DBURST=0
    holds life -DTIMED=1 -DQUEUED=1
    holds life -DSTARTS=1
    holds life -DSTEPS=1
    holds life -DMOVES=1 -DWALKS=1 -DRUNS=0
    holds pair -DN=3 -DCUTS=1
else
    holds mailbox -DPRODUCERS=2 -DMESSAGES=2
    holds mailbox -DPRODUCERS=2 -DMESSAGES=2 -DSTOP=0 -DADMIT=1
    holds mailbox -DPRODUCERS=2 -DMESSAGES=2 -DSTOP=0 -DADMIT=2 -DSIGNAL=1
    holds mailbox -DPRODUCERS=3 -DMESSAGES=1 -DFINE=0 -DADMIT=2
    holds load -DTELLS=1 -DENTERS=1
    holds load -DTELLS=2 -DASKS=1 -DEXITS=1
    holds load -DBOUNDED=2 -DQUEUES=1
    holds idle -DMONITOR=0
    holds idle -DLEAVES=0 -DPLAIN=0
    holds life -DMOVES=1 -DSTEPS=1 -DRUNS=0
    holds life -DMOVES=1 -DWALKS=1
    holds life -DMOVES=1 -DTIMED=1 -DQUEUED=1
    holds life -DSTARTS=1 -DSTEPS=1
    holds pair -DN=3 -DCUTS=2
    holds pair -DN=4 -DCUTS=1
fi
holds park
holds park -DTHREAD=1
holds meet
holds future
holds leave
holds lifo -DTASKS=5 -DSEIZURES=3
holds perch

finish() {
    printf '%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ]
    exit
}

optimise=-O0 # what is wrong is found soon, compiling would take longer
if [ "$bugs" = one ]; then
    breaks mailbox -DBUG=1 -DPRODUCERS=2 -DMESSAGES=2
    breaks park -DBUG=1
    breaks meet -DBUG=1
    breaks future -DBUG=1
    breaks leave -DBUG=1
    breaks life -DBUG=1
    breaks load -DBUG=1 -DENTERS=1
    breaks idle -DBUG=1 -DMONITOR=0
    breaks lifo -DBUG=1
    breaks perch -DBUG=1
    breaks pair -DBUG=1
    finish
fi
for bug in 1 2 3 4 5 6 7 8 11; do
    breaks mailbox "-DBUG=$bug" -DPRODUCERS=2 -DMESSAGES=2
done
for bug in 9 10; do
    breaks mailbox "-DBUG=$bug" -DPRODUCERS=2 -DMESSAGES=2 -DSTOP=0 -DADMIT=1
done
for bug in 1 2 3 4; do
    breaks perch "-DBUG=$bug"
done
for bug in 1 2 3 4 5; do
    breaks pair "-DBUG=$bug"
done
breaks pair -DBUG=6 -DCUTS=2
for bug in 1 2 3 4 5 6; do
    breaks park "-DBUG=$bug"
done
for bug in 1 3 4; do
    breaks park "-DBUG=$bug" -DTHREAD=1
done
for bug in 1 2 3 4 5 6; do
    breaks meet "-DBUG=$bug"
done
for bug in 1 2 3 4 5 6; do
    breaks future "-DBUG=$bug"
done
for bug in 1 2 3 4 5; do
    breaks leave "-DBUG=$bug"
done
for bug in 1 2 7 9; do
    breaks life "-DBUG=$bug"
done
for bug in 3 4; do
    breaks life "-DBUG=$bug" -DSTEPS=1
done
for bug in 5 6; do
    breaks life "-DBUG=$bug" -DSTARTS=1
done
for bug in 8 10 12; do
    breaks life "-DBUG=$bug" -DMOVES=1 -DRUNS=0
done
breaks life -DBUG=11 -DMOVES=1 -DWALKS=1 -DRUNS=0
breaks life -DBUG=13 -DQUEUED=1
for bug in 1 2; do
    breaks load "-DBUG=$bug" -DENTERS=1
done
for bug in 3 4 8; do
    breaks load "-DBUG=$bug" -DASKS=1
done
for bug in 5 6; do
    breaks load "-DBUG=$bug" -DTELLS=1
done
breaks load -DBUG=7 -DFAILS=1
for bug in 9 10; do
    breaks load "-DBUG=$bug" -DBOUNDED=1 -DQUEUES=1
done
for bug in 1 2 5 7; do
    breaks idle "-DBUG=$bug" -DMONITOR=0
done
for bug in 1 2 3 4 5; do
    breaks lifo "-DBUG=$bug"
done
breaks idle -DBUG=8 -DLEAVES=0 -DPLAIN=0
for bug in 3 4 6; do
    breaks idle "-DBUG=$bug" -DPLAIN=0 -DBURST=0
done

finish
