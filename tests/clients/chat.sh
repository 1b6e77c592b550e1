#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chat.sh - the model client against a server that is not ours: answers, streams, tools, failures, the end.
# shellcheck disable=SC1091,SC2034,SC2154,SC2317
. tests/clients/_lib.sh

start_peer "$key"
cat >"$work/chat.yaml" <<'END'
actors:
  once: {chat_model: {model: small, max_retries: 0}}
  text: {sequence: [once, {str_parser: {}}]}
  options: {chat_model: {model: small, temperature: 0.25, max_tokens: 7, extra: {top_p: 0.5}}}
  tools:
    chat_model:
      model: small
      extra: {tools: [{type: function, function: {name: get_weather, parameters: {type: object}}}]}
  responses: {chat_model: {model: small, use_responses_api: true, max_retries: 0}}
  responses_text: {sequence: [responses, {str_parser: {}}]}
  responses_tools:
    chat_model:
      model: small
      use_responses_api: true
      extra: {tools: [{type: function, function: {name: get_weather, parameters: {type: object}}}]}
  few: {chat_model: {model: small, max_concurrency: 2}}
  limited: {chat_model: {model: small, max_retries: 0, headers: {x-aimock-chaos-ratelimit: "1"}}}
  down: {chat_model: {model: small, max_retries: 0, headers: {x-aimock-chaos-drop: "1"}}}
  broken: {chat_model: {model: small, max_retries: 0, headers: {x-aimock-chaos-malformed: "1"}}}
  gone: {chat_model: {model: small, max_retries: 0, headers: {x-aimock-chaos-disconnect: "1"}}}
  silent: {chat_model: {model: small, max_retries: 0, idle_ms: 300, headers: {x-aimock-chaos-latency: "30000"}}}
  again: {with_retry: {runnable: once, attempts: 2, backoff_ms: 0, jitter_ms: 0}}
  saved: {with_fallbacks: [limited, once]}
main: once
END
chat() { # KEY CODE run|stream ACTOR ARGUMENT…
    chat_key=$1 chat_code=$2 chat_way=$3 chat_actor=$4
    shift 4
    run_as "$chat_key" "$chat_code" "$greenroom" "$chat_way" "$work/chat.yaml" "$chat_actor" "$@"
}

# ---- answers ---------------------------------------------------------------------------------

chat "$key" 0 run once --text 'say hello'
has "a message" '"content": "Hello from another server."' "$out"
has "of the type ai" '"type": "ai"' "$out"
has "the server's id of it" '"id": "chatcmpl-' "$out"
has "why it ended" '"finish_reason": "stop"' "$out"
has "what it cost" '"usage_metadata": {"input_tokens": ' "$out"
is "the key went along" 1 "$(requests '/v1/chat/completions key$')"
chat "$key" 0 run text --text 'say hello' --text-out
is "its text" 'Hello from another server.' "$out"
chat "$key" 0 run options --input '[{"role": "system", "content": "You are brief."}, {"role": "user", "content": "go"}]'
has "options and roles arrive" 'All options came.' "$out"

# ---- streams ---------------------------------------------------------------------------------

chat "$key" 0 stream once --text 'say hello'
is "chunks as the server cut them" 6 "$(printf '%s\n' "$out" | grep -c '"content": "[^"]')"
has "the first of them" '"content": "Hello"' "$out"
has "chunks by type" '"type": "AIMessageChunk"' "$out"
has "usage comes in a chunk" '"usage_metadata": {"input_tokens": ' "$out"
is "and why it ended, once" 1 "$(printf '%s\n' "$out" | grep -c '"finish_reason": "stop"')"
chat "$key" 0 stream text --text 'say hello' --text-out
is "their sum" 'Hello from another server.' "$out"

# ---- tools -----------------------------------------------------------------------------------

asked='"name": "get_weather", "args": {"city": "Oslo", "unit": "celsius"}, "id": "call_1"'
chat "$key" 0 run tools --text 'weather in Oslo?'
has "a tool call" "$asked" "$out"
chat "$key" 0 stream tools --text 'weather in Oslo?'
has "a tool call in pieces" '"tool_call_chunks": [{"name": "get_weather"' "$out"
parts=$(printf '%s\n' "$out" | sed -n 's/.*"tool_call_chunks": \[{[^}]*"args": "\(\([^"\\]\|\\.\)*\)".*/\1/p' |
    tr -d '\n\\')
is "which give its arguments" '{"city": "Oslo", "unit": "celsius"}' "$parts"
# A composition that takes messages as a whole puts the pieces together.
chat "$key" 0 run tools --input '[{"type": "human", "content": "weather in Oslo?"},
    {"type": "ai", "content": "", "tool_calls": [{'"$asked"'}]},
    {"type": "tool", "tool_call_id": "call_1", "content": "7"}]'
has "the tool's answer goes back" 'It is 7 degrees in Oslo.' "$out"

# ---- the Responses API -----------------------------------------------------------------------

chat "$key" 0 run responses --text 'say hello'
has "a message of blocks" '"content": [{"type": "text", "text": "Hello from another server."' "$out"
has "whose id is the response's" '"id": "resp' "$out"
has "what it cost here, too" '"usage_metadata": {"input_tokens": ' "$out"
is "it was asked there" 1 "$(requests '/v1/responses key$')"
chat "$key" 0 stream responses_text --text 'say hello' --text-out
is "a stream's sum" 'Hello from another server.' "$out"
chat "$key" 0 run responses_tools --text 'weather in Oslo?'
has "a tool call as elsewhere" "$asked" "$out"
chat "$key" 0 stream responses_tools --text 'weather in Oslo?'
has "one in pieces" '"tool_call_chunks": [{"name": "get_weather"' "$out"
chat "$key" 0 run responses_tools --input '[{"type": "human", "content": "weather in Oslo?"},
    {"type": "ai", "content": "", "tool_calls": [{'"$asked"'}]},
    {"type": "tool", "tool_call_id": "call_1", "content": "7"}]'
has "the tool's answer goes back there" 'It is 7 degrees in Oslo.' "$out"

# ---- side by side ----------------------------------------------------------------------------

before=$(requests '^request')
run_as "$key" 0 "$greenroom" batch "$work/chat.yaml" few --input '["item 1", "item 2", "item 3", "item 4", "item 5", "item 6"]'
is "all are done" 6 "$(printf '%s' "$out" | grep -o 'done: item [1-6]' | sort -u | wc -l)"
is "one request for each" $((before + 6)) "$(requests '^request')"
until_true eval '[ "$(requests "^end .* whole")" -ge "$(requests "^request")" ]'
is "two at once at most" 2 "$(sed -n 's/^end .* //p' "$peer_log" | sort -n | tail -1)"

# ---- the server says no ----------------------------------------------------------------------

chat "$key" 1 run once --text 'nobody knows this'
has "404" "small: NotFound: No fixture matched (GR_EREMOTE, no_fixture_match, status 404)" "$err"
is "nothing on standard output" "" "$out"
chat "$key" 1 stream text --text 'nobody knows this'
has "404 of a stream, and whose it is" "small: NotFound: No fixture matched (GR_EREMOTE, no_fixture_match, status 404)" "$err"
chat "$wrong_key" 1 run once --text 'say hello'
has "401" "Invalid API key (GR_EREMOTE, invalid_api_key, status 401)" "$err"
chat '' 1 run once --text 'say hello'
has "no key is sent when there is none" "no key" "$(grep '^request' "$peer_log" | tail -1)"
has "401 again" "status 401" "$err"
chat "$key" 1 run limited --text 'say hello'
has "429 with Retry-After" "status 429; a retry may help after 1.0 s)" "$err"
has "its code" "(GR_ERATE, " "$err"
chat "$key" 1 stream limited --text 'say hello'
has "429 of a stream" "status 429; a retry may help after 1.0 s)" "$err"
chat "$key" 1 run once --text 'quota'
has "no money is no matter of time" "(GR_ERATE, insufficient_quota, status 429" "$err"
lacks "so no retry" "a retry may help" "$err"
chat "$key" 1 run down --text 'say hello'
has "500" "status 500; a retry may help" "$err"

# ---- the connection fails --------------------------------------------------------------------

chat "$key" 1 run broken --text 'say hello'
has "no JSON" "(GR_EPROTO" "$err"
chat "$key" 1 run gone --text 'say hello'
has "a lost connection" "(GR_EUNREACH" "$err"
chat "$key" 1 stream once --text 'break off'
has "a stream that breaks off" "a retry may help" "$err"
has "after what came" '"content": "word0' "$out"
chat "$key" 1 run silent --text 'say hello'
has "a silent server" "(GR_ETIMEDOUT" "$err"
chat "$key" 1 stream once --text 'slowly' --timeout 1
has "a deadline" "(GR_ETIMEDOUT" "$err"

# ---- riding it out ---------------------------------------------------------------------------

before=$(requests '^request')
chat "$key" 0 run again --text 'busy once'
has "a retry rides over 429" 'Now there is time.' "$out"
is "with a second request" $((before + 2)) "$(requests '^request')"
chat "$key" 0 run saved --text 'say hello'
has "a fallback, too" 'Hello from another server.' "$out"
MODEL=small
export MODEL
run_as "$key" 0 "$greenroom" run examples/models.yaml --input '{"topic": "actors"}' --text-out
is "examples/models.yaml" 'Actors have mailboxes.' "$out"

# ---- Ctrl-C ----------------------------------------------------------------------------------

# The whole answer takes this server more than a minute, so what is printed came while it was under way.
if env --default-signal=INT true 2>/dev/null; then
    env --default-signal=INT OPENAI_BASE_URL="$peer/v1" OPENAI_API_KEY="$key" \
        "$greenroom" stream "$work/chat.yaml" once --text 'slowly' >"$work/slow" 2>"$work/slow_err" &
    asker=$!
    started="$started $asker"
    until_true grep -q '"content": "word' "$work/slow"
    slow=$(sed -n 's/^request \([0-9]*\) .*/\1/p' "$peer_log" | tail -1)
    is "chunks come one by one" 0 "$(requests "^end $slow ")"
    kill -INT "$asker"
    code=0
    wait "$asker" || code=$?
    is "interrupted" 130 "$code"
    is "and says so" "greenroom: cancelled" "$(cat "$work/slow_err")"
    until_true grep -q "^end $slow cut" "$peer_log"
    is "the transfer was closed" 1 "$(requests "^end $slow cut")"
    cat "$work/slow" "$work/slow_err" >>"$work/heard"
fi
# Whoever reads no further closes it too.
env OPENAI_BASE_URL="$peer/v1" OPENAI_API_KEY="$key" \
    "$greenroom" stream "$work/chat.yaml" once --text 'slowly' 2>"$work/slow_err" | head -n 1 >"$work/slow"
has "the first chunk" 'AIMessageChunk' "$(cat "$work/slow")"
slow=$(sed -n 's/^request \([0-9]*\) .*/\1/p' "$peer_log" | tail -1)
until_true grep -q "^end $slow cut" "$peer_log"
is "a closed pipe closes the transfer" 1 "$(requests "^end $slow cut")"
cat "$work/slow" "$work/slow_err" >>"$work/heard"

finish_clients
