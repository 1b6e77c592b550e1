#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# documents.sh - each whole program in a block ```c of docs/ is compiled against an installed copy, without a
# warning, and run; what it prints is the block without a language that comes next. README.md's has readme.sh.
# Last line: N passed, N failed, a program each.
set -eu
cd "$(dirname "$0")/../.."

build=${GR_BUILD_DIR:-$PWD/build/release}
. tests/_check.sh

check "it installs" cmake --install "$build" --prefix "$work/usr"
libdir=$(dirname "$(find "$work/usr" -name libgreenroom.so)")
export PKG_CONFIG_PATH="$libdir/pkgconfig" LD_LIBRARY_PATH="$libdir"

# split DOCUMENT FOLDER writes 1.c and 1.expected, 2.c …
split() {
    awk -v folder="$2" '
        /^```$/ && inside { if (code ~ /int main\(/) { n++; printf "%s", code >(folder "/" n ".c"); wanted = 1 }
                            inside = printed = 0; code = ""; next }
        /^```c$/ { inside = 1; next }
        /^```$/ && printed { printed = wanted = 0; next }
        /^```$/ && wanted { printed = 1; next }
        inside { code = code $0 "\n" }
        printed { print >(folder "/" n ".expected") }' "$1"
}

# shellcheck disable=SC2046  # flags are words
prints() { # PROGRAM.c
    cc -Wall -Wextra -Werror -o "${1%.c}" "$1" $(pkg-config --cflags --libs greenroom) &&
        timeout 60 "${1%.c}" >"${1%.c}.out" && diff "${1%.c}.expected" "${1%.c}.out"
}

for document in docs/*.md; do
    folder=$work/$(basename "$document" .md)
    mkdir "$folder"
    split "$document" "$folder"
    for program in "$folder"/*.c; do
        [ ! -e "$program" ] || check "$document: program $(basename "$program" .c)" prints "$program"
    done
done
# so that a change of how they are written does not leave them out unseen
for page in from-langchain callbacks cluster; do
    check "docs/$page.md has a program" test -e "$work/$page/1.c"
done

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
