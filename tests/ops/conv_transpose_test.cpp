#include <gtest/gtest.h>

#include "support/index.h"
#include "support/op_tester.h"

namespace onnxrun {
namespace {

using Attributes = ModelBuilder::Attributes;

struct Window {
  std::vector<int64_t> kernel, strides, dilations, pads;  // pads: at the beginning
  int64_t group = 1;
};

// Every product of an input element and a weight, added at input * stride + tap * dilation - pad.
Tensor reference(DType dtype, const Tensor& x, const Tensor& w, const Tensor& bias, const Window& window,
                 const Shape& shape) {
  std::vector<double> y(static_cast<size_t>(shape.elements()));
  const int64_t channels = x.shape()[1] / window.group;
  const int64_t maps = w.shape()[1];
  const std::vector<int64_t> in(x.shape().begin() + 2, x.shape().end());
  const std::vector<int64_t> out(shape.begin() + 2, shape.end());
  const int64_t size = shape.elements(2, shape.rank());
  for (int64_t i = 0; i < shape.elements(); ++i) {
    y[static_cast<size_t>(i)] = static_cast<double>(bias.values<float>()[static_cast<size_t>(i / size % shape[1])]);
  }
  size_t source = 0;
  for (int64_t n = 0; n < x.shape()[0]; ++n) {
    for (int64_t c = 0; c < x.shape()[1]; ++c) {
      std::vector<int64_t> position(in.size(), 0);
      do {
        const auto value = static_cast<double>(x.values<float>()[source++]);
        for (int64_t m = 0; m < maps; ++m) {
          auto weight = static_cast<size_t>((c * maps + m) * w.shape().elements(2, w.shape().rank()));
          std::vector<int64_t> tap(in.size(), 0);
          do {
            int64_t at = n * shape[1] + c / channels * maps + m;
            bool inside = true;
            for (size_t axis = 0; axis < in.size(); ++axis) {
              const int64_t o =
                  position[axis] * window.strides[axis] + tap[axis] * window.dilations[axis] - window.pads[axis];
              inside = inside && o >= 0 && o < out[axis];
              at = at * out[axis] + o;
            }
            const auto factor = static_cast<double>(w.values<float>()[weight++]);
            if (inside) y[static_cast<size_t>(at)] += value * factor;
          } while (advance(tap, window.kernel));
        }
      } while (advance(position, in));
    }
  }
  return numbers(dtype, shape, y);
}

Tensor as(DType dtype, const Tensor& tensor) {
  return numbers(dtype, tensor.shape(), {tensor.values<float>().begin(), tensor.values<float>().end()});
}

void expect(const Shape& x_shape, const Shape& w_shape, const Window& window, const Shape& y_shape,
            const Attributes& attributes, DType dtype = DType::float32, int64_t opset = 22) {
  const Tensor x = random_floats(x_shape, 1);
  const Tensor w = random_floats(w_shape, 2);
  const Tensor bias = random_floats({w_shape[1] * window.group}, 3);
  const bool is_half = dtype == DType::float16 || dtype == DType::bfloat16;
  expect_op({.op = "ConvTranspose",
             .inputs = {as(dtype, x), as(dtype, w), as(dtype, bias)},
             .outputs = {reference(dtype, x, w, bias, window, y_shape)},
             .attributes = attributes,
             .opset = opset,
             .relative = is_half ? 2e-2 : 1e-5,
             .absolute = is_half ? 5e-2 : 1e-5});
}

TEST(ConvTranspose, ComputesEveryRank) {
  expect({2, 5, 7}, {5, 3, 3}, {{3}, {2}, {1}, {1}}, {2, 3, 13},
         {{"strides", std::vector<int64_t>{2}}, {"pads", std::vector<int64_t>{1, 1}}});
  expect({1, 20, 9, 11}, {20, 6, 4, 4}, {{4, 4}, {2, 2}, {1, 1}, {1, 1}}, {1, 6, 18, 22},
         {{"strides", std::vector<int64_t>{2, 2}}, {"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  expect({2, 3, 3, 4, 5}, {3, 2, 2, 3, 1}, {{2, 3, 1}, {2, 1, 3}, {1, 2, 1}, {0, 1, 0}}, {2, 2, 6, 6, 13},
         {{"strides", std::vector<int64_t>{2, 1, 3}},
          {"dilations", std::vector<int64_t>{1, 2, 1}},
          {"pads", std::vector<int64_t>{0, 1, 0, 0, 1, 0}}});
  expect({1, 2, 2, 1, 2, 3}, {2, 1, 2, 1, 2, 2}, {{2, 1, 2, 2}, {1, 1, 1, 1}, {1, 1, 1, 1}, {0, 0, 0, 0}},
         {1, 1, 3, 1, 3, 4}, {});
}

TEST(ConvTranspose, CutsLargeMapsIntoBands) {
  expect({1, 3, 70, 40}, {3, 1, 3, 3}, {{3, 3}, {1, 2}, {2, 1}, {2, 1}}, {1, 1, 70, 79},
         {{"strides", std::vector<int64_t>{1, 2}},
          {"dilations", std::vector<int64_t>{2, 1}},
          {"pads", std::vector<int64_t>{2, 1, 2, 1}}});
}

TEST(ConvTranspose, TakesGroupsAndTypes) {
  for (const DType dtype : {DType::float32, DType::float64, DType::float16, DType::bfloat16}) {
    expect({2, 6, 4, 5}, {6, 2, 3, 2}, {{3, 2}, {1, 2}, {1, 1}, {0, 0}, 3}, {2, 6, 6, 10},
           {{"group", int64_t{3}}, {"strides", std::vector<int64_t>{1, 2}}}, dtype);
  }
  expect({1, 4, 5}, {4, 1, 2}, {{2}, {2}, {1}, {0}, 4}, {1, 4, 10},
         {{"group", int64_t{4}}, {"strides", std::vector<int64_t>{2}}}, DType::float32, 1);
}

TEST(ConvTranspose, PadsAsAsked) {
  const std::vector<int64_t> two = {2};
  const auto expect_row = [&](const Attributes& attributes, const std::vector<float>& expected, int64_t opset = 11) {
    Attributes all = attributes;
    all.emplace_back("strides", two);
    expect_op({.op = "ConvTranspose",
               .inputs = {floats({1, 1, 3}, {1, 1, 1}), floats({1, 1, 4}, {1, 2, 3, 4})},
               .outputs = {floats({1, 1, static_cast<int64_t>(expected.size())}, expected)},
               .attributes = all,
               .opset = opset});
  };
  // 1 2 3 4 at 0, 2 and 4: 1 2 4 6 4 6 3 4.
  expect_row({{"output_padding", std::vector<int64_t>{1}}}, {1, 2, 4, 6, 4, 6, 3, 4, 0});
  expect_row({{"auto_pad", std::string("VALID")}}, {1, 2, 4, 6, 4, 6, 3, 4});
  expect_row({{"auto_pad", std::string("SAME_UPPER")}}, {2, 4, 6, 4, 6, 3});
  expect_row({{"auto_pad", std::string("SAME_UPPER")}, {"output_shape", std::vector<int64_t>{7}}},
             {1, 2, 4, 6, 4, 6, 3});
  expect_row({{"auto_pad", std::string("SAME_LOWER")}, {"output_shape", std::vector<int64_t>{7}}},
             {2, 4, 6, 4, 6, 3, 4});
  expect_row({{"output_shape", std::vector<int64_t>{7}}}, {2, 4, 6, 4, 6, 3, 4});
  expect_row({{"output_shape", std::vector<int64_t>{10}}}, {1, 2, 4, 6, 4, 6, 3, 4, 0, 0}, 1);
}

TEST(ConvTranspose, TakesEmptyTensors) {
  expect_op({.op = "ConvTranspose",
             .inputs = {floats({0, 1, 3}, {}), floats({1, 2, 2}, {1, 2, 3, 4})},
             .outputs = {floats({0, 2, 4}, {})}});
  expect_op({.op = "ConvTranspose",
             .inputs = {floats({1, 0, 2}, {}), floats({0, 1, 2}, {}), floats({1}, {5})},
             .outputs = {floats({1, 1, 3}, {5, 5, 5})}});
}

TEST(ConvTranspose, RefusesWhatDoesNotFit) {
  const Value y = floats({1, 1, 4}, {0, 0, 0, 0});
  const Tensor x = floats({1, 2, 3}, {1, 1, 1, 1, 1, 1});
  expect_op_error({.op = "ConvTranspose", .inputs = {x, floats({1, 1, 2}, {1, 2})}, .outputs = {y}},
                  ErrorCode::invalid_model, "1 channels, the input has 2");
  expect_op_error({.op = "ConvTranspose",
                   .inputs = {x, floats({2, 1, 2}, {1, 2, 3, 4})},
                   .outputs = {y},
                   .attributes = {{"output_padding", std::vector<int64_t>{1}}}},
                  ErrorCode::invalid_model, "output_padding 1");
  expect_op_error({.op = "ConvTranspose",
                   .inputs = {x, floats({2, 1, 2}, {1, 2, 3, 4})},
                   .outputs = {y},
                   .attributes = {{"pads", std::vector<int64_t>{3, 3}}}},
                  ErrorCode::invalid_model, "the extent -2");
  expect_op_error(
      {.op = "ConvTranspose",
       .inputs = {x, floats({2, 1, 2}, {1, 2, 3, 4})},
       .outputs = {y},
       .attributes = {{"strides", std::vector<int64_t>{int64_t{1} << 62}}, {"output_shape", std::vector<int64_t>{4}}}},
      ErrorCode::limit, "strides or dilations are too large");
}

}  // namespace
}  // namespace onnxrun
