#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# interrupt.sh - Ctrl-C and SIGTERM: what runs is cancelled, and the exit code tells.
# shellcheck disable=SC1091,SC2013,SC2016,SC2034,SC2154,SC2317
. tests/cli/_lib.sh

if [ ! -r /proc/self/status ] || ! env --default-signal=INT true 2>/dev/null; then
    echo "SKIP: needs /proc and env --default-signal"
    exit 77
fi

# A server that takes connections and says nothing.
perl -MIO::Socket::INET -e '
    $s = IO::Socket::INET->new(Listen => 9, LocalAddr => "127.0.0.1") or die "listen: $!";
    $| = 1; print $s->sockport, "\n"; sleep 600' >"$work/port" &
started="$started $!"
until_true grep -q . "$work/port"
PORT=$(cat "$work/port")
export PORT

# One chain waits for an hour, since its server is not there and it tries again; one for a silent server.
cat >"$work/slow.yaml" <<'END'
actors:
  model: {chat_model: {model: m, url: "http://127.0.0.1:1", max_retries: 0}}
  slow: {with_retry: {runnable: model, attempts: 9, backoff_ms: 3600000, backoff_max_ms: 3600000}}
  mute: {chat_model: {model: m, url: "http://127.0.0.1:${PORT}", max_retries: 0}}
  same: {passthrough: {}}
main: slow
listen: "ipc://${SOCKET:-/nowhere}"
publish: [slow, mute, same]
END

# hears PID: it holds signals back, so it is in its waiting loop or about to be.
hears() { grep -q '^SigBlk:.*4002$' "/proc/$1/status" 2>/dev/null; }

# interrupted SIGNAL CODE COMMAND…: the signal ends it with that code.
interrupted() {
    signal=$1
    expected=$2
    shift 2
    env --default-signal=INT "$@" >"$work/out" 2>"$work/err" &
    pid=$!
    started="$started $pid"
    until_true hears "$pid" || return
    kill "-$signal" "$pid"
    code=0
    wait "$pid" || code=$?
    is "exit code of $* after $signal" "$expected" "$code"
    has "it says so" "greenroom: cancelled" "$(cat "$work/err")"
    is "and prints no answer" "" "$(cat "$work/out")"
}
interrupted INT 130 "$greenroom" run "$work/slow.yaml" --text x
interrupted TERM 143 "$greenroom" run "$work/slow.yaml" --text x
interrupted INT 130 "$greenroom" stream "$work/slow.yaml" mute --text x
interrupted INT 130 "$greenroom" batch "$work/slow.yaml" --input '["x", "y"]'

# The first signal asks, the second kills: both wait while the process is stopped; it hears SIGINT first.
env --default-signal=INT,TERM "$greenroom" run "$work/slow.yaml" --text x >"$work/out" 2>"$work/err" &
pid=$!
started="$started $pid"
if until_true hears "$pid"; then
    kill -STOP "$pid"
    kill -INT "$pid"
    kill -TERM "$pid"
    kill -CONT "$pid"
    code=0
    wait "$pid" || code=$?
    is "the second signal ends it at once" 143 "$code"
    lacks "without a word" "cancelled" "$(cat "$work/err")"
fi

# Over a link, the call at the other end is cancelled too: the server then ends at once.
SOCKET=$work/s.ipc
export SOCKET
start_server "$work/slow.yaml" || finish
interrupted INT 130 "$greenroom" call "ipc://$SOCKET" slow --text x
interrupted INT 130 "$greenroom" call "ipc://$SOCKET" mute --text x --stream
run 0 "$greenroom" call "ipc://$SOCKET" same --text still
is "the server goes on" '"still"' "$out"
stop_server TERM
is "SIGTERM is how serving ends" 0 "$code"

env --default-signal=INT "$greenroom" serve "$work/slow.yaml" >"$work/out" 2>&1 &
pid=$!
started="$started $pid"
until_true grep -q '^pid ' "$work/out"
kill -INT "$pid"
code=0
wait "$pid" || code=$?
is "and so is Ctrl-C" 0 "$code"
finish
