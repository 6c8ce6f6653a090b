#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

using Strings = std::vector<std::string>;
using Integers = std::vector<int64_t>;

const std::string kDomain = "ai.onnx.ml";

Value map_of(Tensor keys, const Tensor& values) {
  Map map{std::move(keys), {}};
  for (int64_t i = 0; i < values.elements(); ++i) {
    if (values.dtype() == DType::string) {
      map.values.emplace_back(strings({}, {values.values<std::string>()[i]}));
    } else {
      map.values.emplace_back(floats({}, {values.values<float>()[i]}));
    }
  }
  return map;
}

void expect_ml(const std::string& op, const Value& input, const Value& output,
               const ModelBuilder::Attributes& attributes) {
  expect_op(
      {.op = op, .inputs = {input}, .outputs = {output}, .attributes = attributes, .opset = 1, .domain = kDomain});
}

TEST(CastMap, OrdersByKey) {
  const Value map = map_of(integers({3}, {5, 1, 3}), floats({3}, {1.5F, -2.75F, 4}));
  expect_ml("CastMap", map, floats({1, 3}, {-2.75F, 4, 1.5F}), {});
  expect_ml("CastMap", map, integers({1, 3}, {-2, 4, 1}), {{"cast_to", std::string("TO_INT64")}});
  expect_ml("CastMap", map, strings({1, 3}, {"-2.75", "4", "1.5"}), {{"cast_to", std::string("TO_STRING")}});
  expect_ml("CastMap", map, floats({1, 7}, {0, -2.75F, 0, 4, 0, 1.5F, 0}),
            {{"map_form", std::string("SPARSE")}, {"max_map", int64_t{7}}});
  const Value texts = map_of(integers({2}, {2, 0}), strings({2}, {"7.5", "-1"}));
  expect_ml("CastMap", texts, floats({1, 2}, {-1, 7.5F}), {});
  expect_ml("CastMap", texts, integers({1, 3}, {-1, 0, 7}),
            {{"cast_to", std::string("TO_INT64")}, {"map_form", std::string("SPARSE")}, {"max_map", int64_t{3}}});
}

TEST(CastMap, RefusesKeysPastTheEnd) {
  for (const int64_t key : {-1, 3}) {
    expect_op_error({.op = "CastMap",
                     .inputs = {map_of(integers({1}, {key}), floats({1}, {1}))},
                     .outputs = {floats({1, 3}, {0, 0, 0})},
                     .attributes = {{"map_form", std::string("SPARSE")}, {"max_map", int64_t{3}}},
                     .opset = 1,
                     .domain = kDomain},
                    ErrorCode::run_failed, "is not in [0, 3)");
  }
}

TEST(DictVectorizer, PlacesByVocabulary) {
  // The specification's example.
  const ModelBuilder::Attributes letters = {{"string_vocabulary", Strings{"a", "c", "b", "z"}}};
  expect_ml("DictVectorizer", map_of(strings({2}, {"a", "c"}), floats({2}, {4, 8})), floats({1, 4}, {4, 8, 0, 0}),
            letters);
  expect_ml("DictVectorizer", map_of(strings({2}, {"z", "unknown"}), floats({2}, {4, 8})), floats({1, 4}, {0, 0, 0, 4}),
            letters);
  expect_ml("DictVectorizer", map_of(integers({1}, {9}), strings({1}, {"nine"})), strings({1, 2}, {"", "nine"}),
            {{"int64_vocabulary", Integers{8, 9}}});
}

TEST(ZipMap, MakesAMapOfEachRow) {
  const Tensor names = strings({2}, {"yes", "no"});
  expect_ml("ZipMap", floats({2, 2}, {1, 2, 3, 4}),
            Sequence{nullptr, {map_of(names, floats({2}, {1, 2})), map_of(names, floats({2}, {3, 4}))}},
            {{"classlabels_strings", Strings{"yes", "no"}}});
  expect_ml("ZipMap", floats({3}, {1, 2, 3}),
            Sequence{nullptr, {map_of(integers({3}, {7, 5, 6}), floats({3}, {1, 2, 3}))}},
            {{"classlabels_int64s", Integers{7, 5, 6}}});
  expect_ml("ZipMap", floats({0, 1}, {}), Sequence{}, {{"classlabels_int64s", Integers{7}}});
}

TEST(ZipMap, RefusesOtherColumns) {
  expect_op_error({.op = "ZipMap",
                   .inputs = {floats({1, 3}, {1, 2, 3})},
                   .outputs = {Sequence{}},
                   .attributes = {{"classlabels_int64s", Integers{7, 8}}},
                   .opset = 1,
                   .domain = kDomain},
                  ErrorCode::invalid_model, "3 columns for 2 keys");
}

}  // namespace
}  // namespace onnxrun
