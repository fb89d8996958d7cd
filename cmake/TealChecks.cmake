# check-headers: every header compiles on its own. A header that is the first include of its own source has been compiled so by
# the build, where that compiles each file alone; the others are compiled here. check-arrows: no include against the direction of
# the layout.
file(GLOB_RECURSE headers RELATIVE ${CMAKE_SOURCE_DIR} CONFIGURE_DEPENDS core/*.h cli/*.h abi/include/*.h abi/include/*.hpp plugins/*.h triggers/*.h triggers/*.hpp)
set(header_sources)
foreach(header ${headers})
  string(REGEX REPLACE "\\.(h|hpp)$" ".cpp" own ${header})
  if(EXISTS ${CMAKE_SOURCE_DIR}/${own} AND (TEAL_UNITY STREQUAL "none" OR (TEAL_UNITY STREQUAL "edges" AND header MATCHES "^core/")))
    file(STRINGS ${own} first REGEX "^#include" LIMIT_COUNT 1)
    if(first STREQUAL "#include \"${header}\"")
      continue()
    endif()
  endif()
  string(REPLACE "/" "_" stem ${header})
  set(source ${CMAKE_BINARY_DIR}/header_checks/${stem}.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "#include \"${header}\"\n")
  list(APPEND header_sources ${source})
endforeach()
add_library(check-headers OBJECT EXCLUDE_FROM_ALL ${header_sources})
set_target_properties(check-headers PROPERTIES UNITY_BUILD OFF)
target_link_libraries(check-headers PRIVATE teal_settings teal_abi teal_proto nlohmann_json::nlohmann_json)

add_custom_target(check-arrows COMMAND ${CMAKE_SOURCE_DIR}/scripts/check-arrows WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
