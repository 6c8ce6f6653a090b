// What AVX512_VNNI kernels of bytes have in common; only ISA files include it.
#pragma once

#include "kernels/conv/blocked_tile.h"
#include "kernels/simd.h"

#if defined(ONNXRUN_SIMD_avx512)

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {

// sum += the products of unsigned and signed bytes, four a lane.
ONNXRUN_INLINE void add_byte_products(__m512i& sum, __m512i x, __m512i weights) noexcept {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(weights));
}

// The bounds and the zero point of a ByteTileEnd.
struct ByteRange {
  __m512 low, high;
  __m512i zero;

  explicit ONNXRUN_INLINE ByteRange(const ByteTileEnd& end) noexcept
      : low(_mm512_set1_ps(end.low)), high(_mm512_set1_ps(end.high)), zero(_mm512_set1_epi32(end.zero)) {}

  // The bytes that stand for numbers.
  ONNXRUN_INLINE void store(uint8_t* dst, __m512 numbers) const noexcept {
    const __m512 inside = _mm512_min_ps(_mm512_max_ps(numbers, low), high);
    const __m512i whole = _mm512_add_epi32(_mm512_cvtps_epi32(inside), zero);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(dst), _mm512_cvtepi32_epi8(whole));
  }
};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE

#endif
