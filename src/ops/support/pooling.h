#pragma once

#include <memory>
#include <span>
#include <vector>

#include "graph/operator.h"
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

// The shape rule of pools: the same for all outputs. [N, C] are kept.
void infer_pool(InferContext& context, const WindowAttributes& attributes);

}  // namespace onnxrun::ops
