#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "ops/support/window.h"

namespace onnxrun::ops {

// Where products of input positions and window taps are added: output position i stride + tap dilation - pad_begin
// along every spatial axis.
class TapMap {
 public:
  TapMap(const WindowAttributes::Geometry& window, std::vector<int64_t> input, std::vector<int64_t> output);

  int64_t input_size() const { return input_rows() * input_[last_]; }
  int64_t output_size() const { return output_rows() * output_[last_]; }
  int64_t output_rows() const;  // of all axes but the last
  int64_t tap_count() const;

  // Positions of the output's first axis, where it is not the last one as well (then 1), and rows of each.
  int64_t bands() const { return last_ == 0 ? 1 : output_[0]; }
  int64_t rows_per_band() const { return bands() == 0 ? 0 : output_rows() / bands(); }
  // Input elements [first, second) that reach bands [begin, end).
  std::pair<int64_t, int64_t> reaching(int64_t begin, int64_t end) const;
  // Extent of the window along the first axis.
  int64_t longest_window() const { return (window_.kernel[0] - 1) * window_.dilations[0] + 1; }

  // Adds columns[i - begin] for input positions i of [begin, end) and one tap to rows [row_begin, row_end) of the map.
  template <class T>
  void add(const T* columns, int64_t begin, int64_t end, int64_t tap, T* map, int64_t row_begin,
           int64_t row_end) const {
    const int64_t width = input_[last_];
    const int64_t stride = window_.strides[last_];
    const int64_t shift = tap % window_.kernel[last_] * window_.dilations[last_] - window_.pad_begin[last_];
    const int64_t first = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
    const int64_t past = shift >= output_[last_] ? 0 : std::min(width, (output_[last_] - 1 - shift) / stride + 1);
    const int64_t* row_of = row_of_.data() + tap / window_.kernel[last_] * input_rows();
    for (int64_t row = width == 0 ? 0 : begin / width; row * width < end; ++row) {
      if (row_of[row] < row_begin || row_of[row] >= row_end) continue;
      const int64_t from = std::max(first, begin - row * width);
      const int64_t to = std::min(past, end - row * width);
      if (from >= to) continue;
      add_row(columns + row * width + from - begin, map + row_of[row] * output_[last_] + from * stride + shift,
              to - from, stride);
    }
  }

 private:
  template <class T>
  static void add_row(const T* __restrict src, T* __restrict dst, int64_t n, int64_t stride) {
    if (stride == 1) {
      for (int64_t i = 0; i < n; ++i) dst[i] = static_cast<T>(dst[i] + src[i]);
    } else {
      for (int64_t i = 0; i < n; ++i) dst[i * stride] = static_cast<T>(dst[i * stride] + src[i]);
    }
  }

  int64_t input_rows() const;
  int64_t output_row(int64_t tap, int64_t row) const;

  WindowAttributes::Geometry window_;
  std::vector<int64_t> input_, output_;
  size_t last_;
  std::vector<int64_t> row_of_;  // [taps of all axes but the last, input rows]; -1: outside
};

}  // namespace onnxrun::ops
