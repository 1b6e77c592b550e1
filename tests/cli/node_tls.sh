#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# node_tls.sh - two processes over tls+tcp: certificates on both sides, with and without a secret besides.
# shellcheck disable=SC1091,SC2013,SC2016,SC2034,SC2154,SC2317
. tests/cli/_lib.sh

code=0
sh tests/net/_certificates.sh "$work" || code=$?
if [ "$code" -eq 77 ]; then
    echo "SKIP: needs openssl's command"
    exit 77
fi
is "certificates are made" 0 "$code"
printf 'correct-horse-battery-staple\n' >"$work/secret"

# free_port prints a port of the loopback address on which nobody listens.
free_port() {
    perl -MIO::Socket::INET -e '
        $s = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die "listen: $!"; print $s->sockport'
}
url=tls+tcp://127.0.0.1:$(free_port)
cat >"$work/s.yaml" <<END
listen: "$url"
publish: [echo, words]
node: {cluster: blue, secret_file: secret, tls_cert: good.pem, tls_ca: ca.pem, tls_name: node.test}
actors:
  echo: {passthrough: {}}
  words: {sequence: [{prompt: "{q}"}, {str_parser: {}}]}
END
cat >"$work/c.yaml" <<END
node: {cluster: blue, secret_file: secret, tls_cert: "\${CERT:-good.pem}", tls_ca: ca.pem, tls_name: "\${HOST:-node.test}"}
actors:
  far: {remote: {url: "$url", name: echo}}
  words: {remote: {url: "$url", name: words}}
main: far
END

start_server "$work/s.yaml" || finish
is "it listens" "listening on $url;pid $server;" "$said"
run 0 "$greenroom" run "$work/c.yaml" --text x
is "a remote part over TLS" '"x"' "$out"
run 0 "$greenroom" stream "$work/c.yaml" words --input '{"q": "a stream"}' --text-out
is "and its stream" 'a stream' "$out"
run 0 "$greenroom" call "$url" echo --text x --cluster blue --secret-file "$work/secret" \
    --tls-cert "$work/good.pem" --tls-ca "$work/ca.pem" --tls-name node.test
is "call's options" '"x"' "$out"

run 1 env HOST=elsewhere.test "$greenroom" run "$work/c.yaml" --text x
has "a server of another name" GR_EUNREACH "$err"
run 1 env CERT=by_stranger.pem "$greenroom" run "$work/c.yaml" --text x
has "a certificate of another CA" GR_EUNREACH "$err"
run 1 "$greenroom" call "$url" echo --text x --cluster blue --tls-cert "$work/good.pem" --tls-ca "$work/ca.pem" \
    --tls-name node.test
has "a certificate without the secret" "the cluster has a secret, and none was shown" "$err"
run 1 "$greenroom" call "$url" echo --text x --cluster blue --secret-file "$work/secret"
has "nothing to trust" "tls_ca, whom to trust, is not set" "$err"
run 1 env CERT=ca.crl "$greenroom" run "$work/c.yaml" --text x
has "what is no certificate" "ca.crl" "$err"
run 0 "$greenroom" run "$work/c.yaml" --text still
is "the server goes on" '"still"' "$out"
stop_server TERM
is "and ends well" 0 "$code"

# beyond WHAT URL OPTION…: to listen there is refused; the reason has WHAT in it.
beyond() {
    what=$1
    printf 'listen: "%s"\npublish: [echo]\nactors: {echo: {passthrough: {}}}\n' "$2" >"$work/b.yaml"
    shift 2
    run 1 "$greenroom" serve "$work/b.yaml" "$@"
    has "beyond this machine: $*" "$what" "$err"
}
port=$(free_port)
beyond "links in clear" "tcp://0.0.0.0:$port"
beyond "anybody could connect" "tls+tcp://0.0.0.0:$port" --tls-cert "$work/good.pem"
beyond "tls_cert, the server's certificate and key, is not set" "tls+tcp://0.0.0.0:$port" --tls-ca "$work/ca.pem"
printf 'listen: "tls+tcp://0.0.0.0:%s"\npublish: [echo]\nactors: {echo: {passthrough: {}}}\nnode: {tls_cert: good.pem, insecure: true}\n' \
    "$port" >"$work/open.yaml"
start_server "$work/open.yaml" || finish
run 0 "$greenroom" call "tls+tcp://127.0.0.1:$port" echo --text x --tls-ca "$work/ca.pem" --tls-name node.test
is "insecure lets anybody come" '"x"' "$out"
stop_server TERM
finish
