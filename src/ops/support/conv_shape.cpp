#include "ops/support/conv_shape.h"

#include <string>

namespace onnxrun::ops {
namespace {

void check_channels(const InferContext& context, int64_t group, const DimShape& x, const DimShape& w) {
  if (group < 1) context.fail("group cannot be " + std::to_string(group));
  if (x[1].is_number() && x[1].number() % group != 0) {
    context.fail("group " + std::to_string(group) + " does not divide the " + x[1].to_string() + " input channels");
  }
  if (w[0].is_number() && w[0].number() % group != 0) {
    context.fail("group " + std::to_string(group) + " does not divide the " + w[0].to_string() + " output channels");
  }
  if (x[1].is_number() && w[1].is_number() && x[1].number() != w[1].number() * group) {
    context.fail("the weights are for " + std::to_string(w[1].number() * group) + " channels, the input has " +
                 x[1].to_string());
  }
}

}  // namespace

DimShape conv_output_shape(const InferContext& context, const WindowAttributes& window, int64_t group,
                           const DimShape& x, size_t w_input, size_t bias_input) {
  const DimShape& w = context.shape(w_input);
  if (x.rank() < 3 || x.rank() != w.rank()) {
    context.fail("input of rank " + std::to_string(x.rank()) + " and weights of rank " + std::to_string(w.rank()) +
                 " do not make a convolution");
  }
  check_channels(context, group, x, w);
  if (context.has_input(bias_input) && context.shape(bias_input).has_rank()) {
    const DimShape& bias = context.shape(bias_input);
    if (bias.rank() != 1 || (bias[0].is_number() && w[0].is_number() && !(bias[0] == w[0]))) {
      context.fail("the bias has the shape " + bias.to_string() + " for " + w[0].to_string() + " output channels");
    }
  }
  std::vector<int64_t> kernel;
  for (size_t axis = 2; axis < w.rank(); ++axis) {
    if (w[axis].is_number()) kernel.push_back(w[axis].number());
  }
  const bool known = kernel.size() + 2 == w.rank();
  DimShape shape = DimShape::of_rank(x.rank());
  shape[0] = x[0];
  shape[1] = w[0];
  if (!known && !window.has_kernel_shape()) return shape;
  const auto geometry = window.geometry(x.rank() - 2, known ? kernel : std::vector<int64_t>{});
  for (size_t axis = 2; axis < x.rank(); ++axis) shape[axis] = window.output_extent(geometry, axis - 2, x[axis]);
  return shape;
}

void infer_conv(InferContext& context, const WindowAttributes& window, int64_t group, size_t x_input, size_t w_input,
                size_t bias_input) {
  const DimShape& x = context.shape(x_input);
  if (!x.has_rank() || !context.shape(w_input).has_rank()) return;
  context.set_shape(0, conv_output_shape(context, window, group, x, w_input, bias_input));
}

WindowAttributes::Geometry ConvAttributes::geometry(const Shape& x, const Shape& w) const {
  auto geometry = window_.geometry(x.rank() - 2, {w.begin() + 2, w.end()});
  window_.resolve_padding(geometry, spatial_extents(x));
  return geometry;
}

ConvShape ConvAttributes::kernel_shape(const Shape& x, const Shape& w) const {
  const size_t rank = x.rank() - 2;
  const auto geometry = this->geometry(x, w);
  ConvShape shape;
  shape.batch = static_cast<size_t>(x[0]);
  shape.group = static_cast<size_t>(group_);
  shape.in_channels = static_cast<size_t>(x[1]);
  shape.out_channels = static_cast<size_t>(w[0]);
  for (size_t axis = 0; axis < rank; ++axis) {
    const size_t to = 3 - rank + axis;
    shape.input[to] = static_cast<size_t>(x[2 + axis]);
    shape.kernel[to] = static_cast<size_t>(geometry.kernel[axis]);
    shape.stride[to] = static_cast<size_t>(geometry.strides[axis]);
    shape.dilation[to] = static_cast<size_t>(geometry.dilations[axis]);
    shape.pad_begin[to] = static_cast<size_t>(geometry.pad_begin[axis]);
    shape.pad_end[to] = static_cast<size_t>(geometry.pad_end[axis]);
  }
  return shape;
}

}  // namespace onnxrun::ops
