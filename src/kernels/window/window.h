#pragma once

#include <cstddef>
#include <cstdint>

namespace onnxrun {

// A row of the outputs of a pool over maps: output i joins row_count rows of the input in each of its columns
// i * stride + t * dilation - before + skipped, t < taps; columns outside the input join nothing. Elements are floats
// or, of channel-blocked maps, vectors; rows, width and so on count elements.
struct WindowRow {
  const float* src = nullptr;
  const int64_t* rows = nullptr;  // where the rows begin in src
  size_t row_count = 0;
  size_t width = 0;                // of a row
  size_t before = 0, skipped = 0;  // one of them is 0
  size_t stride = 1, dilation = 1, taps = 1;
  size_t count = 0;                         // outputs
  size_t inside_begin = 0, inside_end = 0;  // those whose columns are all inside the input
  // Of each output, what a sum is divided by, and one by that; nullptr: it is not divided.
  const float* divisors = nullptr;
  const float* reciprocals = nullptr;
  float* dst = nullptr;

  // Elements of memory that the kernels need beside.
  size_t buffer_size() const {
    constexpr size_t kSlack = 48;  // behind the last column that an output reads: three of the widest vectors
    const size_t reach = count == 0 ? 0 : skipped + (count - 1) * stride + (taps - 1) * dilation + 1;
    return (before + width > reach ? before + width : reach) + kSlack;
  }
};

// For the selected instruction set. Rows are joined in their order, then columns. `buffer` has buffer_size() elements,
// aligned as vectors are, and is full of what no element gives, but for what earlier rows of the same extents left
// there. Thread-safe.
struct WindowKernels {
  static constexpr float kNoMax = -__builtin_inff();
  static constexpr float kNoSum = 0;
  void (*max)(const WindowRow& row, float* buffer) noexcept;  // NaN where an element is
  void (*sum)(const WindowRow& row, float* buffer) noexcept;
  // The same of vectors.
  void (*max_blocks)(const WindowRow& row, float* buffer) noexcept;
  void (*sum_blocks)(const WindowRow& row, float* buffer) noexcept;
};

const WindowKernels& window_kernels();

}  // namespace onnxrun
