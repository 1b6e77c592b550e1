#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# aimock.sh - the examples of the providers, C and chain file, against a server that is not ours.
# shellcheck disable=SC1091,SC2034,SC2154,SC2317
. tests/clients/_lib.sh

build=${GR_BUILD_DIR:-$PWD/build/release}

# promised SOURCE is what the comment at its top says that it prints with this server.
promised() { sed -n '/aimock.mjs.*it prints/,/^ \*\//s/^ \*     //p' "$1"; }

# example NAME VARIABLE=VALUE…: examples/NAME.c and NAME.yaml do what they say.
example() {
    example_name=$1
    shift
    run 0 env "$@" "$build/examples/$example_name"
    cat "$work/out" "$work/err" >>"$work/heard"
    is "$example_name.c prints what it says" "$(promised "examples/$example_name.c")" "$out"
    run 0 env "$@" "$greenroom" stream "examples/$example_name.yaml" --input '{"topic": "an actor"}' --text-out
    cat "$work/out" "$work/err" >>"$work/heard"
    is "$example_name.yaml streams" "An actor is a mailbox with a mind." "$out"
    run 0 env "$@" "$greenroom" run "examples/$example_name.yaml" person --text 'Who wrote the first program?'
    cat "$work/out" "$work/err" >>"$work/heard"
    is "$example_name.yaml gives data" '{"name": "Ada Lovelace", "born": 1815}' "$out"
}

start_peer "$key"
example openai OPENAI_BASE_URL="$peer/v1" OPENAI_API_KEY="$key"
example anthropic ANTHROPIC_BASE_URL="$peer" ANTHROPIC_API_KEY="$key"
example ollama OLLAMA_HOST="${peer#http://}" OLLAMA_API_KEY="$key"

# Azure's form of it: the deployment in the path, the version behind it, the key in a header of its own.
run 0 env AZURE_OPENAI_ENDPOINT="$peer" AZURE_OPENAI_API_KEY="$key" OPENAI_API_VERSION=2024-10-21 \
    MODEL=azure_openai:small "$greenroom" stream examples/openai.yaml --input '{"topic": "an actor"}' --text-out
cat "$work/out" "$work/err" >>"$work/heard"
is "azure: streams" "An actor is a mailbox with a mind." "$out"
is "azure: where it asks" 1 "$(requests '/openai/deployments/small/chat/completions?api-version=2024-10-21')"
run 1 env AZURE_OPENAI_ENDPOINT="$peer" AZURE_OPENAI_API_KEY="$wrong_key" OPENAI_API_VERSION=2024-10-21 \
    MODEL=azure_openai:small "$greenroom" run examples/openai.yaml --input '{"topic": "an actor"}'
cat "$work/out" "$work/err" >>"$work/heard"
has "azure: a wrong key is refused" "status 401" "$err"

finish_clients
