# Compiler settings that hold for every target of this project.
option(TEAL_TESTS "Build the tests" ON)
option(TEAL_BENCH "Build the benchmarks (Google Benchmark, Lua, LuaJIT)" OFF)
option(TEAL_FUZZ "Build the libFuzzer targets (clang only)" OFF)
option(TEAL_MUTANTS "Compile in the switches that break one rule each (core/base/mutant.h)" OFF)
option(TEAL_COVERAGE "Instrument for coverage" OFF)
set(TEAL_UNITY "none" CACHE STRING "What is compiled several files at a time, which is cheaper: none; edges: cli, plugins, tests; all: core as well")
set(TEAL_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them: address,undefined or thread")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(teal_settings INTERFACE)
target_compile_options(teal_settings INTERFACE
  -Wall -Wextra -Werror -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual
  -Wimplicit-fallthrough -Wno-missing-field-initializers
  # The machine uses labels as values. -Wrestrict sees overlaps in std::string that are none (GCC bug 105651). Clang takes
  # libstdc++'s own use of std::get_temporary_buffer for ours.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-pedantic -Wno-restrict>
  $<$<CXX_COMPILER_ID:Clang>:-Wno-gnu-label-as-value -Wno-gnu-zero-variadic-macro-arguments -Wno-deprecated-declarations>)
target_include_directories(teal_settings INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
if(TEAL_MUTANTS)
  target_compile_definitions(teal_settings INTERFACE TEAL_MUTANTS=1)
endif()
if(TEAL_SANITIZE)
  add_compile_options(-fsanitize=${TEAL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TEAL_SANITIZE})
endif()
if(TEAL_COVERAGE)
  add_compile_options(-fprofile-instr-generate -fcoverage-mapping)
  add_link_options(-fprofile-instr-generate)
endif()
if(TEAL_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# Ten files a batch: both cores have work in the smaller libraries as well. Names that collide only in a batch are
# scripts/compile-batch's concern.
set(CMAKE_UNITY_BUILD_BATCH_SIZE 10)
if(TEAL_UNITY STREQUAL "all")
  set(CMAKE_UNITY_BUILD ON)
elseif(NOT TEAL_UNITY MATCHES "^(none|edges)$")
  message(FATAL_ERROR "TEAL_UNITY is '${TEAL_UNITY}': it may be none, edges or all")
endif()
if(NOT TEAL_UNITY STREQUAL "none")
  list(PREPEND CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_SOURCE_DIR}/scripts/compile-batch)
endif()
