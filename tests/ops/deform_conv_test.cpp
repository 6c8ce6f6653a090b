#include <gtest/gtest.h>

#include <cmath>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

using Attributes = ModelBuilder::Attributes;

struct Window {
  std::vector<int64_t> kernel, strides, dilations, pads;  // pads: at the beginning
  int64_t group = 1, offset_group = 1;
};

// The definition over every pixel: a tap is the sum of all pixels by their linear weights.
std::vector<double> reference(const std::vector<Tensor>& inputs, const Window& window, const Shape& y_shape) {
  const Tensor& x = inputs[0];
  const Tensor& w = inputs[1];
  const size_t rank = window.kernel.size();
  const auto value = [](const Tensor& tensor, int64_t i) {
    return static_cast<double>(tensor.values<float>()[static_cast<size_t>(i)]);
  };
  const int64_t in_size = x.shape().elements(2, rank + 2);
  const int64_t out_size = y_shape.elements(2, rank + 2);
  const int64_t taps = w.shape().elements(2, rank + 2);
  const int64_t channels = x.shape()[1] / window.group;
  std::vector<double> y;
  for (int64_t i = 0; i < y_shape.elements(); ++i) {
    const int64_t n = i / out_size / y_shape[1];
    const int64_t map = i / out_size % y_shape[1];
    double sum = value(inputs[3], map);
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t channel = map / (y_shape[1] / window.group) * channels + c;
      const int64_t set = channel / (x.shape()[1] / window.offset_group);
      for (int64_t tap = 0; tap < taps; ++tap) {
        const int64_t plane = (n * window.offset_group + set) * taps + tap;
        std::vector<double> at(rank);
        int64_t position = i % out_size;
        int64_t rest = tap;
        for (size_t axis = rank; axis-- > 0;) {
          const int64_t base = position % y_shape[axis + 2] * window.strides[axis] - window.pads[axis] +
                               rest % window.kernel[axis] * window.dilations[axis];
          at[axis] = static_cast<double>(base) +
                     value(inputs[2],
                           (plane * static_cast<int64_t>(rank) + static_cast<int64_t>(axis)) * out_size + i % out_size);
          position /= y_shape[axis + 2];
          rest /= window.kernel[axis];
        }
        double sample = 0;
        for (int64_t pixel = 0; pixel < in_size; ++pixel) {
          double weight = 1;
          int64_t index = pixel;
          for (size_t axis = rank; axis-- > 0;) {
            weight *= std::max(0.0, 1 - std::fabs(at[axis] - static_cast<double>(index % x.shape()[axis + 2])));
            index /= x.shape()[axis + 2];
          }
          sample += weight * value(x, (n * x.shape()[1] + channel) * in_size + pixel);
        }
        sum += sample * value(w, (map * channels + c) * taps + tap) * value(inputs[4], plane * out_size + i % out_size);
      }
    }
    y.push_back(sum);
  }
  return y;
}

void expect(const Shape& x_shape, const Shape& w_shape, const Window& window, const Shape& y_shape,
            Attributes attributes, DType dtype = DType::float32, int64_t opset = 22) {
  const auto rank = static_cast<int64_t>(window.kernel.size());
  const int64_t taps = w_shape.elements(2, w_shape.rank());
  Shape offset_shape = y_shape;
  offset_shape[1] = window.offset_group * taps * rank;
  Shape mask_shape = y_shape;
  mask_shape[1] = window.offset_group * taps;
  const std::vector<Tensor> inputs = {random_floats(x_shape, 1), random_floats(w_shape, 2),
                                      random_floats(offset_shape, 3), random_floats({w_shape[0]}, 4),
                                      random_floats(mask_shape, 5)};
  std::vector<Value> values;
  for (const Tensor& input : inputs) {
    values.emplace_back(numbers(dtype, input.shape(), {input.values<float>().begin(), input.values<float>().end()}));
  }
  attributes.emplace_back("group", window.group);
  attributes.emplace_back("offset_group", window.offset_group);
  const bool is_half = dtype == DType::float16 || dtype == DType::bfloat16;
  expect_op({.op = "DeformConv",
             .inputs = values,
             .outputs = {numbers(dtype, y_shape, reference(inputs, window, y_shape))},
             .attributes = attributes,
             .opset = opset,
             .relative = is_half ? 2e-2 : 1e-5,
             .absolute = is_half ? 5e-2 : 1e-5});
}

TEST(DeformConv, SamplesWhereOffsetsPoint) {
  expect({2, 4, 6, 7}, {3, 4, 3, 3}, {{3, 3}, {1, 2}, {1, 1}, {1, 1}}, {2, 3, 6, 4},
         {{"strides", std::vector<int64_t>{1, 2}}, {"pads", std::vector<int64_t>{1, 1, 1, 1}}}, DType::float32, 19);
  expect({1, 6, 5, 5}, {4, 3, 2, 2}, {{2, 2}, {1, 1}, {2, 1}, {0, 0}, 2, 3}, {1, 4, 3, 4},
         {{"dilations", std::vector<int64_t>{2, 1}}});
  expect({1, 2, 9}, {2, 2, 3}, {{3}, {1}, {1}, {0}}, {1, 2, 7}, {});
  expect({1, 2, 3, 4, 3}, {2, 1, 2, 2, 1}, {{2, 2, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, 2, 2}, {1, 2, 2, 3, 3}, {});
}

TEST(DeformConv, TakesEveryType) {
  for (const DType dtype : {DType::float64, DType::float16, DType::bfloat16}) {
    expect({1, 2, 4, 4}, {2, 2, 2, 2}, {{2, 2}, {1, 1}, {1, 1}, {0, 0}}, {1, 2, 3, 3}, {}, dtype);
  }
}

TEST(DeformConv, DoesWithoutBiasAndMask) {
  // Tap 0 of [1, 2, 4] half a pixel further: (1 + 2) / 2, (2 + 4) / 2; tap 1 a whole pixel: 4 and nothing.
  expect_op(
      {.op = "DeformConv",
       .inputs = {floats({1, 1, 3}, {1, 2, 4}), floats({1, 1, 2}, {1, 10}), floats({1, 2, 2}, {0.5F, 0.5F, 1, 1})},
       .outputs = {floats({1, 1, 2}, {41.5F, 3})}});
  expect_op({.op = "DeformConv",
             .inputs = {floats({0, 1, 3}, {}), floats({1, 1, 2}, {1, 10}), floats({0, 2, 2}, {})},
             .outputs = {floats({0, 1, 2}, {})}});
}

TEST(DeformConv, RefusesWhatDoesNotFit) {
  const Value y = floats({1, 1, 2}, {0, 0});
  const Tensor x = floats({1, 1, 3}, {1, 2, 4});
  expect_op_error({.op = "DeformConv",
                   .inputs = {x, floats({1, 1, 2}, {1, 10}), floats({1, 4, 2}, {0, 0, 0, 0, 0, 0, 0, 0})},
                   .outputs = {y}},
                  ErrorCode::invalid_model, "offset has the shape [1,4,2], not [1,2,2]");
  expect_op_error(
      {.op = "DeformConv", .inputs = {x, floats({1, 2, 1}, {1, 10}), floats({1, 1, 3}, {0, 0, 0})}, .outputs = {y}},
      ErrorCode::invalid_model, "2 channels, the input has 1");
}

}  // namespace
}  // namespace onnxrun
