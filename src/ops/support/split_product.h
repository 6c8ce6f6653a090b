// Products on a matrix unit, kernels/gemm/split_gemm.h, as phases of an operator's plan.
#pragma once

#include <functional>

#include "graph/operator.h"
#include "kernels/gemm/split_gemm.h"

namespace onnxrun::ops {

// The kernels of the matrix unit where a product of such extents may use them and is expected to take less than `share`
// of the dense kernels' time; null otherwise.
const SplitGemmKernels* split_product_kernels(const PlanContext& context, size_t m, size_t n, size_t k,
                                              double share = 0.9);

// Adds the phases of a product of n > 0 and k > 0: for each chunk of rows one that splits A and one that multiplies.
// `find` gives the operands of a tile but for rows and parts. plan.shared_bytes of the shared memory from `parts` on,
// 64-byte aligned, are its own.
using FindSplitArgs = std::function<SplitGemmArgs(const TileContext&)>;
void add_split_product(PlanContext& context, const SplitGemmKernels& kernels, const SplitGemmPlan& plan, size_t m,
                       size_t n, size_t k, size_t parts, const FindSplitArgs& find);

}  // namespace onnxrun::ops
