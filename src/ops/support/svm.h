#pragma once

#include <vector>

#include "graph/operator.h"

namespace onnxrun::ops {

// The attributes that SVMClassifier and SVMRegressor share.
class SupportVectors {
 public:
  // Reads kernel_type, kernel_params and support_vectors. \throws Error(invalid_model).
  explicit SupportVectors(AttributeReader& attributes);

  // `count` vectors, of which each has features() elements; without any the model is linear in its coefficients.
  // \throws Error(invalid_model).
  void set_count(size_t count);

  size_t count() const { return count_; }
  size_t features() const { return features_; }
  // kernels[i] = K(row, vector i).
  void evaluate(const float* row, float* kernels) const;

 private:
  enum class Kernel : uint8_t { linear, poly, rbf, sigmoid };

  Kernel kernel_ = Kernel::linear;
  float gamma_ = 0, coef0_ = 0, degree_ = 0;
  size_t count_ = 0, features_ = 0;
  std::vector<float> vectors_;
};

// The probabilities of `classes` classes from the probability `pairwise[i * classes + j]` of class i against class j:
// the second method of T. Wu, C. Lin, R. Weng, "Probability estimates for multi-class classification by pairwise
// coupling", JMLR 5 (2004), with the starting point and stopping rule of libsvm.
std::vector<double> couple_pairwise(const std::vector<double>& pairwise, size_t classes);

}  // namespace onnxrun::ops
