#include "ops/support/window.h"

#include <algorithm>
#include <string>

#include "onnxrun/error.h"

namespace onnxrun::ops {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorCode::invalid_model, why); }

void require_at_least(const std::vector<int64_t>& values, int64_t least, const char* name) {
  for (const int64_t value : values) {
    if (value < least) refuse(std::string(name) + " cannot be " + std::to_string(value));
  }
}

std::vector<int64_t> or_ones(const std::vector<int64_t>& values, size_t rank, const char* name) {
  if (values.empty()) return std::vector<int64_t>(rank, 1);
  if (values.size() != rank) {
    refuse(std::string(name) + " has " + std::to_string(values.size()) + " entries for " + std::to_string(rank) +
           " spatial axes");
  }
  return values;
}

}  // namespace

WindowAttributes::WindowAttributes(AttributeReader& attributes, bool is_pool) : is_pool_(is_pool) {
  const std::string auto_pad = attributes.one_of("auto_pad", {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"});
  auto_pad_ = auto_pad == "SAME_UPPER"   ? AutoPad::same_upper
              : auto_pad == "SAME_LOWER" ? AutoPad::same_lower
              : auto_pad == "VALID"      ? AutoPad::valid
                                         : AutoPad::notset;
  kernel_shape_ = attributes.integers("kernel_shape");
  strides_ = attributes.integers("strides");
  pads_ = attributes.integers("pads");
  dilations_ = attributes.integers("dilations");
  if (is_pool) {
    ceil_mode_ = attributes.flag("ceil_mode", false);
    if (kernel_shape_.empty()) refuse("attribute 'kernel_shape' is required and absent");
  }
  require_at_least(kernel_shape_, 1, "kernel_shape");
  require_at_least(strides_, 1, "strides");
  require_at_least(dilations_, 1, "dilations");
}

WindowAttributes::Geometry WindowAttributes::geometry(size_t rank, const std::vector<int64_t>& kernel) const {
  Geometry geometry;
  geometry.kernel = or_ones(kernel_shape_.empty() ? kernel : kernel_shape_, rank, "kernel_shape");
  if (!kernel_shape_.empty() && !kernel.empty() && kernel_shape_ != kernel) {
    refuse("kernel_shape " + Shape(kernel_shape_).to_string() + " is not that of the weights, " +
           Shape(kernel).to_string());
  }
  geometry.strides = or_ones(strides_, rank, "strides");
  geometry.dilations = or_ones(dilations_, rank, "dilations");
  geometry.pad_begin.assign(rank, 0);
  geometry.pad_end.assign(rank, 0);
  if (!pads_.empty() && auto_pad_ == AutoPad::notset) {
    if (pads_.size() != 2 * rank) {
      refuse("pads has " + std::to_string(pads_.size()) + " entries for " + std::to_string(rank) + " spatial axes");
    }
    std::copy_n(pads_.begin(), rank, geometry.pad_begin.begin());
    std::copy_n(pads_.begin() + static_cast<ptrdiff_t>(rank), rank, geometry.pad_end.begin());
  }
  return geometry;
}

bool WindowAttributes::has_negative_pads() const {
  return auto_pad_ == AutoPad::notset && std::any_of(pads_.begin(), pads_.end(), [](int64_t pad) { return pad < 0; });
}

void WindowAttributes::resolve_padding(Geometry& geometry, const std::vector<int64_t>& input) const {
  if (auto_pad_ != AutoPad::same_upper && auto_pad_ != AutoPad::same_lower) return;
  for (size_t axis = 0; axis < input.size(); ++axis) {
    const int64_t window = (geometry.kernel[axis] - 1) * geometry.dilations[axis] + 1;
    const int64_t output = (input[axis] + geometry.strides[axis] - 1) / geometry.strides[axis];
    const int64_t total = std::max<int64_t>(0, (output - 1) * geometry.strides[axis] + window - input[axis]);
    const int64_t smaller = total / 2;
    geometry.pad_begin[axis] = auto_pad_ == AutoPad::same_upper ? smaller : total - smaller;
    geometry.pad_end[axis] = total - geometry.pad_begin[axis];
  }
}

Dim WindowAttributes::output_extent(const Geometry& geometry, size_t axis, const Dim& input) const {
  const int64_t stride = geometry.strides[axis];
  if (auto_pad_ == AutoPad::same_upper || auto_pad_ == AutoPad::same_lower) return ceil_div(input, stride);
  const int64_t window = (geometry.kernel[axis] - 1) * geometry.dilations[axis] + 1;
  const Dim padded = input + Dim(geometry.pad_begin[axis]) + Dim(geometry.pad_end[axis]) - Dim(window);
  Dim extent = (ceil_mode_ ? ceil_div(padded, stride) : floor_div(padded, stride)) + 1;
  if (padded.is_number() && padded.number() < 0) {
    if (input.is(0)) return 0;
    // A pool whose window is too large by less than a stride has no outputs.
    if (!is_pool_ || extent.number() < 0) {
      refuse("a window of " + std::to_string(window) + " does not fit into the padded input of " +
             std::to_string(padded.number() + window) + " along spatial axis " + std::to_string(axis));
    }
  }
  if (!ceil_mode_) return extent;
  // The last window must not lie in the padding behind the input altogether.
  if (extent.is_number() && input.is_number() &&
      (extent.number() - 1) * stride >= input.number() + geometry.pad_begin[axis]) {
    return extent - 1;
  }
  return extent;
}

std::vector<int64_t> spatial_extents(const Shape& shape) { return {shape.begin() + 2, shape.end()}; }

}  // namespace onnxrun::ops
