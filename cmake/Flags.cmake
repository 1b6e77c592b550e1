# SPDX-License-Identifier: Apache-2.0
#
# gr_flags: how every C file of ours is compiled; gr_cxx_flags: the few of C++. gr_hardening: what is
# installed, besides.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
# Without -DNDEBUG: our checks don't use <assert.h>, and a test that does must not lose it. What a preset
# says of optimisation stays.
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELWITHDEBINFO "${CMAKE_C_FLAGS_RELWITHDEBINFO}")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND PROJECT_IS_TOP_LEVEL AND NOT CMAKE_C_COMPILER_LAUNCHER)
    set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

add_library(gr_flags INTERFACE)
target_compile_definitions(gr_flags INTERFACE _GNU_SOURCE)
target_compile_options(gr_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
    -Wformat=2 -Wundef)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
    target_compile_options(gr_flags INTERFACE -mcx16) # see runtime/base/twin.h
endif()
if(CMAKE_C_COMPILER_ID MATCHES "Clang")
    # gri_check(!"why this can't be reached") is how we say it.
    target_compile_options(gr_flags INTERFACE -Wno-string-conversion)
endif()
if(GR_WERROR)
    target_compile_options(gr_flags INTERFACE -Werror)
endif()
add_library(gr_cxx_flags INTERFACE)
target_compile_features(gr_cxx_flags INTERFACE cxx_std_17)
target_compile_options(gr_cxx_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
if(GR_WERROR)
    target_compile_options(gr_cxx_flags INTERFACE -Werror)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
    target_compile_definitions(gr_flags INTERFACE GR_DEBUG=1)
endif()

if(GR_SANITIZE)
    add_compile_options(-fsanitize=${GR_SANITIZE} -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${GR_SANITIZE})
    if(GR_SANITIZE MATCHES "undefined")
        add_compile_options(-fno-sanitize-recover=all)
    endif()
endif()
if(GR_COVERAGE)
    # atomic: threads count at the same time
    add_compile_options(--coverage -fprofile-update=atomic -fprofile-abs-path)
    add_link_options(--coverage)
    target_compile_definitions(gr_flags INTERFACE GR_COVERAGE=1)
endif()
if(GR_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
    target_compile_definitions(gr_flags INTERFACE GR_DEBUG_SLOW=1)
endif()

# A stack that is switched keeps its canary (it is a word of the thread), so the protector is fine
# with fibers; and a frame larger than a page, on a stack that is small, must not step over its guard.
# cf-protection only for jumps: we return on other stacks than we were called on, which a shadow stack of
# the processor's forbids, so no object may claim to be fit for one.
# tests/install/hardening.sh looks for all of it in what was built.
add_library(gr_hardening INTERFACE)
if(NOT GR_INSTRUMENTED AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    target_compile_options(gr_hardening INTERFACE -fstack-protector-strong -fstack-clash-protection)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
        target_compile_options(gr_hardening INTERFACE -fcf-protection=branch)
    elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
        target_compile_options(gr_hardening INTERFACE -mbranch-protection=bti)
    endif()
    set(fortify 3)
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
        # a frame that is larger, or whose size nobody knows, is no frame for a stack of 64 KiB
        target_compile_options(gr_hardening INTERFACE -Wstack-usage=8192)
        if(CMAKE_C_COMPILER_VERSION VERSION_LESS 12)
            set(fortify 2)
        endif()
    endif()
    target_compile_options(gr_hardening INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${fortify})
    target_link_options(gr_hardening INTERFACE
        LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack)
endif()

# gr_fast: the engine is optimised across its files, since a message's way leads through ten of them. The
# objects hold ordinary code besides, for whoever links the static library. A thread's own word is read
# where it is, not by a call: the library is loaded at a program's start, and has few of them.
option(GR_LTO "Optimise across files" ON)
add_library(gr_fast INTERFACE)
if(NOT GR_INSTRUMENTED AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug" AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(gr_fast INTERFACE -ftls-model=initial-exec)
    if(GR_LTO)
        target_compile_options(gr_fast INTERFACE -flto=auto -ffat-lto-objects)
        target_link_options(gr_fast INTERFACE -flto=auto -Wno-stack-usage)
    endif()
endif()
