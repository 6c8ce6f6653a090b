#include "elements.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "onnxrun/error.h"

namespace onnxrun::cli {
namespace {

// A floating-point type of 16 bits or less.
struct SmallFloat {
  enum class Special { ieee, top_is_nan, minus_zero_is_nan, none };

  int exponent_bits;
  int mantissa_bits;
  int bias;
  Special special;

  uint32_t mask() const { return (1U << (exponent_bits + mantissa_bits)) - 1; }

  double decode(uint32_t bits) const {
    const uint32_t magnitude = bits & mask();
    const bool negative = bits > mask();
    const int exponent = static_cast<int>(magnitude >> mantissa_bits);
    const int mantissa = static_cast<int>(magnitude & ((1U << mantissa_bits) - 1));
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    if (special == Special::ieee && exponent == (1 << exponent_bits) - 1) {
      if (mantissa != 0) return kNan;
      return negative ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
    }
    if (special == Special::top_is_nan && magnitude == mask()) return kNan;
    if (special == Special::minus_zero_is_nan && negative && magnitude == 0) return kNan;
    const int hidden = exponent == 0 ? 0 : 1 << mantissa_bits;
    const double value = std::ldexp(mantissa + hidden, std::max(exponent, 1) - bias - mantissa_bits);
    return negative ? -value : value;
  }

  uint32_t encode(double value) const {
    const uint32_t largest = special == Special::ieee         ? mask() - (1U << mantissa_bits)
                             : special == Special::top_is_nan ? mask() - 1
                                                              : mask();
    if (value == 0 || std::isnan(value)) return 0;
    const double magnitude = std::abs(value);
    const int exponent = std::max(std::ilogb(magnitude), 1 - bias);
    uint32_t bits = largest;
    if (exponent < (1 << exponent_bits) - bias) {
      const double steps = std::nearbyint(std::ldexp(magnitude, mantissa_bits - exponent));
      bits = std::min(largest,
                      (static_cast<uint32_t>(exponent + bias - 1) << mantissa_bits) + static_cast<uint32_t>(steps));
    }
    return value < 0 && bits != 0 ? bits | (mask() + 1) : bits;
  }
};

const SmallFloat* small_float(DType dtype) {
  using Special = SmallFloat::Special;
  static constexpr SmallFloat kFloat16{5, 10, 15, Special::ieee}, kBFloat16{8, 7, 127, Special::ieee},
      kE4M3Fn{4, 3, 7, Special::top_is_nan}, kE4M3FnUz{4, 3, 8, Special::minus_zero_is_nan},
      kE5M2{5, 2, 15, Special::ieee}, kE5M2FnUz{5, 2, 16, Special::minus_zero_is_nan}, kFloat4{2, 1, 1, Special::none};
  switch (dtype) {
    case DType::float16:
      return &kFloat16;
    case DType::bfloat16:
      return &kBFloat16;
    case DType::float8e4m3fn:
      return &kE4M3Fn;
    case DType::float8e4m3fnuz:
      return &kE4M3FnUz;
    case DType::float8e5m2:
      return &kE5M2;
    case DType::float8e5m2fnuz:
      return &kE5M2FnUz;
    case DType::float4e2m1:
      return &kFloat4;
    default:
      return nullptr;
  }
}

// Calls f with a value of the C++ type of `dtype`, where it has one that is a number.
template <class F>
bool with_number_type(DType dtype, const F& f) {
  switch (dtype) {
    case DType::float32:
      f(float{});
      return true;
    case DType::float64:
      f(double{});
      return true;
    case DType::int8:
      f(int8_t{});
      return true;
    case DType::int16:
      f(int16_t{});
      return true;
    case DType::int32:
      f(int32_t{});
      return true;
    case DType::int64:
      f(int64_t{});
      return true;
    case DType::boolean:
    case DType::uint8:
      f(uint8_t{});
      return true;
    case DType::uint16:
      f(uint16_t{});
      return true;
    case DType::uint32:
      f(uint32_t{});
      return true;
    case DType::uint64:
      f(uint64_t{});
      return true;
    default:
      return false;
  }
}

// The bits of an element of 16 bits or less.
uint32_t small_bits(const TensorView& tensor, int64_t index) {
  const int bits = bit_size(tensor.dtype);
  const auto* bytes = static_cast<const uint8_t*>(tensor.data);
  if (bits == 16) {
    uint16_t word = 0;
    std::memcpy(&word, bytes + index * 2, 2);
    return word;
  }
  return bytes[index * bits / 8] >> (index * bits % 8) & ((1U << bits) - 1);
}

void set_small_bits(Tensor& tensor, int64_t index, uint32_t value) {
  const int bits = bit_size(tensor.dtype());
  auto* bytes = static_cast<uint8_t*>(tensor.mutable_data());
  if (bits == 16) {
    const auto word = static_cast<uint16_t>(value);
    std::memcpy(bytes + index * 2, &word, 2);
    return;
  }
  const auto shift = static_cast<int>(index * bits % 8);
  const uint32_t mask = ((1U << bits) - 1) << shift;
  uint8_t& byte = bytes[index * bits / 8];
  byte = static_cast<uint8_t>((byte & ~mask) | (value << shift & mask));
}

bool is_signed_small_integer(DType dtype) { return dtype == DType::int4 || dtype == DType::int2; }

[[noreturn]] void no_number(DType dtype) {
  throw Error(ErrorCode::invalid_input, "elements of type " + std::string(dtype_name(dtype)) + " are no numbers");
}

template <class T>
std::string shortest(T value) {
  char text[64];
  const auto result = std::to_chars(text, text + sizeof text, value);
  return {text, result.ptr};
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '\n') {
      result += "\\n";
    } else {
      result += c;
    }
  }
  return result + '"';
}

}  // namespace

bool is_complex(DType dtype) { return dtype == DType::complex64 || dtype == DType::complex128; }

bool is_float(DType dtype) {
  return dtype == DType::float32 || dtype == DType::float64 || dtype == DType::float8e8m0 || small_float(dtype);
}

long double element_as_real(const TensorView& tensor, int64_t index) {
  long double result = 0;
  const auto read = [&](auto type) {
    using T = decltype(type);
    result = static_cast<long double>(static_cast<const T*>(tensor.data)[index]);
  };
  if (with_number_type(tensor.dtype, read)) return result;
  if (const SmallFloat* format = small_float(tensor.dtype)) return format->decode(small_bits(tensor, index));
  if (is_complex(tensor.dtype)) return element_as_complex(tensor, index).real();
  if (tensor.dtype == DType::string || tensor.dtype == DType::undefined) no_number(tensor.dtype);
  const uint32_t bits = small_bits(tensor, index);
  if (tensor.dtype == DType::float8e8m0) {
    return bits == 0xFF ? std::numeric_limits<double>::quiet_NaN() : std::ldexp(1.0, static_cast<int>(bits) - 127);
  }
  const int sign = 1 << (bit_size(tensor.dtype) - 1);
  const int value = static_cast<int>(bits);
  return is_signed_small_integer(tensor.dtype) && value >= sign ? value - 2 * sign : value;
}

std::complex<double> element_as_complex(const TensorView& tensor, int64_t index) {
  if (tensor.dtype == DType::complex64) return static_cast<const std::complex<float>*>(tensor.data)[index];
  if (tensor.dtype == DType::complex128) return static_cast<const std::complex<double>*>(tensor.data)[index];
  return static_cast<double>(element_as_real(tensor, index));
}

void set_element(Tensor& tensor, int64_t index, double value) {
  const auto write = [&](auto type) {
    using T = decltype(type);
    auto* data = static_cast<T*>(tensor.mutable_data());
    if constexpr (std::is_floating_point_v<T>) {
      data[index] = static_cast<T>(value);
    } else {
      using Limits = std::numeric_limits<T>;
      constexpr auto kTop = static_cast<long double>(Limits::max()), kBottom = static_cast<long double>(Limits::min());
      const long double wide = std::isnan(value) ? 0 : value;
      data[index] = static_cast<T>(std::clamp(wide, kBottom, kTop));
    }
  };
  const DType dtype = tensor.dtype();
  if (with_number_type(dtype, write)) {
    if (dtype == DType::boolean) static_cast<uint8_t*>(tensor.mutable_data())[index] = value != 0;
  } else if (const SmallFloat* format = small_float(dtype)) {
    set_small_bits(tensor, index, format->encode(value));
  } else if (dtype == DType::complex64) {
    static_cast<std::complex<float>*>(tensor.mutable_data())[index] = static_cast<float>(value);
  } else if (dtype == DType::complex128) {
    static_cast<std::complex<double>*>(tensor.mutable_data())[index] = value;
  } else if (dtype == DType::string || dtype == DType::undefined) {
    no_number(dtype);
  } else if (dtype == DType::float8e8m0) {
    set_small_bits(tensor, index, value > 0 ? static_cast<uint32_t>(std::clamp(std::ilogb(value) + 127, 0, 254)) : 0);
  } else {
    const int range = 1 << bit_size(dtype);
    const int bottom = is_signed_small_integer(dtype) ? -range / 2 : 0;
    const double clamped = std::clamp(value, double(bottom), double(bottom + range - 1));
    set_small_bits(tensor, index, static_cast<uint32_t>(static_cast<int>(clamped)));
  }
}

std::string element_text(const TensorView& tensor, int64_t index) {
  if (tensor.dtype == DType::string) return quoted(tensor.values<std::string>()[static_cast<size_t>(index)]);
  if (tensor.dtype == DType::boolean) return element_as_real(tensor, index) != 0 ? "true" : "false";
  if (is_complex(tensor.dtype)) {
    const std::complex<double> value = element_as_complex(tensor, index);
    const bool single = tensor.dtype == DType::complex64;
    const auto part = [&](double x) { return single ? shortest(static_cast<float>(x)) : shortest(x); };
    return part(value.real()) + (std::signbit(value.imag()) ? "-" : "+") + part(std::abs(value.imag())) + "i";
  }
  const long double value = element_as_real(tensor, index);
  if (tensor.dtype == DType::float64) return shortest(static_cast<double>(value));
  if (tensor.dtype == DType::uint64) return shortest(static_cast<uint64_t>(value));
  if (!is_float(tensor.dtype)) return shortest(static_cast<int64_t>(value));
  return shortest(static_cast<float>(value));
}

}  // namespace onnxrun::cli
