#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/dtype_set.h"
#include "graph/operator.h"

namespace onnxrun::ops {

// What an ai.onnx.ml model does to the scores of one row last: its attribute post_transform.
enum class PostTransform : uint8_t { none = 0, softmax = 1, logistic = 2, softmax_zero = 3, probit = 4 };

// \throws Error(invalid_model).
PostTransform read_post_transform(AttributeReader& attributes);

// Transforms the scores of one row. SOFTMAX_ZERO is softmax with scores of 0 left 0. PROBIT is the quantile function of
// the normal distribution in S. Winitzki's approximation (2008), which every implementation takes; of 0 and 1 infinite,
// outside NaN.
void apply(PostTransform transform, std::span<float> scores);

// The single score of a model with two classes as a score for each: logistic(-s) and logistic(s), or else s for the
// second class and 1 - s for the first, -s where `is_signed`.
void split_score(PostTransform transform, float score, bool is_signed, float* scores);

// The class labels of a classifier: integers or strings.
class ClassLabels {
 public:
  // Reads the two attributes. \throws Error(invalid_model) unless there is just one of them.
  ClassLabels(AttributeReader& attributes, const char* integers, const char* strings);

  size_t size() const { return strings_.empty() ? integers_.size() : strings_.size(); }
  DType dtype() const { return strings_.empty() ? DType::int64 : DType::string; }
  // dst[i] = label c.
  void write(size_t c, void* dst, int64_t i) const;
  // All of them, as a tensor of one dimension.
  Tensor tensor() const;

 private:
  std::vector<int64_t> integers_;
  std::vector<std::string> strings_;
};

// The input [N, C] or [C], one row, of models on features: rows and columns. \throws Error(invalid_model).
struct FeatureShape {
  Dim rows = Dim::unknown();
  Dim columns = Dim::unknown();
};
FeatureShape feature_shape(InferContext& context);

// Rows of input 0 as floats, whatever its number type.
class FeatureRows {
 public:
  // Books what reading needs of each worker.
  explicit FeatureRows(PlanContext& context);

  int64_t rows() const { return rows_; }
  size_t columns() const { return columns_; }
  // Rows [i, i + n), n at most kBlock, side by side. Valid until the next call of the worker.
  static constexpr int64_t kBlock = 16;
  const float* rows(const TileContext& tile, int64_t i, int64_t n) const;
  const float* row(const TileContext& tile, int64_t i) const { return rows(tile, i, 1); }

 private:
  int64_t rows_ = 1;
  size_t columns_ = 0;
  DType dtype_;
  size_t scratch_ = 0;
  std::function<void(const void*, void*, int64_t, int64_t)> convert_;
};

// The products of rows with weights, [targets, features], in the form that the matrix kernels read.
class LinearScores {
 public:
  LinearScores(const std::vector<float>& weights, size_t targets);

  // scores[n, targets] of rows[n, features].
  void evaluate(const float* rows, int64_t n, float* scores) const;

 private:
  size_t targets_;
  size_t features_;
  Tensor packed_;
};

// Sums over n elements, in eight interleaved parts that are added up at the end.
float dot_product(const float* a, const float* b, size_t n);
float squared_distance(const float* a, const float* b, size_t n);

// The position of the largest score, the first of equal ones; NaN is never the largest.
size_t largest(std::span<const float> scores);

inline constexpr std::string_view kMlDomain = "ai.onnx.ml";
// What most ai.onnx.ml operators take as features.
inline constexpr DTypeSet kFeatureTypes = {DType::float32, DType::float64, DType::int64, DType::int32};

}  // namespace onnxrun::ops
