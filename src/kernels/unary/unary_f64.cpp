#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

#include "kernels/unary/unary.h"

namespace onnxrun {
namespace {

constexpr double kSqrtHalf = 0.70710678118654752440;
constexpr double kSqrtTwoOverPi = 0.79788456080286535588;

// Both keep a NaN x.
double at_least(double x, double low) { return x < low ? low : x; }
double at_most(double x, double high) { return x > high ? high : x; }

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

double sign(double x) {
  if (std::isnan(x)) return x;
  return x > 0 ? 1 : x < 0 ? -1 : 0;
}

[[gnu::always_inline]] inline double value(UnaryKind kind, double x, double alpha, double beta) {
  switch (kind) {
    case UnaryKind::identity:
      return x;
    case UnaryKind::abs:
      return std::fabs(x);
    case UnaryKind::neg:
      return -x;
    case UnaryKind::sign:
      return sign(x);
    case UnaryKind::reciprocal:
      return 1 / x;
    case UnaryKind::sqrt:
      return std::sqrt(x);
    case UnaryKind::floor:
      return std::floor(x);
    case UnaryKind::ceil:
      return std::ceil(x);
    case UnaryKind::round:
      return std::nearbyint(x);
    case UnaryKind::exp:
      return std::exp(x);
    case UnaryKind::log:
      return std::log(x);
    case UnaryKind::erf:
      return std::erf(x);
    case UnaryKind::tanh:
      return std::tanh(x);
    case UnaryKind::sigmoid:
      return sigmoid(x);
    case UnaryKind::softplus:
      return softplus(x);
    case UnaryKind::softsign:
      return x / (1 + std::fabs(x));
    case UnaryKind::relu:
      return at_least(x, 0);
    case UnaryKind::leaky_relu:
      return x < 0 ? alpha * x : x;
    case UnaryKind::elu:
      return x < 0 ? alpha * std::expm1(x) : x;
    case UnaryKind::selu:
      return beta * (x <= 0 ? alpha * std::expm1(x) : x);
    case UnaryKind::celu:
      return at_least(x, 0) + at_most(alpha * std::expm1(x / alpha), 0);
    case UnaryKind::thresholded_relu:
      return x > alpha || std::isnan(x) ? x : 0;
    case UnaryKind::hard_sigmoid:
      return at_most(at_least(alpha * x + beta, 0), 1);
    case UnaryKind::hard_swish:
      return x * at_most(at_least(x / 6 + 0.5, 0), 1);
    case UnaryKind::gelu_erf:
      return x / 2 * std::erfc(-x * kSqrtHalf);
    case UnaryKind::gelu_tanh:
      return x * sigmoid(2 * kSqrtTwoOverPi * (x + 0.044715 * x * x * x));
    case UnaryKind::silu:
      return x * sigmoid(alpha * x);
    case UnaryKind::mish:
      return x * std::tanh(softplus(x));
    case UnaryKind::clip:
      return at_most(at_least(x, alpha), beta);
    case UnaryKind::sin:
      return std::sin(x);
    case UnaryKind::cos:
      return std::cos(x);
    case UnaryKind::tan:
      return std::tan(x);
    case UnaryKind::asin:
      return std::asin(x);
    case UnaryKind::acos:
      return std::acos(x);
    case UnaryKind::atan:
      return std::atan(x);
    case UnaryKind::sinh:
      return std::sinh(x);
    case UnaryKind::cosh:
      return std::cosh(x);
    case UnaryKind::asinh:
      return std::asinh(x);
    case UnaryKind::acosh:
      return std::acosh(x);
    case UnaryKind::atanh:
      return std::atanh(x);
  }
  return x;
}

template <UnaryKind Kind>
void row(const double* src, double* dst, size_t n, double alpha, double beta) noexcept {
  for (size_t i = 0; i < n; ++i) dst[i] = value(Kind, src[i], alpha, beta);
}

template <size_t... Kinds>
constexpr std::array<UnaryF64, sizeof...(Kinds)> make_rows(std::index_sequence<Kinds...>) {
  return {row<static_cast<UnaryKind>(Kinds)>...};
}
constexpr auto kRows = make_rows(std::make_index_sequence<kUnaryKindCount>());

}  // namespace

UnaryF64 unary_f64(UnaryKind kind) { return kRows[static_cast<size_t>(kind)]; }

}  // namespace onnxrun
