#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(OneHot, LeavesOutWhatIsOutOfRange) {
  expect_op({.op = "OneHot",
             .inputs = {integers({4}, {0, -1, 3, -4}), integers({}, {3}), floats({2}, {0, 5})},
             .outputs = {floats({4, 3}, {5, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0})}});
  expect_op({.op = "OneHot",
             .inputs = {floats({2}, {1, 0}), floats({1}, {2}), strings({2}, {"n", "y"})},
             .outputs = {strings({2, 2}, {"n", "y", "y", "n"})},
             .attributes = {{"axis", int64_t{0}}}});
}

}  // namespace
}  // namespace onnxrun
