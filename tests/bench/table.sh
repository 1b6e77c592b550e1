#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# table.sh - bench/peers/table.awk judges as the bars mean it, on numbers that are made up.
set -u
table=bench/peers/table.awk
. tests/_check.sh

cat >"$work/rows" <<'ROWS'
# a comment
fast   fast   value   ns    ratio 12 30  60 300 200   - otp,caf all best 31 / 61
step   tens   step_ns ns    ratio 12 40  40   -   - 400 js      all js 400
small  small  value   bytes most   1 256  -   -   -   - -       one -
twice  twice  value   times least  2  - 1.8   -   -   - -       all -
absent absent value   ns    ratio 12 30  60 300 200   - otp,caf all best 31 / 61
beside beside value   ns    nng   12 1.1 1.1 -   -   - nng     all -
ahead  beside value   ns    otp   1  1   -   -   -   - otp     all -
ROWS

# measured SMALL TWICE prints what might have been measured.
measured() {
    cat <<LINES
{"bench":"fast","workers":1,"n":10,"value":61.0,"unit":"ns/op","ns_op_p50":1.0}
{"bench":"fast","workers":1,"n":10,"value":9000.0,"unit":"ns/op"}
{"bench":"fast","workers":1,"n":10,"value":59.0,"unit":"ns/op"}
{"bench":"fast","workers":2,"n":10,"value":121.0,"unit":"ns/op"}
{"side":"otp","bench":"fast","workers":1,"n":10,"value":610.0,"unit":"ns/op"}
{"side":"otp","bench":"fast","workers":2,"n":10,"value":400.0,"unit":"ns/op"}
{"side":"caf","bench":"fast","workers":2,"n":10,"value":1000.0,"unit":"ns/op"}
{"bench":"tens","workers":1,"n":10,"value":7,"unit":"ns/op","step_ns":80.0}
{"bench":"tens","workers":2,"n":10,"value":7,"unit":"ns/op","step_ns":81.0}
{"side":"js","bench":"tens","workers":1,"n":10,"unit":"ns/op","value":9,"step_ns":800.0}
{"bench":"beside","workers":1,"n":10,"value":110.0,"unit":"ns/op"}
{"bench":"beside","workers":2,"n":10,"value":111.0,"unit":"ns/op"}
{"side":"nng","bench":"beside","workers":1,"n":10,"value":100.0,"unit":"ns/op"}
{"side":"nng","bench":"beside","workers":2,"n":10,"value":100.0,"unit":"ns/op"}
{"side":"otp","bench":"beside","workers":1,"n":10,"value":109.0,"unit":"ns/op"}
{"bench":"small","workers":1,"n":10,"value":$1,"unit":"bytes"}
{"bench":"twice","workers":2,"n":10,"value":$2,"unit":"times"}
LINES
}

# has NAME TEXT: the table has exactly this line.
has() {
    if grep -q -x -F -- "$2" "$work/table"; then pass; else
        fail "$1"
        cat "$work/table"
    fi
}

measured 256.0 1.79 >"$work/lines"
awk -f "$table" "$work/rows" "$work/lines" >"$work/table" && fail "not all are met" || pass
# the median of 59, 61 and 9000; 61/610 is 30/300, and 121/400 is more than 60/200
has "a ratio to the peer of the same workers" \
    '| fast, ns | 61.0 / 121 | - / 1000 | 610 / 400 | - | - | best 31 / 61 | 30.0 / 60.0 | 0.100 / 0.302 | 0.100 / 0.300 | yes / no |'
has "a field beside the value, and one peer for both" \
    '| step, ns | 80.0 / 81.0 | - | - | - | 800 | js 400 | 40.0 / 40.0 | 0.100 / 0.101 | 0.100 / 0.100 | yes / no |'
has "at most" '| small, bytes | 256 / - | - | - | - | - | - | 256 / - | - | - | yes |'
has "at least" '| twice, times | - / 1.79 | - | - | - | - | - | - / 1.80 | - | - | no |'
has "what was not measured is not met" \
    '| absent, ns | - | - | - | - | - | best 31 / 61 | 30.0 / 60.0 | ? / ? | ? / ? | ? / ? |'
has "beside nng as it is now" \
    '| beside, ns | 110 / 111 | - | 109 / - | 100 / 100 | - | - | 1.10 / 1.10 | 1.100 / 1.110 | 1.100 / 1.100 | yes / no |'
has "ahead of OTP as it is now" \
    '| ahead, ns | 110 / - | - | 109 / - | 100 / - | - | - | 1.00 / - | 1.009 | 1.000 | no |'
has "how many" '4 of 11 bars met'

measured 257.0 1.8 >"$work/lines"
awk -v only=" small twice " -f "$table" "$work/rows" "$work/lines" >"$work/table" && fail "small is not met" || pass
has "too much" '| small, bytes | 257 / - | - | - | - | - | - | 256 / - | - | - | no |'
has "enough" '| twice, times | - / 1.80 | - | - | - | - | - | - / 1.80 | - | - | yes |'
has "only those" '1 of 2 bars met'
measured 1 2 >"$work/lines"
awk -v only=" small twice " -f "$table" "$work/rows" "$work/lines" >"$work/table" && pass || fail "all are met"

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
