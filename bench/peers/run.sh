#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [--record] [--rounds N] [ROW...] - Greenroom and its peers at the same rows, in turn, and the
# table of both. `./dev bench --peers` builds and installs what is needed, and calls it.
#
# --record writes bench/RESULTS.md, with the growth by actors and workers besides. The rounds (3) go
# over all rows, so that what else the machine does meets every side. A peer that is not there is
# left out. $GR_BENCH is the benchmark program, $GR_PEERS the folder of what is built and measured.
set -eu
cd "$(dirname "$0")/../.."

bench=${GR_BENCH:-build/release/bench/greenroom_bench}
out=${GR_PEERS:-build/peers}
here=bench/peers
rounds=3
patience=300 # seconds that a row may take
record=
while [ $# -gt 0 ]; do
    case $1 in
    --record) record=1 ;;
    --rounds)
        rounds=$2
        shift
        ;;
    *) break ;;
    esac
    shift
done
chosen=${*:+" $* "}

say() { printf '   %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# ---- the peers -------------------------------------------------------------------------------

caf_ready() {
    [ -f /usr/include/caf/all.hpp ] || return 1
    cmp -s $here/caf.cpp "$out/caf.cpp" && return 0
    ${CXX:-g++} -O2 -std=c++14 -w -o "$out/caf" $here/caf.cpp -lcaf_core -pthread >&2 &&
        cp $here/caf.cpp "$out/caf.cpp"
}

otp_ready() { have erlc && erlc -o "$out" $here/rows.erl >&2; }

js_ready() {
    have node && have npm || return 1
    cmp -s $here/package.json "$out/complete" && return 0
    cp $here/package.json "$out/package.json"
    timeout 240 npm install --ignore-scripts --no-audit --no-fund --no-package-lock --no-save \
        --prefix "$out" >&2 || return 1
    cp $here/package.json "$out/complete"
}

nng_ready() {
    [ -f /usr/include/nng/nng.h ] || return 1
    cmp -s $here/link.c "$out/link.c" && return 0
    ${CC:-cc} -O2 -o "$out/link" $here/link.c -lnng >&2 && cp $here/link.c "$out/link.c"
}

raw_ready() { nng_ready; }

caf_run() { timeout "$patience" "$out/caf" "$1" "$2"; }
otp_run() { timeout "$patience" erl +S "$2:$2" +P 4000000 -noshell -pa "$out" -run rows main "$1"; }
nng_run() { link_run nng "$1" "$2"; }
raw_run() { link_run raw "$1" "$2"; }
link_run() { [ "$3" != 1 ] || timeout "$patience" "$out/link" "$1" "$2"; } # its line is for either number of workers
js_run() { [ "$2" != 1 ] || timeout "$patience" node --expose-gc $here/langchain.mjs "$out" "$1"; } # it has one thread
ours_run() { timeout "$patience" "$bench" --workers "$2" --repeats 1 "$1"; }

# measure SIDE BENCH WORKERS
measure() {
    case " $sides " in *" $1 "*) ;; *) return 0 ;; esac
    "$1_run" "$2" "$3" >>"$out/results.jsonl" || say "$1: $2 with $3 workers failed"
}

# ---- the rounds ------------------------------------------------------------------------------

# rows prints each benchmark once: its name, worker counts, peers, and in which rounds it is run.
rows() {
    awk '!/^#/ && NF && !seen[$2]++ {
        gsub(/,/, " ", $12)
        print $2, $6, $13, ($12 == "-" ? "" : $12)
    }' $here/recorded.txt
}

# one_round NUMBER
one_round() {
    rows | while read -r name workers when peers; do
        [ -z "$chosen" ] || case $chosen in *" $name "*) ;; *) continue ;; esac
        [ "$when" = all ] || [ "$1" = 1 ] || continue
        for w in $(printf '%s' "$workers" | sed 's/./& /g'); do
            for side in ours $peers; do
                measure "$side" "$name" "$w" </dev/null
            done
        done
    done
}

processor() { awk -F': *' '/^model name/ { print $2; exit }' /proc/cpuinfo 2>/dev/null; }

commit() {
    git rev-parse --short HEAD 2>/dev/null || echo unknown
    git diff --quiet HEAD -- runtime actors bench 2>/dev/null || echo ", with changes"
}

versions() {
    case $sides in *caf*) awk '/^#define CAF_VERSION / {
        printf "CAF %d.%d.%d, ", $3 / 10000, $3 / 100 % 100, $3 % 100 }' /usr/include/caf/config.hpp ;; esac
    case $sides in *otp*) erl -noshell -eval \
        'io:format("Erlang/OTP ~s, ", [erlang:system_info(otp_release)]), halt().' ;; esac
    case $sides in *js*) printf 'LangChain.js core %s on Node %s' \
        "$(sed -n 's/.*"@langchain\/core": "\(.*\)".*/\1/p' $here/package.json)" "$(node --version)" ;; esac
}

table() { awk -v only="$chosen" -f $here/table.awk $here/recorded.txt "$out/results.jsonl"; }

report() {
    printf '# Results\n\nWritten by `./dev bench --peers --record`; what each row does is in [README.md](README.md).\n\n'
    printf -- '* %s, commit %s\n' "$(date -u +%Y-%m-%d)" "$(commit | tr -d '\n')"
    printf -- '* %s cores, %s; load before: %s\n' "$(nproc)" "$(processor)" "$load"
    printf -- '* %s; rounds: %s, of which the median counts\n\n' "$(versions | tr -d '\n')" "$rounds"
    table && missed=0 || missed=1
    printf '\n## Growth\n\n```\n'
    "$bench" --growth || missed=1
    printf '```\n'
    return $missed
}

mkdir -p "$out"
load=$(cut -d' ' -f1 /proc/loadavg 2>/dev/null || echo unknown)
sides=ours
for side in caf otp nng raw js; do
    if "${side}_ready"; then sides="$sides $side"; else say "$side is not there, and left out"; fi
done
: >"$out/results.jsonl"
round=1
while [ "$round" -le "$rounds" ]; do
    say "round $round of $rounds: $sides"
    one_round "$round"
    round=$((round + 1))
done
if [ -n "$record" ]; then
    report >"$out/RESULTS.md" && missed=0 || missed=1
    cp "$out/RESULTS.md" bench/RESULTS.md
    cat bench/RESULTS.md
    exit $missed
fi
table
