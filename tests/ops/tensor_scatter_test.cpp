#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(TensorScatter, WritesAtEachEntrysPosition) {
  const std::vector<double> cache = {1, 2, 3, 4, 5, 6, 7, 8};
  const std::vector<double> expected = {1, 2, 0, 1, 1, 0, 7, 8};
  for (const DType dtype : {DType::float32, DType::float16, DType::int8, DType::int64, DType::uint16}) {
    expect_op(
        {.op = "TensorScatter",
         .inputs = {numbers(dtype, {2, 4, 1}, cache), numbers(dtype, {2, 2, 1}, {0, 1, 1, 0}), integers({2}, {2, 0})},
         .outputs = {numbers(dtype, {2, 4, 1}, expected)},
         .opset = 24});
  }
  expect_op({.op = "TensorScatter",
             .inputs = {strings({1, 3}, {"a", "b", "c"}), strings({1, 1}, {"x"})},
             .outputs = {strings({1, 3}, {"x", "b", "c"})},
             .attributes = {{"axis", int64_t{1}}},
             .opset = 24});
}

TEST(TensorScatter, GoesAround) {
  const Tensor cache = integers({1, 2, 3, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  const Tensor update = integers({1, 2, 2, 2}, {21, 22, 23, 24, 25, 26, 27, 28});
  const Tensor expected = integers({1, 2, 3, 2}, {23, 24, 3, 4, 21, 22, 27, 28, 9, 10, 25, 26});
  for (const int64_t index : {2, 5, -1}) {
    expect_op({.op = "TensorScatter",
               .inputs = {cache, update, integers({1}, {index})},
               .outputs = {expected},
               .attributes = {{"mode", std::string("circular")}},
               .opset = 24});
  }
}

TEST(TensorScatter, MovesPackedElements) {
  // Elements 1 2 3 and 4 5 6, of 4 bits, with 9 and 8 in their middle.
  const std::vector<uint8_t> cache = {0x21, 0x43, 0x65};
  const std::vector<uint8_t> update = {0x89};
  const std::vector<uint8_t> expected = {0x91, 0x43, 0x68};
  const auto tensor = [](const Shape& shape, const std::vector<uint8_t>& bytes) {
    return Tensor::copy_of({DType::uint4, shape, bytes.data()});
  };
  expect_op({.op = "TensorScatter",
             .inputs = {tensor({2, 3}, cache), tensor({2, 1}, update), integers({2}, {1, 1})},
             .outputs = {tensor({2, 3}, expected)},
             .attributes = {{"axis", int64_t{-1}}},
             .opset = 24});
}

TEST(TensorScatter, RefusesWhatDoesNotFit) {
  const Tensor cache = floats({1, 2, 1}, {1, 2});
  const auto expect = [&](std::vector<Value> inputs, ModelBuilder::Attributes attributes, ErrorCode code,
                          const std::string& text) {
    expect_op_error({.op = "TensorScatter",
                     .inputs = std::move(inputs),
                     .outputs = {cache},
                     .attributes = std::move(attributes),
                     .opset = 24},
                    code, text);
  };
  expect({cache, floats({1, 1, 1}, {1}), integers({1}, {2})}, {}, ErrorCode::run_failed, "do not fit a cache of 2");
  expect({cache, floats({1, 1, 1}, {1}), integers({1}, {-1})}, {}, ErrorCode::run_failed, "do not fit a cache of 2");
  expect({cache, floats({1, 3, 1}, {1, 2, 3})}, {}, ErrorCode::invalid_model, "does not fit a cache");
  expect({cache, cache}, {{"axis", int64_t{0}}}, ErrorCode::invalid_model, "axis 0 is the batch");
  expect({cache, cache, integers({2}, {0, 0})}, {}, ErrorCode::invalid_model, "write_indices");
}

}  // namespace
}  // namespace onnxrun
