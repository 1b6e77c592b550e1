#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# node.sh - what processes tell each other before calls: cluster, name, secret. Where it comes from, what is
# wrong with it, and that the secret shows nowhere. node_tls.sh has certificates.
# shellcheck disable=SC1091,SC2013,SC2016,SC2034,SC2154,SC2317
. tests/cli/_lib.sh

url=ipc://$work/s.ipc
SECRET=correct-horse-battery-staple
printf '%s\n' "$SECRET" >"$work/secret"
printf 'another-secret-of-this-length' >"$work/wrong"
cat >"$work/s.yaml" <<END
listen: "$url"
publish: [echo]
node: {cluster: blue, name: one, secret_file: secret}
actors:
  echo: {passthrough: {}}
END
# calls FILE NODE writes a chain whose remote part is called as NODE says.
calls() {
    cat >"$work/$1" <<END
node: $2
actors:
  far: {remote: {url: "$url", name: echo}}
END
}

start_server "$work/s.yaml" || finish
calls c.yaml '{cluster: blue, name: two, secret_file: secret}'
run 0 "$greenroom" run "$work/c.yaml" --text x
is "a remote part, the secret from a file beside the chain file" '"x"' "$out"
calls env.yaml '{cluster: blue, secret_env: GREENROOM_TEST_SECRET}'
run 0 env GREENROOM_TEST_SECRET="$SECRET" "$greenroom" stream "$work/env.yaml" --text x
is "the secret from a variable" '"x"' "$out"
run 2 "$greenroom" run "$work/env.yaml" --text x
has "which is not set" "env.yaml:1:35: secret_env: there is no environment variable" "$err"
run 0 "$greenroom" call "$url" echo --text x --cluster blue --secret-file "$work/secret"
is "options of call" '"x"' "$out"
run 0 env GREENROOM_TEST_SECRET="$SECRET" "$greenroom" call "$url" echo --text x --cluster blue \
    --node-name three --secret-env GREENROOM_TEST_SECRET
is "options of call, the secret from a variable" '"x"' "$out"

run 1 "$greenroom" call "$url" echo --text x --cluster blue
has "no secret" "the cluster has a secret, and none was shown (GR_EPROTO" "$err"
run 1 "$greenroom" call "$url" echo --text x --cluster blue --secret-file "$work/wrong"
has "another secret" "the secrets of the nodes differ (GR_EPROTO" "$err"
lacks "is not quoted" another-secret "$err"
run 1 "$greenroom" call "$url" echo --text x --cluster red --secret-file "$work/secret"
has "another cluster" "the nodes belong to different clusters, 'blue' and 'red' (GR_EPROTO" "$err"
calls red.yaml '{cluster: red, secret_file: wrong}'
run 1 "$greenroom" run "$work/red.yaml" --text x
run 0 env GREENROOM_TEST_SECRET="$SECRET" "$greenroom" run "$work/red.yaml" --text x --cluster blue \
    --secret-env GREENROOM_TEST_SECRET
is "an option wins over the file" '"x"' "$out"

if [ -r "/proc/$server/cmdline" ]; then
    lacks "the secret is not in what ps shows" "$SECRET" "$(tr '\0' ' ' <"/proc/$server/cmdline")"
fi
stop_server TERM
lacks "nor in what the server says" "$SECRET" "$said$(cat "$work/server_err")"

# wrong PLACE-AND-WHAT NODE: a chain file with such a node is refused, and no secret is quoted.
wrong() {
    calls bad.yaml "$2"
    run 2 "$greenroom" run "$work/bad.yaml" --text x
    has "refused: $2" "bad.yaml:$1" "$err"
    lacks "its secret is not quoted" "$SECRET" "$err"
}
printf short >"$work/short"
printf '%2000s' x >"$work/long"
printf 'sixteen-or-more\0and-a-zero' >"$work/zero"
wrong '1:8: node has no key "clutser"; did you mean "cluster"?' '{clutser: a}'
wrong '1:16: secret: a secret does not belong into a chain file; name the file' "{secret: $SECRET}"
wrong '1:20: secret_env: this is no name of an environment variable' "{secret_env: $SECRET}"
wrong '1:21: secret_file: it must have 16 to 1024 bytes' '{secret_file: short}'
wrong '1:21: secret_file: it must have 16 to 1024 bytes' '{secret_file: long}'
wrong '1:21: secret_file: there is a zero byte' '{secret_file: zero}'
wrong '1:21: secret_file: ' '{secret_file: nowhere}'
has "which file" "$work/nowhere can't be opened: No such file" "$err"
wrong '1:21: secret_file: a file was expected, which this is not' '{secret_file: .}'
wrong '1:16: tls_ca: ' '{tls_ca: "nowhere"}'
wrong '1:36: secret_env: the secret comes from a file already' '{secret_file: a, secret_env: B}'
wrong '1:18: insecure: ' '{insecure: perhaps}'
wrong '1:7: node: ' '[a]'
wrong "1:14: name: " "{name: $(printf '%300s' x | tr ' ' x)}"
run 2 "$greenroom" call "$url" echo --secret-file "$work/short"
has "an option's mistake" "greenroom: --secret-file: it must have 16 to 1024 bytes" "$err"
run 2 "$greenroom" call "$url" echo --secret-file "$work/secret" --secret-env HOME
has "two of them" "--secret-env: the secret comes from a file already" "$err"
run 2 "$greenroom" call "$url" echo --secret-env GREENROOM_NOT_SET
has "an option's variable" "--secret-env: there is no environment variable" "$err"
calls bad.yaml "{clutser: a}"
run 2 "$greenroom" check "$work/bad.yaml"
has "check sees the keys, too" "bad.yaml:1" "$err"
finish
