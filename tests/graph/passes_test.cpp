#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "onnxrun/session.h"
#include "support/model_builder.h"

namespace onnxrun {
namespace {

int changes(const Session& session, const std::string& pass) {
  for (const PassReport& report : session.info().passes) {
    if (report.name == pass) return report.changes;
  }
  ADD_FAILURE() << "no pass " << pass;
  return -1;
}

Session checked_session(const ModelBuilder& builder) {
  SessionOptions options;
  options.verify_passes = true;
  return Session(builder.model(), options);
}

// x.view(x.size(0), -1) as exporters write it: it resolves for a symbolic batch.
TEST(Passes, ShapeArithmeticFoldsIntoTheReshape) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"batch", "2", "3"})
      .constant("zero", integers({}, {0}))
      .constant("axis", integers({1}, {0}));
  builder.main.constant("rest", integers({1}, {-1}));
  builder.main.node("Shape", {"x"}, {"shape"}).node("Gather", {"shape", "zero"}, {"size"}, {{"axis", int64_t{0}}});
  builder.main.node("Unsqueeze", {"size", "axis"}, {"size1"})
      .node("Concat", {"size1", "rest"}, {"target"}, {{"axis", int64_t{0}}});
  builder.main.node("Reshape", {"x", "target"}, {"flat"}).node("Relu", {"flat"}, {"y"}).output("y");
  const Session session = checked_session(builder);
  EXPECT_EQ(session.outputs()[0].type.to_string(), "float32[batch,6]");
  EXPECT_EQ(session.run(std::vector<Value>{random_floats({4, 2, 3}, 1)})[0].tensor().shape(), Shape({4, 6}));
}

TEST(Passes, WhatDependsOnConstantsAloneIsFolded) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"2"}).constant("a", floats({2}, {1, 2})).constant("b", floats({2}, {3, 4}));
  builder.main.node("Mul", {"a", "b"}, {"ab"}).node("Neg", {"ab"}, {"n"}).node("Add", {"x", "n"}, {"y"}).output("y");
  const Session session = checked_session(builder);
  EXPECT_EQ(changes(session, "fold_constants"), 2);
  EXPECT_EQ(session.steps().size(), 1U);
  EXPECT_EQ(elements(session.run(std::vector<Value>{floats({2}, {10, 10})})[0]), (std::vector<float>{7, 2}));
}

TEST(Passes, DeadNodesAndNoOpsGo) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"2"}).node("Exp", {"x"}, {"unused"}).node("Identity", {"x"}, {"same"});
  builder.main.node("Dropout", {"same"}, {"kept"}).node("Relu", {"kept"}, {"y"}).output("y");
  const Session session = checked_session(builder);
  EXPECT_EQ(changes(session, "remove_dead_nodes"), 1);
  EXPECT_EQ(changes(session, "remove_no_ops"), 2);
  EXPECT_EQ(session.steps().size(), 1U);
}

// Exporters name masks, indices and last states whether or not somebody reads them.
TEST(Passes, OptionalOutputsThatNobodyReadsGo) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"1", "1", "4", "4"})
      .constant("none", floats({}, {0}))
      .constant("training", scalar(true));
  builder.main.node("Dropout", {"x", "none", "training"}, {"d", "mask"})
      .node("MaxPool", {"d"}, {"p", "indices"}, {{"kernel_shape", std::vector<int64_t>{2, 2}}})
      .node("Split", {"p"}, {"y", "rest"}, {{"axis", int64_t{2}}, {"num_outputs", int64_t{2}}})
      .output("y");
  const Session session = checked_session(builder);
  EXPECT_EQ(changes(session, "remove_no_ops"), 1);
  for (const StepInfo& step : session.steps()) {
    if (step.node.starts_with("MaxPool")) {
      EXPECT_EQ(step.outputs.size(), 1U);
    }
    if (step.node.starts_with("Split")) {
      EXPECT_EQ(step.outputs.size(), 2U);
    }
  }
  Tensor x = random_floats({1, 1, 4, 4}, 1);
  EXPECT_EQ(session.run(std::vector<Value>{x})[0].tensor().shape(), Shape({1, 1, 2, 3}));
}

TEST(Passes, ATrainingDropoutThatDropsNothingGoes) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"2"}).constant("training", scalar(true));
  builder.main.constant("none", floats({}, {0})).constant("half", floats({}, {0.5F}));
  builder.main.node("Dropout", {"x", "none", "training"}, {"same"})
      .node("Dropout", {"same", "half", "training"}, {"r"});
  builder.main.node("Relu", {"r"}, {"y"}).output("y");
  EXPECT_EQ(changes(checked_session(builder), "remove_no_ops"), 1);
}

TEST(Passes, AConstantConditionTakesItsBranch) {
  ModelBuilder::Body then_branch;
  then_branch.node("Neg", {"x"}, {"t"}).output("t");
  ModelBuilder::Body else_branch;
  else_branch.node("Exp", {"x"}, {"e"}).output("e");
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"1"}).constant("yes", scalar(true));
  builder.main.node("If", {"yes"}, {"r"}, {{"then_branch", &then_branch}, {"else_branch", &else_branch}})
      .node("Relu", {"r"}, {"y"})
      .output("y");
  const Session session = checked_session(builder);
  EXPECT_EQ(changes(session, "inline_constant_if"), 1);
  EXPECT_EQ(elements(session.run(std::vector<Value>{floats({1}, {-2})})[0]), (std::vector<float>{2}));
}

TEST(Passes, ActivationsAndResidualsJoinTheConvolution) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"batch", "8", "6", "6"}).constant("w", random_floats({8, 8, 1, 1}, 1));
  builder.main.node("Conv", {"x", "w"}, {"c"})
      .node("Add", {"c", "x"}, {"s"})
      .node("Clip", {"s", "low", "high"}, {"y"})
      .output("y");
  builder.main.constant("low", floats({}, {0})).constant("high", floats({}, {0.5F}));
  const Session session = checked_session(builder);
  EXPECT_EQ(changes(session, "fuse_activation"), 1);
  SessionOptions plain;
  plain.opt_level = 0;
  const std::vector<Value> inputs = {random_floats({2, 8, 6, 6}, 2)};
  const auto got = elements(session.run(inputs)[0]);
  const auto expected = elements(Session(builder.model(), plain).run(inputs)[0]);
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 1e-5F);
}

// What somebody else reads, or what is a graph output, must stay.
TEST(Passes, ASumThatIsReadTwiceIsNotFused) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"1", "2", "4", "4"}).constant("w", random_floats({2, 2, 1, 1}, 1));
  builder.main.node("Conv", {"x", "w"}, {"c"}).node("Relu", {"c"}, {"r"}).node("Add", {"c", "r"}, {"y"}).output("y");
  const Session twice = checked_session(builder);
  EXPECT_EQ(changes(twice, "fuse_activation"), 0);
  ModelBuilder output;
  output.main.input("x", DType::float32, {"1", "2", "4", "4"}).constant("w", random_floats({2, 2, 1, 1}, 1));
  output.main.node("Conv", {"x", "w"}, {"c"}).node("Relu", {"c"}, {"r"}).output("r").output("c");
  EXPECT_EQ(changes(checked_session(output), "fuse_activation"), 0);
}

// The node's operator in each step of the newest plan.
std::vector<std::string> operators_of(const Session& session) {
  std::vector<std::string> names;
  for (const StepInfo& step : session.steps()) names.push_back(step.node.substr(0, step.node.find(' ')));
  return names;
}

// Runs the model with and without passes.
void expect_same_results(const ModelBuilder& builder, const std::vector<Value>& inputs) {
  SessionOptions plain;
  plain.opt_level = 0;
  const auto got = elements(checked_session(builder).run(inputs)[0]);
  const auto expected = elements(Session(builder.model(), plain).run(inputs)[0]);
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], expected[i], 1e-5F * std::max(1.0F, std::abs(expected[i]))) << "element " << i;
}

int64_t count(const std::vector<std::string>& names, const std::string& name) {
  return std::count(names.begin(), names.end(), name);
}

// Squeeze and excitation, a pool, a concatenation: maps become plain again at the end only. 24 channels are no whole
// number of blocks on every instruction set, 32 are.
TEST(Passes, MapsStayBlockedBetweenConvolutions) {
  for (const int64_t channels : {24, 32}) {
    ModelBuilder builder;
    builder.main.input("x", DType::float32, {"batch", "3", "12", "12"})
        .constant("w1", random_floats({channels, 3, 3, 3}, 1))
        .constant("w2", random_floats({channels, channels, 1, 1}, 2))
        .constant("w3", random_floats({20, channels * 2, 1, 1}, 3))
        .constant("bias", random_floats({channels, 1, 1}, 4))
        .constant("half", floats({1}, {0.5F}));
    builder.main.node("Conv", {"x", "w1"}, {"a"})
        .node("MaxPool", {"a"}, {"p"}, {{"kernel_shape", std::vector<int64_t>{2, 2}}})
        .node("GlobalAveragePool", {"p"}, {"g"})
        .node("Conv", {"g", "w2"}, {"e"})
        .node("Sigmoid", {"e"}, {"s"})
        .node("Mul", {"p", "s"}, {"m"})
        .node("Add", {"m", "bias"}, {"shifted"})
        .node("Mul", {"half", "shifted"}, {"halved"})
        .node("Concat", {"p", "halved"}, {"c"}, {{"axis", int64_t{-3}}})
        .node("Conv", {"c", "w3"}, {"y"})
        .output("y");
    const std::vector<Value> inputs = {random_floats({2, 3, 12, 12}, 5)};
    expect_same_results(builder, inputs);
    if (channels != 32) continue;
    const Session session = checked_session(builder);
    session.run(inputs);
    const auto names = operators_of(session);
    EXPECT_EQ(count(names, "onnxrun.BlockChannels"), 0) << ::testing::PrintToString(names);
    EXPECT_EQ(count(names, "onnxrun.UnblockChannels"), 1);
    EXPECT_EQ(count(names, "onnxrun.BlockedConv"), 3);
  }
}

// The last convolution of a picture makes its few plain channels at once, and a slope is fused.
TEST(Passes, FewOutputsAreMadePlain) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"1", "3", "9", "10"})
      .constant("w1", random_floats({20, 3, 3, 3}, 1))
      .constant("slope", floats({1}, {0.2F}))
      .constant("w2", random_floats({2, 20, 3, 3}, 2))
      .constant("b2", floats({2}, {0.5F, -0.25F}));
  builder.main.node("Conv", {"x", "w1"}, {"a"})
      .node("PRelu", {"a", "slope"}, {"p"})
      .node("Conv", {"p", "w2", "b2"}, {"c"}, {{"pads", std::vector<int64_t>{1, 1, 1, 1}}})
      .node("Tanh", {"c"}, {"y"})
      .output("y");
  const std::vector<Value> inputs = {random_floats({1, 3, 9, 10}, 5)};
  expect_same_results(builder, inputs);
  const auto names = operators_of(checked_session(builder));
  EXPECT_EQ(names, (std::vector<std::string>{"onnxrun.BlockedConv", "onnxrun.BlockedConv"}));
}

// Of few input channels, neighbouring outputs of a row are lanes, so that few channels make a blocked map; the steps of
// a stride leave no such neighbours.
TEST(Passes, FewChannelsOfFewAreBlocked) {
  for (const int64_t channels : {1, 2, 3, 4, 6, 8}) {
    for (const int64_t stride : {1, 2}) {
      ModelBuilder builder;
      builder.main.input("x", DType::float32, {"2", "3", "30", "35"})
          .constant("w1", random_floats({channels, 3, 5, 5}, 1))
          .constant("b1", random_floats({channels}, 2))
          .constant("w2", random_floats({20, channels, 1, 1}, 3));
      builder.main.node("Conv", {"x", "w1", "b1"}, {"a"}, {{"strides", std::vector<int64_t>{stride, stride}}})
          .node("Relu", {"a"}, {"r"})
          .node("MaxPool", {"r"}, {"p"}, {{"kernel_shape", std::vector<int64_t>{2, 2}}})
          .node("Conv", {"p", "w2"}, {"y"})
          .output("y");
      expect_same_results(builder, {random_floats({2, 3, 30, 35}, 5)});
      if (channels > 4 || stride > 1) continue;
      const auto names = operators_of(checked_session(builder));
      EXPECT_EQ(count(names, "onnxrun.BlockedMaxPool"), 1) << channels << ::testing::PrintToString(names);
    }
  }
}

// A mean or a maximum over all of a map is a global pool; over less of it, it is not.
TEST(Passes, SpatialReductionsReadBlockedMaps) {
  const auto names_with = [](const char* op, const std::vector<int64_t>& axes, int64_t keepdims) {
    ModelBuilder builder;
    builder.main.input("x", DType::float32, {"batch", "3", "6", "7"})
        .constant("w", random_floats({20, 3, 3, 3}, 1))
        .constant("axes", integers({static_cast<int64_t>(axes.size())}, axes));
    builder.main.node("Conv", {"x", "w"}, {"a"}).node(op, {"a", "axes"}, {"y"}, {{"keepdims", keepdims}}).output("y");
    const std::vector<Value> inputs = {random_floats({2, 3, 6, 7}, 5)};
    expect_same_results(builder, inputs);
    const Session session = checked_session(builder);
    session.run(inputs);
    return operators_of(session);
  };
  for (const int64_t keepdims : {0, 1}) {
    EXPECT_EQ(count(names_with("ReduceMean", {2, 3}, keepdims), "onnxrun.BlockedGlobalAveragePool"), 1);
    EXPECT_EQ(count(names_with("ReduceMax", {-1, -2}, keepdims), "onnxrun.BlockedGlobalMaxPool"), 1);
    EXPECT_EQ(count(names_with("ReduceMax", {1, 2, 3}, keepdims), "ReduceMax"), 1);
    EXPECT_EQ(count(names_with("ReduceMean", {3}, keepdims), "ReduceMean"), 1);
  }
}

// What a plain operator reads in between is converted once; the blocked chain goes on.
TEST(Passes, PlainReadersOfBlockedMapsGetPlainMaps) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"1", "16", "5", "7"})
      .constant("w", random_floats({16, 16, 3, 3}, 1))
      .constant("d", random_floats({16, 1, 3, 3}, 2));
  const ModelBuilder::Attributes pads = {{"pads", std::vector<int64_t>{1, 1, 1, 1}}};
  ModelBuilder::Attributes depthwise = pads;
  depthwise.emplace_back("group", int64_t{16});
  builder.main.node("Conv", {"x", "w"}, {"a"}, pads)
      .node("Conv", {"a", "d"}, {"b"}, depthwise)
      .node("ReduceSum", {"a"}, {"r"}, {{"keepdims", int64_t{1}}})
      .node("Softmax", {"b"}, {"s"}, {{"axis", int64_t{3}}})
      .node("Add", {"s", "r"}, {"t"})
      .node("Add", {"t", "b"}, {"y"})
      .output("y");
  expect_same_results(builder, {random_floats({1, 16, 5, 7}, 3)});
}

TEST(Passes, ANormalizationBetweenBlockedMapsIsOnePass) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"1", "8", "6", "6"})
      .constant("w", random_floats({40, 8, 1, 1}, 1))
      .constant("scale", random_floats({40}, 2))
      .constant("b", random_floats({40}, 3))
      .constant("mean", random_floats({40}, 4))
      .constant("var", floats({40}, std::vector<float>(40, 0.7F)));
  builder.main.node("Conv", {"x", "w"}, {"a"})
      .node("AveragePool", {"a"}, {"p"}, {{"kernel_shape", std::vector<int64_t>{3, 3}}})
      .node("BatchNormalization", {"p", "scale", "b", "mean", "var"}, {"n"})
      .node("Relu", {"n"}, {"y"})
      .output("y");
  const std::vector<Value> inputs = {random_floats({1, 8, 6, 6}, 5)};
  expect_same_results(builder, inputs);
  const auto names = operators_of(checked_session(builder));
  EXPECT_EQ(count(names, "onnxrun.BlockedScaleShift"), 1) << ::testing::PrintToString(names);
  EXPECT_EQ(count(names, "Relu"), 0);
}

TEST(Passes, BlockedMapsAreResized) {
  for (const bool by_sizes : {false, true}) {
    ModelBuilder builder;
    builder.main.input("x", DType::float32, {"1", "8", "5", "6"})
        .constant("w", random_floats({20, 8, 1, 1}, 1))
        .constant("scales", floats({4}, {1, 1, 2, 2}))
        .constant("sizes", integers({4}, {1, 20, 13, 9}));
    builder.main.node("Conv", {"x", "w"}, {"a"});
    if (by_sizes) {
      builder.main.node("Resize", {"a", "", "", "sizes"}, {"y"}, {{"mode", std::string("linear")}});
    } else {
      builder.main.node("Resize", {"a", "", "scales"}, {"y"}, {{"mode", std::string("nearest")}});
    }
    builder.main.output("y");
    expect_same_results(builder, {random_floats({1, 8, 5, 6}, 3)});
    const auto names = operators_of(checked_session(builder));
    EXPECT_EQ(names.back(), "onnxrun.UnblockChannels") << ::testing::PrintToString(names);
  }
}

// Zeros around maps become the padding of what reads them; other paddings stay.
TEST(Passes, ZerosAroundMapsJoinTheirReader) {
  const auto build = [](const std::string& mode, bool average, int64_t ceil_mode) {
    ModelBuilder builder;
    builder.main.input("x", DType::float32, {"1", "3", "7", "8"})
        .constant("w", random_floats({4, 3, 3, 3}, 1))
        .constant("pads", integers({8}, {0, 0, 1, 2, 0, 0, 1, 0}));
    builder.main.node("Pad", {"x", "pads"}, {"p"}, {{"mode", mode}});
    if (average) {
      builder.main.node("AveragePool", {"p"}, {"y"},
                        {{"kernel_shape", std::vector<int64_t>{3, 3}},
                         {"strides", std::vector<int64_t>{2, 2}},
                         {"ceil_mode", ceil_mode}});
    } else {
      builder.main.node("Conv", {"p", "w"}, {"y"}, {{"pads", std::vector<int64_t>{1, 0, 1, 0}}});
    }
    builder.main.output("y");
    return builder;
  };
  const std::vector<Value> inputs = {random_floats({1, 3, 7, 8}, 2)};
  for (const bool average : {false, true}) {
    const ModelBuilder zeros = build("constant", average, 0);
    EXPECT_EQ(changes(checked_session(zeros), "fuse_pad"), 1);
    expect_same_results(zeros, inputs);
    const ModelBuilder mirrored = build("reflect", average, 0);
    EXPECT_EQ(changes(checked_session(mirrored), "fuse_pad"), 0);
    expect_same_results(mirrored, inputs);
  }
  EXPECT_EQ(changes(checked_session(build("constant", true, 1)), "fuse_pad"), 0);
}

// A padding whose amounts follow from the input's shape, as of maps that shall have the size of others.
TEST(Passes, BlockedMapsArePadded) {
  for (const bool at_run : {false, true}) {
    ModelBuilder builder;
    builder.main.input("x", DType::float32, {"1", "8", at_run ? "h" : "7", "6"})
        .constant("w", random_floats({20, 8, 1, 1}, 1))
        .constant("fill", floats({}, {0.25F}))
        .constant("zero", integers({1}, {0}))
        .constant("two", integers({1}, {2}))
        .constant("ten", integers({1}, {10}));
    builder.main.node("Conv", {"x", "w"}, {"a"})
        .node("Shape", {"x"}, {"s"})
        .node("Gather", {"s", "two"}, {"height"})
        .node("Sub", {"ten", "height"}, {"missing"})
        .node("Concat", {"zero", "zero", "missing", "two", "zero", "zero", "zero", "zero"}, {"pads"},
              {{"axis", int64_t{0}}})
        .node("Pad", {"a", "pads", "fill"}, {"y"})
        .output("y");
    const std::vector<Value> inputs = {random_floats({1, 8, 7, 6}, 3)};
    expect_same_results(builder, inputs);
    const Session session = checked_session(builder);
    session.run(inputs);
    const auto names = operators_of(session);
    EXPECT_EQ(names.back(), "onnxrun.UnblockChannels") << ::testing::PrintToString(names);
    EXPECT_EQ(count(names, "Pad"), 1);
  }
}

TEST(Passes, BlockedMapsAreNormalizedByInstance) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"2", "8", "23", "15"})
      .constant("w", random_floats({20, 8, 1, 1}, 1))
      .constant("scale", random_floats({20}, 2))
      .constant("b", random_floats({20}, 3));
  builder.main.node("Conv", {"x", "w"}, {"a"})
      .node("InstanceNormalization", {"a", "scale", "b"}, {"n"}, {{"epsilon", 1e-3F}})
      .node("Relu", {"n"}, {"y"})
      .output("y");
  expect_same_results(builder, {random_floats({2, 8, 23, 15}, 4)});
  const auto names = operators_of(checked_session(builder));
  EXPECT_EQ(count(names, "onnxrun.BlockedInstanceNormalization"), 1) << ::testing::PrintToString(names);
  EXPECT_EQ(count(names, "Relu"), 0);
}

struct Transposition {
  std::vector<int64_t> kernel, strides, pads, output_padding, extents;
  size_t convolutions;
};

// A transposed convolution, its normalization and its activation become as many convolutions as there are places
// within its strides.
TEST(Passes, ConvTransposeIsSplitIntoConvolutions) {
  const std::vector<Transposition> cases = {
      {{2, 2}, {2, 2}, {0, 0, 0, 0}, {0, 0}, {5, 6}, 4},
      {{4, 4}, {2, 2}, {1, 1, 1, 1}, {0, 0}, {5, 6}, 4},
      {{3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, {4, 4}, 4},
      {{4, 4}, {1, 1}, {0, 0, 0, 0}, {0, 0}, {1, 2}, 1},
      {{5, 3}, {3, 1}, {1, 0, 2, 1}, {2, 0}, {4, 5}, 3},
      {{7}, {4}, {3, 3}, {1}, {9}, 4},
      {{2, 3, 2}, {2, 1, 2}, {0, 1, 0, 0, 1, 0}, {}, {3, 4, 2}, 4},
  };
  for (const Transposition& t : cases) {
    std::vector<std::string> dims = {"n", "6"};
    std::vector<int64_t> extents = {2, 6}, weights = {6, 20};
    for (const int64_t extent : t.extents) dims.push_back(std::to_string(extent));
    extents.insert(extents.end(), t.extents.begin(), t.extents.end());
    weights.insert(weights.end(), t.kernel.begin(), t.kernel.end());
    ModelBuilder builder;
    builder.main.input("x", DType::float32, dims)
        .constant("w", random_floats(Shape(weights), 1))
        .constant("bias", random_floats({20}, 2))
        .constant("scale", random_floats({20}, 3))
        .constant("var", floats({20}, std::vector<float>(20, 0.7F)));
    ModelBuilder::Attributes attributes = {{"strides", t.strides}, {"pads", t.pads}};
    if (!t.output_padding.empty()) attributes.emplace_back("output_padding", t.output_padding);
    builder.main.node("ConvTranspose", {"x", "w", "bias"}, {"c"}, attributes)
        .node("BatchNormalization", {"c", "scale", "bias", "bias", "var"}, {"n"})
        .node("LeakyRelu", {"n"}, {"y"})
        .output("y");
    const std::vector<Value> inputs = {random_floats(Shape(extents), 4)};
    expect_same_results(builder, inputs);
    const Session session = checked_session(builder);
    session.run(inputs);
    const auto names = operators_of(session);
    EXPECT_EQ(static_cast<size_t>(count(names, "onnxrun.BlockedConv")), t.convolutions)
        << ::testing::PrintToString(names);
    EXPECT_EQ(count(names, "LeakyRelu") + count(names, "BatchNormalization"), 0) << ::testing::PrintToString(names);
  }
}

// Linear layers with a normalization, of both orders of the weights and with every form of the bias.
TEST(Passes, ANormalizationGoesIntoTheProductBefore) {
  for (const bool transposed : {false, true}) {
    for (const std::vector<int64_t>& bias : std::vector<std::vector<int64_t>>{{}, {20}, {1, 20}, {1}, {3, 20}}) {
      ModelBuilder builder;
      builder.main.input("x", DType::float32, {"3", "9"})
          .constant("w", random_floats(transposed ? Shape{20, 9} : Shape{9, 20}, 1))
          .constant("scale", random_floats({20}, 2))
          .constant("b", random_floats({20}, 3))
          .constant("mean", random_floats({20}, 4))
          .constant("var", floats({20}, std::vector<float>(20, 0.7F)));
      if (!bias.empty()) builder.main.constant("c", random_floats(Shape(bias), 5));
      builder.main.node("Gemm", {"x", "w", bias.empty() ? "" : "c"}, {"a"}, {{"transB", int64_t{transposed}}})
          .node("BatchNormalization", {"a", "scale", "b", "mean", "var"}, {"n"})
          .node("Relu", {"n"}, {"y"})
          .output("y");
      expect_same_results(builder, {random_floats({3, 9}, 6)});
      const auto names = operators_of(checked_session(builder));
      const bool folds = bias != std::vector<int64_t>{3, 20};
      EXPECT_EQ(count(names, "BatchNormalization"), folds ? 0 : 1) << ::testing::PrintToString(names);
    }
  }
}

TEST(Passes, ANormalizationOfAnotherTypeStays) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"3", "9"})
      .constant("w", random_floats({9, 20}, 1))
      .constant("scale", random_floats({20}, 2))
      .constant("b", random_floats({20}, 3))
      .constant("mean", Tensor::of<double>(DType::float64, {20}, std::vector<double>(20, 0.3)))
      .constant("var", Tensor::of<double>(DType::float64, {20}, std::vector<double>(20, 0.7)));
  builder.main.node("Gemm", {"x", "w"}, {"a"})
      .node("BatchNormalization", {"a", "scale", "b", "mean", "var"}, {"y"})
      .output("y");
  expect_same_results(builder, {random_floats({3, 9}, 6)});
}

// As at the beginning of models that make pictures of vectors.
TEST(Passes, AConvTransposeOfOnePositionIsAProduct) {
  for (const auto& [kernel, strides, has_bias, activates] :
       std::vector<std::tuple<std::vector<int64_t>, std::vector<int64_t>, bool, bool>>{
           {{4, 4}, {1, 1}, true, true},
           {{3, 2}, {2, 5}, false, true},
           {{5}, {1}, true, false},
           {{2, 3, 2}, {1, 1, 1}, false, false}}) {
    std::vector<std::string> dims = {"n", "6"};
    std::vector<int64_t> extents = {3, 6}, weights = {6, 3};
    dims.resize(2 + kernel.size(), "1");
    extents.resize(2 + kernel.size(), 1);
    weights.insert(weights.end(), kernel.begin(), kernel.end());
    ModelBuilder builder;
    builder.main.input("x", DType::float32, dims)
        .constant("w", random_floats(Shape(weights), 1))
        .constant("bias", random_floats({3}, 2))
        .node("ConvTranspose", {"x", "w", has_bias ? "bias" : ""}, {"c"}, {{"strides", strides}})
        .node(activates ? "Relu" : "Identity", {"c"}, {"y"})
        .output("y");
    const std::vector<Value> inputs = {random_floats(Shape(extents), 4)};
    expect_same_results(builder, inputs);
    const Session session = checked_session(builder);
    session.run(inputs);
    const auto names = operators_of(session);
    EXPECT_EQ(count(names, "ConvTranspose") + count(names, "Relu"), 0) << ::testing::PrintToString(names);
    EXPECT_EQ(count(names, "Gemm") + count(names, "onnxrun.Gemm"), 1) << ::testing::PrintToString(names);
  }
}

// Where a place within the strides has no tap, or windows are dilated, or nothing fills a block, it stays.
TEST(Passes, OtherConvTransposesStay) {
  const std::vector<std::pair<std::vector<int64_t>, ModelBuilder::Attributes>> cases = {
      {{4, 20, 1, 1}, {{"strides", std::vector<int64_t>{2, 2}}}},
      {{4, 20, 3, 3}, {{"dilations", std::vector<int64_t>{2, 2}}}},
      {{4, 1, 3, 3}, {{"strides", std::vector<int64_t>{2, 2}}}},
      {{4, 20, 3, 3}, {{"strides", std::vector<int64_t>{2, 2}}, {"output_shape", std::vector<int64_t>{10, 10}}}},
  };
  for (const auto& [weights, attributes] : cases) {
    ModelBuilder builder;
    builder.main.input("x", DType::float32, {"1", "4", "5", "5"}).constant("w", random_floats(Shape(weights), 1));
    builder.main.node("ConvTranspose", {"x", "w"}, {"y"}, attributes).output("y");
    EXPECT_EQ(changes(checked_session(builder), "split_conv_transpose"), 0);
    expect_same_results(builder, {random_floats({1, 4, 5, 5}, 2)});
  }
}

// Weights stored in few bits are as many floats, once.
TEST(Passes, WeightsOfFewBitsBecomeFloatsAtLoad) {
  ModelBuilder builder;
  Tensor weights(DType::int8, {200, 100});
  int8_t next = 0;
  for (int8_t& value : weights.mutable_values<int8_t>()) value = static_cast<int8_t>(next += 7);
  builder.main.input("x", DType::float32, {"2", "200"}).constant("q", weights).constant("s", floats({}, {0.5F}));
  builder.main.node("DequantizeLinear", {"q", "s"}, {"w"}).node("MatMul", {"x", "w"}, {"y"}).output("y");
  const Session session = checked_session(builder);
  EXPECT_EQ(changes(session, "fold_constants") + changes(session, "fold_dequantized"), 1);
  EXPECT_EQ(session.steps().size(), 1U);
  expect_same_results(builder, {random_floats({2, 200}, 1)});
}

// x, quantized and back, read by `readers` DequantizeLinear.
ModelBuilder quantized_and_back(const Tensor& zero_point, float back_scale, int readers) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"n"})
      .constant("s", floats({}, {0.3F}))
      .constant("s2", floats({1}, {back_scale}))
      .constant("z", zero_point);
  builder.main.node("QuantizeLinear", {"x", "s", "z"}, {"q"});
  for (int i = 0; i < readers; ++i) {
    const std::string number = std::to_string(i);
    builder.main.node("DequantizeLinear", {"q", "s2", "z"}, {"d" + number}).node("Neg", {"d" + number}, {"y" + number});
    builder.main.output("y" + number);
  }
  return builder;
}

TEST(Passes, QuantizationThatIsUndoneStaysInFloats) {
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> values = {0, -0.0F, 0.1F, -0.1F, 1e30F, -1e30F, infinity, -infinity, std::nanf(""), 1e-40F};
  for (int i = -400; i < 400; ++i) values.push_back(static_cast<float>(i) * 0.15F);  // ties among them
  const Tensor x = floats({static_cast<int64_t>(values.size())}, values);
  for (const DType dtype : {DType::int8, DType::uint8, DType::int16, DType::uint16}) {
    Tensor zero_point(dtype, Shape());
    *static_cast<uint8_t*>(zero_point.mutable_data()) = 5;
    const ModelBuilder builder = quantized_and_back(zero_point, 0.3F, 2);
    const Session session = checked_session(builder);
    EXPECT_EQ(changes(session, "fuse_quantization"), 2);
    EXPECT_EQ(session.steps().size(), 3U);
    SessionOptions plain;
    plain.opt_level = 0;
    const auto got = session.run(std::vector<Value>{x});
    const auto expected = Session(builder.model(), plain).run(std::vector<Value>{x});
    for (size_t j = 0; j < got.size(); ++j) {
      EXPECT_EQ(std::memcmp(got[j].tensor().data(), expected[j].tensor().data(), x.bytes()), 0) << dtype_name(dtype);
    }
    EXPECT_EQ(changes(checked_session(quantized_and_back(zero_point, 0.4F, 1)), "fuse_quantization"), 0);
  }
}

// Their sums are exact, so that all orders of summation round alike.
Tensor whole_numbers(const Shape& shape) {
  Tensor tensor(DType::float32, shape);
  int next = 0;
  for (float& value : tensor.mutable_values<float>()) value = static_cast<float>(next = (next + 5) % 7) - 3;
  return tensor;
}

// A convolution applies it, and an addition behind it.
TEST(Passes, ConvolutionsQuantizeWhatTheyStore) {
  ModelBuilder builder;
  Tensor zero_point(DType::uint8, Shape());
  *static_cast<uint8_t*>(zero_point.mutable_data()) = 128;
  builder.main.input("x", DType::float32, {"1", "32", "9", "9"})
      .input("r", DType::float32, {"1", "32", "9", "9"})
      .constant("w", whole_numbers({32, 32, 1, 1}))
      .constant("s", floats({}, {0.25F}))
      .constant("z", zero_point);
  builder.main.node("Conv", {"x", "w"}, {"c"}).node("QuantizeLinear", {"c", "s", "z"}, {"q"});
  builder.main.node("DequantizeLinear", {"q", "s", "z"}, {"d"}).node("Add", {"d", "r"}, {"a"});
  builder.main.node("Relu", {"a"}, {"y"}).output("y");
  const Session session = checked_session(builder);
  EXPECT_EQ(changes(session, "fuse_quantization"), 1);
  EXPECT_EQ(changes(session, "fuse_activation"), 1);
  expect_same_results(builder, {whole_numbers({1, 32, 9, 9}), random_floats({1, 32, 9, 9}, 2)});
}

// The elements as a 16-bit float type; they are small whole numbers.
Tensor narrowed(DType dtype, const Tensor& tensor) {
  ModelBuilder builder;
  builder.main.constant("x", tensor).node("Cast", {"x"}, {"y"}, {{"to", static_cast<int64_t>(dtype)}}).output("y");
  return Session(builder.model()).run(std::vector<Value>{})[0].tensor();
}

// What leaves for a graph output, or for a node that stays, is of its type; the rest is computed in float32.
TEST(Passes, SixteenBitFloatsAreComputedInFloat32) {
  for (const DType dtype : {DType::float16, DType::bfloat16}) {
    SCOPED_TRACE(dtype_name(dtype));
    ModelBuilder builder;
    builder.opset = 26;
    builder.main.input("x", dtype, {"1", "8", "5", "5"})
        .constant("w", narrowed(dtype, whole_numbers({8, 8, 1, 1})))
        .constant("two", narrowed(dtype, floats({}, {2})));
    builder.main.node("Conv", {"x", "w"}, {"c"}).node("Relu", {"c"}, {"r"}).output("r");
    builder.main.node("Mul", {"r", "two"}, {"m"}).node("Shape", {"m"}, {"s"}).output("s");
    builder.main.node("Cast", {"m"}, {"f"}, {{"to", static_cast<int64_t>(DType::float32)}}).output("f");
    builder.main.node("BitCast", {"r"}, {"b"}, {{"to", static_cast<int64_t>(DType::int16)}}).output("b");
    builder.main.node("MaxPool", {"m"}, {"y"}, {{"kernel_shape", std::vector<int64_t>{2, 2}}}).output("y");
    const Session session = checked_session(builder);
    EXPECT_EQ(changes(session, "widen_floats"), 6);
    EXPECT_EQ(session.outputs()[0].type.to_string(), std::string(dtype_name(dtype)) + "[1,8,5,5]");
    SessionOptions plain, strict;
    plain.opt_level = 0;
    strict.precision = Precision::strict;
    const std::vector<Value> inputs = {narrowed(dtype, whole_numbers({1, 8, 5, 5}))};
    const auto got = session.run(inputs), expected = Session(builder.model(), plain).run(inputs);
    for (size_t j = 0; j < got.size(); ++j) {
      const Tensor &a = got[j].tensor(), &b = expected[j].tensor();
      ASSERT_EQ(a.dtype(), b.dtype());
      EXPECT_EQ(std::memcmp(a.data(), b.data(), b.bytes()), 0) << "output " << j;
    }
    EXPECT_EQ(changes(Session(builder.model(), strict), "widen_floats"), 0);
  }
}

TEST(Passes, SixteenBitFloatsThatAreOnlyMovedStay) {
  ModelBuilder builder;
  builder.main.input("x", DType::float16, {"4", "4"}).node("Transpose", {"x"}, {"t"}).node("Relu", {"t"}, {"y"});
  builder.main.output("y");
  EXPECT_EQ(changes(checked_session(builder), "widen_floats"), 0);
}

}  // namespace
}  // namespace onnxrun
