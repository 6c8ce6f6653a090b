#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "graph/operator.h"

namespace onnxrun::ops {

// Decision trees as a model describes them: the nodes of all trees in one list, children by position in it.
struct TreeModel {
  enum class Mode : uint8_t { leq, lt, gte, gt, eq, neq, member, leaf };

  struct Node {
    Mode mode = Mode::leaf;
    int64_t feature = 0;
    double threshold = 0;
    bool missing_is_true = false;  // the branch that NaN takes; it is never compared
    size_t true_child = 0;
    size_t false_child = 0;
    std::vector<double> members = {};  // of a set membership test
    size_t first_vote = 0;             // of a leaf
    size_t vote_count = 0;
  };
  // What a leaf adds to a target.
  struct Vote {
    size_t target = 0;
    double weight = 0;
  };

  std::vector<Node> nodes;
  std::vector<Vote> votes;
  std::vector<size_t> roots;
  size_t targets = 0;

  // \throws Error(invalid_model) where there is no such child, feature or target, or a node has two parents.
  void check() const;
  // Features that a row must have at least.
  int64_t features() const;
};

enum class Aggregate : uint8_t { average, sum, min, max };

// Trees in the form that rows of T are sent through: siblings side by side, and comparisons made sign * x > threshold,
// which NaN never is, so that a step is a few loads, a comparison and an addition; many walks at a time hide the
// loads.
template <class T>
class TreeEnsemble {
 public:
  static constexpr size_t kLanes = 16;  // walks at a time

  TreeEnsemble(const TreeModel& model, Aggregate aggregate);

  // Sends `rows`, [n, features], through all trees. scores, [n, targets], becomes the aggregated votes, added up in the
  // order of the trees; voted, [n, targets], tells where there were any.
  void evaluate(const T* rows, size_t n, size_t features, double* scores, uint8_t* voted) const;

  // A rough time for one row.
  double nanoseconds_per_row() const { return static_cast<double>(steps_) + 30; }

 private:
  static constexpr uint32_t kSpecial = uint32_t{1} << 31;  // bit of Node::feature: special_ tells how to compare

  struct Node {
    T threshold;       // on to child + 1 where sign * x > threshold, to `child` otherwise
    T sign;            // 1 or -1
    uint32_t feature;  // and a flag
    uint32_t child;    // of a leaf: itself
  };
  struct Leaf {
    size_t first_vote = 0;
    size_t vote_count = 0;
  };
  struct Tree {
    uint32_t root = 0;
    uint32_t depth = 0;  // steps from the root to the deepest leaf
  };

  void lay_out(const TreeModel& model, size_t root);
  bool compare_like(const TreeModel::Node& node, size_t at);
  template <bool has_specials>
  uint32_t next(const Node* nodes, uint32_t at, const T* row) const;
  template <bool has_specials>
  void walk(std::array<uint32_t, kLanes>& at, const std::array<const T*, kLanes>& rows, size_t depth) const;
  template <bool has_specials>
  void evaluate_all(const T* rows, size_t n, size_t features, double* scores, uint8_t* voted) const;
  void vote(uint32_t leaf, double* scores, uint8_t* voted) const;

  Aggregate aggregate_;
  size_t targets_;
  size_t steps_ = 0;  // through all trees
  std::vector<Node> nodes_;
  std::vector<uint32_t> index_;  // of each node: of a leaf into leaves_, of a special one into special_
  std::vector<Tree> trees_;
  std::vector<Leaf> leaves_;
  std::vector<TreeModel::Node> special_;
  std::vector<TreeModel::Vote> votes_;
};

// A tree model and the forms of it that runs need, each made when it is first asked for. Thread-safe.
class TreePredictor {
 public:
  // \throws Error(invalid_model).
  TreePredictor(TreeModel model, Aggregate aggregate);

  const TreeModel& model() const { return model_; }

  // The shape rule for input 0; returns the number of rows.
  Dim infer(InferContext& context) const;

  // Plans evaluating the rows of input 0 in any number type, compared without rounding.
  // finish(tile, row, scores, voted) makes the outputs of one row of them.
  using Finish = std::function<void(const TileContext&, int64_t row, std::span<double> scores, const uint8_t* voted)>;
  void plan(PlanContext& context, Finish finish) const;

 private:
  template <class T>
  void plan_as(PlanContext& context, const TreeEnsemble<T>& trees, Finish finish) const;

  TreeModel model_;
  Aggregate aggregate_;
  bool is_narrow_ = true;  // every threshold is a float32
  mutable std::once_flag made_narrow_, made_wide_;
  mutable std::unique_ptr<const TreeEnsemble<float>> narrow_;
  mutable std::unique_ptr<const TreeEnsemble<double>> wide_;
};

// Reads the attributes nodes_* of TreeEnsembleClassifier and TreeEnsembleRegressor with the votes <prefix>_*, for
// `targets` targets. \throws Error(invalid_model).
TreeModel read_tree_model(AttributeReader& attributes, const std::string& prefix, size_t targets);

// An attribute that is a list of floats or, since version 3 under the name with _as_tensor behind it, a float tensor.
std::vector<double> read_weights(AttributeReader& attributes, const std::string& name);
// The elements of a float tensor. \throws Error(invalid_model) for another.
std::vector<double> to_doubles(const Tensor& tensor);

}  // namespace onnxrun::ops
