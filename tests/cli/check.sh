#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check.sh - chain files: the examples are right, and each mistake is told with its place.
# shellcheck disable=SC1091,SC2013,SC2016,SC2034,SC2154,SC2317
. tests/cli/_lib.sh

GREENROOM_DEMO_MODEL=x
export GREENROOM_DEMO_MODEL
for file in examples/*.yaml examples/demo/*.yaml; do
    run 0 "$greenroom" check "$file"
    has "$file is fine" "$file: fine, " "$out"
done

# The example in docs/chain-file.md is a chain file.
awk '/^```yaml$/ { inside = 1; next } /^```$/ { inside = 0 } inside' docs/chain-file.md >"$work/doc.yaml"
mkdir "$work/docs" # which it loads
run 0 "$greenroom" check "$work/doc.yaml"
has "the documented example has five actors" "fine, 5 actors" "$out"

# mistake TEXT EXPECTED: the file TEXT is refused, and EXPECTED is among what is said.
mistake() {
    printf '%s\n' "$1" >"$work/f.yaml"
    run 2 "$greenroom" check "$work/f.yaml"
    has "told: $2" "$work/f.yaml:$2" "$err"
    is "nothing on standard output" "" "$out"
    run 2 "$greenroom" run "$work/f.yaml"
    has "run tells the same" "$work/f.yaml:$2" "$err"
}
mistake 'node: {admin: on}
actors: {a: {prompt: x}}' '1:15: admin: full, read or off was expected'
mistake 'node: {health_stuck: -1}
actors: {a: {prompt: x}}' '1:22: health_stuck: -1 is given, a number from 0.1 to 86400 was expected'
mistake 'actors: {a: {prompt: x}' '2:1: did not find expected'
mistake 'actors: {a: {promt: x}}' '1:14: there is no kind "promt"; did you mean "prompt"?'
mistake 'actors: {a: b, b: a}' '1:19: "a" refers to itself: a -> b -> a'
mistake 'actors: {a: {prompt: "${GREENROOM_UNSET}"}}' '1:22: the environment variable GREENROOM_UNSET is not set'
mistake 'actors: {a: {prompt: {template: "x", partial: y}}}' '1:47: partial: a text is given, a map was expected'
mistake 'actors: {a: {chat_prompt: [{message: h}]}}' '1:29: a message has no key "message"; did you mean "messages"?'
mistake 'actors: {a: {chat_prompt: [{messages: {variable: h, n_messages: 0}}]}}' '1:65: n_messages: 0 is given'
mistake 'actors: {a: {chat_prompt: [{messages: {n_messages: 1}}]}}' '1:39: messages needs the key "variable"'
mistake 'actors: {a: {chat_prompt: [{human: {variable: h}}]}}' '1:36: messages: a map is given, a template, or a list of blocks was expected'
f='actors: {a: {configurable_fields: {runnable: {prompt: x}, fields: {template: '
mistake "$f{id: a, options: {b: c}}}}}}" '1:78: fields: options and default go together'
mistake "$f{id: a, options: {b: c}, default: d}}}}}" '1:112: default: there is no option "d"'
mistake "$f{di: a}}}}}" '1:79: a field has no key "di"; did you mean "id"?'
mistake "${f}[a]}}}}" '1:78: fields: a list is given, a text, or a map was expected'
# What only a constructor can see has its place too.
refused() {
    printf '%s\n' "$1" >"$work/f.yaml"
    run 2 "$greenroom" check "$work/f.yaml"
    has "told: $2" "$work/f.yaml:$2" "$err"
    is "once" 1 "$(printf '%s\n' "$err" | wc -l | tr -d ' ')"
}
refused 'actors: {a: {prompt: "Hello {name"}}' '1:14: prompt: '
refused 'actors: {a: {splitter: {chunk_size: 10, chunk_overlap: 20}}}' '1:14: splitter: '
refused 'actors: {a: {sequence: [{prompt: "{"}, {str_parser: {}}]}}' '1:26: prompt: '
# In YAML 1.2 yes is a text: a tool that it stands for must not pass as one that needs no consent.
refused 'actors: {a: {agent: {model: {script_model: [a]}, interrupt_on: {pay: yes}}}}' \
    "1:14: agent: interrupt_on: 'pay' must be true, false or a map"
refused 'actors: {a: {trim_messages: {max_tokens: 3, strategy: middle}}}' "1:14: trim_messages: strategy 'middle'"
refused 'actors: {a: {datetime_parser: {format: "%Q"}}}' "1:14: datetime_parser: can't read '%Q' in the format"

# So have files to load that are not there.
printf '%s\n' 'actors: {s: {memory_store: {embeddings: {hash_embeddings: {}}, load: {paths: [nowhere]}}}}' \
    >"$work/f.yaml"
run 2 "$greenroom" check "$work/f.yaml"
has "no such folder" "$work/f.yaml:1:79: paths: nowhere can't be read: No such file" "$err"

# No message tells what a variable holds.
SECRET=sk-not-for-eyes
export SECRET
printf '%s\n' 'actors: {a: {chat_model: {model: m, key_env: "${SECRET}", api_key: "${SECRET}"}}, b: "${SECRET}"}' \
    >"$work/f.yaml"
run 2 "$greenroom" check "$work/f.yaml"
lacks "no secret" "$SECRET" "$out$err"
has "a key is refused" "api_key: a key does not belong into a chain file" "$err"

# Only a file's own actor that is needed is made, but all are read.
printf '%s\n' 'actors: {a: {prompt: "x"}, b: {prompt: "{"}}' >"$work/f.yaml"
run 0 "$greenroom" run "$work/f.yaml" a --input '{}'
is "the other is left alone" '"x"' "$out"
code=0
"$greenroom" run "$work/f.yaml" b --input '{}' >"$work/out" 2>"$work/err" || code=$?
case $code in
1 | 2) pass ;; # told before the call, or by it
*) fail "a bad template is no success" "$code" ;;
esac
finish
