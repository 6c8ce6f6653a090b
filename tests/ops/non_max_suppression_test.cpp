#include <gtest/gtest.h>

#include <limits>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

// Corners [y1, x1, y2, x2]: two equal boxes, one half over them, one beside, given by its other diagonal.
const Tensor kBoxes = floats({1, 4, 4}, {0, 0, 2, 2, 2, 2, 0, 0, 1, 0, 3, 2, 9, 9, 8, 8});

void expect(const std::vector<Value>& inputs, const std::vector<int64_t>& expected, bool by_center = false,
            int64_t opset = 11) {
  expect_op({.op = "NonMaxSuppression",
             .inputs = inputs,
             .outputs = {integers({static_cast<int64_t>(expected.size() / 3), 3}, expected)},
             .attributes = {{"center_point_box", int64_t{by_center ? 1 : 0}}},
             .opset = opset});
}

TEST(NonMaxSuppression, KeepsTheBestOfOverlappingBoxes) {
  const Tensor scores = floats({1, 1, 4}, {0.5F, 0.5F, 0.9F, 0.1F});
  const Tensor many = integers({1}, {9});
  // Box 2 and box 0 share 2 of 6.
  expect({kBoxes, scores, many, floats({1}, {0.3F})}, {0, 0, 2, 0, 0, 3});
  expect({kBoxes, scores, many, floats({1}, {0.4F})}, {0, 0, 2, 0, 0, 0, 0, 0, 3}, false, 10);
  expect({kBoxes, scores, many, floats({1}, {1})}, {0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 0, 3});
  expect({kBoxes, scores, integers({1}, {1}), floats({1}, {0.4F})}, {0, 0, 2});
  expect({kBoxes, scores, many, floats({1}, {0.4F}), floats({1}, {0.1F})}, {0, 0, 2, 0, 0, 0});
  expect({kBoxes, scores, integers({}, {9})}, {0, 0, 2, 0, 0, 3});
}

TEST(NonMaxSuppression, KeepsWhatIsAtTheThreshold) {
  // Boxes 0 and 1 share 1 of 2.
  const Tensor boxes = floats({1, 2, 4}, {0, 0, 1, 2, 0, 0, 1, 1});
  const Tensor scores = floats({1, 1, 2}, {0.5F, 0.6F});
  expect({boxes, scores, integers({1}, {9}), floats({1}, {0.5F})}, {0, 0, 1, 0, 0, 0});
  expect({boxes, scores, integers({1}, {9}), floats({1}, {0.49F})}, {0, 0, 1});
}

TEST(NonMaxSuppression, GoesThroughBatchesAndClasses) {
  // Centres: two equal boxes in image 0, two apart in image 1.
  const Tensor boxes = floats({2, 2, 4}, {1, 1, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2, 5, 1, 2, 2});
  const Tensor scores = floats({2, 2, 2}, {1, 2, 2, 1, 1, 2, 2, 1});
  expect({boxes, scores, integers({1}, {2}), floats({1}, {0.5F})},
         {0, 0, 1, 0, 1, 0, 1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1}, true);
}

TEST(NonMaxSuppression, OrdersSpecialScores) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const Tensor boxes = floats({1, 4, 4}, {0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7});
  const Tensor scores = floats({1, 1, 4}, {nan, -infinity, 0, infinity});
  expect({boxes, scores, integers({1}, {9})}, {0, 0, 3, 0, 0, 2, 0, 0, 1, 0, 0, 0});
  expect({boxes, scores, integers({1}, {9}), floats({1}, {0}), floats({1}, {-1})}, {0, 0, 3, 0, 0, 2});
  // Without area nothing overlaps.
  expect({floats({1, 2, 4}, {0, 0, 0, 1, 0, 0, 0, 1}), floats({1, 1, 2}, {1, 2}), integers({1}, {9})},
         {0, 0, 1, 0, 0, 0});
}

TEST(NonMaxSuppression, MaySelectNothing) {
  const Tensor scores = floats({1, 1, 4}, {0.5F, 0.5F, 0.9F, 0.1F});
  expect({kBoxes, scores}, {});
  expect({kBoxes, scores, integers({1}, {-1})}, {});
  expect({floats({1, 0, 4}, {}), floats({1, 3, 0}, {}), integers({1}, {5})}, {});
}

TEST(NonMaxSuppression, MatchesPlainSelection) {
  const int64_t count = 300;
  const Tensor corners = random_floats({1, count, 4}, 3);
  const Tensor scores = random_floats({1, 1, count}, 4);
  const float threshold = 0.25F;
  const auto box = corners.values<float>();
  const auto overlap = [&](size_t a, size_t b) {
    double shared = 1;
    double areas[2] = {1, 1};
    for (size_t axis = 0; axis < 2; ++axis) {
      double low[2], high[2];
      for (size_t k = 0; k < 2; ++k) {
        const size_t at = (k == 0 ? a : b) * 4 + axis;
        low[k] = static_cast<double>(std::min(box[at], box[at + 2]));
        high[k] = static_cast<double>(std::max(box[at], box[at + 2]));
        areas[k] *= high[k] - low[k];
      }
      shared *= std::max(0.0, std::min(high[0], high[1]) - std::max(low[0], low[1]));
    }
    return shared / (areas[0] + areas[1] - shared);
  };
  std::vector<bool> gone(static_cast<size_t>(count), false);
  std::vector<int64_t> expected;
  for (;;) {
    size_t best = gone.size();
    for (size_t i = 0; i < gone.size(); ++i) {
      if (!gone[i] && (best == gone.size() || scores.values<float>()[i] > scores.values<float>()[best])) best = i;
    }
    if (best == gone.size()) break;
    expected.insert(expected.end(), {0, 0, static_cast<int64_t>(best)});
    for (size_t i = 0; i < gone.size(); ++i) gone[i] = gone[i] || overlap(best, i) > static_cast<double>(threshold);
    gone[best] = true;
  }
  expect({corners, scores, integers({1}, {count}), floats({1}, {threshold})}, expected);
}

TEST(NonMaxSuppression, RefusesWhatDoesNotFit) {
  const Value y = integers({0, 3}, {});
  expect_op_error({.op = "NonMaxSuppression", .inputs = {kBoxes, floats({1, 1, 3}, {1, 2, 3})}, .outputs = {y}},
                  ErrorCode::invalid_model, "do not go together");
  expect_op_error({.op = "NonMaxSuppression",
                   .inputs = {kBoxes, floats({1, 1, 4}, {1, 2, 3, 4}), integers({1}, {1}), floats({1}, {1.5F})},
                   .outputs = {y}},
                  ErrorCode::run_failed, "iou_threshold 1.5");
}

}  // namespace
}  // namespace onnxrun
