# Installs the library, its headers, the command line tool, and what find_package and pkg-config look for.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/onnxrun)
install(TARGETS onnxrun EXPORT onnxrunTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/onnxrun DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT onnxrunTargets NAMESPACE onnxrun:: DESTINATION ${package_dir})

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/onnxrunConfig.cmake.in
  ${PROJECT_BINARY_DIR}/onnxrunConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/onnxrunConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/onnxrunConfig.cmake ${PROJECT_BINARY_DIR}/onnxrunConfigVersion.cmake
  DESTINATION ${package_dir})

configure_file(${CMAKE_CURRENT_LIST_DIR}/onnxrun.pc.in ${PROJECT_BINARY_DIR}/onnxrun.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/onnxrun.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(ONNXRUN_BUILD_TOOLS)
  file(RELATIVE_PATH to_libraries ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  set_target_properties(onnxrun_cli PROPERTIES INSTALL_RPATH "$ORIGIN/${to_libraries}")
  install(TARGETS onnxrun_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(FILES ${PROJECT_SOURCE_DIR}/docs/man/onnxrun.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
