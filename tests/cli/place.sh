#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# place.sh - where the actors of a chain file live: what is read, refused and noted, drawn, served and called.
# shellcheck disable=SC1091,SC2013,SC2016,SC2034,SC2154,SC2317
. tests/cli/_lib.sh

cat >"$work/f.yaml" <<END
nodes:
  front: "ipc://$work/front.ipc"
  a: {listen: ["ipc://$work/a.ipc"], workers: 2, env: {OPENAI_BASE_URL: "http://127.0.0.1:1", OPENAI_API_KEY: none}}
pools:
  both: {nodes: [front, a], routing: local}
main: answer
actors:
  greet: {prompt: "Hello {name}", on: a}
  loud: {prompt: "{text}!", pool: both, idempotent: true, routing: round_robin}
  apart: {str_parser: {}, on: [front], isolate: true}
  wrap: {parallel: {text: greet}}
  answer: {sequence: [wrap, loud, apart], on: front}
  here: {sequence: [wrap, loud]}
  model: {chat_model: {model: m, max_retries: 0}, on: a}
END

# ---- read ----------------------------------------------------------------------------------------

run 0 "$greenroom" check "$work/f.yaml"
is "fine" "$work/f.yaml: fine, 7 actors, 2 nodes" "$out"
is "without a note" "" "$err"

# mistake TEXT PLACE-AND-WHAT: a file with the nodes a and b, and this, is refused.
nodes="nodes: {a: \"ipc://$work/a.ipc\", b: \"ipc://$work/b.ipc\"}"
mistake() {
    printf '%s\n%s\n' "$nodes" "$1" >"$work/m.yaml"
    run 2 "$greenroom" check "$work/m.yaml"
    has "refused: $1" "$work/m.yaml:$2" "$err"
}
two="y: {str_parser: {}, on: [a, b]}"
mistake "actors: {x: {str_parser: {}, on: c}, $two}" '2:34: no node is named "c"'
mistake "actors: {x: {str_parser: {}, on: [a, aa]}, $two}" '2:38: no node is named "aa"; did you mean "a"?'
mistake "actors: {x: {str_parser: {}, on: [a, a]}, $two}" '2:38: node "a" is named twice'
mistake "actors: {x: {str_parser: {}, on: []}, $two}" '2:34: on: an empty list is given, at least one node'
mistake "actors: {x: {str_parser: {}, on: {a: b}}, $two}" '2:34: on: a map is given, a text, or a list of texts'
mistake "actors: {x: {str_parser: {}, pool: p}, $two}" '2:36: no pool is named "p"'
mistake "actors: {x: {str_parser: {}, on: a, pool: p}, $two}
pools: {p: [a, b]}" '2:43: "x" is placed twice, by on and by pool'
mistake "actors: {$two}
pools: {p: []}" '3:12: nodes: an empty list is given, at least one node'
mistake "actors: {$two}
pools: {p: [a, c]}" '3:16: no node is named "c"'
mistake "actors: {$two}
pools: {p: {nodes: [a], routing: best}}" '3:34: routing: "best" is given, round_robin, fewest or local'
mistake "actors: {$two}
pools: [a]" '3:8: pools: a list is given, a map of names to keys was expected'
mistake "actors: {x: {str_parser: {}, on: a, idempotent: true}, $two}" '2:49: idempotent: this is for an actor with'
mistake "actors: {x: {str_parser: {}, routing: local}, $two}" '2:39: routing: this is for an actor with'
mistake "actors: {x: {str_parser: {}, on: [a], idempotent: maybe}, $two}" '2:51: idempotent: a text is given'
mistake "actors: {x: {sequence: [{str_parser: {}, on: a}, y]}, $two}" '2:42: on: only an actor with a name'
mistake "actors: {x: {str_parser: {}, on: a}}" '1:'
has "of which node" 'no actor is on node "b"' "$err"
mistake "actors: {$two}
listen: ipc:///tmp/x" '3:9: listen: in a file with nodes each node listens for itself'
mistake "actors: {$two}
publish: [y]" '3:10: publish: in a file with nodes'
mistake "actors: {$two}
node: {name: n}" '3:14: name: in a file with nodes each has its name there'
mistake "actors: {$two}
up: {intensity: -1}" '3:17: intensity: -1 is given'
mistake "actors: {x: {sequence: [z], on: a}, z: {sequence: [x], on: b}}" '2:52: "x" refers to itself: x -> z -> x'
mistake "actors: {x: {pool: {name: far}}, $two}" '2:20: pool: nobody is known to publish "far"'
nodes='nodes: {a: "ipc:///tmp/x", b: ["ipc:///tmp/y", "ipc:///tmp/x"]}'
mistake "actors: {$two}" '1:48: listen: node "a" listens on that URL already'
nodes='nodes: {a: "ipc:///tmp/x", b: {listen: "http://x"}}'
mistake "actors: {$two}" '1:40: listen: a text is given, ipc:///path, tcp://host:port or'
nodes='nodes: {a: "ipc:///tmp/x", b: {advertise: "tcp://h:1"}}'
mistake "actors: {$two}" '1:28: nodes needs the key "listen"'
nodes='nodes: {a: "ipc:///tmp/x", b: {listen: []}}'
mistake "actors: {$two}" '1:40: listen: at least one URL was expected'
nodes='nodes: {a: "ipc:///tmp/x", "b b": "ipc:///tmp/y"}'
mistake "actors: {$two}" '1:28: "b b" can'
nodes='nodes: {a: "ipc:///tmp/x", b: {listen: "ipc:///tmp/y", env: {"1A": x}}}'
mistake "actors: {$two}" '1:62: env: "1A" is no name of an environment variable'
nodes='nodes: {}'
mistake "actors: {$two}" '1:8: nodes: 0 are given, 1 to 64 were expected'
nodes="nodes: {$(i=0; while [ $i -lt 65 ]; do printf 'n%d: "ipc:///tmp/%d", ' $i $i; i=$((i + 1)); done)}"
mistake "actors: {$two}" '1:8: nodes: 65 are given'
nodes="nodes: {a: [$(i=0; while [ $i -lt 17 ]; do printf '"ipc:///tmp/%d", ' $i; i=$((i + 1)); done)]}"
mistake "actors: {$two}" '1:12: listen: 17 URLs are given, at most 16'
nodes='up: {}'
mistake "actors: {$two}" '2:35: no node is named "a": the file has no nodes'

# Doors.
nodes='nodes: {a: "ipc:///tmp/x", b: "tcp://0.0.0.0:7700"}'
mistake "actors: {$two}" '1:31: listen: node "b": this can be reached from other hosts, so tls+tcp was expected'
nodes='nodes: {a: "ipc:///tmp/x", b: "tls+tcp://example.org:7700"}'
mistake "actors: {$two}" '1:31: listen: node "b": tls+tcp needs tls_cert'
nodes='nodes: {a: "ipc:///tmp/x", b: {listen: "tls+tcp://example.org:7700", tls_cert: b.pem}}'
mistake "actors: {$two}" '1:40: listen: node "b": anybody could connect: node needs secret_file, secret_env or tls_ca'
nodes='nodes: {a: "ipc:///tmp/x", b: "tcp://127.0.0.1:0"}'
mistake "actors: {$two}" "1:31: listen: node \"b\": others can't know which port 0 becomes"
nodes='nodes: {a: "ipc:///tmp/x", b: "tcp://127.0.0.1"}'
mistake "actors: {$two}" '1:31: listen: node "b": host:port was expected'
nodes='nodes: {a: "ipc:///tmp/x", b: "ipc://y"}'
mistake "actors: {$two}" '1:31: listen: node "b": ipc:///path was expected'

# fine TEXT NOTE: a file with the nodes a and b, and this, is fine, and NOTE is told; "" nothing.
fine() {
    printf '%s\n%s\n' "$nodes" "$1" >"$work/m.yaml"
    run 0 "$greenroom" check "$work/m.yaml"
    if [ -n "$2" ]; then has "noted: $1" "$2" "$err"; else is "nothing is noted: $1" "" "$err"; fi
}
nodes='nodes: {a: "ipc:///tmp/x", b: "tls+tcp://example.org:7700"}'
fine "actors: {$two}
node: {secret_env: HOME, tls_cert: b.pem}" ""
nodes='nodes: {a: "ipc:///tmp/x", b: "tcp://0.0.0.0:7700"}'
fine "actors: {$two}
node: {insecure: true}" ""
run 0 env GR_INSECURE=1 "$greenroom" check "$work/m.yaml"
nodes='nodes: {a: "ipc:///tmp/x", b: "ipc:///tmp/y"}'
store='s: {memory_store: {embeddings: {hash_embeddings: {}}}}'
fine "actors: {$store, x: {retriever: {store: s}, on: [a, b]}}" \
    '2:10: note: "s" keeps state, and is made more than once, for a, b; give it a place by on'
fine "actors: {$store, x: {retriever: {store: s}, on: a}, z: {str_parser: {}, on: b}, m: {retriever: {store: s}}}
main: m" '2:10: note: "s" keeps state, and is made more than once, for a and who runs main'
fine "actors: {$store, x: {retriever: {store: s}, on: a}, z: {str_parser: {}, on: b}}" ""
fine "actors: {h: {memory_history: {}, on: [a, b]}}" '2:10: note: "h" keeps state, and each of its nodes has its own'
fine "actors: {$two}
pools: {p: [a]}" '3:9: note: no actor has the pool "p"'
fine "actors: {x: {sequence: [y], on: a}, y: {str_parser: {}, on: b}, z: {sequence: [w], on: b}, w: {str_parser: {}, on: a}}" \
    'note'
has "a circle is worth a note" "1:9: note: nodes call each other in a circle: a, b; while one of them drains" "$err"
fine "actors: {x: {sequence: [y, y], on: a}, y: {str_parser: {}, on: b}}" ""

# ---- drawn ---------------------------------------------------------------------------------------

run 0 "$greenroom" graph "$work/f.yaml"
is "nodes are subgraphs" 'flowchart LR
  subgraph n0["front"]
    n0a1["loud: prompt"]
    n0a2["apart: str_parser"]
    n0a3["wrap: parallel"]
    n0a4["answer: sequence"]
  end
  subgraph n1["a"]
    n1a0["greet: prompt"]
    n1a1["loud: prompt"]
    n1a6["model: chat_model"]
  end
  p1{{"loud: round_robin"}}
  p1 --> n0a1
  p1 --> n1a1
  p2{{"apart: round_robin"}}
  p2 --> n0a2
  n0a3 --> n1a0
  n0a4 --> n0a3
  n0a4 --> p1
  n0a4 --> p2' "$out"
run 0 "$greenroom" graph "$work/f.yaml" answer
has "one actor, as ever" "Prompt" "$out"

# ---- served and called ---------------------------------------------------------------------------

run 2 "$greenroom" serve "$work/f.yaml"
has "serve wants to know which" "has nodes: say which with --node, or start all of them with greenroom up" "$err"
run 2 "$greenroom" serve "$work/f.yaml" --node b
has "none of that name" "f.yaml has no node \"b\"" "$err"
run 2 "$greenroom" serve examples/serve.yaml --node b
has "a file without nodes" "has no nodes; --node is for files that have" "$err"
run 2 "$greenroom" run "$work/f.yaml" --node=a
has "only serve is a node" "run: there is no option --node;" "$err"

run 1 "$greenroom" run "$work/f.yaml" greet --input '{"name": "Ada"}'
has "nobody serves it yet" "GR_EUNREACH" "$err"

# serve_node NAME starts one; start_server's words.
serve_node() {
    "$greenroom" serve "$work/f.yaml" --node "$1" >"$work/$1_out" 2>"$work/$1_err" &
    server=$!
    started="$started $server"
    until_true grep -q '^pid ' "$work/$1_out" || cat "$work/$1_err"
}
: >"$work/a_out"
: >"$work/front_out"
serve_node a
a=$server
run 0 "$greenroom" run "$work/f.yaml" greet --input '{"name": "Ada"}'
is "an actor on a node" '"Hello Ada"' "$out"
run 0 "$greenroom" run "$work/f.yaml" loud --input '{"text": "x"}'
is "a pool, one of two is there" '"x!"' "$out"
run 0 "$greenroom" run "$work/f.yaml" here --input '{"name": "Ada"}'
is "what has no place is made by the caller, and calls the rest" '"Hello Ada!"' "$out"
run 1 env OPENAI_BASE_URL=http://127.0.0.1:2 "$greenroom" run "$work/f.yaml" model --text x
has "a node's env is that of its actors" "connecting to 127.0.0.1:1:" "$err"
run 1 "$greenroom" call "ipc://$work/a.ipc" answer --input '{}'
has "a node has what lives there, and no more" "answer" "$err"
serve_node front
run 0 "$greenroom" run "$work/f.yaml" --input '{"name": "Ada"}'
is "a sequence over both" '"Hello Ada!"' "$out"
run 0 "$greenroom" stream "$work/f.yaml" --input '{"name": "Ada"}' --text-out
is "streamed" 'Hello Ada!' "$out"
run 0 "$greenroom" batch "$work/f.yaml" --input '[{"name": "Ada"}, {"name": "Bob"}]'
is "many at once" '["Hello Ada!", "Hello Bob!"]' "$out"
run 0 "$greenroom" sim "$work/f.yaml" --input '{"name": "Ada"}' --seeds 3
kill "$server" "$a"
code=0
wait "$server" || code=$?
wait "$a" || code=$?
is "both end well" 0 "$code"
is "and said nothing else" "" "$(cat "$work/a_err" "$work/front_err")"

# The secret and the cluster's name are the file's, for nodes and callers alike; a node's name is its own.
printf 'sixteen bytes or more' >"$work/secret"
cat >"$work/s.yaml" <<END
node: {cluster: shop, secret_file: secret}
nodes: {a: "ipc://$work/a.ipc"}
actors: {x: {passthrough: {}, on: a}, many: {passthrough: {}, on: [a]}}
END
cp "$work/s.yaml" "$work/f.yaml"
: >"$work/a_out"
serve_node a
run 0 "$greenroom" run "$work/f.yaml" x --text y
is "with a secret" '"y"' "$out"
run 0 "$greenroom" run "$work/f.yaml" many --text y
is "a pool, too" '"y"' "$out"
run 1 "$greenroom" call "ipc://$work/a.ipc" x --text y
has "strangers are refused" "GR_EPROTO" "$err"

# pool as a kind: whoever publishes a name, without nodes in this file.
cat >"$work/p.yaml" <<END
node: {cluster: shop, secret_file: secret}
actors:
  x: {pool: {name: x, urls: ["ipc://$work/nobody.ipc", "ipc://$work/a.ipc"], routing: fewest, idempotent: true}}
  one: {pool: {name: x, urls: "ipc://$work/a.ipc"}}
END
for actor in x x one; do
    run 0 "$greenroom" run "$work/p.yaml" $actor --text y
    is "the kind pool: $actor" '"y"' "$out"
done
printf 'actors: {x: {pool: {name: x, urls: []}}}\n' >"$work/p.yaml"
run 2 "$greenroom" check "$work/p.yaml"
has "without anybody" "p.yaml:1:20: pool: nobody is known to publish" "$err"
printf 'actors: {x: {pool: {name: x, urls: "ipc:///x", routing: far}}}\n' >"$work/p.yaml"
run 2 "$greenroom" check "$work/p.yaml"
has "with a routing that is none" "p.yaml:1:57: routing: \"far\" is given" "$err"
kill "$server"
wait "$server"
finish
