#pragma once

#include <cstddef>
#include <cstdint>

namespace onnxrun {

// Where an operator finds the elements that indices of [-extent, extent) name, negative ones from the end: index i at
// start + i * step + index * stride.
struct IndexedElements {
  int64_t extent = 0;
  int64_t stride = 0;
  int64_t start = 0;
  int64_t step = 0;
};

// Loops over elements that are moved, whatever their type, of the selected instruction set. Thread-safe.
struct ElementKernels {
  // dst[i] = condition[i] ? x[i * x_step] : y[i * y_step] for i < n; steps are 0 or 1. By the width of an element:
  // 1, 2, 4 and 8 bytes, to which all pointers but that of the condition are aligned.
  using Select = void (*)(const bool* condition, const void* x, ptrdiff_t x_step, const void* y, ptrdiff_t y_step,
                          void* dst, size_t n) noexcept;
  Select select[4];
  // offsets[i] = place of indices[i] for i < n. False, and meaningless offsets, where an index is outside.
  bool (*offsets_of_int32)(const int32_t* indices, size_t n, const IndexedElements& elements,
                           int64_t* offsets) noexcept;
  bool (*offsets_of_int64)(const int64_t* indices, size_t n, const IndexedElements& elements,
                           int64_t* offsets) noexcept;
};

const ElementKernels& element_kernels();

}  // namespace onnxrun
