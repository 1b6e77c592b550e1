# SPDX-License-Identifier: Apache-2.0
#
# MbedCrypto::mbedcrypto, the part of mbedtls with hashes; nng's own TLS uses it, and Debian's libnng-dev brings it.
find_path(MbedCrypto_INCLUDE_DIR mbedtls/md.h)
find_library(MbedCrypto_LIBRARY mbedcrypto)
if(MbedCrypto_INCLUDE_DIR AND EXISTS ${MbedCrypto_INCLUDE_DIR}/mbedtls/version.h)
    file(STRINGS ${MbedCrypto_INCLUDE_DIR}/mbedtls/version.h line
        REGEX "^#define MBEDTLS_VERSION_STRING +\"")
    string(REGEX REPLACE ".*\"(.*)\".*" "\\1" MbedCrypto_VERSION "${line}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(MbedCrypto
    REQUIRED_VARS MbedCrypto_LIBRARY MbedCrypto_INCLUDE_DIR VERSION_VAR MbedCrypto_VERSION
    REASON_FAILURE_MESSAGE "install libmbedtls-dev, or run ./dev setup")
if(MbedCrypto_FOUND AND NOT TARGET MbedCrypto::mbedcrypto)
    add_library(MbedCrypto::mbedcrypto UNKNOWN IMPORTED)
    set_target_properties(MbedCrypto::mbedcrypto PROPERTIES
        IMPORTED_LOCATION ${MbedCrypto_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES ${MbedCrypto_INCLUDE_DIR})
endif()
mark_as_advanced(MbedCrypto_INCLUDE_DIR MbedCrypto_LIBRARY)
