// AVX512_VNNI's product of bytes; only ISA files include it.
#pragma once

#include "kernels/simd.h"

#if defined(ONNXRUN_SIMD_avx512)

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {

// sum += the products of unsigned bytes x and signed bytes y, four a lane.
ONNXRUN_INLINE void add_byte_products(__m512i& sum, __m512i x, __m512i y) noexcept {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(y));
}

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE

#endif
