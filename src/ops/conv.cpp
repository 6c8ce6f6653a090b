// Conv: https://onnx.ai/onnx/operators/onnx__Conv.html, versions 1, 11, 22; and onnxrun.Conv, the same with a residual
// input and steps that follow the sum.
#include "kernels/conv/conv.h"

#include <algorithm>
#include <array>
#include <functional>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/conv_shape.h"
#include "ops/support/elementwise.h"
#include "ops/support/fused_steps.h"

namespace onnxrun {
namespace {

size_t multiplies_per_output(const ConvShape& shape) {
  return shape.in_channels / shape.group * shape.kernel[0] * shape.kernel[1] * shape.kernel[2];
}

constexpr size_t kResidual = 3;  // input of onnxrun.Conv
constexpr double kNanosecondsPerMultiply = 0.01;

// [N, C, spatial] and [M, C / group, kernel] in float64 by plain loops, one output element at a time.
class Float64Conv {
 public:
  explicit Float64Conv(const ConvShape& shape) : shape_(shape) {}

  double at(const double* x, const double* w, size_t n, size_t m, const size_t (&position)[3]) const {
    const size_t channels = shape_.in_channels / shape_.group;
    const size_t group = m / (shape_.out_channels / shape_.group);
    double sum = 0;
    for (size_t c = 0; c < channels; ++c) {
      const double* map =
          x + (n * shape_.in_channels + group * channels + c) * shape_.input[0] * shape_.input[1] * shape_.input[2];
      const double* taps = w + (m * channels + c) * shape_.kernel[0] * shape_.kernel[1] * shape_.kernel[2];
      for (size_t d = 0; d < shape_.kernel[0]; ++d) {
        for (size_t h = 0; h < shape_.kernel[1]; ++h) {
          for (size_t v = 0; v < shape_.kernel[2]; ++v, ++taps) {
            size_t index[3];
            if (inside(position, {d, h, v}, index)) {
              sum += map[(index[0] * shape_.input[1] + index[1]) * shape_.input[2] + index[2]] * *taps;
            }
          }
        }
      }
    }
    return sum;
  }

 private:
  bool inside(const size_t (&position)[3], const std::array<size_t, 3>& tap, size_t (&index)[3]) const {
    for (int axis = 0; axis < 3; ++axis) {
      const size_t padded =
          position[axis] * shape_.stride[axis] + tap[static_cast<size_t>(axis)] * shape_.dilation[axis];
      if (padded < shape_.pad_begin[axis] || padded - shape_.pad_begin[axis] >= shape_.input[axis]) return false;
      index[axis] = padded - shape_.pad_begin[axis];
    }
    return true;
  }

  ConvShape shape_;
};

class Conv : public Operator {
 public:
  explicit Conv(AttributeReader& attributes)
      : convolution_(attributes), fused_(attributes.fused_steps("steps")), steps_(ops::epilogue_steps(fused_)) {}

  void infer(InferContext& context) const override { convolution_.infer(context); }

  void plan(PlanContext& context) const override {
    switch (context.input(0).dtype) {
      case DType::float32:
        return plan_float32(context);
      case DType::float64:
        return plan_float64(context);
      default:
        return plan_half(context);
    }
  }

 private:
  ConvShape conv_shape(const PlanContext& context) const {
    return convolution_.kernel_shape(context.input(0).shape, context.input(1).shape);
  }

  // Where the kernels find the operands of a tile.
  struct Operands {
    const float* x = nullptr;
    const float* packed_w = nullptr;
    const float* bias = nullptr;
    const float* residual = nullptr;
    float* y = nullptr;
    std::byte* gathered = nullptr;
    std::byte* scratch = nullptr;
  };
  using FindOperands = std::function<Operands(const TileContext&)>;

  void add_phases(PlanContext& context, const ConvPlan& plan, const FindOperands& find) const {
    const auto args = [steps = steps_](const Operands& operands) {
      ConvArgs result;
      result.src = operands.x;
      result.packed_weights = operands.packed_w;
      result.dst = operands.y;
      result.epilogue = {operands.bias, operands.residual, 0, steps.data(), static_cast<int>(steps.size())};
      return result;
    };
    if (plan.pack_tile_count > 0) {
      context.phase(static_cast<int64_t>(plan.pack_tile_count), 2000, [plan, args, find](const TileContext& tile) {
        const Operands operands = find(tile);
        run_conv_pack_tile(plan, args(operands), static_cast<size_t>(tile.tile), operands.gathered);
      });
    }
    const ConvShape& shape = plan.shape;
    const double multiplies =
        static_cast<double>(shape.batch * shape.out_channels * plan.output[0] * plan.output[1] * plan.output[2]) *
        static_cast<double>(multiplies_per_output(shape));
    const double cost =
        multiplies * kNanosecondsPerMultiply / static_cast<double>(std::max<size_t>(1, plan.tile_count));
    context.phase(static_cast<int64_t>(plan.tile_count), cost, [plan, args, find](const TileContext& tile) {
      const Operands operands = find(tile);
      run_conv_tile(plan, args(operands), static_cast<size_t>(tile.tile), operands.gathered, operands.scratch);
    });
    context.flush_denormals();
    context.implementation(std::string(plan.depthwise ? "depthwise" : "packed") + ops::describe(fused_));
  }

  static std::string format(const ConvPlan& plan) {
    return "conv " + std::to_string(plan.depthwise) + " " + std::to_string(plan.shape.group) + " " +
           std::to_string(plan.skip_zero_taps) + " " + std::to_string(plan.packed_weight_bytes) + " " +
           std::to_string(plan.k_block);
  }

  void plan_float32(PlanContext& context) const {
    const ConvPlan plan = make_conv_plan(conv_shape(context));
    const bool has_bias = context.has_input(2);
    const bool has_residual = context.has_input(kResidual);
    const size_t gathered_bytes = align_up(plan.shared_bytes, kAlignment);
    context.scratch(plan.scratch_bytes);
    const float* packed = nullptr;
    if (context.constant(1)) {
      auto pack = [&](const Tensor& weights, std::byte* dst) {
        pack_conv_weights(plan, static_cast<const float*>(weights.data()), reinterpret_cast<float*>(dst), 0,
                          plan.weight_block_count);
      };
      packed = reinterpret_cast<const float*>(context.packed(1, format(plan), plan.packed_weight_bytes, pack));
      context.share(gathered_bytes);
    } else {
      context.share(gathered_bytes + plan.packed_weight_bytes);
      context.phase(static_cast<int64_t>(plan.weight_block_count), 1000,
                    [plan, gathered_bytes](const TileContext& tile) {
                      const auto block = static_cast<size_t>(tile.tile);
                      pack_conv_weights(plan, tile.input<float>(1),
                                        reinterpret_cast<float*>(tile.shared + gathered_bytes), block, block + 1);
                    });
    }
    add_phases(context, plan, [=](const TileContext& tile) {
      const auto* weights = packed ? packed : reinterpret_cast<const float*>(tile.shared + gathered_bytes);
      return Operands{tile.input<float>(0),
                      weights,
                      has_bias ? tile.input<float>(2) : nullptr,
                      has_residual ? tile.input<float>(kResidual) : nullptr,
                      tile.output<float>(0),
                      tile.shared,
                      tile.scratch};
    });
  }

  // 16-bit floats: through float32 copies of all operands.
  void plan_half(PlanContext& context) const {
    const ConvPlan plan = make_conv_plan(conv_shape(context));
    const DType dtype = context.input(0).dtype;
    const size_t gathered = align_up(plan.shared_bytes, kAlignment);
    const size_t packed = gathered + align_up(plan.packed_weight_bytes, kAlignment);
    std::array<size_t, 4> begin{};
    size_t end = packed;
    const auto reserve = [&](int64_t elements) {
      const size_t at = end;
      end = align_up(end + static_cast<size_t>(elements) * sizeof(float), kAlignment);
      return at;
    };
    const bool has_bias = context.has_input(2);
    for (size_t i = 0; i < 3; ++i) begin[i] = i < 2 || has_bias ? reserve(context.input(i).elements()) : 0;
    begin[3] = reserve(context.output(0).elements());
    context.share(end);
    context.scratch(plan.scratch_bytes);
    for (size_t i = 0; i < (has_bias ? 3U : 2U); ++i) {
      context.range(context.input(i).elements(), 1, [=](const TileContext& tile, int64_t from, int64_t to) {
        ops::widen(dtype, tile.input<uint16_t>(i) + from, reinterpret_cast<float*>(tile.shared + begin[i]) + from,
                   static_cast<size_t>(to - from));
      });
    }
    context.phase(static_cast<int64_t>(plan.weight_block_count), 1000, [=](const TileContext& tile) {
      const auto block = static_cast<size_t>(tile.tile);
      pack_conv_weights(plan, reinterpret_cast<const float*>(tile.shared + begin[1]),
                        reinterpret_cast<float*>(tile.shared + gathered), block, block + 1);
    });
    add_phases(context, plan, [=](const TileContext& tile) {
      const auto floats = [&](size_t offset) { return reinterpret_cast<float*>(tile.shared + offset); };
      return Operands{floats(begin[0]), floats(gathered), has_bias ? floats(begin[2]) : nullptr,
                      nullptr,          floats(begin[3]), tile.shared,
                      tile.scratch};
    });
    context.range(context.output(0).elements(), 1, [=](const TileContext& tile, int64_t from, int64_t to) {
      ops::narrow(dtype, reinterpret_cast<const float*>(tile.shared + begin[3]) + from, tile.output<uint16_t>(0) + from,
                  static_cast<size_t>(to - from));
    });
  }

  void plan_float64(PlanContext& context) const {
    const ConvShape shape = conv_shape(context);
    const Shape& y = context.output(0).shape;
    std::vector<size_t> output(3, 1);
    for (size_t axis = 2; axis < y.rank(); ++axis) output[3 - y.rank() + axis] = static_cast<size_t>(y[axis]);
    const Float64Conv conv(shape);
    const bool has_bias = context.has_input(2);
    const double cost = 2.0 * static_cast<double>(multiplies_per_output(shape));
    context.range(context.output(0).elements(), cost, [=](const TileContext& tile, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        auto rest = static_cast<size_t>(i);
        size_t position[3];
        for (size_t axis = 3; axis-- > 0;) {
          position[axis] = rest % output[axis];
          rest /= output[axis];
        }
        const size_t m = rest % shape.out_channels;
        const double sum =
            conv.at(tile.input<double>(0), tile.input<double>(1), rest / shape.out_channels, m, position);
        tile.output<double>(0)[i] = has_bias ? sum + tile.input<double>(2)[m] : sum;
      }
    });
    context.implementation("float64");
  }

  ops::ConvAttributes convolution_;
  std::vector<FusedStep> fused_;
  std::vector<EpilogueStep> steps_;
};

}  // namespace

void register_conv(OpRegistry& registry) {
  registry.add({.name = "Conv",
                .versions = {1, 11},
                .signature = "X:T, W:T, B:T? -> Y:T",
                .types = {{.name = "T", .tensors = kIeeeFloats}},
                .create = make_operator<Conv>});
  registry.add({.name = "Conv",
                .versions = {22},
                .signature = "X:T, W:T, B:T? -> Y:T",
                .types = {{.name = "T", .tensors = kFloats}},
                .create = make_operator<Conv>});
  registry.add({.domain = "onnxrun",
                .name = "Conv",
                .versions = {1},
                .signature = "X:T, W:T, B:T?, residual:T? -> Y:T",
                .types = {{.name = "T", .tensors = {DType::float32}}},
                .create = make_operator<Conv>});
}

}  // namespace onnxrun
