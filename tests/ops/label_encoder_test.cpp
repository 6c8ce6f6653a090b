#include <gtest/gtest.h>

#include <cmath>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

using Strings = std::vector<std::string>;
using Integers = std::vector<int64_t>;
using Floats = std::vector<float>;

const std::string kDomain = "ai.onnx.ml";

TEST(CategoryMapper, MapsBothWays) {
  const ModelBuilder::Attributes attributes = {{"cats_strings", Strings{"a", "b", "a"}},
                                               {"cats_int64s", Integers{3, 4, 5}}};
  expect_op({.op = "CategoryMapper",
             .inputs = {strings({2, 2}, {"a", "b", "c", ""})},
             .outputs = {integers({2, 2}, {5, 4, -1, -1})},
             .attributes = attributes,
             .opset = 1,
             .domain = kDomain});
  expect_op({.op = "CategoryMapper",
             .inputs = {integers({3}, {4, 5, 9})},
             .outputs = {strings({3}, {"b", "a", "_Unused"})},
             .attributes = attributes,
             .opset = 1,
             .domain = kDomain});
}

TEST(LabelEncoder, MapsPositionsInVersion1) {
  const ModelBuilder::Attributes attributes = {
      {"classes_strings", Strings{"x", "y"}}, {"default_int64", int64_t{9}}, {"default_string", std::string("?")}};
  expect_op({.op = "LabelEncoder",
             .inputs = {strings({3}, {"y", "z", "x"})},
             .outputs = {integers({3}, {1, 9, 0})},
             .attributes = attributes,
             .opset = 1,
             .domain = kDomain});
  expect_op({.op = "LabelEncoder",
             .inputs = {integers({1, 4}, {0, 1, 2, -1})},
             .outputs = {strings({1, 4}, {"x", "y", "?", "?"})},
             .attributes = attributes,
             .opset = 1,
             .domain = kDomain});
}

TEST(LabelEncoder, ComparesBitsInVersion2) {
  const float nan = std::nanf("");
  expect_op({.op = "LabelEncoder",
             .inputs = {floats({4}, {nan, 0, -0.0F, 1})},
             .outputs = {integers({4}, {1, -1, 2, -1})},
             .attributes = {{"keys_floats", Floats{nan, -0.0F}}, {"values_int64s", Integers{1, 2}}},
             .opset = 2,
             .domain = kDomain});
  expect_op(
      {.op = "LabelEncoder",
       .inputs = {integers({3}, {7, 8, 9})},
       .outputs = {floats({3}, {1, 3, -5})},
       .attributes = {{"keys_int64s", Integers{7, 7, 8}}, {"values_floats", Floats{1, 2, 3}}, {"default_float", -5.0F}},
       .opset = 2,
       .domain = kDomain});
  expect_op({.op = "LabelEncoder",
             .inputs = {strings({}, {"k"})},
             .outputs = {strings({}, {"v"})},
             .attributes = {{"keys_strings", Strings{"k"}}, {"values_strings", Strings{"v"}}},
             .opset = 3,
             .domain = kDomain});
}

TEST(LabelEncoder, TakesTensorsInVersion4) {
  const float nan = std::nanf("");
  expect_op({.op = "LabelEncoder",
             .inputs = {floats({4}, {nan, 0, -0.0F, 1})},
             .outputs = {floats({4}, {7, 8, 8, -0.0F})},
             .attributes = {{"keys_floats", Floats{-nan, 1, -0.0F, -0.0F}}, {"values_floats", Floats{7, -0.0F, 2, 8}}},
             .opset = 4,
             .domain = kDomain});
  for (const DType key : {DType::int16, DType::int32, DType::int64, DType::float64, DType::float32}) {
    for (const DType value : {DType::int16, DType::int32, DType::float64}) {
      expect_op({.op = "LabelEncoder",
                 .inputs = {numbers(key, {2, 2}, {5, -6, 7, 5})},
                 .outputs = {numbers(value, {2, 2}, {11, 12, -3, 11})},
                 .attributes = {{"keys_tensor", numbers(key, {2}, {5, -6})},
                                {"values_tensor", numbers(value, {2}, {11, 12})},
                                {"default_tensor", numbers(value, {1}, {-3})}},
                 .opset = 4,
                 .domain = kDomain});
    }
  }
  expect_op({.op = "LabelEncoder",
             .inputs = {strings({0}, {})},
             .outputs = {numbers(DType::int32, {0}, {})},
             .attributes = {{"keys_tensor", strings({1}, {"a"})}, {"values_tensor", numbers(DType::int32, {1}, {1})}},
             .opset = 4,
             .domain = kDomain});
}

TEST(LabelEncoder, RefusesWhatDoesNotFit) {
  const OpCase good = {.op = "LabelEncoder",
                       .inputs = {strings({1}, {"a"})},
                       .outputs = {integers({1}, {1})},
                       .attributes = {{"keys_strings", Strings{"a"}}, {"values_int64s", Integers{1}}},
                       .opset = 2,
                       .domain = kDomain};
  OpCase test = good;
  test.attributes[1] = {"values_int64s", Integers{1, 2}};
  expect_op_error(test, ErrorCode::invalid_model, "1 keys and 2 values");
  test = good;
  test.attributes.pop_back();
  expect_op_error(test, ErrorCode::invalid_model, "'values_*' must be given");
  test = good;
  test.inputs = {integers({1}, {1})};
  expect_op_error(test, ErrorCode::invalid_model, "the keys are string");
}

}  // namespace
}  // namespace onnxrun
