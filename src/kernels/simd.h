// The vector vocabulary of the kernels, for the instruction set that this file is compiled for; only *.simd.cpp files
// and their headers include it. Everything lives in onnxrun::ONNXRUN_SIMD_NAMESPACE, so that no function is shared by
// copies compiled for different processors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

// xsimd 8.1 has no fused multiply-add for AVX-512: its own would round twice. The overloads must be declared before
// xsimd_api.hpp, whose fma() looks them up by qualified name; its include guard holds it back until then.
#define XSIMD_API_HPP
#include <xsimd/xsimd.hpp>
#if defined(ONNXRUN_SIMD_avx512)
namespace xsimd::kernel {
#define ONNXRUN_FUSED(T, suffix, name, intrinsic)                                           \
  template <class A>                                                                        \
  inline batch<T, A> name(const batch<T, A>& x, const batch<T, A>& y, const batch<T, A>& z, \
                          requires_arch<avx512f>) noexcept {                                \
    return _mm512_##intrinsic##_##suffix(x, y, z);                                          \
  }
ONNXRUN_FUSED(float, ps, fma, fmadd)
ONNXRUN_FUSED(float, ps, fms, fmsub)
ONNXRUN_FUSED(float, ps, fnma, fnmadd)
ONNXRUN_FUSED(float, ps, fnms, fnmsub)
ONNXRUN_FUSED(double, pd, fma, fmadd)
ONNXRUN_FUSED(double, pd, fms, fmsub)
ONNXRUN_FUSED(double, pd, fnma, fnmadd)
ONNXRUN_FUSED(double, pd, fnms, fnmsub)
#undef ONNXRUN_FUSED
}  // namespace xsimd::kernel
#endif
#undef XSIMD_API_HPP
#include <xsimd/types/xsimd_api.hpp>

// Before a loop over registers: both compilers keep an array of vectors in registers only when every loop over it is
// unrolled in full.
#if defined(__clang__)
#define ONNXRUN_UNROLL _Pragma("clang loop unroll(full)")
#else
#define ONNXRUN_UNROLL _Pragma("GCC unroll 64")
#endif
#define ONNXRUN_INLINE inline __attribute__((always_inline))
#define ONNXRUN_INLINE_LAMBDA __attribute__((always_inline))

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {

#if defined(ONNXRUN_SIMD_sse2)
using Arch = xsimd::sse2;
#elif defined(ONNXRUN_SIMD_avx2)
using Arch = xsimd::fma3<xsimd::avx2>;
#elif defined(ONNXRUN_SIMD_avx512)
using Arch = xsimd::avx512bw;
#elif defined(ONNXRUN_SIMD_neon)
using Arch = xsimd::neon64;
#endif

template <class T>
using Vec = xsimd::batch<T, Arch>;
template <class T>
using Mask = xsimd::batch_bool<T, Arch>;
#if defined(ONNXRUN_SIMD_avx512) || defined(ONNXRUN_SIMD_neon)
inline constexpr int kRegisters = 32;
#else
inline constexpr int kRegisters = 16;
#endif
template <class T>
inline constexpr int kLanes = static_cast<int>(Vec<T>::size);

template <class T>
ONNXRUN_INLINE Vec<T> load(const T* src) noexcept {
  return Vec<T>::load_unaligned(src);
}
template <class T>
ONNXRUN_INLINE void store(T* dst, const Vec<T>& value) noexcept {
  value.store_unaligned(dst);
}

// As many floats as there are lanes of double.
ONNXRUN_INLINE Vec<double> load_widened(const float* src) noexcept {
  using Half = float __attribute__((vector_size(sizeof(float) * static_cast<size_t>(kLanes<double>))));
  Half x;
  __builtin_memcpy(&x, src, sizeof(x));
  return Vec<double>(__builtin_convertvector(x, decltype(Vec<double>::data)));
}

// x * y + z in one rounding; two on SSE2, which has no fused instruction.
template <class T>
ONNXRUN_INLINE Vec<T> fma(const Vec<T>& x, const Vec<T>& y, const Vec<T>& z) noexcept {
  return xsimd::fma(x, y, z);
}
// sum += x * y, rounded as fma. For sums that a loop keeps in registers: as an expression g++ 12 moves them about, and
// some to memory.
ONNXRUN_INLINE void accumulate(Vec<float>& sum, const Vec<float>& x, const Vec<float>& y) noexcept {
#if defined(ONNXRUN_SIMD_avx2) || defined(ONNXRUN_SIMD_avx512)
  auto result = sum.data;
  __asm__("vfmadd231ps %2, %1, %0" : "+v"(result) : "v"(x.data), "v"(y.data));
  sum = Vec<float>(result);
#else
  sum = fma(x, y, sum);
#endif
}
// z - x * y, rounded as fma.
template <class T>
ONNXRUN_INLINE Vec<T> fnma(const Vec<T>& x, const Vec<T>& y, const Vec<T>& z) noexcept {
  return xsimd::fnma(x, y, z);
}
template <class T>
ONNXRUN_INLINE Vec<T> select(const Mask<T>& condition, const Vec<T>& yes, const Vec<T>& no) noexcept {
  return xsimd::select(condition, yes, no);
}

// max(x, low) and min(x, high) where a NaN x stays NaN: MAXPS and MINPS return their second operand when one is NaN.
template <class T>
ONNXRUN_INLINE Vec<T> at_least(const Vec<T>& x, const Vec<T>& low) noexcept {
  return xsimd::max(low, x);
}
template <class T>
ONNXRUN_INLINE Vec<T> at_most(const Vec<T>& x, const Vec<T>& high) noexcept {
  return xsimd::min(high, x);
}
// ONNX Max and Min: NaN when either operand is. Asked with ==, for xsimd's != is false for NaN on AVX2 and AVX-512.
template <class T>
ONNXRUN_INLINE Vec<T> max_or_nan(const Vec<T>& x, const Vec<T>& y) noexcept {
  return select(x == x, xsimd::max(x, y), x);
}
template <class T>
ONNXRUN_INLINE Vec<T> min_or_nan(const Vec<T>& x, const Vec<T>& y) noexcept {
  return select(x == x, xsimd::min(x, y), x);
}

// Brings the line of `address` to the first level cache (prefetch) or the second (prefetch_l2); never faults.
ONNXRUN_INLINE void prefetch(const void* address) noexcept { __builtin_prefetch(address, 0, 3); }
ONNXRUN_INLINE void prefetch_l2(const void* address) noexcept { __builtin_prefetch(address, 0, 2); }

#if defined(ONNXRUN_SIMD_avx2)
// The first n lanes set, for maskload and maskstore.
ONNXRUN_INLINE __m256i lane_mask(size_t n, float) noexcept {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
ONNXRUN_INLINE __m256i lane_mask(size_t n, double) noexcept {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(static_cast<long long>(n)), _mm256_setr_epi64x(0, 1, 2, 3));
}
#endif

// The first n lanes from memory, the others zero; 0 <= n <= lanes. Nothing beyond src[n - 1] is read.
template <class T>
ONNXRUN_INLINE Vec<T> load_partial(const T* src, size_t n) noexcept {
#if defined(ONNXRUN_SIMD_avx2)
  if constexpr (sizeof(T) == 4) {
    return _mm256_maskload_ps(src, lane_mask(n, T{}));
  } else {
    return _mm256_maskload_pd(src, lane_mask(n, T{}));
  }
#elif defined(ONNXRUN_SIMD_avx512)
  if constexpr (sizeof(T) == 4) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), src);
  } else {
    return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), src);
  }
#else
  alignas(16) T lanes[kLanes<T>] = {};
  for (size_t i = 0; i < n; ++i) lanes[i] = src[i];
  return Vec<T>::load_aligned(lanes);
#endif
}

// The first n lanes to memory; nothing beyond dst[n - 1] is written.
template <class T>
ONNXRUN_INLINE void store_partial(T* dst, const Vec<T>& value, size_t n) noexcept {
#if defined(ONNXRUN_SIMD_avx2)
  if constexpr (sizeof(T) == 4) {
    _mm256_maskstore_ps(dst, lane_mask(n, T{}), value);
  } else {
    _mm256_maskstore_pd(dst, lane_mask(n, T{}), value);
  }
#elif defined(ONNXRUN_SIMD_avx512)
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_ps(dst, static_cast<__mmask16>((1u << n) - 1), value);
  } else {
    _mm512_mask_storeu_pd(dst, static_cast<__mmask8>((1u << n) - 1), value);
  }
#else
  alignas(16) T lanes[kLanes<T>];
  value.store_aligned(lanes);
  for (size_t i = 0; i < n; ++i) dst[i] = lanes[i];
#endif
}

// op of all lanes, joined in halves.
template <size_t kWidth, class T, class Op, size_t... kLane>
ONNXRUN_INLINE T join_halves(const Vec<T>& x, const Op& op, std::index_sequence<kLane...> lanes) noexcept {
  if constexpr (kWidth == 1) {
    return x.data[0];
  } else {
    const Vec<T> other(decltype(x.data)(__builtin_shufflevector(x.data, x.data, (kLane ^ kWidth / 2)...)));
    return join_halves<kWidth / 2>(op(x, other), op, lanes);
  }
}
template <class T, class Op>
ONNXRUN_INLINE T join_lanes(const Vec<T>& x, const Op& op) noexcept {
  return join_halves<kLanes<T>>(x, op, std::make_index_sequence<kLanes<T>>());
}
ONNXRUN_INLINE float sum_lanes(const Vec<float>& x) noexcept {
  return join_lanes(x,
                    [](const Vec<float>& a, const Vec<float>& b) ONNXRUN_INLINE_LAMBDA { return Vec<float>(a + b); });
}

// One round of sums_of_lanes: the halves of each group of kGroup lanes of a, then of b, added.
template <size_t kGroup, size_t... kLane>
ONNXRUN_INLINE Vec<float> add_halves(const Vec<float>& a, const Vec<float>& b, std::index_sequence<kLane...>) noexcept {
  constexpr size_t kHalf = kGroup / 2;
  return Vec<float>(__builtin_shufflevector(a.data, b.data, (kLane / kHalf * kGroup + kLane % kHalf)...)) +
         Vec<float>(__builtin_shufflevector(a.data, b.data, (kLane / kHalf * kGroup + kLane % kHalf + kHalf)...));
}

// Lane i: the sum of the lanes of x[i]. (xsimd 8.1's haddp is wrong for AVX-512.)
template <size_t kGroup = kLanes<float>, size_t kCount>
ONNXRUN_INLINE Vec<float> sums_of_lanes(const Vec<float> (&x)[kCount]) noexcept {
  Vec<float> sums[kCount / 2];
  ONNXRUN_UNROLL
  for (size_t i = 0; i < kCount / 2; ++i) {
    sums[i] = add_halves<kGroup>(x[2 * i], x[2 * i + 1], std::make_index_sequence<kLanes<float>>());
  }
  if constexpr (kCount == 2) {
    return sums[0];
  } else {
    return sums_of_lanes<kGroup / 2>(sums);
  }
}

// The first n float lanes.
ONNXRUN_INLINE Mask<float> first_lanes(size_t n) noexcept {
#if defined(ONNXRUN_SIMD_avx2)
  return Mask<float>(_mm256_castsi256_ps(lane_mask(n, 0.0f)));
#elif defined(ONNXRUN_SIMD_avx512)
  return Mask<float>(static_cast<__mmask16>((1u << n) - 1));
#else
  alignas(16) static constexpr float kIndices[] = {0, 1, 2, 3};
  return Vec<float>::load_aligned(kIndices) < Vec<float>(static_cast<float>(n));
#endif
}

// A choice of float lanes to load.
#if defined(ONNXRUN_SIMD_avx2)
using LoadMask = __m256i;
#else
using LoadMask = uint32_t;
#endif

// Lanes [begin, end); both at most the number of lanes.
ONNXRUN_INLINE LoadMask load_mask(size_t begin, size_t end) noexcept {
#if defined(ONNXRUN_SIMD_avx2)
  return _mm256_andnot_si256(lane_mask(begin, 0.0f), lane_mask(end, 0.0f));
#else
  return static_cast<uint32_t>((uint64_t{1} << end) - 1) & ~static_cast<uint32_t>((uint64_t{1} << begin) - 1);
#endif
}

// The chosen lanes from memory, the others zero; what belongs to the others is not read.
ONNXRUN_INLINE Vec<float> load_masked(const float* src, const LoadMask& mask) noexcept {
#if defined(ONNXRUN_SIMD_avx2)
  return _mm256_maskload_ps(src, mask);
#elif defined(ONNXRUN_SIMD_avx512)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), src);
#else
  if (mask == (1u << kLanes<float>)-1) return load(src);
  alignas(16) float lanes[kLanes<float>] = {};
  for (int i = 0; i < kLanes<float>; ++i) {
    if (mask >> i & 1) lanes[i] = src[i];
  }
  return Vec<float>::load_aligned(lanes);
#endif
}

// Lane i is lane i - i % kGroup + kLane of x, for groups of 2, 4 or 8 lanes.
template <int kGroup, int kLane>
ONNXRUN_INLINE Vec<float> repeat_lane(const Vec<float>& x) noexcept {
  static_assert((kGroup == 2 || kGroup == 4 || kGroup == 8) && kGroup < kLanes<float> && kLane < kGroup);
#if defined(ONNXRUN_SIMD_sse2) || defined(ONNXRUN_SIMD_avx2) || defined(ONNXRUN_SIMD_avx512)
  constexpr int kWithin = kGroup == 2 ? (kLane == 0 ? 0xa0 : 0xf5) : kLane * 0x55;
#endif
#if defined(ONNXRUN_SIMD_sse2)
  return _mm_shuffle_ps(x, x, kWithin);
#elif defined(ONNXRUN_SIMD_avx2)
  return _mm256_permute_ps(x, kWithin);
#elif defined(ONNXRUN_SIMD_avx512)
  if constexpr (kGroup <= 4) {
    return _mm512_permute_ps(x, kWithin);
  } else {
    const __m512i base = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 8, 8, 8, 8, 8, 8, 8, 8);
    return _mm512_permutexvar_ps(_mm512_add_epi32(base, _mm512_set1_epi32(kLane)), x);
  }
#else
  return kLane == 0 ? vtrn1q_f32(x, x) : vtrn2q_f32(x, x);
#endif
}

// Lanes 0, 2, 4 … of the concatenation of `low` and `high`.
ONNXRUN_INLINE Vec<float> even_lanes(const Vec<float>& low, const Vec<float>& high) noexcept {
#if defined(ONNXRUN_SIMD_sse2)
  return _mm_shuffle_ps(low, high, 0x88);
#elif defined(ONNXRUN_SIMD_avx2)
  return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(_mm256_shuffle_ps(low, high, 0x88)), 0xd8));
#elif defined(ONNXRUN_SIMD_avx512)
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  return _mm512_permutex2var_ps(low, even, high);
#else
  return vuzp1q_f32(low, high);
#endif
}

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
