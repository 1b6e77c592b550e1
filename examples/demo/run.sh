#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run.sh - the demo: two processes answer a question from the project's own documents. The first embeds
# and serves them, the second asks it and answers. No key, no network, unless --model is given.
set -eu

usage() {
    cat <<'END'
usage: ./dev demo [--question TEXT] [--model PROVIDER:NAME]

  --question TEXT        what to ask; default: What happens when a handler waits?
  --model PROVIDER:NAME  answer with this model, rather than by quoting the documents:
                         openai:NAME     OpenAI, or a server like it: OPENAI_BASE_URL, OPENAI_API_KEY
                         anthropic:NAME  ANTHROPIC_API_KEY
                         ollama:NAME     OLLAMA_HOST, else this machine
END
}

fail() {
    printf 'demo: %s\n' "$1" >&2
    exit 2
}

question='What happens when a handler waits?'
model=
while [ $# -gt 0 ]; do
    case $1 in
    --question)
        [ $# -ge 2 ] || fail "--question: a text was expected after it"
        question=$2
        shift
        ;;
    --question=*) question=${1#*=} ;;
    --model)
        [ $# -ge 2 ] || fail "--model: PROVIDER:NAME was expected after it, such as openai:NAME"
        model=$2
        shift
        ;;
    --model=*) model=${1#*=} ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) fail "there is no option $1; --help tells which there are" ;;
    esac
    shift
done

here=$(cd "$(dirname "$0")" && pwd)
greenroom=${GREENROOM:-$here/../../build/release/greenroom}
[ -x "$greenroom" ] || fail "$greenroom is not built; ./dev build does that"

ask=$here/ask.yaml
case $model in
'') ;;
openai:?* | anthropic:?* | ollama:?*)
    ask=$here/ask-model.yaml
    GREENROOM_DEMO_MODEL=$model
    export GREENROOM_DEMO_MODEL
    ;;
*) fail "--model: openai:NAME, anthropic:NAME or ollama:NAME was expected, not $model" ;;
esac

work=$(mktemp -d "${TMPDIR:-/tmp}/greenroom-demo.XXXXXX")
GREENROOM_DEMO_SOCKET=$work/library.ipc
export GREENROOM_DEMO_SOCKET
server=
asker=

clean_up() {
    trap - EXIT INT TERM
    for pid in $asker $server; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'clean_up; exit 130' INT
trap 'clean_up; exit 143' TERM

# The server writes its lines into a pipe, so waiting for it needs neither a clock nor a guess; when it
# ends early the pipe does too.
mkfifo "$work/says"
"$greenroom" serve "$here/library.yaml" >"$work/says" &
server=$!
exec 3<"$work/says"
ready=
while [ -z "$ready" ] && IFS= read -r line <&3; do
    case $line in
    pid\ *) ready=$line ;;
    *) printf 'library: %s\n' "$line" ;;
    esac
done
[ -n "$ready" ] || {
    printf 'demo: the library did not start\n' >&2
    exit 1
}
printf '%s: library (embedder, store and retriever)\n' "$ready"

# In the background, so that its process is known and can be ended; it says which it is, then becomes the
# command. The answer appears as it comes.
printf '\nQuestion: %s\n\n' "$question"
sh -c 'echo "pid $$: asker (prompt, model, parser; its retriever is the other process)"; echo; exec "$@"' \
    asker "$greenroom" stream "$ask" --text "$question" --text-out &
asker=$!
code=0
wait "$asker" || code=$?
echo
asker=
[ "$code" -eq 0 ] || exit "$code"
