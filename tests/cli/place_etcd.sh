#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# place_etcd.sh - nodes of chain files that find each other by a real etcd: those of one file, and of several.
# shellcheck disable=SC1091,SC2013,SC2016,SC2034,SC2154,SC2317
. tests/cli/_lib.sh

if ! command -v etcd >/dev/null || ! command -v perl >/dev/null || [ ! -d /proc/self ]; then
    echo "SKIP: there is no etcd (Debian's etcd-server), no perl or no /proc"
    exit 77
fi

# two ports that were free a moment ago
perl -MIO::Socket::INET -e '
    @s = map { IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die "listen: $!" } 1, 2;
    print $_->sockport, "\n" for @s' >"$work/ports" || exit 1
client=http://127.0.0.1:$(sed -n 1p "$work/ports")
peer=http://127.0.0.1:$(sed -n 2p "$work/ports")
etcd --data-dir "$work/etcd" --listen-client-urls "$client" --advertise-client-urls "$client" \
    --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "default=$peer" \
    --log-level error >"$work/etcd_out" 2>&1 &
started="$started $!"
etcd_pid=$!

cat >"$work/f.yaml" <<END
node: {cluster: shop, etcd: "$client", etcd_ttl_ms: 60000}
nodes: {a: "ipc://$work/a.ipc", b: "ipc://$work/b.ipc"}
up: {backoff_ms: 20, intensity: 1000}
main: shout
actors:
  shout: {prompt: "{text}!", on: [a, b], idempotent: true}
  twice: {sequence: [{parallel: {text: shout}}, shout], on: a}
END
cat >"$work/other.yaml" <<END
node: {cluster: shop, etcd: "$client", etcd_ttl_ms: 60000}
listen: "ipc://$work/other.ipc"
publish: [quiet]
actors: {quiet: {prompt: "({text})"}}
END
cat >"$work/caller.yaml" <<END
node: {cluster: shop, etcd: "$client"}
actors:
  shout: {pool: {name: shout, idempotent: true}}
  quiet: {pool: {name: quiet, routing: fewest}}
END
run 0 "$greenroom" check "$work/f.yaml"
run 0 "$greenroom" check "$work/caller.yaml"

: >"$work/up_out"
"$greenroom" up "$work/f.yaml" >"$work/up_out" 2>"$work/up_err" &
up=$!
started="$started $up"
until_true grep -q '^ready: ' "$work/up_out" || cat "$work/up_err" "$work/etcd_out"
start_server "$work/other.yaml" || finish

run 0 "$greenroom" run "$work/f.yaml" --input '{"text": "x"}'
is "a pool of the file's nodes" '"x!"' "$out"
run 0 "$greenroom" run "$work/f.yaml" twice --input '{"text": "x"}'
is "called by one of them" '"x!!"' "$out"
run 0 "$greenroom" run "$work/caller.yaml" shout --input '{"text": "x"}'
is "another file needs no URLs" '"x!"' "$out"
run 0 "$greenroom" run "$work/caller.yaml" quiet --input '{"text": "x"}'
is "nor for what a file without nodes publishes" '"(x)"' "$out"

kill -9 "$(sed -n 's/^a *| pid //p' "$work/up_err" | tail -n 1)"
for i in 1 2 3; do
    run 0 "$greenroom" run "$work/caller.yaml" shout --input '{"text": "x"}'
    is "while one is gone: $i" '"x!"' "$out"
done
stop_server TERM
run 1 "$greenroom" run "$work/caller.yaml" quiet --input '{"text": "x"}'
has "who ends is known no more" "GR_EUNREACH" "$err"
kill "$up"
code=0
wait "$up" || code=$?
is "all end well" 0 "$code"
sed -i.bak 's/etcd_ttl_ms: 60000}/etcd_ttl_ms: 60000, etcd_user: u, etcd_password_env: GREENROOM_NOT_SET}/' "$work/f.yaml"
run 2 "$greenroom" run "$work/f.yaml" --input '{"text": "x"}'
has "a password that is not there" "f.yaml:1:108: etcd_password_env: there is no environment variable" "$err"
kill "$etcd_pid"
wait "$etcd_pid" 2>/dev/null
finish
