#pragma once

#include <cstdint>

#include "graph/operator.h"

namespace onnxrun::ops {

// The scalar input `i`, a position of [-size, size), as one of [0, size); `otherwise` where the input is absent.
// `past_end` allows the position `size` too. \throws Error(run_failed).
int64_t read_position(const RunContext& context, size_t i, int64_t size, int64_t otherwise, bool past_end = false);

}  // namespace onnxrun::ops
