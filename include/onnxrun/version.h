#pragma once

#include <cstdint>
#include <string_view>

#include "onnxrun/export.h"

namespace onnxrun {

// "0.1.0".
ONNXRUN_API std::string_view version();

// The newest versions of the format that this library knows.
inline constexpr int64_t kNewestIrVersion = 14;
inline constexpr int64_t kNewestOpset = 28;

}  // namespace onnxrun
