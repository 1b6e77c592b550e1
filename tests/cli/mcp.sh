#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mcp.sh - MCP servers in chain files: a program's tools, a server that dies and is started again, mistakes.
# shellcheck disable=SC1091,SC2034,SC2154
. tests/cli/_lib.sh

# A server of a few lines of shell: it knows a handshake and two tools.
cat >"$work/server.sh" <<'END'
while read -r line; do
    id=$(printf '%s\n' "$line" | sed -n 's/.*"id": \([0-9]*\).*/\1/p')
    case $line in
    *'"method": "initialize"'*) result='{"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}}' ;;
    *'"method": "tools/list"'*)
        result='{"tools": [{"name": "greet", "description": "Greets", "inputSchema": {"type": "object"}}]}' ;;
    *'"name": "die"'*) exit 3 ;;
    *'"method": "tools/call"'*)
        result='{"content": [{"type": "text", "text": "'"${GREETING:-none}, $PWD, ${HIDDEN:-hidden}"'"}]}' ;;
    *)
        [ -z "$id" ] || printf '{"jsonrpc": "2.0", "id": %s, "error": {"code": -32601, "message": "no"}}\n' "$id"
        continue
        ;;
    esac
    printf '{"jsonrpc": "2.0", "id": %s, "result": %s}\n' "$id" "$result"
done
END
mkdir "$work/there"
url=ipc://$work/s.ipc
cat >"$work/m.yaml" <<END
listen: "$url"
publish: [server, greet, die]
actors:
  server:
    mcp: {command: /bin/sh, args: ["$work/server.sh"], env: {GREETING: hello}, folder: there, prefix: my}
  greet: {mcp_tool: {client: server, name: greet}}
  die: {mcp_tool: {client: server, name: die}}
main: greet
END
HIDDEN=seen
export HIDDEN
there=$(cd "$work/there" && pwd -P)

run 0 "$greenroom" run "$work/m.yaml" --input '{}'
is "a tool of a program" "\"hello, $there, hidden\"" "$out"
run 0 "$greenroom" run "$work/m.yaml" --input '{"type": "tool_call", "name": "my_greet", "args": {}, "id": "c1"}'
has "as a model calls it" '"tool_call_id": "c1", "name": "my_greet", "status": "success"' "$out"

start_server "$work/m.yaml" || finish
run 0 "$greenroom" call "$url" server list_tools --input null
has "its tools" '"name": "greet"' "$out"
run 0 "$greenroom" call "$url" greet tool --input null
has "as a model is told of it" '"name": "my_greet", "description": "Greets", "parameters"' "$out"
run 1 "$greenroom" call "$url" die invoke --input '{}'
has "a call that the server dies of" 'GR_EBROKEN' "$err"
run 0 "$greenroom" call "$url" greet invoke --input '{}'
is "the next one has another server" "\"hello, $there, hidden\"" "$out"
stop_server TERM
is "it ends well" 0 "$code"

printf 'actors:\n  s: {mcp: {command: ./no-such-server}}\nmain: s\n' >"$work/bad.yaml"
run 2 "$greenroom" check "$work/bad.yaml"
has "a mistake has its place" "bad.yaml:2:22: ./no-such-server" "$err$out"
has "a program that is not there is told with its place" "can't be run: No such file" "$err$out"
printf '#!/bin/sh\n: >"%s/ran"\nexec /bin/sh "%s/server.sh"\n' "$work" "$work" >"$work/server"
chmod +x "$work/server"
cat >"$work/own.yaml" <<END
actors:
  server: {mcp: {command: ./server, folder: there}}
  greet: {mcp_tool: {client: server, name: greet}}
  model: {script_model: [hi]}
  bound: {bind_tools: {model: model, tools: [greet, server]}}
  agent: {agent: {model: bound, tools: [server]}}
main: greet
END
run 0 "$greenroom" check "$work/own.yaml"
has "a file with a server is fine" "fine, 5 actors" "$out"
is "check starts no server" no "$([ -e "$work/ran" ] && echo yes || echo no)"
run 0 sh -c 'cd "$1" && "$2" run own.yaml --input "{}"' sh "$work" "$(realpath "$greenroom")"
is "a command is seen from the chain file, whatever its folder" "\"none, $there, hidden\"" "$out"
is "run does start it" yes "$([ -e "$work/ran" ] && echo yes || echo no)"

printf 'actors:\n  s: {mcp: {command: sh, url: "http://127.0.0.1:9/"}}\nmain: s\n' >"$work/both.yaml"
run 2 "$greenroom" check "$work/both.yaml"
has "options that make no sense are told" "either a command or a url" "$err$out"
printf 'actors:\n  s: {mcp: {command: no-such-server}}\nmain: s\n' >"$work/path.yaml"
run 2 "$greenroom" check "$work/path.yaml"
has "a program that is not on the path is told" "no-such-server can't be run: No such file" "$err$out"
printf 'actors:\n  s: {mcp: {url: "http://127.0.0.1:9/", api_key: x}}\nmain: s\n' >"$work/key.yaml"
run 2 "$greenroom" check "$work/key.yaml"
has "a key in a file is refused" 'key_env' "$err$out"
finish
