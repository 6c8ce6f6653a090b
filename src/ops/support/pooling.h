#pragma once

#include <memory>
#include <span>
#include <vector>

#include "graph/operator.h"
#include "kernels/window/window.h"
#include "ops/support/window.h"

namespace onnxrun::ops {

// A pool over the spatial axes of [N, C, ...], as a walk over rows: for each window tap, a part of an output row meets
// a strided part of an input row.
struct Pooling {
  WindowAttributes::Geometry window;
  std::vector<int64_t> input, output;  // spatial extents

  int64_t input_size() const;  // elements of one map
  int64_t output_size() const;
  // Rows of one output map: all spatial axes but the last.
  int64_t row_count() const;

  // A window tap that meets an output row: columns [begin, end) of the output against input elements from `offset` on,
  // in steps of `stride`.
  struct Tap {
    int64_t begin, end, offset, stride;
  };
  // The taps of output row `row`.
  std::span<const Tap> taps(int64_t row) const;

  // The same taken apart: the input rows that output row `row` meets, as offsets of their first elements, and the taps
  // along the columns, whose offsets count from there.
  std::span<const int64_t> input_rows(int64_t row) const;
  std::vector<Tap> columns;

  // An output row of a map for the kernels of windows, but for the input rows that it meets, and how many elements of
  // memory they need.
  WindowRow window_row(const float* src, float* dst) const;
  size_t window_buffer() const { return window_row(nullptr, nullptr).buffer_size(); }

  // The windows' sizes along one axis: taps inside the input or, with padding, inside the padded input.
  std::vector<int64_t> tap_counts(size_t axis, bool with_padding) const;

  // tap_counts of all axes multiplied, for each output of a map.
  std::vector<int64_t> window_sizes(bool with_padding) const;

  std::vector<Tap> all_taps;  // by row
  std::vector<int64_t> all_rows;
  std::vector<size_t> row_begin;  // of each row's input rows, and behind the last
};

// The pool over the given spatial extents.
std::shared_ptr<const Pooling> make_pooling(const WindowAttributes& attributes, std::vector<int64_t> input,
                                            std::vector<int64_t> output);
// The pool of a node, given its attributes and types.
std::shared_ptr<const Pooling> make_pooling(const PlanContext& context, const WindowAttributes& attributes);

// The windows of float32 maps joined by one of WindowKernels' functions for floats or, several maps at once, by the one
// for vectors. `none` is what no element gives.
struct WindowJoin {
  using Kernel = void (*)(const WindowRow& row, float* buffer) noexcept;
  Kernel plain, blocks;
  float none;
  std::vector<float> divisors, reciprocals;  // of each output of a map, or empty

  static WindowJoin max();
  // Divided by what the windows count.
  static WindowJoin mean(const Pooling& pooling, bool count_padding);
};
// Joins the windows of one map with `kernel`; it and dst hold floats or vectors.
void join_windows(const Pooling& pooling, const WindowJoin& join, WindowJoin::Kernel kernel, const float* src,
                  float* dst, float* buffer);
// Plans output 0, of plain maps.
void plan_windows(PlanContext& context, const std::shared_ptr<const Pooling>& pooling, const WindowJoin& join);

// The shape rule of pools: the same for all outputs. [N, C] are kept.
void infer_pool(InferContext& context, const WindowAttributes& attributes);

}  // namespace onnxrun::ops
