// LinearRegressor: https://onnx.ai/onnx/operators/onnx_aionnxml_LinearRegressor.html, version 1.
#include <algorithm>

#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/scores.h"

namespace onnxrun {
namespace {

class LinearRegressor : public Operator {
 public:
  explicit LinearRegressor(AttributeReader& attributes)
      : transform_(ops::read_post_transform(attributes)),
        coefficients_(attributes.numbers("coefficients")),
        intercepts_(attributes.numbers("intercepts")) {
    const int64_t targets = attributes.integer("targets", 1);
    if (targets < 1) throw Error(ErrorCode::invalid_model, "attribute 'targets' is " + std::to_string(targets));
    if (intercepts_.empty()) intercepts_.resize(static_cast<size_t>(targets));
    if (intercepts_.size() != static_cast<size_t>(targets) || coefficients_.empty() ||
        coefficients_.size() % intercepts_.size() != 0) {
      throw Error(ErrorCode::invalid_model, "there are " + std::to_string(coefficients_.size()) + " coefficients and " +
                                                std::to_string(intercepts_.size()) + " intercepts for " +
                                                std::to_string(targets) + " targets");
    }
  }

  void infer(InferContext& context) const override {
    const ops::FeatureShape shape = ops::feature_shape(context);
    const size_t features = coefficients_.size() / intercepts_.size();
    if (shape.columns.is_number() && shape.columns.number() != static_cast<int64_t>(features)) {
      context.fail("the input has " + shape.columns.to_string() + " features, the coefficients " +
                   std::to_string(features));
    }
    context.set_output(0, DType::float32, {shape.rows, static_cast<int64_t>(intercepts_.size())});
  }

  void plan(PlanContext& context) const override {
    const ops::FeatureRows features(context);
    const ops::LinearScores products(coefficients_, intercepts_.size());
    context.range(features.rows(), static_cast<double>(coefficients_.size()) * 0.1 + 20,
                  [=, this](const TileContext& tile, int64_t begin, int64_t end) {
                    const size_t targets = intercepts_.size();
                    for (int64_t i = begin; i < end; i += ops::FeatureRows::kBlock) {
                      const int64_t n = std::min(ops::FeatureRows::kBlock, end - i);
                      float* scores = tile.output<float>(0) + i * static_cast<int64_t>(targets);
                      products.evaluate(features.rows(tile, i, n), n, scores);
                      for (int64_t row = 0; row < n; ++row, scores += targets) {
                        for (size_t t = 0; t < targets; ++t) scores[t] += intercepts_[t];
                        ops::apply(transform_, {scores, targets});
                      }
                    }
                  });
  }

 private:
  ops::PostTransform transform_;
  std::vector<float> coefficients_;  // [targets, features]
  std::vector<float> intercepts_;
};

}  // namespace

void register_linear_regressor(OpRegistry& registry) {
  registry.add({.domain = ops::kMlDomain,
                .name = "LinearRegressor",
                .versions = {1},
                .signature = "X:T -> Y:float32",
                .types = {{.name = "T", .tensors = ops::kFeatureTypes}},
                .create = make_operator<LinearRegressor>});
}

}  // namespace onnxrun
