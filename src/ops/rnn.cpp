// RNN: https://onnx.ai/onnx/operators/onnx__RNN.html, versions 1, 7, 14 (layout), 22. 16-bit floats are computed in
// float. support/recurrent.h tells what the versions leave open.
#include <algorithm>

#include "graph/registry.h"
#include "ops/support/recurrent.h"

namespace onnxrun {
namespace {

class Rnn : public Operator {
 public:
  explicit Rnn(AttributeReader& attributes) : attributes_(attributes, {"Tanh"}) {}

  void infer(InferContext& context) const override { ops::infer_recurrent(context, attributes_, 1); }

  void plan(PlanContext& context) const override {
    const auto step = [](const auto& cell) {
      const int64_t n = cell.hidden;
      cell.product(0, cell.h, cell.gates, n, true);
      for (int64_t row = 0; row < cell.rows; ++row) {
        if (!cell.active[row]) continue;
        cell.activate(0, cell.gates + row * n, n);
        std::copy_n(cell.gates + row * n, n, cell.h + row * n);
      }
    };
    ops::plan_recurrent(context, attributes_, {.gates = 1, .parts = {{0, 1}}, .step_f32 = step, .step_f64 = step});
  }

 private:
  ops::RecurrentAttributes attributes_;
};

}  // namespace

void register_rnn(OpRegistry& registry) {
  for (const auto& [versions, types] :
       {std::pair<std::vector<int64_t>, DTypeSet>{{1, 7, 14}, kIeeeFloats}, {{22}, kFloats}}) {
    registry.add({.name = "RNN",
                  .versions = versions,
                  .signature = "X:T, W:T, R:T, B:T?, sequence_lens:T1?, initial_h:T? -> Y:T?, Y_h:T?",
                  .types = {{.name = "T", .tensors = types}, {.name = "T1", .tensors = {DType::int32}}},
                  .create = make_operator<Rnn>});
  }
}

}  // namespace onnxrun
