#pragma once

#include "graph/operator.h"
#include "ops/support/strided_loop.h"

namespace onnxrun::ops {

// A block of elements that is copied from one tensor to another: extents and element strides, outermost axis first,
// and where the block begins in each.
struct StridedCopy {
  StridedLoop<2> loop;
  int64_t src_offset = 0;
  int64_t dst_offset = 0;

  void add_axis(int64_t extent, ptrdiff_t src_stride, ptrdiff_t dst_stride) {
    loop.add_axis(extent, {src_stride, dst_stride});
  }
  // Whether both sides are one run of elements.
  bool is_dense() const {
    return loop.axis_count() == 0 ||
           (loop.axis_count() == 1 && loop.inner_strides()[0] == 1 && loop.inner_strides()[1] == 1);
  }
};

// Plans copying from input i to output j, as one more phase of the step, for every element type. Nothing is copied
// where the input was placed inside the output (PlanContext::place).
void plan_copy(PlanContext& context, size_t i, size_t j, StridedCopy copy);

// The same for a block that fills output j; a view where it lies in the input as one run.
void plan_part(PlanContext& context, size_t i, size_t j, StridedCopy copy);

// Writes `values` to output j.
void plan_integers(PlanContext& context, size_t j, std::vector<int64_t> values);

}  // namespace onnxrun::ops
