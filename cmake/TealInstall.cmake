# `cmake --install`: the command, its plugins and services, and what plugin authors need (headers, find_package, pkg-config).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS teal RUNTIME DESTINATION bin)
foreach(program teal-plugin-check teal-serve)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION bin)
  endif()
endforeach()
install(DIRECTORY ${CMAKE_BINARY_DIR}/lib/teal DESTINATION lib USE_SOURCE_PERMISSIONS)
install(FILES teal.schema.json DESTINATION share/teal)
install(DIRECTORY abi/include/teal triggers/sdk/include/teal DESTINATION include)

set(package_dir lib/cmake/Teal)
configure_package_config_file(cmake/package/TealConfig.cmake.in ${CMAKE_BINARY_DIR}/generated/TealConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/generated/TealConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_BINARY_DIR}/generated/TealConfig.cmake ${CMAKE_BINARY_DIR}/generated/TealConfigVersion.cmake
  cmake/TealPlugins.cmake cmake/plugin_manifest.cmake cmake/plugin.map DESTINATION ${package_dir})
# The prefix is known only when installing.
install(CODE "set(PROJECT_VERSION ${PROJECT_VERSION})
  configure_file(${CMAKE_SOURCE_DIR}/cmake/package/teal.pc.in \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/pkgconfig/teal.pc @ONLY)")
