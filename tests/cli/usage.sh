#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage.sh - help, version, and what a wrong command line is answered with.
# shellcheck disable=SC1091,SC2013,SC2016,SC2034,SC2154,SC2317
. tests/cli/_lib.sh

run 0 "$greenroom" --version
has "version" "greenroom 0." "$out"
run 0 "$greenroom" --help
for command in run stream batch serve up call sim check kinds; do
    has "help names $command" "  $command " "$out"
    run 0 "$greenroom" "$command" --help
    has "$command has a help" "usage: greenroom $command " "$out"
    is "$command --help is no error" "" "$err"
    run 0 "$greenroom" help "$command"
    run 0 "$greenroom" --help
done

run 2 "$greenroom"
is "no output on misuse" "" "$out"
has "no command" "greenroom: a command was expected; greenroom --help tells how" "$err"
run 2 "$greenroom" walk
has "unknown command" 'there is no command walk' "$err"
run 2 "$greenroom" --walk
has "unknown option" 'there is no option --walk' "$err"
run 2 "$greenroom" help walk
run 2 "$greenroom" run
has "file missing" "run: missing:" "$err"
run 2 "$greenroom" run a b c
has "one too many" "run: not expected: c" "$err"
run 2 "$greenroom" run examples/hello.yaml --stream
has "an option of another command" "run: there is no option --stream" "$err"
run 2 "$greenroom" run examples/hello.yaml --input
has "an option without its value" "run: a value was expected after --input" "$err"
run 2 "$greenroom" run examples/hello.yaml --input '{"a":'
has "bad JSON" "--input: line 1, column 6" "$err"
has "a hint for plain text" "use --text" "$err"
run 2 "$greenroom" run examples/hello.yaml --input 1 --text x
has "two inputs" "more than one input" "$err"
run 2 "$greenroom" run examples/hello.yaml --input @/nowhere
has "no such file" "--input: /nowhere can't be opened: No such file" "$err"
run 2 "$greenroom" run examples/hello.yaml --timeout soon
has "bad timeout" "--timeout: seconds above 0 were expected, not soon" "$err"
run 2 "$greenroom" run examples/hello.yaml --workers 65
run 2 "$greenroom" run examples/hello.yaml --config '[]'
has "bad config" "--config: a JSON map was expected" "$err"
run 2 "$greenroom" run examples/hello.yaml nobody --input '{}'
has "unknown actor" 'has no actor "nobody"' "$err"
run 2 "$greenroom" run examples/hello.yaml helo --input '{}'
has "an actor misspelt" 'did you mean "hello"?' "$err"
run 2 "$greenroom" batch examples/hello.yaml --input '{}'
has "batch wants a list" "a JSON list was expected, not map" "$err"
run 2 "$greenroom" sim
has "sim wants a file" "sim: missing:" "$err"
run 2 "$greenroom" sim examples/hello.yaml --faults sched,rain
has "no such fault" "--faults: there are no faults named sched,rain" "$err"
run 2 "$greenroom" sim examples/hello.yaml --seed 0
has "no such seed" "--seed: a number from 1 was expected, not 0" "$err"
run 2 "$greenroom" sim examples/hello.yaml --jobs 65
run 2 "$greenroom" sim examples/hello.yaml --runs 0
run 2 "$greenroom" sim examples/hello.yaml nobody
has "sim knows the actors" 'has no actor "nobody"' "$err"
run 2 "$greenroom" run examples/hello.yaml -v
has "an option of sim alone" "run: there is no option -v" "$err"
run 2 "$greenroom" up examples/nodes.yaml --text x
has "an option with a value, of other commands" "up: there is no option --text;" "$err"
run 2 "$greenroom" ps
has "what is missing" "ps: missing: URL;" "$err"
run 0 "$greenroom" up --help
has "options stand before the other command" "greenroom up FILE [OPTION…] [-- COMMAND]" "$out"
run 2 "$greenroom" run /nowhere.yaml
has "no chain file" "/nowhere.yaml: can't be opened: No such file" "$err"
run 2 "$greenroom" kinds sequense
has "a kind misspelt" 'did you mean "sequence"?' "$err"
run 2 "$greenroom" call http://x y
has "a URL it can't call" "http://x" "$err"

if [ -w /dev/full ]; then
    code=0
    "$greenroom" run examples/hello.yaml --input '{"name": "Ada"}' >/dev/full 2>"$work/err" || code=$?
    is "a full disk is a failure" 1 "$code"
    has "and said" "standard output: No space left" "$(cat "$work/err")"
    code=0
    "$greenroom" --help >/dev/full 2>"$work/err" || code=$?
    is "so it is for the help" 1 "$code"
    has "which says it, too" "standard output: No space left" "$(cat "$work/err")"
fi
finish
