#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# demo.sh - the main demo: two processes, an answer with citations, and nothing left behind.
# shellcheck disable=SC1091,SC2013,SC2016,SC2034,SC2154,SC2317
. tests/cli/_lib.sh
GREENROOM=$greenroom
TMPDIR=$work
export GREENROOM TMPDIR

run 0 sh examples/demo/run.sh
has "the first process" ": library (embedder" "$out"
has "the second" ": asker (prompt" "$out"
has "the default question" "Question: What happens when a handler waits?" "$out"
has "a citation" "[docs/" "$out"
is "nothing on standard error" "" "$err"
is "nothing left behind" "" "$(find "$work" -name 'greenroom-demo*')"
pid=$(printf '%s\n' "$out" | sed -n 's/^pid \([0-9]*\): library.*/\1/p')
if kill -0 "$pid" 2>/dev/null; then fail "the library still runs"; else pass; fi

run 0 sh examples/demo/run.sh --question 'What is a chain file?'
has "a question of one's own" "Question: What is a chain file?" "$out"
has "and its source" "[docs/chain-file.md]" "$out"

run 0 sh examples/demo/run.sh --help
has "help" "--question TEXT" "$out"
run 2 sh examples/demo/run.sh --model claude
run 2 sh examples/demo/run.sh --nothing
run 2 sh examples/demo/run.sh --question

OPENAI_BASE_URL=http://127.0.0.1:1/v1
OPENAI_API_KEY=sk-not-for-eyes
export OPENAI_BASE_URL OPENAI_API_KEY
run 1 sh examples/demo/run.sh --model openai:small
has "a model that can't be reached is a failure" "GR_EUNREACH" "$err"
lacks "without the key" "$OPENAI_API_KEY" "$out$err"
is "nothing left behind either" "" "$(find "$work" -name 'greenroom-demo*')"
finish
