#include <gtest/gtest.h>

#include <cmath>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

using Floats = std::vector<float>;
using Integers = std::vector<int64_t>;

const std::string kDomain = "ai.onnx.ml";
constexpr DType kTypes[] = {DType::float32, DType::float64, DType::int32, DType::int64};

OpCase ml(const std::string& op, const Value& input, const Value& output, const ModelBuilder::Attributes& attributes) {
  return {.op = op,
          .inputs = {input},
          .outputs = {output},
          .attributes = attributes,
          .opset = 1,
          .relative = 1e-6,
          .domain = kDomain};
}

TEST(Binarizer, ComparesWithTheThreshold) {
  for (const DType dtype : kTypes) {
    expect_op(ml("Binarizer", numbers(dtype, {2, 3}, {1, 2, 3, -4, 0, 2}), numbers(dtype, {2, 3}, {0, 0, 1, 0, 0, 0}),
                 {{"threshold", 2.0F}}));
  }
  expect_op(ml("Binarizer", floats({3}, {0, 0.1F, std::nanf("")}), floats({3}, {0, 1, 0}), {}));
  // The smallest float above the threshold, which is no integer.
  expect_op(
      ml("Binarizer", numbers(DType::int64, {2}, {2, 3}), numbers(DType::int64, {2}, {0, 1}), {{"threshold", 2.5F}}));
}

TEST(Imputer, ReplacesOneValue) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    expect_op(ml("Imputer", numbers(dtype, {2, 2}, {1, -1, -1, 4}), numbers(dtype, {2, 2}, {1, 8, 7, 4}),
                 {{"imputed_value_floats", Floats{7, 8}}, {"replaced_value_float", -1.0F}}));
    expect_op(ml("Imputer", numbers(dtype, {3}, {std::nan(""), 2, std::nan("")}), numbers(dtype, {3}, {5, 2, 5}),
                 {{"imputed_value_floats", Floats{5}}, {"replaced_value_float", std::nanf("")}}));
  }
  for (const DType dtype : {DType::int32, DType::int64}) {
    expect_op(ml("Imputer", numbers(dtype, {2, 1, 2}, {0, 1, 2, 0}), numbers(dtype, {2, 1, 2}, {7, 1, 2, 8}),
                 {{"imputed_value_int64s", Integers{7, 8}}}));
  }
  expect_op_error(
      ml("Imputer", floats({1, 3}, {1, 2, 3}), floats({1, 3}, {1, 2, 3}), {{"imputed_value_floats", Floats{5, 6}}}),
      ErrorCode::invalid_model, "has 2 elements, the input 3 features");
  expect_op_error(ml("Imputer", floats({1}, {1}), floats({1}, {1}), {{"imputed_value_int64s", Integers{5}}}),
                  ErrorCode::invalid_model, "not of the input's type");
}

TEST(Normalizer, DividesByTheNorm) {
  for (const DType dtype : kTypes) {
    const Tensor x = numbers(dtype, {3, 3}, {1, -4, 2, 0, 0, 0, -3, -2, -1});
    expect_op(ml("Normalizer", x, numbers(DType::float32, {3, 3}, {0.5, -2, 1, 0, 0, 0, 3, 2, 1}), {}));
    expect_op(ml("Normalizer", x,
                 numbers(DType::float32, {3, 3}, {1 / 7.0, -4 / 7.0, 2 / 7.0, 0, 0, 0, -0.5, -1 / 3.0, -1 / 6.0}),
                 {{"norm", std::string("L1")}}));
    const double a = std::sqrt(21.0);
    const double b = std::sqrt(14.0);
    expect_op(ml("Normalizer", x,
                 numbers(DType::float32, {3, 3}, {1 / a, -4 / a, 2 / a, 0, 0, 0, -3 / b, -2 / b, -1 / b}),
                 {{"norm", std::string("L2")}}));
  }
  expect_op(ml("Normalizer", floats({2}, {3, 4}), floats({2}, {0.6F, 0.8F}), {{"norm", std::string("L2")}}));
  expect_op(ml("Normalizer", floats({2, 0}, {}), floats({2, 0}, {}), {}));
}

TEST(Scaler, OffsetsThenScales) {
  for (const DType dtype : kTypes) {
    expect_op(ml("Scaler", numbers(dtype, {2, 2}, {1, 2, 3, 4}), floats({2, 2}, {0, 1.5F, 4, 2.5F}),
                 {{"offset", Floats{1, -1}}, {"scale", Floats{2, 0.5F}}}));
    expect_op(ml("Scaler", numbers(dtype, {1, 1, 2}, {1, 2}), floats({1, 1, 2}, {-6, -3}),
                 {{"offset", Floats{3}}, {"scale", Floats{3}}}));
  }
  expect_op(ml("Scaler", floats({2}, {1, 2}), floats({2}, {1, 2}), {}));
  expect_op_error(ml("Scaler", floats({2}, {1, 2}), floats({2}, {1, 2}), {{"offset", Floats{3, 3, 3}}}),
                  ErrorCode::invalid_model, "attribute 'offset' has 3 elements");
}

TEST(ArrayFeatureExtractor, PicksColumns) {
  const auto extract = [](const Value& x, const Value& y, const Value& z) {
    return OpCase{.op = "ArrayFeatureExtractor", .inputs = {x, y}, .outputs = {z}, .opset = 1, .domain = kDomain};
  };
  for (const DType dtype : kTypes) {
    expect_op(extract(numbers(dtype, {2, 3}, {1, 2, 3, 4, 5, 6}), integers({1, 2}, {2, 0}),
                      numbers(dtype, {2, 2}, {3, 1, 6, 4})));
  }
  expect_op(extract(strings({3}, {"a", "b", "c"}), integers({3}, {1, 1, 2}), strings({1, 3}, {"b", "b", "c"})));
  expect_op(extract(floats({1, 2, 2}, {1, 2, 3, 4}), integers({}, {1}), floats({1, 2, 1}, {2, 4})));
  expect_op(extract(floats({2, 2}, {1, 2, 3, 4}), integers({0}, {}), floats({2, 0}, {})));
  expect_op_error(extract(floats({2, 2}, {1, 2, 3, 4}), integers({1}, {2}), floats({2, 1}, {0, 0})),
                  ErrorCode::run_failed, "index 2 is not in [0, 2)");
  expect_op_error(extract(floats({2, 2}, {1, 2, 3, 4}), integers({1}, {-1}), floats({2, 1}, {0, 0})),
                  ErrorCode::run_failed, "index -1");
}

TEST(FeatureVectorizer, JoinsColumns) {
  for (const DType dtype : kTypes) {
    const Tensor a = numbers(dtype, {2, 2}, {1, 2, 3, 4});
    const Tensor b = numbers(dtype, {2, 1}, {5, 6});
    expect_op({.op = "FeatureVectorizer",
               .inputs = {a, b},
               .outputs = {floats({2, 3}, {1, 2, 5, 3, 4, 6})},
               .attributes = {{"inputdimensions", Integers{2, 1}}},
               .opset = 1,
               .domain = kDomain});
    expect_op({.op = "FeatureVectorizer",
               .inputs = {a, b},
               .outputs = {floats({2, 4}, {1, 5, 0, 0, 3, 6, 0, 0})},
               .attributes = {{"inputdimensions", Integers{1, 3}}},
               .opset = 1,
               .domain = kDomain});
  }
  expect_op(ml("FeatureVectorizer", floats({3}, {1, 2, 3}), floats({1, 3}, {1, 2, 3}), {}));
  expect_op_error({.op = "FeatureVectorizer",
                   .inputs = {floats({2, 1}, {1, 2}), floats({3, 1}, {1, 2, 3})},
                   .outputs = {floats({2, 2}, {0, 0, 0, 0})},
                   .opset = 1,
                   .domain = kDomain},
                  ErrorCode::invalid_model, "2 and 3 rows");
}

TEST(OneHotEncoder, MarksTheCategory) {
  const ModelBuilder::Attributes integers_123 = {{"cats_int64s", Integers{1, 2, 3}}};
  for (const DType dtype : kTypes) {
    expect_op(ml("OneHotEncoder", numbers(dtype, {1, 3}, {1, 3, 5}), floats({1, 3, 3}, {1, 0, 0, 0, 0, 1, 0, 0, 0}),
                 integers_123));
  }
  expect_op(
      ml("OneHotEncoder", floats({3}, {1.9F, -2.9F, 3}), floats({3, 3}, {1, 0, 0, 0, 0, 0, 0, 0, 1}), integers_123));
  const ModelBuilder::Attributes letters = {{"cats_strings", std::vector<std::string>{"a", "b"}},
                                            {"zeros", int64_t{0}}};
  expect_op(ml("OneHotEncoder", strings({}, {"b"}), floats({2}, {0, 1}), letters));
  expect_op_error(ml("OneHotEncoder", strings({2}, {"b", "c"}), floats({2, 2}, {0, 1, 0, 0}), letters),
                  ErrorCode::run_failed, "element 1 is of no category");
  expect_op_error(ml("OneHotEncoder", strings({1}, {"b"}), floats({1, 3}, {0, 1, 0}), integers_123),
                  ErrorCode::invalid_model, "the categories are int64");
}

}  // namespace
}  // namespace onnxrun
