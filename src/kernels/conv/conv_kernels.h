// What the instruction sets' files give to conv.cpp.
#pragma once

#include "kernels/conv/conv.h"

namespace onnxrun {

// Functions as in conv.h.
struct ConvKernels {
  int mr = 0;     // output channels of a register tile
  int nr = 0;     // output positions of a register tile and of a panel of gathered input
  int lanes = 0;  // floats of a vector
  void (*pack_tile)(const ConvPlan& plan, const ConvArgs& args, size_t tile, float* shared) noexcept = nullptr;
  void (*run_tile)(const ConvPlan& plan, const ConvArgs& args, size_t tile, const float* shared,
                   float* scratch) noexcept = nullptr;
};

namespace conv_detail {

inline constexpr size_t ceil_div(size_t a, size_t b) { return (a + b - 1) / b; }
inline constexpr size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

// Whether a tap reads the input, not its padding, for some of the outputs first to last along an axis.
inline bool reads_input(const ConvShape& s, int axis, size_t first, size_t last, size_t tap) {
  const size_t from = first * s.stride[axis] + tap * s.dilation[axis];
  const size_t to = last * s.stride[axis] + tap * s.dilation[axis];
  return to >= s.pad_begin[axis] && from < s.pad_begin[axis] + s.input[axis];
}

// Input positions that `outputs` neighbouring outputs read, with the padding.
inline size_t reach(const ConvShape& s, int axis, size_t outputs) {
  return (outputs - 1) * s.stride[axis] + (s.kernel[axis] - 1) * s.dilation[axis] + 1;
}

// Copies what output rows [row_begin, row_end) read of a map of `floats` a position, to rows of `width` positions, with
// the byte `zero` for padding.
void copy_padded(const ConvShape& s, const float* src, size_t row_begin, size_t row_end, size_t width, size_t floats,
                 uint8_t zero, float* dst);

}  // namespace conv_detail

// Rows of a depthwise convolution's padded input. A row is split by the remainder of x modulo the stride, so that what
// one tap reads for neighbouring outputs lies side by side.
struct DepthwiseRows {
  size_t phase_length = 0;  // floats of one remainder
  size_t row_length = 0;    // of all of them
  size_t block = 0;         // output rows whose input rows are held at once
  size_t input_rows = 0;    // held for them
};
DepthwiseRows depthwise_rows(const ConvPlan& plan);

}  // namespace onnxrun
