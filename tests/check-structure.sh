#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# check-structure.sh - the rules of the house that a script can check: which layer may include which,
# who may touch a foreign library, what nobody may call, how long a function may be.
#
# Prints one line for each offence, `file:line: what`, and last `N passed, N failed`, a rule each.
# Exceptions are listed here, each with its reason; a file has none of its own.
set -eu
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# rule NAME FILE: the rule holds if FILE is empty.
rule() {
    if [ -s "$2" ]; then
        printf 'FAIL %s\n' "$1"
        sort -u "$2" | sed 's/^/     /'
        failed=$((failed + 1))
    else
        printf 'ok   %s\n' "$1"
        passed=$((passed + 1))
    fi
}

# except PATTERN… drops the offences whose text matches one of the patterns.
except() {
    for pattern in "$@"; do
        printf '%s\n' "$pattern"
    done >"$work/except"
    grep -v -E -f "$work/except" || true
}

find runtime actors cli -name '*.[ch]' | sort >"$work/engine"
find runtime actors cli include tests bench examples -name '*.[ch]' -o -name '*.hpp' | sort \
    >"$work/all"

# ---- includes --------------------------------------------------------------------------------

# Every include of ours as "file:line header", without the brackets' kind.
xargs -r awk '
    /^[ \t]*#[ \t]*include[ \t]*[<"]/ {
        header = $0
        sub(/^[^<"]*[<"]/, "", header)
        sub(/[>"].*/, "", header)
        print FILENAME ":" FNR " " header
    }' <"$work/all" >"$work/includes"

awk '
    BEGIN {
        rank["base"] = 0; rank["value"] = 1; rank["sched"] = 2; rank["async"] = 3
        rank["observe"] = 4; rank["actor"] = 5
        rank["net"] = rank["http"] = rank["supervise"] = rank["program"] = 6
        rank["isolate"] = rank["cluster"] = 7
    }
    $1 ~ /^runtime\// {
        split($1, from, "/")
        if ($2 ~ /^(actors|cli)\//) {
            print $1 ": the engine includes " $2
        } else if ($2 ~ /^runtime\//) {
            split($2, to, "/")
            if (!(from[2] in rank) || !(to[2] in rank))
                print $1 ": a folder that has no rank: " $2
            else if (rank[to[2]] > rank[from[2]] || (rank[to[2]] == rank[from[2]] && to[2] != from[2]))
                print $1 ": " from[2] " is below or beside " to[2] ", and includes " $2
        }
    }' "$work/includes" >"$work/out"
rule "arrows go up: base < value < sched < async < observe < actor < net, http, supervise, program < isolate, cluster" "$work/out"

# marked FOLDER MARK: files of FOLDER include of the rest only runtime/base/ and what has the mark.
marked() {
    awk -v folder="^$1/" '$1 ~ folder && $2 ~ /^(runtime|actors|cli)\// && $2 !~ folder &&
        $2 !~ /^runtime\/base\// { print }' "$work/includes" |
        while read -r where header; do
            grep -q -F "gri: for $1/" "$header" 2>/dev/null ||
                echo "$where: $header is not marked 'gri: for $1/'"
        done
}
marked actors >"$work/out"
rule "actors/ sees the engine through public and marked headers" "$work/out"
marked cli >"$work/out"
rule "cli/ sees the rest through public and marked headers" "$work/out"

awk '
    $2 ~ /^nng\// && $1 !~ /^(runtime\/net\/link[^\/]*|bench\/peers\/link[^\/]*)$/ { print $1 ": nng is for runtime/net/link*" }
    $2 ~ /^curl\// && $1 !~ /^(runtime\/http\/reactor[^\/]*|bench\/peers\/curl_multi[^\/]*)$/ {
        print $1 ": curl is for runtime/http/reactor*" }
    $2 ~ /^msgpack/ && $1 !~ /^runtime\/value\/msgpack_[^\/]*$/ {
        print $1 ": msgpack is for runtime/value/msgpack_*" }
    $2 ~ /^mbedtls\// && $1 !~ /^(runtime\/net\/proof|actors\/store\/digest)[^\/]*$/ {
        print $1 ": mbedtls is for runtime/net/proof* and actors/store/digest*" }
    $2 == "sqlite3.h" && $1 !~ /^(actors\/store\/sqlite|bench\/keep)\.c:/ { print $1 ": SQLite is for actors/store/sqlite.c" }
    $2 == "pcre2.h" && $1 !~ /^actors\/text\/regex\.c:/ { print $1 ": pcre2 is for actors/text/regex.c" }
    $2 == "expat.h" && $1 !~ /^actors\/parse\/xml_parser\.c:/ { print $1 ": expat is for actors/parse/xml_parser.c" }
    $2 == "yaml.h" && $1 !~ /^cli\// { print $1 ": yaml is for cli/" }
    $2 == "jansson.h" && $1 !~ /^(tests|bench)\// { print $1 ": jansson is for tests" }
    $2 ~ /^criterion\// && $1 !~ /^tests\/support\// { print $1 ": use tests/support/test.h" }
' "$work/includes" >"$work/out"
rule "a foreign library has one place where it is used" "$work/out"

awk '$1 ~ /^include\// && $2 !~ /^greenroom\// &&
    $2 !~ /^(std(bool|def|int|arg|io|lib)|string|limits)\.h$/ && !($1 ~ /\.hpp:/ && $2 !~ /[.\/]/) {
        print $1 ": a public header includes " $2 }' "$work/includes" >"$work/out"
rule "public headers include only the standard library and each other" "$work/out"

# ---- files -----------------------------------------------------------------------------------

find runtime actors -name '*.[ch]' | awk -F/ '
    { if ($NF in first) print $0 ": the same name as " first[$NF]; else first[$NF] = $0 }' \
    >"$work/out"
rule "file names are unique across runtime/ and actors/" "$work/out"

{
    cat "$work/all"
    find tests examples bench cmake docs .ci dev CMakeLists.txt -type f \( -name '*.sh' -o -name '*.cmake' \
        -o -name CMakeLists.txt -o -name '*.in' -o -name '*.js' -o -name '*.mjs' -o -name '*.py' \
        -o -name dev -o -name run \) ! -name '*.pc.in' 2>/dev/null
} | while read -r file; do
    head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || echo "$file:1: no licence line"
done >"$work/out"
rule "every source says its licence" "$work/out"

# A script that a merge has broken, before somebody's first command is the one to tell.
{
    echo ./dev
    find . -path ./build -prune -o -name '*.sh' -print
} | sort | while read -r script; do
    sh -n "$script" 2>&1 || true
done >"$work/out"
rule "every script is one that a shell can read" "$work/out"

# ---- what the code says ----------------------------------------------------------------------

# The code alone, as "file:line:code": comments and the insides of literals are gone; where a //
# comment was is an @.
xargs -r awk '
    FNR == 1 { inside = 0 }
    {
        line = $0
        out = ""
        while (line != "") {
            if (inside) {
                end = index(line, "*/")
                if (!end) break
                line = substr(line, end + 2)
                inside = 0
            } else if (match(line, /\/\*|\/\/|"|'"'"'/)) {
                out = out substr(line, 1, RSTART - 1)
                what = substr(line, RSTART, RLENGTH)
                line = substr(line, RSTART + RLENGTH)
                if (what == "/*") {
                    inside = 1
                    out = out " "
                } else if (what == "//") {
                    out = out "@"
                    break
                } else {
                    out = out what what
                    while (line != "") {
                        c = substr(line, 1, 1)
                        line = substr(line, c == "\\" ? 3 : 2)
                        if (c == what) break
                    }
                }
            } else {
                out = out line
                break
            }
        }
        print FILENAME ":" FNR ":" out
    }' <"$work/all" >"$work/code"

# calls FILES NAMES: where a file whose path matches calls one of the functions.
calls() {
    grep -E "^($1)" "$work/code" |
        grep -E "^[^:]*:[0-9]*:(.*[^A-Za-z0-9_.>])?($2)[[:space:]]*\(" | sed 's/:[[:space:]]*/: /2' || true
}

grep -E '^[^:]*\.[ch]:[0-9]*:.*@' "$work/code" | sed 's/:\([0-9]*\):.*/:\1: a comment with two slashes/' \
    >"$work/out" || true
rule "comments are /* */" "$work/out"

calls 'runtime|actors|cli|examples|bench' \
    'strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|atof|strtok|gmtime|localtime|ctime|asctime|rand|srand|usleep|alloca|tmpnam' \
    >"$work/out"
rule "no strcpy, sprintf, atoi, strtok, gmtime, localtime, rand, usleep and their kin" "$work/out"

# What is excepted:
#   alloc.c        is the door to malloc
#   simulate_memory.c is the counting allocator behind that door
#   reactor_memory.c  is libcurl's memory, of which hosts may free some by the C library's own
#   world.c        scandir and getline give memory of the C library's own, which is freed with free
calls 'runtime|actors|cli' \
    'malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf|vasprintf|aligned_alloc|posix_memalign' |
    except '^runtime/base/alloc\.c:' '^cli/simulate_memory\.c:' \
        '^runtime/http/reactor_memory\.c:' '^runtime/sched/world\.c:[0-9]*: *free\(' >"$work/out"
rule "memory comes and goes through runtime/base/alloc.h" "$work/out"

# cpu_time.c reads the CPU time of a thread of the machine, which no simulation has.
calls 'runtime|actors|cli' \
    'clock_gettime|clock_nanosleep|nanosleep|sleep|gettimeofday|time|getrandom|getentropy|random' |
    except '^runtime/base/thread\.c:' '^runtime/base/cpu_time\.c:' >"$work/out"
rule "clock, sleep and chance are behind runtime/base/thread.h" "$work/out"

# Longer functions, by name, with the reason; STYLE allows tables and generated switches.
long_functions=''
awk -v allowed=" $long_functions " '
    {
        file = $0; sub(/:.*/, "", file)
        rest = substr($0, length(file) + 2)
        line = rest + 0
        sub(/^[0-9]*:/, "", rest)
    }
    rest ~ /^[A-Za-z_].*\(/ { name = rest; sub(/[ \t]*\(.*/, "", name); sub(/.*[ *]/, "", name) }
    rest ~ /^\{/ { start = line; in_file = file }
    rest ~ /^\}/ && start && in_file == file {
        if (line - start - 1 > 70 && index(allowed, " " name " ") == 0)
            print file ":" start ": " name " has " line - start - 1 " lines, more than 70"
        start = 0
    }' "$work/code" | grep -v '^include/' >"$work/out" || true
rule "no function is longer than 70 lines" "$work/out"

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
