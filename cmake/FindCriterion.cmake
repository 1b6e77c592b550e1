# SPDX-License-Identifier: Apache-2.0
#
# Criterion::criterion, for the tests only; the library has the tests' main.
find_path(Criterion_INCLUDE_DIR criterion/criterion.h)
find_library(Criterion_LIBRARY criterion)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Criterion REQUIRED_VARS Criterion_LIBRARY Criterion_INCLUDE_DIR
    REASON_FAILURE_MESSAGE "install libcriterion-dev, or run ./dev setup")
mark_as_advanced(Criterion_INCLUDE_DIR Criterion_LIBRARY)
if(Criterion_FOUND AND NOT TARGET Criterion::criterion)
    add_library(Criterion::criterion UNKNOWN IMPORTED)
    set_target_properties(Criterion::criterion PROPERTIES
        IMPORTED_LOCATION ${Criterion_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES ${Criterion_INCLUDE_DIR})
endif()
