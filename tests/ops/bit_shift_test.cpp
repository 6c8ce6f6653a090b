#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(BitShift, GivesZeroForTheWidthAndMore) {
  const auto shift = [](const char* direction, const std::vector<double>& expected) {
    expect_op({.op = "BitShift",
               .inputs = {numbers(DType::uint8, {3}, {16, 255, 1}), numbers(DType::uint8, {3}, {1, 8, 200})},
               .outputs = {numbers(DType::uint8, {3}, expected)},
               .attributes = {{"direction", std::string(direction)}}});
  };
  shift("LEFT", {32, 0, 0});
  shift("RIGHT", {8, 0, 0});
}

}  // namespace
}  // namespace onnxrun
