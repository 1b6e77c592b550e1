#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# peers.sh - the peers' programs of bench/peers/ do their rows, as far as the peers are there: it fetches
# nothing, so what `./dev bench --peers` has not installed is skipped.
set -u
[ -z "${GR_SANITIZED:-}" ] || {
    echo "SKIP: other people's programs are the same under every sanitizer of ours"
    exit 77
}
. tests/_check.sh
skipped=0
export ERL_CRASH_DUMP_SECONDS=0 # no file with a dump, whatever happens

# rows_of PEER prints the benchmarks that it has.
rows_of() { awk -v peer="$1" '!/^#/ && NF && index("," $12 ",", "," peer ",") { print $2 }' bench/peers/recorded.txt; }

# prints PEER ROW N COMMAND…: one line of the right shape.
prints() {
    peer=$1
    row=$2
    shift 2
    if timeout 60 "$@" >"$work/out" 2>"$work/err" </dev/null &&
        grep -q "^{\"side\":\"$peer\",\"bench\":\"$row\",\"workers\":1,.*\"value\":-\{0,1\}[0-9]" "$work/out"; then
        pass
    else
        fail "$peer: $row"
        cat "$work/out" "$work/err"
    fi
}

skip() {
    skipped=$((skipped + 1))
    printf 'SKIP %s\n' "$*"
}

# Numbers of operations that each row can be divided by.
if command -v erlc >/dev/null 2>&1 && erlc -o "$work" bench/peers/rows.erl; then
    for row in $(rows_of otp); do
        n=2400
        case $row in skynet | fairness_p99) n=100 ;; esac
        prints otp "$row" erl +S 1:1 -noshell -pa "$work" -run rows main "$row" "$n"
    done
else
    skip "Erlang/OTP is not there"
fi

if [ -f /usr/include/caf/all.hpp ] && "${CXX:-g++}" -O0 -std=c++14 -w -o "$work/caf" bench/peers/caf.cpp -lcaf_core -pthread; then
    for row in $(rows_of caf); do
        n=2400
        case $row in
        skynet) n=100 ;;
        fairness_p99) continue ;; # it starves its light actors: six seconds
        esac
        prints caf "$row" "$work/caf" "$row" 1 "$n"
    done
else
    skip "CAF is not there"
fi

if [ -f /usr/include/nng/nng.h ] && "${CC:-cc}" -O0 -o "$work/link" bench/peers/link.c -lnng; then
    for side in nng raw; do
        for row in $(rows_of "$side"); do
            prints "$side" "$row" "$work/link" "$side" "$row" 50
        done
    done
else
    skip "nng's headers are not there"
fi

if [ -d build/peers/node_modules/@langchain/core ] && command -v node >/dev/null 2>&1; then
    for row in $(rows_of js); do
        prints js "$row" node --expose-gc bench/peers/langchain.mjs build/peers "$row" 100
    done
else
    skip "LangChain.js is not there"
fi

printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
