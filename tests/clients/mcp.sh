#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mcp.sh - the MCP client with the MCP project's own "everything" server: as a program, and over streamable HTTP.
# shellcheck disable=SC1091,SC2034,SC2154
. tests/clients/_lib.sh

tool=${GR_BUILD_DIR:-$PWD/build/release}/tests/clients/mcp_tool
[ -x "$tool" ] || skip "mcp_tool is not built"
every=$clients/node_modules/@modelcontextprotocol/server-everything/dist/index.js

# see WHAT ARGUMENT…: what mcp_tool looks at, one check a line.
see() {
    what=$1
    shift
    code=0
    timeout 200 "$tool" "$@" >"$work/seen" 2>"$work/seen_err" </dev/null || code=$?
    is "$what: all was looked at" 30 "$(grep -c '^ok ' "$work/seen")"
    [ "$code" = 0 ] || fail "$what" "$(grep -v '^ok ' "$work/seen")" "$(cat "$work/seen_err")"
    sed "s/^/$what: /" "$work/seen"
}

see stdio "$node" "$every" stdio

"$node" tests/clients/mcp_http.mjs "$clients" >"$peer_log" 2>"$work/peer_err" </dev/null &
started="$started $!"
until_true grep -q '^ready ' "$peer_log" || finish
url=$(sed -n 's/^ready //p' "$peer_log")
see http "$url"

# the same from a chain file, with a key that nobody is to see
MCP_KEY=$key
export MCP_KEY
cat >"$work/m.yaml" <<END
actors:
  program: {mcp: {command: "$node", args: ["$every", stdio], name: everything, tools: [echo, get-env]}}
  remote: {mcp: {url: "$url", key_env: MCP_KEY, prefix: r}}
  echo: {mcp_tool: {client: program, name: echo}}
  sum: {mcp_tool: {client: remote, name: get-sum}}
  secret: {mcp_tool: {client: program, name: get-env}}
  both: {parallel: {echo: echo, sum: sum}}
main: both
END
run 0 "$greenroom" run "$work/m.yaml" --input '{"message": "hi", "a": 1, "b": 2}'
cat "$work/out" "$work/err" >>"$work/heard"
has "a program's tool" '"echo": "Echo: hi"' "$out"
has "a remote one's" 'The sum of 1 and 2 is 3' "$out"
run 0 "$greenroom" run "$work/m.yaml" secret --input '{}'
lacks "a program gets no variable unasked" MCP_KEY "$out"
cat "$work/out" "$work/err" >>"$work/heard"
run 1 "$greenroom" run "$work/m.yaml" sum --input '{"a": "x"}'
has "what the server says is wrong" 'get-sum' "$err"
cat "$work/out" "$work/err" >>"$work/heard"
finish_clients
