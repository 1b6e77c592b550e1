# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# _check.sh - included by the scripts here: a folder to work in, and counting.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# check NAME COMMAND… is one test; what the command prints is shown when it fails.
check() {
    name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        printf 'ok   %s\n' "$name"
        passed=$((passed + 1))
    else
        printf 'FAIL %s\n' "$name"
        sed 's/^/     /' "$work/log"
        failed=$((failed + 1))
    fi
}
