#include "base/narrow_float.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace onnxrun {
namespace {

struct Format {
  int mantissa_bits;
  int bias;
  uint8_t sign;      // its bit
  uint8_t largest;   // finite
  uint8_t infinity;  // what overflow becomes; NaN where there is no infinity
  uint8_t nan;
  bool has_infinity;
  bool has_signed_special;  // -0 and signed NaN; otherwise the bits of -0 are NaN
};

constexpr Format kE4M3FN = {3, 7, 0x80, 0x7e, 0x7f, 0x7f, false, true};
constexpr Format kE4M3FNUZ = {3, 8, 0x80, 0x7f, 0x80, 0x80, false, false};
constexpr Format kE5M2 = {2, 15, 0x80, 0x7b, 0x7c, 0x7e, true, true};
constexpr Format kE5M2FNUZ = {2, 16, 0x80, 0x7f, 0x80, 0x80, false, false};
constexpr Format kE2M1 = {1, 1, 0x08, 0x07, 0x07, 0x00, false, true};

const Format& format_of(DType dtype) {
  switch (dtype) {
    case DType::float8e4m3fn:
      return kE4M3FN;
    case DType::float8e4m3fnuz:
      return kE4M3FNUZ;
    case DType::float8e5m2:
      return kE5M2;
    case DType::float8e5m2fnuz:
      return kE5M2FNUZ;
    default:
      return kE2M1;
  }
}

constexpr uint8_t kScaleNan = 0xff;

uint8_t encode_scale(float value, bool saturate, ScaleRounding rounding) {
  constexpr float kSmallest = 0x1p-127F;
  constexpr uint8_t kLargest = 0xfe;
  if (std::isnan(value)) return kScaleNan;
  const float magnitude = std::fabs(value);
  if (std::isinf(magnitude)) return saturate ? kLargest : kScaleNan;
  if (magnitude < kSmallest) return saturate ? 0 : kScaleNan;
  int exponent = 0;
  const float fraction = std::frexp(magnitude, &exponent);  // in [0.5, 1)
  const bool up =
      (rounding == ScaleRounding::up && fraction > 0.5F) || (rounding == ScaleRounding::nearest && fraction >= 0.75F);
  const int code = exponent - 1 + 127 + (up ? 1 : 0);
  return code <= kLargest ? static_cast<uint8_t>(code) : saturate ? kLargest : kScaleNan;
}

}  // namespace

float decode_narrow(DType dtype, uint8_t bits) noexcept {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  if (dtype == DType::float8e8m0) return bits == kScaleNan ? kNan : std::ldexp(1.0F, bits - 127);
  const Format& format = format_of(dtype);
  const int magnitude = bits & (format.sign - 1);
  const bool negative = (bits & format.sign) != 0;
  float value = 0;
  if (!format.has_signed_special && bits == format.nan) return kNan;
  if (magnitude > format.largest) {
    if (!format.has_infinity || magnitude != format.infinity) return kNan;
    value = std::numeric_limits<float>::infinity();
  } else {
    const int exponent = magnitude >> format.mantissa_bits;
    const int one = 1 << format.mantissa_bits;
    const int mantissa = (magnitude & (one - 1)) + (exponent > 0 ? one : 0);
    value = std::ldexp(static_cast<float>(mantissa), std::max(exponent, 1) - format.bias - format.mantissa_bits);
  }
  return negative ? -value : value;
}

uint8_t encode_narrow(DType dtype, float value, bool saturate, ScaleRounding rounding) noexcept {
  if (dtype == DType::float8e8m0) return encode_scale(value, saturate, rounding);
  const Format& format = format_of(dtype);
  const auto sign = static_cast<uint8_t>(std::signbit(value) ? format.sign : 0);
  if (std::isnan(value)) {
    return format.has_signed_special && format.nan != 0 ? static_cast<uint8_t>(format.nan | sign) : format.nan;
  }
  const bool always_saturates = format.infinity == format.largest;
  int code = format.largest + 1;
  if (std::isfinite(value)) {
    const int smallest = 1 - format.bias;  // exponent of the smallest normal number
    const double magnitude = std::fabs(static_cast<double>(value));
    const int exponent = value == 0 ? smallest : std::max(std::ilogb(magnitude), smallest);
    const double mantissa = std::nearbyint(std::ldexp(magnitude, format.mantissa_bits - exponent));
    const int steps = std::min(exponent - smallest, 64) << format.mantissa_bits;
    code = steps + static_cast<int>(mantissa);
  }
  if (code > format.largest) code = saturate || always_saturates ? format.largest : format.infinity;
  if (!format.has_signed_special && (code == 0 || code == format.nan)) return static_cast<uint8_t>(code);
  return static_cast<uint8_t>(code | sign);
}

float round_to_odd(double value) noexcept {
  const auto nearest = static_cast<float>(value);
  if (static_cast<double>(nearest) == value || std::isnan(value)) return nearest;
  auto bits = std::bit_cast<uint32_t>(nearest);
  if (std::fabs(static_cast<double>(nearest)) > std::fabs(value)) --bits;  // towards zero
  return std::bit_cast<float>(bits | 1);
}

}  // namespace onnxrun
