// MatMul: https://onnx.ai/onnx/operators/onnx__MatMul.html, versions 1, 9, 13: numpy's matmul.
#include "graph/registry.h"
#include "ops/support/matmul_extents.h"
#include "ops/support/matrix_multiply.h"

namespace onnxrun {
namespace {

class MatMul : public Operator {
 public:
  explicit MatMul(AttributeReader& /*attributes*/) {}

  void infer(InferContext& context) const override {
    context.set_shape(0, ops::matmul_shape(context.shape(0), context.shape(1)));
  }

  void plan(PlanContext& context) const override {
    const ops::MatMulExtents extents(context.input(0).shape, context.input(1).shape);
    ops::MatrixMultiply product;
    product.m = extents.m;
    product.n = extents.n;
    product.k = extents.k;
    product.a_row_stride = static_cast<ptrdiff_t>(product.k);
    product.b_row_stride = static_cast<ptrdiff_t>(product.n);
    if (extents.b_matrices == 1) {
      // One matrix for all: the batch is more rows.
      product.m *= extents.a_matrices;
      product.a_offsets = {0};
      product.b_offsets = {0};
    } else {
      for (const size_t matrix : extents.a_matrix) product.a_offsets.push_back(matrix * product.m * product.k);
      for (const size_t matrix : extents.b_matrix) product.b_offsets.push_back(matrix * product.k * product.n);
    }
    ops::plan_matrix_multiply(context, product);
  }
};

}  // namespace

void register_matmul(OpRegistry& registry) {
  const DTypeSet wide = {DType::int32, DType::int64, DType::uint32, DType::uint64};
  const std::pair<int64_t, DTypeSet> versions[] = {{1, kIeeeFloats}, {9, kIeeeFloats | wide}, {13, kFloats | wide}};
  for (const auto& [version, types] : versions) {
    registry.add({.name = "MatMul",
                  .versions = {version},
                  .signature = "A:T, B:T -> Y:T",
                  .types = {{.name = "T", .tensors = types}},
                  .create = make_operator<MatMul>});
  }
}

}  // namespace onnxrun
