#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# check-machines.sh - what this machine does not use itself: switching stacks by ucontext, which any processor
# can, and aarch64's own ways to switch stacks and to change a pair of words (runtime/base/twin.h),
# cross-compiled and run by qemu where both are installed (Debian: gcc-aarch64-linux-gnu, qemu-user-static). Each runs the
# unit test of fibers or of pairs.
#
# Last line: N passed, N failed, a way each. 77: there is nothing to run.
set -eu
cd "$(dirname "$0")/.."

. tests/_check.sh
here=$PWD

# layers COMPILER FLAG… compiles the layers that stand on nothing else, once for each kind; sets archive.
layers() {
    archive=$work/$(printf '%s' "$*" | cksum | tr ' ' _).a
    [ ! -e "$archive" ] || return 0
    objects=$(mktemp -d "$work/objects.XXXXXX")
    sources=$(for one in tests/support/memory.c runtime/base/*.c runtime/sched/*.c; do echo "$here/$one"; done)
    # shellcheck disable=SC2086  # a list of words
    (cd "$objects" && "$@" -I"$here/include" -I"$here" -c $sources) && ar qc "$archive" "$objects"/*.o
}

# build NOUN COMPILER OUTPUT FLAG…: the test, with those layers.
build() {
    noun=$1
    compiler=$2
    output=$3
    shift 3
    set -- "$compiler" -std=c11 -D_GNU_SOURCE -DGR_TESTING=1 -DGR_DEBUG=1 -DGR_TEST_PLAIN=1 -O2 -g1 -pthread "$@"
    layers "$@" &&
        "$@" -Iinclude -I. "tests/unit/${noun}_test.c" "$archive" -o "$output" -lm
}

# with_test NOUN NAME RUNNER COMPILER FLAG…
with_test() {
    test=$1
    name=$2
    runner=$3
    compiler=$4
    shift 4
    if ! build "$test" "$compiler" "$work/${test}_test" "$@" >"$work/build" 2>&1; then
        fail "$name: it does not build"
        sed 's/^/     /' "$work/build"
        return
    fi
    # shellcheck disable=SC2086 # an empty runner is none
    check "$name" $runner "$work/${test}_test"
}

native=$(command -v "${CC:-cc}" || true)
cross=$(command -v aarch64-linux-gnu-gcc || true)
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64 || true)

[ -z "$native" ] || with_test fiber ucontext '' "$native" -DGR_UCONTEXT=1
if [ -n "$cross" ] && [ -n "$qemu" ]; then
    with_test fiber aarch64 "$qemu" "$cross" -static
    with_test fiber 'aarch64, ucontext' "$qemu" "$cross" -static -DGR_UCONTEXT=1
    with_test twin 'aarch64, pairs' "$qemu" "$cross" -static
    with_test twin 'aarch64, pairs, compiled without optimising' "$qemu" "$cross" -static -O0
    with_test twin_locked 'aarch64, pairs with locks' "$qemu" "$cross" -static
else
    echo 'skip aarch64: no cross compiler, or no qemu'
fi

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] || exit 1
[ "$passed" -gt 0 ] || exit 77
