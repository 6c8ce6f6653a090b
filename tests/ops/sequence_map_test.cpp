#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

void expect_map(const ModelBuilder::Body& body, const std::vector<Value>& inputs, const std::vector<Value>& outputs) {
  expect_op({.op = "SequenceMap", .inputs = inputs, .outputs = outputs, .attributes = {{"body", &body}}, .opset = 17});
}

TEST(SequenceMap, MapsElementsOfDifferentShapes) {
  ModelBuilder::Body body;
  body.input("x", DType::float32, {"?"}).input("y", DType::float32, {"?"});
  body.node("Add", {"x", "y"}, {"sum"}).node("Shape", {"x"}, {"shape"});
  body.output("sum").output("shape");
  const Value x = sequence({floats({2}, {1, 2}), floats({3}, {3, 4, 5})});
  // A tensor is passed whole, a sequence by its elements.
  expect_map(body, {x, floats({1}, {10})},
             {sequence({floats({2}, {11, 12}), floats({3}, {13, 14, 15})}),
              sequence({integers({1}, {2}), integers({1}, {3})})});
  expect_map(
      body, {x, sequence({floats({1}, {1}), floats({3}, {1, 2, 3})})},
      {sequence({floats({2}, {2, 3}), floats({3}, {4, 6, 8})}), sequence({integers({1}, {2}), integers({1}, {3})})});
}

TEST(SequenceMap, MapsNothingAndStrings) {
  ModelBuilder::Body body;
  body.input("x", DType::string, {"?"});
  body.node("Identity", {"x"}, {"y"}).output("y");
  const Value words = sequence({strings({2}, {"a", "b"}), strings({0}, {})});
  expect_map(body, {words}, {words});
  ModelBuilder::Body numbers_body;
  numbers_body.input("x", DType::float32, {"?"});
  numbers_body.node("Identity", {"x"}, {"y"}).output("y");
  expect_map(numbers_body, {sequence({})}, {sequence({})});
}

TEST(SequenceMap, RefusesSequencesOfDifferentLengths) {
  ModelBuilder::Body body;
  body.input("x", DType::float32, {"?"}).input("y", DType::float32, {"?"});
  body.node("Add", {"x", "y"}, {"sum"}).output("sum");
  const auto refuse = [&](const std::vector<Value>& inputs, ErrorCode code, const std::string& text) {
    expect_op_error({.op = "SequenceMap",
                     .inputs = inputs,
                     .outputs = {sequence({floats({1}, {1})})},
                     .attributes = {{"body", &body}},
                     .opset = 17},
                    code, text);
  };
  const Value one = sequence({floats({1}, {1})});
  refuse({one, sequence({floats({1}, {1}), floats({1}, {1})})}, ErrorCode::run_failed, "2 elements");
  refuse({one}, ErrorCode::invalid_model, "body");
}

}  // namespace
}  // namespace onnxrun
