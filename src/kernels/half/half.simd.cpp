#include "kernels/half/half.h"

#include "kernels/simd.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

constexpr size_t kLane = kLanes<float>;

// A vector at a time, the rest one by one.
void widen(const Half* src, float* dst, size_t n) noexcept {
  size_t i = 0;
#if defined(ONNXRUN_SIMD_avx512)
  for (; i + kLane <= n; i += kLane) {
    _mm512_storeu_ps(dst + i, _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(src + i))));
  }
#elif defined(ONNXRUN_SIMD_avx2)
  for (; i + kLane <= n; i += kLane) {
    _mm256_storeu_ps(dst + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(src + i))));
  }
#endif
  for (; i < n; ++i) dst[i] = Half::to_float(src[i].bits);
}

void narrow(const float* src, Half* dst, size_t n) noexcept {
  size_t i = 0;
#if defined(ONNXRUN_SIMD_avx512)
  for (; i + kLane <= n; i += kLane) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(dst + i),
                        _mm512_cvtps_ph(_mm512_loadu_ps(src + i), _MM_FROUND_TO_NEAREST_INT));
  }
#elif defined(ONNXRUN_SIMD_avx2)
  for (; i + kLane <= n; i += kLane) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(dst + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(src + i), _MM_FROUND_TO_NEAREST_INT));
  }
#endif
  for (; i < n; ++i) dst[i].bits = Half::from_float(src[i]);
}

}  // namespace

extern const HalfKernels kHalfKernels;
constexpr HalfKernels kHalfKernels = {widen, narrow};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
