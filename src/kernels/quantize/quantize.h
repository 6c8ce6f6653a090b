#pragma once

#include <cstddef>
#include <cstdint>

namespace onnxrun {

// Where the values of a row come from: value i is data[i * step], step 0 or 1.
template <class T>
struct RowValues {
  const T* data = nullptr;
  ptrdiff_t step = 0;
};

// Numbers that quantization may give; at most 17 bits and a sign.
struct QuantizedRange {
  int32_t low = 0;
  int32_t high = 0;
};

// Of two integers a and b the number (a - a_zero) * a_scale + (b - b_zero) * b_scale, and its zero point.
struct QuantizedSum {
  float a_scale = 0, b_scale = 0;
  int32_t a_zero = 0, b_zero = 0;
  int32_t zero = 0;
};

// Loops over one row between numbers and the integers that stand for them, of the selected instruction set. Rounding is
// to nearest even; what lies beyond the range becomes its nearest end, NaN its lower end. Thread-safe.
template <class T>
struct QuantizeKernelsOf {
  // dst[i] = clamp(round(src[i] / scale) + zero) for i < n.
  void (*quantize)(const float* src, RowValues<float> scale, RowValues<int32_t> zero, QuantizedRange range, T* dst,
                   size_t n) noexcept;
  // dst[i] = clamp(round((src[i] + bias) * factor) + zero), the sum in int32, where it wraps around, the product in
  // float.
  void (*requantize)(const int32_t* src, int32_t bias, RowValues<float> factor, int32_t zero, QuantizedRange range,
                     T* dst, size_t n) noexcept;
  // dst[i] = (src[i] - zero) * scale.
  void (*dequantize)(const T* src, RowValues<float> scale, RowValues<int32_t> zero, float* dst, size_t n) noexcept;
};

struct QuantizeKernels {
  QuantizeKernelsOf<int8_t> i8;
  QuantizeKernelsOf<uint8_t> u8;
  QuantizeKernelsOf<int16_t> i16;
  QuantizeKernelsOf<uint16_t> u16;
  // dst[i] = src[i] * scale[i] + shift[i], rounded once but for sums beyond 2^24; then clamp(round() + zero).
  void (*scale_sums)(const int32_t* src, const float* scale, const float* shift, float* dst, size_t n) noexcept;
  void (*quantize_sums)(const int32_t* src, const float* scale, const float* shift, int32_t zero, QuantizedRange range,
                        uint8_t* dst, size_t n) noexcept;
  // dst[i] = clamp(round(sum of a[i] and b[i]) + zero).
  void (*add)(const uint8_t* a, const uint8_t* b, const QuantizedSum& sum, QuantizedRange range, uint8_t* dst,
              size_t n) noexcept;
  // The smallest and the largest of n numbers and 0; NaN is passed over.
  void (*extrema)(const float* src, size_t n, float* lowest, float* highest) noexcept;

  template <class T>
  const QuantizeKernelsOf<T>& of() const noexcept;
};

template <>
inline const QuantizeKernelsOf<int8_t>& QuantizeKernels::of<int8_t>() const noexcept {
  return i8;
}
template <>
inline const QuantizeKernelsOf<uint8_t>& QuantizeKernels::of<uint8_t>() const noexcept {
  return u8;
}
template <>
inline const QuantizeKernelsOf<int16_t>& QuantizeKernels::of<int16_t>() const noexcept {
  return i16;
}
template <>
inline const QuantizeKernelsOf<uint16_t>& QuantizeKernels::of<uint16_t>() const noexcept {
  return u16;
}

const QuantizeKernels& quantize_kernels();

}  // namespace onnxrun
