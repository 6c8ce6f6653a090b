#include "ops/support/scores.h"

#include <algorithm>
#include <cmath>

#include "graph/attribute.h"
#include "kernels/gemm/gemm.h"
#include "kernels/row/row.h"
#include "onnxrun/error.h"
#include "ops/support/convert.h"

namespace onnxrun::ops {
namespace {

float logistic(float x) {
  const float y = 1 / (1 + std::exp(-std::fabs(x)));
  return x < 0 ? 1 - y : y;
}

float probit(float p) {
  const float x = 2 * p - 1;
  const float log = std::log((1 - x) * (1 + x));
  const float half = 2 / (3.14159F * 0.147F) + 0.5F * log;
  const float root = std::sqrt(-half + std::sqrt(half * half - log / 0.147F));
  return 1.41421356F * (x < 0 ? -root : root);
}

// Softmax over the scores that do not count as 0; those are scaled as the others are.
void softmax_zero(std::span<float> scores) {
  const float largest = *std::max_element(scores.begin(), scores.end());
  const float scale = std::exp(-largest);
  float sum = 0;
  for (float& score : scores) {
    score = std::fabs(score) <= 1e-7F ? score * scale : std::exp(score - largest);
    sum += score;
  }
  if (sum == 0) return std::fill(scores.begin(), scores.end(), 0.5F);
  for (float& score : scores) score /= sum;
}

// Sums f(i) for i < n.
template <class F>
float sum_in_parts(size_t n, const F& f) {
  constexpr size_t kParts = 8;
  std::array<float, kParts> parts{};
  size_t i = 0;
  for (; i + kParts <= n; i += kParts) {
    for (size_t k = 0; k < kParts; ++k) parts[k] += f(i + k);
  }
  for (size_t k = 0; i < n; ++i, ++k) parts[k] += f(i);
  return ((parts[0] + parts[4]) + (parts[1] + parts[5])) + ((parts[2] + parts[6]) + (parts[3] + parts[7]));
}

}  // namespace

PostTransform read_post_transform(AttributeReader& attributes) {
  const std::string name =
      attributes.one_of("post_transform", {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"});
  if (name == "SOFTMAX") return PostTransform::softmax;
  if (name == "LOGISTIC") return PostTransform::logistic;
  if (name == "SOFTMAX_ZERO") return PostTransform::softmax_zero;
  return name == "PROBIT" ? PostTransform::probit : PostTransform::none;
}

void apply(PostTransform transform, std::span<float> scores) {
  if (scores.empty()) return;
  switch (transform) {
    case PostTransform::none:
      return;
    case PostTransform::softmax:
      return row_kernels().softmax(scores.data(), scores.data(), 1, scores.size());
    case PostTransform::softmax_zero:
      return softmax_zero(scores);
    case PostTransform::logistic:
      return (void)std::transform(scores.begin(), scores.end(), scores.begin(), logistic);
    case PostTransform::probit:
      return (void)std::transform(scores.begin(), scores.end(), scores.begin(), probit);
  }
}

void split_score(PostTransform transform, float score, bool is_signed, float* scores) {
  scores[0] = is_signed || transform == PostTransform::logistic ? -score : 1 - score;
  scores[1] = score;
  if (transform == PostTransform::logistic || transform == PostTransform::probit) apply(transform, {scores, 2});
}

ClassLabels::ClassLabels(AttributeReader& attributes, const char* integers, const char* strings)
    : integers_(attributes.integers(integers)), strings_(attributes.strings(strings)) {
  if (integers_.empty() != strings_.empty()) return;
  throw Error(ErrorCode::invalid_model,
              "one of the attributes '" + std::string(integers) + "' and '" + strings + "' must be given");
}

void ClassLabels::write(size_t c, void* dst, int64_t i) const {
  if (strings_.empty()) {
    static_cast<int64_t*>(dst)[i] = integers_[c];
  } else {
    static_cast<std::string*>(dst)[i] = strings_[c];
  }
}

Tensor ClassLabels::tensor() const {
  const Shape shape{static_cast<int64_t>(size())};
  return strings_.empty() ? Tensor::of<int64_t>(DType::int64, shape, integers_)
                          : Tensor::of<std::string>(DType::string, shape, strings_);
}

FeatureShape feature_shape(InferContext& context) {
  const DimShape& shape = context.shape(0);
  if (!shape.has_rank()) return {};
  if (shape.rank() == 1) return {1, shape[0]};
  if (shape.rank() != 2) context.fail("the input must be [N, C] or [C], it is " + shape.to_string());
  return {shape[0], shape[1]};
}

FeatureRows::FeatureRows(PlanContext& context) : dtype_(context.input(0).dtype) {
  const Shape& shape = context.input(0).shape;
  if (shape.rank() == 2) rows_ = shape[0];
  columns_ = static_cast<size_t>(shape.back());
  if (dtype_ == DType::float32) return;
  scratch_ = context.scratch(columns_ * kBlock * sizeof(float));
  convert_ = make_convert(dtype_, DType::float32);
}

const float* FeatureRows::rows(const TileContext& tile, int64_t i, int64_t n) const {
  const auto columns = static_cast<int64_t>(columns_);
  if (dtype_ == DType::float32) return tile.input<float>(0) + i * columns;
  const auto width = static_cast<int64_t>(byte_size(dtype_, 1));
  auto* rows = reinterpret_cast<float*>(tile.scratch + scratch_);
  convert_(tile.input<std::byte>(0) + i * columns * width, rows, 0, n * columns);
  return rows;
}

LinearScores::LinearScores(const std::vector<float>& weights, size_t targets)
    : targets_(targets), features_(weights.size() / targets) {
  const GemmKernels& kernels = gemm_kernels();
  packed_ = Tensor(DType::float32, {static_cast<int64_t>(kernels.packed_b_size(features_, targets_))});
  kernels.pack_b(weights.data(), 1, static_cast<ptrdiff_t>(features_), features_, targets_, 0,
                 kernels.panel_count(targets_), static_cast<float*>(packed_.mutable_data()));
}

void LinearScores::evaluate(const float* rows, int64_t n, float* scores) const {
  const GemmKernels& kernels = gemm_kernels();
  GemmArgs args;
  args.m = static_cast<size_t>(n);
  args.n = targets_;
  args.k = features_;
  args.a = rows;
  args.a_row_stride = static_cast<ptrdiff_t>(features_);
  args.packed_b = packed_.values<float>().data();
  args.c = scores;
  args.c_row_stride = static_cast<ptrdiff_t>(targets_);
  kernels.run(args, 0, args.m, 0, kernels.panel_count(targets_));
}

float dot_product(const float* a, const float* b, size_t n) {
  return sum_in_parts(n, [=](size_t i) { return a[i] * b[i]; });
}

float squared_distance(const float* a, const float* b, size_t n) {
  return sum_in_parts(n, [=](size_t i) { return (a[i] - b[i]) * (a[i] - b[i]); });
}

size_t largest(std::span<const float> scores) {
  size_t best = 0;
  for (size_t i = 1; i < scores.size(); ++i) {
    const float score = scores[i], top = scores[best];
    best = (score > top) | ((top != top) & (score == score)) ? i : best;  // no branch, which nobody could predict
  }
  return best;
}

}  // namespace onnxrun::ops
