// DynamicQuantizeLinear: https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html, version 11. Data that are all
// zero, or none, have the scale 1. NaN is passed over by the range and becomes 0.
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/checked.h"
#include "graph/registry.h"
#include "ops/support/quantization.h"

namespace onnxrun {
namespace {

constexpr int64_t kPart = 16384;  // elements whose range one tile finds

class DynamicQuantizeLinear : public Operator {
 public:
  explicit DynamicQuantizeLinear(AttributeReader& /*attributes*/) {}

  void infer(InferContext& context) const override {
    context.set_shape(0, context.shape(0));
    context.set_shape(1, std::vector<Dim>{});
    context.set_shape(2, std::vector<Dim>{});
  }

  void plan(PlanContext& context) const override {
    const int64_t elements = context.input(0).elements();
    const int64_t parts = ceil_div(elements, kPart);
    context.share(static_cast<size_t>(parts + 1) * 2 * sizeof(float));
    const QuantizeKernels* kernels = &quantize_kernels();
    context.phase(parts, kPart * 0.1, [=](const TileContext& tile) {
      const int64_t begin = tile.tile * kPart;
      float* range = reinterpret_cast<float*>(tile.shared) + tile.tile * 2;
      kernels->extrema(tile.input<float>(0) + begin, static_cast<size_t>(std::min(kPart, elements - begin)), range,
                       range + 1);
    });
    const bool wants_scale = context.wants(1);
    const bool wants_zero = context.wants(2);
    // The scale and the zero point come behind the parts' ranges.
    context.phase(1, static_cast<double>(parts), [=](const TileContext& tile) {
      float* ranges = reinterpret_cast<float*>(tile.shared);
      float low = 0;
      float high = 0;
      for (int64_t part = 0; part < parts; ++part) {
        low = std::min(low, ranges[2 * part]);
        high = std::max(high, ranges[2 * part + 1]);
      }
      const float scale = low == high ? 1.0F : (high - low) / 255.0F;
      const float ratio = -low / scale;
      const float zero = ratio > 0 ? std::nearbyint(std::min(ratio, 255.0F)) : 0;
      ranges[2 * parts] = scale;
      reinterpret_cast<int32_t*>(ranges)[2 * parts + 1] = static_cast<int32_t>(zero);
      if (wants_scale) *tile.output<float>(1) = scale;
      if (wants_zero) *tile.output<uint8_t>(2) = static_cast<uint8_t>(zero);
    });
    if (!context.wants(0)) return;
    context.range(elements, 0.2, [=](const TileContext& tile, int64_t begin, int64_t end) {
      const float* scale = reinterpret_cast<const float*>(tile.shared) + 2 * parts;
      const auto* zero = reinterpret_cast<const int32_t*>(scale + 1);
      kernels->u8.quantize(tile.input<float>(0) + begin, {scale, 0}, {zero, 0}, {0, 255},
                           tile.output<uint8_t>(0) + begin, static_cast<size_t>(end - begin));
    });
  }
};

}  // namespace

void register_dynamic_quantize_linear(OpRegistry& registry) {
  registry.add({.name = "DynamicQuantizeLinear",
                .versions = {11},
                .signature = "x:float32 -> y:uint8, y_scale:float32, y_zero_point:uint8",
                .create = make_operator<DynamicQuantizeLinear>});
}

}  // namespace onnxrun
