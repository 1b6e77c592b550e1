#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# _certificates.sh FOLDER - makes what tls_test.c needs, with openssl's command: a CA and another one, and NAME.pem
# (certificate and key) for each case. Exits with 77 if there is no openssl.
set -eu
command -v openssl >/dev/null 2>&1 || exit 77
cd "$1"

# ca NAME makes a CA: NAME.pem, NAME.key, and what `openssl ca` keeps of it.
ca() {
    mkdir -p "$1.d"
    : >"$1.d/index"
    echo 1000 >"$1.d/serial"
    echo 1000 >"$1.d/crlnumber"
    cat >"$1.cnf" <<EOC
[ca]
default_ca = main
[main]
dir = $1.d
database = $1.d/index
new_certs_dir = $1.d
serial = $1.d/serial
crlnumber = $1.d/crlnumber
certificate = $1.pem
private_key = $1.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
unique_subject = no
[any]
commonName = supplied
[node]
subjectAltName = DNS:node.test
extendedKeyUsage = serverAuth, clientAuth
[other]
subjectAltName = DNS:other.test
extendedKeyUsage = serverAuth, clientAuth
[server_only]
subjectAltName = DNS:node.test
extendedKeyUsage = serverAuth
[client_only]
subjectAltName = DNS:node.test
extendedKeyUsage = clientAuth
EOC
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=$1" \
        -addext keyUsage=keyCertSign,cRLSign -keyout "$1.key" -out "$1.pem"
}

# leaf CA NAME SECTION [OPTION...] makes NAME.pem, which CA has signed.
leaf() {
    by=$1 name=$2 section=$3
    shift 3
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=node.test" \
        -keyout "$name.key" -out "$name.csr"
    openssl ca -batch -notext -config "$by.cnf" -extensions "$section" -in "$name.csr" -out "$name.crt" "$@"
    cat "$name.crt" "$name.key" >"$name.pem"
}

{
    ca ca
    ca stranger
    leaf ca good node
    leaf ca other_name other
    leaf ca server_only server_only
    leaf ca client_only client_only
    leaf ca expired node -startdate 20200101000000Z -enddate 20210101000000Z
    leaf ca not_yet node -startdate 20990101000000Z -enddate 20991231000000Z
    leaf ca revoked node
    leaf stranger by_stranger node
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
        -subj "/CN=node.test" -addext "subjectAltName=DNS:node.test" -keyout self.key -out self.crt
    cat self.crt self.key >self_signed.pem
    cat good.crt other_name.key >mismatch.pem
    openssl ca -config ca.cnf -revoke revoked.crt
    openssl ca -config ca.cnf -gencrl -out ca.crl
    cat ca.pem ca.crl >trust.pem
} >log 2>&1 || {
    cat log >&2
    exit 1
}
