#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(ScatterND, ReplacesSlices) {
  const Tensor data = floats({3, 2}, {1, 2, 3, 4, 5, 6});
  expect_op({.op = "ScatterND",
             .inputs = {data, integers({2, 1}, {2, 0}), floats({2, 2}, {7, 8, 9, 10})},
             .outputs = {floats({3, 2}, {9, 10, 3, 4, 7, 8})}});
  expect_op({.op = "ScatterND",
             .inputs = {data, integers({2, 2}, {0, 1, 0, -1}), floats({2}, {10, 20})},
             .outputs = {floats({3, 2}, {1, 32, 3, 4, 5, 6})},
             .attributes = {{"reduction", std::string("add")}}});
  expect_op_error(
      {.op = "ScatterND", .inputs = {data, integers({1, 1}, {3}), floats({1, 2}, {1, 2})}, .outputs = {data}},
      ErrorCode::run_failed, "index 3");
}

TEST(ScatterND, AppliesManyUpdatesInOrder) {
  constexpr int64_t kRows = 40, kUpdates = 1000, kWidth = 3;
  std::vector<float> expected(kRows * kWidth, 0), updates;
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < kUpdates; ++i) {
    indices.push_back(i * i % kRows);
    for (int64_t j = 0; j < kWidth; ++j) {
      updates.push_back(static_cast<float>(i + j));
      expected[static_cast<size_t>(indices.back() * kWidth + j)] = updates.back();
    }
  }
  expect_op({.op = "ScatterND",
             .inputs = {floats({kRows, kWidth}, std::vector<float>(kRows * kWidth, 0)),
                        integers({kUpdates, 1}, indices), floats({kUpdates, kWidth}, updates)},
             .outputs = {floats({kRows, kWidth}, expected)}});
}

}  // namespace
}  // namespace onnxrun
