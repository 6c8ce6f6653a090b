#include "graph/dim.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace onnxrun {
namespace {

const Dim kBatch = Dim::symbol("batch");
const Dim kHeight = Dim::symbol("height");

TEST(Dim, NumbersAreComputed) {
  EXPECT_EQ((Dim(6) * Dim(7)).number(), 42);
  EXPECT_EQ(floor_div(Dim(-7), Dim(2)).number(), -4);
  EXPECT_EQ(ceil_div(Dim(7), Dim(2)).number(), 4);
  EXPECT_EQ(modulo(Dim(-7), Dim(3)).number(), 2);
  EXPECT_EQ(min(Dim(2), Dim(3)).number(), 2);
  EXPECT_EQ(max(Dim(2), Dim(3)).number(), 3);
}

TEST(Dim, EqualPolynomialsAreEqualHoweverWritten) {
  EXPECT_TRUE((kBatch + 1) * 2 == kBatch * 2 + 2);
  EXPECT_TRUE(kBatch * kHeight == kHeight * kBatch);
  EXPECT_TRUE((kBatch - kBatch).is(0));
  EXPECT_FALSE(kBatch == kHeight);
}

TEST(Dim, UnknownEqualsNothingAndSpreads) {
  EXPECT_FALSE(Dim::unknown() == Dim::unknown());
  EXPECT_FALSE((Dim::unknown() + 1).is_known());
  EXPECT_TRUE((Dim::unknown() * 0).is(0));
}

TEST(Dim, DivisionCancelsWhatItCan) {
  EXPECT_TRUE(floor_div(kBatch * 12, 4) == kBatch * 3);
  EXPECT_TRUE(exact_div(kBatch * kHeight * 64, kBatch * 16) == kHeight * 4);
  EXPECT_FALSE(exact_div(kBatch + 1, 2).is_known());
  const Dim half = floor_div(kHeight + 1, 2);
  EXPECT_TRUE(half.is_expression());
  EXPECT_TRUE(half == floor_div(kHeight + 1, 2));
}

TEST(Dim, DivisionByZeroAndOverflowAreUnknown) {
  EXPECT_FALSE(floor_div(Dim(1), Dim(0)).is_known());
  EXPECT_FALSE((Dim(INT64_MAX) + Dim(1)).is_known());
  EXPECT_FALSE((Dim(INT64_MAX) * Dim(2)).is_known());
}

TEST(Dim, KnowsWhatIsCutFromIt) {
  EXPECT_TRUE(min(kBatch, 512) == min(512, kBatch));
  EXPECT_TRUE(min(kBatch, 512).is_cut_from(kBatch));
  EXPECT_TRUE(min(kBatch * 2 + 1, 512).is_cut_from(kBatch * 2 + 1));
  EXPECT_FALSE(min(kBatch, 512).is_cut_from(kHeight));
  EXPECT_FALSE(min(kBatch, 1).is_cut_from(kBatch));
  EXPECT_FALSE(min(kBatch, kHeight).is_cut_from(kHeight));
  EXPECT_FALSE(max(kBatch, 512).is_cut_from(kBatch));
  EXPECT_FALSE(kBatch.is_cut_from(kBatch));
}

TEST(Dim, KnowsWhatIsNoLessThanZero) {
  EXPECT_TRUE((kBatch * kHeight * 2 + 3).is_natural());
  EXPECT_TRUE(Dim(0).is_natural());
  EXPECT_FALSE(Dim(-1).is_natural());
  EXPECT_FALSE((kBatch - 1).is_natural());
  EXPECT_FALSE(min(kBatch - 5, 3).is_natural());
  EXPECT_FALSE(Dim::unknown().is_natural());
}

TEST(Dim, TextIsReadable) {
  EXPECT_EQ((kHeight * 2 + 1).to_string(), "2*height + 1");
  EXPECT_EQ(Dim(5).to_string(), "5");
  EXPECT_EQ(Dim::unknown().to_string(), "?");
}

}  // namespace
}  // namespace onnxrun
