#include <gtest/gtest.h>

#include "onnxrun/session.h"
#include "support/index.h"
#include "support/op_tester.h"

namespace onnxrun {
namespace {

using Attributes = ModelBuilder::Attributes;

struct Window {
  std::vector<int64_t> strides, dilations, pads;  // pads: at the beginning
  int64_t group = 1;
};

// The formula of the specification, output by output, in double.
std::vector<double> reference(const Tensor& x, const Tensor& w, const Tensor& bias, const Window& window,
                              const Shape& shape) {
  const std::vector<int64_t> in(x.shape().begin() + 2, x.shape().end());
  const std::vector<int64_t> kernel(w.shape().begin() + 2, w.shape().end());
  const int64_t channels = w.shape()[1];
  const int64_t maps = shape[1] / window.group;
  std::vector<double> y;
  std::vector<int64_t> at(shape.rank(), 0);
  if (shape.elements() == 0) return y;
  do {
    auto sum = static_cast<double>(bias.values<float>()[static_cast<size_t>(at[1])]);
    for (int64_t c = 0; c < channels; ++c) {
      int64_t weight = (at[1] * channels + c) * Shape(kernel).elements();
      std::vector<int64_t> tap(in.size(), 0);
      do {
        int64_t source = at[0] * x.shape()[1] + at[1] / maps * channels + c;
        bool inside = true;
        for (size_t axis = 0; axis < in.size(); ++axis) {
          const int64_t i =
              at[axis + 2] * window.strides[axis] + tap[axis] * window.dilations[axis] - window.pads[axis];
          inside = inside && i >= 0 && i < in[axis];
          source = source * in[axis] + i;
        }
        const float factor = w.values<float>()[static_cast<size_t>(weight++)];
        if (inside) sum += static_cast<double>(x.values<float>()[static_cast<size_t>(source)]) * factor;
      } while (advance(tap, kernel));
    }
    y.push_back(sum);
  } while (advance(at, {shape.begin(), shape.end()}));
  return y;
}

Tensor as(DType dtype, const Tensor& tensor) {
  return numbers(dtype, tensor.shape(), {tensor.values<float>().begin(), tensor.values<float>().end()});
}

void expect(const Shape& x_shape, const Shape& w_shape, const Window& window, const Shape& y_shape,
            const Attributes& attributes, DType dtype = DType::float32, int64_t opset = 22) {
  const Tensor x = random_floats(x_shape, 1);
  const Tensor w = random_floats(w_shape, 2);
  const Tensor bias = random_floats({w_shape[0]}, 3);
  const bool is_half = dtype == DType::float16 || dtype == DType::bfloat16;
  expect_op({.op = "Conv",
             .inputs = {as(dtype, x), as(dtype, w), as(dtype, bias)},
             .outputs = {numbers(dtype, y_shape, reference(x, w, bias, window, y_shape))},
             .attributes = attributes,
             .opset = opset,
             .relative = is_half ? 2e-2 : 1e-5,
             .absolute = is_half ? 5e-2 : 1e-5});
}

using Integers = std::vector<int64_t>;

TEST(Conv, ComputesEveryRank) {
  expect({2, 3, 9}, {4, 3, 2}, {{2}, {3}, {1}}, {2, 4, 4},
         {{"strides", Integers{2}}, {"dilations", Integers{3}}, {"pads", Integers{1, 0}}});
  expect({1, 4, 6, 7}, {6, 2, 3, 2}, {{1, 2}, {1, 1}, {1, 0}, 2}, {1, 6, 6, 3},
         {{"strides", Integers{1, 2}}, {"pads", Integers{1, 0, 1, 0}}, {"group", int64_t{2}}});
  expect({1, 2, 3, 4, 5}, {3, 2, 2, 2, 2}, {{1, 1, 1}, {1, 1, 1}, {0, 0, 0}}, {1, 3, 2, 3, 4}, {});
}

// Rows of one element, which the kernels compute along another axis.
TEST(Conv, ComputesOneColumn) {
  for (const DType dtype : {DType::float32, DType::float16}) {
    expect({1, 1, 40, 6}, {5, 1, 3, 6}, {{1, 1}, {1, 1}, {0, 0}}, {1, 5, 38, 1}, {}, dtype);
    expect({2, 3, 20, 9}, {6, 1, 4, 9}, {{2, 1}, {1, 1}, {1, 0}, 3}, {2, 6, 9, 1},
           {{"group", int64_t{3}}, {"strides", Integers{2, 1}}, {"pads", Integers{1, 0, 0, 0}}}, dtype);
    expect({1, 6, 20, 7}, {4, 3, 2, 5}, {{1, 4}, {2, 1}, {0, 1}, 2}, {1, 4, 18, 1},
           {{"group", int64_t{2}},
            {"strides", Integers{1, 4}},
            {"dilations", Integers{2, 1}},
            {"pads", Integers{0, 1, 0, 0}}},
           dtype);
    expect({1, 20, 50, 1}, {18, 20, 5, 1}, {{1, 1}, {1, 1}, {2, 0}}, {1, 18, 50, 1}, {{"pads", Integers{2, 0, 2, 0}}},
           dtype);
    expect({1, 4, 30, 1}, {4, 1, 3, 3}, {{1, 1}, {1, 1}, {1, 1}, 4}, {1, 4, 30, 1},
           {{"group", int64_t{4}}, {"pads", Integers{1, 1, 1, 1}}}, dtype);
    expect({1, 2, 5, 6, 1}, {3, 2, 3, 3, 1}, {{1, 1, 1}, {1, 1, 1}, {0, 1, 0}}, {1, 3, 3, 6, 1},
           {{"pads", Integers{0, 1, 0, 0, 1, 0}}}, dtype);
    expect({1, 2, 7, 1, 1}, {3, 2, 3, 1, 1}, {{1, 1, 1}, {1, 1, 1}, {0, 0, 0}}, {1, 3, 5, 1, 1}, {}, dtype);
  }
}

// Short rows with one tap each, which go up in longer ones.
TEST(Conv, ComputesShortRows) {
  for (const DType dtype : {DType::float32, DType::float16}) {
    expect({1, 3, 30, 9}, {5, 3, 5, 1}, {{1, 1}, {1, 1}, {0, 0}}, {1, 5, 26, 9}, {}, dtype);
    expect({2, 20, 30, 2}, {18, 20, 3, 1}, {{1, 1}, {2, 1}, {2, 0}}, {2, 18, 30, 2},
           {{"dilations", Integers{2, 1}}, {"pads", Integers{2, 0, 2, 0}}}, dtype);
    expect({1, 6, 21, 4}, {6, 1, 3, 1}, {{1, 1}, {1, 1}, {1, 0}, 6}, {1, 6, 20, 4},
           {{"group", int64_t{6}}, {"pads", Integers{1, 0, 0, 0}}}, dtype);
    expect({1, 2, 9, 3, 4}, {3, 2, 3, 1, 1}, {{1, 1, 1}, {1, 1, 1}, {1, 0, 0}}, {1, 3, 9, 3, 4},
           {{"pads", Integers{1, 0, 0, 1, 0, 0}}}, dtype);
    expect({1, 2, 4, 9, 3}, {3, 2, 2, 3, 1}, {{2, 1, 1}, {1, 1, 1}, {0, 1, 0}}, {1, 3, 2, 8, 3},
           {{"strides", Integers{2, 1, 1}}, {"pads", Integers{0, 1, 0, 0, 0, 0}}}, dtype);
    expect({1, 2, 10, 3}, {3, 2, 3, 1}, {{2, 1}, {1, 1}, {0, 0}}, {1, 3, 4, 3}, {{"strides", Integers{2, 1}}}, dtype);
  }
}

TEST(Conv, TakesMoreThanThreeSpatialAxes) {
  for (const DType dtype : {DType::float32, DType::float64, DType::float16, DType::bfloat16}) {
    expect({2, 4, 3, 2, 4, 3}, {6, 2, 2, 1, 3, 2}, {{1, 1, 2, 1}, {1, 1, 1, 2}, {1, 0, 1, 0}, 2}, {2, 6, 4, 2, 2, 1},
           {{"strides", Integers{1, 1, 2, 1}},
            {"dilations", Integers{1, 1, 1, 2}},
            {"pads", Integers{1, 0, 1, 0, 1, 0, 1, 0}},
            {"group", int64_t{2}}},
           dtype);
  }
  expect({1, 1, 2, 2, 2, 2, 2}, {1, 1, 2, 1, 2, 1, 2}, {{1, 1, 1, 1, 1}, {1, 1, 1, 1, 1}, {0, 0, 0, 0, 0}},
         {1, 1, 1, 2, 1, 2, 1}, {}, DType::float32, 11);
  expect({1, 1, 3, 2, 2, 2}, {1, 1, 2, 2, 2, 2}, {{2, 2, 2, 2}, {1, 1, 1, 1}, {0, 0, 0, 0}}, {1, 1, 2, 1, 1, 1},
         {{"strides", Integers{2, 2, 2, 2}}, {"auto_pad", std::string("SAME_UPPER")}});
}

TEST(Conv, NegativePadsCutTheInput) {
  for (const DType dtype : {DType::float32, DType::float64, DType::float16}) {
    expect({1, 20, 6, 7}, {18, 20, 3, 3}, {{1, 1}, {1, 1}, {-1, 1}}, {1, 18, 3, 5}, {{"pads", Integers{-1, 1, 0, -1}}},
           dtype);
  }
}

// Nothing is fused into a convolution that kernels do not take.
TEST(Conv, IsFollowedByAnActivation) {
  const Tensor x = random_floats({1, 2, 2, 3, 2, 3}, 1);
  const Tensor w = random_floats({2, 2, 2, 2, 1, 1}, 2);
  const Tensor bias = random_floats({2}, 3);
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"1", "2", "2", "3", "2", "3"}).output("z").constant("w", w);
  builder.main.constant("b", bias).node("Conv", {"x", "w", "b"}, {"y"}).node("Relu", {"y"}, {"z"});
  const auto z = elements(Session(builder.model()).run({{"x", x}})[0]);
  const auto y = reference(x, w, bias, {{1, 1, 1, 1}, {1, 1, 1, 1}, {0, 0, 0, 0}}, {1, 2, 1, 2, 2, 3});
  ASSERT_EQ(z.size(), y.size());
  for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(static_cast<double>(z[i]), std::max(0.0, y[i]), 1e-5);
}

TEST(Conv, RefusesAWindowThatDoesNotFit) {
  expect_op_error({.op = "Conv",
                   .inputs = {random_floats({1, 1, 2, 2}, 1), random_floats({1, 1, 3, 3}, 2)},
                   .outputs = {Tensor(DType::float32, {1, 1, 0, 0})}},
                  ErrorCode::invalid_model, "does not fit into the padded input");
}

}  // namespace
}  // namespace onnxrun
