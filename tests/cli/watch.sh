#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# watch.sh - run --events, --trace and --trace-file.
# shellcheck disable=SC1091,SC2034,SC2154
. tests/cli/_lib.sh

cat >"$work/c.yaml" <<END
actors:
  ask: {prompt: "Context:\\n[a.md]\\nFutures complete once.\\n\\nQuestion: {q}"}
  answer: {sequence: [ask, {extractive_model: {}}, {str_parser: {}}]}
  down: {chat_model: {model: m, url: "http://127.0.0.1:1/v1", max_retries: 0}}
  broken: {sequence: [ask, down]}
  ask_long: {prompt: "Context:\\n[a.md]\\nFutures complete $(seq -s ' ' 100) times.\\n\\nQuestion: {q}"}
  long: {sequence: [ask_long, {extractive_model: {}}, {str_parser: {}}]}
main: answer
END
input='{"q": "when do futures complete?", "api_key": "sk-very-secret"}'

# events FILE: the names of its events, in order. Each line is read as JSON, by a chain.
printf 'actors:\n  event: {pick: event}\nmain: event\n' >"$work/pick.yaml"
events() {
    paste -s -d, "$1" | sed 's/^/[/; s/$/]/' >"$work/list.json"
    "$greenroom" batch "$work/pick.yaml" --input "@$work/list.json" | tr -d ' '
}

run 0 "$greenroom" run "$work/c.yaml" --input "$input" --events
is "nothing but events" "" "$err"
cp "$work/out" "$work/events"
got=$(events "$work/events")
has "the chain's start is the first" '["on_chain_start","on_prompt_start","on_prompt_end","on_chat_model_start"' "$got"
has "its end the last" '"on_chain_end"]' "$got"
has "the answer is in it" 'Futures complete once.' "$(tail -n 1 "$work/events")"

# A model may be ahead of who reads by its stream's window, 32 chunks of more than a hundred, and by no more.
run 0 "$greenroom" run "$work/c.yaml" long --input "$input" --events
before_end=$(sed '/"on_chat_model_end"/,$d' "$work/out")
for event in on_parser_stream on_chain_stream; do
    passed_on=$(printf '%s\n' "$before_end" | grep -c "\"$event\"")
    is "tokens pass each step before the last is there: $event" yes "$([ "$passed_on" -ge 30 ] && echo yes || echo "$passed_on")"
done

run 1 "$greenroom" run "$work/c.yaml" broken --input "$input" --events
is "events up to a failure" '["on_chain_start","on_prompt_start","on_prompt_end","on_chat_model_start"]' \
    "$(events "$work/out")"
has "and the failure" "GR_EUNREACH" "$err"

run 0 "$greenroom" run "$work/c.yaml" --input "$input" --trace
has "the answer is where it was" 'Futures complete once.' "$out"
has "a start" "> chain RunnableSequence {" "$err"
has "a start within" "  > prompt " "$err"
has "an end within" "  < parser " "$err"
has "an end" "
< chain RunnableSequence " "$err"
lacks "no secret" "sk-very-secret" "$err"
run 1 "$greenroom" run "$work/c.yaml" broken --input "$input" --trace
has "a failure within" "  ! chat_model " "$err"
has "a failure" "
! chain RunnableSequence " "$err"

run 0 "$greenroom" stream "$work/c.yaml" --input "$input" --trace --text-out
has "a stream is traced too" "Futures complete once." "$out"
has "from its start" "> chain RunnableSequence" "$err"
lacks "with nothing around it" "  > chain RunnableSequence" "$err"
run 0 "$greenroom" batch "$work/c.yaml" ask --input '[{"q": 1}, {"q": 2}]' --trace
is "each item of a batch is a run" 2 "$(grep -c '^> prompt ' "$work/err")"

run 0 "$greenroom" run "$work/c.yaml" --input "$input" --trace-file "$work/trace"
is "nothing is said of a trace in a file" "" "$err"
has "its events" '["on_chain_start","on_prompt_start","on_prompt_end","on_chat_model_start"' "$(events "$work/trace")"
has "each has a time" '"time": "20' "$(tail -n 1 "$work/trace")"
lacks "and no secret" "sk-very-secret" "$(cat "$work/trace")"
before=$(wc -l <"$work/trace")
run 0 "$greenroom" run "$work/c.yaml" --input "$input" --trace-file "$work/trace" --trace
is "the next trace comes behind" $((before * 2)) "$(wc -l <"$work/trace" | tr -d ' ')"
has "both at once" "> chain RunnableSequence" "$err"

run 2 "$greenroom" run "$work/c.yaml" --input "$input" --trace-file "$work/nowhere/trace"
has "a file that can't be opened" "can't be opened: No such file" "$err"
run 2 "$greenroom" call ipc:///nowhere x --trace
has "of a call elsewhere there is no trace" "call: there is no option --trace" "$err"
run 2 "$greenroom" stream "$work/c.yaml" --events
has "events are run's" "stream: there is no option --events" "$err"

finish
