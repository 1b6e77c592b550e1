#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# drain.sh - SIGTERM while calls are under way: they get their answers, others are refused; the time limit, the
# second signal, and what a service manager is told.
# shellcheck disable=SC1091,SC2013,SC2016,SC2034,SC2154,SC2317
. tests/cli/_lib.sh

start_holding_model || finish
url=ipc://$work/s.ipc
cat >"$work/s.yaml" <<END
listen: "$url"
publish: [slow, same]
actors:
  slow: {sequence: [{chat_model: {model: m, url: "$holding_model", max_retries: 0}}, {str_parser: {}}]}
  same: {passthrough: {}}
END

# begin OPTION… starts the server, with OPTIONs, and a call that the model server holds; $caller is its pid.
begin() {
    rm -f "$work/asked" "$work/go" "$work/says"
    mkfifo "$work/says"
    env --default-signal=INT,TERM "$greenroom" serve "$work/s.yaml" "$@" >"$work/says" 2>"$work/server_err" &
    server=$!
    started="$started $server"
    exec 3<"$work/says"
    line=
    until [ "${line%% *}" = pid ]; do
        IFS= read -r line <&3 || break
    done
    is "it is ready" "pid $server" "$line"
    "$greenroom" call "$url" slow --text x >"$work/call_out" 2>"$work/call_err" </dev/null &
    caller=$!
    started="$started $caller"
    until_true test -e "$work/asked"
}
# refuses: a call to the server is refused because it is about to end.
refuses() { "$greenroom" call "$url" same --text x 2>&1 </dev/null | grep -q 'takes no more calls'; }
# ended PID: $code is its exit code.
ended() {
    code=0
    wait "$1" 2>/dev/null || code=$?
}

begin
kill -TERM "$server"
until_true refuses
run 1 "$greenroom" call "$url" same --text x
has "with an error that says a retry may help" "GR_EUNREACH" "$err"
has "a retry" "retry" "$err"
run 1 "$greenroom" call "$url" same --text x --stream
has "streams, too" "takes no more calls" "$err"
touch "$work/go"
ended "$caller"
is "the call under way succeeds" 0 "$code"
is "with its answer" '"late"' "$(cat "$work/call_out")"
ended "$server"
is "then the server ends well" 0 "$code"
is "without a word" "" "$(cat "$work/server_err")"

begin --drain 0.2
kill -TERM "$server"
ended "$server"
is "calls that take too long are cut off" 1 "$code"
has "and that is said" "cut off after 0.2 s" "$(cat "$work/server_err")"
ended "$caller"
is "their callers hear of it" 1 "$code"
has "with an error to retry after" "GR_EUNREACH" "$(cat "$work/call_err")"
touch "$work/go"

begin --drain 3600
kill -INT "$server"
until_true refuses
kill -TERM "$server"
ended "$server"
is "a second signal ends it at once" 143 "$code"
ended "$caller"
is "and its callers hear of it" 1 "$code"
touch "$work/go"

begin --drain 0
kill -TERM "$server"
ended "$server"
is "no time to drain" 0 "$code"
ended "$caller"
has "calls that are cut off then may be made again, too" "GR_EUNREACH" "$(cat "$work/call_err")"
touch "$work/go"
run 2 "$greenroom" serve "$work/s.yaml" --drain soon
has "a wrong time" "--drain: seconds from 0 to 86400 were expected, not soon" "$err"
run 2 "$greenroom" call "$url" same --drain 1

# notified SOCKET: what a service manager with that socket is told, in order.
notified() {
    rm -f "$work/told" "$work/bound"
    perl -MSocket -e '
        my ($name, $bound) = @ARGV;
        $name =~ s/^@/\0/;
        socket my $s, AF_UNIX, SOCK_DGRAM, 0 or die "socket: $!";
        bind $s, pack_sockaddr_un($name) or die "bind: $!";
        open my $f, ">", $bound or die "open: $!"; close $f;
        $| = 1;
        while (defined recv $s, my $text, 4096, 0) { print "$text\n"; last if $text =~ /STOPPING/ }' \
        "$1" "$work/bound" >"$work/told" &
    listener=$!
    started="$started $listener"
    until_true test -e "$work/bound" || return
    NOTIFY_SOCKET=$1
    export NOTIFY_SOCKET
    start_server "$work/s.yaml"
    until_true grep -q READY=1 "$work/told"
    stop_server TERM
    is "it ends well with $1" 0 "$code"
    ended "$listener"
    is "the manager is told" "READY=1
STOPPING=1" "$(cat "$work/told")"
    is "and nobody else" "" "$(cat "$work/server_err")"
}
notified "$work/notify.sock"
[ "$(uname)" != Linux ] || notified "@greenroom-test-$$"

NOTIFY_SOCKET=$work/nobody.sock
start_server "$work/s.yaml"
stop_server TERM
is "a manager that is not there is no obstacle" 0 "$code"
has "but is told of" "NOTIFY_SOCKET: $work/nobody.sock: No such file" "$(cat "$work/server_err")"
NOTIFY_SOCKET=relative
start_server "$work/s.yaml"
stop_server TERM
has "a name that is none" "NOTIFY_SOCKET: a path, or @ and a name" "$(cat "$work/server_err")"
unset NOTIFY_SOCKET
finish
