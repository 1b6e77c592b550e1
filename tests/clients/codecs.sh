#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# codecs.sh - our codecs and other people's on the same documents: JSON and JSON lines against node,
# MessagePack against @msgpack/msgpack, server-sent events against eventsource-parser.
#
# $GR_TEST_DOCUMENTS (5000) of each kind from $GR_TEST_SEED (1) on. What differs on purpose is listed in
# codec_tool.c, and is counted here.
# shellcheck disable=SC1091,SC2034,SC2154
. tests/clients/_lib.sh

tool=${GR_BUILD_DIR:-$PWD/build/release}/tests/clients/codec_tool
[ -x "$tool" ] || skip "codec_tool is not built"
seed=${GR_TEST_SEED:-1}
count=${GR_TEST_DOCUMENTS:-5000}

compare() { # KIND
    "$tool" make "$1" "$seed" "$count" >"$work/documents" &&
        "$node" tests/clients/codecs.mjs "$clients" "$1" <"$work/documents" >"$work/answers" ||
        fail "$1: a side could not do its work" "seed $seed"
    if "$tool" check "$1" "$seed" "$count" <"$work/answers" >"$work/verdict"; then
        pass
    else
        fail "$1: the codecs disagree"
    fi
    cat "$work/verdict"
}

for kind in json msgpack sse ndjson; do
    compare "$kind"
done
finish
