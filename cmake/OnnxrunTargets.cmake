# Compile options of our own targets; nothing here is global.
add_library(onnxrun_options INTERFACE)
target_compile_features(onnxrun_options INTERFACE cxx_std_20)
target_compile_options(onnxrun_options INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -ffp-contract=off)
target_include_directories(onnxrun_options INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
if(ONNXRUN_SANITIZE)
  target_compile_options(onnxrun_options INTERFACE -fsanitize=${ONNXRUN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(onnxrun_options INTERFACE -fsanitize=${ONNXRUN_SANITIZE})
endif()

# onnxrun_add_component(NAME SOURCES... ) makes the static library onnxrun_NAME that becomes part of libonnxrun.
function(onnxrun_add_component name)
  add_library(onnxrun_${name} STATIC ${ARGN})
  target_link_libraries(onnxrun_${name} PUBLIC onnxrun_options)
  set_target_properties(onnxrun_${name} PROPERTIES
    POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
endfunction()
