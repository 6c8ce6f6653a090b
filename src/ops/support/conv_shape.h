#pragma once

#include <cstddef>

#include "ops/support/window.h"

namespace onnxrun::ops {

// The shape rule of convolutions: input `x` [N, C, ...], weights input `w` [M, C / group, ...] and, where the node has
// it, bias input `bias` [M] give output 0. \throws Error(invalid_model).
void infer_conv(InferContext& context, const WindowAttributes& window, int64_t group, size_t x, size_t w, size_t bias);

}  // namespace onnxrun::ops
