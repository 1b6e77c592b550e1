#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# prompts.sh - prompts from files, of examples and in mustache; messages; parsers; as a chain file has them.
# shellcheck disable=SC1091,SC2154
. tests/cli/_lib.sh

mkdir "$work/sub"
cat >"$work/sub/few.yaml" <<'END'
_type: few_shot
prefix_path: rule.txt
example_prompt: {_type: prompt, template: "{word} -> {opposite}", input_variables: [word, opposite]}
examples: words.json
suffix: "{word} ->"
example_separator: "\n"
END
printf 'Opposites:' >"$work/sub/rule.txt"
printf '[{"word": "tall", "opposite": "short"}]' >"$work/sub/words.json"
printf '{"template": "{{ x }}", "template_format": "jinja2"}' >"$work/jinja.json"
printf '{"_type": "chat"' >"$work/broken.json"

cat >"$work/chain.yaml" <<'END'
actors:
  few: {load_prompt: sub/few.yaml}
  chat:
    few_shot_chat_prompt:
      example: [{human: "{word}"}, {ai: "{opposite}"}]
      after: [{human: [{type: text, text: "{word}"}, {type: image_url, image_url: {url: "{url}"}}]}]
      selector:
        similarity_selector:
          store: {memory_store: {embeddings: {hash_embeddings: {}}}}
          examples: [{word: tall tree, opposite: short}, {word: fast car, opposite: slow}]
          input_keys: [word]
          k: 1
  merged: {sequence: [{filter_messages: {exclude_types: ai}}, {merge_message_runs: {separator: " "}}]}
  which: {enum_parser: [red, dark blue]}
  day: {datetime_parser: {format: "%Y-%m-%d"}}
  step: {regex_parser: {regex: "Action: (\\w+)", output_keys: [action]}}
  data: {structured_parser: {schema: {type: object, required: [a], properties: {a: {type: integer}}}}}
  calls: {tools_parser: {key_name: f, first_tool_only: true}}
  place:
    sequence:
      - structured_prompt:
          messages: [{human: "Where is {what}?"}]
          schema: {title: place, type: object, required: [city], properties: {city: {type: string}}}
          method: json_schema
      - script_model: {answers: ['{"city": "Oslo"}']}
  fixed:
    fixing_parser:
      parser: {enum_parser: [yes, no]}
      model: {sequence: [{passthrough: {}}, {prompt: "no"}]}
END

chain() { run 0 "$greenroom" run "$work/chain.yaml" "$@"; }
chain few --input '"small"' --text-out
is "a prompt from a file in YAML, with its parts beside it" "Opposites:
tall -> short
small ->" "$out"
chain chat --input '{"word": "a tall tree", "url": "u"}'
has "the example most like the question" '"content": "short"' "$out"
has "a content of blocks" '{"url": "u"}' "$out"
chain merged --input '["a", {"role": "ai", "content": "b"}, "c"]'
is "messages are filtered and merged" '[{"type": "human", "content": "a c"}]' "$out"
chain which --text ' dark blue '
is "an enum" '"dark blue"' "$out"
chain day --text 2024-02-29
has "a date" '"timestamp_us": 1709164800000000' "$out"
"$greenroom" check "$work/chain.yaml" >"$work/checked" 2>&1
if grep -q "without regular expressions" "$work/checked"; then
    echo "SKIP: regex_parser: there is no PCRE2"
else
    chain step --text 'Thought. Action: find'
    is "groups" '{"action": "find"}' "$out"
fi
chain data --text '```json
{"a": 1}
```'
is "by a schema" '{"a": 1}' "$out"
chain calls --input '{"type": "ai", "content": "", "tool_calls": [{"name": "f", "args": {"x": 1}, "id": "c"}]}'
is "a tool call" '{"x": 1}' "$out"
chain place --input '{"what": "the opera"}'
is "the schema of a prompt is its model's" '{"city": "Oslo"}' "$out"
chain fixed --text 'I think not'
is "put right" '"no"' "$out"

run 1 "$greenroom" run "$work/chain.yaml" data --text '{}'
has "what is not by the schema" "not by the schema" "$err"

# refuses TEXT PART: a chain file of one actor is refused, and why.
refuses() {
    printf 'actors: {a: {%s}}\n' "$1" >"$work/bad.yaml"
    run 2 "$greenroom" check "$work/bad.yaml"
    has "$1" "$2" "$err"
}
refuses 'load_prompt: jinja.json' 'such templates run code'
refuses 'load_prompt: broken.json' 'broken.json: line 1'
refuses 'load_prompt: none.json' 'none.json'
refuses 'prompt: {template: x, format: jinja2}' 'f-string or mustache was expected'
refuses 'chat_prompt: [{human: {a: b}}]' 'a template, or a list of blocks was expected'
refuses 'few_shot_prompt: {examples: [x], example: y}' 'a map was expected'
refuses 'few_shot_prompt: {example: y}' 'one of the two'
refuses 'trim_messages: {max_tokens: 5, strategy: middle}' 'expected last or first'
refuses 'datetime_parser: {format: "%Q"}' "'%Q' in the format"

finish
