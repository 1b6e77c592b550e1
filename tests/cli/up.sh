#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# up.sh - all the nodes of a file on this host: started in order, called, killed, started again, stopped.
# shellcheck disable=SC1091,SC2013,SC2016,SC2034,SC2154,SC2317
. tests/cli/_lib.sh

[ -d /proc/self ] || {
    echo "SKIP: there is no /proc"
    exit 77
}

# gone PID: it has no process, or one that only waits to be waited for.
gone() { ! grep -q '^State:[^Z]*$' "/proc/$1/status" 2>/dev/null; }

# write_file UP: a file of three nodes; up's keys are given.
mkdir "$work/docs"
echo "An actor has a mailbox." >"$work/docs/one.md"
write_file() {
    cat >"$work/f.yaml" <<END
nodes:
  front: {listen: "ipc://$work/front.ipc", workers: 1}
  a: {listen: "ipc://$work/a.ipc", workers: 1, env: {GREENROOM_TEST_NODE: a}}
  b: {listen: ["ipc://$work/b.ipc", "ipc://$work/b2.ipc"], workers: 1}
pools:
  workers: {nodes: [a, b], routing: fewest}
up: $1
main: answer
actors:
  greet: {prompt: "Hello {name}", on: b}
  store:
    memory_store: {embeddings: {hash_embeddings: {}}, load: {paths: [docs], suffixes: [.md]}}
    on: a
  docs: {retriever: {store: store, k: 1}}
  found: {sequence: [docs, {format_docs: {}}], on: front}
  loud: {prompt: "{text}!", pool: workers, idempotent: true}
  wrap: {parallel: {text: greet}}
  answer: {sequence: [wrap, loud, {str_parser: {}}], on: front}
END
}

# up ARG… starts it and returns once all are ready; $up is its pid.
up() {
    : >"$work/up_out" # what it said before must not be taken for what it says now
    : >"$work/up_err"
    "$greenroom" up "$work/f.yaml" "$@" >"$work/up_out" 2>"$work/up_err" &
    up=$!
    started="$started $up"
    until_true grep -q '^ready: ' "$work/up_out" || {
        cat "$work/up_err"
        finish
    }
}

# pid_of NODE COUNT waits until the node has said so often what its pid is: $pid is the last.
said_pids() { [ "$(grep -c "^$1 *| pid " "$work/up_err")" -ge "$2" ]; }
pid_of() {
    until_true said_pids "$1" "$2"
    pid=$(sed -n "s/^$1 *| pid //p" "$work/up_err" | tail -n 1)
}

# ended: up is waited for; $code is how it ended.
ended() {
    code=0
    wait "$up" || code=$?
}

# ---- a whole life --------------------------------------------------------------------------------

write_file '{backoff_ms: 20, backoff_max_ms: 200, intensity: 1000}'
up
is "one line says where" \
    "ready: front ipc://$work/front.ipc, a ipc://$work/a.ipc, b ipc://$work/b.ipc" "$(cat "$work/up_out")"
pid_of front 1
front=$pid
pid_of a 1
a=$pid
pid_of b 1
b=$pid
is "who calls others starts after them" front \
    "$(sed -n 's/^\([a-z]*\) *| pid .*/\1/p' "$work/up_err" | tail -n 1)"
has "a second URL is listened on, too" "b     | listening on ipc://$work/b2.ipc" "$(cat "$work/up_err")"

run 0 "$greenroom" run "$work/f.yaml" --input '{"name": "Ada"}'
is "a sequence over three nodes" '"Hello Ada!"' "$out"
run 0 "$greenroom" stream "$work/f.yaml" --input '{"name": "Ada"}' --text-out
is "streamed" 'Hello Ada!' "$out"
run 0 "$greenroom" run "$work/f.yaml" found --text mailbox
has "a retriever here, its store there" "An actor has a mailbox." "$out"
run 0 "$greenroom" batch "$work/f.yaml" loud --input '[{"text": "x"}, {"text": "y"}]'
is "a pool" '["x!", "y!"]' "$out"
run 0 "$greenroom" call "ipc://$work/front.ipc" answer --input '{"name": "Bob"}'
is "who does not know the file may call, too" '"Hello Bob!"' "$out"

# Each of the two is killed in turn, while calls of their pool go on; none may fail.
cat >"$work/calls.sh" <<'END'
calls=0
until [ -e "$3" ]; do
    "$1" run "$2" loud --input '{"text": "x"}' >/dev/null 2>"$3.err" || { cat "$3.err"; : >"$3.failed"; exit 1; }
    calls=$((calls + 1))
    echo "$calls" >"$3.new" && mv "$3.new" "$3.count"
done
echo "$calls calls"
END
more_calls_than() { [ -e "$work/enough.failed" ] || [ "$(cat "$work/enough.count")" -gt "$1" ]; }
echo 0 >"$work/enough.count"
sh "$work/calls.sh" "$greenroom" "$work/f.yaml" "$work/enough" >"$work/calls_out" 2>&1 &
calls=$!
started="$started $calls"
for round in 2 3 4; do
    for node in a b; do
        kill -9 "$(sed -n "s/^$node *| pid //p" "$work/up_err" | tail -n 1)"
        pid_of "$node" "$round" # it is there again
        # A call that found it gone may be at the other one now: it has nowhere else to go.
        seen=$(cat "$work/enough.count")
        until_true more_calls_than $((seen + 1)) || break
    done
done
touch "$work/enough"
code=0
wait "$calls" || code=$?
is "no call of a pool fails while its nodes are killed in turn: $(cat "$work/calls_out")" 0 "$code"
has "each is told" "node a was killed by signal 9" "$(cat "$work/up_err")"
has "with what follows" "it is started again in 0.02 s" "$(cat "$work/up_err")"

# What is on one node only fails while that is away. It can't load its files, so it stays away.
mv "$work/docs" "$work/elsewhere"
pid_of a 4
kill -9 "$pid"
until_true grep -q 'node a ended with exit code' "$work/up_err"
run 1 "$greenroom" run "$work/f.yaml" found --text mailbox
has "calls of its actors fail" "GR_EUNREACH" "$err"
run 0 "$greenroom" run "$work/f.yaml" loud --input '{"text": "z"}'
is "not those of a pool" '"z!"' "$out"
mv "$work/elsewhere" "$work/docs"
finds() { "$greenroom" run "$work/f.yaml" found --text mailbox >"$work/out" 2>&1; }
until_true finds
has "and are answered again once it is back" "An actor has a mailbox." "$(cat "$work/out")"
pid_of a 5
a=$pid
pid_of b 4
b=$pid

kill -INT "$up"
ended
is "Ctrl-C ends it well" 0 "$code"
for pid in "$front" "$a" "$b"; do
    if gone "$pid"; then pass; else fail "$pid outlives it"; fi
done
is "no socket is left" "" "$(find "$work" -name '*.ipc')"

# ---- how it ends otherwise -----------------------------------------------------------------------

up
pid_of front 1
front=$pid
pid_of a 1
a=$pid
pid_of b 1
b=$pid
kill -9 "$up"
ended
for pid in "$front" "$a" "$b"; do
    until_true gone "$pid"
done
pass # nobody outlives a parent that was killed

# One that is stopped does not drain; a second signal does not wait for it.
up --drain 3600
pid_of a 1
kill -STOP "$pid"
kill -TERM "$up"
pid_of front 1
until_true gone "$pid"
kill -TERM "$up"
ended
is "a second signal skips the drain" 1 "$code"
has "and that is told" "node a was killed by signal 9" "$(cat "$work/up_err")"
pid_of a 1
if gone "$pid"; then pass; else fail "$pid outlives it"; fi
is "no socket is left of it either" "" "$(find "$work" -name '*.ipc')"

# Those that call others end first: while front can't, the others answer.
up --drain 3600
pid_of front 1
front=$pid
kill -STOP "$front"
kill -TERM "$up"
pending() { grep -q '^ShdPnd:.*4...$' "/proc/$front/status"; }
until_true pending # it was told
run 0 "$greenroom" run "$work/f.yaml" loud --input '{"text": "x"}'
is "who is called ends last" '"x!"' "$out"
kill -CONT "$front"
ended
is "all end well" 0 "$code"
is "and no socket is left" "" "$(find "$work" -name '*.ipc')"

# With one more than the file allows all end.
write_file '{backoff_ms: 1, backoff_max_ms: 1, intensity: 2, period_ms: 3600000}'
up
pid_of front 1
front=$pid
mv "$work/docs" "$work/elsewhere"
pid_of a 1
kill -9 "$pid"
ended
is "a node that ends too often" 1 "$code"
has "says so" "nodes have ended more than 2 times in 3600 s, so all are stopped" "$(cat "$work/up_err")"
is "it was tried again twice" 2 "$(grep -c 'it is started again' "$work/up_err")"
if gone "$front"; then pass; else fail "$front outlives it"; fi
mv "$work/elsewhere" "$work/docs"

# ---- what does not start -------------------------------------------------------------------------

cat >"$work/other.yaml" <<END
listen: "ipc://$work/b.ipc"
publish: [x]
actors: {x: {passthrough: {}}}
END
start_server "$work/other.yaml" || finish
run 1 "$greenroom" up "$work/f.yaml"
has "a URL that is taken" "b     | greenroom: listening at ipc://$work/b.ipc: " "$err"
has "in plain words" "node b ended with exit code 1 before all were ready; so all are stopped" "$err"
lacks "without a start that can't help" "started again" "$err"
is "nor is it ready" "" "$out"
run 0 "$greenroom" call "ipc://$work/b.ipc" x --text y
is "who has it is left alone" '"y"' "$out"
stop_server TERM

mv "$work/docs" "$work/elsewhere"
run 1 "$greenroom" up "$work/f.yaml"
has "files that are not there" "a     | greenroom: " "$err"
mv "$work/elsewhere" "$work/docs"
printf 'nodes: {a: "ipc://%s/a.ipc"}\nactors: {x: {prompt: "{", on: a}}\n' "$work" >"$work/bad.yaml"
run 2 "$greenroom" up "$work/bad.yaml"
has "what only a constructor sees" "a | $work/bad.yaml:2:14: prompt: " "$err"
printf 'nodes: {a: "ipc://%s/a.ipc"}\nactors: {x: {promt: "", on: a}}\n' "$work" >"$work/bad.yaml"
run 2 "$greenroom" up "$work/bad.yaml"
has "what the reader sees" "$work/bad.yaml:2:14: there is no kind" "$err"
run 2 "$greenroom" up "$work/other.yaml"
has "a file without nodes" "has no nodes; greenroom serve is for files with one process" "$err"
printf 'nodes: {a: "tcp://0.0.0.0:7700"}\nactors: {x: {prompt: "", on: a}}\n' >"$work/bad.yaml"
run 2 "$greenroom" up "$work/bad.yaml"
has "a door that is open to all" "bad.yaml:1:12: listen: node \"a\": this can be reached from other hosts" "$err"

# ---- with a command ------------------------------------------------------------------------------

run 0 "$greenroom" up "$work/f.yaml" -- run --input '{"name": "Eve"}'
is "its answer alone is on standard output" '"Hello Eve!"' "$out"
run 0 "$greenroom" up "$work/f.yaml" -- run loud --input '{"text": "x"}'
is "of another actor" '"x!"' "$out"
run 1 "$greenroom" up "$work/f.yaml" -- run loud --input '{}'
has "its exit code is that of the whole" "text" "$err"
run 2 "$greenroom" up "$work/f.yaml" -- serve
has "not any command" "up: run, stream or batch was expected after --, not serve" "$err"
is "all is gone" "" "$(find "$work" -name '*.ipc')"
finish
