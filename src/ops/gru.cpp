// GRU: https://onnx.ai/onnx/operators/onnx__GRU.html, versions 1, 3 (linear_before_reset), 7, 14 (layout), 22. 16-bit
// floats are computed in float. support/recurrent.h tells what the versions leave open.
#include "graph/registry.h"
#include "ops/support/recurrent.h"

namespace onnxrun {
namespace {

// Gates z, r, h. The products of the state with the weights of z and r are part 0, with those of h part 1.
template <class C>
void step(const ops::CellStep<C>& cell, bool linear_before_reset) {
  const int64_t n = cell.hidden;
  const auto gates = [&](int64_t row) { return cell.gates + row * 3 * n; };
  cell.product(0, cell.h, cell.gates, 3 * n, true);
  if (linear_before_reset) cell.product(1, cell.h, cell.work, n, false);
  for (int64_t row = 0; row < cell.rows; ++row) {
    if (!cell.active[row]) continue;
    C* reset = gates(row) + n;
    C* hidden = reset + n;
    C* work = cell.work + row * n;
    cell.activate(0, gates(row), 2 * n);
    if (linear_before_reset) {
      for (int64_t k = 0; k < n; ++k) hidden[k] += reset[k] * (work[k] + cell.recurrent_bias[2 * n + k]);
    } else {
      for (int64_t k = 0; k < n; ++k) work[k] = reset[k] * cell.h[row * n + k];
    }
  }
  if (!linear_before_reset) cell.product(1, cell.work, cell.gates + 2 * n, 3 * n, true);
  for (int64_t row = 0; row < cell.rows; ++row) {
    if (!cell.active[row]) continue;
    const C* update = gates(row);
    C* hidden = gates(row) + 2 * n;
    C* h = cell.h + row * n;
    cell.activate(1, hidden, n);
    for (int64_t k = 0; k < n; ++k) h[k] = (C{1} - update[k]) * hidden[k] + update[k] * h[k];
  }
}

class Gru : public Operator {
 public:
  explicit Gru(AttributeReader& attributes) : attributes_(attributes, {"Sigmoid", "Tanh"}) {
    if (attributes.version() >= 3) linear_before_reset_ = attributes.integer("linear_before_reset", 0) != 0;
  }

  void infer(InferContext& context) const override { ops::infer_recurrent(context, attributes_, 3); }

  void plan(PlanContext& context) const override {
    const auto run = [linear = linear_before_reset_](const auto& cell) { step(cell, linear); };
    ops::plan_recurrent(context, attributes_,
                        {.gates = 3,
                         .parts = {{0, 2}, {2, 1}},
                         .separate_bias = linear_before_reset_,
                         .step_f32 = run,
                         .step_f64 = run});
  }

 private:
  ops::RecurrentAttributes attributes_;
  bool linear_before_reset_ = false;
};

}  // namespace

void register_gru(OpRegistry& registry) {
  for (const auto& [versions, types] :
       {std::pair<std::vector<int64_t>, DTypeSet>{{1, 3, 7, 14}, kIeeeFloats}, {{22}, kFloats}}) {
    registry.add({.name = "GRU",
                  .versions = versions,
                  .signature = "X:T, W:T, R:T, B:T?, sequence_lens:T1?, initial_h:T? -> Y:T?, Y_h:T?",
                  .types = {{.name = "T", .tensors = types}, {.name = "T1", .tensors = {DType::int32}}},
                  .create = make_operator<Gru>});
  }
}

}  // namespace onnxrun
