#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graph/operator.h"
#include "ops/support/strided_loop.h"

namespace onnxrun::ops {

// Output 0 = (x - mean) / sqrt(variance + epsilon) * scale + bias over rows of input 0, which lie one behind the other.
struct RowNormalization {
  // Input 0 seen as `extents`: a row has the axes from `first` on. Strides are those of scale and bias.
  RowNormalization(const std::vector<int64_t>& extents, size_t first, const std::vector<ptrdiff_t>& scale_strides,
                   const std::vector<ptrdiff_t>& bias_strides);

  StridedLoop<2> rows, row;  // element offsets of scale and bias
  int64_t row_count = 1;
  int64_t length = 1;           // of a row
  bool shares_operands = true;  // every row has the same scale and bias, whose elements lie side by side
  double epsilon = 0;
  bool is_centered = true;        // otherwise neither mean nor distance from it: x / sqrt(mean(x^2) + epsilon)
  std::optional<size_t> bias;     // an input; scale is input 1
  std::optional<size_t> mean;     // an output of one element a row
  std::optional<size_t> inverse;  // the same: 1 / sqrt(variance + epsilon)
};

// Plans it for all float types. What is not float64 is computed in float, with sums of long rows in double, and rounded
// once.
void plan_row_normalization(PlanContext& context, const RowNormalization& normalization);

}  // namespace onnxrun::ops
