#include "ops/support/window_taps.h"

#include <utility>

namespace onnxrun::ops {

WindowTaps::WindowTaps(WindowAttributes::Geometry window, std::vector<int64_t> input, std::vector<int64_t> output)
    : window_(std::move(window)),
      input_(std::move(input)),
      output_(std::move(output)),
      inputs_(Shape(input_).elements()),
      outputs_(Shape(output_).elements()),
      count_(Shape(window_.kernel).elements()) {}

std::vector<WindowTaps::Tap> WindowTaps::at(int64_t output) const {
  std::vector<Tap> met;
  for (int64_t tap = 0; tap < count_; ++tap) {
    int64_t offset = 0, stride = 1, rest = output, rest_of_tap = tap;
    bool is_inside = true;
    for (size_t axis = input_.size(); axis-- > 0;) {
      const int64_t index = rest % output_[axis] * window_.strides[axis] - window_.pad_begin[axis] +
                            rest_of_tap % window_.kernel[axis] * window_.dilations[axis];
      is_inside = is_inside && index >= 0 && index < input_[axis];
      offset += index * stride;
      stride *= input_[axis];
      rest /= output_[axis];
      rest_of_tap /= window_.kernel[axis];
    }
    if (is_inside) met.push_back({tap, offset});
  }
  return met;
}

}  // namespace onnxrun::ops
