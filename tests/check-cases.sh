#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# check-cases.sh - tests/conformance/cases.txt accounts for every case of LangChain's, and the tests agree with it.
#
# A test has a case if its name begins with the id (core_03_a_list_of_configs…), or if it checks a table whose
# entries begin with it ({ "core-01", …): both are printed. Last line: N passed, N failed.
set -eu
cd "$(dirname "$0")/.."

. tests/_check.sh

list=tests/conformance/cases.txt
# The areas of which at most a twentieth may be without a test.
owned='runnable concurrency errors streaming config cancel lambda generator sequence callbacks parallel passthrough
    assign pick branch router each binding listeners configurable retry fallbacks history events astream_log tracer
    prompt messages output_parser'

# is_empty WHAT FILE: the rule WHAT holds if nothing stands in FILE.
is_empty() { check "$1" awk '{ print } END { exit NR > 0 }' "$2"; }

sed '/^#/d; /^$/d' "$list" >"$work/list"

# Every test as "id suite.name"; in names an id's dashes are underscores.
awk '
    FNR == 1 { suite = "" }
    /^TestSuite\(/ { split($0, part, /[(,]/); suite = part[2] }
    /^Test\(/ {
        split($0, part, /[(,)] */)
        name = part[3]
        id = match(name, /^[a-z]+(_[a-z]+)*_[0-9][0-9]_/) ? substr(name, 1, RLENGTH - 1) : "-"
        print id, part[2] "." name
    }
    suite != "" && /^    \{ "[a-z_-]+-[0-9][0-9]",/ {
        split($0, part, "\"")
        id = part[2]
        gsub(/-/, "_", id)
        print id, suite ".what_langchain_core_gives"
    }' tests/conformance/*_test.c | sort -u >"$work/carried"

awk '!($3 ~ /^[a-z]+\.[a-z0-9_]+$/ && NF == 3) && !/ (not in C|later): ./ { print "not understood: " $0 }
    seen[$1]++ { print "twice: " $1 }' "$work/list" >"$work/out"
is_empty 'the list can be read' "$work/out"

awk 'NR == FNR { carried[$0] = 1; next }
    $3 !~ /:$/ && $3 != "not" {
        id = $1
        gsub(/-/, "_", id)
        if (!((id " " $3) in carried))
            print $1 ": no test " $3 " has it"
    }' "$work/carried" "$work/list" >"$work/out"
is_empty 'each case that is said to have a test has it' "$work/out"

# A case that is put off, or left out, may have a test all the same only if the list says so.
awk 'NR == FNR { id = $1; gsub(/-/, "_", id); how[id] = $3; next }
    $1 == "-" { next }
    !($1 in how) { print $2 ": no case " $1 " is listed" }
    how[$1] ~ /:$|^not$/ { print $2 ": the list says that there is no test of " $1 }' \
    "$work/list" "$work/carried" >"$work/out"
is_empty 'each case that a test prints is listed' "$work/out"

# The cases that were given come first in the list, then further ones.
awk -v owned="$owned" '
    function told(what, of) {
        printf "%-30s %3d: %d tested, %d not in C, %d later\n", what, count[of], count[of, "tested"],
            count[of, "not in C"], count[of, "later"]
    }
    BEGIN { n = split(owned, part, /[ \n]+/); for (i = 1; i <= n; i++) own[part[i]] = 1 }
    /^# ---- further ones/ { further = 1 }
    /^#/ || NF == 0 { next }
    {
        kind = $3 ~ /:$/ ? "later" : $3 == "not" ? "not in C" : "tested"
        of = ($2 in own ? "own" : "other") further
        count[of]++
        count[of, kind]++
    }
    END {
        told("given, of the areas here", "own")
        told("given, of others", "other")
        told("further, of the areas here", "own" 1)
        told("further, of others", "other" 1)
        exit 20 * (count["own"] - count["own", "tested"]) > count["own"]
    }' "$list" >"$work/totals" && few=true || few=false
cat "$work/totals"
check 'at most a twentieth of the areas here has no test' "$few"

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
