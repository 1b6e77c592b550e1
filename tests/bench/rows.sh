#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# rows.sh - every benchmark runs to its end and prints a number, with one worker and with two. How large
# the numbers are is no matter of tests.
set -u
bench=${GR_BUILD_DIR:-$PWD/build/release}/bench/greenroom_bench
[ -x "$bench" ] || {
    echo "SKIP: $bench is not built"
    exit 77
}
. tests/_check.sh

# The rows of the engine, which the table of bench/RESULTS.md has, are all there.
"$bench" --list >"$work/list"
for name in $(awk '!/^#/ && NF { print $2 }' bench/peers/recorded.txt | sort -u); do
    if grep -q "^$name " "$work/list"; then pass; else fail "$name: no such benchmark"; fi
done

# run WORKERS NAME N: one line, with a number of the right unit for a value.
run() {
    if ! "$bench" --workers "$1" --repeats 1 --n "$3" "$2" >"$work/out" 2>"$work/err"; then
        fail "$2 with $1 workers"
        cat "$work/err"
        return
    fi
    if grep -Eq "^\{\"bench\":\"$2\",\"workers\":$1,\"n\":[0-9]+,\"value\":-?[0-9.]+,\"unit\":\"[a-z/]+\"[^}]*\}\$" \
        "$work/out"; then
        pass
    else
        fail "$2 with $1 workers printed: $(cat "$work/out")"
    fi
}

# One that is the beginning of another runs both; the first line is its own.
for name in $(cut -d' ' -f1 "$work/list"); do
    for workers in 1 2; do
        case $name in
        rag_10k) [ -z "${GR_SANITIZED:-}" ] && [ "$workers" = 2 ] || continue ;;
        esac
        run "$workers" "$name" 100
    done
done

# field FIELD NAME: a further number that the table judges is printed.
field() {
    if "$bench" --repeats 1 --n 100 "$2" 2>&1 | grep -q "\"$1\":[0-9-]"; then pass; else fail "$2: no $1"; fi
}
awk '!/^#/ && NF && $3 != "value" { print $3, $2 }' bench/peers/recorded.txt >"$work/fields"
while read -r one name; do
    field "$one" "$name" </dev/null
done <"$work/fields"

# The growth table has a line for each number of workers, whatever it says.
"$bench" --growth --n 2000 >"$work/growth" 2>&1
lines=$(grep -c -E '^ +[1248]( +[0-9.]+){6} +[+-][0-9.]+ misses  (ok|MISS)$' "$work/growth")
if [ "$lines" = 4 ]; then pass; else fail "--growth printed: $(cat "$work/growth")"; fi

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
