#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# canary.sh - a key of its own in the environment: nothing that the command writes has it, whatever goes wrong.
# shellcheck disable=SC1091,SC2013,SC2016,SC2034,SC2154,SC2317
. tests/cli/_lib.sh

bench=${GR_BUILD_DIR:-$PWD/build/release}/bench/greenroom_bench
key=sk-canary-$$-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
XDG_RUNTIME_DIR=$work/run
OPENAI_API_KEY=$key
no_proxy='*'
export XDG_RUNTIME_DIR OPENAI_API_KEY no_proxy
mkdir "$XDG_RUNTIME_DIR"

# A model server that streams three chunks to whoever asks, whatever for.
port=
if [ -x "$bench" ]; then
    mkfifo "$work/hold" "$work/port"
    "$bench" --serve-streams "3 0" <"$work/hold" >"$work/port" &
    started="$started $!"
    exec 4>"$work/hold"
    read -r port <"$work/port"
fi
[ -n "$port" ] || printf 'SKIP the streams of a server: %s is not built\n' "$bench"

# wrote WHAT PART FILE: there was something to look at.
wrote() {
    if grep -a -q -F -e "$2" "$3"; then pass; else fail "nothing wrote $1" "$(tail -n 20 "$3")"; fi
}

# everything_of FILE runs all that can be run with it, at every level and in each format of the log.
everything_of() {
    input='{"q": "hi"}'
    for level in error warning info debug; do
        for format in plain json; do
            set -- --input "$input" --log-level "$level" --log-format "$format" --trace --timeout 20
            "$greenroom" run "$file" "$@"
            "$greenroom" stream "$file" "$@" --trace-file "$work/written.trace"
        done
    done
    "$greenroom" run "$file" --input "$input" --events --timeout 20
    "$greenroom" batch "$file" --input "[$input, {}]" --return-exceptions --timeout 20
    "$greenroom" check "$file"
    "$greenroom" graph "$file"
    "$greenroom" sim "$file" --input "$input" --seeds 2 --trace
}

# chain NAME URL [KEY: VALUE…] writes a chain file around a model.
chain() {
    file=$work/$1.yaml
    url=$2
    name=$1
    shift 2
    {
        printf 'listen: "ipc://%s/%s.ipc"\npublish: [main]\nmain: main\nactors:\n' "$work" "$name"
        printf '  model: {chat_model: {model: m, url: "%s", max_retries: 0}%s}\n' "$url" "${1:+, $1}"
        printf '  main: {sequence: [{prompt: "{q}"}, model, {str_parser: {}}]}\n'
    } >"$file"
}

for url in ${port:+"http://127.0.0.1:$port/v1"} http://127.0.0.1:1/v1 https://127.0.0.1:1/v1 \
    http://no-such-host.invalid/v1 ftp://127.0.0.1/v1; do
    chain one "$url"
    everything_of "$file"
done >"$work/written.commands" 2>&1
wrote "an event" on_chat_model_start "$work/written.commands"
wrote "an error" GR_EUNREACH "$work/written.commands"
[ -z "$port" ] || wrote "an answer" " actor actor actor" "$work/written.commands"

# A server, with an actor in a process of its own, and what can be asked about it.
chain served "http://127.0.0.1:${port:-1}/v1" "isolate: true"
start_server "$file" || finish
at=ipc://$work/served.ipc
{
    "$greenroom" call "$at" main --input '{"q": "hi"}'
    "$greenroom" info "$at"
    "$greenroom" info "$at" --json
    "$greenroom" info "$at" main
    "$greenroom" ps "$at"
    "$greenroom" ps "$at" --json
} >"$work/written.asked" 2>&1
wrote "what an actor is" '"main"' "$work/written.asked"
for line in /proc/[0-9]*/cmdline; do # its own and its child's are among them
    { tr '\0' ' ' <"$line" && echo; } 2>/dev/null
done >"$work/written.processes"
wrote "the command lines" "greenroom serve" "$work/written.processes"
stop_server TERM
printf '%s' "$said" >"$work/written.said"
cp "$work/server_err" "$work/written.errors"

for written in "$work"/written.*; do
    if grep -a -q -F -e "$key" -e "${key%????????????}" "$written"; then
        fail "the key is in what was written" "$(grep -a -n -F -e "${key%????????????}" "$written" | head -5)"
    else
        pass
    fi
done
exec 4>&-
finish
