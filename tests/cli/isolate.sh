#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# isolate.sh - actors of a chain file in processes of their own: run, served, killed, refused.
# shellcheck disable=SC1091,SC2013,SC2016,SC2034,SC2154,SC2317
. tests/cli/_lib.sh

XDG_RUNTIME_DIR=$work/run # where the sockets' files are
export XDG_RUNTIME_DIR
mkdir "$XDG_RUNTIME_DIR"
url=ipc://$work/s.ipc
cat >"$work/i.yaml" <<END
listen: "$url"
publish: [greet]
main: chain
actors:
  greet:
    prompt: "Hello {name}"
    isolate: true
  chain: {sequence: [greet, {str_parser: {}, isolate: true}]}
END

run 0 "$greenroom" check "$work/i.yaml"
run 0 "$greenroom" run "$work/i.yaml" --input '{"name": "Ada"}'
is "two processes answer" '"Hello Ada"' "$out"
run 0 "$greenroom" stream "$work/i.yaml" --input '{"name": "Ada"}' --text-out
is "and stream" 'Hello Ada' "$out"
run 1 "$greenroom" run "$work/i.yaml" --input '{}'
has "an error over there is told here" "name" "$err"
run 0 "$greenroom" sim "$work/i.yaml" --input '{"name": "Ada"}' --seeds 3
run 64 "$greenroom" --greenroom-isolated ipc:///nowhere 1 1 1
has "nobody else may pass for a parent" "is for Greenroom itself" "$err"

# child_of PID prints the process that PID has made, if it has.
child_of() {
    for stat in /proc/[0-9]*/stat; do
        sed -n "s/^\([0-9]*\) (.*) [^Z] $1 .*/\1/p" "$stat" 2>/dev/null
    done
}

# gone PID: it ends soon.
gone() {
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        [ -d "/proc/$1" ] && grep -q '^State:[^Z]*$' "/proc/$1/status" 2>/dev/null || return 0
        sleep 0.25
    done
    return 1
}

if [ -d /proc/self ]; then
    start_server "$work/i.yaml" || finish
    run 0 "$greenroom" call "$url" greet --input '{"name": "Ada"}'
    first=$(child_of "$server")
    is "one process" 1 "$(echo "$first" | wc -w | tr -d ' ')"
    kill -9 "$first"
    second=$first
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
        second=$(child_of "$server")
        [ -z "$second" ] || [ "$second" = "$first" ] || break
        sleep 0.25
    done
    lacks "there is another process" "$first" "${second:-$first}"
    run 0 "$greenroom" call "$url" greet --input '{"name": "Bob"}' # which it waits for
    has "which answers" "Hello Bob" "$out"
    kill "$server"
    wait "$server"
    gone "$second" && pass || fail "$second outlives a server that was told to end"
    start_server "$work/i.yaml" || finish
    run 0 "$greenroom" call "$url" greet --input '{"name": "Ada"}'
    child=$(child_of "$server")
    kill -9 "$server"
    wait "$server" 2>/dev/null
    gone "$child" && pass || fail "$child outlives a server that was killed"
fi
is "no socket is left" "" "$(ls "$XDG_RUNTIME_DIR")"

# mistake TEXT EXPECTED: the file TEXT is refused, and EXPECTED is among what is said.
mistake() {
    printf '%s\n' "$1" >"$work/f.yaml"
    run 2 "$greenroom" check "$work/f.yaml"
    has "told: $2" "$work/f.yaml:$2" "$err"
}
mistake 'actors: {a: {prompt: "x", isolate: perhaps}}' '1:36: isolate: a text is given, true or false was expected'
mistake 'actors: {a: {isolate: true, prompt: "x"}}' '1:29: "prompt" follows "isolate"'
mistake 'actors: {a: {prompt: "x"}, b: {sequence: [a], isolate: true}}' '1:43: isolate: "a" is not in the process of its own'
mistake 'actors: {a: {prompt: "{", isolate: true}}' '1:14: prompt: '
mistake 'actors: {a: {sequence: [{str_parser: {}}, {prompt: "{"}], isolate: true}}' '1:44: prompt: '
mistake 'actors: {s: {memory_store: {embeddings: {hash_embeddings: {}}, load: {paths: [x]}}, isolate: true}}' \
    '1:70: load: a store in a process of its own'
finish
