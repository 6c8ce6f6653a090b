#include <gtest/gtest.h>

#include <numeric>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

using Ints = std::vector<int64_t>;

void expect_conv(const std::vector<Value>& inputs, const Tensor& expected,
                 const ModelBuilder::Attributes& attributes = {}) {
  expect_op({.op = "ConvInteger", .inputs = inputs, .outputs = {expected}, .attributes = attributes, .opset = 10});
}

TEST(ConvInteger, PadsWithTheZeroPoint) {
  const Tensor x = numbers(DType::uint8, {1, 1, 3, 3}, {2, 3, 4, 5, 6, 7, 8, 9, 10});
  const Tensor w = numbers(DType::uint8, {1, 1, 2, 2}, {1, 1, 1, 1});
  const Tensor one = numbers(DType::uint8, {}, {1});
  expect_conv({x, w, one}, numbers(DType::int32, {1, 1, 2, 2}, {12, 16, 24, 28}));
  expect_conv({x, w, one},
              numbers(DType::int32, {1, 1, 4, 4}, {1, 3, 5, 3, 5, 12, 16, 9, 11, 24, 28, 15, 7, 15, 17, 9}),
              {{"pads", Ints{1, 1, 1, 1}}});
  expect_conv({x, w, one}, numbers(DType::int32, {1, 1, 3, 3}, {12, 16, 9, 24, 28, 15, 15, 17, 9}),
              {{"auto_pad", std::string("SAME_UPPER")}});
}

// Every attribute at once, in one to four spatial axes, against the definition.
TEST(ConvInteger, AgreesWithTheFormulaInEveryRank) {
  for (const size_t rank : {1U, 2U, 3U, 4U}) {
    const int64_t extents[] = {9, 6, 5, 4};
    Ints x_shape{2, 4}, w_shape{6, 2}, y_shape{2, 6}, strides, dilations, pads_begin, pads_end;
    for (size_t axis = 0; axis < rank; ++axis) {
      const auto a = static_cast<int64_t>(axis);
      x_shape.push_back(extents[axis]);
      w_shape.push_back(2 + a % 2);
      strides.push_back(1 + a % 2);
      dilations.push_back(2 - a % 2);
      pads_begin.push_back(1);
      pads_end.push_back(a % 2);
      const int64_t padded = extents[axis] + pads_begin.back() + pads_end.back();
      y_shape.push_back((padded - (w_shape.back() - 1) * dilations.back() - 1) / strides.back() + 1);
    }
    const Shape x_extents(x_shape), w_extents(w_shape), y_extents(y_shape);
    std::vector<double> x, w, expected;
    for (int64_t i = 0; i < x_extents.elements(); ++i) x.push_back(static_cast<double>(i * 31 % 256) - 128);
    for (int64_t i = 0; i < w_extents.elements(); ++i) w.push_back(static_cast<double>(i * 71 % 256));
    const std::vector<double> w_zero = {1, 2, 3, 4, 5, 250};

    const auto index_of = [](int64_t flat, const Shape& shape) {
      Ints index(shape.rank());
      for (size_t axis = shape.rank(); axis-- > 0; flat /= shape[axis]) index[axis] = flat % shape[axis];
      return index;
    };
    for (int64_t i = 0; i < y_extents.elements(); ++i) {
      const Ints at = index_of(i, y_extents);
      const int64_t per_filter = w_extents.elements() / 6;
      double sum = 0;
      for (int64_t t = 0; t < per_filter; ++t) {
        const Ints tap = index_of(at[1] * per_filter + t, w_extents);
        int64_t flat = at[0] * 4 + at[1] / 3 * 2 + tap[1];
        bool inside = true;
        for (size_t axis = 0; axis < rank; ++axis) {
          const int64_t p = at[2 + axis] * strides[axis] + tap[2 + axis] * dilations[axis] - pads_begin[axis];
          inside = inside && p >= 0 && p < extents[axis];
          flat = flat * extents[axis] + p;
        }
        if (inside) {
          sum += (x[static_cast<size_t>(flat)] - 7) *
                 (w[static_cast<size_t>(at[1] * per_filter + t)] - w_zero[static_cast<size_t>(at[1])]);
        }
      }
      expected.push_back(sum);
    }
    Ints pads = pads_begin;
    pads.insert(pads.end(), pads_end.begin(), pads_end.end());
    expect_conv({numbers(DType::int8, x_extents, x), numbers(DType::uint8, w_extents, w), numbers(DType::int8, {}, {7}),
                 numbers(DType::uint8, {6}, w_zero)},
                numbers(DType::int32, y_extents, expected),
                {{"group", int64_t{2}}, {"strides", strides}, {"dilations", dilations}, {"pads", pads}});
  }
}

TEST(ConvInteger, SumsManyChannels) {
  constexpr int64_t c = 40, m = 50, size = 13;
  std::vector<double> x(c * size * size), w(m * c), expected;
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i * 13 % 256);
  for (size_t i = 0; i < w.size(); ++i) w[i] = static_cast<double>(i * 7 % 256) - 128;
  for (size_t o = 0; o < m; ++o) {
    for (size_t p = 0; p < size * size; ++p) {
      double sum = 0;
      for (size_t i = 0; i < c; ++i) sum += x[i * size * size + p] * w[o * c + i];
      expected.push_back(sum);
    }
  }
  expect_conv({numbers(DType::uint8, {1, c, size, size}, x), numbers(DType::int8, {m, c, 1, 1}, w)},
              numbers(DType::int32, {1, m, size, size}, expected));
}

TEST(ConvInteger, StepsBehindTheInput) {
  expect_conv({numbers(DType::uint8, {1, 1, 3, 2}, {1, 2, 3, 4, 5, 6}), numbers(DType::int8, {1, 1, 2, 1}, {1, 10})},
              numbers(DType::int32, {1, 1, 1, 1}, {31}), {{"strides", Ints{int64_t{1} << 40, 7}}});
}

TEST(ConvInteger, TakesNothing) {
  expect_conv({numbers(DType::uint8, {0, 1, 3}, {}), numbers(DType::int8, {2, 1, 2}, {1, 2, 3, 4})},
              numbers(DType::int32, {0, 2, 2}, {}));
}

TEST(ConvInteger, RefusesWhatDoesNotFit) {
  const Tensor x = numbers(DType::uint8, {1, 2, 3}, {1, 2, 3, 4, 5, 6});
  const auto refuse = [&](const Tensor& w, const Value& x_zero, const Value& w_zero, const std::string& text) {
    expect_op_error({.op = "ConvInteger",
                     .inputs = {x, w, x_zero, w_zero},
                     .outputs = {numbers(DType::int32, {1}, {0})},
                     .opset = 10},
                    ErrorCode::invalid_model, text);
  };
  refuse(numbers(DType::int8, {1, 3, 1}, {1, 2, 3}), Value(), Value(), "channels");
  const Tensor w = numbers(DType::int8, {2, 2, 1}, {1, 2, 3, 4});
  refuse(w, numbers(DType::uint8, {2}, {1, 1}), Value(), "one element");
  refuse(w, Value(), numbers(DType::int8, {3}, {1, 1, 1}), "2 channels");
}

}  // namespace
}  // namespace onnxrun
