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

// Whether a node that no other form fits sends x to its true child.
template <class T>
bool is_true(const TreeModel::Node& node, T x) {
  if (std::isnan(x)) return node.missing_is_true;
  const auto value = static_cast<double>(x);
  switch (node.mode) {
    case Mode::leq:
      return value <= node.threshold;
    case Mode::lt:
      return value < node.threshold;
    case Mode::gte:
      return value >= node.threshold;
    case Mode::gt:
      return value > node.threshold;
    case Mode::eq:
      return value == node.threshold;
    case Mode::neq:
      return value != node.threshold;
    default:
      return std::find(node.members.begin(), node.members.end(), value) != node.members.end();
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
  nodes_.reserve(model.nodes.size() + model.roots.size());
  for (const size_t root : model.roots) {
    lay_out(model, root);
    steps_ += trees_.back().depth;
  }
}

// Siblings share a line of the cache, and more often than not with the children of the first.
template <class T>
void TreeEnsemble<T>::lay_out(const TreeModel& model, size_t root) {
  const auto add_pair = [this] {
    const size_t first = nodes_.size();
    nodes_.resize(first + 2);
    index_.resize(first + 2);
    return first;
  };
  struct Place {
    size_t from, at;  // in the model and here
    uint32_t depth;
  };
  Tree& tree = trees_.emplace_back(Tree{static_cast<uint32_t>(add_pair())});
  std::vector<Place> places = {{root, tree.root, 0}};
  while (!places.empty()) {
    const Place place = places.back();
    places.pop_back();
    tree.depth = std::max(tree.depth, place.depth);
    const TreeModel::Node& node = model.nodes[place.from];
    if (node.mode == Mode::leaf) {
      nodes_[place.at] = {std::numeric_limits<T>::infinity(), 1, 0, static_cast<uint32_t>(place.at)};
      index_[place.at] = static_cast<uint32_t>(leaves_.size());
      leaves_.push_back({node.first_vote, node.vote_count});
      continue;
    }
    const bool true_is_first = compare_like(node, place.at);
    const size_t child = add_pair();
    nodes_[place.at].child = static_cast<uint32_t>(child);
    places.push_back({true_is_first ? node.false_child : node.true_child, child + 1, place.depth + 1});
    places.push_back({true_is_first ? node.true_child : node.false_child, child, place.depth + 1});
  }
}

// Makes node `at` compare as that of the model does. Returns whether its first child is the one where that is true.
template <class T>
bool TreeEnsemble<T>::compare_like(const TreeModel::Node& node, size_t at) {
  constexpr T kLowest = -std::numeric_limits<T>::infinity();
  const auto threshold = static_cast<T>(node.threshold);
  const auto feature = static_cast<uint32_t>(node.feature);
  const bool is_less = node.mode == Mode::leq || node.mode == Mode::lt;
  const bool is_greater = node.mode == Mode::gte || node.mode == Mode::gt;
  // x > upper or, with the other sign, x < lower, where `node` compares with a threshold in between; NaN goes first.
  const bool excludes = node.mode == Mode::lt || node.mode == Mode::gte;
  const bool goes_up = node.missing_is_true == is_less;  // to the second child where x is large
  const T border = goes_up ? threshold : -threshold;
  const bool is_second_at_threshold = goes_up == excludes;
  if ((!is_less && !is_greater) || !std::isfinite(threshold)) {
    nodes_[at] = {0, 1, feature | kSpecial, 0};
    index_[at] = static_cast<uint32_t>(special_.size());
    special_.push_back(node);
    return true;
  }
  nodes_[at] = {is_second_at_threshold ? std::nextafter(border, kLowest) : border, goes_up ? T{1} : T{-1}, feature, 0};
  return goes_up == is_less;
}

template <class T>
template <bool has_specials>
uint32_t TreeEnsemble<T>::next(const Node* nodes, uint32_t at, const T* row) const {
  const Node& node = nodes[at];
  if constexpr (has_specials) {
    if ((node.feature & kSpecial) != 0) {
      return node.child + (is_true(special_[index_[at]], row[node.feature & ~kSpecial]) ? 0 : 1);
    }
  }
  // Without a branch, which would be mispredicted half of the time.
  return node.child + static_cast<uint32_t>(node.sign * row[node.feature] > node.threshold);
}

template <class T>
template <bool has_specials>
void TreeEnsemble<T>::walk(std::array<uint32_t, kLanes>& at, const std::array<const T*, kLanes>& rows,
                           size_t depth) const {
  constexpr size_t kSteps = 6;  // before a look whether all have arrived
  const Node* nodes = nodes_.data();
  // Copies, which nothing that is read can overlap.
  std::array<uint32_t, kLanes> lanes = at;
  const std::array<const T*, kLanes> features = rows;
  bool moves = true;
  for (size_t left = depth; moves && left > 0;) {
    const size_t steps = std::min(left, kSteps);
    for (size_t i = 0; i < steps; ++i) {
#pragma GCC unroll kLanes
      for (size_t k = 0; k < kLanes; ++k) lanes[k] = next<has_specials>(nodes, lanes[k], features[k]);
    }
    left -= steps;
    moves = left > 0 && std::any_of(lanes.begin(), lanes.end(), [=](uint32_t i) { return nodes[i].child != i; });
  }
  at = lanes;
}

template <class T>
void TreeEnsemble<T>::vote(uint32_t leaf, double* scores, uint8_t* voted) const {
  const Leaf& range = leaves_[index_[leaf]];
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
template <bool has_specials>
void TreeEnsemble<T>::evaluate_all(const T* rows, size_t n, size_t features, double* scores, uint8_t* voted) const {
  std::array<uint32_t, kLanes> at;
  std::array<const T*, kLanes> lanes;
  // Many rows through one tree. The rows that are left too, unless there are fewer walks if each goes through many.
  const size_t left = n % kLanes;
  const size_t grouped = trees_.size() <= left * ((trees_.size() + kLanes - 1) / kLanes) ? n : n - left;
  for (const Tree& tree : trees_) {
    for (size_t i = 0; i < grouped; i += kLanes) {
      const size_t count = std::min(kLanes, grouped - i);
      at.fill(tree.root);
      for (size_t k = 0; k < kLanes; ++k) lanes[k] = rows + (i + std::min(k, count - 1)) * features;
      walk<has_specials>(at, lanes, tree.depth);
      for (size_t k = 0; k < count; ++k) vote(at[k], scores + (i + k) * targets_, voted + (i + k) * targets_);
    }
  }
  for (size_t i = grouped; i < n; ++i) {
    lanes.fill(rows + i * features);
    for (size_t first = 0; first < trees_.size(); first += kLanes) {
      const size_t count = std::min(kLanes, trees_.size() - first);
      uint32_t depth = 0;
      for (size_t k = 0; k < kLanes; ++k) {
        const Tree& tree = trees_[first + std::min(k, count - 1)];
        at[k] = tree.root;
        depth = std::max(depth, tree.depth);
      }
      walk<has_specials>(at, lanes, depth);
      for (size_t k = 0; k < count; ++k) vote(at[k], scores + i * targets_, voted + i * targets_);
    }
  }
}

template <class T>
void TreeEnsemble<T>::evaluate(const T* rows, size_t n, size_t features, double* scores, uint8_t* voted) const {
  std::fill_n(scores, n * targets_, 0.0);
  std::fill_n(voted, n * targets_, uint8_t{0});
  if (special_.empty()) {
    evaluate_all<false>(rows, n, features, scores, voted);
  } else {
    evaluate_all<true>(rows, n, features, scores, voted);
  }
  if (aggregate_ != Aggregate::average) return;
  for (size_t i = 0; i < n * targets_; ++i) scores[i] /= static_cast<double>(trees_.size());
}

template class TreeEnsemble<float>;
template class TreeEnsemble<double>;

}  // namespace onnxrun::ops
