#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# api.sh - chat_client.c, a program that uses the library, against a server that is not ours.
# shellcheck disable=SC1091,SC2034,SC2154,SC2317,SC2086
. tests/clients/_lib.sh

# It is built like the rest of the build: with its compiler, its sanitizers, and its library.
build=${GR_BUILD_DIR:-$PWD/build/release}
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
sanitize=$(cached GR_SANITIZE)
flags=${sanitize:+-fsanitize=$sanitize}
[ "$(cached GR_COVERAGE)" != ON ] || flags=--coverage
if [ -n "$flags" ]; then
    link="$flags $build/libgreenroom_testing.a -lnng -lmbedcrypto -lmsgpackc -lcurl -lpthread -lm"
else
    link="-L$build -Wl,-rpath,$build -lgreenroom"
fi
run 0 "$(cached CMAKE_C_COMPILER)" -std=c11 -Wall -Wextra -Wpedantic -Werror -g -Iinclude \
    tests/clients/chat_client.c -o "$work/chat_client" $link
[ "$code" = 0 ] || finish

start_peer "$key"
run_as "$key" 0 "$work/chat_client"
is "nothing on standard error" "" "$err"
printf '%s\n' "$out" | grep -v ' passed, ' # what failed
passed=$((passed + $(printf '%s\n' "$out" | sed -n 's/^\([0-9]*\) passed.*/\1/p')))
slow=$(sed -n 's/^request \([0-9]*\) .*/\1/p' "$peer_log" | tail -1)
until_true grep -q "^end $slow cut" "$peer_log"
is "leaving a stream closes its transfer" 1 "$(requests "^end $slow cut")"
finish_clients
