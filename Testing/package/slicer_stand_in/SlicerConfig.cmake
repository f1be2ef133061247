# A stand-in for 3D Slicer's build system, not Slicer: it lets `cmake` configure and install the extension in a second.
# Like Slicer's macro it fails on an unknown keyword, a missing name and a listed file that does not exist; it installs
# what it is given into the folder where Slicer 5.12 looks for scripted modules. It builds, compiles and runs nothing.
# With -DLANGUAGESEGMENT_SLICER_SOURCE=<checkout of Slicer> the macros are Slicer's own.

include(CMakeParseArguments)

set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR "lib/Slicer-5.12/qt-scripted-modules")
set(Slicer_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/nothing.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${CMAKE_CURRENT_LIST_DIR}/nothing.cmake")
set(Slicer_EXTENSION_CPACK "${CMAKE_CURRENT_LIST_DIR}/check_extension.cmake")

if(LANGUAGESEGMENT_SLICER_SOURCE)
  include("${CMAKE_CURRENT_LIST_DIR}/slicers_own_macros.cmake")
  return()
endif()

macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(_module "WITH_GENERIC_TESTS;WITH_SUBDIR;VERBOSE" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(_module_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "unknown keywords: ${_module_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT DEFINED _module_NAME)
    message(FATAL_ERROR "NAME is mandatory")
  endif()
  set(_subdir "")
  if(_module_WITH_SUBDIR)
    get_filename_component(_subdir "${CMAKE_CURRENT_SOURCE_DIR}" NAME)
  endif()
  foreach(_file IN LISTS _module_SCRIPTS _module_RESOURCES)
    if(EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${_file}.py")
      set(_file "${_file}.py")
    endif()
    if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${_file}")
      message(FATAL_ERROR "${_module_NAME} lists a file that does not exist: ${_file}")
    endif()
    get_filename_component(_folder "${_file}" DIRECTORY)
    install(FILES "${_file}" DESTINATION "${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}/${_subdir}/${_folder}")
  endforeach()
endmacro()

# Slicer registers the module's own test with ctest; what stands in for it only looks for the file.
function(slicer_add_python_unittest)
  cmake_parse_arguments(_test "" "SCRIPT;TESTNAME_PREFIX" "SLICER_ARGS" ${ARGN})
  if(_test_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "unknown keywords: ${_test_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${_test_SCRIPT}")
    message(FATAL_ERROR "the test script does not exist: ${_test_SCRIPT}")
  endif()
endfunction()
