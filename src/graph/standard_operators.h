#pragma once

#include <cstdint>
#include <string_view>

namespace onnxrun {

// The first version of an operator of the ONNX standard, whether this library has it or not; 0 for any other name.
int64_t standard_operator_version(std::string_view domain, std::string_view name);

// Whether the standard defines the domain ("" is ai.onnx).
bool is_standard_domain(std::string_view domain);

}  // namespace onnxrun
