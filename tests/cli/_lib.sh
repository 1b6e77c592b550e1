# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034
# _lib.sh - what the tests of the command share; sourced, from the project's own folder.
#
#   run CODE COMMAND…      runs it; its exit code must be CODE; $out and $err hold what it printed
#   is NAME EXPECTED GOT   one check; has NAME PART TEXT: TEXT must contain PART
#   finish                 the last line, "N passed, N failed", and the exit code

set -u
greenroom=${GREENROOM:-$PWD/build/release/greenroom}
[ -x "$greenroom" ] || {
    echo "SKIP: $greenroom is not built"
    exit 77
}
work=$(mktemp -d "${TMPDIR:-/tmp}/greenroom-test.XXXXXX")
passed=0
failed=0
started=

unset OPENAI_API_KEY OPENAI_BASE_URL ANTHROPIC_API_KEY ANTHROPIC_BASE_URL OLLAMA_API_KEY OLLAMA_HOST
NO_COLOR=1
export NO_COLOR

end_started() {
    for pid in $started; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    rm -rf "$work"
}
trap end_started EXIT
trap 'exit 1' INT TERM

pass() { passed=$((passed + 1)); }

fail() {
    failed=$((failed + 1))
    printf 'FAIL %s\n' "$1"
    shift
    for line in "$@"; do
        printf '%s\n' "$line" | sed 's/^/     /'
    done
}

is() {
    if [ "$2" = "$3" ]; then pass; else fail "$1" "expected: $2" "got:      $3"; fi
}

has() {
    case $3 in
    *"$2"*) pass ;;
    *) fail "$1" "expected a part: $2" "got: $3" ;;
    esac
}

lacks() {
    case $3 in
    *"$2"*) fail "$1" "not expected: $2" "got: $3" ;;
    *) pass ;;
    esac
}

run() {
    expected=$1
    shift
    code=0
    "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
    out=$(cat "$work/out")
    err=$(cat "$work/err")
    if [ "$code" = "$expected" ]; then
        pass
    else
        fail "exit code of: $*" "expected $expected, got $code" "out: $out" "err: $err"
    fi
}

# until_true COMMAND… tries it until it succeeds; after 20 s it gives up and fails.
until_true() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        if [ "$tries" -ge 1000 ]; then
            fail "never came true: $*"
            return 1
        fi
        sleep 0.02
    done
}

# start_server FILE starts `greenroom serve` and returns once it can be called; $server is its pid.
start_server() {
    rm -f "$work/says"
    mkfifo "$work/says"
    "$greenroom" serve "$1" >"$work/says" 2>"$work/server_err" &
    server=$!
    started="$started $server"
    said=
    exec 3<"$work/says"
    while IFS= read -r line <&3; do
        said="$said$line;"
        case $line in pid\ *) return 0 ;; esac
    done
    fail "the server did not start: $1" "$(cat "$work/server_err")"
    return 1
}

# stop_server SIGNAL stops it; $code is how it ended.
stop_server() {
    code=0
    kill "-$1" "$server"
    wait "$server" 2>/dev/null || code=$?
    exec 3<&-
}

# start_holding_model starts a model server at $holding_model. Of each request it makes the file "asked" in $work, and
# answers "late" once there is a file "go".
start_holding_model() {
    cd "$work" || return 1
    perl -MIO::Socket::INET -e '
        $s = IO::Socket::INET->new(Listen => 9, LocalAddr => "127.0.0.1") or die "listen: $!";
        $| = 1; $SIG{CHLD} = "IGNORE"; print $s->sockport, "\n";
        while ($c = $s->accept) {
            next if fork;
            $long = 0;
            while (($line = <$c>) =~ /[^\r\n]/) { $long = $1 if $line =~ /^content-length: *(\d+)/i }
            read $c, $body, $long;
            open $f, ">", "asked"; close $f;
            select undef, undef, undef, 0.02 until -e "go";
            $text = q({"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "late"}}]});
            print $c "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ", length $text, "\r\n\r\n$text";
            exit }' >"$work/port" &
    started="$started $!"
    cd "$OLDPWD" || return 1
    until_true grep -q . "$work/port" || return 1
    holding_model=http://127.0.0.1:$(cat "$work/port")
}

finish() {
    end_started
    started=
    printf '%s passed, %s failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ]
    exit $?
}
