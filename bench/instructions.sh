#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# instructions.sh - what calls that nobody observes pay for that they could be: the same benchmarks in the
# release and in a build without what observes (GRI_UNOBSERVED), under callgrind.
#
#   ./dev bench --instructions
#
# An operation's instructions are those of the whole process with more operations less those with
# fewer, by the difference: so what is done once does not count, and neither does how busy the machine is.
# The exit status is 1 if a call pays more than the limit.
set -u
limit=10 # instructions a call
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
less=2000
more=12000

# total BUILD ROW N: the instructions of the process that runs the benchmark, a child of the program's.
total() {
    rm -f "$work"/out.*
    valgrind --quiet --tool=callgrind --fair-sched=yes --callgrind-out-file="$work/out.%p" \
        "build/$1/bench/greenroom_bench" --workers 1 --repeats 1 --n "$3" "$2" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        exit 1
    }
    grep -qF "{\"bench\":\"$2\"," "$work/log" || exit 1
    cat "$work"/out.* | awk '/^(summary|totals): / && $2 > most { most = $2 } END { print most }'
}

# each BUILD ROW: instructions of an operation; a tenth of them is done besides, to warm up.
each() {
    few=$(total "$1" "$2" $less) && many=$(total "$1" "$2" $more) &&
        awk -v few="$few" -v many="$many" -v n=$((more - less)) 'BEGIN { printf "%.1f\n", (many - few) / n / 1.1 }'
}

echo "instructions an operation, by callgrind; limit: $limit more a call"
echo
echo "| row | calls | could be observed | could not | more | more a call | met |"
echo "| --- | --- | --- | --- | --- | --- | --- |"
missed=0
while read -r row calls; do
    with=$(each release "$row") && without=$(each unobserved "$row") || {
        echo "instructions: $row failed" >&2
        exit 1
    }
    awk -v row="$row" -v calls="$calls" -v with="$with" -v without="$without" -v limit=$limit 'BEGIN {
        each = (with - without) / calls
        printf "| %s | %d | %.1f | %.1f | %.1f | %.1f | %s |\n", row, calls, with, without, with - without,
            each, each <= limit ? "yes" : "no"
        exit each > limit
    }' || missed=1
done <<'ROWS'
ainvoke_cheap 1
ainvoke_configured 1
ask_seq 1
sequence_10 13
parallel_10 11
batch_1000 1
ROWS
exit $missed
