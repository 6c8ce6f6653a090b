// Quantized models with scales that are powers of two: sums of floats are exact then, and rounded as integers are.
#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "kernels/channel_block.h"
#include "onnxrun/error.h"
#include "onnxrun/session.h"
#include "support/model_builder.h"

namespace onnxrun {
namespace {

using Names = std::vector<std::string>;
using Attributes = ModelBuilder::Attributes;

template <class T>
Tensor whole_numbers(DType dtype, const Shape& shape, int low, int high, uint32_t seed) {
  Tensor tensor(dtype, shape);
  for (T& value : tensor.mutable_values<T>()) {
    seed = seed * 1664525 + 1013904223;
    value = static_cast<T>(low + static_cast<int>(seed >> 8) % (high - low + 1));
  }
  return tensor;
}

Tensor one(DType dtype, int number, const Shape& shape = {}) {
  Tensor tensor(dtype, shape);
  if (dtype == DType::uint8) tensor.mutable_values<uint8_t>()[0] = static_cast<uint8_t>(number);
  if (dtype == DType::int8) tensor.mutable_values<int8_t>()[0] = static_cast<int8_t>(number);
  return tensor;
}

// Writes quantized operators as exporters do.
class Quantized {
 public:
  explicit Quantized(DType dtype = DType::uint8) : dtype_(dtype) {}

  ModelBuilder builder;

  // Quantizes and dequantizes a value; returns the new one.
  std::string edge(const std::string& value, float scale, int zero) {
    std::string name = value + "_" + std::to_string(count_++);
    const Shape shape = count_ % 2 == 0 ? Shape() : Shape{1};  // both stand for one number
    builder.main.constant(name + "s", floats(shape, {scale})).constant(name + "z", one(dtype_, zero, shape));
    builder.main.node("QuantizeLinear", {value, name + "s", name + "z"}, {name + "q"});
    builder.main.node("DequantizeLinear", {name + "q", name + "s", name + "z"}, {name});
    return name;
  }

  // int8 weights with a scale for each element of the axis.
  std::string weights(const Shape& shape, int64_t axis, DType dtype = DType::int8) {
    std::string name = "w" + std::to_string(count_++);
    std::vector<float> scales(static_cast<size_t>(shape[static_cast<size_t>(axis)]));
    for (size_t i = 0; i < scales.size(); ++i) scales[i] = i % 3 == 0 ? 0.25F : 0.125F;
    Tensor zeros(dtype, {shape[static_cast<size_t>(axis)]});
    std::memset(zeros.mutable_data(), dtype == DType::uint8 ? 128 : 0, zeros.bytes());
    builder.main.constant(name + "q", dtype == DType::uint8 ? whole_numbers<uint8_t>(dtype, shape, 120, 136, count_)
                                                            : whole_numbers<int8_t>(dtype, shape, -8, 8, count_));
    builder.main.constant(name + "s", floats({shape[static_cast<size_t>(axis)]}, scales)).constant(name + "z", zeros);
    builder.main.node("DequantizeLinear", {name + "q", name + "s", name + "z"}, {name}, {{"axis", axis}});
    return name;
  }

  std::string bias(int64_t channels) {
    std::string name = "b" + std::to_string(count_++);
    builder.main.constant(name + "q", whole_numbers<int32_t>(DType::int32, {channels}, -50, 50, count_));
    builder.main.constant(name + "s", floats({}, {0.125F}));
    builder.main.node("DequantizeLinear", {name + "q", name + "s"}, {name});
    return name;
  }

  std::string node(const std::string& op_type, const Names& inputs, const Attributes& attributes = {}) {
    std::string name = "y" + std::to_string(count_++);
    builder.main.node(op_type, inputs, {name}, attributes);
    return name;
  }

 private:
  DType dtype_;
  uint32_t count_ = 0;
};

// The operators of the steps; their results must be those of the model as it stands, to the last bit.
std::multiset<std::string> run(const ModelBuilder& builder, const Tensor& x, int threads = 1) {
  SessionOptions options;
  options.verify_passes = true;
  options.threads = threads;
  const Session session(builder.model(), options);
  SessionOptions plain;
  plain.opt_level = 0;
  const auto got = session.run(std::vector<Value>{x});
  const auto expected = Session(builder.model(), plain).run(std::vector<Value>{x});
  for (size_t j = 0; j < got.size(); ++j) {
    const Tensor &a = got[j].tensor(), &b = expected[j].tensor();
    EXPECT_EQ(a.shape(), b.shape());
    EXPECT_EQ(std::memcmp(a.data(), b.data(), std::min(a.bytes(), b.bytes())), 0) << "output " << j;
  }
  std::multiset<std::string> names;
  for (const StepInfo& step : session.steps()) names.insert(step.node.substr(0, step.node.find(' ')));
  return names;
}

// How many of an operator there are where there are kernels for it; without, 0.
size_t fused(size_t count) { return has_byte_convolutions() ? count : 0; }

const Attributes kSame = {{"pads", std::vector<int64_t>{1, 1, 1, 1}}};

Tensor image(const Shape& shape) { return whole_numbers<float>(DType::float32, shape, -40, 40, 7); }

TEST(QuantizedOperators, ConvolutionsMultiplyBytes) {
  for (const DType dtype : {DType::uint8, DType::int8}) {
    const int middle = dtype == DType::uint8 ? 128 : 0;
    Quantized net(dtype);
    net.builder.main.input("x", DType::float32, {"n", "3", "13", "13"});
    std::string y = net.edge("x", 0.5F, middle - 3);
    y = net.node("Conv", {y, net.weights({20, 3, 3, 3}, 0), net.bias(20)}, kSame);
    y = net.edge(net.node("Relu", {y}), 2, middle - 100);
    y = net.node("Conv", {y, net.weights({40, 20, 1, 1}, 0, DType::uint8)});
    net.builder.main.constant("low", floats({}, {-6})).constant("high", floats({}, {37}));
    y = net.edge(net.node("Clip", {y, "low", "high"}), 0.5F, middle + 5);
    net.builder.main.node("Conv", {y, net.weights({7, 40, 3, 3}, 0), net.bias(7)}, {"y"},
                          {{"strides", std::vector<int64_t>{2, 2}}});
    net.builder.main.output("y");
    for (const int threads : {1, 3}) {
      const auto steps = run(net.builder, image({2, 3, 13, 13}), threads);
      EXPECT_EQ(steps.count("onnxrun.BlockedQuantizedConv"), fused(3)) << dtype_name(dtype);
    }
  }
}

TEST(QuantizedOperators, GroupsOfChannels) {
  Quantized net;
  net.builder.main.input("x", DType::float32, {"1", "32", "9", "9"});
  std::string y = net.edge("x", 0.5F, 100);
  y = net.edge(net.node("Conv", {y, net.weights({32, 1, 3, 3}, 0), net.bias(32)},
                        {{"group", int64_t{32}}, {"pads", std::vector<int64_t>{1, 1, 1, 1}}}),
               1, 90);
  y = net.edge(net.node("Conv", {y, net.weights({64, 16, 3, 3}, 0)}, {{"group", int64_t{2}}}), 2, 128);
  // These have no kernel of bytes: few channels in a group, and a depthwise one whose floats are wanted.
  y = net.edge(net.node("Conv", {y, net.weights({64, 4, 1, 1}, 0)}, {{"group", int64_t{16}}}), 1, 60);
  net.builder.main.node("Conv", {y, net.weights({64, 1, 3, 3}, 0)}, {"y"}, {{"group", int64_t{64}}}).output("y");
  const auto steps = run(net.builder, image({1, 32, 9, 9}));
  EXPECT_EQ(steps.count("onnxrun.BlockedQuantizedConv"), fused(2));
}

// Rows of a few elements and outputs of one column, after which the kernels see other shapes.
TEST(QuantizedOperators, ShortRows) {
  const std::vector<int64_t> ends = {1, 0, 1, 0};
  for (const int64_t columns : {1, 4, 7, 12, 13}) {
    Quantized net;
    net.builder.main.input("x", DType::float32, {"1", "32", "9", std::to_string(columns)});
    std::string y = net.edge("x", 0.5F, 100);
    y = net.edge(
        net.node("Conv", {y, net.weights({32, 1, 3, 1}, 0), net.bias(32)}, {{"group", int64_t{32}}, {"pads", ends}}), 1,
        90);
    y = net.edge(net.node("Conv", {y, net.weights({32, 1, 3, 1}, 0)},
                          {{"group", int64_t{32}}, {"dilations", std::vector<int64_t>{2, 1}}}),
                 1, 100);
    y = net.edge(net.node("Conv", {y, net.weights({20, 32, 3, 1}, 0)}, {{"pads", ends}}), 2, 128);
    net.builder.main.node("Conv", {y, net.weights({18, 20, 2, columns}, 0)}, {"y"}).output("y");
    for (const int threads : {1, 3}) {
      const auto steps = run(net.builder, image({1, 32, 9, columns}), threads);
      EXPECT_EQ(steps.count("onnxrun.BlockedQuantizedConv"), fused(4)) << columns << " columns";
    }
  }
}

TEST(QuantizedOperators, ResidualsPoolsAndConcatsKeepBytes) {
  Quantized net;
  net.builder.main.input("x", DType::float32, {"1", "16", "12", "12"});
  const std::string x = net.edge("x", 0.5F, 128);
  const std::string a = net.edge(net.node("Conv", {x, net.weights({16, 16, 3, 3}, 0)}, kSame), 1, 110);
  const std::string sum = net.edge(net.node("Relu", {net.node("Add", {a, x})}), 0.5F, 20);
  const std::string pool = net.edge(net.node("MaxPool", {sum},
                                             {{"kernel_shape", std::vector<int64_t>{3, 3}},
                                              {"strides", std::vector<int64_t>{2, 2}},
                                              {"pads", std::vector<int64_t>{1, 1, 1, 1}}}),
                                    0.5F, 20);
  const std::string b = net.edge(net.node("Conv", {pool, net.weights({32, 16, 1, 1}, 0)}), 1, 100);
  const std::string both = net.edge(net.node("Concat", {pool, b}, {{"axis", int64_t{1}}}), 0.5F, 20);
  net.builder.main.node("Conv", {both, net.weights({8, 48, 1, 1}, 0)}, {"y"}).output("y");
  const auto steps = run(net.builder, image({1, 16, 12, 12}));
  EXPECT_EQ(steps.count("onnxrun.BlockedQuantizedConv"), fused(3));
  EXPECT_EQ(steps.count("onnxrun.QuantizedAdd"), fused(1));
  EXPECT_EQ(steps.count("onnxrun.BlockedMaxPool"), size_t{1});
  EXPECT_EQ(steps.count("onnxrun.UnblockChannels"), size_t{1}) << "at the end";
}

TEST(QuantizedOperators, ProductsMultiplyBytes) {
  for (const bool transposed : {false, true}) {
    Quantized net;
    net.builder.main.input("x", DType::float32, {"n", "5", "24"}).constant("rows", integers({2}, {-1, 33}));
    std::string y = net.edge("x", 0.5F, 120);
    y = net.edge(net.node("MatMul", {y, net.weights({24, 33}, 1)}), 1, 128);
    y = net.edge(net.node("Reshape", {y, "rows"}), 1, 128);
    const std::string w = transposed ? net.weights({10, 33}, 0) : net.weights({33, 10}, 1);
    net.builder.main.node("Gemm", {y, w, net.bias(10)}, {"y"}, {{"transB", int64_t{transposed}}}).output("y");
    const auto steps = run(net.builder, image({2, 5, 24}), 2);
    EXPECT_EQ(steps.count("onnxrun.QuantizedMatMul"), fused(2));
    EXPECT_EQ(steps.count("onnxrun.Gemm") + steps.count("Gemm") + steps.count("MatMul"), 2 - fused(2));
  }
}

// As PyTorch writes what was trained to be quantized: weights in floats, numbers as nodes.
TEST(QuantizedOperators, WeightsMayBeQuantizedInTheGraph) {
  Quantized net;
  ModelBuilder::Body& body = net.builder.main;
  body.input("x", DType::float32, {"3", "20"}).constant("w", whole_numbers<float>(DType::float32, {6, 20}, -30, 30, 3));
  body.node("Constant", {}, {"s"}, {{"value", floats({}, {0.5F})}});
  body.node("Constant", {}, {"z"}, {{"value", one(DType::int8, 0)}});
  body.node("QuantizeLinear", {"w", "s", "z"}, {"wq"}).node("DequantizeLinear", {"wq", "s", "z"}, {"wd"});
  body.node("Transpose", {"wd"}, {"wt"}, {{"perm", std::vector<int64_t>{1, 0}}});
  body.node("MatMul", {net.edge("x", 0.5F, 128), "wt"}, {"y"}).output("y");
  EXPECT_EQ(run(net.builder, image({3, 20})).count("onnxrun.QuantizedMatMul"), fused(1));
}

TEST(QuantizedOperators, OneChannelIsNotDepthwise) {
  Quantized net;
  net.builder.main.input("x", DType::float32, {"2", "1", "9", "9"});
  const std::string y = net.node("Conv", {net.edge("x", 0.5F, 100), net.weights({1, 1, 3, 3}, 0)}, kSame);
  net.builder.main.node("Neg", {net.edge(y, 1, 128)}, {"y"}).output("y");
  EXPECT_EQ(run(net.builder, image({2, 1, 9, 9})).count("onnxrun.BlockedQuantizedConv"), fused(1));
}

TEST(QuantizedOperators, ExtentsAreChecked) {
  Quantized net;
  net.builder.main.input("x", DType::float32, {"n", "k"});
  net.builder.main.node("MatMul", {net.edge("x", 0.5F, 128), net.weights({24, 3}, 1)}, {"y"}).output("y");
  const Session session(net.builder.model(), {});
  EXPECT_EQ(session.run(std::vector<Value>{image({2, 24})})[0].tensor().shape(), Shape({2, 3}));
  EXPECT_THROW(session.run(std::vector<Value>{image({2, 32})}), Error);
}

// More products than an int32 holds, and floats of another type beside.
TEST(QuantizedOperators, WhatWouldNotFitStaysInFloats) {
  Quantized many;
  many.builder.main.input("x", DType::float32, {"1", "70000"});
  many.builder.main.node("MatMul", {many.edge("x", 0.5F, 0), many.weights({70000, 1}, 1)}, {"y"}).output("y");
  for (const StepInfo& step : Session(many.builder.model(), {}).steps()) {
    EXPECT_FALSE(step.node.starts_with("onnxrun.QuantizedMatMul"));
  }
  Quantized net(DType::int8);
  net.builder.opset = 23;
  ModelBuilder::Body& body = net.builder.main;
  body.input("x", DType::float32, {"2", "24"}).constant("s", floats({}, {0.5F})).constant("z", one(DType::int8, 3));
  body.node("QuantizeLinear", {"x", "s", "z"}, {"q"}).node("DequantizeLinear", {"q", "s", "z"}, {"d"});
  body.node("DequantizeLinear", {"q", "s", "z"}, {"h"}, {{"output_dtype", static_cast<int64_t>(DType::float16)}});
  body.node("MatMul", {"d", net.weights({24, 3}, 1)}, {"y"}).output("y").output("h");
  EXPECT_EQ(run(net.builder, image({2, 24})).count("onnxrun.QuantizedMatMul"), fused(1));
}

TEST(QuantizedOperators, LinearConvolutionsAreTheSame) {
  Quantized net;
  net.builder.main.input("x", DType::uint8, {"1", "24", "9", "9"});
  net.builder.main.constant("xs", floats({}, {0.5F})).constant("xz", one(DType::uint8, 110));
  net.builder.main.constant("ys", floats({}, {2})).constant("yz", one(DType::uint8, 77));
  net.builder.main.constant("w", whole_numbers<int8_t>(DType::int8, {40, 24, 3, 3}, -8, 8, 5))
      .constant("ws", floats({}, {0.25F}))
      .constant("wz", one(DType::int8, 0))
      .constant("b", whole_numbers<int32_t>(DType::int32, {40}, -900, 900, 3));
  net.builder.main.node("QLinearConv", {"x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"}, {"y"}, kSame).output("y");
  const auto steps = run(net.builder, whole_numbers<uint8_t>(DType::uint8, {1, 24, 9, 9}, 0, 255, 9));
  EXPECT_EQ(steps.count("onnxrun.BlockedQuantizedConv"), fused(1));
}

TEST(QuantizedOperators, AnAdditionIsExactAtAZeroPoint) {
  Quantized net;
  net.builder.main.input("x", DType::float32, {"2", "30"});
  const std::string nothing = net.edge("x", 4194304, 131);  // of a scale beside which x is 0
  net.builder.main.node("Neg", {net.edge(net.node("Add", {nothing, net.edge("x", 0.5F, 128)}), 0.5F, 120)}, {"y"});
  net.builder.main.output("y");
  EXPECT_EQ(run(net.builder, image({2, 30})).count("onnxrun.QuantizedAdd"), fused(1));
}

// Convolutions that no pass lays out in blocks.
TEST(QuantizedOperators, PlainMapsGiveTheSame) {
  for (const bool to_floats : {false, true}) {
    Quantized net;
    net.builder.main.input("x", DType::float32, {"1", "6", "7", "7"});
    std::string y = net.node("Conv", {net.edge("x", 0.5F, 100), net.weights({18, 6, 3, 3}, 0), net.bias(18)}, kSame);
    if (!to_floats) y = net.edge(y, 1, 128);
    net.builder.main.node("Neg", {y}, {"y"}).output("y");
    SessionOptions options;
    options.disabled_passes = {"block_channels"};
    SessionOptions plain;
    plain.opt_level = 0;
    const std::vector<Value> inputs = {image({1, 6, 7, 7})};
    EXPECT_EQ(elements(Session(net.builder.model(), options).run(inputs)[0]),
              elements(Session(net.builder.model(), plain).run(inputs)[0]));
  }
}

TEST(QuantizedOperators, StrictComputesInFloats) {
  Quantized net;
  net.builder.main.input("x", DType::float32, {"1", "4"});
  net.builder.main.node("MatMul", {net.edge("x", 0.5F, 128), net.weights({4, 3}, 1)}, {"y"}).output("y");
  SessionOptions strict;
  strict.precision = Precision::strict;
  for (const StepInfo& step : Session(net.builder.model(), strict).steps()) {
    EXPECT_FALSE(step.node.starts_with("onnxrun.QuantizedMatMul"));
  }
}

// Weights with zero points, several scales of an input, integers that somebody else reads.
TEST(QuantizedOperators, OthersStayAsTheyAre) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"2", "4"}).constant("s", floats({}, {0.5F}));
  builder.main.constant("z", one(DType::int8, 3)).constant("wz", one(DType::int8, 1));
  builder.main.constant("w", whole_numbers<int8_t>(DType::int8, {4, 3}, -8, 8, 5));
  builder.main.node("QuantizeLinear", {"x", "s", "z"}, {"q"}).output("q");
  builder.main.node("DequantizeLinear", {"q", "s", "z"}, {"d"});
  builder.main.node("DequantizeLinear", {"w", "s", "wz"}, {"v"}).node("MatMul", {"d", "v"}, {"y"}).output("y");
  const auto steps = run(builder, image({2, 4}));
  EXPECT_EQ(steps.count("onnxrun.QuantizedMatMul"), size_t{0});
}

}  // namespace
}  // namespace onnxrun
