#pragma once

#include <cstdint>
#include <optional>

#include "ops/support/integer_product.h"
#include "ops/support/window.h"

namespace onnxrun::ops {

// A convolution of 8-bit integers: where its operands are among the inputs.
struct IntegerConv {
  size_t x = 0, w = 1;
  std::optional<size_t> x_zero, w_zero;
  int64_t group = 1;
  StoreSums store;  // as IntegerProduct's: product image * group + g, rows of output channels, columns of positions
};

// Plans the convolution, of any number of spatial axes, as products of the weights with windows over the images.
void plan_integer_conv(PlanContext& context, const WindowAttributes& window, const IntegerConv& conv);

// Checks that the zero point or scale `i` is one for all or, where `channels` is known, one for each channel.
// \throws Error(invalid_model).
void check_channel_parameter(const InferContext& context, size_t i, const Dim& channels);

}  // namespace onnxrun::ops
