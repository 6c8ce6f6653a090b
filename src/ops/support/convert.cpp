#include "ops/support/convert.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "base/dispatch_dtype.h"
#include "base/packed.h"
#include "kernels/convert/convert.h"
#include "kernels/half/half.h"
#include "ops/support/convert_text.h"

namespace onnxrun::ops {
namespace {

constexpr int64_t kChunk = 512;  // elements that are staged at a time

template <class T>
inline constexpr bool kIs16BitFloat = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;
template <class T>
inline constexpr bool kIsFloat = std::is_floating_point_v<T> || kIs16BitFloat<T>;
// Types whose numbers a float may not hold.
template <class T>
inline constexpr bool kExceedsFloat = std::is_same_v<T, double> || (std::is_integral_v<T> && sizeof(T) >= 4);

template <class To>
To float_to_integer(double value) {
  constexpr To kHalfPast = std::numeric_limits<To>::max() / 2 + 1;
  constexpr double kPast = 2.0 * static_cast<double>(kHalfPast);
  constexpr auto kLowest = static_cast<double>(std::numeric_limits<To>::min());
  if (!(value > kLowest)) return value <= kLowest ? std::numeric_limits<To>::min() : To(0);
  return value >= kPast ? std::numeric_limits<To>::max() : static_cast<To>(value);
}

template <class From>
float to_odd_float(const From& value) {
  if constexpr (std::is_same_v<From, std::string>) {
    return round_to_odd(parse_double(value));
  } else if constexpr (kExceedsFloat<From>) {
    return round_to_odd(static_cast<double>(value));
  } else {
    return static_cast<float>(value);
  }
}

template <class To>
To from_text(const std::string& text) {
  if constexpr (std::is_same_v<To, float>) {
    return parse_float(text);
  } else if constexpr (std::is_same_v<To, bool>) {
    return text == "true" || text == "True" || (text != "false" && text != "False" && parse_double(text) != 0);
  } else if constexpr (std::is_unsigned_v<To>) {
    return static_cast<To>(parse_unsigned(text));
  } else if constexpr (std::is_integral_v<To>) {
    return static_cast<To>(parse_signed(text));
  } else {
    return static_cast<To>(parse_double(text));
  }
}

template <class From, class To>
To convert(const From& value) {
  if constexpr (std::is_same_v<From, To>) {
    return value;
  } else if constexpr (kIs16BitFloat<To>) {
    return To(to_odd_float(value));
  } else if constexpr (std::is_same_v<From, std::string>) {
    return from_text<To>(value);
  } else if constexpr (std::is_same_v<To, std::string>) {
    if constexpr (kIsFloat<From>) return to_text(value);
    if constexpr (!kIsFloat<From>) return std::to_string(value);
  } else if constexpr (kIs16BitFloat<From>) {
    return convert<float, To>(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return float_to_integer<To>(static_cast<double>(value));
  } else {
    return static_cast<To>(value);
  }
}

using Row = void (*)(const void* src, void* dst, size_t n);

template <class From, class To>
void convert_row(const void* src, void* dst, size_t n) {
  const From* from = static_cast<const From*>(src);
  To* to = static_cast<To*>(dst);
  if constexpr (std::is_same_v<From, Half> && std::is_same_v<To, float>) {
    half_kernels().widen(from, to, n);
  } else if constexpr (std::is_same_v<From, float> && std::is_same_v<To, Half>) {
    half_kernels().narrow(from, to, n);
  } else {
    for (size_t i = 0; i < n; ++i) to[i] = convert<From, To>(from[i]);
  }
}

template <class From>
void odd_float_row(const void* src, void* dst, size_t n) {
  const From* from = static_cast<const From*>(src);
  float* to = static_cast<float*>(dst);
  for (size_t i = 0; i < n; ++i) to[i] = to_odd_float(from[i]);
}

Row find_row(DType from, DType to, bool to_odd) {
  Row row = to_odd ? nullptr : convert_kernels().find(from, to);
  if (row) return row;
  dispatch_dtype<NumberTypes, bool, std::string>(from, [&]<class From>() {
    if (to_odd) {
      row = odd_float_row<From>;
    } else {
      dispatch_dtype<NumberTypes, bool, std::string>(to, [&]<class To>() { row = convert_row<From, To>; });
    }
  });
  return row;
}

// The type through which elements without arithmetic of their own are read.
DType stage_of(DType dtype) {
  if (kFloat8.contains(dtype) || dtype == DType::float8e8m0 || dtype == DType::float4e2m1) return DType::float32;
  if (dtype == DType::int4 || dtype == DType::int2) return DType::int8;
  if (dtype == DType::uint4 || dtype == DType::uint2) return DType::uint8;
  return dtype;
}

uint8_t get_bits(DType dtype, const void* src, int64_t i) {
  const auto* bytes = static_cast<const uint8_t*>(src);
  return is_packed(dtype) ? get_packed(bytes, bit_size(dtype), i) : bytes[i];
}

// Elements [begin, begin + n) of a narrow type as its stage type.
void unpack(DType dtype, const void* src, int64_t begin, int64_t n, void* dst) {
  const bool is_float = stage_of(dtype) == DType::float32;
  const int unused = 8 - bit_size(dtype);
  for (int64_t i = 0; i < n; ++i) {
    const uint8_t bits = get_bits(dtype, src, begin + i);
    if (is_float) {
      static_cast<float*>(dst)[i] = decode_narrow(dtype, bits);
    } else if (stage_of(dtype) == DType::int8) {
      static_cast<int8_t*>(dst)[i] = static_cast<int8_t>(static_cast<int8_t>(bits << unused) >> unused);
    } else {
      static_cast<uint8_t*>(dst)[i] = bits;
    }
  }
}

void pack(DType dtype, const void* src, void* dst, int64_t begin, int64_t n, const ConvertOptions& options) {
  const bool is_float = stage_of(dtype) == DType::float32;
  auto* bytes = static_cast<uint8_t*>(dst);
  if (is_packed(dtype)) {
    const int bits = bit_size(dtype);
    std::fill(bytes + begin * bits / 8, bytes + ((begin + n) * bits + 7) / 8, uint8_t{0});
  }
  for (int64_t i = 0; i < n; ++i) {
    const uint8_t element =
        is_float ? encode_narrow(dtype, static_cast<const float*>(src)[i], options.saturate, options.rounding)
                 : static_cast<uint8_t>(static_cast<const int32_t*>(src)[i]);
    if (is_packed(dtype)) {
      put_packed(bytes, bit_size(dtype), begin + i, element);
    } else {
      bytes[begin + i] = element;
    }
  }
}

}  // namespace

Convert make_convert(DType from, DType to, const ConvertOptions& options) {
  const DType first = stage_of(from);
  // Floats beyond the range of a narrow integer keep their low bits, as integers do.
  const DType last = kNarrowIntegers.contains(to) ? DType::int32 : stage_of(to);
  const bool to_odd = last != to && last == DType::float32;
  const Row row = find_row(first, last, to_odd);
  const auto width = [](DType dtype) { return static_cast<size_t>(bit_size(dtype)) / 8; };
  return [=](const void* src, void* dst, int64_t begin, int64_t end) {
    alignas(8) std::byte unpacked[kChunk * 8];
    alignas(8) std::byte converted[kChunk * 8];
    for (int64_t i = begin; i < end; i += kChunk) {
      const int64_t n = std::min(kChunk, end - i);
      const auto offset = static_cast<size_t>(i);
      if (first != from) unpack(from, src, i, n, unpacked);
      const void* input = first != from ? unpacked : static_cast<const std::byte*>(src) + offset * width(from);
      void* output = last != to ? converted : static_cast<std::byte*>(dst) + offset * width(to);
      row(input, output, static_cast<size_t>(n));
      if (last != to) pack(to, converted, dst, i, n, options);
    }
  };
}

}  // namespace onnxrun::ops
