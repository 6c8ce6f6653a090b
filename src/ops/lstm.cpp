// LSTM: https://onnx.ai/onnx/operators/onnx__LSTM.html, versions 1, 7, 14 (layout), 22. 16-bit floats are computed in
// float. The inputs of f and g are clipped, that of h is not. support/recurrent.h tells what the versions leave open.
#include "graph/registry.h"
#include "ops/support/recurrent.h"

namespace onnxrun {
namespace {

// One row: gates i, o, f, c.
template <class C>
void step_row(const ops::CellStep<C>& step, int64_t row, bool couples) {
  const int64_t n = step.hidden;
  C* input = step.gates + row * 4 * n;
  C* output = input + n;
  C* forget = output + n;
  C* cell = forget + n;
  C* c = step.c + row * n;
  C* h = step.h + row * n;
  if (const C* peepholes = step.peepholes) {
    for (int64_t k = 0; k < n; ++k) {
      input[k] += peepholes[k] * c[k];
      forget[k] += peepholes[2 * n + k] * c[k];
    }
    step.activate(0, input, n);
    step.activate(0, forget, n);
  } else {
    step.activate(0, input, 3 * n);
  }
  step.activate(1, cell, n);
  if (couples) {
    for (int64_t k = 0; k < n; ++k) forget[k] = C{1} - input[k];
  }
  for (int64_t k = 0; k < n; ++k) c[k] = forget[k] * c[k] + input[k] * cell[k];
  if (const C* peepholes = step.peepholes) {
    for (int64_t k = 0; k < n; ++k) output[k] += peepholes[n + k] * c[k];
    step.activate(0, output, n);
  }
  for (int64_t k = 0; k < n; ++k) h[k] = c[k];
  (*step.activations)[2].apply(h, n);
  for (int64_t k = 0; k < n; ++k) h[k] *= output[k];
}

class Lstm : public Operator {
 public:
  explicit Lstm(AttributeReader& attributes)
      : attributes_(attributes, {"Sigmoid", "Tanh", "Tanh"}), couples_(attributes.flag("input_forget", false)) {}

  void infer(InferContext& context) const override { ops::infer_recurrent(context, attributes_, 4); }

  void plan(PlanContext& context) const override {
    const auto step = [couples = couples_](const auto& cell) {
      cell.product(0, cell.h, cell.gates, 4 * cell.hidden, true);
      for (int64_t row = 0; row < cell.rows; ++row) {
        if (cell.active[row]) step_row(cell, row, couples);
      }
    };
    ops::plan_recurrent(context, attributes_,
                        {.gates = 4, .parts = {{0, 4}}, .has_c = true, .step_f32 = step, .step_f64 = step});
  }

 private:
  ops::RecurrentAttributes attributes_;
  bool couples_;  // the forget gate is what the input gate leaves
};

}  // namespace

void register_lstm(OpRegistry& registry) {
  for (const auto& [versions, types] :
       {std::pair<std::vector<int64_t>, DTypeSet>{{1, 7, 14}, kIeeeFloats}, {{22}, kFloats}}) {
    registry.add({.name = "LSTM",
                  .versions = versions,
                  .signature = "X:T, W:T, R:T, B:T?, sequence_lens:T1?, initial_h:T?, initial_c:T?, P:T? -> "
                               "Y:T?, Y_h:T?, Y_c:T?",
                  .types = {{.name = "T", .tensors = types}, {.name = "T1", .tensors = {DType::int32}}},
                  .create = make_operator<Lstm>});
  }
}

}  // namespace onnxrun
