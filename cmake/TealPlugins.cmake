# teal_plugin(NAME SOURCES … LINK libs…): the plugin `NAME` as <build>/lib/teal/plugins/teal_NAME.so, which exports
# teal_plugin_v1 and nothing else, and beside it its manifest, made of NAME.teal-plugin.json.in in the current folder, where
# @VERSION@ and @SHA256@ are put in. It may include abi/ only; scripts/check-arrows holds it to that.
set(TEAL_PLUGIN_DIR ${CMAKE_BINARY_DIR}/lib/teal/plugins)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/plugin.map CONTENT "{ global: teal_plugin_v1; local: *; };\n")

add_library(teal_abi INTERFACE)
add_library(teal::abi ALIAS teal_abi)
target_include_directories(teal_abi INTERFACE ${CMAKE_SOURCE_DIR}/abi/include)

function(teal_plugin name)
  cmake_parse_arguments(ARG "" "MANIFEST;DIRECTORY" "SOURCES;LINK" ${ARGN})
  if(NOT ARG_DIRECTORY)
    set(ARG_DIRECTORY ${TEAL_PLUGIN_DIR})
  endif()
  if(NOT ARG_MANIFEST)
    set(ARG_MANIFEST ${CMAKE_CURRENT_SOURCE_DIR}/${name}.teal-plugin.json.in)
  endif()
  set(target teal_plugin_${name})
  add_library(${target} MODULE ${ARG_SOURCES})
  target_link_libraries(${target} PRIVATE teal_settings teal_abi ${ARG_LINK} Threads::Threads)
  set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME teal_${name} LIBRARY_OUTPUT_DIRECTORY ${ARG_DIRECTORY})
  target_link_options(${target} PRIVATE -Wl,--version-script=${CMAKE_BINARY_DIR}/generated/plugin.map -Wl,-z,now)
  if(NOT TEAL_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,--no-undefined)
  endif()
  set(manifest ${ARG_DIRECTORY}/${name}.teal-plugin.json)
  add_custom_command(TARGET ${target} POST_BUILD
    COMMAND ${CMAKE_COMMAND} -DLIBRARY=$<TARGET_FILE:${target}> -DTEMPLATE=${ARG_MANIFEST} -DOUTPUT=${manifest}
            -DVERSION=${PROJECT_VERSION} -P ${CMAKE_SOURCE_DIR}/cmake/plugin_manifest.cmake
    VERBATIM)
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${ARG_MANIFEST} ${CMAKE_BINARY_DIR}/generated/plugin.map)
endfunction()
