#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

namespace onnxrun {

// A float that rounds to the same 16-bit float as `value` does: to nearest where exact, otherwise the neighbour with an
// odd last bit, so that rounding again does not round twice.
inline float float_for_narrowing(double value) noexcept {
  const auto nearest = static_cast<float>(value);
  auto bits = std::bit_cast<uint32_t>(nearest);
  if (static_cast<double>(nearest) == value || value != value || (bits & 1) != 0) return nearest;
  if ((bits & 0x7fffffff) >= 0x7f800000) return nearest;
  const bool grows = nearest == 0 || (value > static_cast<double>(nearest)) == (nearest > 0);
  if (nearest == 0) bits = value < 0 ? 0x80000000U : 0U;
  return std::bit_cast<float>(grows ? bits + 1 : bits - 1);
}
template <class Number>
float float_for_narrowing(Number value) noexcept {
  return static_cast<float>(value);
}

// IEEE 754 binary16 by its bits; arithmetic goes through float and rounds once, to nearest even.
struct Half {
  uint16_t bits = 0;

  Half() = default;
  template <class Number, class = std::enable_if_t<std::is_arithmetic_v<Number>>>
  Half(Number value) noexcept : bits(from_float(float_for_narrowing(value))) {}  // NOLINT(google-explicit-constructor)
  operator float() const noexcept { return to_float(bits); }

  static uint16_t from_float(float value) noexcept {
    const uint32_t word = std::bit_cast<uint32_t>(value);
    const auto sign = static_cast<uint16_t>((word >> 16) & 0x8000);
    const uint32_t magnitude = word & 0x7fffffff;
    if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00 | ((magnitude >> 13) & 0x3ff));  // NaN
    if (magnitude >= 0x47800000) return sign | 0x7c00;  // 65536 and more; 65520 rounds up to infinity below
    if (magnitude < 0x38800000) {                       // below 2^-14: subnormal or zero
      // Adding 0.5 aligns the units in the last place: the sum's mantissa is the rounded subnormal.
      const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
      return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000));
    }
    const uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
    return static_cast<uint16_t>(sign | ((rounded - 0x38000000) >> 13));
  }

  static float to_float(uint16_t half) noexcept {
    const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
    const uint32_t exponent = (half >> 10) & 0x1f;
    const uint32_t mantissa = half & 0x3ff;
    if (exponent == 0x1f) {  // infinity, or a NaN, which becomes quiet
      return std::bit_cast<float>(sign | 0x7f800000 | (mantissa << 13) | (mantissa != 0 ? 0x400000 : 0));
    }
    if (exponent == 0) {
      const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
      return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
    }
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  }
};

// The upper half of a float by its bits, rounded to nearest even.
struct BFloat16 {
  uint16_t bits = 0;

  BFloat16() = default;
  template <class Number, class = std::enable_if_t<std::is_arithmetic_v<Number>>>
  BFloat16(Number value) noexcept
      : bits(from_float(float_for_narrowing(value))) {}  // NOLINT(google-explicit-constructor)
  operator float() const noexcept { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

  static uint16_t from_float(float value) noexcept {
    const uint32_t word = std::bit_cast<uint32_t>(value);
    if ((word & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>((word >> 16) | 0x40);
    return static_cast<uint16_t>((word + 0x7fff + ((word >> 16) & 1)) >> 16);
  }
};

}  // namespace onnxrun
