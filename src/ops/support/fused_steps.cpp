#include "ops/support/fused_steps.h"

#include <utility>

#include "onnxrun/error.h"

namespace onnxrun::ops {
namespace {

constexpr std::pair<std::string_view, EpilogueKind> kKinds[] = {
    {"Relu", EpilogueKind::relu},
    {"LeakyRelu", EpilogueKind::leaky_relu},
    {"Clip", EpilogueKind::clip},
    {"Sigmoid", EpilogueKind::sigmoid},
    {"Swish", EpilogueKind::silu},
    {"HardSigmoid", EpilogueKind::hard_sigmoid},
    {"HardSwish", EpilogueKind::hard_swish},
    {"Tanh", EpilogueKind::tanh},
    {"Mish", EpilogueKind::mish},
    {"Softplus", EpilogueKind::softplus},
    {"Gelu", EpilogueKind::gelu_erf},
    {"GeluTanh", EpilogueKind::gelu_tanh},
    {"QuantizeDequantize", EpilogueKind::quantize},
    {"Add", EpilogueKind::add_residual},
};

}  // namespace

std::vector<EpilogueStep> epilogue_steps(const std::vector<FusedStep>& steps) {
  std::vector<EpilogueStep> result;
  for (const FusedStep& step : steps) {
    bool known = false;
    for (const auto& [name, kind] : kKinds) {
      if (name != step.op_type) continue;
      result.push_back({kind, step.alpha, step.beta, step.gamma});
      known = true;
    }
    if (!known) throw Error(ErrorCode::invalid_model, step.op_type + " cannot be fused");
  }
  return result;
}

std::string describe(const std::vector<FusedStep>& steps) {
  std::string text;
  for (const FusedStep& step : steps) text += "+" + step.op_type;
  return text;
}

}  // namespace onnxrun::ops
