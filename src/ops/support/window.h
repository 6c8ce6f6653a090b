#pragma once

#include <cstdint>
#include <vector>

#include "graph/operator.h"

namespace onnxrun::ops {

// How a window moves over the spatial axes of a convolution or pool: the attributes of those operators.
class WindowAttributes {
 public:
  // Reads auto_pad, kernel_shape, strides, dilations, pads and, for pools, ceil_mode.
  // \throws Error(invalid_model) naming the attribute.
  explicit WindowAttributes(AttributeReader& attributes, bool is_pool);

  // One resolved window: everything has an entry for each spatial axis.
  struct Geometry {
    std::vector<int64_t> kernel, strides, dilations, pad_begin, pad_end;
  };

  // The window for `rank` spatial axes. `kernel` is the weights' shape where kernel_shape is absent.
  // \throws Error(invalid_model) where the attributes do not fit.
  Geometry geometry(size_t rank, const std::vector<int64_t>& kernel = {}) const;

  // The padding that auto_pad asks for, given the extents of the input.
  void resolve_padding(Geometry& geometry, const std::vector<int64_t>& input) const;

  // The extent of the output along spatial axis `axis`.
  Dim output_extent(const Geometry& geometry, size_t axis, const Dim& input) const;

  // Whether auto_pad asks for SAME_UPPER or SAME_LOWER; whether an odd padding has its longer part at the end.
  bool is_same_padding() const { return auto_pad_ == AutoPad::same_upper || auto_pad_ == AutoPad::same_lower; }
  bool is_longer_at_end() const { return auto_pad_ == AutoPad::same_upper; }

  bool has_negative_pads() const;
  bool has_kernel_shape() const { return !kernel_shape_.empty(); }

 private:
  enum class AutoPad : uint8_t { notset, same_upper, same_lower, valid };

  bool is_pool_;
  AutoPad auto_pad_ = AutoPad::notset;
  bool ceil_mode_ = false;
  std::vector<int64_t> kernel_shape_;
  std::vector<int64_t> strides_;
  std::vector<int64_t> dilations_;
  std::vector<int64_t> pads_;
};

// The spatial extents of a [N, C, ...] shape.
std::vector<int64_t> spatial_extents(const Shape& shape);

}  // namespace onnxrun::ops
