#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# check-switches.sh - the ways to switch stacks that this machine does not use itself: ucontext, which any
# processor can, and aarch64's own, cross-compiled and run by qemu where both are installed (Debian:
# gcc-aarch64-linux-gnu, qemu-user-static). Each runs the unit test of fibers.
#
# Last line: N passed, N failed, a way each. 77: there is nothing to run.
set -eu
cd "$(dirname "$0")/.."

. tests/_check.sh

# build COMPILER OUTPUT FLAG…: the test, with the layers that stand on nothing else.
build() {
    compiler=$1
    output=$2
    shift 2
    "$compiler" -std=c11 -D_GNU_SOURCE -DGR_TESTING=1 -DGR_DEBUG=1 -DGR_TEST_PLAIN=1 -Iinclude -I. -O2 -g -pthread \
        "$@" tests/unit/fiber_test.c tests/support/memory.c runtime/base/*.c runtime/sched/*.c -o "$output" -lm
}

# with_test NAME RUNNER COMPILER FLAG…
with_test() {
    name=$1
    runner=$2
    compiler=$3
    shift 3
    if ! build "$compiler" "$work/fiber_test" "$@" >"$work/build" 2>&1; then
        fail "$name: it does not build"
        sed 's/^/     /' "$work/build"
        return
    fi
    # shellcheck disable=SC2086 # an empty runner is none
    check "$name" $runner "$work/fiber_test"
}

native=$(command -v "${CC:-cc}" || true)
cross=$(command -v aarch64-linux-gnu-gcc || true)
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64 || true)

[ -z "$native" ] || with_test ucontext '' "$native" -DGR_UCONTEXT=1
if [ -n "$cross" ] && [ -n "$qemu" ]; then
    with_test aarch64 "$qemu" "$cross" -static
    with_test 'aarch64, ucontext' "$qemu" "$cross" -static -DGR_UCONTEXT=1
else
    echo 'skip aarch64: no cross compiler, or no qemu'
fi

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] || exit 1
[ "$passed" -gt 0 ] || exit 77
