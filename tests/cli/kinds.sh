#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# kinds.sh - docs/chain-file.md says of the kinds what the command's own table says.
# shellcheck disable=SC1091,SC2013,SC2016,SC2034,SC2154,SC2317
. tests/cli/_lib.sh

run 0 "$greenroom" kinds --markdown
awk '/^<!-- kinds -->$/ { inside = 1; getline; next } /^<!-- \/kinds -->$/ { inside = 0 } inside' \
    docs/chain-file.md >"$work/documented"
if cmp -s "$work/out" "$work/documented"; then
    pass
else
    fail "docs/chain-file.md differs from greenroom kinds --markdown" \
        "$(diff "$work/documented" "$work/out" | head -n 20)"
fi

run 0 "$greenroom" kinds
for kind in $(sed -n 's/^### //p' "$work/documented"); do
    has "kinds lists $kind" "$kind - " "$out"
done
is "no kind twice" "$(sed -n 's/^### //p' "$work/documented" | sort | uniq -d)" ""
run 0 "$greenroom" kinds retriever
has "one kind alone" "k                a whole number, 1 to 10000: how many documents" "$out"
lacks "and no other" "memory_store - " "$out"
finish
