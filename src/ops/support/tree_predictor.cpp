#include <algorithm>
#include <cmath>
#include <map>

#include "base/checked.h"
#include "base/dispatch_dtype.h"
#include "graph/attribute.h"
#include "onnxrun/error.h"
#include "ops/support/convert.h"
#include "ops/support/scores.h"
#include "ops/support/tree_ensemble.h"

namespace onnxrun::ops {
namespace {

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::invalid_model, message); }

bool is_float32(double x) { return std::isnan(x) || static_cast<double>(static_cast<float>(x)) == x; }

TreeModel::Mode read_mode(const std::string& name) {
  using Mode = TreeModel::Mode;
  static const std::map<std::string, Mode, std::less<>> kModes = {
      {"BRANCH_LEQ", Mode::leq}, {"BRANCH_LT", Mode::lt},   {"BRANCH_GTE", Mode::gte}, {"BRANCH_GT", Mode::gt},
      {"BRANCH_EQ", Mode::eq},   {"BRANCH_NEQ", Mode::neq}, {"LEAF", Mode::leaf}};
  const auto found = kModes.find(name);
  if (found == kModes.end()) refuse("attribute 'nodes_modes' has '" + name + "'");
  return found->second;
}

// A list that must have `size` elements; without any, `size` times `otherwise`.
template <class T>
std::vector<T> sized(std::vector<T> list, size_t size, T otherwise, const std::string& name) {
  if (list.empty()) list.resize(size, otherwise);
  if (list.size() != size) {
    refuse("attribute '" + name + "' has " + std::to_string(list.size()) + " elements, not " + std::to_string(size));
  }
  return list;
}

using NodeKey = std::pair<int64_t, int64_t>;  // tree id, node id

// The votes of the attributes <prefix>_*, in the order of the leaves' places in `model`.
void read_votes(AttributeReader& attributes, const std::string& prefix, const std::map<NodeKey, size_t>& places,
                TreeModel& model) {
  const std::vector<int64_t> targets = attributes.integers(prefix + "_ids");
  const auto trees = sized(attributes.integers(prefix + "_treeids"), targets.size(), int64_t{0}, prefix + "_treeids");
  const auto nodes = sized(attributes.integers(prefix + "_nodeids"), targets.size(), int64_t{0}, prefix + "_nodeids");
  const auto weights = sized(read_weights(attributes, prefix + "_weights"), targets.size(), 0.0, prefix + "_weights");
  std::vector<std::pair<size_t, TreeModel::Vote>> votes;  // by place of the leaf
  for (size_t i = 0; i < targets.size(); ++i) {
    const auto place = places.find({trees[i], nodes[i]});
    if (place == places.end() || model.nodes[place->second].mode != TreeModel::Mode::leaf) {
      refuse("node " + std::to_string(nodes[i]) + " of tree " + std::to_string(trees[i]) + " votes but is no leaf");
    }
    votes.push_back({place->second, {static_cast<size_t>(targets[i]), weights[i]}});
  }
  std::stable_sort(votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [place, vote] : votes) {
    TreeModel::Node& leaf = model.nodes[place];
    if (leaf.vote_count++ == 0) leaf.first_vote = model.votes.size();
    model.votes.push_back(vote);
  }
}

}  // namespace

std::vector<double> to_doubles(const Tensor& tensor) {
  if (!kFloats.contains(tensor.dtype())) refuse("weights of " + std::string(dtype_name(tensor.dtype())) + " elements");
  std::vector<double> numbers(static_cast<size_t>(tensor.elements()));
  make_convert(tensor.dtype(), DType::float64)(tensor.data(), numbers.data(), 0, tensor.elements());
  return numbers;
}

std::vector<double> read_weights(AttributeReader& attributes, const std::string& name) {
  const std::vector<float> floats = attributes.numbers(name);
  if (attributes.version() >= 3) {
    if (const auto tensor = attributes.tensor(name + "_as_tensor")) {
      if (!floats.empty()) refuse("attributes '" + name + "' and '" + name + "_as_tensor' are both given");
      return to_doubles(*tensor);
    }
  }
  return {floats.begin(), floats.end()};
}

TreeModel read_tree_model(AttributeReader& attributes, const std::string& prefix, size_t targets) {
  TreeModel model;
  model.targets = targets;
  const std::vector<std::string> modes = attributes.strings("nodes_modes");
  const size_t count = modes.size();
  const auto ids = [&](const char* name) { return sized(attributes.integers(name), count, int64_t{0}, name); };
  const auto trees = ids("nodes_treeids");
  const auto nodes = ids("nodes_nodeids");
  const auto features = ids("nodes_featureids");
  const auto true_ids = ids("nodes_truenodeids");
  const auto false_ids = ids("nodes_falsenodeids");
  const auto missing = ids("nodes_missing_value_tracks_true");
  const auto thresholds = sized(read_weights(attributes, "nodes_values"), count, 0.0, "nodes_values");
  attributes.ignore("nodes_hitrates");
  if (attributes.version() >= 3) attributes.ignore("nodes_hitrates_as_tensor");
  std::map<NodeKey, size_t> places;
  for (size_t i = 0; i < count; ++i) {
    if (places.emplace(NodeKey{trees[i], nodes[i]}, i).second) continue;
    refuse("node " + std::to_string(nodes[i]) + " of tree " + std::to_string(trees[i]) + " is there twice");
  }
  std::vector<bool> is_child(count);
  const auto child = [&](size_t parent, int64_t id) {
    const auto found = places.find({trees[parent], id});
    if (found == places.end()) {
      refuse("tree " + std::to_string(trees[parent]) + " has no node " + std::to_string(id));
    }
    is_child[found->second] = true;
    return found->second;
  };
  for (size_t i = 0; i < count; ++i) {
    const TreeModel::Mode mode = read_mode(modes[i]);
    model.nodes.push_back(
        {.mode = mode, .feature = features[i], .threshold = thresholds[i], .missing_is_true = missing[i] != 0});
    if (mode == TreeModel::Mode::leaf) continue;
    model.nodes[i].true_child = child(i, true_ids[i]);
    model.nodes[i].false_child = child(i, false_ids[i]);
  }
  for (size_t i = 0; i < count; ++i) {
    if (!is_child[i]) model.roots.push_back(i);
  }
  read_votes(attributes, prefix, places, model);
  return model;
}

TreePredictor::TreePredictor(TreeModel model, Aggregate aggregate) : model_(std::move(model)), aggregate_(aggregate) {
  model_.check();
  for (const TreeModel::Node& node : model_.nodes) {
    is_narrow_ =
        is_narrow_ && is_float32(node.threshold) && std::all_of(node.members.begin(), node.members.end(), is_float32);
  }
}

Dim TreePredictor::infer(InferContext& context) const {
  const FeatureShape shape = feature_shape(context);
  if (shape.columns.is_number() && shape.columns.number() < model_.features()) {
    context.fail("the input has " + shape.columns.to_string() + " features, the trees ask for " +
                 std::to_string(model_.features()));
  }
  return shape.rows;
}

void TreePredictor::plan(PlanContext& context, Finish finish) const {
  const DType dtype = context.input(0).dtype;
  if (is_narrow_ && (dtype == DType::float32 || dtype == DType::float16)) {
    std::call_once(made_narrow_, [&] { narrow_ = std::make_unique<TreeEnsemble<float>>(model_, aggregate_); });
    plan_as(context, *narrow_, std::move(finish));
  } else {
    std::call_once(made_wide_, [&] { wide_ = std::make_unique<TreeEnsemble<double>>(model_, aggregate_); });
    plan_as(context, *wide_, std::move(finish));
  }
}

template <class T>
void TreePredictor::plan_as(PlanContext& context, const TreeEnsemble<T>& trees, Finish finish) const {
  const TensorType& input = context.input(0);
  const int64_t rows = input.shape.rank() == 1 ? 1 : input.shape[0];
  const int64_t columns = input.shape.back();
  const size_t targets = model_.targets;
  const bool converts = input.dtype != kDTypeOf<T>;
  const auto width = static_cast<int64_t>(byte_size(input.dtype, 1));
  const auto convert = converts ? make_convert(input.dtype, kDTypeOf<T>) : Convert();
  // A tile goes through all trees: many rows, so that each tree is brought into the cache seldom.
  constexpr int64_t kTogether = TreeEnsemble<T>::kLanes;
  const int64_t block = std::clamp<int64_t>(ceil_div(rows, 8 * kTogether) * kTogether, kTogether, 256);
  // One more than needed: a tree that is a leaf reads feature 0 even where there is none.
  const size_t converted = context.scratch(static_cast<size_t>(converts ? block * columns + 1 : 1) * sizeof(T));
  const size_t scores_at = context.scratch(static_cast<size_t>(block) * targets * sizeof(double));
  const size_t voted_at = context.scratch(static_cast<size_t>(block) * targets);
  context.phase(ceil_div(rows, block), trees.nanoseconds_per_row() * static_cast<double>(std::min(block, rows)),
                [=, &trees, finish = std::move(finish)](const TileContext& tile) {
                  auto* scores = reinterpret_cast<double*>(tile.scratch + scores_at);
                  auto* voted = reinterpret_cast<uint8_t*>(tile.scratch + voted_at);
                  auto* copy = reinterpret_cast<T*>(tile.scratch + converted);
                  const int64_t first = tile.tile * block;
                  const int64_t n = std::min(block, rows - first);
                  const T* src = copy;
                  if (converts) {
                    convert(tile.input<std::byte>(0) + first * columns * width, copy, 0, n * columns);
                  } else if (columns > 0) {
                    src = tile.input<T>(0) + first * columns;
                  }
                  trees.evaluate(src, static_cast<size_t>(n), static_cast<size_t>(columns), scores, voted);
                  for (int64_t k = 0; k < n; ++k) {
                    const size_t at = static_cast<size_t>(k) * targets;
                    finish(tile, first + k, {scores + at, targets}, voted + at);
                  }
                });
}

}  // namespace onnxrun::ops
