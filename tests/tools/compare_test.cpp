#include "compare.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace onnxrun::cli {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

Value floats(const std::vector<float>& values) {
  return Tensor::copy_of({DType::float32, {static_cast<int64_t>(values.size())}, values.data()});
}

bool agree(const std::vector<float>& got, const std::vector<float>& want, Tolerance tolerance = {}) {
  return difference(floats(got), floats(want), tolerance).empty();
}

TEST(Difference, FollowsNumpysRule) {
  EXPECT_TRUE(agree({1.0009F}, {1}));
  EXPECT_FALSE(agree({1.0011F}, {1}));
  EXPECT_TRUE(agree({5e-8F}, {0}));
  EXPECT_FALSE(agree({2e-7F}, {0}));
  EXPECT_TRUE(agree({1}, {2}, {0.5, 0}));  // relative to what is wanted
  EXPECT_FALSE(agree({2}, {1}, {0.5, 0}));
}

TEST(Difference, NanAndInfinity) {
  EXPECT_TRUE(agree({kNan, kInf, -kInf}, {kNan, kInf, -kInf}));
  EXPECT_FALSE(agree({kNan}, {0}, {1e9, 1e9}));
  EXPECT_FALSE(agree({0}, {kNan}, {1e9, 1e9}));
  EXPECT_FALSE(agree({kInf}, {-kInf}));
  EXPECT_FALSE(agree({1e30F}, {kInf}));
  EXPECT_FALSE(agree({kInf}, {1e30F}, {1e9, 1e9}));
}

TEST(Difference, LargeIntegersAreNotRounded) {
  const int64_t a = (int64_t{1} << 60) + 1, b = int64_t{1} << 60;
  const Value x = Tensor::copy_of({DType::int64, {1}, &a}), y = Tensor::copy_of({DType::int64, {1}, &b});
  EXPECT_TRUE(difference(x, y, {0, 1}).empty());
  EXPECT_FALSE(difference(x, y, {0, 0.5}).empty());
}

TEST(Difference, TypeShapeAndKind) {
  const float zero = 0;
  const Value vector = Tensor::copy_of({DType::float32, {1}, &zero});
  EXPECT_NE(difference(vector, Tensor::copy_of({DType::float32, {1, 1}, &zero}), {}), "");
  EXPECT_NE(difference(vector, Tensor::copy_of({DType::int32, {1}, &zero}), {}), "");
  EXPECT_NE(difference(vector, Sequence{nullptr, {vector}}, {}), "");
}

TEST(Difference, SequencesOptionalsAndStrings) {
  const auto text = [](const std::string& value) { return Value(Tensor::copy_of({DType::string, {1}, &value})); };
  const Value a(Sequence{nullptr, {text("x"), floats({1})}}), b(Sequence{nullptr, {text("y"), floats({1})}});
  EXPECT_EQ(difference(a, a, {}), "");
  EXPECT_NE(difference(a, b, {}), "");
  EXPECT_NE(difference(a, Sequence{nullptr, {text("x")}}, {}), "");
  const Value none(Optional{}), some(Optional{nullptr, std::make_shared<const Value>(floats({1}))});
  EXPECT_EQ(difference(none, none, {}), "");
  EXPECT_EQ(difference(some, some, {}), "");
  EXPECT_NE(difference(some, none, {}), "");
  EXPECT_NE(difference(none, some, {}), "");
}

TEST(TypeDifference, IgnoresTheElements) {
  EXPECT_EQ(type_difference(floats({1, 2}), floats({3, 4})), "");
  EXPECT_NE(type_difference(floats({1, 2}), floats({3})), "");
}

}  // namespace
}  // namespace onnxrun::cli
