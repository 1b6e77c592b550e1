#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fetch.sh - the kind fetch: what others name is fetched from public addresses only, unless the file says so.
# shellcheck disable=SC1091,SC2154
. tests/cli/_lib.sh

no_proxy='*'
export no_proxy
cat >"$work/f.yaml" <<'END'
main: page
actors:
  page: {fetch: {bytes_max: 2000}}
  inner: {fetch: {inner_too: true}}
END
for url in http://127.0.0.1/ http://localhost:11434/api/tags http://169.254.169.254/latest/meta-data/ \
    'http://[::ffff:10.0.0.1]/' http://2130706433/; do
    run 1 "$greenroom" run "$work/f.yaml" --text "$url"
    has "$url is not fetched" "this URL must not be fetched" "$err"
    has "and why" "NotPublic" "$err"
done
run 1 "$greenroom" run "$work/f.yaml" inner --text http://127.0.0.1:1/
has "but may be, if the file says so" "connecting to 127.0.0.1:1: connection refused" "$err"
finish
