#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# embeddings.sh - the embedder against a server that is not ours: order, dimensions, stores, failures.
# shellcheck disable=SC1091,SC2034,SC2154,SC2317
. tests/clients/_lib.sh

start_peer "$key"
mkdir "$work/texts"
printf 'Ships sail.\n' >"$work/texts/ships.txt"
printf 'Trains run on rails.\n' >"$work/texts/trains.txt"
printf 'Planes fly.\n' >"$work/texts/planes.txt"
url=ipc://$work/s.ipc
cat >"$work/e.yaml" <<END
listen: "$url"
publish: [many, single, store]
actors:
  many: {openai_embeddings: {model: embed, dimensions: 16, max_retries: 0}}
  single: {openai_embeddings: {model: embed, dimensions: 16, batch: 1}}
  store: {memory_store: {embeddings: many, load: {paths: [texts]}}}
  docs: {retriever: {store: store, k: 1}}
  answer: {sequence: [docs, {format_docs: {}}]}
  limited: {openai_embeddings: {model: embed, max_retries: 0, headers: {x-aimock-chaos-ratelimit: "1"}}}
  limited_store: {memory_store: {embeddings: limited, load: {paths: [texts]}}}
main: answer
END

# aimock makes a vector of each text's hash, so the text itself is what is nearest to it.
run_as "$key" 0 "$greenroom" run "$work/e.yaml" --text 'Trains run on rails.' --text-out
has "found by its vector" '[texts/trains.txt]' "$out"
lacks "and no other" 'ships.txt' "$out"
is "one request for all files, one for the question" 2 "$(requests '/v1/embeddings key$')"

OPENAI_BASE_URL=$peer/v1 OPENAI_API_KEY=$key
export OPENAI_BASE_URL OPENAI_API_KEY
start_server "$work/e.yaml" || finish
embed() { # ACTOR VERB INPUT
    run_as "$key" 0 "$greenroom" call "$url" "$1" "$2" --input "$3"
}
embed many embed_query '{"text": "a"}'
a=$out
is "dimensions" 16 "$(printf '%s' "$a" | tr ',' '\n' | wc -l | tr -d ' ' | awk '{ print $1 + 1 }')"
embed many embed_query '{"text": "b"}'
b=$out
if [ "$a" != "$b" ]; then pass; else fail "two texts, one vector"; fi
embed many embed_documents '{"texts": ["b", "a", "b"]}'
is "in the order of the texts" "[$b, $a, $b]" "$out"
before=$(requests '^request')
embed single embed_documents '{"texts": ["b", "a", "b"]}'
is "over several requests, too" "[$b, $a, $b]" "$out"
is "three of them" $((before + 3)) "$(requests '^request')"
embed many embed_documents '{"texts": []}'
is "no texts, no vectors" "[]" "$out"
is "and no request" $((before + 3)) "$(requests '^request')"
embed store similarity_search '{"query": "Ships sail.", "k": 1}'
has "a store in another process" '"texts/ships.txt"' "$out"
stop_server TERM
cat "$work/server_err" >>"$work/heard"
printf '%s\n' "$said" >>"$work/heard"
unset OPENAI_BASE_URL OPENAI_API_KEY

run_as "$wrong_key" 1 "$greenroom" run "$work/e.yaml" --text x
has "401 while files are loaded" "Invalid API key (GR_EREMOTE, invalid_api_key, status 401)" "$err"
run_as "$key" 1 "$greenroom" run "$work/e.yaml" limited_store --text x
has "429 while files are loaded" "status 429; a retry may help after 1.0 s)" "$err"
finish_clients
