// CausalConvWithState: https://onnx.ai/onnx/operators/onnx__CausalConvWithState.html, version 27. 16-bit floats go
// through float and are rounded once.
#include <algorithm>

#include "graph/registry.h"
#include "kernels/unary/unary.h"
#include "ops/support/float_block.h"
#include "ops/support/shape_checks.h"

namespace onnxrun {
namespace {

constexpr int64_t kBlock = 512;  // positions that are summed at a time

class CausalConvWithState : public Operator {
 public:
  explicit CausalConvWithState(AttributeReader& attributes)
      : activates_(attributes.one_of("activation", {"none", "silu", "swish"}) != "none") {}

  void infer(InferContext& context) const override {
    context.set_output(0, context.dtype(0), context.shape(0));
    context.set_dtype(1, context.dtype(0));
    const Dim batch = ops::extent_of_rank(context, 0, 3, 0);
    const Dim channels = ops::extent_of_rank(context, 0, 3, 1);
    const Dim taps = ops::extent_of_rank(context, 1, 3, 2);
    if (taps.is(0)) context.fail("the kernel is empty");
    const Dim state = taps - 1;
    ops::check_shape(context, 1, {channels, 1, taps});
    ops::check_shape(context, 2, {channels});
    ops::check_shape(context, 3, {batch, channels, state});
    context.set_shape(1, {batch, channels, state});
  }

  void plan(PlanContext& context) const override {
    const Shape& x = context.input(0).shape;
    const int64_t channels = x[1];
    const int64_t length = x[2];
    const int64_t taps = context.input(1).shape[2];
    const DType dtype = context.input(0).dtype;
    const bool has_bias = context.has_input(2);
    const bool has_past = context.has_input(3);
    const auto activate = activates_ ? unary_f32(UnaryKind::silu) : nullptr;
    if (x[0] * channels == 0) return context.phase(0, 0, [](const TileContext&) {});
    // The row with its past in front, then the kernel.
    context.scratch(static_cast<size_t>(length + 2 * taps) * sizeof(float));
    const double cost = static_cast<double>(length) * (static_cast<double>(taps) * 0.2 + 1) + 10;
    context.range(x[0] * channels, cost, [=](const TileContext& tile, int64_t begin, int64_t end) {
      auto* padded = reinterpret_cast<float*>(tile.scratch);
      float* kernel = padded + length + taps - 1;
      float sums[kBlock];
      for (int64_t row = begin; row < end; ++row) {
        if (has_past) {
          ops::load_floats(dtype, tile.input(3), row * (taps - 1), taps - 1, padded);
        } else {
          std::fill_n(padded, taps - 1, 0.0F);
        }
        ops::load_floats(dtype, tile.input(0), row * length, length, padded + taps - 1);
        ops::load_floats(dtype, tile.input(1), row % channels * taps, taps, kernel);
        float bias = 0;
        if (has_bias) ops::load_floats(dtype, tile.input(2), row % channels, 1, &bias);
        for (int64_t i = 0; i < length; i += kBlock) {
          const int64_t n = std::min(kBlock, length - i);
          std::fill_n(sums, n, bias);
          for (int64_t t = 0; t < taps; ++t) {
            for (int64_t k = 0; k < n; ++k) sums[k] += kernel[t] * padded[i + t + k];
          }
          if (activate) activate(sums, sums, static_cast<size_t>(n), 1, 0);
          ops::store_floats(dtype, sums, tile.output(0), row * length + i, n);
        }
        if (tile.output(1)) {
          ops::store_floats(dtype, padded + length, tile.output(1), row * (taps - 1), taps - 1);
        }
      }
    });
  }

 private:
  bool activates_;
};

}  // namespace

void register_causal_conv_with_state(OpRegistry& registry) {
  registry.add({.name = "CausalConvWithState",
                .versions = {27},
                .signature = "input:T, weight:T, bias:T?, past_state:T? -> output:T, present_state:T",
                .types = {{.name = "T", .tensors = {DType::float32, DType::float16, DType::bfloat16}}},
                .create = make_operator<CausalConvWithState>});
}

}  // namespace onnxrun
