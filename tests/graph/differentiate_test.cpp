#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "onnxrun/error.h"
#include "onnxrun/session.h"
#include "support/model_builder.h"

namespace onnxrun {
namespace {

using Attributes = ModelBuilder::Attributes;
using Integers = std::vector<int64_t>;
using Strings = std::vector<std::string>;

const std::string kDomain = "ai.onnx.preview.training";

Tensor doubles(const Shape& shape, const std::vector<double>& values) {
  return Tensor::of<double>(DType::float64, shape, values);
}

// Values of [0.2, 1.2), so that all functions are smooth there, none twice.
Tensor draw(const Shape& shape, uint32_t seed) {
  std::mt19937 random(seed);
  Tensor tensor(DType::float64, shape);
  for (double& value : tensor.mutable_values<double>()) value = 0.2 + static_cast<double>(random()) / 4294967296.0;
  return tensor;
}

// y = the sum of the weighted elements of op(inputs), and its gradient with respect to all float64 inputs.
struct Function {
  std::string op;
  std::vector<Tensor> inputs;
  Attributes attributes = {};
  int64_t opset = 21;
  size_t outputs = 1;
};

std::vector<std::string> dims_of(const Tensor& tensor) {
  std::vector<std::string> dims;
  for (const int64_t extent : tensor.shape().dims()) dims.push_back(std::to_string(extent));
  return dims;
}

Session make_session(const Function& function, int opt_level) {
  ModelBuilder builder;
  builder.opset = function.opset;
  builder.domains = {{kDomain, 1}};
  Strings names;
  Strings xs;
  for (const Tensor& tensor : function.inputs) {
    const std::string name = tensor.defined() ? "x" + std::to_string(names.size()) : "";
    if (tensor.dtype() == DType::float64) {
      builder.main.input(name, DType::float64, dims_of(tensor));
      xs.push_back(name);
    } else if (tensor.defined()) {
      builder.main.constant(name, tensor);
    }
    names.push_back(name);
  }
  Strings results;
  Strings parts;
  for (size_t j = 0; j < function.outputs; ++j) {
    results.push_back("f" + std::to_string(j));
    parts.push_back("w" + std::to_string(j));
  }
  builder.main.node(function.op, names, results, function.attributes);
  for (size_t j = 0; j < function.outputs; ++j) {
    // Every element counts differently.
    builder.main.node("Tanh", {results[j]}, {"t" + std::to_string(j)});
    builder.main.node("ReduceSum", {"t" + std::to_string(j)}, {parts[j]}, {{"keepdims", int64_t{0}}});
  }
  builder.main.node("Sum", parts, {"y"});
  Strings gradients;
  builder.main.output("y");
  for (const std::string& name : xs) {
    gradients.push_back("d" + name);
    builder.main.output(gradients.back());
  }
  builder.main.node("Gradient", xs, gradients, {{"xs", xs}, {"y", std::string("y")}}, "", kDomain);
  SessionOptions options;
  options.opt_level = opt_level;
  options.verify_passes = true;
  return Session(builder.model(), options);
}

// Compares with central differences.
void expect_gradient(const Function& function) {
  SCOPED_TRACE(function.op + "-" + std::to_string(function.opset));
  std::vector<Value> arguments;
  for (const Tensor& tensor : function.inputs) {
    if (tensor.dtype() == DType::float64) arguments.emplace_back(tensor);
  }
  try {
    const Session session = make_session(function, 2);
    const std::vector<Value> results = session.run(arguments);
    const std::vector<Value> plain = make_session(function, 0).run(arguments);
    for (size_t i = 0; i < arguments.size(); ++i) {
      const Tensor& gradient = results[i + 1].tensor();
      ASSERT_EQ(gradient.shape().to_string(), arguments[i].tensor().shape().to_string());
      for (int64_t k = 0; k < gradient.elements(); ++k) {
        constexpr double kStep = 1e-5;
        double values[2];
        for (const int side : {0, 1}) {
          std::vector<Value> moved = arguments;
          Tensor copy = arguments[i].tensor().clone();
          copy.mutable_values<double>()[static_cast<size_t>(k)] += side == 0 ? kStep : -kStep;
          moved[i] = copy;
          values[side] = session.run(moved)[0].tensor().values<double>()[0];
        }
        const double expected = (values[0] - values[1]) / (2 * kStep);
        const double actual = gradient.values<double>()[static_cast<size_t>(k)];
        EXPECT_NEAR(actual, expected, 1e-7 + 1e-7 * std::fabs(expected)) << "input " << i << ", element " << k;
        EXPECT_NEAR(plain[i + 1].tensor().values<double>()[static_cast<size_t>(k)], actual, 1e-12);
      }
    }
  } catch (const Error& error) {
    ADD_FAILURE() << error.what();
  }
}

TEST(Differentiate, UnaryOperators) {
  for (const char* op : {"Neg", "Abs", "Exp", "Log", "Sqrt", "Reciprocal", "Sigmoid", "Tanh", "Sin", "Cos", "Softplus",
                         "Erf", "Relu", "LeakyRelu", "Elu", "Identity", "Flatten", "Dropout"}) {
    expect_gradient({.op = op, .inputs = {draw({2, 3}, 1)}});
  }
  const Tensor both = doubles({4}, {-0.5, 0.7, -1.25, 2});
  for (const char* op : {"Relu", "LeakyRelu", "Elu", "Abs"}) expect_gradient({.op = op, .inputs = {both}});
  expect_gradient({.op = "LeakyRelu", .inputs = {both}, .attributes = {{"alpha", 0.3F}}, .opset = 6});
  expect_gradient({.op = "Clip", .inputs = {both}, .attributes = {{"min", -1.0F}, {"max", 1.0F}}, .opset = 6});
  expect_gradient({.op = "Cast", .inputs = {both}, .attributes = {{"to", int64_t{11}}}});
}

TEST(Differentiate, BinaryOperatorsWithBroadcasting) {
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Pow"}) {
    expect_gradient({.op = op, .inputs = {draw({2, 3}, 1), draw({2, 3}, 2)}});
    expect_gradient({.op = op, .inputs = {draw({3}, 1), draw({2, 1, 1}, 2)}, .opset = 13});
    expect_gradient({.op = op, .inputs = {draw({}, 1), draw({2, 2}, 2)}, .opset = 12});
  }
  for (const char* op : {"Sum", "Mean", "Max", "Min"}) {
    expect_gradient({.op = op, .inputs = {draw({2, 3}, 1), draw({3}, 2), draw({2, 1}, 3)}});
  }
  Tensor mask(DType::boolean, {3});
  mask.mutable_values<bool>()[0] = true;
  mask.mutable_values<bool>()[1] = false;
  mask.mutable_values<bool>()[2] = true;
  expect_gradient({.op = "Where", .inputs = {mask, draw({2, 3}, 1), draw({1}, 2)}});
}

TEST(Differentiate, Products) {
  const std::pair<Shape, Shape> shapes[] = {{{2, 3}, {3, 4}}, {{3}, {3}},          {{3}, {3, 2}},
                                            {{2, 3}, {3}},    {{2, 2, 3}, {3, 2}}, {{2, 1, 2, 3}, {3, 3, 2}},
                                            {{3}, {2, 3, 2}}, {{2, 2, 3}, {3}},    {{2, 3}, {2, 3, 1}}};
  for (const auto& [a, b] : shapes) expect_gradient({.op = "MatMul", .inputs = {draw(a, 1), draw(b, 2)}});
  for (const int64_t a : {0, 1}) {
    for (const int64_t b : {0, 1}) {
      const Attributes attributes = {{"transA", a}, {"transB", b}, {"alpha", 0.5F}, {"beta", 2.0F}};
      expect_gradient(
          {.op = "Gemm",
           .inputs = {draw(a ? Shape{3, 2} : Shape{2, 3}, 1), draw(b ? Shape{4, 3} : Shape{3, 4}, 2), draw({4}, 3)},
           .attributes = attributes});
      expect_gradient({.op = "Gemm",
                       .inputs = {draw(a ? Shape{3, 2} : Shape{2, 3}, 1), draw(b ? Shape{4, 3} : Shape{3, 4}, 2)},
                       .attributes = attributes});
    }
  }
}

TEST(Differentiate, Reductions) {
  for (const char* op :
       {"ReduceSum", "ReduceMean", "ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp"}) {
    expect_gradient({.op = op, .inputs = {draw({2, 3}, 1)}});
    expect_gradient({.op = op, .inputs = {draw({2, 3, 2}, 1), integers({2}, {0, -1})}});
    expect_gradient({.op = op,
                     .inputs = {draw({2, 3}, 1)},
                     .attributes = {{"axes", Integers{1}}, {"keepdims", int64_t{0}}},
                     .opset = 12});
  }
  for (const char* op : {"Softmax", "LogSoftmax"}) {
    expect_gradient({.op = op, .inputs = {draw({2, 3}, 1)}});
    expect_gradient({.op = op, .inputs = {draw({2, 3, 2}, 1)}, .attributes = {{"axis", int64_t{1}}}});
    expect_gradient({.op = op, .inputs = {draw({2, 3, 2}, 1)}, .attributes = {{"axis", int64_t{1}}}, .opset = 11});
  }
}

TEST(Differentiate, Movement) {
  expect_gradient({.op = "Reshape", .inputs = {draw({2, 3}, 1), integers({1}, {6})}});
  expect_gradient({.op = "Squeeze", .inputs = {draw({1, 3}, 1)}});
  expect_gradient({.op = "Unsqueeze", .inputs = {draw({2}, 1)}, .attributes = {{"axes", Integers{0}}}, .opset = 11});
  expect_gradient({.op = "Transpose", .inputs = {draw({2, 3}, 1)}});
  expect_gradient({.op = "Transpose", .inputs = {draw({2, 3, 4}, 1)}, .attributes = {{"perm", Integers{2, 0, 1}}}});
  expect_gradient({.op = "Concat",
                   .inputs = {draw({2, 1}, 1), draw({2, 3}, 2), draw({2, 2}, 3)},
                   .attributes = {{"axis", int64_t{-1}}}});
  expect_gradient(
      {.op = "Slice",
       .inputs = {draw({4, 3}, 1), integers({1}, {-1}), integers({1}, {0}), integers({1}, {0}), integers({1}, {-2})}});
  expect_gradient({.op = "Slice",
                   .inputs = {draw({4, 3}, 1)},
                   .attributes = {{"starts", Integers{1}}, {"ends", Integers{3}}},
                   .opset = 9});
  expect_gradient({.op = "Gather", .inputs = {draw({3, 2}, 1), integers({4}, {2, 0, 2, -1})}});
  expect_gradient({.op = "Expand", .inputs = {draw({3, 1}, 1), integers({3}, {2, 1, 4})}});
  expect_gradient({.op = "Tile", .inputs = {draw({2, 2}, 1), integers({2}, {1, 3})}});
  expect_gradient({.op = "Split", .inputs = {draw({5}, 1), integers({2}, {2, 3})}, .outputs = 2});
}

TEST(Differentiate, Convolutions) {
  expect_gradient({.op = "Conv", .inputs = {draw({2, 2, 5}, 1), draw({3, 2, 2}, 2), draw({3}, 3)}});
  expect_gradient({.op = "Conv",
                   .inputs = {draw({1, 4, 4, 5}, 1), draw({2, 2, 2, 3}, 2)},
                   .attributes = {{"group", int64_t{2}},
                                  {"strides", Integers{2, 1}},
                                  {"dilations", Integers{1, 2}},
                                  {"pads", Integers{1, 0, 0, 2}}}});
  expect_gradient({.op = "Conv",
                   .inputs = {draw({1, 1, 4, 3, 2}, 1), draw({2, 1, 3, 2, 1}, 2), draw({2}, 3)},
                   .attributes = {{"auto_pad", std::string("SAME_LOWER")}, {"strides", Integers{2, 2, 2}}},
                   .opset = 9});
}

TEST(Differentiate, Pools) {
  for (const char* op : {"MaxPool", "AveragePool"}) {
    expect_gradient({.op = op, .inputs = {draw({2, 2, 7}, 1)}, .attributes = {{"kernel_shape", Integers{3}}}});
    expect_gradient({.op = op,
                     .inputs = {draw({1, 2, 5, 4}, 1)},
                     .attributes = {{"kernel_shape", Integers{2, 3}},
                                    {"strides", Integers{2, 2}},
                                    {"pads", Integers{1, 1, 0, 1}},
                                    {"ceil_mode", int64_t{1}},
                                    {"dilations", Integers{2, 1}}}});
    expect_gradient(
        {.op = op, .inputs = {draw({1, 1, 4, 4}, 1)}, .attributes = {{"kernel_shape", Integers{2, 2}}}, .opset = 7});
  }
  expect_gradient({.op = "MaxPool",
                   .inputs = {draw({1, 1, 4, 4}, 1)},
                   .attributes = {{"kernel_shape", Integers{2, 2}}, {"storage_order", int64_t{1}}}});
  expect_gradient(
      {.op = "AveragePool",
       .inputs = {draw({1, 1, 4, 4}, 1)},
       .attributes = {
           {"kernel_shape", Integers{2, 2}}, {"pads", Integers{1, 1, 1, 1}}, {"count_include_pad", int64_t{1}}}});
  for (const char* op : {"GlobalAveragePool", "GlobalMaxPool"}) {
    expect_gradient({.op = op, .inputs = {draw({2, 3, 4}, 1)}});
    expect_gradient({.op = op, .inputs = {draw({1, 2, 3, 2}, 1)}});
  }
}

TEST(Differentiate, Normalizations) {
  for (const int64_t opset : {9, 14, 15}) {
    expect_gradient({.op = "BatchNormalization",
                     .inputs = {draw({2, 3, 2, 2}, 1), draw({3}, 2), draw({3}, 3), draw({3}, 4), draw({3}, 5)},
                     .attributes = {{"epsilon", 0.1F}},
                     .opset = opset});
  }
  expect_gradient({.op = "BatchNormalization",
                   .inputs = {draw({4, 3}, 1), draw({3}, 2), draw({3}, 3), draw({3}, 4), draw({3}, 5)}});
  for (const int64_t axis : {-1, 1, -2, 0}) {
    const Shape row = axis == -1 ? Shape{4} : axis == 0 ? Shape{2, 3, 4} : Shape{3, 4};
    expect_gradient({.op = "LayerNormalization",
                     .inputs = {draw({2, 3, 4}, 1), draw(row, 2), draw(row, 3)},
                     .attributes = {{"axis", axis}, {"epsilon", 0.01F}}});
  }
  expect_gradient({.op = "LayerNormalization", .inputs = {draw({2, 5}, 1), draw({5}, 2)}});
}

TEST(Differentiate, Padding) {
  for (const char* mode : {"constant", "reflect", "edge", "wrap"}) {
    expect_gradient({.op = "Pad",
                     .inputs = {draw({3, 4}, 1), integers({4}, {1, 2, 0, 1})},
                     .attributes = {{"mode", std::string(mode)}}});
  }
  expect_gradient({.op = "Pad", .inputs = {draw({3, 4}, 1), integers({4}, {-1, 2, 1, -2}), draw({}, 2)}});
  expect_gradient({.op = "Pad", .inputs = {draw({3, 4}, 1), integers({2}, {1, 2}), Tensor(), integers({1}, {-1})}});
  for (const char* mode : {"constant", "edge"}) {
    expect_gradient({.op = "Pad",
                     .inputs = {draw({3, 2}, 1)},
                     .attributes = {{"mode", std::string(mode)}, {"pads", Integers{1, 0, 0, 2}}},
                     .opset = 10});
  }
}

TEST(Differentiate, Einsum) {
  const auto expect = [](const std::string& equation, const std::vector<Shape>& shapes) {
    SCOPED_TRACE(equation);
    Function function{.op = "Einsum", .inputs = {}, .attributes = {{"equation", equation}}};
    for (const Shape& shape : shapes) function.inputs.push_back(draw(shape, static_cast<uint32_t>(shape.elements())));
    expect_gradient(function);
  };
  expect("ij,jk->ik", {{2, 3}, {3, 4}});
  expect("ij , jk", {{2, 3}, {3, 4}});
  expect("bhid,bhjd->bhij", {{1, 2, 3, 2}, {1, 2, 4, 2}});
  expect("ij->j", {{2, 3}});  // summed in one operand alone
  expect("ij,ik->", {{2, 3}, {2, 4}});
  expect("ii->i", {{3, 3}});  // a diagonal
  expect("iij,jj->i", {{2, 2, 3}, {3, 3}});
  expect("...ij,...jk->...ik", {{2, 2, 3}, {2, 3, 2}});
  expect("...ii->...", {{2, 3, 3}});
  expect("i...->...", {{2, 3}});
  expect("ij,ij->ij", {{2, 3}, {1, 3}});  // an extent of 1 broadcasts
  expect("ab,bc,cd", {{2, 3}, {3, 2}, {2, 2}});
}

TEST(Differentiate, MoreAlongAnAxis) {
  for (const char* op : {"ReduceMax", "ReduceMin"}) {
    expect_gradient({.op = op, .inputs = {draw({2, 3, 2}, 1), integers({2}, {0, -1})}});
    expect_gradient({.op = op,
                     .inputs = {draw({2, 3}, 1)},
                     .attributes = {{"axes", Integers{1}}, {"keepdims", int64_t{0}}},
                     .opset = 13});
  }
  for (const int64_t reverse : {0, 1}) {
    for (const int64_t exclusive : {0, 1}) {
      expect_gradient({.op = "CumSum",
                       .inputs = {draw({2, 4}, 1), integers({}, {1})},
                       .attributes = {{"reverse", reverse}, {"exclusive", exclusive}}});
    }
  }
  expect_gradient(
      {.op = "Trilu", .inputs = {draw({3, 4}, 1), integers({}, {1})}, .attributes = {{"upper", int64_t{0}}}});
}

// x^3 at 2: three Gradients in a row.
TEST(Differentiate, DerivativesOfDerivatives) {
  ModelBuilder builder;
  builder.domains = {{kDomain, 1}};
  builder.main.input("x", DType::float64, {}).constant("three", doubles({}, {3}));
  builder.main.node("Pow", {"x", "three"}, {"y"});
  builder.main.node("Gradient", {"x"}, {"d1"}, {{"xs", Strings{"x"}}, {"y", std::string("y")}}, "", kDomain);
  builder.main.node("Gradient", {"x"}, {"d2"}, {{"xs", Strings{"x"}}, {"y", std::string("d1")}}, "", kDomain);
  builder.main.node("Gradient", {"x"}, {"d3"}, {{"xs", Strings{"x"}}, {"y", std::string("d2")}}, "", kDomain);
  builder.main.output("d1").output("d2").output("d3");
  const std::vector<Value> results = Session(builder.model()).run(std::vector<Value>{doubles({}, {2})});
  EXPECT_DOUBLE_EQ(results[0].tensor().values<double>()[0], 12);
  EXPECT_DOUBLE_EQ(results[1].tensor().values<double>()[0], 12);
  EXPECT_DOUBLE_EQ(results[2].tensor().values<double>()[0], 6);
}

// y = (a * b) * c, at values of c and of h = a * b that the Gradient node gives itself.
TEST(Differentiate, TakesOtherValues) {
  ModelBuilder builder;
  builder.domains = {{kDomain, 1}};
  builder.main.input("a", DType::float32, {}).input("b", DType::float32, {}).input("c", DType::float32, {});
  builder.main.input("h1", DType::float32, {}).input("c1", DType::float32, {});
  builder.main.node("Mul", {"a", "b"}, {"h"}).node("Mul", {"h", "c"}, {"y"});
  builder.main.node("Gradient", {"h1", "c1"}, {"dh", "dc"}, {{"xs", Strings{"h", "c"}}, {"y", std::string("y")}}, "",
                    kDomain);
  builder.main.node("Gradient", {"a", "c1"}, {"da"},
                    {{"xs", Strings{"a"}}, {"zs", Strings{"c"}}, {"y", std::string("y")}}, "", kDomain);
  builder.main.node("Gradient", {"a", "h"}, {"zero", ""}, {{"xs", Strings{"a", "h"}}, {"y", std::string("y")}}, "",
                    kDomain);
  for (const char* name : {"y", "dh", "dc", "da", "zero"}) builder.main.output(name);
  std::vector<Value> inputs;
  for (const float value : {2.0F, 3.0F, 5.0F, 7.0F, 11.0F}) inputs.emplace_back(floats({}, {value}));
  const std::vector<Value> results = Session(builder.model()).run(inputs);
  const std::vector<float> expected = {30, 11, 7, 33, 0};
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(elements(results[i]), std::vector<float>{expected[i]}) << i;
}

std::string load_error(const Strings& xs, const std::string& y) {
  ModelBuilder builder;
  builder.domains = {{kDomain, 1}};
  builder.main.input("x", DType::float32, {"2"}).output("dx");
  builder.main.node("Neg", {"x"}, {"u"}).node("Celu", {"x"}, {"v"});
  builder.main.node("LayerNormalization", {"x", "x"}, {"n", "mean"}).node("Neg", {"mean"}, {"u2"});
  builder.main.node("Gradient", {"x"}, {"dx"}, {{"xs", xs}, {"y", y}}, "gradient", kDomain);
  try {
    builder.model();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Differentiate, RefusesWhatItCannot) {
  EXPECT_NE(load_error({"x"}, "v").find("the gradient of Celu is not supported"), std::string::npos);
  EXPECT_NE(load_error({"x"}, "u2").find("the gradient of LayerNormalization through an output"), std::string::npos);
  EXPECT_NE(load_error({"x"}, "w").find("names 'w', which the graph does not have"), std::string::npos);
  EXPECT_NE(load_error({"x", "u"}, "v").find("1 inputs for 2 names"), std::string::npos);
}

}  // namespace
}  // namespace onnxrun
