#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# agent.sh - an agent with a model that is served by aimock: tools in OpenAI's form there, calls in fragments back.
# shellcheck disable=SC1091,SC2016,SC2034,SC2154
. tests/clients/_lib.sh

start_peer "$key"
cat >"$work/a.yaml" <<'YAML'
actors:
  model: {chat_model: {model: gpt-4o-mini}}
  get_weather:
    as_tool:
      name: get_weather
      description: The weather in a city.
      runnable: {prompt: "7 degrees in {city}"}
      args_schema: {type: object, properties: {city: {type: string}, unit: {enum: [celsius, fahrenheit]}}, required: [city]}
  agent: {agent: {model: model, tools: [get_weather], prompt: Be brief.}}
  tokens: {agent: {model: model, tools: [get_weather], stream_mode: messages}}
  careful: {agent: {model: model, tools: [get_weather], interrupt_on: {get_weather: true}}}
main: agent
YAML

run_as "$key" 0 "$greenroom" run "$work/a.yaml" --text "What is the weather?"
has "the tool gets what the model gave in fragments" '"content": "7 degrees in Oslo", "tool_call_id": "call_1"' "$out"
has "and the model gets the tool's answer" '"content": "It is 7 degrees in Oslo."' "$out"
is "by two requests" 2 "$(requests '^request')"
run_as "$key" 0 "$greenroom" stream "$work/a.yaml" --text "What is the weather?"
is "a step is a line" 3 "$(printf '%s\n' "$out" | grep -c .)"
run_as "$key" 0 "$greenroom" stream "$work/a.yaml" tokens --text "What is the weather?"
has "the model's words as they come" '"langgraph_node": "model"' "$out"
has "and the tool's" '[{"type": "tool", "content": "7 degrees in Oslo"' "$out"
is "in more chunks than steps" yes "$([ "$(printf '%s\n' "$out" | grep -c .)" -gt 4 ] && echo yes)"
before=$(requests '^request')
run_as "$key" 0 "$greenroom" run "$work/a.yaml" careful --text "What is the weather?"
has "consent is asked for" '"__interrupt__"' "$out"
printf '%s\n' "$out" | sed 's/}$/, "resume": {"decisions": [{"type": "approve"}]}}/' >"$work/state.json"
run_as "$key" 0 "$greenroom" run "$work/a.yaml" careful --input "@$work/state.json"
has "and then it goes on" '"content": "It is 7 degrees in Oslo."' "$out"
is "with one request each" $((before + 2)) "$(requests '^request')"
run_as "$wrong_key" 1 "$greenroom" run "$work/a.yaml" --text "What is the weather?"
has "a model that says no fails the run" "401" "$err"
finish_clients
