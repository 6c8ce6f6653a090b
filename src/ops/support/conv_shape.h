#pragma once

#include <cstddef>

#include "graph/operator.h"
#include "kernels/conv/conv.h"
#include "ops/support/window.h"

namespace onnxrun::ops {

// The shape of a convolution's output for the input's shape `x` [N, C, ...], weights input `w` [M, C / group, ...] and,
// where the node has it, bias input `bias` [M]; the ranks of both shapes are known. \throws Error(invalid_model).
DimShape conv_output_shape(const InferContext& context, const WindowAttributes& window, int64_t group,
                           const DimShape& x, size_t w, size_t bias);

// The shape rule of convolutions with input `x`: output 0. \throws Error(invalid_model).
void infer_conv(InferContext& context, const WindowAttributes& window, int64_t group, size_t x, size_t w, size_t bias);

// The attributes of a convolution of inputs 0 (the maps), 1 (the weights) and 2 (the bias).
class ConvAttributes {
 public:
  explicit ConvAttributes(AttributeReader& attributes)
      : window_(attributes, false), group_(attributes.integer("group", 1)) {}

  DimShape output_shape(const InferContext& context, const DimShape& x) const {
    return conv_output_shape(context, window_, group_, x, 1, 2);
  }
  void infer(InferContext& context) const { infer_conv(context, window_, group_, 0, 1, 2); }

  // Whether there are kernels for it: at most three spatial axes, and no pads that cut the input.
  bool has_kernel(const Shape& x) const { return x.rank() <= 5 && !window_.has_negative_pads(); }
  // What kernels take: three spatial axes, missing ones lead with extent 1.
  ConvShape kernel_shape(const Shape& x, const Shape& w) const;

  // The window with the padding that auto_pad asks for.
  WindowAttributes::Geometry geometry(const Shape& x, const Shape& w) const;

  int64_t group() const noexcept { return group_; }
  const WindowAttributes& window() const noexcept { return window_; }

 private:
  WindowAttributes window_;
  int64_t group_;
};

}  // namespace onnxrun::ops
