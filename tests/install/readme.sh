#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# readme.sh - builds and runs the program in README.md from the page's own text, against an installed copy,
# with the command line that the page gives. Last line: N passed, N failed.
set -eu
cd "$(dirname "$0")/../.."

build=${GR_BUILD_DIR:-$PWD/build/release}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    printf 'FAIL %s\n' "$1"
    [ ! -f "$work/log" ] || sed 's/^/     /' "$work/log"
    echo "0 passed, 1 failed"
    exit 1
}

cmake --install "$build" --prefix "$work/usr" >"$work/log" 2>&1 || fail "it installs"
libdir=$(dirname "$(find "$work/usr" -name libgreenroom.so)")
export PKG_CONFIG_PATH="$libdir/pkgconfig" LD_LIBRARY_PATH="$libdir"

awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' README.md >"$work/ask.c"
lines=$(grep -c . "$work/ask.c")
[ "$lines" -ge 20 ] && [ "$lines" -le 36 ] || fail "the program has $lines lines; about 30 were promised"
command=$(sed -n 's/^    \(cc ask\.c .*\)$/\1/p' README.md)
[ -n "$command" ] || fail "the page gives a command line"
# What the page gives must build without a warning.
command="cc -Wall -Wextra -Werror ${command#cc }"
if ! (cd "$work" && eval "$command") >"$work/out" 2>"$work/log"; then
    fail "$command"
fi
grep -q 'mailbox' "$work/out" || {
    cp "$work/out" "$work/log"
    fail "the program quotes the sentence that it was given"
}
cat "$work/out"
echo "1 passed, 0 failed"
