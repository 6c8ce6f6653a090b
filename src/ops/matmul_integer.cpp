// MatMulInteger: https://onnx.ai/onnx/operators/onnx__MatMulInteger.html, version 10. Sums beyond 32 bits wrap around.
#include "graph/registry.h"
#include "ops/support/integer_matmul.h"

namespace onnxrun {
namespace {

class MatMulInteger : public Operator {
 public:
  explicit MatMulInteger(AttributeReader& /*attributes*/) {}

  void infer(InferContext& context) const override {
    context.set_shape(0, ops::matmul_shape(context.shape(0), context.shape(1)));
    ops::check_matrix_parameter(context, 2, 0, true);
    ops::check_matrix_parameter(context, 3, 1, false);
  }

  void plan(PlanContext& context) const override {
    const auto optional = [&](size_t i) { return context.has_input(i) ? std::optional(i) : std::nullopt; };
    ops::IntegerProduct product = ops::integer_matmul(context, 0, optional(2), 1, optional(3));
    ops::join_rows(product);
    ops::plan_integer_product(context, product);
  }
};

}  // namespace

void register_matmul_integer(OpRegistry& registry) {
  registry.add({.name = "MatMulInteger",
                .versions = {10},
                .signature = "A:T1, B:T2, a_zero_point:T1?, b_zero_point:T2? -> Y:int32",
                .types = {{.name = "T1", .tensors = {DType::int8, DType::uint8}},
                          {.name = "T2", .tensors = {DType::int8, DType::uint8}}},
                .create = make_operator<MatMulInteger>});
}

}  // namespace onnxrun
