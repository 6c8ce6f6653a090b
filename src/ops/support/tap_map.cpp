#include "ops/support/tap_map.h"

#include <algorithm>

namespace onnxrun::ops {
namespace {

int64_t product(const std::vector<int64_t>& extents, size_t begin, size_t end) {
  int64_t result = 1;
  for (size_t axis = begin; axis < end; ++axis) result *= extents[axis];
  return result;
}

}  // namespace

TapMap::TapMap(const WindowAttributes::Geometry& window, std::vector<int64_t> input, std::vector<int64_t> output)
    : window_(window), input_(std::move(input)), output_(std::move(output)), last_(input_.size() - 1) {
  const int64_t rows = input_rows();
  for (int64_t tap = 0; tap < product(window_.kernel, 0, last_); ++tap) {
    for (int64_t row = 0; row < rows; ++row) row_of_.push_back(output_row(tap, row));
  }
}

int64_t TapMap::input_rows() const { return product(input_, 0, last_); }
int64_t TapMap::output_rows() const { return product(output_, 0, last_); }
int64_t TapMap::tap_count() const { return product(window_.kernel, 0, last_ + 1); }

std::pair<int64_t, int64_t> TapMap::reaching(int64_t begin, int64_t end) const {
  if (last_ == 0) return {0, input_[0]};
  const int64_t stride = window_.strides[0];
  const int64_t past = std::min(input_[0], (end - 1 + window_.pad_begin[0]) / stride + 1);
  const int64_t first = std::max<int64_t>(0, begin + window_.pad_begin[0] - longest_window() + stride) / stride;
  const int64_t rest = product(input_, 1, last_ + 1);
  return {std::min(first, past) * rest, past * rest};
}

// The output row that a tap of all axes but the last adds an input row to.
int64_t TapMap::output_row(int64_t tap, int64_t row) const {
  int64_t result = 0;
  int64_t scale = 1;
  for (size_t axis = last_; axis-- > 0;) {
    const int64_t at = row % input_[axis] * window_.strides[axis] +
                       tap % window_.kernel[axis] * window_.dilations[axis] - window_.pad_begin[axis];
    if (at < 0 || at >= output_[axis]) return -1;
    result += at * scale;
    scale *= output_[axis];
    row /= input_[axis];
    tap /= window_.kernel[axis];
  }
  return result;
}

}  // namespace onnxrun::ops
