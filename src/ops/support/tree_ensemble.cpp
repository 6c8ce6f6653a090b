#include "ops/support/tree_ensemble.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/attribute.h"
#include "onnxrun/error.h"

namespace onnxrun::ops {
namespace {

using Mode = TreeModel::Mode;

constexpr int64_t kMaxFeatures = int64_t{1} << 30;

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::invalid_model, message); }

// The comparison of a node as x <= threshold, or as x being one of `members`.
template <class T>
struct Comparison {
  T threshold = std::numeric_limits<T>::quiet_NaN();  // never
  bool is_turned = false;                             // it is true where the node's own is false
  bool is_special = false;
  std::vector<T> members = {};
};

template <class T>
Comparison<T> normalize(const TreeModel::Node& node) {
  const T threshold = static_cast<T>(node.threshold);
  constexpr T kLowest = -std::numeric_limits<T>::infinity();
  const T below = threshold == kLowest ? std::numeric_limits<T>::quiet_NaN() : std::nextafter(threshold, kLowest);
  switch (node.mode) {
    case Mode::leq:
      return {threshold};
    case Mode::lt:
      return {below};
    case Mode::gte:
      return {below, !std::isnan(threshold)};
    case Mode::gt:
      return {threshold, !std::isnan(threshold)};
    case Mode::eq:
    case Mode::neq:
      return {threshold, node.mode == Mode::neq, true, {threshold}};
    default:
      return {threshold, false, true, std::vector<T>(node.members.begin(), node.members.end())};
  }
}

}  // namespace

void TreeModel::check() const {
  if (nodes.size() >= std::numeric_limits<uint32_t>::max() / 2) refuse("the trees have too many nodes");
  std::vector<bool> reached(nodes.size());
  const auto reach = [&](size_t node) {
    if (node >= nodes.size()) refuse("the trees have no node " + std::to_string(static_cast<int64_t>(node)));
    if (reached[node]) refuse("node " + std::to_string(node) + " of the trees has two parents");
    reached[node] = true;
  };
  std::for_each(roots.begin(), roots.end(), reach);
  for (const Node& node : nodes) {
    if (node.mode == Mode::leaf) continue;
    reach(node.true_child);
    reach(node.false_child);
    if (node.feature >= 0 && node.feature < kMaxFeatures) continue;
    refuse("the trees ask for feature " + std::to_string(node.feature));
  }
  for (const Vote& vote : votes) {
    if (vote.target < targets) continue;
    refuse("a leaf votes for target " + std::to_string(static_cast<int64_t>(vote.target)) + " of " +
           std::to_string(targets));
  }
}

int64_t TreeModel::features() const {
  int64_t features = 0;
  for (const Node& node : nodes) {
    if (node.mode != Mode::leaf) features = std::max(features, node.feature + 1);
  }
  return features;
}

template <class T>
TreeEnsemble<T>::TreeEnsemble(const TreeModel& model, Aggregate aggregate)
    : aggregate_(aggregate), targets_(model.targets), votes_(model.votes) {
  nodes_.reserve(model.nodes.size());
  for (const size_t root : model.roots) depth_ = std::max(depth_, lay_out(model, root));
}

// Breadth first, so that the first steps of all rows meet in a few lines of the cache. Returns the depth.
template <class T>
size_t TreeEnsemble<T>::lay_out(const TreeModel& model, size_t root) {
  roots_.push_back(static_cast<uint32_t>(nodes_.size()));
  nodes_.emplace_back();
  std::vector<std::pair<size_t, size_t>> level = {{root, nodes_.size() - 1}};  // node of the model, node here
  size_t depth = 0;
  for (; !level.empty(); ++depth) {
    std::vector<std::pair<size_t, size_t>> next;
    for (const auto& [from, at] : level) {
      const TreeModel::Node& node = model.nodes[from];
      if (node.mode == Mode::leaf) {
        nodes_[at] = {std::numeric_limits<T>::infinity(), kMissingIsTrue, static_cast<uint32_t>(at),
                      static_cast<uint32_t>(leaves_.size())};
        leaves_.push_back({node.first_vote, node.vote_count});
        continue;
      }
      Comparison<T> comparison = normalize<T>(node);
      auto feature = static_cast<uint32_t>(node.feature);
      if (node.missing_is_true != comparison.is_turned) feature |= kMissingIsTrue;
      if (comparison.is_special) feature |= kSpecial;
      const size_t child = nodes_.size();
      nodes_[at] = {comparison.threshold, feature, static_cast<uint32_t>(child),
                    static_cast<uint32_t>(members_.size())};
      if (comparison.is_special) members_.push_back(std::move(comparison.members));
      nodes_.resize(child + 2);
      next.emplace_back(node.true_child, comparison.is_turned ? child + 1 : child);
      next.emplace_back(node.false_child, comparison.is_turned ? child : child + 1);
    }
    level = std::move(next);
  }
  return depth;
}

template <class T>
bool TreeEnsemble<T>::is_true(const Node& node, T x) const {
  const bool missing = (x != x) & ((node.feature & kMissingIsTrue) != 0);
  if ((node.feature & kSpecial) == 0) return (x <= node.threshold) | missing;
  const std::vector<T>& members = members_[node.index];
  return missing || std::find(members.begin(), members.end(), x) != members.end();
}

template <class T>
template <bool has_specials>
void TreeEnsemble<T>::walk_all(std::array<uint32_t, kLanes>& at, const std::array<const T*, kLanes>& rows) const {
  const Node* nodes = nodes_.data();
  // Copies, which nothing that is read can overlap.
  std::array<uint32_t, kLanes> lanes = at;
  const std::array<const T*, kLanes> features = rows;
  uint32_t moved = 1;
  while (moved != 0) {
    moved = 0;
    for (size_t k = 0; k < kLanes; ++k) {
      const Node& node = nodes[lanes[k]];
      const T x = features[k][node.feature & ~(kMissingIsTrue | kSpecial)];
      uint32_t is_false = 0;
      if constexpr (has_specials) {
        is_false = is_true(node, x) ? 0 : 1;
      } else {
        // Without a branch, which would be mispredicted half of the time.
        const auto is_missing = static_cast<uint32_t>(x != x);
        is_false = static_cast<uint32_t>(!(x <= node.threshold)) & ~(is_missing & (node.feature >> 31));
      }
      const uint32_t next = node.child + is_false;
      moved |= next ^ lanes[k];
      lanes[k] = next;
    }
  }
  at = lanes;
}

template <class T>
void TreeEnsemble<T>::walk(std::array<uint32_t, kLanes>& at, const std::array<const T*, kLanes>& rows) const {
  if (members_.empty()) {
    walk_all<false>(at, rows);
  } else {
    walk_all<true>(at, rows);
  }
}

template <class T>
void TreeEnsemble<T>::vote(const Node& leaf, double* scores, uint8_t* voted) const {
  const Leaf& range = leaves_[leaf.index];
  for (size_t i = range.first_vote; i < range.first_vote + range.vote_count; ++i) {
    const auto& [target, weight] = votes_[i];
    double& score = scores[target];
    if (aggregate_ == Aggregate::sum || aggregate_ == Aggregate::average) {
      score += weight;
    } else if (voted[target] == 0 || (aggregate_ == Aggregate::min ? weight < score : weight > score)) {
      score = weight;
    }
    voted[target] = 1;
  }
}

template <class T>
void TreeEnsemble<T>::evaluate(const T* rows, size_t n, size_t features, double* scores, uint8_t* voted) const {
  std::fill_n(scores, n * targets_, 0.0);
  std::fill_n(voted, n * targets_, uint8_t{0});
  std::array<uint32_t, kLanes> at;
  std::array<const T*, kLanes> lanes;
  // Eight rows through one tree; the rows that are left each through eight trees.
  const size_t grouped = n / kLanes * kLanes;
  for (const uint32_t root : roots_) {
    for (size_t i = 0; i < grouped; i += kLanes) {
      at.fill(root);
      for (size_t k = 0; k < kLanes; ++k) lanes[k] = rows + (i + k) * features;
      walk(at, lanes);
      for (size_t k = 0; k < kLanes; ++k) {
        vote(nodes_[at[k]], scores + (i + k) * targets_, voted + (i + k) * targets_);
      }
    }
  }
  for (size_t i = grouped; i < n; ++i) {
    lanes.fill(rows + i * features);
    for (size_t tree = 0; tree < roots_.size(); tree += kLanes) {
      const size_t count = std::min(kLanes, roots_.size() - tree);
      for (size_t k = 0; k < kLanes; ++k) at[k] = roots_[tree + std::min(k, count - 1)];
      walk(at, lanes);
      for (size_t k = 0; k < count; ++k) vote(nodes_[at[k]], scores + i * targets_, voted + i * targets_);
    }
  }
  if (aggregate_ != Aggregate::average) return;
  for (size_t i = 0; i < n * targets_; ++i) scores[i] /= static_cast<double>(roots_.size());
}

template class TreeEnsemble<float>;
template class TreeEnsemble<double>;

}  // namespace onnxrun::ops
