# onnxrun_add_simd_kernels(TARGET FILE.simd.cpp...) compiles each file once per instruction set into TARGET;
# onnxrun_add_isa_kernels(TARGET TAG FILE.TAG.cpp...) those for one instruction set alone.
#
# Each copy sees ONNXRUN_SIMD_NAMESPACE (the tag of its instruction set) and renames the namespace xsimd to
# xsimd_<tag>: xsimd has weak symbols of the same name for every instruction set, and the linker would merge them.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(ONNXRUN_SIMD_TAGS sse2 avx2 avx512)
  set(ONNXRUN_SIMD_FLAGS_sse2 -msse2)
  set(ONNXRUN_SIMD_FLAGS_avx2 -mavx2 -mfma -mf16c -mbmi -mbmi2)
  set(ONNXRUN_SIMD_FLAGS_avx512
      -mavx512f -mavx512cd -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma -mf16c -mbmi -mbmi2 -mprefer-vector-width=512)
  set(ONNXRUN_ISA_TAGS amx)  # whose kernels are files of their own; the vectors are those of AVX-512
  set(ONNXRUN_SIMD_FLAGS_amx ${ONNXRUN_SIMD_FLAGS_avx512} -mamx-tile -mamx-bf16 -DONNXRUN_SIMD_avx512=1)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(ONNXRUN_SIMD_TAGS neon)
else()
  message(FATAL_ERROR "onnxrun has no kernels for the processor ${CMAKE_SYSTEM_PROCESSOR}")
endif()

function(onnxrun_add_isa_kernels target tag)
  add_library(${target}_${tag} OBJECT ${ARGN})
  target_link_libraries(${target}_${tag} PRIVATE onnxrun_options)
  target_compile_definitions(${target}_${tag} PRIVATE
    ONNXRUN_SIMD_NAMESPACE=${tag} ONNXRUN_SIMD_${tag}=1 xsimd=xsimd_${tag})
  # Never below -O2: at -O0 xsimd's AVX-512 header does not compile, and a kernel must not depend on the preset.
  # Nobody looks at floating point exceptions: without them comparisons and choices become vectors.
  target_compile_options(${target}_${tag} PRIVATE
    ${ONNXRUN_SIMD_FLAGS_${tag}} -O3 -fno-trapping-math -fno-exceptions -fno-rtti)
  if(tag MATCHES "avx512|amx" AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # g++ 12 sees uninitialised operands in its own _mm512_min_ps and its like.
    target_compile_options(${target}_${tag} PRIVATE -Wno-maybe-uninitialized -Wno-uninitialized)
  endif()
  set_target_properties(${target}_${tag} PROPERTIES
    POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_${tag}>)
endfunction()

function(onnxrun_add_simd_kernels target)
  foreach(tag IN LISTS ONNXRUN_SIMD_TAGS)
    onnxrun_add_isa_kernels(${target} ${tag} ${ARGN})
  endforeach()
endfunction()
