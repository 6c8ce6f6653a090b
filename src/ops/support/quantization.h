#pragma once

#include <algorithm>
#include <cstdint>

#include "graph/operator.h"
#include "kernels/quantize/quantize.h"

namespace onnxrun::ops {

// The integers that a type of at most 16 bits holds.
QuantizedRange quantized_range(DType dtype);

// Which scale and zero point belong to which element: one for all, one for each position of an axis, or one for each
// block of positions. https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html.
class ScaleGrid {
 public:
  // \throws Error(invalid_model) where `scale` does not fit. `block_size` 0: no blocks.
  ScaleGrid(const Shape& data, const Shape& scale, int64_t axis, int64_t block_size);

  // Calls body(first, count, scale, step) for runs of the elements [begin, end): element first + i has the scale
  // scale + i * step.
  template <class Body>
  void for_runs(int64_t begin, int64_t end, const Body& body) const {
    for (int64_t i = begin; i < end;) {
      const int64_t in = i % inner_;
      const int64_t position = i / inner_ % extent_;
      const int64_t scale =
          i / inner_ / extent_ * outer_stride_ + position / block_ * block_stride_ + in * inner_stride_;
      int64_t count = inner_ - in;
      int64_t step = inner_stride_;
      if (inner_ == 1) {
        count = block_ == 1 ? extent_ - position : std::min(block_ - position % block_, extent_ - position);
        step = block_ == 1 ? block_stride_ : 0;
      }
      count = std::min(count, end - i);
      body(i, count, scale, step);
      i += count;
    }
  }

 private:
  int64_t extent_ = 1;  // of the axis
  int64_t inner_ = 1;   // elements behind one of its positions
  int64_t block_ = 1;   // positions that share scales
  int64_t outer_stride_ = 0, block_stride_ = 0, inner_stride_ = 0;
};

// Checks the shapes of a scale (input 1) and zero point (input 2) against those of the data (input 0) as far as they
// are known. \throws Error(invalid_model).
void check_scale(const InferContext& context, int64_t axis, int64_t block_size);

// Element i of a float, float16 or bfloat16 operand.
float read_float(DType dtype, const void* data, int64_t i);

}  // namespace onnxrun::ops
