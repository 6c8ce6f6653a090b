// Conv: https://onnx.ai/onnx/operators/onnx__Conv.html, versions 1, 11, 22; and onnxrun.Conv, the same with a residual
// input and steps that follow the sum.
#include "kernels/conv/conv.h"

#include <algorithm>
#include <functional>
#include <stdexcept>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "graph/registry.h"
#include "kernels/transpose/transpose.h"
#include "ops/support/conv_shape.h"
#include "ops/support/fused_steps.h"
#include "ops/support/wide_operands.h"
#include "ops/support/window_taps.h"

namespace onnxrun {
namespace {

size_t multiplies_per_output(const ConvShape& shape) {
  return shape.in_channels / shape.group * shape.kernel[0] * shape.kernel[1] * shape.kernel[2];
}

constexpr size_t kResidual = 3;                   // input of onnxrun.Conv
constexpr double kNanosecondsPerMultiply = 0.01;  // of a product; depthwise each takes six times as long

// A convolution in double by plain loops over any number of spatial axes and any pads.
struct GeneralConv {
  ops::WindowTaps taps;
  int64_t group, channels, maps;  // channels of one group, maps of all

  // One position of all output maps of an image: item = image * outputs + position.
  void run(const double* x, const double* w, const double* bias, double* y, int64_t item) const {
    const int64_t image = item / taps.outputs();
    const int64_t position = item % taps.outputs();
    const auto met = taps.at(position);
    for (int64_t m = 0; m < maps; ++m) {
      const double* map = x + (image * group + m / (maps / group)) * channels * taps.inputs();
      const double* weights = w + m * channels * taps.count();
      double sum = 0;
      for (int64_t c = 0; c < channels; ++c, map += taps.inputs(), weights += taps.count()) {
        for (const auto& [tap, input] : met) sum += map[input] * weights[tap];
      }
      y[(image * maps + m) * taps.outputs() + position] = bias ? sum + bias[m] : sum;
    }
  }
};

class Conv : public Operator {
 public:
  explicit Conv(AttributeReader& attributes)
      : convolution_(attributes), fused_(attributes.fused_steps("steps")), steps_(ops::epilogue_steps(fused_)) {}

  void infer(InferContext& context) const override { convolution_.infer(context); }

  void plan(PlanContext& context) const override {
    const DType dtype = context.input(0).dtype;
    if (dtype == DType::float64 || !convolution_.has_kernel(context.input(0).shape)) return plan_general(context);
    if (dtype == DType::float32) return plan_float32(context);
    plan_half(context);
  }

 private:
  ConvShape conv_shape(const PlanContext& context) const {
    ConvShape shape = convolution_.kernel_shape(context.input(0).shape, context.input(1).shape);
    merge_columns(shape);
    return shape;
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
        (plan.depthwise ? 6 : 1) *
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

  // `count` maps of rows one behind the other, as maps of their columns.
  static void turn(const float* src, size_t rows, size_t columns, size_t count, float* dst) {
    for (size_t map = 0; map < count; ++map, src += rows * columns, dst += rows * columns) {
      transpose_f32()(src, static_cast<ptrdiff_t>(columns), rows, columns, dst, static_cast<ptrdiff_t>(rows));
    }
  }

  // A copy of an input whose rows are its columns, in the shared memory from `at` on.
  static void add_turning(PlanContext& context, size_t input, size_t at) {
    const Shape& shape = context.input(input).shape;
    const auto rows = static_cast<size_t>(shape[2]), columns = static_cast<size_t>(shape[3]);
    context.range(shape[0] * shape[1], static_cast<double>(rows * columns) * 0.3,
                  [=](const TileContext& tile, int64_t begin, int64_t end) {
                    const size_t from = static_cast<size_t>(begin) * rows * columns;
                    turn(tile.input<float>(input) + from, rows, columns, static_cast<size_t>(end - begin),
                         reinterpret_cast<float*>(tile.shared + at) + from);
                  });
  }

  void plan_float32(PlanContext& context) const {
    ConvShape shape = conv_shape(context);
    const bool turns = context.input(0).shape.rank() == 4 && turn_to_rows(shape);
    const ConvPlan plan = make_conv_plan(shape);
    const bool has_bias = context.has_input(2);
    const bool has_residual = context.has_input(kResidual);
    size_t shared = plan.shared_bytes;
    const auto reserve = [&](size_t bytes) {
      const size_t begin = align_up(shared, kAlignment);
      shared = begin + bytes;
      return begin;
    };
    const size_t turned_x = turns ? reserve(context.input(0).bytes()) : 0;
    const bool is_constant = context.is_constant(1);
    const size_t turned_w = turns && !is_constant ? reserve(context.input(1).bytes()) : 0;
    const size_t packed_w = is_constant ? 0 : reserve(plan.packed_weight_bytes);
    context.share(shared);
    context.scratch(plan.scratch_bytes);
    if (turns) add_turning(context, 0, turned_x);
    const float* packed = nullptr;
    if (is_constant) {
      auto pack = [&](const Tensor& weights, std::byte* dst) {
        const auto* from = static_cast<const float*>(weights.data());
        std::vector<float> turned;
        if (turns) {
          const auto maps = static_cast<size_t>(weights.shape()[0] * weights.shape()[1]);
          turned.resize(static_cast<size_t>(weights.elements()));
          turn(from, shape.kernel[2], shape.kernel[1], maps, turned.data());
          from = turned.data();
        }
        pack_conv_weights(plan, from, reinterpret_cast<float*>(dst), 0, plan.weight_block_count);
      };
      packed = reinterpret_cast<const float*>(
          context.packed(1, (turns ? "turned " : "") + format(plan), plan.packed_weight_bytes, pack));
    } else {
      if (turns) add_turning(context, 1, turned_w);
      context.phase(static_cast<int64_t>(plan.weight_block_count), 1000, [=](const TileContext& tile) {
        const auto block = static_cast<size_t>(tile.tile);
        const auto* weights = turns ? reinterpret_cast<const float*>(tile.shared + turned_w) : tile.input<float>(1);
        pack_conv_weights(plan, weights, reinterpret_cast<float*>(tile.shared + packed_w), block, block + 1);
      });
    }
    add_phases(context, plan, [=](const TileContext& tile) {
      return Operands{turns ? reinterpret_cast<const float*>(tile.shared + turned_x) : tile.input<float>(0),
                      packed ? packed : reinterpret_cast<const float*>(tile.shared + packed_w),
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
    const size_t packed = align_up(plan.shared_bytes, kAlignment);
    size_t shared = packed + plan.packed_weight_bytes;
    const ops::WideOperands<float> operands(context, {0, 1, 2}, shared);
    context.share(shared);
    context.scratch(plan.scratch_bytes);
    operands.add_widening(context);
    context.phase(static_cast<int64_t>(plan.weight_block_count), 1000, [=](const TileContext& tile) {
      const auto block = static_cast<size_t>(tile.tile);
      pack_conv_weights(plan, operands.input(tile, 1), reinterpret_cast<float*>(tile.shared + packed), block,
                        block + 1);
    });
    add_phases(context, plan, [=, has_bias = context.has_input(2)](const TileContext& tile) {
      return Operands{operands.input(tile, 0),
                      reinterpret_cast<const float*>(tile.shared + packed),
                      has_bias ? operands.input(tile, 2) : nullptr,
                      nullptr,
                      operands.output(tile),
                      tile.shared,
                      tile.scratch};
    });
    operands.add_narrowing(context);
  }

  void plan_general(PlanContext& context) const {
    const Shape& x = context.input(0).shape;
    const Shape& w = context.input(1).shape;
    if (!fused_.empty()) throw std::logic_error("fused steps behind a convolution that no kernel takes");
    const ops::WindowTaps taps(convolution_.geometry(x, w), ops::spatial_extents(x),
                               ops::spatial_extents(context.output(0).shape));
    const GeneralConv conv{taps, convolution_.group(), w[1], w[0]};
    size_t shared = 0;
    const ops::WideOperands<double> operands(context, {0, 1, 2}, shared);
    context.share(shared);
    operands.add_widening(context);
    const double cost = 2.0 * static_cast<double>(w.elements());
    context.range(x[0] * conv.taps.outputs(), cost,
                  [=, has_bias = context.has_input(2)](const TileContext& tile, int64_t begin, int64_t end) {
                    for (int64_t item = begin; item < end; ++item) {
                      conv.run(operands.input(tile, 0), operands.input(tile, 1),
                               has_bias ? operands.input(tile, 2) : nullptr, operands.output(tile), item);
                    }
                  });
    operands.add_narrowing(context);
    context.implementation("general");
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
