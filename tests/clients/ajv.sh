#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# ajv.sh - our JSON Schema and ajv's on the same schemas and values: valid or not, and what is wrong where.
#
# $GR_TEST_DOCUMENTS (1000) schemas from $GR_TEST_SEED (1) on, twelve values each. ajv.mjs tells what is
# compared.
# shellcheck disable=SC1091,SC2034,SC2154
. tests/clients/_lib.sh

tool=${GR_BUILD_DIR:-$PWD/build/release}/tests/clients/schema_tool
[ -x "$tool" ] || skip "schema_tool is not built"
seed=${GR_TEST_SEED:-1}
count=${GR_TEST_DOCUMENTS:-1000}

"$tool" "$seed" "$count" >"$work/lines" 2>"$work/why" || {
    ! grep -q PCRE2 "$work/why" || skip "a library without regular expressions can't read these schemas"
    fail "our side could not do its work" "$(cat "$work/why")"
    finish
}
if "$node" tests/clients/ajv.mjs "$clients" <"$work/lines" >"$work/verdict"; then
    pass
else
    fail "ajv judges differently" "seed $seed"
fi
cat "$work/verdict"
finish
