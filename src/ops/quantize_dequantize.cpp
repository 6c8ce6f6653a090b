// onnxrun.QuantizeDequantize: min(max(round(x / scale), low), high) scale, half to even; NaN becomes low scale. What a
// QuantizeLinear and a DequantizeLinear do together, with low and high less the zero point.
#include <algorithm>

#include "graph/registry.h"
#include "kernels/epilogue.h"
#include "ops/support/channel_blocks.h"

namespace onnxrun {
namespace {

class QuantizeDequantize : public Operator {
 public:
  explicit QuantizeDequantize(AttributeReader& attributes)
      : step_{EpilogueKind::quantize, attributes.number("scale", 1), attributes.number("low", 0),
              attributes.number("high", 0)} {}

  void infer(InferContext& context) const override { context.set_shape(0, context.shape(0)); }

  void plan(PlanContext& context) const override {
    context.in_place(0, 0);
    const auto apply = epilogue_row_f32();
    context.elementwise(context.output(0).elements(), 0.4,
                        [apply, step = step_](const TileContext& tile, int64_t begin, int64_t end) {
                          constexpr int64_t kChunk = 4096;  // stays in the first level cache
                          for (int64_t at = begin; at < end; at += kChunk) {
                            const int64_t n = std::min(kChunk, end - at);
                            float* dst = tile.output<float>(0) + at;
                            if (const float* src = tile.input<float>(0) + at; src != dst) std::copy_n(src, n, dst);
                            apply(dst, nullptr, static_cast<size_t>(n), &step, 1);
                          }
                        });
  }

 private:
  EpilogueStep step_;
};

}  // namespace

void register_quantize_dequantize(OpRegistry& registry) {
  ops::add_blocked<QuantizeDequantize>(registry, "QuantizeDequantize");
}

}  // namespace onnxrun
