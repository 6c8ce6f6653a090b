#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

Value count(int64_t value) { return integers({}, {value}); }

void expect_matrix(const std::vector<Value>& inputs, const Tensor& expected) {
  expect_op({.op = "MelWeightMatrix",
             .inputs = inputs,
             .outputs = {expected},
             .attributes = {{"output_datatype", static_cast<int64_t>(expected.dtype())}},
             .opset = 17,
             .absolute = 1e-12});
}

// Edges of 0, 1000, 2000, ... mel are 0, 1000.0, 3428.7 and more Hz; two triangles have four edges, a quarter of the
// range apart: for 0 .. 8000 Hz (2840.0 mel) 0, 614.4, 1768.1, 3934.4 Hz. With 16 numbers at 16 kHz the bins are
// 17 * f / 16000, rounded down: 0, 0, 1, 4.
TEST(MelWeightMatrix, DrawsTriangles) {
  const std::vector<double> expected = {1, 0, 0, 1, 0, 2.0 / 3, 0, 1.0 / 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  for (const DType dtype : {DType::float64, DType::float32, DType::float16}) {
    for (const DType edge : {DType::float32, DType::float64, DType::float16, DType::bfloat16}) {
      expect_op({.op = "MelWeightMatrix",
                 .inputs = {count(2), numbers(DType::int64, {}, {16}), count(16000), numbers(edge, {}, {0}),
                            numbers(edge, {}, {8000})},
                 .outputs = {numbers(dtype, {9, 2}, expected)},
                 .attributes = {{"output_datatype", static_cast<int64_t>(dtype)}},
                 .opset = 17,
                 .absolute = dtype == DType::float16 ? 1e-3 : 1e-6});
    }
  }
}

TEST(MelWeightMatrix, GivesIntegersAndNothing) {
  const Value low = floats({}, {0});
  const Value high = floats({}, {8000});
  expect_matrix({count(2), count(16), count(16000), low, high},
                numbers(DType::int32, {9, 2}, {1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  expect_matrix({count(0), count(16), count(16000), low, high}, numbers(DType::float32, {9, 0}, {}));
  // At 100 Hz the spectrogram ends before the second triangle begins.
  expect_matrix({count(1), count(2), count(100), floats({}, {6000}), high}, numbers(DType::float32, {2, 1}, {0, 0}));
}

TEST(MelWeightMatrix, RefusesWhatIsNoRateOrEdge) {
  const auto refuse = [](double rate, double low, const std::string& text) {
    expect_op_error({.op = "MelWeightMatrix",
                     .inputs = {count(2), count(16), numbers(DType::int64, {}, {rate}),
                                numbers(DType::float32, {}, {low}), floats({}, {8000})},
                     .outputs = {floats({9, 2}, std::vector<float>(18))},
                     .opset = 17},
                    ErrorCode::run_failed, text);
  };
  refuse(0, 0, "sample rate");
  refuse(16000, -1000, "edges");
}

}  // namespace
}  // namespace onnxrun
