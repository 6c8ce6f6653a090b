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
  std::optional<size_t> zero_input = {};
  ptrdiff_t row_stride = 0;
  std::vector<size_t> offsets = {};  // of each matrix, in elements
  // The zero point of row (first factor) or column (second factor) i of a matrix: element zero_offsets[matrix] +
  // i * zero_step.
  std::vector<size_t> zero_offsets = {};
  ptrdiff_t zero_step = 0;
  // Of a first factor: where element p of a row is, counted from its beginning; -1: its zero point. Empty: in order.
  std::vector<int64_t> order = {};
  ptrdiff_t col_stride = 1;  // of a second factor
};

// The columns of the second factor as windows over images that the operator's own phases leave in the shared memory, as
// groups of signed bytes (IntGemmKernels::interleave): group p of column j of matrix i is group taps[p] + j of image i.
struct IntegerWindows {
  std::vector<int64_t> taps;
  size_t image_groups = 0;           // from one image to the next
  std::optional<size_t> zero_input;  // of the images
  bool is_signed = false;            // the zero point's type
  // Columns that are wanted: runs of `run_length`, beginning at run_begins, in ascending order.
  std::vector<size_t> run_begins;
  size_t run_length = 0;

  // The zero point as a signed byte, as the images are.
  int32_t zero(const TileContext& tile) const {
    const uint8_t zero = zero_input ? *tile.input<uint8_t>(*zero_input) : 0;
    return is_signed ? static_cast<int8_t>(zero) : zero - 128;
  }
};

// What becomes of `n` neighbouring sums of a product's row, from column `column` on (of windows: from the column-th
// that is wanted on); they may be changed.
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
