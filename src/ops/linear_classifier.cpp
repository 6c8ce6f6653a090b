// LinearClassifier: https://onnx.ai/onnx/operators/onnx_aionnxml_LinearClassifier.html, version 1. Without intercepts
// they are 0. One score for two labels is that of the second, which is chosen where the score is above 0; see
// ops/support/scores.h for the first label's.
#include <algorithm>

#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/scores.h"

namespace onnxrun {
namespace {

class LinearClassifier : public Operator {
 public:
  explicit LinearClassifier(AttributeReader& attributes)
      : labels_(attributes, "classlabels_ints", "classlabels_strings"),
        transform_(ops::read_post_transform(attributes)),
        coefficients_(attributes.numbers("coefficients")),
        intercepts_(attributes.numbers("intercepts")) {
    attributes.ignore("multi_class");
    if (intercepts_.empty()) intercepts_.resize(labels_.size());
    is_binary_ = intercepts_.size() == 1 && labels_.size() == 2;
    if (intercepts_.size() != labels_.size() && !is_binary_) {
      throw Error(ErrorCode::invalid_model, "there are " + std::to_string(intercepts_.size()) + " intercepts for " +
                                                std::to_string(labels_.size()) + " class labels");
    }
    if (coefficients_.empty() || coefficients_.size() % intercepts_.size() != 0) {
      throw Error(ErrorCode::invalid_model, "there are " + std::to_string(coefficients_.size()) + " coefficients for " +
                                                std::to_string(intercepts_.size()) + " scores");
    }
  }

  void infer(InferContext& context) const override {
    const ops::FeatureShape shape = ops::feature_shape(context);
    const size_t features = coefficients_.size() / intercepts_.size();
    if (shape.columns.is_number() && shape.columns.number() != static_cast<int64_t>(features)) {
      context.fail("the input has " + shape.columns.to_string() + " features, the coefficients " +
                   std::to_string(features));
    }
    context.set_output(0, labels_.dtype(), {shape.rows});
    context.set_output(1, DType::float32, {shape.rows, static_cast<int64_t>(labels_.size())});
  }

  void plan(PlanContext& context) const override {
    const ops::FeatureRows features(context);
    const ops::LinearScores products(coefficients_, intercepts_.size());
    const size_t products_at = context.scratch(ops::FeatureRows::kBlock * intercepts_.size() * sizeof(float));
    const size_t scores_at = context.scratch(labels_.size() * sizeof(float));
    context.range(features.rows(), static_cast<double>(coefficients_.size()) * 0.1 + 50,
                  [=, this, wants_labels = context.wants(0), wants_scores = context.wants(1)](
                      const TileContext& tile, int64_t begin, int64_t end) {
                    auto* block = reinterpret_cast<float*>(tile.scratch + products_at);
                    auto* scores = reinterpret_cast<float*>(tile.scratch + scores_at);
                    for (int64_t i = begin; i < end; ++i) {
                      const int64_t at = (i - begin) % ops::FeatureRows::kBlock;
                      const int64_t n = std::min(ops::FeatureRows::kBlock, end - i);
                      if (at == 0) products.evaluate(features.rows(tile, i, n), n, block);
                      const size_t best = score(block + at * static_cast<int64_t>(intercepts_.size()), scores);
                      if (wants_labels) labels_.write(best, tile.output(0), i);
                      if (!wants_scores) continue;
                      std::copy_n(scores, labels_.size(),
                                  tile.output<float>(1) + i * static_cast<int64_t>(labels_.size()));
                    }
                  });
  }

 private:
  // The scores of one row from its products with the coefficients; returns the class.
  size_t score(const float* products, float* scores) const {
    std::transform(intercepts_.begin(), intercepts_.end(), products, scores, std::plus<>());
    if (is_binary_) {
      const float only = scores[0];
      ops::split_score(transform_, only, false, scores);
      return only > 0 ? 1 : 0;
    }
    const size_t best = ops::largest({scores, labels_.size()});
    ops::apply(transform_, {scores, labels_.size()});
    return best;
  }

  ops::ClassLabels labels_;
  ops::PostTransform transform_;
  std::vector<float> coefficients_;  // [scores, features]
  std::vector<float> intercepts_;
  bool is_binary_ = false;
};

}  // namespace

void register_linear_classifier(OpRegistry& registry) {
  registry.add({.domain = ops::kMlDomain,
                .name = "LinearClassifier",
                .versions = {1},
                .signature = "X:T1 -> Y:T2, Z:float32",
                .types = {{.name = "T1", .tensors = ops::kFeatureTypes},
                          {.name = "T2", .tensors = {DType::string, DType::int64}}},
                .create = make_operator<LinearClassifier>});
}

}  // namespace onnxrun
