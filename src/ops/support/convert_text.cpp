#include "ops/support/convert_text.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "graph/operator.h"

namespace onnxrun::ops {
namespace {

constexpr size_t kMaxText = 64;

template <class T>
std::string shortest(T value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-INF" : "INF";
  const T magnitude = std::fabs(value);
  const bool plain = value == 0 || (magnitude >= T(1e-4) && magnitude < T(1e16));
  char text[kMaxText];
  const auto end =
      std::to_chars(text, text + kMaxText, value, plain ? std::chars_format::fixed : std::chars_format::scientific);
  return {text, end.ptr};
}

// The fewest digits that read back as the same 16 bits.
template <class T>
std::string shortest_narrow(T value) {
  const auto wide = static_cast<float>(value);
  if (!std::isfinite(wide)) return shortest(wide);
  for (int digits = 1; digits < 9; ++digits) {
    char text[kMaxText];
    const auto end = std::to_chars(text, text + kMaxText, wide, std::chars_format::scientific, digits - 1);
    float rounded = 0;
    std::from_chars(text, end.ptr, rounded);
    if (T(rounded).bits == value.bits) return shortest(rounded);
  }
  return shortest(wide);
}

[[noreturn]] void refuse(const std::string& text) { RunContext::fail("the string '" + text + "' is no number"); }

// Without spaces around it and a leading plus, which from_chars does not take.
std::string_view core_of(const std::string& text) {
  std::string_view core = text;
  const auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!core.empty() && is_space(core.front())) core.remove_prefix(1);
  while (!core.empty() && is_space(core.back())) core.remove_suffix(1);
  if (core.size() > 1 && core[0] == '+' && core[1] != '-') core.remove_prefix(1);
  return core;
}

template <class T>
T parse(const std::string& text) {
  const std::string_view core = core_of(text);
  T value = 0;
  const auto [end, error] = std::from_chars(core.data(), core.data() + core.size(), value);
  if (end != core.data() + core.size() || error == std::errc::invalid_argument) refuse(text);
  if (error == std::errc::result_out_of_range) {
    const bool is_tiny = core.find("e-") != std::string_view::npos || core.find("E-") != std::string_view::npos;
    const T magnitude = is_tiny ? T(0) : std::numeric_limits<T>::infinity();
    return core[0] == '-' ? -magnitude : magnitude;
  }
  return value;
}

template <class T>
T parse_integer(const std::string& text) {
  const std::string_view core = core_of(text);
  T value = 0;
  const auto [end, error] = std::from_chars(core.data(), core.data() + core.size(), value);
  if (error == std::errc() && end == core.data() + core.size()) return value;
  const double number = parse<double>(text);
  if (std::isnan(number)) return 0;
  if (number >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
  if (number <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  return static_cast<T>(number);
}

}  // namespace

std::string to_text(double value) { return shortest(value); }
std::string to_text(float value) { return shortest(value); }
std::string to_text(Half value) { return shortest_narrow(value); }
std::string to_text(BFloat16 value) { return shortest_narrow(value); }

double parse_double(const std::string& text) { return parse<double>(text); }
float parse_float(const std::string& text) { return parse<float>(text); }
int64_t parse_signed(const std::string& text) { return parse_integer<int64_t>(text); }
uint64_t parse_unsigned(const std::string& text) { return parse_integer<uint64_t>(text); }

}  // namespace onnxrun::ops
