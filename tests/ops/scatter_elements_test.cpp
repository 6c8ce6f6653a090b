#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(ScatterElements, ReplacesAndReduces) {
  const Tensor data = floats({1, 4}, {1, 2, 3, 4});
  const auto expect = [&](const char* reduction, const std::vector<float>& expected) {
    expect_op({.op = "ScatterElements",
               .inputs = {data, integers({1, 3}, {1, 1, -1}), floats({1, 3}, {5, 7, 2})},
               .outputs = {floats({1, 4}, expected)},
               .attributes = {{"axis", int64_t{1}}, {"reduction", std::string(reduction)}}});
  };
  expect("none", {1, 7, 3, 2});
  expect("add", {1, 14, 3, 6});
  expect("mul", {1, 70, 3, 8});
  expect("min", {1, 2, 3, 2});
  expect("max", {1, 7, 3, 4});
  expect_op({.op = "Scatter",
             .inputs = {strings({2}, {"a", "b"}), integers({1}, {0}), strings({1}, {"c"})},
             .outputs = {strings({2}, {"c", "b"})},
             .opset = 9});
}

// Element [i][j][k] of the updates goes to data with its index in the place of the axis's: in order, later ones win.
TEST(ScatterElements, AppliesManyUpdatesInOrder) {
  const int64_t data[] = {3, 5, 700}, updates[] = {2, 4, 600};
  for (int64_t axis = 0; axis < 3; ++axis) {
    for (const bool adds : {false, true}) {
      std::vector<float> base(static_cast<size_t>(data[0] * data[1] * data[2]));
      for (size_t i = 0; i < base.size(); ++i) base[i] = static_cast<float>(i % 100);
      std::vector<float> expected = base, values;
      std::vector<int64_t> indices;
      for (int64_t n = 0; n < updates[0] * updates[1] * updates[2]; ++n) {
        int64_t at[] = {n / (updates[1] * updates[2]), n / updates[2] % updates[1], n % updates[2]};
        const int64_t extent = data[axis];
        const int64_t place = n * n % extent;
        indices.push_back(n % 3 == 0 ? place - extent : place);
        values.push_back(static_cast<float>(n % 51));
        at[axis] = place;
        float& element = expected[static_cast<size_t>((at[0] * data[1] + at[1]) * data[2] + at[2])];
        element = adds ? element + values.back() : values.back();
      }
      expect_op({.op = "ScatterElements",
                 .inputs = {floats({3, 5, 700}, base), integers({2, 4, 600}, indices), floats({2, 4, 600}, values)},
                 .outputs = {floats({3, 5, 700}, expected)},
                 .attributes = {{"axis", axis}, {"reduction", std::string(adds ? "add" : "none")}}});
    }
  }
}

TEST(ScatterElements, FailsOnWrongIndicesAndTypes) {
  expect_op_error({.op = "ScatterElements",
                   .inputs = {floats({1}, {1}), integers({1}, {1}), floats({1}, {1})},
                   .outputs = {floats({1}, {1})}},
                  ErrorCode::run_failed, "index 1");
  expect_op_error({.op = "ScatterElements",
                   .inputs = {strings({1}, {"a"}), integers({1}, {0}), strings({1}, {"b"})},
                   .outputs = {strings({1}, {"b"})},
                   .attributes = {{"reduction", std::string("add")}}},
                  ErrorCode::invalid_model, "reduction 'add'");
}

}  // namespace
}  // namespace onnxrun
