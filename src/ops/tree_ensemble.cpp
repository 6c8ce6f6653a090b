// TreeEnsemble: https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html, version 5. NaN takes the branch that
// nodes_missing_value_tracks_true says, whatever the comparison. A target that no leaf votes for is 0.
#include "ops/support/tree_ensemble.h"

#include <algorithm>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/scores.h"

namespace onnxrun {
namespace {

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::invalid_model, message); }

// An enumeration of `count` values.
int64_t read_choice(AttributeReader& attributes, const char* name, int64_t otherwise, int64_t count) {
  const int64_t value = attributes.integer(name, otherwise);
  if (value < 0 || value >= count) refuse("attribute '" + std::string(name) + "' is " + std::to_string(value));
  return value;
}

// The sets of membership_values, each ended by a NaN.
std::vector<std::vector<double>> read_sets(AttributeReader& attributes) {
  std::vector<std::vector<double>> sets;
  const auto tensor = attributes.tensor("membership_values");
  if (!tensor) return sets;
  std::vector<double> set;
  for (const double value : ops::to_doubles(*tensor)) {
    if (value == value) {
      set.push_back(value);
      continue;
    }
    sets.push_back(std::move(set));
    set.clear();
  }
  if (!set.empty()) sets.push_back(std::move(set));
  return sets;
}

class ModelReader {
 public:
  explicit ModelReader(AttributeReader& attributes)
      : weights_(list(attributes, "leaf_weights")),
        targets_(attributes.integers("leaf_targetids")),
        true_ids_(attributes.integers("nodes_truenodeids")),
        false_ids_(attributes.integers("nodes_falsenodeids")),
        true_leafs_(attributes.integers("nodes_trueleafs")),
        false_leafs_(attributes.integers("nodes_falseleafs")) {
    if (targets_.size() != weights_.size()) refuse("attributes 'leaf_targetids' and 'leaf_weights' differ in length");
    model_.targets = static_cast<size_t>(attributes.integer("n_targets", 0));
    for (size_t i = 0; i < weights_.size(); ++i) {
      model_.votes.push_back({static_cast<size_t>(targets_[i]), weights_[i]});
      if (targets_[i] >= 0 && !attributes.has("n_targets")) {
        model_.targets = std::max(model_.targets, static_cast<size_t>(targets_[i]) + 1);
      }
    }
    read_nodes(attributes);
    for (const int64_t root : attributes.integers("tree_roots")) add_root(root);
  }

  ops::TreeModel take() { return std::move(model_); }

 private:
  static std::vector<double> list(AttributeReader& attributes, const char* name) {
    const auto tensor = attributes.tensor(name);
    if (!tensor) refuse("attribute '" + std::string(name) + "' is required and absent");
    return ops::to_doubles(*tensor);
  }

  void read_nodes(AttributeReader& attributes) {
    const auto modes = attributes.tensor("nodes_modes");
    if (!modes || modes->dtype() != DType::uint8) refuse("attribute 'nodes_modes' must be a tensor of uint8");
    const auto features = attributes.integers("nodes_featureids");
    const auto splits = list(attributes, "nodes_splits");
    auto missing = attributes.integers("nodes_missing_value_tracks_true");
    attributes.ignore("nodes_hitrates");
    count_ = static_cast<size_t>(modes->elements());
    if (missing.empty()) missing.resize(count_);
    for (const size_t size : {features.size(), splits.size(), missing.size(), true_ids_.size(), false_ids_.size(),
                              true_leafs_.size(), false_leafs_.size()}) {
      if (size != count_) refuse("the attributes 'nodes_*' differ in length");
    }
    const auto sets = read_sets(attributes);
    size_t next_set = 0;
    for (size_t i = 0; i < count_; ++i) {
      const auto mode = modes->values<uint8_t>()[i];
      if (mode > static_cast<uint8_t>(ops::TreeModel::Mode::member)) refuse("node mode " + std::to_string(mode));
      model_.nodes.push_back({.mode = static_cast<ops::TreeModel::Mode>(mode),
                              .feature = features[i],
                              .threshold = splits[i],
                              .missing_is_true = missing[i] != 0});
      if (model_.nodes[i].mode != ops::TreeModel::Mode::member) continue;
      model_.nodes[i].threshold = 0;
      if (next_set == sets.size()) refuse("attribute 'membership_values' has too few sets");
      model_.nodes[i].members = sets[next_set++];
    }
    if (next_set != sets.size()) refuse("attribute 'membership_values' has too many sets");
    for (size_t i = 0; i < count_; ++i) {
      const size_t true_child = child(true_ids_[i], true_leafs_[i] != 0);
      const size_t false_child = child(false_ids_[i], false_leafs_[i] != 0);
      model_.nodes[i].true_child = true_child;
      model_.nodes[i].false_child = false_child;
    }
  }

  // A node for the branch `id`: a leaf becomes one of its own.
  size_t child(int64_t id, bool is_leaf) {
    const size_t limit = is_leaf ? weights_.size() : count_;
    if (id < 0 || static_cast<size_t>(id) >= limit) {
      refuse(std::string(is_leaf ? "there is no leaf " : "there is no node ") + std::to_string(id));
    }
    if (!is_leaf) return static_cast<size_t>(id);
    model_.nodes.push_back(
        {.mode = ops::TreeModel::Mode::leaf, .first_vote = static_cast<size_t>(id), .vote_count = 1});
    return model_.nodes.size() - 1;
  }

  void add_root(int64_t root) {
    if (root < 0 || static_cast<size_t>(root) >= count_) refuse("there is no root " + std::to_string(root));
    model_.roots.push_back(static_cast<size_t>(root));
  }

  std::vector<double> weights_;
  std::vector<int64_t> targets_, true_ids_, false_ids_, true_leafs_, false_leafs_;
  size_t count_ = 0;  // of inner nodes
  ops::TreeModel model_;
};

class TreeEnsemble : public Operator {
 public:
  explicit TreeEnsemble(AttributeReader& attributes)
      : transform_(static_cast<ops::PostTransform>(read_choice(attributes, "post_transform", 0, 5))),
        trees_(ModelReader(attributes).take(),
               static_cast<ops::Aggregate>(read_choice(attributes, "aggregate_function", 1, 4))) {}

  void infer(InferContext& context) const override {
    context.set_output(0, context.dtype(0), {trees_.infer(context), static_cast<int64_t>(trees_.model().targets)});
  }

  void plan(PlanContext& context) const override {
    const DType dtype = context.output(0).dtype;
    trees_.plan(context, [=, transform = transform_](const TileContext& tile, int64_t row, std::span<double> scores,
                                                     const uint8_t* /*voted*/) {
      if (transform != ops::PostTransform::none) {
        std::vector<float> transformed(scores.begin(), scores.end());
        ops::apply(transform, transformed);
        std::copy(transformed.begin(), transformed.end(), scores.begin());
      }
      dispatch_dtype<float, double, Half>(dtype, [&]<class T>() {
        T* dst = tile.output<T>(0) + row * static_cast<int64_t>(scores.size());
        for (size_t i = 0; i < scores.size(); ++i) dst[i] = static_cast<T>(scores[i]);
      });
    });
  }

 private:
  ops::PostTransform transform_;
  ops::TreePredictor trees_;
};

}  // namespace

void register_tree_ensemble(OpRegistry& registry) {
  registry.add({.domain = ops::kMlDomain,
                .name = "TreeEnsemble",
                .versions = {5},
                .signature = "X:T -> Y:T",
                .types = {{.name = "T", .tensors = kIeeeFloats}},
                .create = make_operator<TreeEnsemble>});
}

}  // namespace onnxrun
