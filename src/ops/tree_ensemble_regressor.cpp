// TreeEnsembleRegressor: https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleRegressor.html, versions 1, 3, and 5,
// where it is deprecated and runs as before. See tree_ensemble.cpp for missing values and votes.
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/scores.h"
#include "ops/support/tree_ensemble.h"

namespace onnxrun {
namespace {

size_t read_targets(AttributeReader& attributes) {
  const int64_t targets = attributes.integer("n_targets", 1);
  if (targets < 1) throw Error(ErrorCode::invalid_model, "attribute 'n_targets' is " + std::to_string(targets));
  return static_cast<size_t>(targets);
}

ops::Aggregate read_aggregate(AttributeReader& attributes) {
  const std::string name = attributes.one_of("aggregate_function", {"SUM", "AVERAGE", "MIN", "MAX"});
  if (name == "SUM") return ops::Aggregate::sum;
  if (name == "AVERAGE") return ops::Aggregate::average;
  return name == "MIN" ? ops::Aggregate::min : ops::Aggregate::max;
}

class TreeEnsembleRegressor : public Operator {
 public:
  explicit TreeEnsembleRegressor(AttributeReader& attributes)
      : transform_(ops::read_post_transform(attributes)),
        base_(ops::read_weights(attributes, "base_values")),
        trees_(ops::read_tree_model(attributes, "target", read_targets(attributes)), read_aggregate(attributes)) {
    if (base_.empty()) base_.resize(trees_.model().targets);
    if (base_.size() == trees_.model().targets) return;
    throw Error(ErrorCode::invalid_model, "there are " + std::to_string(base_.size()) + " base values for " +
                                              std::to_string(trees_.model().targets) + " targets");
  }

  void infer(InferContext& context) const override {
    context.set_output(0, DType::float32, {trees_.infer(context), static_cast<int64_t>(base_.size())});
  }

  void plan(PlanContext& context) const override {
    trees_.plan(context,
                [this](const TileContext& tile, int64_t row, std::span<double> scores, const uint8_t* /*voted*/) {
                  float* dst = tile.output<float>(0) + row * static_cast<int64_t>(scores.size());
                  for (size_t i = 0; i < scores.size(); ++i) dst[i] = static_cast<float>(scores[i] + base_[i]);
                  ops::apply(transform_, {dst, scores.size()});
                });
  }

 private:
  ops::PostTransform transform_;
  std::vector<double> base_;
  ops::TreePredictor trees_;
};

}  // namespace

void register_tree_ensemble_regressor(OpRegistry& registry) {
  registry.add({.domain = ops::kMlDomain,
                .name = "TreeEnsembleRegressor",
                .versions = {1, 3, 5},
                .signature = "X:T -> Y:float32",
                .types = {{.name = "T", .tensors = ops::kFeatureTypes}},
                .create = make_operator<TreeEnsembleRegressor>});
}

}  // namespace onnxrun
