# teal_plugin(NAME SOURCES … [LINK libs…] [DIRECTORY dir] [MANIFEST template]): the plugin NAME as DIR/teal_NAME.so, which
# exports teal_plugin_v1 and nothing else, and beside it its manifest, made of NAME.teal-plugin.json.in in the current folder,
# where @VERSION@ (the project's) and @SHA256@ (the library's) are put in. C or C++, which is for the caller's project() to
# enable. This file is used here and by projects that say find_package(Teal).
set(TEAL_PLUGIN_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR})

if(NOT TARGET teal::abi)
  add_library(teal_abi INTERFACE)
  add_library(teal::abi ALIAS teal_abi)
  target_include_directories(teal_abi INTERFACE ${CMAKE_CURRENT_LIST_DIR}/../abi/include ${CMAKE_CURRENT_LIST_DIR}/../triggers/sdk/include)
endif()

function(teal_plugin name)
  cmake_parse_arguments(ARG "" "MANIFEST;DIRECTORY" "SOURCES;LINK" ${ARGN})
  if(NOT ARG_DIRECTORY)
    set(ARG_DIRECTORY ${CMAKE_BINARY_DIR})
    if(DEFINED TEAL_PLUGIN_DIR)
      set(ARG_DIRECTORY ${TEAL_PLUGIN_DIR})
    endif()
  endif()
  if(NOT ARG_MANIFEST)
    set(ARG_MANIFEST ${CMAKE_CURRENT_SOURCE_DIR}/${name}.teal-plugin.json.in)
  endif()
  set(target teal_plugin_${name})
  set(exports ${TEAL_PLUGIN_CMAKE_DIR}/plugin.map)
  add_library(${target} MODULE ${ARG_SOURCES})
  target_link_libraries(${target} PRIVATE $<TARGET_NAME_IF_EXISTS:teal_settings> teal::abi ${ARG_LINK})
  set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME teal_${name} LIBRARY_OUTPUT_DIRECTORY ${ARG_DIRECTORY}
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON)
  target_link_options(${target} PRIVATE -Wl,--version-script=${exports} -Wl,-z,now)
  if(NOT TEAL_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,--no-undefined)
  endif()
  add_custom_command(TARGET ${target} POST_BUILD
    COMMAND ${CMAKE_COMMAND} -DLIBRARY=$<TARGET_FILE:${target}> -DTEMPLATE=${ARG_MANIFEST}
            -DOUTPUT=${ARG_DIRECTORY}/${name}.teal-plugin.json -DVERSION=${PROJECT_VERSION}
            -P ${TEAL_PLUGIN_CMAKE_DIR}/plugin_manifest.cmake
    VERBATIM)
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${ARG_MANIFEST} ${exports})
endfunction()
