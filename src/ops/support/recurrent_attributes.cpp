#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "kernels/row/row.h"
#include "onnxrun/error.h"
#include "ops/support/recurrent.h"
#include "ops/support/shape_checks.h"

namespace onnxrun::ops {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorCode::invalid_model, why); }

double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }

double apply_double(UnaryKind kind, double x, double alpha, double beta) {
  switch (kind) {
    case UnaryKind::relu:
      return x < 0 ? 0 : x;
    case UnaryKind::tanh:
      return std::tanh(x);
    case UnaryKind::sigmoid:
      return 1 / (1 + std::exp(-x));
    case UnaryKind::leaky_relu:
      return x < 0 ? alpha * x : x;
    case UnaryKind::hard_sigmoid:
      return std::min(std::max(alpha * x + beta, 0.0), 1.0);
    case UnaryKind::elu:
      return x < 0 ? alpha * std::expm1(x) : x;
    case UnaryKind::softsign:
      return x / (1 + std::fabs(x));
    case UnaryKind::softplus:
      return softplus(x);
    default:
      return x;
  }
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return text;
}

}  // namespace

Activation::Activation(const std::string& name) {
  struct Known {
    const char* name;
    Form form;
    UnaryKind kind;
    bool has_alpha, has_beta;
    float alpha, beta;
  };
  static constexpr Known kKnown[] = {
      {"relu", Form::plain, UnaryKind::relu, false, false, 0, 0},
      {"tanh", Form::plain, UnaryKind::tanh, false, false, 0, 0},
      {"sigmoid", Form::plain, UnaryKind::sigmoid, false, false, 0, 0},
      {"affine", Form::affine, UnaryKind::identity, true, true, 0, 0},
      {"leakyrelu", Form::plain, UnaryKind::leaky_relu, true, false, 0.01F, 0},
      {"thresholdedrelu", Form::thresholded_relu, UnaryKind::identity, true, false, 1, 0},
      {"scaledtanh", Form::scaled_tanh, UnaryKind::tanh, true, true, 0, 0},
      {"hardsigmoid", Form::plain, UnaryKind::hard_sigmoid, true, true, 0.2F, 0.5F},
      {"elu", Form::plain, UnaryKind::elu, true, false, 1, 0},
      {"softsign", Form::plain, UnaryKind::softsign, false, false, 0, 0},
      {"softplus", Form::plain, UnaryKind::softplus, false, false, 0, 0},
  };
  const std::string key = lower(name);
  for (const Known& known : kKnown) {
    if (key != known.name) continue;
    form_ = known.form;
    kind_ = known.kind;
    has_alpha_ = known.has_alpha;
    has_beta_ = known.has_beta;
    alpha_ = known.alpha;
    beta_ = known.beta;
    return;
  }
  refuse("'" + name + "' is no activation function of a recurrent operator");
}

void Activation::take(const std::vector<float>& alpha, size_t& alphas, const std::vector<float>& beta, size_t& betas) {
  if (has_alpha_ && alphas < alpha.size()) alpha_ = alpha[alphas++];
  if (has_beta_ && betas < beta.size()) beta_ = beta[betas++];
}

void Activation::apply(float* x, int64_t n) const {
  const auto count = static_cast<size_t>(n);
  switch (form_) {
    case Form::plain:
      return unary_f32(kind_)(x, x, count, alpha_, beta_);
    case Form::affine:
      return row_kernels().scale_shift(x, x, count, alpha_, beta_);
    case Form::scaled_tanh:
      row_kernels().scale_shift(x, x, count, beta_, 0);
      unary_f32(UnaryKind::tanh)(x, x, count, 0, 0);
      return row_kernels().scale_shift(x, x, count, alpha_, 0);
    case Form::thresholded_relu:
      for (int64_t i = 0; i < n; ++i) x[i] = x[i] < alpha_ ? 0 : x[i];
  }
}

void Activation::apply(double* x, int64_t n) const {
  const auto alpha = static_cast<double>(alpha_);
  const auto beta = static_cast<double>(beta_);
  for (int64_t i = 0; i < n; ++i) {
    switch (form_) {
      case Form::plain:
        x[i] = apply_double(kind_, x[i], alpha, beta);
        break;
      case Form::affine:
        x[i] = alpha * x[i] + beta;
        break;
      case Form::scaled_tanh:
        x[i] = alpha * std::tanh(beta * x[i]);
        break;
      case Form::thresholded_relu:
        x[i] = x[i] < alpha ? 0 : x[i];
    }
  }
}

RecurrentAttributes::RecurrentAttributes(AttributeReader& attributes, const std::vector<std::string>& defaults)
    : hidden_size(attributes.integer("hidden_size", 0)), clip(attributes.number("clip", 0)) {
  const std::string direction = lower(attributes.string("direction", "forward"));
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
    refuse("attribute 'direction' must be forward, reverse or bidirectional, not '" + direction + "'");
  }
  directions = direction == "bidirectional" ? 2 : 1;
  starts_reversed = direction == "reverse";
  if (attributes.version() >= 14) batch_first = attributes.flag("layout", false);
  if (attributes.version() < 7) attributes.ignore("output_sequence");
  if (clip < 0) refuse("attribute 'clip' must not be negative");

  std::vector<std::string> names = attributes.strings("activations");
  // RNN lists its defaults for two directions.
  if (names.size() == 2 * defaults.size() && directions == 1) names.resize(defaults.size());
  if (!names.empty() && names.size() != defaults.size() * directions) {
    refuse("attribute 'activations' has " + std::to_string(names.size()) + " names, " +
           std::to_string(defaults.size() * directions) + " are needed");
  }
  const std::vector<float> alpha = attributes.numbers("activation_alpha");
  const std::vector<float> beta = attributes.numbers("activation_beta");
  size_t alphas = 0;
  size_t betas = 0;
  for (size_t d = 0; d < directions; ++d) {
    activations.emplace_back();
    for (size_t k = 0; k < defaults.size(); ++k) {
      activations[d].emplace_back(names.empty() ? defaults[k] : names[d * defaults.size() + k]);
      activations[d].back().take(alpha, alphas, beta, betas);
    }
  }
}

void infer_recurrent(InferContext& context, const RecurrentAttributes& attributes, int64_t gates) {
  for (size_t j = 0; j < context.output_count(); ++j) context.set_dtype(j, context.dtype(kX));
  const bool batch_first = attributes.batch_first;
  const Dim steps = extent_of_rank(context, kX, 3, batch_first ? 1 : 0);
  const Dim batch = extent_of_rank(context, kX, 3, batch_first ? 0 : 1);
  const Dim inputs = extent_of_rank(context, kX, 3, 2);
  Dim hidden = extent_of_rank(context, kR, 3, 2);
  if (attributes.hidden_size > 0) {
    if (differ(hidden, attributes.hidden_size)) {
      context.fail("attribute 'hidden_size' is " + std::to_string(attributes.hidden_size) + ", the weights have " +
                   hidden.to_string());
    }
    hidden = attributes.hidden_size;
  }
  const Dim directions = static_cast<int64_t>(attributes.directions);
  const DimShape state = batch_first ? DimShape{batch, directions, hidden} : DimShape{directions, batch, hidden};
  check_shape(context, kW, {directions, hidden * gates, inputs});
  check_shape(context, kR, {directions, hidden * gates, hidden});
  check_shape(context, kB, {directions, hidden * (2 * gates)});
  check_shape(context, kSequenceLens, {batch});
  check_shape(context, kInitialH, state);
  check_shape(context, kInitialC, state);
  check_shape(context, kPeepholes, {directions, hidden * 3});
  context.set_shape(
      kAllH, batch_first ? DimShape{batch, steps, directions, hidden} : DimShape{steps, directions, batch, hidden});
  context.set_shape(kLastH, state);
  context.set_shape(kLastC, state);
}

}  // namespace onnxrun::ops
