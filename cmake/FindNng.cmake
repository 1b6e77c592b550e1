# SPDX-License-Identifier: Apache-2.0
#
# Nng::nng, from nng's own package.
find_package(nng CONFIG QUIET)
set(Nng_VERSION ${nng_VERSION})

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Nng REQUIRED_VARS nng_DIR VERSION_VAR Nng_VERSION
    REASON_FAILURE_MESSAGE "install libnng-dev, or run ./dev setup")
if(Nng_FOUND AND NOT TARGET Nng::nng)
    add_library(Nng::nng INTERFACE IMPORTED)
    target_link_libraries(Nng::nng INTERFACE nng::nng)
endif()
