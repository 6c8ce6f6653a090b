#pragma once

#include <cstddef>

namespace onnxrun {

// Reductions of floats for the selected instruction set. The order in which totals are made depends on the arguments
// alone. Thread-safe.
struct ReduceKernels {
  template <class Total>
  struct Functions {
    // Joins src[i], i < n, to the total.
    void (*row)(Total& total, const float* src, size_t n) noexcept;
    // Joins src[r * row_step + j], r < rows, to totals[j], j < n.
    void (*columns)(Total* totals, const float* src, ptrdiff_t row_step, size_t rows, size_t n) noexcept;
  };
  // In double: of x, |x| and x^2, and the product.
  Functions<double> sum, magnitudes, squares, product;
  // NaN where an element is.
  Functions<float> max, min;
};

const ReduceKernels& reduce_kernels();

}  // namespace onnxrun
