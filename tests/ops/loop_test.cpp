#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

// i = 0, 1, ...: sum += i; gives the sums too; goes on while the sum is less than 10.
ModelBuilder::Body counting_body() {
  ModelBuilder::Body body;
  body.input("i", DType::int64, {}).input("cond", DType::boolean, {}).input("sum", DType::int64, {});
  body.constant("limit", integers({}, {10}));
  body.node("Add", {"sum", "i"}, {"next"})
      .node("Less", {"next", "limit"}, {"more"})
      .node("Identity", {"next"}, {"scan"});
  body.output("more").output("next").output("scan");
  return body;
}

TEST(Loop, EndsByTripsOrCondition) {
  const ModelBuilder::Body body = counting_body();
  const auto expect = [&](const Value& trips, const Value& condition, int64_t sum, const std::vector<int64_t>& sums) {
    expect_op({.op = "Loop",
               .inputs = {trips, condition, integers({}, {0})},
               .outputs = {integers({}, {sum}), integers({static_cast<int64_t>(sums.size())}, sums)},
               .attributes = {{"body", &body}}});
  };
  expect(integers({}, {3}), scalar(true), 3, {0, 1, 3});
  expect(integers({}, {100}), scalar(true), 10, {0, 1, 3, 6, 10});
  expect(Value(), scalar(true), 10, {0, 1, 3, 6, 10});
  expect(integers({}, {3}), Value(), 3, {0, 1, 3});
  expect(integers({}, {3}), scalar(false), 0, {});
  expect(integers({}, {0}), Value(), 0, {});
}

// A state may change its shape.
TEST(Loop, CarriesGrowingTensors) {
  ModelBuilder::Body body;
  body.input("i", DType::int64, {}).input("cond", DType::boolean, {}).input("list", DType::float32, {"n"});
  body.node("Concat", {"list", "list"}, {"longer"}, {{"axis", int64_t{0}}}).node("Identity", {"cond"}, {"more"});
  body.output("more").output("longer");
  expect_op({.op = "Loop",
             .inputs = {integers({}, {2}), Value(), floats({1}, {7})},
             .outputs = {floats({4}, {7, 7, 7, 7})},
             .attributes = {{"body", &body}}});
}

}  // namespace
}  // namespace onnxrun
