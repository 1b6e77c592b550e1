# SPDX-License-Identifier: Apache-2.0
#
# The command, the benchmarks and the examples: everything that is a program and no test.

# gr_program links a program with everything of the library, hidden parts included.
function(gr_program target)
    gr_library(${target})
    if(GR_INSTRUMENTED)
        target_link_libraries(${target} PRIVATE gr_flags greenroom_testing Threads::Threads m)
    else()
        target_link_libraries(${target} PRIVATE
            gr_flags gr_fast greenroom_objects greenroom_engine ${private_libs})
    endif()
endfunction()

# The command is built of the same objects as the library: it uses base utilities that the shared one
# hides, and runs wherever it is put. All but its main.c is a library for the tests, besides.
file(GLOB command_sources CONFIGURE_DEPENDS cli/*.c)
if(GR_COMMAND AND command_sources)
    find_package(LibYaml REQUIRED)
    set(testing_sources ${command_sources})
    list(FILTER testing_sources EXCLUDE REGEX "/main\\.c$")
    add_library(gr_cli_testing STATIC EXCLUDE_FROM_ALL ${testing_sources})
    target_link_libraries(gr_cli_testing PUBLIC greenroom_testing LibYaml::yaml PRIVATE gr_flags)

    if(GR_INSTRUMENTED) # all of it links the testing library there, so it is compiled once
        add_executable(greenroom_command cli/main.c)
        target_link_libraries(greenroom_command PRIVATE gr_cli_testing)
    else()
        add_executable(greenroom_command ${command_sources})
        target_link_options(greenroom_command PRIVATE -pie)
    endif()
    gr_program(greenroom_command)
    target_link_libraries(greenroom_command PRIVATE gr_hardening LibYaml::yaml)
    set_target_properties(greenroom_command PROPERTIES
        OUTPUT_NAME greenroom
        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}
        POSITION_INDEPENDENT_CODE ON)
endif()

# Benchmarks may look inside too.
file(GLOB bench_sources CONFIGURE_DEPENDS bench/*.c)
if(GR_BENCH AND bench_sources)
    add_executable(greenroom_bench ${bench_sources} bench/peers/curl_multi.c)
    gr_program(greenroom_bench)
    target_link_libraries(greenroom_bench PRIVATE CURL::libcurl)
    if(TARGET SQLite::SQLite3)
        target_link_libraries(greenroom_bench PRIVATE SQLite::SQLite3)
    endif()
    set_target_properties(greenroom_bench PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
    # Other people's JSON readers, next to ours where they are installed.
    find_path(Jansson_INCLUDE_DIR jansson.h)
    find_library(Jansson_LIBRARY jansson)
    if(Jansson_LIBRARY AND Jansson_INCLUDE_DIR)
        target_link_libraries(greenroom_bench PRIVATE ${Jansson_LIBRARY})
        target_compile_definitions(greenroom_bench PRIVATE GR_BENCH_JANSSON=1)
    endif()
    find_path(CJson_INCLUDE_DIR cjson/cJSON.h)
    find_library(CJson_LIBRARY cjson)
    if(CJson_LIBRARY AND CJson_INCLUDE_DIR)
        target_link_libraries(greenroom_bench PRIVATE ${CJson_LIBRARY})
        target_compile_definitions(greenroom_bench PRIVATE GR_BENCH_CJSON=1)
    endif()
endif()

# Examples within other people's event loops need those; without them they are left out, as are those in
# C++ without a compiler for it.
file(GLOB example_sources CONFIGURE_DEPENDS examples/*.c)
if(GR_CXX)
    file(GLOB cxx_sources CONFIGURE_DEPENDS examples/*.cpp)
    list(APPEND example_sources ${cxx_sources})
endif()
if(GR_EXAMPLES)
    find_package(PkgConfig QUIET)
    if(PkgConfig_FOUND)
        pkg_check_modules(LibUv QUIET IMPORTED_TARGET libuv)
        pkg_check_modules(GLib QUIET IMPORTED_TARGET glib-2.0)
    endif()
    set(loop_uv_needs PkgConfig::LibUv)
    set(loop_glib_needs PkgConfig::GLib)
    foreach(source IN LISTS example_sources)
        get_filename_component(name ${source} NAME_WE)
        if(DEFINED ${name}_needs AND NOT TARGET ${${name}_needs})
            message(STATUS "examples/${name}.c is left out: ${${name}_needs} is not installed")
            continue()
        endif()
        add_executable(example_${name} ${source})
        set(flags gr_flags)
        if(source MATCHES "\\.cpp$")
            set(flags gr_cxx_flags)
        endif()
        target_link_libraries(example_${name} PRIVATE
            ${flags} ${gr_lib} ${${name}_needs} Threads::Threads m)
        set_target_properties(example_${name} PROPERTIES
            OUTPUT_NAME ${name}
            RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/examples)
    endforeach()
endif()
