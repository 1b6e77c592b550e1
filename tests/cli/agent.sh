#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# agent.sh - tools and agents of chain files: calls, consent, bounds, and what is wrong with a file.
# shellcheck disable=SC1091,SC2016,SC2034,SC2154
. tests/cli/_lib.sh

run 0 "$greenroom" stream examples/agent.yaml --text "What is the weather in Paris?"
is "a step is a line" 3 "$(printf '%s\n' "$out" | grep -c .)"
has "the tool is called with what the model gave" '"content": "Sunny in Paris, 21 degrees."' "$out"
has "and the model has the last word" '"content": "It is sunny in Paris."' "$out"
run 0 "$greenroom" run examples/agent.yaml --text hi --events
has "a tool's run" '"event": "on_tool_start", "name": "weather"' "$out"
has "in the agent's" '"event": "on_chat_model_end"' "$out"

cat >"$work/a.yaml" <<'YAML'
actors:
  later: {prompt: "Put off: {what}"}
  put_off:
    as_tool:
      runnable: later
      name: put_off
      description: Puts it off.
      args_schema: {type: object, properties: {what: {type: string}, days: {type: integer, default: 1}}, required: [what]}
      handle_validation_error: true
  model:
    script_model:
      answers:
        - {role: ai, content: "", tool_calls: [{name: put_off, args: {what: tea}, id: c1, type: tool_call}]}
        - {role: ai, content: "", tool_calls: [{name: put_off, args: {what: 7}, id: c2, type: tool_call}]}
        - {role: ai, content: "", tool_calls: [{name: nothing, args: {}, id: c3, type: tool_call}]}
        - Well.
  agent: {agent: {model: model, tools: [put_off]}}
  careful: {agent: {model: model, tools: [put_off], interrupt_on: {put_off: {allowed_decisions: [approve], description: Sure?}}}}
  bounded: {agent: {model: model, tools: [put_off], model_calls_max: 1}}
  node: {tool_node: [put_off]}
  told: {bind_tools: {model: model, tools: [put_off], tool_choice: any}}
main: agent
YAML
run 0 "$greenroom" run "$work/a.yaml" --text go
has "a call" '"content": "Put off: tea", "tool_call_id": "c1"' "$out"
has "arguments that are not by the schema" '"content": "Tool input validation error", "tool_call_id": "c2"' "$out"
has "a tool that there is not" 'Error: nothing is not a valid tool, try one of [put_off].' "$out"
run 0 "$greenroom" run "$work/a.yaml" careful --text go
has "consent is asked for" '"description": "Sure?"' "$out"
lacks "and nothing is called" "Put off: tea" "$out"
printf '%s\n' "$out" | sed 's/}$/, "resume": {"decisions": [{"type": "approve"}]}}/' >"$work/state.json"
run 0 "$greenroom" run "$work/a.yaml" careful --input "@$work/state.json"
has "and then it is" "Put off: tea" "$out"
run 0 "$greenroom" run "$work/a.yaml" bounded --text go
has "a bound is the last word" "Model call limits exceeded: run limit (1/1)" "$out"
run 0 "$greenroom" run "$work/a.yaml" node \
    --input '[{"type": "ai", "content": "", "tool_calls": [{"name": "put_off", "args": {"what": "it"}, "id": "x", "type": "tool_call"}]}]'
has "a node by itself" "Put off: it" "$out"
run 0 "$greenroom" run "$work/a.yaml" told --text go
has "a model that is told of tools" '"name": "put_off"' "$out"

printf 'actors: {m: {script_model: [x]}, a: {agent: {model: m, stream_mode: all}}}\n' >"$work/b.yaml"
run 2 "$greenroom" run "$work/b.yaml" a --text go
has "what the constructor refuses" "agent: stream_mode must be updates, values or messages" "$err"
printf 'actors: {m: {script_model: {answers: x}}}\n' >"$work/b.yaml"
run 2 "$greenroom" run "$work/b.yaml" m --text go
has "a script is a list" "answers: a text is given, a list was expected" "$err"
printf 'actors: {p: {prompt: x}, t: {as_tool: {runnable: p, args_schema: {type: text}}}}\n' >"$work/b.yaml"
run 2 "$greenroom" run "$work/b.yaml" t --text go
has "a schema that can not be read" "schema: /type: must be null, boolean" "$err"
finish
