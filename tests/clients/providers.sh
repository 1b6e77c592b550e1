#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# providers.sh - the clients of Anthropic and of Ollama against a server that is not ours.
# shellcheck disable=SC1091,SC2034,SC2154,SC2317
. tests/clients/_lib.sh

start_peer "$key"
mkdir "$work/texts"
printf 'Ships sail.\n' >"$work/texts/ships.txt"
printf 'Trains run on rails.\n' >"$work/texts/trains.txt"
tools='tools: [{type: function, function: {name: get_weather, description: weather, parameters: {type: object}}}]'
cat >"$work/models.yaml" <<END
actors:
  claude: {chat_anthropic: {model: small, max_retries: 0}}
  claude_text: {sequence: [claude, {str_parser: {}}]}
  claude_options: {chat_anthropic: {model: claude, temperature: 0.25, max_tokens: 7, betas: [a, b]}}
  claude_tools: {bind: {runnable: claude, kwargs: {$tools, tool_choice: any}}}
  claude_thinks:
    bind:
      runnable:
        chat_anthropic:
          model: claude-opus-4-1
          max_retries: 0
          thinking: {type: enabled, budget_tokens: 1024}
          headers: {x-aimock-strict: "true"}
      kwargs: {$tools}
  claude_limited: {chat_anthropic: {model: small, max_retries: 0, headers: {x-aimock-chaos-ratelimit: "1"}}}
  claude_gone: {chat_anthropic: {model: small, max_retries: 0, headers: {x-aimock-chaos-disconnect: "1"}}}
  claude_again: {chat_anthropic: {model: small, max_retries: 1}}
  llama: {chat_ollama: {model: llama, max_retries: 0}}
  llama_text: {sequence: [llama, {str_parser: {}}]}
  llama_tools: {bind: {runnable: llama, kwargs: {$tools}}}
  llama_gone: {chat_ollama: {model: llama, max_retries: 0, headers: {x-aimock-chaos-disconnect: "1"}}}
  store: {memory_store: {embeddings: {ollama_embeddings: {model: embed, batch: 1}}, load: {paths: [texts]}}}
  docs: {sequence: [{retriever: {store: store, k: 1}}, {format_docs: {}}]}
  by_name: {chat_model: {model: "anthropic:small", max_retries: 0}}
  local_by_name: {chat_model: {model: "ollama:llama", max_retries: 0}}
main: claude
END
chat() { # KEY CODE run|stream ACTOR ARGUMENT…
    chat_key=$1 chat_code=$2 chat_way=$3 chat_actor=$4
    shift 4
    run "$chat_code" env ANTHROPIC_BASE_URL="$peer" ANTHROPIC_API_KEY="$chat_key" \
        OLLAMA_HOST="${peer#http://}" OLLAMA_API_KEY="$chat_key" \
        "$greenroom" "$chat_way" "$work/models.yaml" "$chat_actor" "$@"
    cat "$work/out" "$work/err" >>"$work/heard"
}
# sum prints what the parts of a key in a stream's chunks add up to.
sum() {
    printf '%s\n' "$out" | grep -o "\"$1\": \"\\([^\"\\\\]\\|\\\\.\\)*\"" | sed "s/^\"$1\": \"//; s/\"\$//" | tr -d '\n'
}

# ---- Anthropic -------------------------------------------------------------------------------

chat "$key" 0 run claude --text 'say hello'
has "a message" '"content": "Hello from another server."' "$out"
has "the server's id of it" '"id": "msg_' "$out"
has "why it ended" '"stop_reason": "end_turn"' "$out"
has "what it cost" '"usage_metadata": {"input_tokens": ' "$out"
is "the key went along" 1 "$(requests '/v1/messages key$')"
chat "$key" 0 run by_name --text 'say hello'
has "the same by name" '"content": "Hello from another server."' "$out"
chat "$key" 0 stream claude_text --text 'say hello' --text-out
is "a stream's sum" 'Hello from another server.' "$out"
chat "$key" 0 stream claude --text 'say hello'
has "chunks by type" '"type": "AIMessageChunk"' "$out"
is "why it ended, once" 1 "$(printf '%s\n' "$out" | grep -c '"stop_reason": "end_turn"')"
is "the last says so" 1 "$(printf '%s\n' "$out" | grep -c '"chunk_position": "last"')"
chat "$key" 0 run claude_options --input '[{"role": "system", "content": "You are brief."}, {"role": "user", "content": "go"}]'
has "options and the system prompt arrive" 'All options came.' "$out"

asked='"name": "get_weather", "args": {"city": "Oslo", "unit": "celsius"}, "id": "call_1"'
chat "$key" 0 run claude_tools --text 'weather in Oslo?'
has "a tool call" "$asked" "$out"
has "which stays a block" '{"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Oslo"' "$out"
answer=$(cat "$work/out")
chat "$key" 0 run claude_tools --input "[{\"type\": \"human\", \"content\": \"weather in Oslo?\"}, $answer,
    {\"type\": \"tool\", \"tool_call_id\": \"call_1\", \"content\": \"7\"}]"
has "the tool's answer goes back" 'It is 7 degrees in Oslo.' "$out"
chat "$key" 0 stream claude_tools --text 'weather in Oslo?'
has "a tool call in pieces" '"tool_call_chunks": [{"name": "get_weather"' "$out"
is "which give its arguments" '{\"city\":\"Oslo\",\"unit\":\"celsius\"}' "$(sum partial_json)"

# This server refuses a turn with tools that does not begin with the thought and its signature.
chat "$key" 0 run claude_thinks --text 'think first'
has "a thought" '{"type": "thinking", "thinking": "Where is that?", "signature": "' "$out"
answer=$(cat "$work/out")
chat "$key" 0 run claude_thinks --input "[{\"type\": \"human\", \"content\": \"think first\"}, $answer,
    {\"type\": \"tool\", \"tool_call_id\": \"call_1\", \"content\": \"7\"}]"
has "goes back with its signature" 'It is 7 degrees in Oslo.' "$out"
chat "$key" 0 stream claude_thinks --text 'think first'
is "a thought in pieces" 'Where is that?' "$(sum thinking)"
chat "$key" 1 run claude_thinks --input '[{"type": "human", "content": "think first"},
    {"type": "ai", "content": "", "tool_calls": [{"name": "get_weather", "args": {"city": "Oslo"}, "id": "call_1"}]},
    {"type": "tool", "tool_call_id": "call_1", "content": "7"}]'
has "without it the server says no" '(GR_EREMOTE, invalid_request_error, status 400)' "$err"

chat "$wrong_key" 1 run claude --text 'say hello'
has "401" "Invalid API key (GR_EREMOTE, invalid_api_key, status 401)" "$err"
chat '' 1 run claude --text 'say hello'
has "no key is sent when there is none" "no key" "$(grep '^request' "$peer_log" | tail -1)"
chat "$key" 1 run claude --text 'nobody knows this'
has "404" "status 404)" "$err"
chat "$key" 1 stream claude_limited --text 'say hello'
has "429 of a stream" "status 429; a retry may help after 1.0 s)" "$err"
before=$(requests '^request')
chat "$key" 0 run claude_again --text 'busy once'
has "a retry rides over 429" 'Now there is time.' "$out"
is "with a second request" $((before + 2)) "$(requests '^request')"
chat "$key" 1 run claude_gone --text 'say hello'
has "a lost connection" "(GR_EUNREACH" "$err"
chat "$key" 1 stream claude --text 'break off'
has "a stream that breaks off" "a retry may help" "$err"
has "after what came" '"type": "AIMessageChunk"' "$out"

# ---- Ollama ----------------------------------------------------------------------------------

chat "$key" 0 run llama --text 'say hello'
has "a message" '"content": "Hello from another server."' "$out"
has "why it ended" '"done_reason": "stop"' "$out"
has "an id all the same" '"id": "lc_run--' "$out"
is "the key went along" 1 "$(requests '/api/chat key$')"
chat "$key" 0 run local_by_name --text 'say hello'
has "the same by name" '"content": "Hello from another server."' "$out"
chat "$key" 0 stream llama_text --text 'say hello' --text-out
is "lines add up" 'Hello from another server.' "$out"
chat "$key" 0 stream llama --text 'say hello'
is "lines as the server cut them" 6 "$(printf '%s\n' "$out" | grep -c '"content": "[^"]')"
is "the last says so" 1 "$(printf '%s\n' "$out" | grep -c '"chunk_position": "last"')"
chat "$key" 0 run llama_tools --text 'weather in Oslo?'
has "a tool call with an id of ours" '"name": "get_weather", "args": {"city": "Oslo", "unit": "celsius"}, "id": "call_' "$out"
answer=$(cat "$work/out")
id=$(sed -n 's/.*"id": "\(call_[0-9a-f]*\)".*/\1/p' "$work/out")
chat "$key" 0 run llama_tools --input "[{\"type\": \"human\", \"content\": \"weather in Oslo?\"}, $answer,
    {\"type\": \"tool\", \"tool_call_id\": \"$id\", \"content\": \"7\"}]"
has "the tool's answer goes back" 'It is 7 degrees there.' "$out"
chat "$key" 0 stream llama_tools --text 'weather in Oslo?'
has "a tool call in a line" '"tool_call_chunks": [{"name": "get_weather", "args": "{' "$out"
chat "$key" 1 run llama --input '[{"role": "user", "content": [{"type": "image", "url": "http://127.0.0.1/x.png"}]}]'
has "an image by URL is refused" "message 1, part 1: Ollama takes images in base64 only" "$err"
chat "$wrong_key" 1 run llama --text 'say hello'
has "401" "status 401)" "$err"
chat "$key" 1 run llama_gone --text 'say hello'
has "a lost connection" "(GR_EUNREACH" "$err"
chat "$key" 1 stream llama --text 'break off'
has "a stream that breaks off" "a retry may help" "$err"
has "after what came" '"content": "word0' "$out"

# This server makes a vector of each text's hash, so the text itself is what is nearest to it.
chat "$key" 0 run docs --text 'Trains run on rails.' --text-out
has "found by its vector" '[texts/trains.txt]' "$out"
lacks "and no other" 'ships.txt' "$out"
is "one request for each text, and for the question" 3 "$(requests '/api/embed key$')"

finish_clients
