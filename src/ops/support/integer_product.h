#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "graph/operator.h"

namespace onnxrun::ops {

// The 8-bit matrices that an input holds, and the zero points that are taken off their elements.
struct IntegerMatrices {
  size_t input = 0;
  std::optional<size_t> zero_input;
  ptrdiff_t row_stride = 0;
  std::vector<size_t> offsets;  // of each matrix, in elements
  // The zero point of row (first factor) or column (second factor) i of a matrix: element zero_offsets[matrix] +
  // i * zero_step.
  std::vector<size_t> zero_offsets;
  ptrdiff_t zero_step = 0;
};

// The columns of the second factor as windows over images. Column j of matrix i is made of the elements
// taps[0..k) + columns[j] of image i: int16, less its zero point, with its padding.
struct IntegerWindows {
  std::vector<int64_t> taps, columns;
  // The images of a tile's step: [matrix][image_elements].
  size_t image_elements = 0;
  size_t shared_offset = 0;  // where they begin in the shared memory, in bytes
};

// What becomes of `n` neighbouring sums of a product's row, from column `column` on; they may be changed.
using StoreSums =
    std::function<void(const TileContext& tile, int32_t* sums, size_t product, size_t row, size_t column, size_t n)>;

// Products [m, k] x [k, n] of 8-bit integers, exact in int32.
struct IntegerProduct {
  size_t m = 0, n = 0, k = 0;
  IntegerMatrices a;
  std::optional<IntegerMatrices> b;
  std::optional<IntegerWindows> windows;   // instead of b
  std::vector<size_t> a_matrix, b_matrix;  // of each product
  StoreSums store;                         // absent: output 0 is the sums, [product][m][n]
  size_t shared_bytes = 0;                 // that the operator's own phases use, from the beginning on
};

// Plans the phases of the products; constants are packed once. Calls context.share.
void plan_integer_product(PlanContext& context, const IntegerProduct& product);

}  // namespace onnxrun::ops
