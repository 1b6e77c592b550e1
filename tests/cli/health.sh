#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# health.sh - the local socket that tells how a process does: plain and by HTTP, while it drains and while it is stuck,
# and with guests that are rude.
# shellcheck disable=SC1091,SC2012,SC2016,SC2034,SC2059,SC2154,SC2317
. tests/cli/_lib.sh

url=ipc://$work/s.ipc
socket=$work/health
cat >"$work/s.yaml" <<END
listen: "$url"
publish: [echo]
node: {name: shop, health: health}
actors:
  echo: {passthrough: {}}
END

# say SENT connects, sends that, and prints what comes back until the end; half: with the sending side left open.
say() {
    perl -MIO::Socket::UNIX -e '
        my ($path, $text, $half) = @ARGV;
        $SIG{PIPE} = "IGNORE"; $SIG{ALRM} = sub { die "no answer\n" }; alarm 60;
        my $s = IO::Socket::UNIX->new(Peer => $path) or die "connect: $!\n";
        $s->autoflush(1); print $s $text if length $text;
        shutdown $s, 1 unless $half;
        while (sysread $s, my $got, 65536) { print $got }' "$socket" "$(printf "$1")" "${2:-}" 2>&1
}

start_server "$work/s.yaml"
is "only its owner may come" "srw-------" "$(ls -l "$socket" | cut -c1-10)"
out=$(say "")
is "one line of JSON" 1 "$(printf '%s\n' "$out" | grep -c '^{.*}$')"
has "all is well" '"status": "ok"' "$out"
has "with the node" '"node": "shop"' "$out"
has "and what it does" '"workers": ' "$out"
out=$(say "" half)
has "who says nothing is told, too" '"status": "ok"' "$out"
out=$(say "how do you do\n" half)
has "and who says what is no request" '"status": "ok"' "$out"
out=$(say "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n." half)
has "a request has an answer" "HTTP/1.1 200 OK" "$out"
has "of JSON" "Content-Type: application/json" "$out"
has "that says so" '"status": "ok"' "$out"
out=$(say "HEAD / HTTP/1.1\r\n\r\n." half)
has "a HEAD" "HTTP/1.1 200 OK" "$out"
lacks "has no body" '"status"' "$out"
out=$(say "POST / HTTP/1.1\r\n\r\n." half)
has "nothing can be posted" "HTTP/1.1 405" "$out"
out=$(say "GET / HTTP/1.1\r\nHost")
has "half a request" "HTTP/1.1 400" "$out"
out=$(say "GET / HTTP/1.1\r\nHost" half)
has "one that never ends" "HTTP/1.1 408" "$out"
if command -v curl >/dev/null; then
    # by_curl: tries again, since a request that comes late is taken for none.
    by_curl() { [ "$(curl -s -o "$work/curl" -w '%{http_code}' --max-time 20 --unix-socket "$socket" http://localhost/)" = 200 ]; }
    until_true by_curl
    has "curl likes it" '"status": "ok"' "$(cat "$work/curl")"
fi

# ---- rude guests -------------------------------------------------------------------------------

perl -MIO::Socket::UNIX -e '
    $SIG{PIPE} = "IGNORE"; $SIG{ALRM} = sub { die "no end\n" }; alarm 60;
    my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "connect: $!";
    print $s "GET / HTTP/1.1\r\n"; 
    while (defined syswrite $s, "X-Endless: " . "x" x 1000 . "\r\n") { $n++ }
    print "cut off\n" if $n > 3 && $n < 100000; ' "$socket" >"$work/endless" 2>&1
is "an endless request is cut off" "cut off" "$(cat "$work/endless")"
# Many that say nothing and never leave: others are told all the same.
perl -MIO::Socket::UNIX -e '
    my @all;
    for (1 .. 200) { my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or last; push @all, $s }
    $| = 1; print scalar(@all), " came\n"; sleep 600' "$socket" >"$work/crowd" &
crowd=$!
started="$started $crowd"
until_true grep -q came "$work/crowd"
told() { say "GET / HTTP/1.1\r\n\r\n." half | grep -q '"status": "ok"'; }
until_true told
kill "$crowd"
wait "$crowd" 2>/dev/null
perl -MIO::Socket::UNIX -e '
    for (1 .. 300) { my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or next; print $s "GET / HTTP/1.1\r\n\r\n" if $_ % 2; close $s }' "$socket"
until_true told
run 0 "$greenroom" call "$url" echo --text x
is "calls are served meanwhile" '"x"' "$out"
fds=$(ls "/proc/$server/fd" 2>/dev/null | wc -l)
few() { [ "$(ls "/proc/$server/fd" | wc -l)" -lt 60 ]; }
[ "$fds" = 0 ] || until_true few

# ---- two processes -----------------------------------------------------------------------------

sed "s|$url|ipc://$work/other.ipc|" "$work/s.yaml" >"$work/other.yaml"
run 1 "$greenroom" serve "$work/other.yaml"
has "a socket that is in use stays" "another process answers there" "$err"
has "and is served" '"status": "ok"' "$(say "")"
kill -KILL "$server"
wait "$server" 2>/dev/null
exec 3<&-
is "a process that is killed leaves its socket" "s" "$(ls -l "$socket" | cut -c1)"
start_server "$work/s.yaml"
has "which the next one takes over" '"status": "ok"' "$(say "")"
stop_server TERM
is "it goes with its process" "" "$(ls "$socket" 2>/dev/null)"
echo "not a socket" >"$socket"
run 1 "$greenroom" serve "$work/s.yaml"
is "a file stays what it was" "not a socket" "$(cat "$socket")"
rm "$socket"
run 1 "$greenroom" serve "$work/s.yaml" --health "$work/none/at/all"
has "no such folder" "No such file" "$err"
run 1 "$greenroom" serve "$work/s.yaml" --health "$(printf '%0200d' 1)"
has "too long a path" "too long" "$err"
run 2 "$greenroom" serve "$work/s.yaml" --health "$socket" --health-stuck never
sed 's/health: health/health_stuck: 0/' "$work/s.yaml" >"$work/wrong.yaml"
run 2 "$greenroom" serve "$work/wrong.yaml"
has "no time at all" "wrong.yaml:3:" "$err"

# ---- draining ----------------------------------------------------------------------------------

cd "$work" || exit 1
perl -MIO::Socket::INET -e '
    $s = IO::Socket::INET->new(Listen => 9, LocalAddr => "127.0.0.1") or die "listen: $!";
    $| = 1; print $s->sockport, "\n";
    while ($c = $s->accept) { push @all, $c; open $f, ">", "asked"; close $f }' >"$work/port" &
started="$started $!"
cd "$OLDPWD" || exit 1
until_true grep -q . "$work/port" || finish
cat >"$work/slow.yaml" <<END
listen: "$url"
publish: [slow]
node: {health: health}
actors:
  slow: {sequence: [{chat_model: {model: m, url: "http://127.0.0.1:$(cat "$work/port")", max_retries: 0}}, {str_parser: {}}]}
END
start_server "$work/slow.yaml"
"$greenroom" call "$url" slow --text x >/dev/null 2>&1 </dev/null &
started="$started $!"
until_true test -e "$work/asked"
kill -TERM "$server"
draining() { say "" | grep -q '"status": "draining"'; }
until_true draining
out=$(say "GET / HTTP/1.1\r\n\r\n." half)
has "a node that drains gets no new work" "HTTP/1.1 503" "$out"
kill -TERM "$server"
wait "$server" 2>/dev/null
exec 3<&-

finish
