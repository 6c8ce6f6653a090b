#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace onnxrun {

// An operator of the ONNX standard, whether this library has it or not.
struct StandardOperator {
  std::string_view domain;  // "" is ai.onnx
  std::string_view name;
  int64_t first_version;
  int64_t deprecated_since = 0;  // 0: still in force
};

// All of them, by domain and name.
std::span<const StandardOperator> standard_operators();

// Null where the standard has no such operator.
const StandardOperator* find_standard_operator(std::string_view domain, std::string_view name);

// Whether the standard defines the domain ("" is ai.onnx).
bool is_standard_domain(std::string_view domain);

}  // namespace onnxrun
