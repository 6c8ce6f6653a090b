#include "ops/support/svm.h"

#include <algorithm>
#include <cmath>

#include "graph/attribute.h"
#include "onnxrun/error.h"
#include "ops/support/scores.h"

namespace onnxrun::ops {

SupportVectors::SupportVectors(AttributeReader& attributes) : vectors_(attributes.numbers("support_vectors")) {
  const std::string kernel = attributes.one_of("kernel_type", {"LINEAR", "POLY", "RBF", "SIGMOID"});
  kernel_ = kernel == "POLY"  ? Kernel::poly
            : kernel == "RBF" ? Kernel::rbf
                              : (kernel == "SIGMOID" ? Kernel::sigmoid : Kernel::linear);
  const std::vector<float> parameters = attributes.numbers("kernel_params");
  if (!parameters.empty() && parameters.size() != 3) {
    throw Error(ErrorCode::invalid_model, "attribute 'kernel_params' must have three elements");
  }
  if (parameters.empty()) return;
  gamma_ = parameters[0];
  coef0_ = parameters[1];
  degree_ = parameters[2];
}

void SupportVectors::set_count(size_t count) {
  count_ = count;
  if (count == 0) return;
  if (vectors_.empty() || vectors_.size() % count != 0) {
    throw Error(ErrorCode::invalid_model, "attribute 'support_vectors' has " + std::to_string(vectors_.size()) +
                                              " elements for " + std::to_string(count) + " vectors");
  }
  features_ = vectors_.size() / count;
}

void SupportVectors::evaluate(const float* row, float* kernels) const {
  for (size_t i = 0; i < count_; ++i) {
    const float* vector = &vectors_[i * features_];
    kernels[i] =
        kernel_ == Kernel::rbf ? squared_distance(row, vector, features_) : dot_product(row, vector, features_);
  }
  switch (kernel_) {
    case Kernel::linear:
      return;
    case Kernel::poly:
      for (size_t i = 0; i < count_; ++i) kernels[i] = std::pow(gamma_ * kernels[i] + coef0_, degree_);
      return;
    case Kernel::rbf:
      for (size_t i = 0; i < count_; ++i) kernels[i] = std::exp(-gamma_ * kernels[i]);
      return;
    case Kernel::sigmoid:
      for (size_t i = 0; i < count_; ++i) kernels[i] = std::tanh(gamma_ * kernels[i] + coef0_);
      return;
  }
}

std::vector<double> couple_pairwise(const std::vector<double>& pairwise, size_t classes) {
  const auto r = [&](size_t i, size_t j) { return pairwise[i * classes + j]; };
  std::vector<double> p(classes, 1.0 / static_cast<double>(classes));
  std::vector<double> q(classes * classes);
  for (size_t i = 0; i < classes; ++i) {
    for (size_t j = 0; j < classes; ++j) {
      if (i == j) continue;
      q[i * classes + i] += r(j, i) * r(j, i);
      q[i * classes + j] = -r(j, i) * r(i, j);
    }
  }
  const double tolerance = 0.005 / static_cast<double>(classes);
  std::vector<double> qp(classes);
  for (size_t iteration = 0; iteration < std::max<size_t>(100, classes); ++iteration) {
    double pqp = 0;
    for (size_t i = 0; i < classes; ++i) {
      qp[i] = 0;
      for (size_t j = 0; j < classes; ++j) qp[i] += q[i * classes + j] * p[j];
      pqp += p[i] * qp[i];
    }
    double error = 0;
    for (size_t i = 0; i < classes; ++i) error = std::max(error, std::fabs(qp[i] - pqp));
    if (error < tolerance) break;
    for (size_t i = 0; i < classes; ++i) {
      const double step = (pqp - qp[i]) / q[i * classes + i];
      p[i] += step;
      pqp = (pqp + step * (step * q[i * classes + i] + 2 * qp[i])) / ((1 + step) * (1 + step));
      for (size_t j = 0; j < classes; ++j) {
        qp[j] = (qp[j] + step * q[i * classes + j]) / (1 + step);
        p[j] /= 1 + step;
      }
    }
  }
  return p;
}

}  // namespace onnxrun::ops
