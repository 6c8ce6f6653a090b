// TreeEnsembleClassifier: https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleClassifier.html, versions 1, 3, and
// 5, where it is deprecated and runs as before. The top class is the first of the largest scores among the classes that
// got votes or have a base value. With two labels and votes for a single class the score s decides: the second label is
// chosen where s is above 0, or above 0.5 if no weight is negative; votes for the first class then count for the
// second, and the first one's score follows (ops/support/scores.h) with -s where a weight is negative. A single base
// value is that of the class that the votes are for.
#include <algorithm>

#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/scores.h"
#include "ops/support/tree_ensemble.h"

namespace onnxrun {
namespace {

class TreeEnsembleClassifier : public Operator {
 public:
  explicit TreeEnsembleClassifier(AttributeReader& attributes)
      : labels_(attributes, "classlabels_int64s", "classlabels_strings"),
        transform_(ops::read_post_transform(attributes)),
        base_(ops::read_weights(attributes, "base_values")),
        trees_(ops::read_tree_model(attributes, "class", labels_.size()), ops::Aggregate::sum) {
    const std::vector<ops::TreeModel::Vote>& votes = trees_.model().votes;
    is_positive_ = std::none_of(votes.begin(), votes.end(), [](const auto& vote) { return vote.weight < 0; });
    is_binary_ =
        labels_.size() == 2 && base_.size() < 2 && !votes.empty() &&
        std::all_of(votes.begin(), votes.end(), [&](const auto& vote) { return vote.target == votes[0].target; });
    if (is_binary_) voted_class_ = votes[0].target;
    if (base_.empty() || base_.size() == labels_.size() || (base_.size() == 1 && labels_.size() == 2)) return;
    throw Error(ErrorCode::invalid_model, "there are " + std::to_string(base_.size()) + " base values for " +
                                              std::to_string(labels_.size()) + " classes");
  }

  void infer(InferContext& context) const override {
    const Dim rows = trees_.infer(context);
    context.set_output(0, labels_.dtype(), {rows});
    context.set_output(1, DType::float32, {rows, static_cast<int64_t>(labels_.size())});
  }

  void plan(PlanContext& context) const override {
    const size_t scratch = context.scratch(labels_.size() * sizeof(float));
    trees_.plan(context, [=, this, wants_labels = context.wants(0), wants_scores = context.wants(1)](
                             const TileContext& tile, int64_t row, std::span<double> votes, const uint8_t* voted) {
      const std::span<float> scores(reinterpret_cast<float*>(tile.scratch + scratch), votes.size());
      const size_t best = is_binary_ ? decide(votes, scores) : choose(votes, voted, scores);
      if (wants_labels) labels_.write(best, tile.output(0), row);
      if (!wants_scores) return;
      std::copy(scores.begin(), scores.end(), tile.output<float>(1) + row * static_cast<int64_t>(scores.size()));
    });
  }

 private:
  size_t decide(std::span<const double> votes, std::span<float> scores) const {
    const double score = votes[voted_class_] + (base_.empty() ? 0 : base_[0]);
    const size_t best = score > (is_positive_ ? 0.5 : 0) ? 1 : 0;
    if (voted_class_ == 0) {
      ops::split_score(transform_, static_cast<float>(score), !is_positive_, scores.data());
    } else {
      scores[0] = 0;
      scores[1] = static_cast<float>(score);
      ops::apply(transform_, scores);
    }
    return best;
  }

  size_t choose(std::span<const double> votes, const uint8_t* voted, std::span<float> scores) const {
    size_t best = votes.size();
    for (size_t c = 0; c < votes.size(); ++c) {
      const bool has_base = c < base_.size();
      scores[c] = static_cast<float>(votes[c] + (has_base ? base_[c] : 0));
      if ((has_base || voted[c] != 0) && (best == votes.size() || scores[c] > scores[best])) best = c;
    }
    ops::apply(transform_, scores);
    return best == votes.size() ? 0 : best;
  }

  ops::ClassLabels labels_;
  ops::PostTransform transform_;
  std::vector<double> base_;
  ops::TreePredictor trees_;
  bool is_positive_ = false;
  bool is_binary_ = false;
  size_t voted_class_ = 0;
};

}  // namespace

void register_tree_ensemble_classifier(OpRegistry& registry) {
  registry.add({.domain = ops::kMlDomain,
                .name = "TreeEnsembleClassifier",
                .versions = {1, 3, 5},
                .signature = "X:T1 -> Y:T2, Z:float32",
                .types = {{.name = "T1", .tensors = ops::kFeatureTypes},
                          {.name = "T2", .tensors = {DType::string, DType::int64}}},
                .create = make_operator<TreeEnsembleClassifier>});
}

}  // namespace onnxrun
