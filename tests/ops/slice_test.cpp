#include <gtest/gtest.h>

#include <limits>

#include "onnxrun/session.h"
#include "support/model_builder.h"
#include "support/op_tester.h"

namespace onnxrun {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

TEST(Slice, CutsWithSteps) {
  const Tensor data = floats({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  expect_op(
      {.op = "Slice",
       .inputs = {data, integers({2}, {1, 0}), integers({2}, {2, 3}), integers({2}, {0, 1}), integers({2}, {1, 2})},
       .outputs = {floats({1, 2}, {5, 7})}});
  expect_op({.op = "Slice",
             .inputs = {data, integers({2}, {0, 1}), integers({2}, {-1, 1000})},
             .outputs = {floats({1, 3}, {2, 3, 4})}});
  expect_op({.op = "Slice",
             .inputs = {data, integers({1}, {kMax}), integers({1}, {kMin}), integers({1}, {-1}), integers({1}, {-1})},
             .outputs = {floats({2, 4}, {4, 3, 2, 1, 8, 7, 6, 5})}});
  expect_op({.op = "Slice",
             .inputs = {data, integers({1}, {0}), integers({1}, {kMax}), integers({1}, {1}), integers({1}, {kMax})},
             .outputs = {floats({2, 1}, {1, 5})}});
  expect_op({.op = "Slice",
             .inputs = {data, integers({1}, {3}), integers({1}, {kMin}), integers({1}, {1}), integers({1}, {kMin})},
             .outputs = {floats({2, 1}, {4, 8})}});
}

TEST(Slice, MayLeaveNothing) {
  expect_op({.op = "Slice",
             .inputs = {floats({3}, {1, 2, 3}), integers({1}, {5}), integers({1}, {9})},
             .outputs = {floats({0}, {})}});
  expect_op({.op = "Slice",
             .inputs = {floats({0}, {}), integers({1}, {0}), integers({1}, {9})},
             .outputs = {floats({0}, {})}});
}

TEST(Slice, TakesAttributesInItsFirstVersion) {
  expect_op({.op = "Slice",
             .inputs = {strings({3}, {"a", "b", "c"})},
             .outputs = {strings({2}, {"b", "c"})},
             .attributes = {{"starts", std::vector<int64_t>{-2}}, {"ends", std::vector<int64_t>{kMax}}},
             .opset = 1});
}

// x[:n] of constants, where n is the extent of an input: as long as the input, or as all there are.
TEST(Slice, EndsAtAnExtentOfAnInput) {
  for (const int64_t step : {1, 2}) {
    ModelBuilder builder;
    builder.main.input("x", DType::float32, {"n"}).constant("table", floats({4}, {1, 2, 3, 4}));
    builder.main.constant("zero", integers({1}, {0})).constant("step", integers({1}, {step}));
    builder.main.node("Shape", {"x"}, {"size"})
        .node("Slice", {"table", "zero", "size", "zero", "step"}, {"y"})
        .output("y");
    const Session session(builder.model());
    EXPECT_EQ(session.outputs()[0].type.to_string(), step == 1 ? "float32[min(4,n)]" : "float32[?]");
    const auto run = [&](int64_t n) { return elements(session.run(std::vector<Value>{random_floats({n}, 1)})[0]); };
    EXPECT_EQ(run(0), std::vector<float>());
    EXPECT_EQ(run(3), step == 1 ? std::vector<float>({1, 2, 3}) : std::vector<float>({1, 3}));
    EXPECT_EQ(run(9), step == 1 ? std::vector<float>({1, 2, 3, 4}) : std::vector<float>({1, 3}));
  }
}

TEST(Slice, RefusesAStepOfZero) {
  expect_op_error(
      {.op = "Slice",
       .inputs = {floats({1}, {1}), integers({1}, {0}), integers({1}, {1}), integers({1}, {0}), integers({1}, {0})},
       .outputs = {floats({1}, {1})}},
      ErrorCode::run_failed, "steps");
}

}  // namespace
}  // namespace onnxrun
