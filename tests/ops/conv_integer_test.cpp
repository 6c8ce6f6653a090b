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

struct ConvCase {
  int64_t channels = 4, group = 2, filters = 6;
  Ints extents, kernel, strides, dilations, pads_begin, pads_end;
  bool x_signed = true, w_signed = false;
  bool filter_zeros = true;  // a zero point for each filter
};

Ints index_of(int64_t flat, const Shape& shape) {
  Ints index(shape.rank());
  for (size_t axis = shape.rank(); axis-- > 0; flat /= shape[axis]) index[axis] = flat % shape[axis];
  return index;
}

// Against the definition, for two images.
void expect_formula(const ConvCase& c) {
  const size_t rank = c.extents.size();
  Ints x_shape{2, c.channels}, w_shape{c.filters, c.channels / c.group}, y_shape{2, c.filters};
  for (size_t axis = 0; axis < rank; ++axis) {
    x_shape.push_back(c.extents[axis]);
    w_shape.push_back(c.kernel[axis]);
    const int64_t padded = c.extents[axis] + c.pads_begin[axis] + c.pads_end[axis];
    y_shape.push_back((padded - (c.kernel[axis] - 1) * c.dilations[axis] - 1) / c.strides[axis] + 1);
  }
  const Shape x_extents(x_shape), w_extents(w_shape), y_extents(y_shape);
  const DType x_type = c.x_signed ? DType::int8 : DType::uint8, w_type = c.w_signed ? DType::int8 : DType::uint8;
  std::vector<double> x, w, w_zero, expected;
  const auto number = [](int64_t bits, bool is_signed) {
    return static_cast<double>(bits % 256 - (is_signed ? 128 : 0));
  };
  for (int64_t i = 0; i < x_extents.elements(); ++i) x.push_back(number(i * 31, c.x_signed));
  for (int64_t i = 0; i < w_extents.elements(); ++i) w.push_back(number(i * 71, c.w_signed));
  for (int64_t i = 0; i < (c.filter_zeros ? c.filters : 1); ++i) w_zero.push_back(number(i * 97 + 1, c.w_signed));
  const int64_t per_filter = w_extents.elements() / c.filters;
  for (int64_t i = 0; i < y_extents.elements(); ++i) {
    const Ints at = index_of(i, y_extents);
    double sum = 0;
    for (int64_t t = 0; t < per_filter; ++t) {
      const Ints tap = index_of(at[1] * per_filter + t, w_extents);
      int64_t flat = at[0] * c.channels + at[1] / (c.filters / c.group) * w_shape[1] + tap[1];
      bool inside = true;
      for (size_t axis = 0; axis < rank; ++axis) {
        const int64_t p = at[2 + axis] * c.strides[axis] + tap[2 + axis] * c.dilations[axis] - c.pads_begin[axis];
        inside = inside && p >= 0 && p < c.extents[axis];
        flat = flat * c.extents[axis] + p;
      }
      const double zero = w_zero[c.filter_zeros ? static_cast<size_t>(at[1]) : 0];
      if (inside) sum += (x[static_cast<size_t>(flat)] - 7) * (w[static_cast<size_t>(at[1] * per_filter + t)] - zero);
    }
    expected.push_back(sum);
  }
  Ints pads = c.pads_begin;
  pads.insert(pads.end(), c.pads_end.begin(), c.pads_end.end());
  expect_conv({numbers(x_type, x_extents, x), numbers(w_type, w_extents, w), numbers(x_type, {}, {7}),
               numbers(w_type, c.filter_zeros ? Shape({c.filters}) : Shape(), w_zero)},
              numbers(DType::int32, y_extents, expected),
              {{"group", c.group}, {"strides", c.strides}, {"dilations", c.dilations}, {"pads", pads}});
}

// Every attribute at once, in one to four spatial axes.
TEST(ConvInteger, AgreesWithTheFormulaInEveryRank) {
  for (const size_t rank : {1U, 2U, 3U, 4U}) {
    const int64_t extents[] = {9, 6, 5, 4};
    ConvCase c;
    for (size_t axis = 0; axis < rank; ++axis) {
      const auto a = static_cast<int64_t>(axis);
      c.extents.push_back(extents[axis]);
      c.kernel.push_back(2 + a % 2);
      c.strides.push_back(1 + a % 2);
      c.dilations.push_back(2 - a % 2);
      c.pads_begin.push_back(1);
      c.pads_end.push_back(a % 2);
    }
    expect_formula(c);
  }
}

// Kernels are chosen by the channels of a group, the outputs of each, and whether a window has one tap.
TEST(ConvInteger, AgreesWithTheFormulaInEveryForm) {
  struct Form {
    int64_t channels, group, filters;
  };
  for (const Form form : {Form{5, 1, 3}, {6, 6, 6}, {3, 3, 6}, {3, 3, 12}, {1, 1, 1}, {1, 1, 20}, {40, 2, 26}}) {
    for (const int64_t kernel : {1, 3}) {
      for (const int64_t stride : {1, 2}) {
        for (const int64_t pad : {0, 1}) {
          for (const bool is_signed : {false, true}) {
            expect_formula({.channels = form.channels,
                            .group = form.group,
                            .filters = form.filters,
                            .extents = {5, 37},
                            .kernel = {kernel, kernel},
                            .strides = {stride, stride},
                            .dilations = {1, 1},
                            .pads_begin = {pad, pad},
                            .pads_end = {pad, 0},
                            .x_signed = is_signed,
                            .w_signed = is_signed == (pad == 1),
                            .filter_zeros = stride == 1});
          }
        }
      }
    }
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
