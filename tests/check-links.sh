#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# check-links.sh - every relative link in README.md and docs/ leads to a file, and every #part of one to a
# heading. Last line: N passed, N failed, a document each.
set -eu
cd "$(dirname "$0")/.."

passed=0
failed=0

# anchors FILE prints what its headings can be linked by.
anchors() {
    sed -n '/^```/,/^```/d; s/^#\{1,6\} *//p' "$1" | tr '[:upper:]' '[:lower:]' |
        sed 's/[^a-z0-9 _-]//g; s/ /-/g'
}

# links FILE prints "line target" of each link, code blocks and code spans left out.
links() {
    awk '
        /^```/ { code = !code }
        !code {
            line = $0
            gsub(/`[^`]*`/, "", line)
            while (match(line, /\]\([^) ]+[^)]*\)/)) {
                target = substr(line, RSTART + 2, RLENGTH - 3)
                sub(/ .*/, "", target)
                print NR " " target
                line = substr(line, RSTART + RLENGTH)
            }
        }' "$1"
}

check() {
    folder=$(dirname "$1")
    links "$1" | while read -r line target; do
        case $target in
        http://* | https://* | mailto:*) continue ;;
        esac
        part=
        case $target in *'#'*) part=${target#*#} ;; esac
        path=${target%%#*}
        file=$folder/$path
        [ -n "$path" ] || file=$1
        if [ ! -e "$file" ]; then
            echo "$1:$line: no such file: $target"
        elif [ -n "$part" ] && [ -f "$file" ] && ! anchors "$file" | grep -q -x -F -- "$part"; then
            echo "$1:$line: no such heading: $target"
        fi
    done
}

for document in README.md CHANGELOG.md CONTRIBUTING.md $(find docs examples -name '*.md' 2>/dev/null | sort); do
    [ -f "$document" ] || continue
    found=$(check "$document")
    if [ -z "$found" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s\n' "$found"
    fi
done

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
