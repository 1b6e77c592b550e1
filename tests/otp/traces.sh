#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# traces.sh - supervision, links and monitors do what Erlang/OTP does: the scenarios of
# scenarios.txt, played on both.
#
# recorded.txt is what Erlang/OTP did and what Greenroom is to do, and then what Greenroom alone is
# to do. Where there is no Erlang the recording stands for it.
#
#   tests/otp/traces.sh --record   writes recorded.txt anew; read the difference before you commit
set -eu
here=tests/otp
player=${GR_BUILD_DIR:-$PWD/build/release}/tests/otp/otp_player
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
skipped=0

# Both take their time and hardly compute, so they play beside each other.
theirs=
if [ -z "${GR_SANITIZED:-}" ] && command -v escript >/dev/null 2>&1; then
    escript $here/player.escript $here/scenarios.txt >"$work/theirs" &
    theirs=$!
fi
# Under the sanitizers a leak is a failure of its own.
"$player" $here/scenarios.txt --all >"$work/ours"
[ -z "$theirs" ] || wait "$theirs"

if [ "${1:-}" = --record ]; then
    [ -n "$theirs" ] || {
        echo "there is no escript"
        exit 1
    }
    cp "$work/theirs" "$here/recorded.txt"
    awk '/^== / { here = /^== here / } here' "$work/ours" >>"$here/recorded.txt"
    echo "wrote $here/recorded.txt"
    exit 0
fi

# same NAME A B compares scenario by scenario; every one counts.
same() {
    awk -v what="$1" -v counts="$work/counts" '
        /^== / { if (!(($0) in known)) order[++n] = $0; known[$0] = 1; now = $0 }
        { trace[FILENAME, now] = trace[FILENAME, now] $0 "\n" }
        END {
            for (i = 1; i <= n; i++) {
                if (trace[ARGV[1], order[i]] == trace[ARGV[2], order[i]]) { passed++; continue }
                failed++
                print "FAIL " what ": " order[i]
                printf "expected:\n%sbut:\n%s", trace[ARGV[1], order[i]], trace[ARGV[2], order[i]]
            }
            print passed + 0, failed + 0 >counts
        }' "$2" "$3"
    read -r p f <"$work/counts"
    passed=$((${passed:-0} + p))
    failed=$((failed + f))
}

same "Greenroom and the recording" "$here/recorded.txt" "$work/ours"
if [ -n "$theirs" ]; then
    awk '/^== / { here = /^== here / } !here' "$here/recorded.txt" >"$work/recorded"
    same "Erlang/OTP and the recording" "$work/recorded" "$work/theirs"
else
    echo "SKIP Erlang/OTP itself: there is no escript, or our side runs under a sanitizer"
    skipped=1
fi
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
