# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# _check.sh - included by scripts that test, from the project's own folder: a folder to work in, and
# counting. The tests of the command have tests/cli/_lib.sh, which does more.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

pass() { passed=$((passed + 1)); }

# fail WHAT… says what has failed.
fail() {
    failed=$((failed + 1))
    printf 'FAIL %s\n' "$*"
}

# check NAME COMMAND… is one test; what the command prints is shown when it fails.
check() {
    name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        pass
        printf 'ok   %s\n' "$name"
    else
        fail "$name"
        sed 's/^/     /' "$work/log"
    fi
}
