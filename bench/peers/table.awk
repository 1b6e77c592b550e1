# SPDX-License-Identifier: Apache-2.0
#
# table.awk - the table of what was measured, in Markdown: awk -f table.awk recorded.txt RESULTS.jsonl
# -v only=" NAME NAME " leaves the other benchmarks out.
#
# Of several results of the same side, benchmark and workers the median counts. The last line is
# "N of M bars met"; the exit status is 1 unless all are.

# value_of gives the field of a flat JSON object, "" if it has none.
function value_of(line, field,    at, rest) {
    at = index(line, "\"" field "\":")
    if (!at) return ""
    rest = substr(line, at + length(field) + 3)
    sub(/[,}].*/, "", rest)
    gsub(/"/, "", rest)
    return rest
}

# median of what was noted for this key; "" of nothing.
function median(key,    n, x, i, j, kept) {
    n = split(noted[key], x, " ")
    if (n == 0) return ""
    for (i = 2; i <= n; i++) {
        kept = x[i]
        for (j = i - 1; j > 0 && x[j] + 0 > kept + 0; j--) x[j + 1] = x[j]
        x[j + 1] = kept
    }
    return n % 2 ? x[(n + 1) / 2] : (x[n / 2] + x[n / 2 + 1]) / 2
}

function number(x) {
    if (x == "" || x == "-") return "-"
    return sprintf(x < 10 ? "%.2f" : x < 100 ? "%.1f" : "%.0f", x)
}

function pair(one, two) {
    one = number(one)
    two = number(two)
    if (one == "-" && two == "-") return "-"
    return one == two && one == "-" ? "-" : one " / " two
}

# relative: ours is judged by a peer's, as it is now.
function relative() { return how == "ratio" || how == "nng" || how == "otp" }

# judge sets now and due, and returns "yes", "no", or "?" where a side is missing.
function judge(ours, bar, peer, recorded,    met) {
    now = due = ""
    if (bar == "-") return ""
    bars++
    if (ours == "" || (relative() && (peer == "" || peer + 0 == 0))) return "?"
    now = relative() ? ours / peer : ours
    due = how == "ratio" ? bar / recorded : bar
    met = how == "least" ? now >= due - 1e-9 : now <= due + 1e-9
    bars_met += met
    return met ? "yes" : "no"
}

function both(one, two) { return one == "" ? two : two == "" ? one : one " / " two }

function show(i,    w, ours, caf, otp, nng, js, peer, recorded, met, nows, dues) {
    how = judged[i]
    js = median("js " bench[i] " 1 " field[i])
    met = nows = dues = ""
    for (w = 1; w <= 2; w++) {
        if (index(workers[i], w) == 0) continue
        ours[w] = median("ours " bench[i] " " w " " field[i])
        caf[w] = median("caf " bench[i] " " w " " field[i])
        otp[w] = median("otp " bench[i] " " w " " field[i])
        nng[w] = median("nng " bench[i] " " w " " field[i])
        peer = how == "nng" ? nng[w] : how == "ratio" && js_recorded[i] != "-" ? js : otp[w]
        recorded = js_recorded[i] != "-" ? js_recorded[i] : otp_recorded[i, w]
        met = both(met, judge(ours[w], bar[i, w], peer, recorded))
        if (relative()) {
            nows = both(nows, now == "" ? "?" : sprintf("%.3f", now))
            dues = both(dues, due == "" ? "?" : sprintf("%.3f", due))
        }
    }
    printf "| %s, %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", name[i], unit[i],
        pair(ours[1], ours[2]), pair(caf[1], caf[2]), pair(otp[1], otp[2]), pair(nng[1], nng[2]), number(js), best[i],
        pair(bar[i, 1], bar[i, 2]), nows == "" ? "-" : nows, dues == "" ? "-" : dues, met
}

/^#/ || NF == 0 { next }

FILENAME == ARGV[1] {
    if (only != "" && index(only, " " $2 " ") == 0) next
    i = ++rows
    name[i] = $1; bench[i] = $2; field[i] = $3; unit[i] = $4; judged[i] = $5; workers[i] = $6
    bar[i, 1] = $7; bar[i, 2] = $8; otp_recorded[i, 1] = $9; otp_recorded[i, 2] = $10
    js_recorded[i] = $11
    best[i] = $14
    for (k = 15; k <= NF; k++) best[i] = best[i] " " $k
    fields[$2] = fields[$2] " " $3
    next
}

{
    side = value_of($0, "side")
    if (side == "") side = "ours"
    b = value_of($0, "bench")
    n = split(fields[b], of, " ")
    for (k = 1; k <= n; k++) {
        key = side " " b " " value_of($0, "workers") " " of[k]
        x = value_of($0, of[k])
        if (x != "") noted[key] = noted[key] " " x
    }
}

END {
    print "| row | ours, 1w / 2w | CAF | OTP | nng | LangChain.js | best recorded | bar | ratio now | ratio due | met |"
    print "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for (i = 1; i <= rows; i++) show(i)
    printf "\n%d of %d bars met\n", bars_met, bars
    exit bars_met < bars
}
