#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# compose.sh - the kinds that choose, repeat and configure, written in chain files.
# shellcheck disable=SC1091,SC2013,SC2016,SC2034,SC2154,SC2317
. tests/cli/_lib.sh

cat >"$work/c.yaml" <<'END'
actors:
  urgent: {prompt: "now: {text}"}
  later: {prompt: "later: {text}"}
  triage:
    branch:
      arms:
        - {if: {pick: urgent}, then: urgent}
        - {if: {pick: idle}, then: {prompt: "nothing"}}
      otherwise: later
  route: {router: {a: urgent, b: later}}
  every: {each: urgent}
  some: {pick: [text, urgent]}
  seen: {passthrough: {tap: urgent}}
  which:
    configurable_alternatives: {id: tone, otherwise: later, alternatives: {rude: urgent}}
  rude: {with_config: {runnable: which, config: {configurable: {tone: rude}}}}
  bound: {bind: {runnable: later, kwargs: {a: 1}}}
  typed: {with_types: {runnable: later, input_schema: {type: object}}}
  tool: {as_tool: {runnable: later, name: put_off, args_schema: {type: object}}}
  words:
    configurable_fields:
      runnable: {prompt: "say {text}"}
      fields: {template: wording}
  tone:
    configurable_fields:
      runnable: {prompt: "unused {text}"}
      fields:
        template: {id: tone, options: {short: "{text}.", long: "{text}, please."}, default: short, title: Tone}
  pieces:
    configurable_fields:
      runnable: {splitter: {chunk_size: 8, chunk_overlap: 0}}
      fields: {chunk_size: size}
  listed:
    configurable_fields:
      runnable: {with_fallbacks: [later]}
      fields: {exception_key: under}
  chat:
    with_message_history:
      runnable: {chat_prompt: [{placeholder: past}, {human: "{q}"}]}
      history: {memory_history: {}}
      input_messages_key: q
      history_messages_key: past
  careful:
    with_fallbacks:
      runnables: [{pick: nowhere_is_a_map}, {pick: err}]
      errors: [GR_EINVAL]
      exception_key: err
  again: {with_retry: {runnable: later, attempts: 2, errors: [GR_ERATE], exp_base: 3, backoff_ms: 0}}
  greet: {prompt: {template: "{hello}, {name}", partial: {hello: Hi}}}
  last:
    chat_prompt:
      messages: [{system: "{hello}"}, {messages: {variable: past, n_messages: 1}}, {placeholder: more}]
      partial: {hello: Hi}
  patches: {sequence: [{prompt: "[1, {text}"}, {json_parser: {diff: true}}]}
  numbered: {numbered_list_parser: {}}
  bulleted: {markdown_list_parser: {}}
  inner:
    configurable_alternatives:
      {id: depth, otherwise: later, alternatives: {deep: urgent}, is_shared: true, name: Depth, description: how far}
  outer:
    configurable_alternatives: {id: way, otherwise: inner, alternatives: {other: later}, prefix_keys: true}
  left: {with_config: {runnable: {each: {runnable: {pick: a}}}, config: {leave_siblings: true, max_concurrency: 2}}}
END
c() { run 0 "$greenroom" run "$work/c.yaml" "$@"; }
compact() { printf '%s' "$1" | tr -d ' \n'; }

c triage --input '{"text": "x", "urgent": true}'
is "the first arm that holds" '"now: x"' "$out"
c triage --input '{"text": "x", "urgent": 0, "idle": "yes"}'
is "or the next" '"nothing"' "$out"
c triage --input '{"text": "x"}'
is "or otherwise" '"later: x"' "$out"
c route --input '{"key": "b", "input": {"text": "x"}}'
is "router" '"later: x"' "$out"
run 1 "$greenroom" run "$work/c.yaml" route --input '{"key": "c", "input": 1}'
has "a key that no runnable has" "No runnable associated with key 'c'" "$err"
c every --input '[{"text": "x"}, {"text": "y"}]'
is "each" '["now:x","now:y"]' "$(compact "$out")"
c some --input '{"text": 1, "other": 2}'
is "several keys" '{"text":1}' "$(compact "$out")"
c seen --input '{"text": 1}'
is "a tap" '{"text":1}' "$(compact "$out")"
c which --input '{"text": "x"}'
is "the default alternative" '"later: x"' "$out"
c which --input '{"text": "x"}' --config '{"configurable": {"tone": "rude"}}'
is "the one that the config names" '"now: x"' "$out"
run 1 "$greenroom" run "$work/c.yaml" which --input '{"text": "x"}' --config '{"tone": "odd"}'
has "there are no others" "Unknown alternative: odd" "$err"
c words --input '{"text": "x"}'
is "fields as the file has them" '"say x"' "$out"
c words --input '{"text": "x"}' --config '{"wording": "shout {text}!"}'
is "or as the config has them" '"shout x!"' "$out"
c tone --input '{"text": "x"}'
is "the default option" '"x."' "$out"
c tone --input '{"text": "x"}' --config '{"tone": "long"}'
is "another option" '"x, please."' "$out"
run 1 "$greenroom" run "$work/c.yaml" tone --text x --config '{"tone": "odd"}'
has "that there is not" "'tone' has no option 'odd'" "$err"
c listed --input '{"text": "x"}'
is "a first key that stands alone" '"later: x"' "$out"
c listed --input '{"text": "x"}' --config '{"under": "err"}'
is "with another beside it" '"later: x"' "$out"
c pieces --text 'one two three' --config '{"size": 100}'
is "a number" '["one two three"]' "$out"
run 1 "$greenroom" run "$work/c.yaml" pieces --text x --config '{"size": 0}'
has "out of its range" "chunk_size: a whole number was expected" "$err"
run 1 "$greenroom" run "$work/c.yaml" words --text x --config '{"wording": "{"}'
has "what the kind refuses" "GR_EINVAL" "$err"
c rude --input '{"text": "x"}'
is "a config of its own" '"now: x"' "$out"
c bound --input '{"text": "x"}'
is "bind" '"later: x"' "$out"
c typed --input '{"text": "x"}'
is "with_types" '"later: x"' "$out"
c tool --input '{"type": "tool_call", "name": "put_off", "args": {"text": "x"}, "id": "c1"}'
is "a tool call" '{"type":"tool","content":"later:x","tool_call_id":"c1","name":"put_off","status":"success"}' \
    "$(compact "$out")"
c chat --input '{"q": "hi"}' --config '{"session_id": "s"}'
has "a conversation" '"hi"' "$out"
run 1 "$greenroom" run "$work/c.yaml" chat --input '{"q": "hi"}'
has "needs a session" "Missing keys ['session_id']" "$err"
c again --input '{"text": "x"}'
is "retry by names" '"later: x"' "$out"
c greet --text x
is "a partial prompt" '"Hi, x"' "$out"
c greet --input '{"name": "x", "hello": "Ho"}'
is "whose variables may come all the same" '"Ho, x"' "$out"
c last --input '{"past": [["ai", "1"], ["ai", "2"]]}'
is "the last messages" '[{"type":"system","content":"Hi"},{"type":"ai","content":"2"}]' "$(compact "$out")"
run 1 "$greenroom" run "$work/c.yaml" last --input '{}'
has "which must be there" "missing variables {'past'}" "$err"
run 0 "$greenroom" stream "$work/c.yaml" patches --input '{"text": 2}'
is "patches" '[{"op":"replace","path":"","value":[1,2]}]' "$(compact "$out")"
c numbered --text '1. a
2. b'
is "a numbered list" '["a","b"]' "$(compact "$out")"
c bulleted --text '- a
no
* b'
is "a list with bullets" '["a","b"]' "$(compact "$out")"
c outer --input '{"text": "x"}' --config '{"depth": "deep"}'
is "a shared key needs no prefix" '"now: x"' "$out"
c outer --input '{"text": "x"}' --config '{"way": "other"}'
is "an alternative of alternatives" '"later: x"' "$out"
c left --input '[{"a": 1}, {}]'
is "a batch in a config of its own" '[1,null]' "$(compact "$out")"
run 1 "$greenroom" run "$work/c.yaml" careful --text x
has "an input that can't take the error" "must be a dict" "$err"

run 0 "$greenroom" graph "$work/c.yaml" words
has "a graph" "PromptInput --> PromptTemplate;" "$out"
run 2 "$greenroom" graph "$work/c.yaml" nobody
has "of what there is" 'no actor "nobody"' "$err"

# In simulations nothing leaks, and every seed takes its own course, whatever fails.
cat >"$work/s.yaml" <<'END'
actors:
  a: {prompt: "a {text}"}
  b: {prompt: "b {text}"}
  model: {extractive_model: {}}
  chain:
    with_config:
      config: {max_concurrency: 1}
      runnable:
        sequence:
          - branch:
              arms: [{if: {pick: missing}, then: {passthrough: {}}}]
              otherwise: {assign: {x: a, y: {sequence: [b, model]}}}
          - {passthrough: {tap: b}}
          - {pick: [text, x, y]}
          - parallel:
              p: {with_retry: {runnable: {sequence: [a, model, {str_parser: {}}]}, attempts: 2, backoff_ms: 1}}
              q: {with_fallbacks: {runnables: [{sequence: [b, model]}, b], exception_key: err}}
              r: {configurable_alternatives: {id: w, otherwise: {sequence: [a, model]}, alternatives: {b: b}}}
              s: {configurable_fields: {runnable: {prompt: "s {text}"}, fields: {template: t}}}
  word: {sequence: [a, model, {str_parser: {}}]}
  list:
    sequence:
      - parallel:
          text: {pick: text}
          all: {sequence: [{pick: items}, {each: word}]}
      - assign:
          j: {sequence: [{prompt: "[1, {text}"}, {json_parser: {}}]}
          l: {sequence: [{prompt: "a, {text}, c"}, {comma_list_parser: {}}]}
      - {bind: {runnable: {passthrough: {}}, kwargs: {a: 1}}}
      - as_tool: {runnable: {with_types: {runnable: {passthrough: {}}, input_schema: {type: object}}}}
  route: {router: {a: a, b: word}}
  talk:
    with_message_history:
      runnable: {sequence: [{chat_prompt: [{human: "{q}"}]}, model]}
      history: {memory_history: {}}
      input_messages_key: q
      history_messages_key: past
main: chain
END
seeds=200
[ -z "${GR_SANITIZED:-}" ] || seeds=10
run 0 "$greenroom" sim "$work/s.yaml" --input '{"text": "hi there"}' --config '{"w": "b", "t": "x {text}"}' \
    --seeds $seeds --faults all --any-answer
has "simulated" "seeds    $seeds" "$out"
simulated() {
    run 0 "$greenroom" sim "$work/s.yaml" "$1" --input "$2" --config '{"session_id": "s"}' \
        --seeds $seeds --faults all --any-answer
}
simulated list '{"text": "7", "items": [{"text": "x"}, {"text": "y"}]}'
simulated route '{"key": "b", "input": {"text": "x"}}'
simulated talk '{"q": "hi"}'

# Mistakes have their places.
mistake() {
    printf 'actors:\n  a: %s\nmain: a\n' "$1" >"$work/m.yaml"
    run 2 "$greenroom" check "$work/m.yaml"
    has "$1" "$work/m.yaml:$2" "$err$out"
}
mistake '{branch: {arms: [], otherwise: {passthrough: {}}}}' '2:22: arms: a list is given, a list of {if: actor, then: actor} was expected'
mistake '{branch: {arms: [{if: {passthrough: {}}}], otherwise: {passthrough: {}}}}' '2:23: arms: a map is given, {if: actor, then: actor} was expected'
mistake '{pick: {}}' '2:7: pick needs the key "key": a text, or a list of texts'
mistake '{each: nobody}' '2:13: no actor is named "nobody"'
mistake '{bind: {runnable: {passthrough: {}}}}' '2:7: bind needs the key "kwargs": a map'
mistake '{with_retry: {runnable: {passthrough: {}}, exp_base: 0.5}}' '2:59: exp_base'
mistake '{configurable_fields: {runnable: b, fields: {template: t}}}' '2:39: runnable: a text is given, an actor made in place was expected'
mistake '{configurable_fields: {runnable: {prompt: x}, fields: {tempalte: t}}}' '2:61: prompt has no key "tempalte"; did you mean "template"?'
mistake '{configurable_fields: {runnable: {sequence: [x]}, fields: {steps: t}}}' '2:65: fields: "steps" is no text, number or boolean'
finish
