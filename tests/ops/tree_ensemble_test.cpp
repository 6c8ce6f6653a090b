#include "ops/support/tree_ensemble.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

using Floats = std::vector<float>;
using Integers = std::vector<int64_t>;
using Strings = std::vector<std::string>;

const std::string kDomain = "ai.onnx.ml";
const double kNan = std::nan("");

// One tree: feature 0 against `threshold`, then votes of `prefix` at its two leaves.
ModelBuilder::Attributes stump(const std::string& prefix, const std::string& mode, float threshold, int64_t missing,
                               const Integers& targets, const Floats& weights) {
  return {{"nodes_treeids", Integers{0, 0, 0}},
          {"nodes_nodeids", Integers{0, 1, 2}},
          {"nodes_featureids", Integers{0, 0, 0}},
          {"nodes_modes", Strings{mode, "LEAF", "LEAF"}},
          {"nodes_values", Floats{threshold, 0, 0}},
          {"nodes_truenodeids", Integers{1, 0, 0}},
          {"nodes_falsenodeids", Integers{2, 0, 0}},
          {"nodes_missing_value_tracks_true", Integers{missing, 0, 0}},
          {prefix + "_treeids", Integers{0, 0}},
          {prefix + "_nodeids", Integers{1, 2}},
          {prefix + "_ids", targets},
          {prefix + "_weights", weights}};
}

OpCase tree(const std::string& op, const Tensor& x, std::vector<Value> outputs, ModelBuilder::Attributes attributes,
            const ModelBuilder::Attributes& more = {}, int64_t opset = 3) {
  attributes.insert(attributes.end(), more.begin(), more.end());
  return {.op = op,
          .inputs = {x},
          .outputs = std::move(outputs),
          .attributes = std::move(attributes),
          .opset = opset,
          .relative = 1e-6,
          .domain = kDomain};
}

TEST(TreeEnsembleRegressor, ComparesInEveryMode) {
  struct Mode {
    std::string name;
    std::vector<double> results;  // for 1, 1.5, 2
  };
  const Mode modes[] = {{"BRANCH_LEQ", {1, 1, 0}}, {"BRANCH_LT", {1, 0, 0}}, {"BRANCH_GTE", {0, 1, 1}},
                        {"BRANCH_GT", {0, 0, 1}},  {"BRANCH_EQ", {0, 1, 0}}, {"BRANCH_NEQ", {1, 0, 1}}};
  for (const Mode& mode : modes) {
    for (const int64_t missing : {0, 1}) {
      std::vector<double> expected = mode.results;
      expected.push_back(static_cast<double>(missing));
      for (const DType dtype : {DType::float32, DType::float64}) {
        expect_op(tree("TreeEnsembleRegressor", numbers(dtype, {4, 1}, {1, 1.5, 2, kNan}),
                       {numbers(DType::float32, {4, 1}, expected)},
                       stump("target", mode.name, 1.5F, missing, {0, 0}, {1, 0})));
      }
    }
  }
}

TEST(TreeEnsembleRegressor, ComparesWithoutRounding) {
  // 16777217 is no float32, 0.1 as a double is not 0.1F.
  for (const DType dtype : {DType::int32, DType::int64}) {
    expect_op(tree("TreeEnsembleRegressor", numbers(dtype, {2, 1}, {16777216, 16777217}), {floats({2, 1}, {1, 0})},
                   stump("target", "BRANCH_LEQ", 16777216.0F, 0, {0, 0}, {1, 0})));
  }
  ModelBuilder::Attributes attributes = stump("target", "BRANCH_LEQ", 0, 0, {0, 0}, {});
  attributes[4] = {"nodes_values_as_tensor", numbers(DType::float64, {3}, {0.1, 0, 0})};
  attributes.back() = {"target_weights_as_tensor", numbers(DType::float64, {2}, {1, 0})};
  expect_op(tree("TreeEnsembleRegressor", numbers(DType::float32, {1, 1}, {0.1}), {floats({1, 1}, {0})}, attributes));
  expect_op(tree("TreeEnsembleRegressor", numbers(DType::float64, {1, 1}, {0.1}), {floats({1, 1}, {1})}, attributes));
}

TEST(TreeEnsembleRegressor, AggregatesAndTransforms) {
  // Two stumps on features 0 and 1; the second leaf of each votes for target 1.
  const ModelBuilder::Attributes attributes = {
      {"nodes_treeids", Integers{4, 4, 4, 2, 2, 2}},
      {"nodes_nodeids", Integers{0, 1, 2, 9, 8, 7}},
      {"nodes_featureids", Integers{0, 0, 0, 1, 0, 0}},
      {"nodes_modes", Strings{"BRANCH_LEQ", "LEAF", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF"}},
      {"nodes_values", Floats{0, 0, 0, 0, 0, 0}},
      {"nodes_truenodeids", Integers{1, 0, 0, 8, 0, 0}},
      {"nodes_falsenodeids", Integers{2, 0, 0, 7, 0, 0}},
      {"target_treeids", Integers{2, 2, 4, 4}},
      {"target_nodeids", Integers{8, 7, 1, 2}},
      {"target_ids", Integers{0, 1, 0, 1}},
      {"target_weights", Floats{3, 5, 1, -2}},
      {"n_targets", int64_t{2}},
      {"base_values", Floats{10, 20}}};
  const Tensor x = floats({4, 2}, {-1, -1, -1, 1, 1, -1, 1, 1});
  const auto aggregate = [&](const std::string& function, const std::vector<double>& expected) {
    for (const int64_t opset : {1, 3, 5}) {
      expect_op(tree("TreeEnsembleRegressor", x, {numbers(DType::float32, {4, 2}, expected)}, attributes,
                     {{"aggregate_function", function}}, opset));
    }
  };
  aggregate("SUM", {14, 20, 11, 25, 13, 18, 10, 23});
  aggregate("AVERAGE", {12, 20, 10.5, 22.5, 11.5, 19, 10, 21.5});
  aggregate("MIN", {11, 20, 11, 25, 13, 18, 10, 18});
  aggregate("MAX", {13, 20, 11, 25, 13, 18, 10, 25});
  const double p = 1 / (1 + std::exp(-6.0));
  expect_op(tree("TreeEnsembleRegressor", floats({2}, {-1, -1}), {numbers(DType::float32, {1, 2}, {1 - p, p})},
                 attributes, {{"post_transform", std::string("SOFTMAX")}}));
  expect_op(tree("TreeEnsembleRegressor", floats({0, 2}, {}), {floats({0, 2}, {})}, attributes));
}

TEST(TreeEnsembleClassifier, ChoosesAmongVotedClasses) {
  const Tensor x = floats({2, 1}, {0, 1});
  const ModelBuilder::Attributes labels = {{"classlabels_strings", Strings{"a", "b", "c"}}};
  for (const int64_t opset : {1, 3, 5}) {
    expect_op(tree("TreeEnsembleClassifier", x, {strings({2}, {"b", "c"}), floats({2, 3}, {0, -1, 0, 0, 0, -2})},
                   stump("class", "BRANCH_LEQ", 0.5F, 0, {1, 2}, {-1, -2}), labels, opset));
  }
  ModelBuilder::Attributes based = labels;
  based.emplace_back("base_values", Floats{0.5F, 0, 0});
  for (const DType dtype : {DType::float64, DType::int32, DType::int64}) {
    expect_op(tree("TreeEnsembleClassifier", numbers(dtype, {2, 1}, {0, 1}),
                   {strings({2}, {"a", "a"}), floats({2, 3}, {0.5F, -1, 0, 0.5F, 0, -2})},
                   stump("class", "BRANCH_LEQ", 0.5F, 0, {1, 2}, {-1, -2}), based));
  }
  expect_op(tree("TreeEnsembleClassifier", x, {integers({2}, {5, 7}), floats({2, 2}, {0.25F, 0, 0, 0.5F})},
                 stump("class", "BRANCH_LEQ", 0.5F, 0, {0, 1}, {0.25F, 0.5F}),
                 {{"classlabels_int64s", Integers{5, 7}}}));
}

TEST(TreeEnsembleClassifier, DecidesByASingleScore) {
  const Tensor x = floats({2, 1}, {0, 1});
  const auto logistic = [](double v) { return 1 / (1 + std::exp(-v)); };
  const auto binary = [&](const Floats& weights, int64_t target, const std::vector<int64_t>& labels,
                          const std::vector<double>& scores, const std::string& transform) {
    expect_op(tree("TreeEnsembleClassifier", x, {integers({2}, labels), numbers(DType::float32, {2, 2}, scores)},
                   stump("class", "BRANCH_LEQ", 0.5F, 0, {target, target}, weights),
                   {{"classlabels_int64s", Integers{5, 7}}, {"post_transform", transform}}));
  };
  binary({0.25F, 0.75F}, 0, {5, 7}, {0.75, 0.25, 0.25, 0.75}, "NONE");
  binary({-0.25F, 0.25F}, 0, {5, 7}, {0.25, -0.25, -0.25, 0.25}, "NONE");
  binary({0.25F, 0.75F}, 1, {5, 7}, {0, 0.25, 0, 0.75}, "NONE");
  binary({-0.25F, 0.25F}, 0, {5, 7}, {logistic(0.25), logistic(-0.25), logistic(-0.25), logistic(0.25)}, "LOGISTIC");
  expect_op(tree("TreeEnsembleClassifier", x, {integers({2}, {7, 7}), floats({2, 2}, {0.25F, 0.75F, -0.25F, 1.25F})},
                 stump("class", "BRANCH_LEQ", 0.5F, 0, {0, 0}, {0.25F, 0.75F}),
                 {{"classlabels_int64s", Integers{5, 7}}, {"base_values", Floats{0.5F}}}));
}

TEST(TreeEnsemble, TestsMembership) {
  // The specification's example.
  const ModelBuilder::Attributes attributes = {
      {"n_targets", int64_t{4}},
      {"membership_values", numbers(DType::float32, {8}, {1.2, 3.7, 8, 9, kNan, 12, 7, kNan})},
      {"tree_roots", Integers{0}},
      {"nodes_modes", numbers(DType::uint8, {3}, {0, 6, 6})},
      {"nodes_featureids", Integers{0, 0, 0}},
      {"nodes_splits", numbers(DType::float32, {3}, {11, 232344, kNan})},
      {"nodes_trueleafs", Integers{0, 1, 1}},
      {"nodes_truenodeids", Integers{1, 0, 1}},
      {"nodes_falseleafs", Integers{1, 0, 1}},
      {"nodes_falsenodeids", Integers{2, 2, 3}},
      {"leaf_targetids", Integers{0, 1, 2, 3}},
      {"leaf_weights", numbers(DType::float32, {4}, {1, 10, 1000, 100})}};
  expect_op(tree("TreeEnsemble", numbers(DType::float32, {6, 1}, {1.2, 3.4, -0.12, kNan, 12, 7}),
                 {floats({6, 4}, {1, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 100, 0, 0, 1000, 0, 0, 0, 1000, 0, 0, 10, 0, 0})},
                 attributes, {}, 5));
}

TEST(TreeEnsemble, AggregatesInItsType) {
  // A stump and a tree that is a leaf.
  for (const DType dtype : {DType::float32, DType::float64, DType::float16}) {
    const auto attributes = [&](int64_t function) {
      return ModelBuilder::Attributes{{"n_targets", int64_t{1}},
                                      {"aggregate_function", function},
                                      {"tree_roots", Integers{0, 1}},
                                      {"nodes_modes", numbers(DType::uint8, {2}, {3, 0})},
                                      {"nodes_featureids", Integers{1, 0}},
                                      {"nodes_splits", numbers(dtype, {2}, {0.5, 0})},
                                      {"nodes_trueleafs", Integers{1, 1}},
                                      {"nodes_truenodeids", Integers{0, 2}},
                                      {"nodes_falseleafs", Integers{1, 1}},
                                      {"nodes_falsenodeids", Integers{1, 2}},
                                      {"leaf_targetids", Integers{0, 0, 0}},
                                      {"leaf_weights", numbers(dtype, {3}, {4, -1, 2})}};
    };
    const Tensor x = numbers(dtype, {2, 2}, {kNan, 1, 0, 0.5});
    const std::vector<std::vector<double>> expected = {{3, 0.5}, {6, 1}, {2, -1}, {4, 2}};
    for (int64_t function = 0; function < 4; ++function) {
      expect_op(tree("TreeEnsemble", x, {numbers(dtype, {2, 1}, expected[static_cast<size_t>(function)])},
                     attributes(function), {}, 5));
    }
  }
}

// A random tree, and the same walked node by node.
TEST(TreeEnsemble, AgreesWithAPlainWalk) {
  using Mode = ops::TreeModel::Mode;
  std::mt19937 random(5);
  const auto draw = [&](uint32_t n) { return static_cast<size_t>(random() % n); };
  ops::TreeModel model;
  model.targets = 3;
  for (size_t t = 0; t < 21; ++t) {
    std::vector<size_t> open = {model.nodes.size()};
    model.roots.push_back(open[0]);
    model.nodes.emplace_back();
    for (size_t count = draw(40); !open.empty(); open.erase(open.begin())) {
      const size_t at = open[0];
      if (count == 0 || draw(6) == 0) {
        model.nodes[at].first_vote = model.votes.size();
        model.nodes[at].vote_count = draw(3);
        for (size_t i = 0; i < model.nodes[at].vote_count; ++i) {
          model.votes.push_back({draw(3), static_cast<double>(draw(9)) - 4});
        }
        continue;
      }
      --count;
      const size_t child = model.nodes.size();
      model.nodes.resize(child + 2);
      model.nodes[at] = {.mode = static_cast<Mode>(draw(7)),
                         .feature = static_cast<int64_t>(draw(4)),
                         .threshold = static_cast<double>(draw(5)) / 2 - 1,
                         .missing_is_true = draw(2) == 0,
                         .true_child = child + 1,
                         .false_child = child,
                         .members = {0.5, -1}};
      open.push_back(child);
      open.push_back(child + 1);
    }
  }
  const auto is_true = [](const ops::TreeModel::Node& node, double x) {
    if (std::isnan(x)) return node.missing_is_true;
    switch (node.mode) {
      case Mode::leq:
        return x <= node.threshold;
      case Mode::lt:
        return x < node.threshold;
      case Mode::gte:
        return x >= node.threshold;
      case Mode::gt:
        return x > node.threshold;
      case Mode::eq:
        return x == node.threshold;
      case Mode::neq:
        return x != node.threshold;
      default:
        return x == 0.5 || x == -1;
    }
  };
  constexpr size_t kRows = 19;
  std::vector<float> rows;
  for (size_t i = 0; i < kRows * 4; ++i) {
    rows.push_back(draw(8) == 0 ? std::nanf("") : static_cast<float>(draw(5)) / 2 - 1);
  }
  std::vector<double> expected(kRows * 3);
  for (size_t row = 0; row < kRows; ++row) {
    for (size_t at : model.roots) {
      while (model.nodes[at].mode != Mode::leaf) {
        const auto& node = model.nodes[at];
        at = is_true(node, rows[row * 4 + static_cast<size_t>(node.feature)]) ? node.true_child : node.false_child;
      }
      for (size_t i = 0; i < model.nodes[at].vote_count; ++i) {
        const auto& vote = model.votes[model.nodes[at].first_vote + i];
        expected[row * 3 + vote.target] += vote.weight;
      }
    }
  }
  std::vector<double> scores(kRows * 3);
  std::vector<uint8_t> voted(kRows * 3);
  ops::TreeEnsemble<float>(model, ops::Aggregate::sum).evaluate(rows.data(), kRows, 4, scores.data(), voted.data());
  EXPECT_EQ(scores, expected);
  const std::vector<double> wide(rows.begin(), rows.end());
  ops::TreeEnsemble<double>(model, ops::Aggregate::sum).evaluate(wide.data(), kRows, 4, scores.data(), voted.data());
  EXPECT_EQ(scores, expected);
}

TEST(TreeEnsemble, RefusesBrokenTrees) {
  const Tensor x = floats({1, 1}, {1});
  const std::vector<Value> y = {floats({1, 1}, {0})};
  ModelBuilder::Attributes attributes = stump("target", "BRANCH_LEQ", 0, 0, {0, 0}, {1, 2});
  attributes[5] = {"nodes_truenodeids", Integers{5, 0, 0}};
  expect_op_error(tree("TreeEnsembleRegressor", x, y, attributes), ErrorCode::invalid_model, "tree 0 has no node 5");
  attributes[5] = {"nodes_truenodeids", Integers{2, 0, 0}};
  expect_op_error(tree("TreeEnsembleRegressor", x, y, attributes), ErrorCode::invalid_model, "two parents");
  attributes = stump("target", "BRANCH_LEQ", 0, 0, {0, 1}, {1, 2});
  expect_op_error(tree("TreeEnsembleRegressor", x, y, attributes), ErrorCode::invalid_model, "target 1 of 1");
  attributes = stump("target", "BRANCH_XYZ", 0, 0, {0, 0}, {1, 2});
  expect_op_error(tree("TreeEnsembleRegressor", x, y, attributes), ErrorCode::invalid_model, "BRANCH_XYZ");
  attributes = stump("target", "BRANCH_LEQ", 0, 0, {0, 0}, {1, 2});
  attributes[2] = {"nodes_featureids", Integers{3, 0, 0}};
  expect_op_error(tree("TreeEnsembleRegressor", x, y, attributes), ErrorCode::invalid_model,
                  "1 features, the trees ask for 4");
}

}  // namespace
}  // namespace onnxrun
