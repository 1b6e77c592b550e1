#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# demo.sh - the main demo with a language model: two processes, and a server that is not ours.
# shellcheck disable=SC1091,SC2034,SC2154,SC2317
. tests/clients/_lib.sh
GREENROOM=$greenroom
TMPDIR=$work
export GREENROOM TMPDIR

start_peer "$key"
run_as "$key" 0 sh examples/demo/run.sh --model openai:small
has "the first process" ": library (embedder" "$out"
has "the second" ": asker (prompt" "$out"
has "the server's answer" "Its fiber parks [docs/architecture.md]." "$out"
is "nothing on standard error" "" "$err"
is "it was asked once" 1 "$(requests '/v1/chat/completions key$')"

run 0 env ANTHROPIC_BASE_URL="$peer" ANTHROPIC_API_KEY="$key" sh examples/demo/run.sh --model anthropic:small
cat "$work/out" "$work/err" >>"$work/heard"
has "another provider's answer" "Its fiber parks [docs/architecture.md]." "$out"
is "asked by its own API" 1 "$(requests '/v1/messages key$')"

run_as "$wrong_key" 1 sh examples/demo/run.sh --model openai:small
has "a wrong key is told" "status 401" "$err"
is "nothing left behind" "" "$(find "$work" -name 'greenroom-demo*')"
finish_clients
