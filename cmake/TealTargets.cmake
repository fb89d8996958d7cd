# teal_library(NAME DEPENDS ...): the static library of core/NAME, made of every .cpp in the folder.
# It may include headers of the folders it depends on only; scripts/check-arrows holds it to that.
function(teal_library name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/core/${name}/*.cpp)
  add_library(teal_${name} STATIC ${sources})
  target_link_libraries(teal_${name} PRIVATE teal_settings)
  foreach(dep ${ARG_DEPENDS})
    target_link_libraries(teal_${name} PUBLIC teal_${dep})
  endforeach()
  target_link_libraries(teal_${name} PUBLIC ${ARG_LINK} Threads::Threads)
endfunction()

# teal_test(NAME SOURCES... LINK libs...): one GoogleTest program, registered with ctest under its name.
function(teal_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE teal_settings ${ARG_LINK} GTest::gtest GTest::gtest_main)
  # What a test calls is optimised; the test itself compiles in two thirds of the time without.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O0>)
  target_compile_definitions(${name} PRIVATE TEAL_SOURCE_DIR="${CMAKE_SOURCE_DIR}" TEAL_BINARY_DIR="${CMAKE_BINARY_DIR}")
  add_test(NAME ${name} COMMAND ${name})
endfunction()
