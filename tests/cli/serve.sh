#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# serve.sh - one process serves, others call: verbs, streams, chains, failures, and the end.
# shellcheck disable=SC1091,SC2013,SC2016,SC2034,SC2154,SC2317
. tests/cli/_lib.sh

url=ipc://$work/s.ipc
cat >"$work/s.yaml" <<END
listen: "$url"
publish: [store, {search: docs}, {echo: same}, words]
actors:
  same: {passthrough: {}}
  hidden: {passthrough: {}}
  store:
    memory_store:
      embeddings: {hash_embeddings: {}}
      load: {paths: [texts], suffixes: [.txt], chunk_size: 200}
  docs: {retriever: {store: store, k: 1}}
  words: {sequence: [{prompt: "Context:\n[a.md]\nFutures complete once.\n\nQuestion: {q}"}, {extractive_model: {}}, {str_parser: {}}]}
END
cat >"$work/c.yaml" <<END
actors:
  far: {remote: {url: "$url", name: search}}
  words: {remote: {url: "$url", name: words}}
  answer: {sequence: [far, {format_docs: {}}]}
main: answer
END
mkdir "$work/texts"
echo 'The mailbox of an actor is bounded.' >"$work/texts/mailbox.txt"
echo 'A fiber parks while it waits.' >"$work/texts/fiber.txt"

run 1 "$greenroom" call "$url" echo --text x
has "nobody serves yet" "GR_EUNREACH" "$err"

start_server "$work/s.yaml" || finish
is "what it says" "listening on $url;pid $server;" "$said"

# No thread of the library's takes a signal from its host: workers, monitor, blocking pool, nng's. SIGINT
# and SIGTERM are bits 1 and 14, so the last four digits tell. Workers let SIGSEGV through, bit 10, to tell
# whose stack has overflowed.
if [ -d "/proc/$server/task" ]; then
    others=0
    for task in /proc/"$server"/task/*; do
        [ "${task##*/}" != "$server" ] || continue
        others=$((others + 1))
        mask=$(sed -n 's/^SigBlk:.*\(....\)$/\1/p' "$task/status")
        name=$(cat "$task/comm")
        case $name in
        gr-worker | gr-spare) is "signals of $name" faff "$mask" ;;
        *) is "signals of $name" feff "$mask" ;;
        esac
    done
    [ "$others" -gt 5 ] && pass || fail "only $others threads"
fi

run 0 "$greenroom" call "$url" echo --input '{"x": [1, 2.5, null]}'
is "call" '{"x":[1,2.5,null]}' "$(printf '%s' "$out" | tr -d ' ')"
run 0 "$greenroom" call "$url" store similarity_search --input '{"query": "mailbox", "k": 1}'
has "a verb of a store" 'mailbox.txt' "$out"
run 0 "$greenroom" call "$url" store add_documents --input \
    '{"documents": [{"page_content": "Zebras have stripes.", "metadata": {"source": "z"}}]}'
run 0 "$greenroom" call "$url" search --text 'zebras stripes'
has "what was added is found" 'Zebras have stripes.' "$out"
run 0 "$greenroom" call "$url" words --input '{"q": "When do futures complete?"}' --stream --text-out
has "a stream over the link" 'Futures complete once.' "$out"
run 0 "$greenroom" run "$work/c.yaml" --text 'What of the mailbox?' --text-out
has "a chain with a remote part" '[texts/mailbox.txt]' "$out"
run 0 "$greenroom" stream "$work/c.yaml" words --input '{"q": "When do futures complete?"}' --text-out
has "streams a remote part" 'Futures complete once.' "$out"

run 1 "$greenroom" call "$url" hidden --text x
has "what is not published can't be called" "hidden" "$err"
run 1 "$greenroom" call "$url" echo fly --input '{}'
has "a verb it lacks" "GR_ETYPE" "$err"
run 1 "$greenroom" call "$url" words --input '{}'
has "a failure over there is told here" "GR_EINVAL" "$err"

run 1 "$greenroom" serve "$work/s.yaml"
has "an address that is taken" "$work/s.ipc" "$err"
lacks "is not claimed" "listening" "$out"
run 0 "$greenroom" call "$url" echo --text x
is "and its owner goes on" '"x"' "$out"

kill -STOP "$server"
# One of its threads has to take the signal, which may be late; until then the others go on.
[ ! -d "/proc/$server" ] || until_true grep -q '^State:[[:space:]]*T' "/proc/$server/status"
run 1 "$greenroom" call "$url" echo --text x --timeout 0.2
has "a server that does not answer in time" "GR_ETIMEDOUT" "$err"
kill -CONT "$server"
run 0 "$greenroom" call "$url" echo --text x
is "and answers again" '"x"' "$out"

stop_server TERM
is "SIGTERM ends it well" 0 "$code"
if [ -e "$work/s.ipc" ]; then fail "the socket is left behind"; else pass; fi
run 1 "$greenroom" call "$url" echo --text x

start_server "$work/s.yaml" || finish
run 0 "$greenroom" call "$url" echo --text again
stop_server KILL
start_server "$work/s.yaml" || finish
run 0 "$greenroom" call "$url" echo --text 'after a crash'
is "a socket left by a crash is no obstacle" '"after a crash"' "$out"
stop_server TERM

run 2 "$greenroom" serve "$work/c.yaml"
has "nothing to serve" 'the keys "listen" and "publish" are needed' "$err"
if [ -w /dev/full ]; then
    code=0
    "$greenroom" serve "$work/s.yaml" >/dev/full 2>"$work/err" || code=$?
    is "who can't say where it listens does not serve" 1 "$code"
    has "and says why" "standard output: No space left" "$(cat "$work/err")"
fi
finish
