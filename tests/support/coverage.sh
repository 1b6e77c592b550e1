#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# coverage.sh - what the tests under the preset `coverage` have run of runtime/: a table of lines and
# branches, a row for each folder and file, the worst branches first, and the totals last.
#
#   tests/support/coverage.sh BUILD [MIN-LINES MIN-BRANCHES]
#
# The branches of our own assertions are left out: no test can take the failing one and live. Fails
# when the totals are below the minima (per cent). BUILD/report/index.html shows each line.
set -eu
cd "$(dirname "$0")/../.."

build=$1
min_lines=${2:-90}
min_branches=${3:-80}
out=$build/report
mkdir -p "$out"

gcovr --root . --object-directory "$build" --filter 'runtime/' \
    --exclude-branches-by-pattern '.*gri_(check|assert|assert_slow)\(.*' \
    --csv "$out/files.csv" --html-details "$out/index.html" >"$out/gcovr.log" 2>&1 || {
    cat "$out/gcovr.log"
    exit 1
}

# filename,line_total,line_covered,line_percent,branch_total,branch_covered,branch_percent,…
awk -F, '
    NR > 1 {
        folder = $1
        sub(/\/[^\/]*$/, "/", folder)
        for (i = 2; i <= 6; i++) { sum[folder, i] += $i; all[i] += $i }
        folders[folder] = 1
        print "2", row($1, $2, $3, $5, $6)
    }
    function percent(part, whole) { return whole > 0 ? 100 * part / whole : 100 }
    function row(name, lines, ran, branches, taken) {
        return sprintf("%09.4f %-36s %6d %6.1f %% %8d %6.1f %%", percent(taken, branches), name, lines,
            percent(ran, lines), branches, percent(taken, branches))
    }
    END {
        for (f in folders) print "1", row(f, sum[f, 2], sum[f, 3], sum[f, 5], sum[f, 6])
        print "3", row("all", all[2], all[3], all[5], all[6])
    }' "$out/files.csv" | sort >"$out/rows"
printf '%-36s %6s %8s %8s %8s\n' "" lines "ran" branches taken
awk '$1 != kind && kind != "" { print "" } { kind = $1; print substr($0, 13) }' "$out/rows"

tail -n 1 "$out/rows" | awk -v lines="$min_lines" -v branches="$min_branches" '
    { if ($5 < lines || $8 < branches) {
        printf "below the minimum of %s %% of lines and %s %% of branches\n", lines, branches
        exit 1
    } }'
