#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# examples.sh - each example does what it says.
# shellcheck disable=SC1091,SC2154
. tests/cli/_lib.sh

# promised SOURCE is what the comment at its top says that it prints.
promised() { sed -n '/^ \* It prints/,/^ \*\//s/^ \*     //p' "$1"; }

for source in examples/*.c examples/*.cpp; do
    grep -q '^ \* It prints' "$source" || continue
    name=$(basename "${source%.c*}")
    program=${GR_BUILD_DIR:-$PWD/build/release}/examples/$name
    if [ "${source%.cpp}" != "$source" ] && [ ! -x "$program" ]; then
        echo "SKIP: $name: there was no compiler for C++"
        continue
    fi
    run 0 "$program"
    expected=$(promised "$source")
    # Its two steps are not in step: the chunks of one are in order.
    if [ "$name" = streaming ]; then
        is "streaming: all chunks of both steps" \
            "$(printf '%s\n' "$expected" | sort)" "$(printf '%s\n' "$out" | sort)"
        expected=$(printf '%s\n' "$expected" | grep joke)
        out=$(printf '%s\n' "$out" | grep joke)
    fi
    is "$name prints what it says" "$expected" "$out"
done

# A store with blocking methods only, called through its a-twins.
run 0 "${GR_BUILD_DIR:-$PWD/build/release}/examples/own_store"
has "it stores" "added 2 documents" "$out"
has "both searches are answered" "search 2: Tea is hot." "$out"

# A model that crashes on every second call, under a supervisor.
run 0 "${GR_BUILD_DIR:-$PWD/build/release}/examples/supervised"
has "the call that met the crash is answered" "You said: hello, number 2" "$out"
has "and the last" "You said: hello, number 4" "$out"
has "the model was restarted" "restarts: 3" "$out"

# A race in an actor, found by simulation.
run 0 "${GR_BUILD_DIR:-$PWD/build/release}/examples/simulated"
has "a seed finds it" "sells" "$out"
has "and finds it again" "the same seed again: the same history" "$out"
has "and not after the repair" "after the repair: none of 200 seeds does" "$out"

# Answers for an event loop, whose own timer goes on meanwhile. The first needs no loop of others'.
for loop in epoll uv glib; do
    program=${GR_BUILD_DIR:-$PWD/build/release}/examples/loop_$loop
    if [ "$loop" != epoll ] && [ ! -x "$program" ]; then
        echo "SKIP: loop_$loop: its event loop is not installed"
        continue
    fi
    run 0 "$program"
    has "$loop: an answer" "a scope: What is a scope? A good question." "$out"
    has "$loop: another" "a future: What is a future? A good question." "$out"
    has "$loop: its timer ticks meanwhile" "ticks meanwhile: yes" "$out"
    case $loop in
    epoll) is "epoll: every question is answered once" 4 "$(printf '%s\n' "$out" | grep -c question)" ;;
    uv) has "uv: what comes too late" "supervision: GR_ETIMEDOUT" "$out" ;;
    glib) has "glib: what nobody waits for" "cancelled: What is all the rest of the world?" "$out" ;;
    esac
done

for file in examples/*.yaml examples/demo/*.yaml; do
    run 0 env GREENROOM_DEMO_MODEL=m "$greenroom" check "$file"
done

# So are the chain files in the documents: a block ```yaml each.
mkdir -p "$work/doc/docs"
echo "A document." >"$work/doc/docs/a.md"
for file in README.md docs/*.md; do
    rm -f "$work"/doc/*.yaml
    awk -v to="$work/doc/$(basename "$file")" '
        /^```yaml$/ { inside = 1; n++; next } /^```$/ { inside = 0 } inside { print >(to "." n ".yaml") }' "$file"
    for block in "$work"/doc/*.yaml; do
        ! grep -q '^actors:' "$block" 2>/dev/null || run 0 "$greenroom" check "$block"
    done
done

run 0 "$greenroom" run examples/hello.yaml --input '{"name": "Ada"}'
is "hello" '"Hello, Ada!"' "$out"
run 0 env GREENROOM_SOCKETS="$work" "$greenroom" up examples/nodes.yaml -- run --text "What is a scope?"
has "nodes: an answer from four processes" "scope" "$out"
is "nodes: no socket is left" "" "$(find "$work" -name '*.ipc')"
run 0 "$greenroom" stream examples/docs.yaml --text "What is a scope?" --text-out
has "docs: cites its source" "[docs/" "$out"

# Prompts and parsers.
prompts() { run 0 "$greenroom" run examples/prompts.yaml "$@"; }
prompts opposites --input '{"word": "bright"}' --text-out
is "as many examples as fit" "Give the opposite of each word.
tall -> short
fast -> slow
bright ->" "$out"
prompts list --input '{"who": "Ada", "things": [{"name": "tea", "n": 2}]}' --text-out
has "mustache" "- 2 tea" "$out"
prompts verdict --text 'Yes, it is so.'
is "a boolean" true "$out"
prompts recent --input '["a long story about the sea, and what came of it", "and then?"]'
is "what fits" '[{"type": "human", "content": "and then?"}]' "$out"

finish
