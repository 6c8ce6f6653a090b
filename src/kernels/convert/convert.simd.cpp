#include "kernels/convert/convert.h"

#include <cstdint>
#include <type_traits>

#include "kernels/simd.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

constexpr float power_of_two(int exponent) { return exponent == 0 ? 1.0F : 2.0F * power_of_two(exponent - 1); }

// Without branches, for the compiler to make vectors of it.
template <class To>
ONNXRUN_INLINE To saturated(float x) noexcept {
  constexpr int kDigits = static_cast<int>(8 * sizeof(To)) - (std::is_signed_v<To> ? 1 : 0);
  constexpr float kPast = power_of_two(kDigits);
  constexpr float kLowest = std::is_signed_v<To> ? -kPast : 0.0F;
  constexpr To kMost = static_cast<To>(~(std::is_signed_v<To> ? To(To(1) << kDigits) : To(0)));
  if constexpr (sizeof(To) < 4) {
    const float low = x > kLowest ? x : kLowest;
    const float y = low < kPast - 1 ? low : kPast - 1;
    return static_cast<To>(static_cast<int32_t>(x == x ? y : 0.0F));
  } else {
    constexpr float kBelow = kPast - kPast / (1 << 24);
    const float low = x > kLowest ? x : kLowest;
    const float y = low < kBelow ? low : kBelow;
    const To result = static_cast<To>(x == x ? y : 0.0F);
    return x >= kPast ? kMost : result;
  }
}

template <class To>
void from_float(const void* src, void* dst, size_t n) noexcept {
  const auto* from = static_cast<const float*>(src);
  auto* to = static_cast<To*>(dst);
  for (size_t i = 0; i < n; ++i) {
    if constexpr (std::is_same_v<To, bool>) {
      to[i] = from[i] != 0;
    } else {
      to[i] = saturated<To>(from[i]);
    }
  }
}

template <class From>
void to_float(const void* src, void* dst, size_t n) noexcept {
  constexpr bool kIsBool = std::is_same_v<From, bool>;
  const auto* from = static_cast<const std::conditional_t<kIsBool, uint8_t, From>*>(src);
  auto* to = static_cast<float*>(dst);
  for (size_t i = 0; i < n; ++i) to[i] = kIsBool ? (from[i] != 0 ? 1.0F : 0.0F) : static_cast<float>(from[i]);
}

template <class T>
constexpr ConvertKernels::Row pick(DType from) noexcept {
  return from == DType::float32 ? from_float<T> : to_float<T>;
}

ConvertKernels::Row find(DType from, DType to) noexcept {
  if ((from == DType::float32) == (to == DType::float32)) return nullptr;
  switch (from == DType::float32 ? to : from) {
    case DType::boolean:
      return pick<bool>(from);
    case DType::int8:
      return pick<int8_t>(from);
    case DType::uint8:
      return pick<uint8_t>(from);
    case DType::int16:
      return pick<int16_t>(from);
    case DType::uint16:
      return pick<uint16_t>(from);
    case DType::int32:
      return pick<int32_t>(from);
    case DType::uint32:
      return pick<uint32_t>(from);
    case DType::int64:
      return pick<int64_t>(from);
    case DType::uint64:
      return pick<uint64_t>(from);
    default:
      return nullptr;
  }
}

}  // namespace

extern const ConvertKernels kConvertKernels;
constexpr ConvertKernels kConvertKernels = {find};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
