// What AVX512_VNNI kernels of bytes have in common; only ISA files include it.
#pragma once

#include "kernels/byte_products.h"
#include "kernels/conv/blocked_tile.h"

#if defined(ONNXRUN_SIMD_avx512)

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {

// Four lanes of four groups of bytes as a square: group g of lane l becomes group l of lane g.
ONNXRUN_INLINE __m512i swap_groups_and_lanes(__m512i bytes) noexcept {
  const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
  return _mm512_permutexvar_epi32(order, bytes);
}

// The bounds and the zero point of a ByteTileEnd.
struct ByteRange {
  __m512 low, high;
  __m512i zero;
  __m512i zeros, lows, highs;  // of int16 and of bytes

  explicit ONNXRUN_INLINE ByteRange(const ByteTileEnd& end) noexcept
      : low(_mm512_set1_ps(end.low)),
        high(_mm512_set1_ps(end.high)),
        zero(_mm512_set1_epi32(end.zero)),
        zeros(_mm512_set1_epi16(static_cast<int16_t>(end.zero))),
        lows(_mm512_set1_epi8(static_cast<int8_t>(static_cast<int32_t>(end.low) + end.zero))),
        highs(_mm512_set1_epi8(static_cast<int8_t>(static_cast<int32_t>(end.high) + end.zero))) {}

  // Four vectors of numbers as four times sixteen bytes, through integers that saturate.
  ONNXRUN_INLINE void store_four(uint8_t* dst, const __m512 (&numbers)[4]) const noexcept {
    const __m512 large = _mm512_set1_ps(0x1p30f);  // what is larger would not become an integer
    const auto pair = [&](__m512 x, __m512 y) ONNXRUN_INLINE_LAMBDA {
      const __m512i words =
          _mm512_packs_epi32(_mm512_cvtps_epi32(_mm512_min_ps(x, large)), _mm512_cvtps_epi32(_mm512_min_ps(y, large)));
      return _mm512_adds_epi16(words, zeros);
    };
    const __m512i bytes = _mm512_packus_epi16(pair(numbers[0], numbers[1]), pair(numbers[2], numbers[3]));
    const __m512i inside = _mm512_min_epu8(_mm512_max_epu8(bytes, lows), highs);
    _mm512_storeu_si512(dst, swap_groups_and_lanes(inside));  // packing works in lanes of four channels
  }

  // The bytes that stand for numbers.
  ONNXRUN_INLINE void store(uint8_t* dst, __m512 numbers) const noexcept {
    const __m512 inside = _mm512_min_ps(_mm512_max_ps(numbers, low), high);
    const __m512i whole = _mm512_add_epi32(_mm512_cvtps_epi32(inside), zero);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(dst), _mm512_cvtepi32_epi8(whole));
  }
};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE

#endif
