#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh - run, stream and batch: inputs, answers, failures.
# shellcheck disable=SC1091,SC2013,SC2016,SC2034,SC2154,SC2317
. tests/cli/_lib.sh

run 0 "$greenroom" run examples/hello.yaml --input '{"name": "Ada"}'
is "run prints JSON" '"Hello, Ada!"' "$out"
is "and nothing else" "" "$err"
run 0 "$greenroom" run examples/hello.yaml hello --input '{"name": "Ada"}' --text-out
is "or the text" 'Hello, Ada!' "$out"
printf '{"name": "file"}' >"$work/in.json"
run 0 "$greenroom" run examples/hello.yaml --input "@$work/in.json"
is "input from a file" '"Hello, file!"' "$out"
is "input from standard input" '"Hello, pipe!"' \
    "$(echo '{"name": "pipe"}' | "$greenroom" run examples/hello.yaml --input -)"

run 1 "$greenroom" run examples/hello.yaml --input '{"nam": "Ada"}'
has "a failure names the variable" "name" "$err"
has "and its code" "(GR_EINVAL" "$err"
is "no answer then" "" "$out"

run 0 "$greenroom" batch examples/hello.yaml --input '[{"name": "a"}, {"name": "b"}]'
is "batch" '["Hello,a!","Hello,b!"]' "$(printf '%s' "$out" | tr -d ' ')"
run 1 "$greenroom" batch examples/hello.yaml --input '[{"name": "a"}, {}]'
run 1 "$greenroom" batch examples/hello.yaml --input '[{"name": "a"}, {}]' --return-exceptions
has "the good answer" '"Hello, a!"' "$out"
has "the bad one" '"$error"' "$out"

cat >"$work/c.yaml" <<'END'
actors:
  same: {passthrough: {}}
  both: {parallel: {left: same, right: {sequence: [{pick: x}, same]}}}
  more: {assign: {y: {pick: x}}}
  cut: {splitter: {chunk_size: 12, chunk_overlap: 0}}
  files: {directory_loader: {path: texts, suffixes: [.txt]}}
  chat: {chat_prompt: [{system: "Be {mood}."}, {placeholder: history}, {human: "{q}"}]}
  words: {sequence: [{prompt: "Context:\n[a.md]\nFutures complete once.\n\nQuestion: {q}"}, {extractive_model: {}}]}
  text: {sequence: [words, {str_parser: {}}]}
  down: {chat_model: {model: m, url: "http://127.0.0.1:1/v1", max_retries: 0}}
  spare: {with_fallbacks: [down, {prompt: "spare"}]}
  store: {memory_store: {embeddings: {hash_embeddings: {dimensions: 64}}, load: {paths: [texts], suffixes: [.txt], chunk_size: 100}}}
  find: {retriever: {store: store, k: 1}}
  found: {sequence: [find, {format_docs: {}}]}
END
mkdir "$work/texts"
echo 'The mailbox of an actor is bounded.' >"$work/texts/mailbox.txt"
echo 'A fiber parks while it waits.' >"$work/texts/fiber.txt"
echo 'not loaded' >"$work/texts/other.bin"
c() { run 0 "$greenroom" run "$work/c.yaml" "$@"; }
c same --input '[1, 2.5, "x", null, true]'
is "values go through" '[1,2.5,"x",null,true]' "$(printf '%s' "$out" | tr -d ' ')"
c both --input '{"x": 1}'
is "parallel" '{"left":{"x":1},"right":1}' "$(printf '%s' "$out" | tr -d ' ')"
c more --input '{"x": 1}'
is "assign" '{"x":1,"y":1}' "$(printf '%s' "$out" | tr -d ' ')"
c cut --text 'one two three four five six'
has "splitter" '"one two' "$out"
c files
has "loader" 'mailbox of an actor' "$out"
lacks "loader keeps to the suffixes" 'not loaded' "$out"
c chat --input '{"mood": "kind", "q": "Why?", "history": [["ai", "Hello."]]}'
has "chat prompt" '"Be kind."' "$out"
has "placeholder" '"Hello."' "$out"
c text --input '{"q": "When do futures complete?"}'
has "extractive model" '[a.md]' "$out"
c words --input '{"q": "When do futures complete?"}' --text-out
has "a message as text" 'Futures complete once.' "$out"
c found --text 'What of the mailbox?'
has "retrieved from loaded files" '[texts/mailbox.txt]' "$out"
c spare --input '{}'
is "fallback" '"spare"' "$out"

# Streams: one line of JSON a chunk, or the text itself.
run 0 "$greenroom" run "$work/c.yaml" text --input '{"q": "When do futures complete?"}' --text-out
whole=$out
run 0 "$greenroom" stream "$work/c.yaml" text --input '{"q": "When do futures complete?"}' --text-out
is "a streamed text is the same text" "$whole" "$out"
run 0 "$greenroom" stream "$work/c.yaml" text --input '{"q": "When do futures complete?"}'
lines=$(printf '%s\n' "$out" | wc -l)
if [ "$lines" -gt 3 ]; then pass; else fail "a stream has many chunks" "$out"; fi

run 0 "$greenroom" stream "$work/c.yaml" found --text 'What of the mailbox?' --text-out
has "what only invokes streams as one chunk" '[texts/mailbox.txt]' "$out"
run 0 "$greenroom" stream "$work/c.yaml" both --input '{"x": 1}'
has "a parallel streams maps of one key" '{"right":1}' "$(printf '%s' "$out" | tr -d ' ')"
"$greenroom" stream "$work/c.yaml" text --input '{"q": "When do futures complete?"}' 2>"$work/err" |
    head -n 1 >"$work/out"
is "a reader that leaves is no mishap" "" "$(cat "$work/err")"

# Failures: where, what, code; a hint where a retry helps; never the key.
OPENAI_API_KEY=sk-not-for-eyes
export OPENAI_API_KEY
run 1 "$greenroom" run "$work/c.yaml" down --text hello
has "the code of an unreachable server" "GR_EUNREACH" "$err"
has "the hint" "a retry may help" "$err"
lacks "no key in a failure" "$OPENAI_API_KEY" "$out$err"
run 1 "$greenroom" stream "$work/c.yaml" down --text hello
has "streams fail alike" "GR_EUNREACH" "$err"
unset OPENAI_API_KEY

printf '%s\n' 'actors: {slow: {with_retry: {runnable: {chat_model: {model: m, url: "http://127.0.0.1:1", max_retries: 0}}, attempts: 9, backoff_ms: 3600000, backoff_max_ms: 3600000, jitter_ms: 0}}}' >"$work/slow.yaml"
run 1 "$greenroom" run "$work/slow.yaml" --text x --timeout 60
has "a retry that could not come in time is not waited for" "GR_EUNREACH" "$err"

# Files that can't be loaded are told with the place that names them.
printf '%s\n' 'actors: {s: {memory_store: {embeddings: {hash_embeddings: {}}, load: {paths: [nowhere]}}}}' \
    >"$work/l.yaml"
run 1 "$greenroom" run "$work/l.yaml" --text x
has "a folder that is not there" "$work/l.yaml:1:79" "$err"
finish
