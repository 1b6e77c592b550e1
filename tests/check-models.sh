#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# check-models.sh - the models of the concurrent parts, in their small sizes, and one of the faults of each.
# `./dev soak models` has the rest. Exits with 77 without spin.
set -eu
cd "$(dirname "$0")/.."

exec sh tests/model/run.sh --quick
