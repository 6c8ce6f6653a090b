#pragma once

#include "graph/operator.h"
#include "kernels/conv/conv.h"
#include "ops/support/window.h"

namespace onnxrun::ops {

// The attributes of a convolution, [N, C, spatial] with weights [M, C / group, kernel].
class ConvAttributes {
 public:
  explicit ConvAttributes(AttributeReader& attributes)
      : window_(attributes, false), group_(attributes.integer("group", 1)) {}

  // The shape of the output for input shape `x` and the weights and bias of inputs 1 and 2; both ranks are known.
  // \throws Error(invalid_model) where they do not fit.
  DimShape output_shape(const InferContext& context, const DimShape& x) const;

  // Kernels take three spatial axes; missing ones lead with extent 1.
  ConvShape kernel_shape(const Shape& x, const Shape& w) const;

  int64_t group() const noexcept { return group_; }

 private:
  void check_channels(const InferContext& context, const DimShape& x) const;

  WindowAttributes window_;
  int64_t group_;
};

}  // namespace onnxrun::ops
