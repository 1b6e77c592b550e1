#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sim.sh - chains under many seeds: what holds, what is found, and that it is found again.
# shellcheck disable=SC1091,SC2034,SC2154
. tests/cli/_lib.sh

ada='{"name": "Ada"}'
run 0 "$greenroom" sim examples/hello.yaml --input "$ada" --seeds 150
has "it says how many seeds" "seeds    150, " "$out"
has "and what the runs gave" "gave the answer" "$out"
lacks "no failure but cancellations" "GR_ENOMEM" "$out"
is "nothing else is said" "" "$err"

# The same seeds on two processes come to the same.
alone=$out
run 0 "$greenroom" sim examples/hello.yaml --input "$ada" --seeds 150 --jobs 2
is "two processes find the same" "$alone" "$out"
run 0 "$greenroom" sim examples/hello.yaml --input "$ada" --seeds 100 --from 51 -v
has "the points are listed" "PARK " "$out"
has "with what they are" "a worker is about to park" "$out"

# Faults: errors that they explain are no failure.
run 0 "$greenroom" sim examples/hello.yaml --input "$ada" --seeds 300 --faults memory,full,threads
has "memory ran out" "GR_ENOMEM" "$out"
has "bounds were reached" "GR_EFULL" "$out"
has "some chains could not be made at first" "could not be made at first" "$out"
run 0 "$greenroom" sim examples/hello.yaml --input "$ada" --seeds 20 --faults none --runs 1
lacks "no faults, no errors but those asked for" "GR_E[^CT]" "$out"

# A chain with a store, and one with all ways to compose.
mkdir "$work/texts"
echo 'The mailbox of an actor is bounded.' >"$work/texts/mailbox.txt"
cat >"$work/c.yaml" <<'END'
actors:
  words: {sequence: [{prompt: "Context:\n[a.md]\nFutures complete once.\n\nQuestion: {q}"}, {extractive_model: {}}]}
  both: {parallel: {left: {pick: q}, right: words}}
  safe: {with_fallbacks: [{with_retry: {runnable: both, attempts: 3}}, {prompt: "spare"}]}
  store: {memory_store: {embeddings: {hash_embeddings: {dimensions: 64}}, load: {paths: [texts], suffixes: [.txt]}}}
  found: {sequence: [{retriever: {store: store, k: 1}}, {format_docs: {}}]}
  pick: {pick: name}
END
question='{"q": "When do futures complete?"}'
run 0 "$greenroom" sim "$work/c.yaml" found --text mailbox --seeds 100
run 0 "$greenroom" sim "$work/c.yaml" words --input "$question" --seeds 60
run 0 "$greenroom" sim "$work/c.yaml" safe --input "$question" --seeds 60

# Fallbacks answer otherwise when bounds are reached: found, unless it may be.
run 1 "$greenroom" sim "$work/c.yaml" safe --input "$question" --seeds 300 --faults full
has "another answer" "has another answer than without faults" "$err"
# of an invoke a map, of a batch the list of such
has "what was expected" "expected: {" "$(printf '%s\n' "$err" | sed 's/expected: \[{/expected: {/')"
run 0 "$greenroom" sim "$work/c.yaml" safe --input "$question" --seeds 100 --faults full --any-answer

# A time limit that is too tight: found, with the command that shows it again, and again.
run 1 "$greenroom" sim "$work/c.yaml" found --text "it's a mailbox" --seeds 1000 --timeout 0.002
has "the limit does not hold" "fails, and no fault explains that: GR_ETIMEDOUT" "$err"
found=$(printf '%s\n' "$err" | sed -n 's/^greenroom: \(seed [0-9]*: .*\)/\1/p')
replay=$(printf '%s\n' "$err" | sed -n 's/^greenroom: replay: //p')
has "the replay quotes what a shell needs quoted" "'it'\\''s a mailbox'" "$replay"
for time in first second; do
    run 1 sh -c "$replay"
    has "the $time replay finds the same" "greenroom: $found" "$err"
    has "the $time replay traces" "goes on" "$err"
    printf '%s\n' "$err" >"$work/$time"
done
is "both replays took the same course" "$(cksum <"$work/first")" "$(cksum <"$work/second")"

# A chain that fails by itself, and one that can't be made, are told at once.
run 1 "$greenroom" sim examples/hello.yaml --input '{"nam": "Ada"}' --seeds 5
has "the chain's own failure" "the chain fails without any fault: GR_EINVAL" "$err"
lacks "there is no seed to replay" "replay" "$err"
run 2 "$greenroom" sim "$work/nowhere.yaml"
has "no such file" "can't be opened" "$err"

# A signal that comes twice at once, as timeout sends it to a process and to its group, is one.
"$greenroom" sim examples/hello.yaml --input "$ada" --seeds 0 >"$work/out" 2>/dev/null &
sim=$!
sleep 3 # until it listens to signals, on a busy machine too
kill -TERM "$sim"
sleep 0.01
kill -TERM "$sim"
code=0
wait "$sim" || code=$?
is "a signal and its twin" 0 "$code"
has "what was found before the twins" "seeds    " "$(cat "$work/out")"

# --seeds 0 goes on until it is interrupted, which is how it is meant to end.
code=0
timeout -s TERM 4 "$greenroom" sim examples/hello.yaml --input "$ada" --seeds 0 >"$work/out" || code=$?
is "interrupted" 124 "$code"
has "and what was found until then" "seeds    " "$(cat "$work/out")"
finish
