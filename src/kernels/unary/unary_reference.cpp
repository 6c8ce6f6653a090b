#include "kernels/unary/unary_reference.h"

#include <algorithm>
#include <cmath>

namespace onnxrun {

double unary_reference(UnaryKind kind, double x, double alpha, double beta) {
  unary_f64(kind)(&x, &x, 1, alpha, beta);
  return x;
}

double epilogue_reference(double x, const float* residual, const EpilogueStep* steps, int step_count) {
  for (int i = 0; i < step_count; ++i) {
    const EpilogueStep& step = steps[i];
    const auto unary = [&](UnaryKind kind, double alpha) {
      return unary_reference(kind, x, alpha, static_cast<double>(step.beta));
    };
    const double alpha = static_cast<double>(step.alpha);
    switch (step.kind) {
      case EpilogueKind::relu:
        x = unary(UnaryKind::relu, alpha);
        break;
      case EpilogueKind::leaky_relu:
        x = unary(UnaryKind::leaky_relu, alpha);
        break;
      case EpilogueKind::clip:
        x = unary(UnaryKind::clip, alpha);
        break;
      case EpilogueKind::sigmoid:
        x = unary(UnaryKind::sigmoid, alpha);
        break;
      case EpilogueKind::silu:
        x = unary(UnaryKind::silu, 1);
        break;
      case EpilogueKind::hard_sigmoid:
        x = unary(UnaryKind::hard_sigmoid, alpha);
        break;
      case EpilogueKind::hard_swish:
        x = unary(UnaryKind::hard_swish, alpha);
        break;
      case EpilogueKind::tanh:
        x = unary(UnaryKind::tanh, alpha);
        break;
      case EpilogueKind::mish:
        x = unary(UnaryKind::mish, alpha);
        break;
      case EpilogueKind::softplus:
        x = unary(UnaryKind::softplus, alpha);
        break;
      case EpilogueKind::gelu_erf:
        x = unary(UnaryKind::gelu_erf, alpha);
        break;
      case EpilogueKind::gelu_tanh:
        x = unary(UnaryKind::gelu_tanh, alpha);
        break;
      case EpilogueKind::quantize: {
        const double rounded = std::nearbyint(x / alpha);
        const double low = static_cast<double>(step.beta);
        x = std::min(rounded > low ? rounded : low, static_cast<double>(step.gamma)) * alpha;
        break;
      }
      case EpilogueKind::add_residual:
        x += static_cast<double>(*residual);
        break;
    }
  }
  return x;
}

}  // namespace onnxrun
