// onnxrun.QuantizedConv: the Conv of uint8 maps less x_zero with int8 weights, exact in int32, then
// round(sum * scale + shift) + zero, from low to high, as uint8; or, with to_floats, sum * scale + shift as float32.
// What DequantizeLinears before a Conv and a QuantizeLinear behind it do together, but for float's rounding.
// onnxrun.BlockedQuantizedConv is the same with a channel-blocked output, and an input in channel blocks or in blocks
// of four.
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "base/checked.h"
#include "graph/registry.h"
#include "kernels/conv/blocked_conv.h"
#include "kernels/conv/byte_depthwise.h"
#include "ops/support/channel_blocks.h"
#include "ops/support/conv_shape.h"
#include "ops/support/integer_conv.h"

namespace onnxrun {
namespace {

enum Input : size_t { kX, kW, kShift, kScale, kXZero };
constexpr std::string_view kSignature = "X:uint8, W:int8, shift:float32, scale:float32, x_zero:uint8 -> Y:T";

class QuantizedConv : public Operator {
 public:
  explicit QuantizedConv(AttributeReader& attributes)
      : convolution_(attributes),
        to_floats_(attributes.flag("to_floats", false)),
        zero_(static_cast<int32_t>(attributes.integer("zero", 0))),
        low_(static_cast<float>(attributes.integer("low", 0) - zero_)),
        high_(static_cast<float>(attributes.integer("high", 0) - zero_)) {}

  void infer(InferContext& context) const override {
    set_dtype(context);
    convolution_.infer(context);
  }

  void plan(PlanContext& context) const override {
    ops::IntegerConv conv;
    conv.x_zero = kXZero;
    conv.group = convolution_.group();
    const Shape& y = context.output(0).shape;
    const auto group = static_cast<size_t>(conv.group);
    const auto rows = static_cast<size_t>(y[1]) / group;
    const auto columns = static_cast<size_t>(y.elements(2, y.rank()));
    conv.store = [=, this](const TileContext& tile, int32_t* sums, size_t product, size_t row, size_t column,
                           size_t n) {
      const size_t channel = product % group * rows + row;
      const size_t at = (product * rows + row) * columns + column;
      const float scale = tile.input<float>(kScale)[channel], shift = tile.input<float>(kShift)[channel];
      for (size_t i = 0; i < n; ++i) {
        const float number = std::fma(static_cast<float>(sums[i]), scale, shift);
        if (to_floats_) {
          tile.output<float>(0)[at + i] = number;
        } else {
          const float inside = std::min(std::max(number, low_), high_);
          tile.output<uint8_t>(0)[at + i] = static_cast<uint8_t>(static_cast<int32_t>(std::nearbyint(inside)) + zero_);
        }
      }
    };
    ops::plan_integer_conv(context, convolution_.window(), conv);
  }

 protected:
  void set_dtype(InferContext& context) const { context.set_dtype(0, to_floats_ ? DType::float32 : DType::uint8); }

  ops::ConvAttributes convolution_;
  bool to_floats_;
  int32_t zero_;
  float low_, high_;  // less the zero point
};

// Makes a ByteTileEnd; scales and shifts are filled up to whole blocks.
struct TileEnd {
  std::shared_ptr<const std::vector<float>> scale, shift;
  int32_t zero;
  float low, high;
  ByteTileEnd operator()() const { return {scale->data(), shift->data(), zero, low, high}; }
};

class BlockedQuantizedConv : public QuantizedConv {
 public:
  explicit BlockedQuantizedConv(AttributeReader& attributes)
      : QuantizedConv(attributes),
        block_(attributes.required_integer("block")),
        plain_input_(attributes.flag("plain_input", false)) {}

  void infer(InferContext& context) const override {
    set_dtype(context);
    const DimShape& w = context.shape(kW);
    if (!context.shape(kX).has_rank() || !w.has_rank()) return;
    const DimShape x = ops::plain_shape(context.shape(kX), w[1] * Dim(convolution_.group()));
    context.set_shape(0, ops::blocked_shape(convolution_.output_shape(context, x), block_));
  }

  void plan(PlanContext& context) const override {
    const Shape& w = context.input(kW).shape;
    const Shape x = ops::plain_shape(context.input(kX).shape, w[1] * convolution_.group());
    ConvShape shape = convolution_.kernel_shape(x, w);
    const uint8_t x_zero = *static_cast<const uint8_t*>(context.elements(kXZero)->data());
    if (!to_floats_ && !plain_input_ && has_byte_depthwise(shape)) return plan_depthwise(context, shape, x_zero);
    merge_columns(shape);
    const auto plan = std::make_shared<const BlockedConvPlan>(
        make_byte_conv_plan(shape, plain_input_, to_floats_, x_zero, context.options().one_thread));
    const auto channels = static_cast<size_t>(w[1]);
    const auto pack = [plan, channels](const std::byte* weights, std::byte* dst, size_t begin, size_t end) {
      pack_byte_weights(*plan, reinterpret_cast<const int8_t*>(weights), channels, reinterpret_cast<float*>(dst), begin,
                        end);
    };
    const std::string format = "byte conv " + std::to_string(plain_input_) + " " + std::to_string(shape.group) + " " +
                               std::to_string(x_zero) + (plan->turned ? " turned" : "") + " taps " +
                               std::to_string(plan->used_taps.front()) + " to " +
                               std::to_string(plan->used_taps.back());
    const auto* weights = reinterpret_cast<const float*>(
        context.packed_later(kW, format, plan->packed_weight_bytes, {plan->panel_count, pack}));
    const auto find = [=, end = tile_end(context)](const TileContext& tile) {
      BlockedConvArgs args;
      args.src = tile.input<float>(kX);
      args.packed_weights = weights;
      args.dst = tile.output<float>(0);
      args.end = end();
      return args;
    };
    context.share(plan->shared_bytes);
    context.scratch(plan->scratch_bytes);
    if (plan->pack_tile_count > 0) {
      context.phase(static_cast<int64_t>(plan->pack_tile_count), 2000, [plan, find](const TileContext& tile) {
        run_blocked_pack(*plan, find(tile), static_cast<size_t>(tile.tile), tile.shared);
      });
    }
    constexpr double kNanosecondsPerStep = 0.02;
    const double steps = static_cast<double>(shape.batch * shape.out_channels * plan->k) *
                         static_cast<double>(plan->output[0] * plan->output[1] * plan->output[2]);
    const double cost = steps * kNanosecondsPerStep / static_cast<double>(std::max<size_t>(1, plan->tile_count));
    context.phase(static_cast<int64_t>(plan->tile_count), cost, [plan, find](const TileContext& tile) {
      run_blocked_conv(*plan, find(tile), static_cast<size_t>(tile.tile), tile.shared, tile.scratch);
    });
    context.implementation(plain_input_ ? "int8 direct from plain" : "int8 direct");
  }

 private:
  void plan_depthwise(PlanContext& context, const ConvShape& shape, uint8_t x_zero) const {
    const auto plan = std::make_shared<const ByteDepthwisePlan>(make_byte_depthwise_plan(shape, x_zero));
    const auto pack = [&](const Tensor& weights, std::byte* dst) {
      pack_byte_depthwise_weights(*plan, static_cast<const int8_t*>(weights.data()), dst, 0, plan->blocks);
    };
    const std::byte* weights =
        context.packed(kW, "byte depthwise " + std::to_string(x_zero), plan->packed_weight_bytes, pack);
    context.scratch(plan->scratch_bytes);
    constexpr double kNanosecondsPerVector = 1.2;
    const double cost =
        static_cast<double>(plan->row_tile * plan->columns * shape.kernel[1] * plan->quads) * kNanosecondsPerVector / 3;
    context.phase(static_cast<int64_t>(plan->tile_count), cost, [=, end = tile_end(context)](const TileContext& tile) {
      const ByteDepthwiseArgs args{tile.input<uint8_t>(kX), weights, tile.output<uint8_t>(0), end()};
      run_byte_depthwise(*plan, args, static_cast<size_t>(tile.tile), tile.scratch);
    });
    context.implementation("int8 depthwise");
  }

  TileEnd tile_end(const PlanContext& context) const {
    const auto whole_blocks = [&](size_t input) {
      const Tensor& tensor = *context.elements(input);
      const auto count = static_cast<size_t>(tensor.elements());
      auto values = std::make_shared<std::vector<float>>(align_up(count, static_cast<size_t>(block_)));
      std::memcpy(values->data(), tensor.data(), count * sizeof(float));
      return values;
    };
    return {whole_blocks(kScale), whole_blocks(kShift), zero_, low_, high_};
  }

  int64_t block_;
  bool plain_input_;  // in blocks of four channels
};

}  // namespace

void register_quantized_conv(OpRegistry& registry) {
  const DTypeSet types = {DType::uint8, DType::float32};
  ops::add_blocked<QuantizedConv>(registry, "QuantizedConv", kSignature, types);
  ops::add_blocked<BlockedQuantizedConv>(registry, "BlockedQuantizedConv", kSignature, types);
}

}  // namespace onnxrun
