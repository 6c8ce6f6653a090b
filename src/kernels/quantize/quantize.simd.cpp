// Plain loops that the compiler vectorises for each instruction set.
#include "kernels/quantize/quantize.h"

#include "kernels/simd.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

// round(x) + zero, clamped. Adding 1.5 * 2^23 leaves the integer nearest to x, ties to even, in the low bits; x is
// clamped before, to bounds that are whole numbers.
inline int32_t round_and_clamp(float x, int32_t zero, QuantizedRange range) noexcept {
  constexpr float kMagic = 12582912.0F;
  const auto low = static_cast<float>(range.low - zero);
  const auto high = static_cast<float>(range.high - zero);
  const float above = x > low ? x : low;
  const float inside = above < high ? above : high;
  return __builtin_bit_cast(int32_t, inside + kMagic) - __builtin_bit_cast(int32_t, kMagic) + zero;
}

template <ptrdiff_t Step, class T>
void quantize_row(const float* src, const float* scale, const int32_t* zero, QuantizedRange range, T* dst,
                  size_t n) noexcept {
  for (size_t i = 0; i < n; ++i) {
    const size_t k = i * Step;
    dst[i] = static_cast<T>(round_and_clamp(src[i] / scale[k], zero[k], range));
  }
}

template <class T>
void quantize(const float* src, RowValues<float> scale, RowValues<int32_t> zero, QuantizedRange range, T* dst,
              size_t n) noexcept {
  if (scale.step == 1) return quantize_row<1>(src, scale.data, zero.data, range, dst, n);
  const float one_scale = *scale.data;
  const int32_t one_zero = *zero.data;
  quantize_row<0>(src, &one_scale, &one_zero, range, dst, n);
}

template <ptrdiff_t Step, class T>
void requantize_row(const int32_t* src, int32_t bias, const float* factor, int32_t zero, QuantizedRange range, T* dst,
                    size_t n) noexcept {
  for (size_t i = 0; i < n; ++i) {
    const auto sum = static_cast<int32_t>(static_cast<uint32_t>(src[i]) + static_cast<uint32_t>(bias));
    dst[i] = static_cast<T>(round_and_clamp(static_cast<float>(sum) * factor[i * Step], zero, range));
  }
}

template <class T>
void requantize(const int32_t* src, int32_t bias, RowValues<float> factor, int32_t zero, QuantizedRange range, T* dst,
                size_t n) noexcept {
  if (factor.step == 1) return requantize_row<1>(src, bias, factor.data, zero, range, dst, n);
  const float one_factor = *factor.data;
  requantize_row<0>(src, bias, &one_factor, zero, range, dst, n);
}

template <ptrdiff_t Step, class T>
void dequantize_row(const T* src, const float* scale, const int32_t* zero, float* dst, size_t n) noexcept {
  for (size_t i = 0; i < n; ++i) {
    const size_t k = i * Step;
    dst[i] = static_cast<float>(static_cast<int32_t>(src[i]) - zero[k]) * scale[k];
  }
}

template <class T>
void dequantize(const T* src, RowValues<float> scale, RowValues<int32_t> zero, float* dst, size_t n) noexcept {
  if (scale.step == 1) return dequantize_row<1>(src, scale.data, zero.data, dst, n);
  const float one_scale = *scale.data;
  const int32_t one_zero = *zero.data;
  dequantize_row<0>(src, &one_scale, &one_zero, dst, n);
}

// Calls f(number, i) with src[i] * scale[i] + shift[i].
template <class F>
ONNXRUN_INLINE void each_scaled_sum(const int32_t* src, const float* scale, const float* shift, size_t n,
                                    const F& f) noexcept {
  for (size_t i = 0; i < n; ++i) f(__builtin_fmaf(static_cast<float>(src[i]), scale[i], shift[i]), i);
}

void scale_sums(const int32_t* src, const float* scale, const float* shift, float* dst, size_t n) noexcept {
  each_scaled_sum(src, scale, shift, n, [&](float x, size_t i) ONNXRUN_INLINE_LAMBDA { dst[i] = x; });
}

void quantize_sums(const int32_t* src, const float* scale, const float* shift, int32_t zero, QuantizedRange range,
                   uint8_t* dst, size_t n) noexcept {
  each_scaled_sum(src, scale, shift, n, [&](float x, size_t i) ONNXRUN_INLINE_LAMBDA {
    dst[i] = static_cast<uint8_t>(round_and_clamp(x, zero, range));
  });
}

void add(const uint8_t* a, const uint8_t* b, const QuantizedSum& sum, QuantizedRange range, uint8_t* dst,
         size_t n) noexcept {
  const QuantizedSum s = sum;
  for (size_t i = 0; i < n; ++i) {
    const float x = static_cast<float>(a[i] - s.a_zero) * s.a_scale + static_cast<float>(b[i] - s.b_zero) * s.b_scale;
    dst[i] = static_cast<uint8_t>(round_and_clamp(x, s.zero, range));
  }
}

void extrema(const float* src, size_t n, float* lowest, float* highest) noexcept {
  constexpr size_t kChains = 32;
  float low[kChains] = {};
  float high[kChains] = {};
  size_t i = 0;
  for (; i + kChains <= n; i += kChains) {
    for (size_t k = 0; k < kChains; ++k) {
      low[k] = src[i + k] < low[k] ? src[i + k] : low[k];
      high[k] = src[i + k] > high[k] ? src[i + k] : high[k];
    }
  }
  for (size_t k = 0; i < n; ++i, ++k) {
    low[k] = src[i] < low[k] ? src[i] : low[k];
    high[k] = src[i] > high[k] ? src[i] : high[k];
  }
  *lowest = *highest = 0;
  for (size_t k = 0; k < kChains; ++k) {
    *lowest = low[k] < *lowest ? low[k] : *lowest;
    *highest = high[k] > *highest ? high[k] : *highest;
  }
}

}  // namespace

extern const QuantizeKernels kQuantizeKernels;
const QuantizeKernels kQuantizeKernels = {
    {quantize<int8_t>, requantize<int8_t>, dequantize<int8_t>},
    {quantize<uint8_t>, requantize<uint8_t>, dequantize<uint8_t>},
    {quantize<int16_t>, requantize<int16_t>, dequantize<int16_t>},
    {quantize<uint16_t>, requantize<uint16_t>, dequantize<uint16_t>},
    scale_sums,
    quantize_sums,
    add,
    extrema,
};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
