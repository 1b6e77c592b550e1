#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# operate.sh - ps, top, info, kill and drain against `greenroom serve`: what they print, exit codes, permissions; and
# the format of logs.
# shellcheck disable=SC1091,SC2016,SC2034,SC2154,SC2317
. tests/cli/_lib.sh

url=ipc://$work/s.ipc
cat >"$work/s.yaml" <<END
listen: "$url"
publish: [echo, {other: words}]
node: {name: shop, cluster: town}
actors:
  echo: {passthrough: {}}
  words: {sequence: [{prompt: "say {word}"}, {str_parser: {}}]}
  crash: {passthrough: {}, isolate: true}
END
start_server "$work/s.yaml"

# ---- ps ----------------------------------------------------------------------------------------

run 0 "$greenroom" ps "$url" --cluster town
has "a heading" "ID " "$out"
has "with the states" "STATE" "$out"
has "what is published" "echo" "$out"
has "under its public name" "other" "$out"
has "the node's own actor" '$node' "$out"
run 0 "$greenroom" ps "$url" --cluster town --json
is "a line for each, and each is JSON" "$(printf '%s\n' "$out" | wc -l)" "$(printf '%s\n' "$out" | grep -c '^{"id": "[0-9]*\.[0-9]*".*}$')"
id=$(printf '%s\n' "$out" | sed -n 's/^{"id": "\([0-9.]*\)".*"published": "echo".*/\1/p')
has "with ids" "." "$id"
run 0 "$greenroom" ps "$url" --cluster town --tree
has "a tree" "echo" "$out"

# ---- info --------------------------------------------------------------------------------------

run 0 "$greenroom" info "$url" --cluster town
has "the node's name" "shop" "$out"
has "its process" "$server" "$out"
has "what it publishes" "other" "$out"
has "where it listens" "$url" "$out"
has "its links" "links (1)" "$out"
run 0 "$greenroom" info "$url" --cluster town --json
has "as JSON" '"node": "shop"' "$out"
published=$(printf '%s\n' "$out" | tr -d ' \n' | sed 's/.*"published":\[\([^]]*\)\].*/\1/' | tr ',' '\n')
is "names are in order" "$(printf '%s\n' "$published" | LC_ALL=C sort)" "$published"
run 0 "$greenroom" info "$url" echo --cluster town
has "of an actor" "RunnablePassthrough" "$out"
by_name=$(printf '%s\n' "$out" | grep '^id ')
run 0 "$greenroom" info "$url" "$id" --cluster town
is "by its id" "$by_name" "$(printf '%s\n' "$out" | grep '^id ')"
run 1 "$greenroom" info "$url" nobody --cluster town
has "an actor that is not there" "there is no actor 'nobody'" "$err"
lacks "and who says so is named once" '$node: $node' "$err"

# ---- top ---------------------------------------------------------------------------------------

run 0 "$greenroom" top "$url" --cluster town --once
has "the totals" "workers" "$out"
has "the node" "shop ok" "$out"
has "and actors" "echo" "$out"
is "one link is a link" 1 "$(printf '%s\n' "$out" | grep -c ', 1 link$')"
lacks "without a terminal nothing is drawn over" "$(printf '\033')" "$out"
run 0 "$greenroom" top "$url" --cluster town --count 3 --interval 0.05
is "three looks" 3 "$(printf '%s\n' "$out" | grep -c '^ID ')"
"$greenroom" top "$url" --cluster town --interval 0.05 >"$work/top" 2>"$work/top_err" </dev/null &
top=$!
started="$started $top"
until_true grep -q '^ID ' "$work/top"
kill -TERM "$top"
code=0
wait "$top" || code=$?
is "a signal ends it, and all is fine" 0 "$code"

is "classes push no name out of its column" 1 "$(grep '^ID \|[0-9] .*RunnableSequence\|[0-9] .*RunnablePassthrough .*echo' "$work/top" |
    sed 's/\(NAME\|other\|echo\)$/@/' | sed 's/@.*//' | awk '{ print length($0) }' | sort -u | wc -l)"
if [ -w /dev/full ]; then
    for command in ps "ps --json" "top --once" info; do
        code=0
        # shellcheck disable=SC2086
        "$greenroom" $command "$url" --cluster town >/dev/full 2>"$work/err" </dev/null || code=$?
        is "$command on a full disk" 1 "$code"
        has "$command says why" "standard output: No space left" "$(cat "$work/err")"
    done
fi
{
    printf 'listen: "%s"\npublish: [many]\nactors: {many: {sequence: [' "ipc://$work/many.ipc"
    for i in 1 2 3 4 5 6 7 8 9 10 11; do printf '{passthrough: {}}, '; done
    echo '{passthrough: {}}]}}'
} >"$work/many.yaml"
"$greenroom" serve "$work/many.yaml" >"$work/many_out" 2>&1 </dev/null &
many=$!
started="$started $many"
until_true grep -q '^pid' "$work/many_out"
run 0 "$greenroom" top "ipc://$work/many.ipc" --once
is "of equals the first place comes first, by number" "$(printf '%s\n' "$out" | sed -n '4,$s/^\([0-9]*\)\..*/\1/p' | sort -n)" \
    "$(printf '%s\n' "$out" | sed -n '4,$s/^\([0-9]*\)\..*/\1/p')"
kill "$many"
# A narrow terminal, if there is a program that makes one: lines are cut, so that none wraps.
if command -v script >/dev/null && command -v stty >/dev/null; then
    TERM=xterm script -qec "stty cols 50 rows 24; '$greenroom' top '$url' --cluster town --once" /dev/null \
        >"$work/top" </dev/null
    has "a terminal is drawn over" "$(printf '\033')" "$(cat "$work/top")"
    is "and no line is wider than it" "" "$(tr -d '\r' <"$work/top" | sed 's/^\x1b\[H\x1b\[2J//' | awk 'length($0) > 50')"
fi

# ---- kill --------------------------------------------------------------------------------------

run 2 "$greenroom" kill "$url" echo --cluster town --reason boredom
has "a reason that is none" "normal, shutdown or kill was expected" "$err"
run 2 "$greenroom" kill "$url" --cluster town
run 1 "$greenroom" kill "$url" '$node' --cluster town
has "not the one that is talked to" "drain it" "$err"
run 1 "$greenroom" kill "$url" nobody --cluster town
has "nobody" "there is no actor 'nobody'" "$err"
run 0 "$greenroom" kill "$url" echo --cluster town
has "it says whom" "$id" "$out"
has "and what" 'told "shutdown"' "$out"
# gone: a call finds no actor any more.
gone() { ! "$greenroom" call "$url" echo --cluster town --text x >/dev/null 2>&1 </dev/null; }
until_true gone

# ---- drain -------------------------------------------------------------------------------------

run 0 "$greenroom" drain "$url" --cluster town
has "it is drained" "drained" "$out"
code=0
wait "$server" || code=$?
is "and has ended, as by a signal" 0 "$code"
is "without a word" "" "$(cat "$work/server_err")"
exec 3<&-
run 1 "$greenroom" ps "$url" --cluster town
has "a node that is not there" "no link to $url" "$err"
run 1 "$greenroom" drain "$url" --cluster town
has "to drain, either" "no link to $url" "$err"
run 2 "$greenroom" ps nowhere
has "no URL" "a URL was expected" "$err"
run 2 "$greenroom" ps
run 2 "$greenroom" top "$url" --count 0
run 2 "$greenroom" drain "$url" --wait soon

# Under load: a call that a model server holds.
start_holding_model || finish
cat >"$work/slow.yaml" <<END
listen: "$url"
publish: [slow]
actors:
  slow: {sequence: [{chat_model: {model: m, url: "$holding_model", max_retries: 0}}, {str_parser: {}}]}
END
# hold starts the server and a call that is held; $caller is its pid.
hold() {
    rm -f "$work/asked" "$work/go"
    start_server "$work/slow.yaml"
    "$greenroom" call "$url" slow --text x >"$work/call_out" 2>"$work/call_err" </dev/null &
    caller=$!
    started="$started $caller"
    until_true test -e "$work/asked"
}
hold
run 0 "$greenroom" info "$url" slow
has "an actor that waits for its answer" "calls" "$out"
run 0 "$greenroom" drain "$url" --wait 0
has "who does not wait is told what is left" "draining: 1 call left" "$out"
run 1 "$greenroom" drain "$url" --wait 0.1
has "who does not wait for long, too" "1 call is left after 0.1 s" "$err"
run 1 "$greenroom" call "$url" slow --text x
has "others are refused" "takes no more calls" "$err"
"$greenroom" drain "$url" >"$work/drain_out" 2>"$work/drain_err" </dev/null &
drain=$!
started="$started $drain"
until_true grep -q '1 call left' "$work/drain_err"
touch "$work/go"
code=0
wait "$drain" || code=$?
is "the drain ends" 0 "$code"
has "when all have their answers" "drained" "$(cat "$work/drain_out")"
code=0
wait "$caller" || code=$?
is "the call succeeds" 0 "$code"
is "with its answer" '"late"' "$(cat "$work/call_out")"
code=0
wait "$server" || code=$?
is "the server ends well" 0 "$code"
exec 3<&-

# ---- whom it obeys -----------------------------------------------------------------------------

# free_port prints a port that nobody has.
free_port() {
    perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport'
}
tcp=tcp://127.0.0.1:$(free_port)
sed "s|\"$url\"|\"$tcp\"|" "$work/s.yaml" | sed 's/, cluster: town//' >"$work/t.yaml"
start_server "$work/t.yaml"
run 0 "$greenroom" ps "$tcp"
has "who is not known may look" "echo" "$out"
run 1 "$greenroom" kill "$tcp" echo
has "but not end" "show who they are" "$err"
run 1 "$greenroom" drain "$tcp"
has "nor drain" "show who they are" "$err"
run 0 "$greenroom" call "$tcp" echo --text still
stop_server TERM

printf 'a secret of some length' >"$work/secret"
sed "s|name: shop|name: shop, secret_file: secret|" "$work/t.yaml" >"$work/secret.yaml"
start_server "$work/secret.yaml"
run 1 "$greenroom" ps "$tcp"
run 0 "$greenroom" kill "$tcp" echo --secret-file "$work/secret"
lacks "no secret is told" "a secret of some length" "$out$err"
run 0 "$greenroom" info "$tcp" --json --secret-file "$work/secret"
lacks "nor here" "a secret of some length" "$out$err"
stop_server TERM

sed 's/name: shop/name: shop, admin: read/' "$work/s.yaml" >"$work/read.yaml"
start_server "$work/read.yaml"
run 0 "$greenroom" ps "$url" --cluster town
run 1 "$greenroom" kill "$url" echo --cluster town
has "read only" "does not let itself be changed" "$err"
run 1 "$greenroom" drain "$url" --cluster town
stop_server TERM

sed 's/name: shop/name: shop, admin: off/' "$work/s.yaml" >"$work/off.yaml"
start_server "$work/off.yaml"
run 1 "$greenroom" ps "$url" --cluster town
has "not at all" "does not let itself be operated" "$err"
run 0 "$greenroom" call "$url" echo --text x --cluster town
stop_server TERM
sed 's/name: shop/name: shop, admin: maybe/' "$work/s.yaml" >"$work/maybe.yaml"
run 2 "$greenroom" serve "$work/maybe.yaml"
has "a mode that is none has a place" "maybe.yaml:3:27: admin: full, read or off was expected" "$err"
sed 's/{other: words}/{$x: words}/' "$work/s.yaml" >"$work/reserved.yaml"
run 2 "$greenroom" check "$work/reserved.yaml"
has "names of our own" "names that begin with \$ are for Greenroom itself" "$err"

# ---- logs --------------------------------------------------------------------------------------

run 1 "$greenroom" run "$work/s.yaml" words --input '{}' --log-format json
is "what is said is a line of JSON" 1 "$(printf '%s\n' "$err" | grep -c '^{"time":"20[0-9-]*T[0-9:]*\.[0-9][0-9][0-9]Z","level":"error","text":".*}$')"
has "with the node" '"node":"shop"' "$err"
run 2 "$greenroom" run "$work/s.yaml" words --log-format xml
has "a format that is none" "plain or json was expected" "$err"
run 2 "$greenroom" run "$work/s.yaml" words --log-level loud
run 2 "$greenroom" ps "$url" --log-level debug
start_server "$work/s.yaml"
stop_server TERM
is "nothing is logged that nobody asked for" "" "$(cat "$work/server_err")"
# chatty FORMAT: a server that logs what it can, and a caller that hangs up.
chatty() {
    rm -f "$work/says"
    mkfifo "$work/says"
    "$greenroom" serve "$work/s.yaml" --log-level debug --log-format "$1" >"$work/says" 2>"$work/server_err" &
    server=$!
    started="$started $server"
    exec 3<"$work/says"
    line=
    until [ "${line%% *}" = pid ]; do
        IFS= read -r line <&3 || break
    done
    run 0 "$greenroom" call "$url" echo --text x --cluster town
    until_true grep -q . "$work/server_err"
    stop_server TERM
}
chatty json
is "each line is JSON" "$(wc -l <"$work/server_err")" "$(grep -c '^{"time":".*"level":".*"text":".*"node":"shop".*}$' "$work/server_err")"
has "with the peer" '"peer":"' "$(cat "$work/server_err")"
chatty plain
has "in plain" "greenroom: debug: " "$(cat "$work/server_err")"

# ---- the page ----------------------------------------------------------------------------------

# docs/operating.md is run from top to bottom, with a socket of its own.
awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' docs/operating.md |
    sed "s|/tmp/greenroom-shop|$work/shop|" >"$work/page.sh"
has "the page has blocks" "drain" "$(cat "$work/page.sh")"
GREENROOM=$greenroom TMPDIR=$work run 0 sh -eu "$work/page.sh"
has "its node is drained" "drained; the node ends" "$out"
has "its health is told" '"status": "ok"' "$out"
is "without a word" "" "$err"

finish
