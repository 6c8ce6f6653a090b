#include "quantity.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <string_view>
#include <utility>

#include "onnxrun/error.h"

namespace onnxrun::cli {
namespace {

[[noreturn]] void refuse(const char* what, const std::string& text, const char* example) {
  throw Error(ErrorCode::usage, "'" + text + "' is not " + what + ": write it like " + example);
}

// The number that `text` begins with, and what follows; NaN where it begins with none.
std::pair<double, std::string_view> split_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || !std::isfinite(value)) return {std::nan(""), {}};
  return {value, text.substr(static_cast<size_t>(end - text.data()))};
}

}  // namespace

std::chrono::nanoseconds parse_duration(const std::string& text) {
  const auto [value, unit] = split_number(text);
  const double seconds = unit == "ns"                ? 1e-9
                         : unit == "us"              ? 1e-6
                         : unit == "ms"              ? 1e-3
                         : unit == "s" || unit == "" ? 1
                         : unit == "m"               ? 60
                         : unit == "h"               ? 3600
                                                     : 0;
  const double nanoseconds = value * seconds * 1e9;
  if (seconds == 0 || !(nanoseconds >= 0 && nanoseconds < 9e18)) refuse("a duration", text, "200ms or 3s");
  return std::chrono::nanoseconds(static_cast<int64_t>(nanoseconds));
}

size_t parse_size(const std::string& text) {
  auto [value, unit] = split_number(text);
  if (unit.ends_with('B')) unit.remove_suffix(1);
  if (unit.size() == 2 && unit[1] == 'i') unit.remove_suffix(1);
  const size_t power = unit.empty() ? 0 : std::string_view(" KMGT").find(unit[0]);
  const bool known = unit.size() <= 1 && power != std::string_view::npos;
  const double bytes = known ? value * std::pow(1024.0, static_cast<double>(power)) : -1;
  if (!(bytes >= 0 && bytes < 9e18)) refuse("a size", text, "512M or 2G");
  return static_cast<size_t>(bytes);
}

double parse_number(const std::string& text) {
  auto [value, rest] = split_number(text);
  if (rest.starts_with('/')) {
    const auto [divisor, tail] = split_number(rest.substr(1));
    value /= divisor;
    rest = tail;
  }
  if (!rest.empty() || !std::isfinite(value)) refuse("a number", text, "0.5 or 1/255");
  return value;
}

std::string size_text(size_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

}  // namespace onnxrun::cli
