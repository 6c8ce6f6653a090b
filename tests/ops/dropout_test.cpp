#include <gtest/gtest.h>

#include "onnxrun/session.h"
#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Dropout, PassesOnWithoutTraining) {
  const Tensor data = floats({2, 2}, {1, -2, 3, 4});
  for (const int64_t opset : {1, 6, 7}) {
    const ModelBuilder::Attributes attributes = opset < 7
                                                    ? ModelBuilder::Attributes{{"is_test", int64_t{1}}, {"ratio", 0.3F}}
                                                    : ModelBuilder::Attributes{{"ratio", 0.3F}};
    expect_op({.op = "Dropout",
               .inputs = {data},
               .outputs = {data, floats({2, 2}, {1, 1, 1, 1})},
               .attributes = attributes,
               .opset = opset});
  }
  const Tensor mask = numbers(DType::boolean, {2, 2}, {1, 1, 1, 1});
  for (const int64_t opset : {10, 12, 13, 22}) {
    expect_op({.op = "Dropout", .inputs = {data}, .outputs = {data, mask}, .opset = opset});
  }
  expect_op({.op = "Dropout",
             .inputs = {data, numbers(DType::float32, {}, {0.5}), scalar(false)},
             .outputs = {data, mask},
             .opset = 13});
}

// RandomState(0) of numpy begins 0.5488135, 0.71518937, 0.60276338, 0.54488318, 0.4236548, 0.64589411.
TEST(Dropout, DrawsLikeNumpy) {
  for (const DType dtype : {DType::float32, DType::float64, DType::float16, DType::bfloat16}) {
    expect_op(
        {.op = "Dropout",
         .inputs = {numbers(dtype, {6}, {1, 2, 3, 4, 5, 6}), numbers(DType::float64, {}, {0.6}), scalar(true)},
         .outputs = {numbers(dtype, {6}, {0, 5, 7.5, 0, 0, 15}), numbers(DType::boolean, {6}, {0, 1, 1, 0, 0, 1})},
         .attributes = {{"seed", int64_t{0}}},
         .opset = 22,
         .relative = dtype == DType::bfloat16  ? 1e-2
                     : dtype == DType::float16 ? 1e-3
                                               : 1e-7});
  }
  expect_op({.op = "Dropout",
             .inputs = {floats({6}, {1, 2, 3, 4, 5, 6}), {}, scalar(true)},
             .outputs = {floats({6}, {2, 4, 6, 8, 0, 12})},
             .attributes = {{"seed", int64_t{0}}},
             .opset = 12});
  expect_op({.op = "Dropout",
             .inputs = {floats({0}, {}), numbers(DType::float32, {}, {0}), scalar(true)},
             .outputs = {floats({0}, {}), numbers(DType::boolean, {0}, {})},
             .opset = 13});
}

TEST(Dropout, DiffersFromRunToRunWithoutSeed) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"256"}).input("t", DType::boolean, {}).output("y");
  builder.main.node("Dropout", {"x", "", "t"}, {"y"});
  const Session session(builder.model());
  const std::vector<Value> inputs = {floats({256}, std::vector<float>(256, 1.0F)), scalar(true)};
  EXPECT_NE(elements(session.run(inputs)[0]), elements(session.run(inputs)[0]));
}

TEST(Dropout, RefusesARatioOfOne) {
  expect_op_error({.op = "Dropout",
                   .inputs = {floats({1}, {1}), numbers(DType::float32, {}, {1}), scalar(true)},
                   .outputs = {floats({1}, {1})}},
                  ErrorCode::run_failed, "ratio 1");
}

}  // namespace
}  // namespace onnxrun
