// MelWeightMatrix: https://onnx.ai/onnx/operators/onnx__MelWeightMatrix.html, version 17, computed in double. What the
// text leaves open is as in the operator's reference implementation: num_mel_bins + 2 edges a (num_mel_bins + 2)th of
// the mel range apart, rounded down to spectrogram bins. Parts of triangles outside the spectrogram are left out.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/convert.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

enum Input : size_t { kNumMelBins, kDftLength, kSampleRate, kLowerEdge, kUpperEdge };

double to_mel(double hertz) { return 2595 * std::log10(1 + hertz / 700); }
double to_hertz(double mel) { return 700 * (std::pow(10, mel / 2595) - 1); }

double read_number(const TensorView& tensor) {
  double value = 0;
  dispatch_dtype<FloatTypes, int32_t, int64_t>(tensor.dtype,
                                               [&]<class T>() { value = static_cast<double>(tensor.values<T>()[0]); });
  return value;
}

// Draws the triangle over the bins left, center and right into column `column` of the matrix.
void draw_triangle(double left, double center, double right, size_t bins, size_t columns, size_t column,
                   std::vector<double>& matrix) {
  const auto last = static_cast<double>(bins) - 1;
  const auto at = [&](double bin) -> double& { return matrix[static_cast<size_t>(bin) * columns + column]; };
  for (double bin = std::max(left, 0.0); bin <= std::min(center, last); ++bin) {
    at(bin) = center == left ? 1 : (bin - left) / (center - left);
  }
  for (double bin = std::max(center, 0.0); bin < right && bin <= last; ++bin) {
    at(bin) = (right - bin) / (right - center);
  }
}

class MelWeightMatrix : public Operator {
 public:
  explicit MelWeightMatrix(AttributeReader& attributes) : dtype_(attributes.dtype("output_datatype", DType::float32)) {}

  void infer(InferContext& context) const override {
    if (!kNumbers.contains(dtype_)) context.fail("output_datatype cannot be " + std::string(dtype_name(dtype_)));
    context.set_dtype(0, dtype_);
    for (size_t i = 0; i < context.input_count(); ++i) {
      const Dim count = context.shape(i).elements();
      if (count.is_number() && !count.is(1)) context.fail("input " + std::to_string(i) + " is not a scalar");
    }
    const Content* columns = context.required_content(kNumMelBins);
    const Content* length = context.required_content(kDftLength);
    const auto extent = [&](const Content* content, const char* name) {
      if (!content) return Dim::unknown();
      const Dim& value = content->front();
      if (value.is_number() && value.number() < 0) context.fail(std::string(name) + " is " + value.to_string());
      return value;
    };
    const Dim bins = extent(columns, "num_mel_bins");
    context.set_shape(0, {floor_div(extent(length, "dft_length"), 2) + 1, bins});
  }

  void run(RunContext& context) const override {
    const auto columns = static_cast<size_t>(read_number(context.input(kNumMelBins)));
    const double length = read_number(context.input(kDftLength));
    const double rate = read_number(context.input(kSampleRate));
    if (!(rate > 0)) RunContext::fail("the sample rate is " + std::to_string(rate));
    const double low = to_mel(read_number(context.input(kLowerEdge)));
    const double high = to_mel(read_number(context.input(kUpperEdge)));
    if (!std::isfinite(low) || !std::isfinite(high)) RunContext::fail("the edges are not frequencies");

    const double step = (high - low) / (static_cast<double>(columns) + 2);
    const auto edge = [&](size_t i) {
      return std::floor((length + 1) * to_hertz(static_cast<double>(i) * step + low) / rate);
    };
    const size_t bins = static_cast<size_t>(length) / 2 + 1;
    const Shape shape = {static_cast<int64_t>(bins), static_cast<int64_t>(columns)};
    auto* dst = static_cast<std::byte*>(context.allocate(0, dtype_, shape));
    std::vector<double> matrix(bins * columns);
    for (size_t i = 0; i < columns; ++i) {
      draw_triangle(edge(i), edge(i + 1), edge(i + 2), bins, columns, i, matrix);
    }
    ops::make_convert(DType::float64, dtype_)(matrix.data(), dst, 0, static_cast<int64_t>(matrix.size()));
  }

 private:
  DType dtype_;
};

}  // namespace

void register_mel_weight_matrix(OpRegistry& registry) {
  registry.add({.name = "MelWeightMatrix",
                .versions = {17},
                .signature = "num_mel_bins:T1, dft_length:T1, sample_rate:T1, lower_edge_hertz:T2, "
                             "upper_edge_hertz:T2 -> output:T3",
                .types = {{.name = "T1", .tensors = {DType::int32, DType::int64}},
                          {.name = "T2", .tensors = kFloats},
                          {.name = "T3", .tensors = kNumbers}},
                .create = make_operator<MelWeightMatrix>});
}

}  // namespace onnxrun
