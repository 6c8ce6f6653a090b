#include <gtest/gtest.h>

#include <numeric>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(DepthToSpace, MovesChannelsIntoBlocks) {
  std::vector<float> counted(8);
  std::iota(counted.begin(), counted.end(), 0.0F);
  const Tensor data = floats({1, 8, 1, 1}, counted);
  expect_op({.op = "DepthToSpace",
             .inputs = {data},
             .outputs = {floats({1, 2, 2, 2}, {0, 2, 4, 6, 1, 3, 5, 7})},
             .attributes = {{"blocksize", int64_t{2}}}});
  expect_op({.op = "DepthToSpace",
             .inputs = {data},
             .outputs = {floats({1, 2, 2, 2}, counted)},
             .attributes = {{"blocksize", int64_t{2}}, {"mode", std::string("CRD")}}});
  expect_op({.op = "SpaceToDepth",
             .inputs = {floats({1, 2, 2, 2}, {0, 2, 4, 6, 1, 3, 5, 7})},
             .outputs = {data},
             .attributes = {{"blocksize", int64_t{2}}}});
  expect_op_error(
      {.op = "DepthToSpace", .inputs = {data}, .outputs = {data}, .attributes = {{"blocksize", int64_t{3}}}},
      ErrorCode::invalid_model, "blocks of 9");
}

}  // namespace
}  // namespace onnxrun
