# SPDX-License-Identifier: Apache-2.0
#
# MsgPackC::msgpackc. The package is called msgpack with target msgpackc up to 4, msgpack-c with
# target msgpack-c from 6 on; MsgPackC_PC is its name for pkg-config.
find_package(msgpack-c CONFIG QUIET)
if(msgpack-c_FOUND)
    set(MsgPackC_TARGET msgpack-c)
    set(MsgPackC_PC msgpack-c)
    set(MsgPackC_VERSION ${msgpack-c_VERSION})
else()
    find_package(msgpack CONFIG QUIET)
    if(TARGET msgpackc)
        set(MsgPackC_TARGET msgpackc)
        set(MsgPackC_PC msgpack)
        set(MsgPackC_VERSION ${msgpack_VERSION})
    endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(MsgPackC REQUIRED_VARS MsgPackC_TARGET
    VERSION_VAR MsgPackC_VERSION
    REASON_FAILURE_MESSAGE "install libmsgpack-dev, or run ./dev setup")
if(MsgPackC_FOUND AND NOT TARGET MsgPackC::msgpackc)
    add_library(MsgPackC::msgpackc INTERFACE IMPORTED)
    target_link_libraries(MsgPackC::msgpackc INTERFACE ${MsgPackC_TARGET})
endif()
