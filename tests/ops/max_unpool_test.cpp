#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

const ModelBuilder::Attributes kTwo = {{"kernel_shape", std::vector<int64_t>{2}}, {"strides", std::vector<int64_t>{2}}};

TEST(MaxUnpool, PutsElementsWhereTheyWere) {
  for (const DType dtype : {DType::float32, DType::float16, DType::bfloat16, DType::float64}) {
    expect_op({.op = "MaxUnpool",
               .inputs = {numbers(dtype, {1, 2, 2}, {1, 2, 3, 4}), integers({1, 2, 2}, {1, 2, 4, 7})},
               .outputs = {numbers(dtype, {1, 2, 4}, {0, 1, 2, 0, 3, 0, 0, 4})},
               .attributes = kTwo,
               .opset = 22});
  }
  // pads shorten the output; of equal indices the last one wins.
  expect_op({.op = "MaxUnpool",
             .inputs = {floats({1, 1, 3}, {1, 2, 3}), integers({1, 1, 3}, {0, 3, 3})},
             .outputs = {floats({1, 1, 4}, {1, 0, 0, 3})},
             .attributes = {{"kernel_shape", std::vector<int64_t>{2}},
                            {"strides", std::vector<int64_t>{2}},
                            {"pads", std::vector<int64_t>{1, 1}}},
             .opset = 9});
}

TEST(MaxUnpool, TakesAnOutputShape) {
  const Tensor x = floats({1, 1, 1, 2}, {1, 2});
  const ModelBuilder::Attributes attributes = {{"kernel_shape", std::vector<int64_t>{2, 2}},
                                               {"strides", std::vector<int64_t>{2, 2}}};
  // Indices count through 2 x 4, which is the corner of 3 x 5.
  expect_op({.op = "MaxUnpool",
             .inputs = {x, integers({1, 1, 1, 2}, {1, 6}), integers({4}, {1, 1, 3, 5})},
             .outputs = {floats({1, 1, 3, 5}, {0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0})},
             .attributes = attributes});
  // What pads would have made smaller is counted as it is.
  expect_op({.op = "MaxUnpool",
             .inputs = {x, integers({1, 1, 1, 2}, {1, 5}), integers({4}, {1, 1, 2, 3})},
             .outputs = {floats({1, 1, 2, 3}, {0, 1, 0, 0, 0, 2})},
             .attributes = attributes});
}

TEST(MaxUnpool, RefusesWhatDoesNotFit) {
  const Tensor x = floats({1, 1, 1}, {1});
  const Value y = floats({1, 1, 2}, {0, 0});
  expect_op_error({.op = "MaxUnpool", .inputs = {x, integers({1, 1, 1}, {2})}, .outputs = {y}, .attributes = kTwo},
                  ErrorCode::run_failed, "index 2");
  expect_op_error({.op = "MaxUnpool", .inputs = {x, integers({1, 1, 1}, {-1})}, .outputs = {y}, .attributes = kTwo},
                  ErrorCode::run_failed, "index -1");
  expect_op_error({.op = "MaxUnpool", .inputs = {x, integers({1, 1}, {1})}, .outputs = {y}, .attributes = kTwo},
                  ErrorCode::invalid_model, "indices of shape [1,1]");
}

}  // namespace
}  // namespace onnxrun
