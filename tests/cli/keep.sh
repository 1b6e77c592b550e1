#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# keep.sh - what several processes share: a rate limiter, a cache, a store by key, conversations.
# shellcheck disable=SC1091,SC2013,SC2016,SC2034,SC2154,SC2317
. tests/cli/_lib.sh

url=ipc://$work/s.ipc

# ---- conversations in files, by processes that come and go ----------------------------------------

cat >"$work/talk.yaml" <<END
actors:
  chat:
    with_message_history:
      runnable: {extractive_model: {}}
      history: {file_history: talks}
main: chat
END
ada='{"configurable": {"session_id": "ada"}}'
run 0 "$greenroom" run "$work/talk.yaml" --text "one" --config "$ada"
pids=
for i in 1 2 3 4 5 6; do
    "$greenroom" run "$work/talk.yaml" --text "again" --config "$ada" >/dev/null 2>&1 &
    pids="$pids $!"
done
for pid in $pids; do
    code=0
    wait "$pid" || code=$?
    is "a turn beside others" 0 "$code"
done
is "each turn is a line" 8 "$(wc -l <"$work/talks/ada.jsonl")"
is "with all its messages" 7 "$(grep -c '"ai"' "$work/talks/ada.jsonl")"
printf '[{"type": "human", "cont' >>"$work/talks/ada.jsonl"
run 0 "$greenroom" run "$work/talk.yaml" --text "after a crash" --config "$ada"
is "what was torn is gone" 9 "$(wc -l <"$work/talks/ada.jsonl")"
is "and nothing else" 0 "$(grep -c '"cont\[' "$work/talks/ada.jsonl")"

cat >"$work/memory.yaml" <<END
actors:
  all: {file_history: talks}
  short: {window_history: {history: all, messages: 2}}
  chat:
    with_message_history:
      runnable: {sequence: [{passthrough: {}}, {str_parser: {}}]}
      history:
        summary_history: {history: short, model: {extractive_model: {}}, tokens: 1000}
main: chat
END
run 0 "$greenroom" check "$work/memory.yaml"

# ---- a limiter that one process serves, and two ask -----------------------------------------------

cat >"$work/limit.yaml" <<END
listen: "$url"
publish: [limiter, cache, store]
actors:
  limiter: {rate_limiter: {requests_per_second: 20}}
  store: {memory_byte_store: {}}
  cache: {response_cache: store}
END
cat >"$work/model.yaml" <<END
actors:
  limiter: {remote: {url: "$url", name: limiter}}
  cache: {remote: {url: "$url", name: cache}}
  limited: {with_rate_limiter: {runnable: {extractive_model: {}}, limiter: limiter}}
  model: {with_cache: {model: limited, cache: cache, settings: {model: x}}}
main: model
END
start_server "$work/limit.yaml" || finish
begun=$(date +%s%N)
"$greenroom" batch "$work/model.yaml" --input '["a", "b", "c", "d"]' >"$work/one" 2>&1 &
one=$!
"$greenroom" batch "$work/model.yaml" --input '["e", "f", "g", "h"]' >"$work/two" 2>&1 &
two=$!
code=0
wait "$one" || code=$?
is "the one process" 0 "$code"
code=0
wait "$two" || code=$?
is "the other" 0 "$code"
took=$((($(date +%s%N) - begun) / 1000000))
run 0 "$greenroom" call "$url" limiter stats --input null
has "both were counted by one limiter" '"granted": 8' "$out"
if [ "$took" -ge 395 ]; then pass; else fail "eight calls, twenty a second, in $took ms"; fi

# The answers were kept, by the process that serves; a third one finds them.
run 0 "$greenroom" run "$work/model.yaml" --text a
has "what was kept costs nothing" '"total_cost": 0' "$out"
run 0 "$greenroom" call "$url" limiter stats --input null
has "and did not ask the limiter" '"granted": 8' "$out"
run 0 "$greenroom" call "$url" store mset --input '{"pairs": [["k", "v"]]}'
run 0 "$greenroom" call "$url" store mget --input '{"keys": ["k", "l"]}'
is "a store by key, from outside" '["v", null]' "$out"
stop_server TERM

# ---- a database that two processes write ----------------------------------------------------------

cat >"$work/db.yaml" <<END
listen: "$url"
publish: [store]
actors: {store: {sqlite_store: shared.db}}
END
sed "s|s.ipc|t.ipc|" "$work/db.yaml" >"$work/db2.yaml"
start_server "$work/db.yaml" || finish
"$greenroom" call "$url" store mget --input '{"keys": ["x"]}' >"$work/out" 2>"$work/err" || {
    has "why there is no SQLite" "built without SQLite" "$(cat "$work/err")"
    echo "SKIP: built without SQLite"
    stop_server TERM
    finish
}
rm -f "$work/says2"
"$greenroom" serve "$work/db2.yaml" >"$work/says2" 2>&1 &
second=$!
started="$started $second"
until_true grep -q '^pid' "$work/says2"
pids=
for i in 1 2 3 4 5; do
    "$greenroom" call "$url" store mset --input "{\"pairs\": [[\"s$i\", $i]]}" >/dev/null &
    pids="$pids $!"
    "$greenroom" call "ipc://$work/t.ipc" store mset --input "{\"pairs\": [[\"t$i\", $i]]}" >/dev/null &
    pids="$pids $!"
done
for pid in $pids; do
    code=0
    wait "$pid" || code=$?
    is "a write beside others" 0 "$code"
done
run 0 "$greenroom" call "$url" store mget --input '{"keys": ["s1", "t1", "s5", "t5"]}'
is "each sees what the other wrote" '[1, 1, 5, 5]' "$out"
kill "$second"
wait "$second" 2>/dev/null
stop_server KILL # a process that dies leaves a database that others can use
run 0 "$greenroom" run "$work/talk.yaml" --text "unrelated" --config "$ada"
start_server "$work/db.yaml" || finish
run 0 "$greenroom" call "$url" store mget --input '{"keys": ["s3", "t3"]}'
is "what was written is there" '[3, 3]' "$out"
stop_server TERM

# ---- mistakes -------------------------------------------------------------------------------------

cat >"$work/bad.yaml" <<END
actors:
  a: {embeddings: "hash:0"}
  b: {with_breaker: {runnable: a, failures_share: 2}}
  c: {sqlite_store: {path: x.db, table: "no table"}}
main: c
END
run 2 "$greenroom" check "$work/bad.yaml"
has "a share above one" "failures_share" "$err"
sed '/^  b:/d' "$work/bad.yaml" >"$work/bad2.yaml"
run 2 "$greenroom" check "$work/bad2.yaml"
has "no dimensions" "hash:0" "$err"
has "a name that is none" "no name of a table" "$err"
finish
