#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Squeeze, DropsAxesOfExtentOne) {
  const Tensor data = random_floats({1, 3, 1, 2}, 1);
  expect_op({.op = "Squeeze", .inputs = {data}, .outputs = {data.reshaped({3, 2})}});
  expect_op({.op = "Squeeze", .inputs = {data, integers({1}, {-2})}, .outputs = {data.reshaped({1, 3, 2})}});
  expect_op({.op = "Squeeze",
             .inputs = {data},
             .outputs = {data.reshaped({3, 1, 2})},
             .attributes = {{"axes", std::vector<int64_t>{0}}},
             .opset = 1});
}

TEST(Squeeze, RefusesLongerAxes) {
  expect_op_error({.op = "Squeeze", .inputs = {floats({2}, {1, 2}), integers({1}, {0})}, .outputs = {floats({}, {1})}},
                  ErrorCode::run_failed, "axis 0 of extent 2");
}

}  // namespace
}  // namespace onnxrun
