# SPDX-License-Identifier: Apache-2.0
#
# What `./dev install` puts where: the libraries, the headers, the command, its manual page, and how
# pkg-config and CMake find them. tests/install/ checks all of it from the outside.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/greenroom)

install(DIRECTORY include/greenroom DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(TARGETS greenroom EXPORT greenroomTargets)
install(EXPORT greenroomTargets NAMESPACE greenroom:: DESTINATION ${package_dir})
if(GR_STATIC)
    install(TARGETS greenroom_static EXPORT greenroomStaticTargets)
    install(EXPORT greenroomStaticTargets NAMESPACE greenroom:: DESTINATION ${package_dir})
endif()

configure_package_config_file(cmake/greenroomConfig.cmake.in greenroomConfig.cmake
    INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(greenroomConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
    ${CMAKE_CURRENT_BINARY_DIR}/greenroomConfig.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/greenroomConfigVersion.cmake
    DESTINATION ${package_dir})

# The prefix is told from where the file is, so that what is installed can be moved.
file(RELATIVE_PATH pc_to_prefix
    ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/greenroom.pc.in greenroom.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/greenroom.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(TARGET greenroom_command)
    install(TARGETS greenroom_command)
endif()

# The manual page, when somebody wrote it and scdoc is there.
find_program(SCDOC_PROGRAM scdoc)
set(manual ${CMAKE_CURRENT_SOURCE_DIR}/docs/greenroom.1.scd)
if(SCDOC_PROGRAM AND EXISTS ${manual})
    add_custom_command(OUTPUT greenroom.1
        COMMAND sh -c "\"$1\" < \"$2\" > greenroom.1" sh ${SCDOC_PROGRAM} ${manual}
        DEPENDS ${manual} VERBATIM)
    add_custom_target(greenroom_manual ALL DEPENDS greenroom.1)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/greenroom.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
