#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

// sum += x; gives the sums too.
ModelBuilder::Body summing_body() {
  ModelBuilder::Body body;
  body.input("sum", DType::float32, {"2"}).input("x", DType::float32, {"2"});
  body.node("Add", {"sum", "x"}, {"next"}).node("Identity", {"next"}, {"scan"});
  body.output("next").output("scan");
  return body;
}

TEST(Scan, WalksAlongAnyAxisInBothDirections) {
  const ModelBuilder::Body body = summing_body();
  const Tensor zero = floats({2}, {0, 0});
  expect_op({.op = "Scan",
             .inputs = {zero, floats({3, 2}, {1, 2, 3, 4, 5, 6})},
             .outputs = {floats({2}, {9, 12}), floats({3, 2}, {1, 2, 4, 6, 9, 12})},
             .attributes = {{"body", &body}, {"num_scan_inputs", int64_t{1}}}});
  expect_op({.op = "Scan",
             .inputs = {zero, floats({2, 3}, {1, 3, 5, 2, 4, 6})},
             .outputs = {floats({2}, {9, 12}), floats({2, 3}, {9, 8, 5, 12, 10, 6})},
             .attributes = {{"body", &body},
                            {"num_scan_inputs", int64_t{1}},
                            {"scan_input_axes", std::vector<int64_t>{1}},
                            {"scan_input_directions", std::vector<int64_t>{1}},
                            {"scan_output_axes", std::vector<int64_t>{-1}},
                            {"scan_output_directions", std::vector<int64_t>{1}}}});
}

TEST(Scan, HasABatchInItsFirstVersion) {
  const ModelBuilder::Body body = summing_body();
  expect_op(
      {.op = "Scan",
       .inputs = {integers({2}, {1, 2}), floats({2, 2}, {0, 0, 10, 10}), floats({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8})},
       .outputs = {floats({2, 2}, {1, 2, 22, 24}), floats({2, 2, 2}, {1, 2, 0, 0, 15, 16, 22, 24})},
       .attributes = {{"body", &body}, {"num_scan_inputs", int64_t{1}}},
       .opset = 8});
}

}  // namespace
}  // namespace onnxrun
