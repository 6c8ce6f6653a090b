#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "onnxrun/error.h"
#include "onnxrun/session.h"
#include "support/model_builder.h"

namespace onnxrun {
namespace {

using Body = ModelBuilder::Body;
using Names = std::vector<std::string>;

// The operators of the steps, without those that are mere views.
Names operators_of(const Session& session) {
  Names names;
  for (const StepInfo& step : session.steps()) {
    const std::string name = step.node.substr(0, step.node.find(' '));
    if (name != "Reshape") names.push_back(name);
  }
  return names;
}

// Compares a run with all passes with one as the model stands; returns what the former ran.
Names run_both(const ModelBuilder& builder, const std::vector<Value>& inputs, float tolerance = 3e-6F) {
  SessionOptions options;
  options.verify_passes = true;
  const Session session(builder.model(), options);
  SessionOptions plain;
  plain.opt_level = 0;
  const auto results = session.run(inputs);
  const auto expected_results = Session(builder.model(), plain).run(inputs);
  for (size_t j = 0; j < results.size(); ++j) {
    EXPECT_EQ(results[j].tensor().shape(), expected_results[j].tensor().shape());
    const auto got = elements(results[j]);
    const auto expected = elements(expected_results[j]);
    for (size_t i = 0; i < std::min(got.size(), expected.size()); ++i) {
      EXPECT_NEAR(got[i], expected[i], tolerance * std::max(1.0F, std::abs(expected[i])))
          << "output " << j << ", " << i;
      if (::testing::Test::HasFailure()) return {};
    }
  }
  return operators_of(session);
}

// One input x of [n, 5], constants by value, and nodes that make y.
Names run_elementwise(const std::function<void(Body&)>& write, int64_t opset = 13) {
  ModelBuilder builder;
  builder.opset = opset;
  builder.main.input("x", DType::float32, {"n", "5"});
  for (const float number :
       {0.0F, 0.5F, 1.0F, 2.0F, 3.0F, 6.0F, 0.044715F, 0.70710678F, 0.79788458F, 1.4142135F, 1.702F}) {
    std::string name = std::to_string(number);
    builder.main.constant(name.erase(4), floats({}, {number}));
  }
  write(builder.main);
  builder.main.output("y");
  Tensor x = random_floats({40, 5}, 3);
  for (float& element : x.mutable_values<float>()) element *= 8;
  return run_both(builder, {x});
}

TEST(Fusion, SigmoidAndTanhGates) {
  const Names swish = {"Swish"};
  EXPECT_EQ(run_elementwise([](Body& b) { b.node("Sigmoid", {"x"}, {"s"}).node("Mul", {"s", "x"}, {"y"}); }), swish);
  EXPECT_EQ(run_elementwise([](Body& b) {
              b.node("Mul", {"x", "1.70"}, {"z"}).node("Sigmoid", {"z"}, {"s"}).node("Mul", {"x", "s"}, {"y"});
            }),
            swish);
  EXPECT_EQ(run_elementwise([](Body& b) {
              b.node("Softplus", {"x"}, {"p"}).node("Tanh", {"p"}, {"t"}).node("Mul", {"x", "t"}, {"y"});
            }),
            Names{"Mish"});
}

TEST(Fusion, HardSwishInItsExportedOrders) {
  const Names hard_swish = {"HardSwish"};
  const auto ramp = [](Body& b) -> Body& {
    return b.node("Add", {"x", "3.00"}, {"a"}).node("Clip", {"a", "0.00", "6.00"}, {"c"});
  };
  EXPECT_EQ(run_elementwise([&](Body& b) {
              ramp(b).node("Mul", {"x", "c"}, {"m"}).node("Div", {"m", "6.00"}, {"y"});
            }),
            hard_swish);
  EXPECT_EQ(run_elementwise([&](Body& b) {
              ramp(b).node("Div", {"c", "6.00"}, {"d"}).node("Mul", {"d", "x"}, {"y"});
            }),
            hard_swish);
  EXPECT_EQ(run_elementwise([](Body& b) {
              b.node("HardSigmoid", {"x"}, {"h"}, {{"alpha", 1.0F / 6}, {"beta", 0.5F}}).node("Mul", {"x", "h"}, {"y"});
            }),
            hard_swish);
  EXPECT_EQ(run_elementwise([&](Body& b) { ramp(b).node("Div", {"c", "6.00"}, {"y"}); }), Names{"HardSigmoid"});
}

TEST(Fusion, GeluByErfInAnyOrder) {
  const Names gelu = {"Gelu"};
  const auto gate = [](Body& b) -> Body& {
    return b.node("Div", {"x", "1.41"}, {"d"}).node("Erf", {"d"}, {"e"}).node("Add", {"e", "1.00"}, {"g"});
  };
  EXPECT_EQ(run_elementwise([&](Body& b) {
              gate(b).node("Mul", {"x", "g"}, {"m"}).node("Mul", {"m", "0.50"}, {"y"});
            }),
            gelu);
  EXPECT_EQ(run_elementwise([&](Body& b) {
              gate(b).node("Mul", {"0.50", "x"}, {"m"}).node("Mul", {"m", "g"}, {"y"});
            }),
            gelu);
  EXPECT_EQ(run_elementwise([&](Body& b) {
              gate(b).node("Mul", {"g", "0.50"}, {"m"}).node("Mul", {"x", "m"}, {"y"});
            }),
            gelu);
  EXPECT_EQ(run_elementwise([](Body& b) {
              b.node("Mul", {"0.70", "x"}, {"d"}).node("Erf", {"d"}, {"e"}).node("Mul", {"e", "0.50"}, {"h"});
              b.node("Add", {"0.50", "h"}, {"g"}).node("Mul", {"g", "x"}, {"y"});
            }),
            gelu);
}

TEST(Fusion, GeluByTanhWithACubeOrASquare) {
  const Names gelu = {"Gelu"};
  const auto finish = [](Body& b) {
    b.node("Tanh", {"z"}, {"t"}).node("Add", {"1.00", "t"}, {"g"}).node("Mul", {"x", "0.50"}, {"h"});
    b.node("Mul", {"h", "g"}, {"y"});
  };
  EXPECT_EQ(run_elementwise([&](Body& b) {
              b.node("Pow", {"x", "3.00"}, {"p"}).node("Mul", {"0.04", "p"}, {"q"}).node("Add", {"x", "q"}, {"s"});
              b.node("Mul", {"0.79", "s"}, {"z"});
              finish(b);
            }),
            gelu);
  EXPECT_EQ(run_elementwise([&](Body& b) {
              b.node("Mul", {"x", "x"}, {"p"}).node("Mul", {"p", "x"}, {"p3"}).node("Mul", {"p3", "0.04"}, {"q"});
              b.node("Add", {"q", "x"}, {"s"}).node("Mul", {"s", "0.79"}, {"z"});
              finish(b);
            }),
            gelu);
  EXPECT_EQ(run_elementwise([&](Body& b) {
              b.node("Mul", {"x", "0.04"}, {"p"}).node("Mul", {"p", "x"}, {"q"}).node("Add", {"q", "1.00"}, {"s"});
              b.node("Mul", {"x", "0.79"}, {"v"}).node("Mul", {"v", "s"}, {"z"});
              finish(b);
            }),
            gelu);
}

TEST(Fusion, OtherConstantsAndOtherReadersKeepTheOperators) {
  const auto never = [](const Names& names, const std::string& name) {
    EXPECT_FALSE(names.empty());
    EXPECT_EQ(std::count(names.begin(), names.end(), name), 0) << ::testing::PrintToString(names);
  };
  const auto gelu = [](Body& b, const std::string& divisor, const std::string& half) {
    b.node("Div", {"x", divisor}, {"d"}).node("Erf", {"d"}, {"e"}).node("Add", {"e", "1.00"}, {"g"});
    b.node("Mul", {"x", "g"}, {"m"}).node("Mul", {"m", half}, {"y"});
  };
  never(run_elementwise([&](Body& b) { gelu(b, "2.00", "0.50"); }), "Gelu");
  never(run_elementwise([&](Body& b) { gelu(b, "1.41", "1.00"); }), "Gelu");
  never(run_elementwise([&](Body& b) {
          gelu(b, "1.41", "0.50");
          b.output("g");
        }),
        "Gelu");
  never(run_elementwise([](Body& b) {
          b.node("Sigmoid", {"x"}, {"s"}).node("Mul", {"s", "x"}, {"m"}).node("Add", {"m", "s"}, {"y"});
        }),
        "Swish");
  never(run_elementwise([](Body& b) {
          b.node("Exp", {"x"}, {"w"}).node("Sigmoid", {"w"}, {"s"}).node("Mul", {"s", "x"}, {"y"});
        }),
        "Swish");
  never(run_elementwise([](Body& b) {
          b.node("Add", {"x", "2.00"}, {"a"}).node("Clip", {"a", "0.00", "6.00"}, {"c"});
          b.node("Mul", {"x", "c"}, {"m"}).node("Div", {"m", "6.00"}, {"y"});
        }),
        "HardSwish");
}

// The means of x [2, n, 3, 4] over `axes`, as an attribute before version 18.
class NormalizationModel {
 public:
  explicit NormalizationModel(int64_t opset, std::vector<int64_t> axes) : opset_(opset), axes_(std::move(axes)) {
    builder.opset = opset;
    const auto rank = static_cast<int64_t>(axes_.size());
    builder.main.input("x", DType::float32, {"2", "n", "3", "4"})
        .constant("axes", integers({rank}, axes_))
        .constant("two", floats({}, {2}))
        .constant("one", floats({}, {1}))
        .constant("minus_half", floats({}, {-0.5F}))
        .constant("epsilon", floats({1}, {1e-5F}))
        .constant("scale", random_floats({4}, 1))
        .constant("bias", random_floats({4}, 2));
  }

  Body& mean(const std::string& input, const std::string& output) {
    if (opset_ >= 18) return builder.main.node("ReduceMean", {input, "axes"}, {output});
    return builder.main.node("ReduceMean", {input}, {output}, {{"axes", axes_}});
  }
  NormalizationModel& centered() {
    mean("x", "mean").node("Sub", {"x", "mean"}, {"c"});
    return *this;
  }
  // root = sqrt(mean(c^2) + epsilon)
  Body& root(const std::string& of = "c") {
    builder.main.node("Pow", {of, "two"}, {"square"});
    return mean("square", "variance").node("Add", {"variance", "epsilon"}, {"sum"}).node("Sqrt", {"sum"}, {"root"});
  }
  Names run() { return run_both(builder, {random_floats({2, 3, 3, 4}, 7)}, 2e-5F); }

  ModelBuilder builder;

 private:
  int64_t opset_;
  std::vector<int64_t> axes_;
};

TEST(Fusion, LayerNormalizationWithAxesAsAttributeOrInput) {
  for (const int64_t opset : {9, 13, 18}) {
    NormalizationModel model(opset, {-1});
    model.centered().root().node("Div", {"c", "root"}, {"d"}).node("Mul", {"d", "scale"}, {"m"});
    model.builder.main.node("Add", {"m", "bias"}, {"y"}).output("y");
    EXPECT_EQ(model.run(), Names{"LayerNormalization"}) << opset;
  }
  NormalizationModel two_axes(13, {2, 3});
  two_axes.centered().root().node("Div", {"c", "root"}, {"y"}).output("y");
  EXPECT_EQ(two_axes.run(), Names{"LayerNormalization"});
  NormalizationModel inverse(13, {3});
  inverse.builder.main.node("Identity", {"x"}, {"same"});
  inverse.centered().root().node("Reciprocal", {"root"}, {"r"}).node("Mul", {"r", "c"}, {"d"});
  inverse.builder.main.node("Mul", {"scale", "d"}, {"y"}).output("y");
  EXPECT_EQ(inverse.run(), Names{"LayerNormalization"});
}

// x s + (bias - mean s), as TensorFlow writes it.
TEST(Fusion, LayerNormalizationMultipliedOut) {
  NormalizationModel model(13, {-1});
  model.centered().builder.main.node("Mul", {"c", "c"}, {"square"});
  model.mean("square", "variance").node("Add", {"variance", "epsilon"}, {"sum"}).node("Sqrt", {"sum"}, {"root"});
  model.builder.main.node("Reciprocal", {"root"}, {"r"}).node("Mul", {"r", "scale"}, {"s"});
  model.builder.main.node("Mul", {"x", "s"}, {"xs"}).node("Mul", {"mean", "s"}, {"ms"});
  model.builder.main.node("Sub", {"bias", "ms"}, {"shift"}).node("Add", {"xs", "shift"}, {"y"}).output("y");
  EXPECT_EQ(model.run(), Names{"LayerNormalization"});
}

TEST(Fusion, RmsNormalization) {
  NormalizationModel by_root(18, {-1});
  by_root.root("x").node("Div", {"one", "root"}, {"r"}).node("Mul", {"x", "r"}, {"d"});
  by_root.builder.main.node("Mul", {"scale", "d"}, {"y"}).output("y");
  EXPECT_EQ(by_root.run(), Names{"RMSNormalization"});
  NormalizationModel by_power(13, {-1});
  by_power.builder.main.node("Mul", {"x", "x"}, {"square"});
  by_power.mean("square", "variance").node("Add", {"variance", "epsilon"}, {"s"});
  by_power.builder.main.node("Pow", {"s", "minus_half"}, {"r"}).node("Mul", {"x", "r"}, {"y"}).output("y");
  EXPECT_EQ(by_power.run(), Names{"RMSNormalization"});
}

TEST(Fusion, OtherNormalizationsStay) {
  const auto expect_kept = [](NormalizationModel& model) {
    const Names names = model.run();
    EXPECT_EQ(std::count(names.begin(), names.end(), "Sqrt"), 1) << ::testing::PrintToString(names);
  };
  NormalizationModel inner(13, {1});
  inner.centered().root().node("Div", {"c", "root"}, {"y"}).output("y");
  expect_kept(inner);
  NormalizationModel read(13, {-1});
  read.centered().root().node("Div", {"c", "root"}, {"y"}).output("y").output("variance");
  expect_kept(read);
  NormalizationModel other(13, {-1});
  other.centered().root().node("Div", {"x", "root"}, {"y"}).output("y");
  expect_kept(other);
}

TEST(Fusion, ProductsByMatricesTakeBiasResidualAndActivation) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"batch", "length", "24"})
      .constant("w", random_floats({24, 40}, 1))
      .constant("b", random_floats({40}, 2))
      .constant("v", random_floats({40, 24}, 3));
  builder.main.node("MatMul", {"x", "w"}, {"p"}).node("Add", {"b", "p"}, {"h"}).node("Relu", {"h"}, {"r"});
  builder.main.node("MatMul", {"r", "v"}, {"q"}).node("Add", {"x", "q"}, {"y"}).output("y");
  EXPECT_EQ(run_both(builder, {random_floats({2, 5, 24}, 4)}), (Names{"onnxrun.Gemm", "onnxrun.Gemm"}));
}

TEST(Fusion, RowsOfNoMatrixStayApart) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"2", "3", "8"})
      .constant("w", random_floats({8, 6}, 1))
      .constant("column", random_floats({3, 1}, 2))
      .constant("wide", random_floats({2, 1, 1, 6}, 3));
  builder.main.node("MatMul", {"x", "w"}, {"p"}).node("Add", {"p", "column"}, {"y"}).output("y");
  builder.main.node("MatMul", {"x", "w"}, {"q"}).node("Add", {"q", "wide"}, {"z"}).output("z");
  EXPECT_EQ(run_both(builder, {random_floats({2, 3, 8}, 4)}), (Names{"onnxrun.Gemm", "Add", "onnxrun.Gemm", "Add"}));
}

// Reshape of the rows behind a Gemm comes after what follows it.
TEST(Fusion, AReshapeDoesNotHideWhatFollowsAGemm) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"2", "3", "8"})
      .constant("w", random_floats({8, 8}, 1))
      .constant("rows", integers({2}, {-1, 8}))
      .constant("cube", integers({3}, {2, 3, 8}));
  builder.main.node("Reshape", {"x", "rows"}, {"flat"}).node("Gemm", {"flat", "w"}, {"g"});
  builder.main.node("Reshape", {"g", "cube"}, {"c"}).node("Add", {"c", "x"}, {"s"}).node("Relu", {"s"}, {"r"});
  builder.main.node("Reshape", {"r", "rows"}, {"y"}).output("y");
  EXPECT_EQ(run_both(builder, {random_floats({2, 3, 8}, 4)}), Names{"onnxrun.Gemm"});
}

// Self-attention of 3 heads of 8 over x [batch, length, 24], after the projections.
struct AttentionModel {
  AttentionModel() {
    builder.main.input("q", DType::float32, {"batch", "length", "24"})
        .input("k", DType::float32, {"batch", "keys", "24"})
        .input("v", DType::float32, {"batch", "keys", "24"})
        .input("mask", DType::float32, {"batch", "1", "1", "keys"})
        .input("allowed", DType::boolean, {"length", "keys"})
        .constant("heads", integers({4}, {0, 0, 3, 8}))
        .constant("merged", integers({3}, {0, 0, 24}))
        .constant("scale", floats({}, {0.35355339F}))
        .constant("divisor", floats({1}, {2.8284271F}))
        .constant("root", floats({}, {0.59460356F}))
        .constant("lowest", floats({}, {-10000}));
    for (const std::string name : {"q", "k", "v"}) builder.main.node("Reshape", {name, "heads"}, {name + "4"});
    transpose("q4", "qh", {0, 2, 1, 3});
    transpose("v4", "vh", {0, 2, 1, 3});
  }

  Body& transpose(const std::string& input, const std::string& output, std::vector<int64_t> perm) {
    return builder.main.node("Transpose", {input}, {output}, {{"perm", std::move(perm)}});
  }
  // The keys as [batch, heads, 8, keys], in one step.
  Body& keys() { return transpose("k4", "kt", {0, 2, 3, 1}); }
  void finish(const std::string& scores) {
    builder.main.node("Softmax", {scores}, {"p"}, {{"axis", int64_t{-1}}}).node("MatMul", {"p", "vh"}, {"o"});
    transpose("o", "ot", {0, 2, 1, 3}).node("Reshape", {"ot", "merged"}, {"y"}).output("y");
  }
  Names run(int64_t length = 5) {
    Tensor mask = random_floats({2, 1, 1, 11}, 4);
    mask.mutable_values<float>()[3] = -10000;
    Tensor allowed(DType::boolean, {length, 11});
    for (int64_t i = 0; i < length * 11; ++i) allowed.mutable_values<bool>()[static_cast<size_t>(i)] = i % 3 != 1;
    return run_both(builder,
                    {random_floats({2, length, 24}, 1), random_floats({2, 11, 24}, 2), random_floats({2, 11, 24}, 3),
                     mask, allowed},
                    2e-5F);
  }

  ModelBuilder builder;
};

const Names kAttention = {"onnxrun.HeadAttention"};

TEST(Fusion, AttentionWithAScaleBehindTheScoresAndAMask) {
  for (const int64_t length : {1, 5, 70}) {
    AttentionModel model;
    model.keys().node("MatMul", {"qh", "kt"}, {"s"}).node("Div", {"s", "divisor"}, {"d"});
    model.builder.main.node("Add", {"d", "mask"}, {"m"});
    model.finish("m");
    EXPECT_EQ(model.run(length), kAttention) << length;
  }
}

TEST(Fusion, AttentionWithScalesOnBothSides) {
  AttentionModel model;
  model.transpose("k4", "kh", {0, 2, 1, 3});
  model.transpose("kh", "kt", {0, 1, 3, 2}).node("Mul", {"qh", "root"}, {"qs"}).node("Mul", {"kt", "root"}, {"ks"});
  model.builder.main.node("MatMul", {"qs", "ks"}, {"s"});
  model.finish("s");
  EXPECT_EQ(model.run(), kAttention);
}

TEST(Fusion, AttentionWithAMaskThatChooses) {
  for (const bool forbids : {false, true}) {
    AttentionModel model;
    model.keys().node("MatMul", {"qh", "kt"}, {"s"}).node("Mul", {"scale", "s"}, {"d"});
    model.builder.main.node("Where", forbids ? Names{"allowed", "lowest", "d"} : Names{"allowed", "d", "lowest"},
                            {"m"});
    model.finish("m");
    EXPECT_EQ(model.run(), kAttention) << forbids;
  }
}

// A query that may attend to nothing gives zeros.
TEST(Fusion, AttentionWithAGuardAgainstEmptyRows) {
  ModelBuilder builder;
  builder.main.input("q", DType::float32, {"2", "4", "8"});
  builder.main.input("k", DType::float32, {"2", "5", "8"}).input("mask", DType::float32, {"4", "5"});
  builder.main.constant("zero", floats({}, {0}));
  builder.main.node("Transpose", {"k"}, {"t"}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
  builder.main.node("MatMul", {"q", "t"}, {"s"}).node("Add", {"s", "mask"}, {"m"}).node("Softmax", {"m"}, {"p"});
  builder.main.node("IsNaN", {"p"}, {"n"}).node("Where", {"n", "zero", "p"}, {"g"});
  builder.main.node("MatMul", {"g", "k"}, {"y"}).output("y");
  Tensor mask = random_floats({4, 5}, 3);
  std::fill_n(mask.mutable_values<float>().data() + 5, 5, -std::numeric_limits<float>::infinity());
  const std::vector<Value> inputs = {random_floats({2, 4, 8}, 1), random_floats({2, 5, 8}, 4), mask};
  EXPECT_EQ(run_both(builder, inputs, 2e-5F), kAttention);
}

// Heads and batch on one axis, the length first.
TEST(Fusion, AttentionOfThreeAxes) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"7", "6", "8"}).input("mask", DType::float32, {"6", "7", "7"});
  builder.main.constant("divisor", floats({}, {2.8284271F}));
  const auto transpose = [&](const std::string& input, const std::string& output, std::vector<int64_t> perm) {
    builder.main.node("Transpose", {input}, {output}, {{"perm", std::move(perm)}});
  };
  transpose("x", "q", {1, 0, 2});
  transpose("x", "k", {1, 2, 0});
  transpose("x", "v", {1, 0, 2});
  builder.main.node("Div", {"q", "divisor"}, {"qs"})
      .node("MatMul", {"qs", "k"}, {"s"})
      .node("Add", {"mask", "s"}, {"m"});
  builder.main.node("Softmax", {"m"}, {"p"}, {{"axis", int64_t{2}}}).node("MatMul", {"p", "v"}, {"o"});
  transpose("o", "y", {1, 0, 2});
  builder.main.output("y");
  EXPECT_EQ(run_both(builder, {random_floats({7, 6, 8}, 1), random_floats({6, 7, 7}, 2)}, 2e-5F), kAttention);
}

// Position embeddings are cut to the length of the sequence, which is no number when the model is loaded.
TEST(Fusion, AttentionOverSequencesOfAnyLength) {
  ModelBuilder builder;
  Tensor positions(DType::int64, {1, 16});
  for (int64_t i = 0; i < 16; ++i) positions.mutable_values<int64_t>()[static_cast<size_t>(i)] = 15 - i;
  Body& main = builder.main;
  main.input("ids", DType::int64, {"batch", "length"}).input("mask", DType::float32, {"batch", "length"});
  main.constant("positions", positions).constant("words", random_floats({9, 24}, 1));
  main.constant("places", random_floats({16, 24}, 2)).constant("axis", integers({1}, {1}));
  main.constant("zero", integers({1}, {0})).constant("axes", integers({2}, {1, 2})).constant("one", integers({}, {1}));
  main.constant("heads", integers({4}, {0, 0, 3, 8}));
  main.node("Shape", {"ids"}, {"shape"}).node("Gather", {"shape", "one"}, {"length"});
  main.node("Unsqueeze", {"length", "zero"}, {"end"}).node("Slice", {"positions", "zero", "end", "axis"}, {"cut"});
  main.node("Gather", {"words", "ids"}, {"word"}).node("Gather", {"places", "cut"}, {"place"});
  main.node("Add", {"word", "place"}, {"x"}).node("Reshape", {"x", "heads"}, {"h"});
  main.node("Transpose", {"h"}, {"q"}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  main.node("Transpose", {"h"}, {"k"}, {{"perm", std::vector<int64_t>{0, 2, 3, 1}}});
  main.node("Unsqueeze", {"mask", "axes"}, {"m"}).node("MatMul", {"q", "k"}, {"s"}).node("Add", {"s", "m"}, {"masked"});
  main.node("Softmax", {"masked"}, {"p"}).node("MatMul", {"p", "q"}, {"y"}).output("y");
  for (const int64_t length : {1, 5, 16}) {
    Tensor ids(DType::int64, {2, length});
    for (int64_t i = 0; i < 2 * length; ++i) ids.mutable_values<int64_t>()[static_cast<size_t>(i)] = i * 5 % 9;
    const Names names = run_both(builder, {ids, random_floats({2, length}, 3)}, 2e-5F);
    EXPECT_EQ(names.back(), "onnxrun.HeadAttention") << ::testing::PrintToString(names);
  }
}

// A mask that is cut from a table fits sequences as long as the table, as its broadcasting does.
TEST(Fusion, AttentionRefusesAMaskThatIsTooShort) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"2", "length", "8"}).constant("table", random_floats({1, 6}, 1));
  builder.main.constant("zero", integers({1}, {0})).constant("one", integers({1}, {1}));
  builder.main.node("Shape", {"x"}, {"shape"}).node("Gather", {"shape", "one"}, {"length"});
  builder.main.node("Slice", {"table", "zero", "length", "one"}, {"mask"});
  builder.main.node("Transpose", {"x"}, {"t"}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
  builder.main.node("MatMul", {"x", "t"}, {"s"}).node("Add", {"s", "mask"}, {"m"}).node("Softmax", {"m"}, {"p"});
  builder.main.node("MatMul", {"p", "x"}, {"y"}).output("y");
  for (const int64_t length : {1, 5, 6}) {
    const Names names = run_both(builder, {random_floats({2, length, 8}, 2)}, 2e-5F);
    EXPECT_EQ(names.back(), "onnxrun.HeadAttention") << ::testing::PrintToString(names);
  }
  const Session session(builder.model());
  EXPECT_THROW(session.run(std::vector<Value>{random_floats({2, 7, 8}, 2)}), Error);
}

// Self-attention of 3 heads of 8 whose operands `write` makes of x [batch, length, 24] as q, k and v.
Names run_self_attention(const std::function<void(Body&)>& write) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"batch", "length", "24"})
      .input("z", DType::float32, {"batch", "length", "24"});
  builder.main.constant("heads", integers({4}, {0, 0, 3, 8})).constant("rows", integers({3}, {0, 0, 24}));
  write(builder.main);
  for (const std::string name : {"q", "k", "v"}) {
    builder.main.node("Reshape", {name, "heads"}, {name + "4"});
    const std::vector<int64_t> perm = name == "k" ? std::vector<int64_t>{0, 2, 3, 1} : std::vector<int64_t>{0, 2, 1, 3};
    builder.main.node("Transpose", {name + "4"}, {name + "h"}, {{"perm", perm}});
  }
  builder.main.node("MatMul", {"qh", "kh"}, {"s"}).node("Softmax", {"s"}, {"p"}).node("MatMul", {"p", "vh"}, {"o"});
  builder.main.node("Transpose", {"o"}, {"t"}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  builder.main.node("Reshape", {"t", "rows"}, {"y"}).output("y");
  return run_both(builder, {random_floats({2, 7, 24}, 1), random_floats({2, 7, 24}, 2)}, 2e-5F);
}

Body& project(Body& main, const std::string& from, const std::string& name, bool has_bias, uint32_t seed) {
  main.constant("w" + name, random_floats({24, 24}, seed));
  if (!has_bias) return main.node("MatMul", {from, "w" + name}, {name});
  main.constant("b" + name, random_floats({24}, seed + 1)).node("MatMul", {from, "w" + name}, {name + "0"});
  return main.node("Add", {"b" + name, name + "0"}, {name});
}

TEST(Fusion, ProjectionsOfTheSameRowsAreOneProduct) {
  const Names names = run_self_attention([](Body& main) {
    project(main, "x", "q", true, 1);
    project(main, "x", "k", false, 2);
    project(main, "x", "v", true, 3);
  });
  EXPECT_EQ(names, (Names{"onnxrun.Gemm", "onnxrun.HeadAttention"}));
}

TEST(Fusion, ProjectionsThatAreTakenApartStayTogether) {
  const auto whole = [](Body& main) {
    main.constant("w", random_floats({24, 72}, 1)).node("MatMul", {"x", "w"}, {"m"});
  };
  const Names split = run_self_attention([&](Body& main) {
    whole(main);
    main.constant("sizes", integers({3}, {24, 24, 24}));
    main.node("Split", {"m", "sizes"}, {"v", "q", "k"}, {{"axis", int64_t{2}}});
  });
  EXPECT_EQ(split, (Names{"onnxrun.Gemm", "onnxrun.HeadAttention"}));
  const Names slices = run_self_attention([&](Body& main) {
    whole(main);
    main.constant("axis", integers({1}, {-1})).constant("0", integers({1}, {0})).constant("24", integers({1}, {24}));
    main.constant("48", integers({1}, {48})).constant("end", integers({1}, {std::numeric_limits<int64_t>::max()}));
    main.node("Slice", {"m", "0", "24", "axis"}, {"q"}).node("Slice", {"m", "24", "48", "axis"}, {"k"});
    main.node("Slice", {"m", "48", "end", "axis"}, {"v"});
  });
  EXPECT_EQ(slices, (Names{"onnxrun.Gemm", "onnxrun.HeadAttention"}));
}

// PyTorch's MultiheadAttention has rows first and joins the batch and the heads.
TEST(Fusion, ProjectionsWhoseHeadsAreJoinedWithTheBatch) {
  for (const bool has_mask : {false, true}) {
    for (const bool is_read : {false, true}) {
      ModelBuilder builder;
      Body& main = builder.main;
      main.input("x", DType::float32, {"length", "batch", "24"}).constant("w", random_floats({24, 72}, 1));
      main.node("MatMul", {"x", "w"}, {"m"}).constant("sizes", integers({3}, {24, 24, 24}));
      main.node("Split", {"m", "sizes"}, {"q", "k", "v"}, {{"axis", int64_t{2}}});
      main.constant("one", integers({1}, {1}))
          .constant("zero", integers({1}, {0}))
          .constant("three", integers({1}, {3}));
      main.constant("eight", integers({1}, {8})).constant("rest", integers({1}, {24}));
      main.node("Shape", {"x"}, {"shape"}).node("Gather", {"shape", "zero"}, {"rows"});
      main.node("Gather", {"shape", "one"}, {"batch"}).node("Mul", {"batch", "three"}, {"joined"});
      main.node("Concat", {"rows", "joined", "eight"}, {"apart"}, {{"axis", int64_t{0}}});
      main.node("Mul", {"rows", "batch"}, {"all"}).node("Concat", {"all", "rest"}, {"flat"}, {{"axis", int64_t{0}}});
      for (const std::string name : {"q", "k", "v"}) {
        main.node("Reshape", {name, "apart"}, {name + "3"});
        const std::vector<int64_t> perm = name == "k" ? std::vector<int64_t>{1, 2, 0} : std::vector<int64_t>{1, 0, 2};
        main.node("Transpose", {name + "3"}, {name + "h"}, {{"perm", perm}});
      }
      main.node("MatMul", {"qh", "kh"}, {"s"}).constant("mask", random_floats({7, 7}, 3));
      main.node("Add", {"s", "mask"}, {"a"}).node("Softmax", {has_mask ? "a" : "s"}, {"p"});
      main.node("MatMul", {"p", "vh"}, {"o"})
          .node("Transpose", {"o"}, {"t"}, {{"perm", std::vector<int64_t>{1, 0, 2}}});
      main.node("Reshape", {"t", "flat"}, {"y"}).output("y");
      if (is_read) main.node("Relu", {"t"}, {"z"}).output("z");
      const Names names = run_both(builder, {random_floats({7, 2, 24}, 2)}, 2e-5F);
      EXPECT_EQ(std::count(names.begin(), names.end(), "onnxrun.HeadAttention"), 1) << ::testing::PrintToString(names);
      EXPECT_EQ(std::count(names.begin(), names.end(), "Split"), is_read ? 1 : 0) << ::testing::PrintToString(names);
    }
  }
}

TEST(Fusion, ProjectionsThatOthersReadOrOfOtherRowsStay) {
  const Names others = run_self_attention([](Body& main) {
    project(main, "x", "q", true, 1);
    project(main, "z", "k", true, 2);
    project(main, "z", "v", true, 3);
  });
  EXPECT_EQ(std::count(others.begin(), others.end(), "onnxrun.Gemm"), 3) << ::testing::PrintToString(others);
  const Names read = run_self_attention([](Body& main) {
    project(main, "x", "q", true, 1);
    project(main, "x", "k", true, 2);
    project(main, "x", "v", true, 3).node("Exp", {"k"}, {"e"}).output("e");
  });
  EXPECT_EQ(std::count(read.begin(), read.end(), "onnxrun.Gemm"), 3) << ::testing::PrintToString(read);
}

TEST(Fusion, OtherAttentionStays) {
  const auto expect_kept = [](AttentionModel& model) {
    const Names names = model.run();
    EXPECT_EQ(std::count(names.begin(), names.end(), "Softmax"), 1) << ::testing::PrintToString(names);
  };
  AttentionModel read;
  read.keys().node("MatMul", {"qh", "kt"}, {"s"});
  read.finish("s");
  read.builder.main.output("p");
  expect_kept(read);
  AttentionModel other_axis;
  other_axis.keys().node("MatMul", {"qh", "kt"}, {"s"}).node("Softmax", {"s"}, {"p"}, {{"axis", int64_t{2}}});
  other_axis.builder.main.node("MatMul", {"p", "vh"}, {"y"}).output("y");
  expect_kept(other_axis);
  AttentionModel scaled_by_tensor;
  scaled_by_tensor.keys().node("MatMul", {"qh", "kt"}, {"s"}).node("Mul", {"s", "mask"}, {"m"});
  scaled_by_tensor.finish("m");
  expect_kept(scaled_by_tensor);
}

}  // namespace
}  // namespace onnxrun
