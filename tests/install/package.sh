#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# package.sh - installs the release build in a folder of its own and uses it from there as a stranger
# would: through pkg-config from C11, through the CMake package from C++17, as a static library.
#
#   tests/install/package.sh             checks
#   tests/install/package.sh --symbols   writes symbols.txt anew; read the difference before you commit
#
# GR_BUILD_DIR: where it was built (default build/release). Last line: N passed, N failed.
# shellcheck disable=SC2317  # functions are run by check
set -eu
cd "$(dirname "$0")/../.."

build=${GR_BUILD_DIR:-$PWD/build/release}
here=$PWD/tests/install
. tests/_check.sh
prefix=$work/usr

finish() {
    printf '%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ]
    exit
}

check "it installs" cmake --install "$build" --prefix "$prefix"
[ "$failed" -eq 0 ] || finish

library=$(find "$prefix" -name libgreenroom.so)
libdir=$(dirname "$library")
export LD_LIBRARY_PATH="$libdir"
export PKG_CONFIG_PATH="$libdir/pkgconfig"
version=$(sed -n 's/^#define GR_VERSION "\(.*\)"/\1/p' "$prefix/include/greenroom/base.h")

# ---- the library -----------------------------------------------------------------------------

nm -D --defined-only "$library" | awk '{ print $3 }' | sort >"$work/symbols"
if [ "${1:-}" = --symbols ]; then
    cp "$work/symbols" "$here/symbols.txt"
    echo "wrote tests/install/symbols.txt: $(wc -l <"$here/symbols.txt") symbols"
    exit 0
fi

only_ours() { ! grep -v '^gr_[a-z]' "$work/symbols"; }

soname() {
    readelf -d "$library" | grep -F "Library soname: [libgreenroom.so.${version%.*}]"
}

# declared: every GR_API function of the headers, by name.
declared() {
    cat "$prefix"/include/greenroom/*.h | tr '\n' ' ' | sed 's/GR_API/\n&/g' |
        sed -n 's/^GR_API[^(;{]*[ *]\(gr_[a-z0-9_]*\)(.*/\1/p' | sort -u
}

declared >"$work/declared"
as_declared() { diff "$work/declared" "$work/symbols"; }
as_reviewed() { diff "$here/symbols.txt" "$work/symbols"; }

check "only gr_ names are exported" only_ours
check "what the headers declare is what the library exports" as_declared
check "the exported names are those of symbols.txt" as_reviewed
check "the SONAME has the ABI's version" soname

# ---- the headers -----------------------------------------------------------------------------

alone() { # COMPILER HEADER
    printf '#include <greenroom/%s>\n' "$2" >"$work/alone.$3"
    case $3 in
    c) set -- "$1" -std=c11 -Wstrict-prototypes "$work/alone.c" ;;
    *) set -- "$1" -std=c++17 "$work/alone.cpp" ;;
    esac
    "$@" -Wall -Wextra -Werror -pedantic-errors -fsyntax-only -I"$prefix/include"
}

headers_alone() {
    for path in "$prefix"/include/greenroom/*; do
        header=$(basename "$path")
        case $header in
        *.hpp)
            alone c++ "$header" cpp || return 1
            ! command -v clang++ >/dev/null || alone clang++ "$header" cpp || return 1
            ;;
        *) alone cc "$header" c && alone c++ "$header" cpp || return 1 ;;
        esac
    done
}
check "each header compiles alone, as C11 and as C++17" headers_alone

# ---- consumers -------------------------------------------------------------------------------

says_ok() { [ "$(timeout 60 "$@")" = ok ]; }

# shellcheck disable=SC2046  # flags are words
by_pkg_config() {
    cc -std=c11 -Wall -Wextra -Werror -pedantic-errors -o "$work/consumer_c" \
        "$here/consumer/consumer.c" $(pkg-config --cflags --libs greenroom)
}
check "C11 compiles and links through pkg-config" by_pkg_config
check "and runs" says_ok "$work/consumer_c"
check "pkg-config knows the version" test "$(pkg-config --modversion greenroom)" = "$version"

by_cmake() {
    cmake -S "$here/consumer" -B "$work/consumer" -DCMAKE_PREFIX_PATH="$prefix" \
        -DCMAKE_BUILD_TYPE=Release && cmake --build "$work/consumer"
}
check "C++17 and static C compile and link through the CMake package" by_cmake
check "and C++17 runs" says_ok "$work/consumer/consumer_cpp"
if [ -n "$(find "$prefix" -name libgreenroom.a)" ]; then
    check "and static C runs" env -u LD_LIBRARY_PATH sh -c "[ \"\$($work/consumer/consumer_static)\" = ok ]"
fi

# ---- the rest --------------------------------------------------------------------------------

says_version() { env -u LD_LIBRARY_PATH "$prefix/bin/greenroom" --version | grep -F "$version"; }

if [ -e "$build/greenroom" ]; then
    check "the command is installed, runs from there, and tells its version" says_version
fi
if [ -e "$build/greenroom.1" ]; then
    check "the manual page is installed" test -s "$prefix/share/man/man1/greenroom.1"
fi
check "nothing names the folder it was built in" sh -c \
    "! grep -r -l -F '$PWD' '$libdir/cmake' '$libdir/pkgconfig'"

finish
