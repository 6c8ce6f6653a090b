// HannWindow, HammingWindow, BlackmanWindow: https://onnx.ai/onnx/operators/onnx__HannWindow.html and its like, version
// 17: sums of cosines, computed in double and converted as Cast does. The symmetric window of one element is 0 / 0.
#include <cmath>
#include <numbers>
#include <string>

#include "graph/registry.h"
#include "ops/support/convert.h"

namespace onnxrun {
namespace {

// constant - first * cos(x) + second * cos(2 x)
struct Coefficients {
  double constant, first, second;
};
constexpr Coefficients kHann = {0.5, 0.5, 0};
constexpr Coefficients kHamming = {25.0 / 46.0, 21.0 / 46.0, 0};
constexpr Coefficients kBlackman = {0.42, 0.5, 0.08};

template <const Coefficients& C>
class CosineWindow : public Operator {
 public:
  explicit CosineWindow(AttributeReader& attributes)
      : dtype_(attributes.dtype("output_datatype", DType::float32)), periodic_(attributes.flag("periodic", true)) {}

  void infer(InferContext& context) const override {
    if (!kNumbers.contains(dtype_)) context.fail("output_datatype cannot be " + std::string(dtype_name(dtype_)));
    context.set_dtype(0, dtype_);
    const Content* size = context.required_content(0);
    if (!size || size->size() != 1) return context.set_shape(0, DimShape::of_rank(1));
    if (size->front().is_number() && size->front().number() < 0) {
      context.fail("a window of size " + size->front().to_string());
    }
    context.set_shape(0, {size->front()});
  }

  void plan(PlanContext& context) const override {
    const int64_t size = context.output(0).elements();
    const double step = 2 * std::numbers::pi;
    const auto period = static_cast<double>(periodic_ ? size : size - 1);
    const auto convert = ops::make_convert(DType::float64, dtype_);
    const int bytes = bit_size(dtype_) / 8;
    context.range(size, 30, [=](const TileContext& tile, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const double angle = step * static_cast<double>(i) / period;
        const double value = C.constant - C.first * std::cos(angle) + C.second * std::cos(2 * angle);
        convert(&value, tile.output<std::byte>(0) + i * bytes, 0, 1);
      }
    });
  }

 private:
  DType dtype_;
  bool periodic_;
};

template <const Coefficients& C>
void add(OpRegistry& registry, std::string_view name) {
  registry.add({.name = name,
                .versions = {17},
                .signature = "size:T1 -> output:T2",
                .types = {{.name = "T1", .tensors = {DType::int32, DType::int64}}, {.name = "T2", .tensors = kNumbers}},
                .create = make_operator<CosineWindow<C>>});
}

}  // namespace

void register_cosine_window(OpRegistry& registry) {
  add<kHann>(registry, "HannWindow");
  add<kHamming>(registry, "HammingWindow");
  add<kBlackman>(registry, "BlackmanWindow");
}

}  // namespace onnxrun
