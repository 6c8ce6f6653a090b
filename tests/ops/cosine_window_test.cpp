#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

void expect_window(const std::string& op, const Value& size, const Tensor& expected, bool periodic,
                   double absolute = 1e-15) {
  expect_op(
      {.op = op,
       .inputs = {size},
       .outputs = {expected},
       .attributes = {{"periodic", int64_t{periodic}}, {"output_datatype", static_cast<int64_t>(expected.dtype())}},
       .opset = 17,
       .absolute = absolute});
}

TEST(CosineWindow, FollowsItsFormula) {
  for (const bool periodic : {false, true}) {
    for (const int64_t size : {2, 3, 10, 333}) {
      std::vector<double> hann, hamming, blackman;
      for (int64_t i = 0; i < size; ++i) {
        const double phase =
            std::numbers::pi * static_cast<double>(i) / static_cast<double>(periodic ? size : size - 1);
        hann.push_back(std::pow(std::sin(phase), 2));
        hamming.push_back(25.0 / 46 - 21.0 / 46 * std::cos(2 * phase));
        blackman.push_back(0.42 - 0.5 * std::cos(2 * phase) + 0.08 * std::cos(4 * phase));
      }
      const Value count = integers({}, {size});
      expect_window("HannWindow", count, numbers(DType::float64, {size}, hann), periodic);
      expect_window("HammingWindow", count, numbers(DType::float64, {size}, hamming), periodic);
      expect_window("BlackmanWindow", count, numbers(DType::float64, {size}, blackman), periodic);
    }
  }
}

TEST(CosineWindow, GivesEveryType) {
  for (const DType dtype : {DType::float16, DType::bfloat16, DType::float32, DType::int8, DType::uint16, DType::int32,
                            DType::int64, DType::uint64}) {
    const bool is_float = dtype == DType::float16 || dtype == DType::bfloat16 || dtype == DType::float32;
    const double half = is_float ? 0.5 : 0;
    expect_window("HannWindow", numbers(DType::int32, {}, {4}), numbers(dtype, {4}, {0, half, 1, half}), true, 1e-16);
  }
}

TEST(CosineWindow, TakesNoneAndOne) {
  expect_window("HannWindow", integers({}, {0}), floats({0}, {}), true);
  expect_window("HannWindow", integers({}, {1}), floats({1}, {0}), true);
  expect_window("HannWindow", integers({}, {1}),
                numbers(DType::float32, {1}, {std::numeric_limits<double>::quiet_NaN()}), false);
}

TEST(CosineWindow, RefusesWhatIsNoSizeOrType) {
  expect_op_error({.op = "HannWindow", .inputs = {integers({}, {-1})}, .outputs = {floats({1}, {0})}},
                  ErrorCode::run_failed, "size -1");
  expect_op_error({.op = "HannWindow",
                   .inputs = {integers({}, {1})},
                   .outputs = {floats({1}, {0})},
                   .attributes = {{"output_datatype", static_cast<int64_t>(DType::boolean)}}},
                  ErrorCode::invalid_model, "output_datatype");
}

}  // namespace
}  // namespace onnxrun
