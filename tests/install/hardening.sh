#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# hardening.sh - whether what was built has the compiler's and the linker's protections: reads the shared
# library, the static one and the command with readelf.
#
# GR_BUILD_DIR: where it was built (default build/release). Last line: N passed, N failed. Exits with 77 if
# the build type has no hardening (debug).
set -eu
cd "$(dirname "$0")/../.."

build=${GR_BUILD_DIR:-$PWD/build/release}
library=$build/libgreenroom.so
archive=$build/libgreenroom.a
command=$build/greenroom
. tests/_check.sh

if grep -q '^CMAKE_BUILD_TYPE:.*=Debug$' "$build/CMakeCache.txt"; then
    echo "a debug build has no hardening"
    exit 77
fi
for file in "$library" "$archive" "$command"; do
    [ -f "$file" ] || {
        echo "$file is not there"
        exit 1
    }
done
machine=$(readelf -h "$library" | sed -n 's/^ *Machine: *//p')

# Relocations are done at the start, and read-only from then on.
has_relro() { readelf -lW "$1" | grep -q GNU_RELRO; }
binds_now() { readelf -dW "$1" | grep -Eq 'BIND_NOW|FLAGS_1.*NOW'; }
no_text_relocations() { ! readelf -dW "$1" | grep -q TEXTREL; }
stack_is_data() { readelf -lW "$1" | grep 'GNU_STACK' | grep -q ' RW ' && ! readelf -lW "$1" | grep -q RWE; }
nothing_is_written_and_run() { ! readelf -lW "$1" | grep LOAD | grep -q 'RWE'; }
is_pie() { readelf -hW "$1" | grep -q 'Type: *DYN' && readelf -dW "$1" | grep -q 'FLAGS_1.*PIE'; }
no_search_path() { ! readelf -dW "$1" | grep -Eq 'RPATH|RUNPATH'; }
# Canaries and checked calls show in what is wanted of the C library.
wants() { readelf --dyn-syms -W "$1" | grep -Eq " UND +$2(@|$)"; }

for file in "$library" "$command"; do
    of=$(basename "$file")
    check "$of: RELRO" has_relro "$file"
    check "$of: all symbols are bound at the start" binds_now "$file"
    check "$of: no relocations in the code" no_text_relocations "$file"
    check "$of: the stack can't be run" stack_is_data "$file"
    check "$of: nothing is both writable and executable" nothing_is_written_and_run "$file"
    check "$of: no search path inside" no_search_path "$file"
    check "$of: stack protector" wants "$file" __stack_chk_fail
    check "$of: checked calls of the C library" wants "$file" '__(v?s?n?printf|mem[a-z]*|read)_chk'
done
check "greenroom: position-independent" is_pie "$command"

# What leaves no trace in the end result is in the compiler's record of its flags, one for each source.
units() {
    readelf --debug-dump=info --dwarf-depth=1 "$archive" 2>/dev/null | grep 'DW_AT_producer' >"$work/units"
    [ -s "$work/units" ]
}
compiled_with() {
    ! grep -v -e "$1" "$work/units"
}
if units && grep -q 'GNU C' "$work/units"; then
    check "each source: -fstack-protector-strong" compiled_with -fstack-protector-strong
    check "each source: -fstack-clash-protection" compiled_with -fstack-clash-protection
    check "each source: optimised, which the checked calls need" compiled_with '-O[123s]'
fi

# The mark is in each object; the linker keeps it only if the C library's own start files have it.
marked_for_jumps() {
    readelf -nW "$archive" >"$work/notes" 2>/dev/null
    objects=$(grep -c '^File: ' "$work/notes")
    marks=$(grep -Ec 'x86 feature: .*IBT' "$work/notes")
    echo "$marks of $objects objects"
    [ "$objects" -gt 0 ] && [ "$marks" -eq "$objects" ]
}
no_shadow_stack() { ! grep -E 'x86 feature: .*SHSTK' "$work/notes"; }
case $machine in
*X86-64*)
    check "each object: marked for checked jumps" marked_for_jumps
    check "no object claims a shadow stack, which fibers break" no_shadow_stack
    ;;
esac

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
