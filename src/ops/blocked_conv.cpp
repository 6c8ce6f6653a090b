// onnxrun.BlockedConv: Conv with a channel-blocked output, a residual input laid out alike, and steps that follow the
// sum. The input is blocked as well, or plain. With plain_output, for a few output channels, the output and the
// residual are plain.
#include "kernels/conv/blocked_conv.h"

#include <algorithm>
#include <functional>

#include "base/checked.h"
#include "graph/registry.h"
#include "kernels/conv/blocked_grouped.h"
#include "kernels/conv/winograd.h"
#include "ops/support/channel_blocks.h"
#include "ops/support/conv_shape.h"
#include "ops/support/fused_steps.h"
#include "ops/support/split_product.h"

namespace onnxrun {
namespace {

constexpr size_t kResidual = 3;  // input
constexpr double kNanosecondsPerMultiply = 0.02;

double multiplies(const ConvShape& s) {
  const size_t group_in = s.in_channels / s.group;
  double product = static_cast<double>(s.batch * s.out_channels) * static_cast<double>(group_in);
  for (int axis = 0; axis < 3; ++axis) product *= static_cast<double>(conv_output_extent(s, axis) * s.kernel[axis]);
  return product;
}

// Of a convolution with one tap.
SplitMaps split_maps(const ConvShape& s) {
  const size_t block = channel_block();
  const auto floats = [&](size_t positions) { return static_cast<ptrdiff_t>(positions * block); };
  const auto [depth, rows, columns] = s.input;
  SplitMaps maps;
  maps.block = block;
  maps.extents[0] = conv_output_extent(s, 1);
  maps.extents[1] = conv_output_extent(s, 2);
  maps.positions = conv_output_extent(s, 0) * maps.extents[0] * maps.extents[1];
  maps.a_block_step = floats(depth * rows * columns);
  maps.a_steps[0] = maps.a_block_step * static_cast<ptrdiff_t>(ceil_div(s.in_channels, block));
  maps.a_steps[1] = floats(rows * columns * s.stride[0]);
  maps.a_steps[2] = floats(columns * s.stride[1]);
  maps.a_steps[3] = floats(s.stride[2]);
  maps.c_image_step = floats(maps.positions * ceil_div(s.out_channels, block));
  if (maps.positions == depth * rows * columns) {  // one line
    maps.extents[0] = 1;
    maps.extents[1] = maps.positions;
  }
  return maps;
}

// The kernels of a matrix unit where they compute such a convolution between blocked maps, and pay.
const SplitGemmKernels* split_kernels(const PlanContext& context, const ConvShape& s) {
  const bool fits = static_cast<size_t>(gemm_kernels().nr) % channel_block() == 0;
  if (!fits || s.group > 1 || s.in_channels > kMaxSplitMapsDepth) return nullptr;
  for (int axis = 0; axis < 3; ++axis) {
    if (s.kernel[axis] > 1 || s.pad_begin[axis] > 0 || s.pad_end[axis] > 0) return nullptr;
  }
  constexpr double kShare = 0.8;  // the dense convolutions come closer to the peak than products do
  return ops::split_product_kernels(context, s.batch * split_maps(s).positions, s.out_channels, s.in_channels, kShare);
}

class BlockedConv : public Operator {
 public:
  explicit BlockedConv(AttributeReader& attributes)
      : convolution_(attributes),
        block_(attributes.required_integer("block")),
        plain_input_(attributes.flag("plain_input", false)),
        plain_output_(attributes.flag("plain_output", false)),
        fused_(attributes.fused_steps("steps")),
        steps_(ops::epilogue_steps(fused_)) {}

  void infer(InferContext& context) const override {
    const DimShape& w = context.shape(1);
    if (!context.shape(0).has_rank() || !w.has_rank()) return;
    const DimShape x =
        plain_input_ ? context.shape(0) : ops::plain_shape(context.shape(0), w[1] * Dim(convolution_.group()));
    const DimShape y = convolution_.output_shape(context, x);
    context.set_shape(0, plain_output_ ? y : ops::blocked_shape(y, block_));
  }

  void plan(PlanContext& context) const override {
    const Shape& w = context.input(1).shape;
    const Shape& x = context.input(0).shape;
    ConvShape shape = convolution_.kernel_shape(plain_input_ ? x : ops::plain_shape(x, w[1] * convolution_.group()), w);
    merge_columns(shape);
    context.flush_denormals();
    const bool is_blocked = !plain_input_ && !plain_output_;
    const bool is_strict = context.options().precision == Precision::strict;
    if (is_blocked && has_narrow_groups(shape)) {
      plan_grouped(context, shape);
    } else if (const size_t m = is_blocked && !is_strict ? winograd_tile(shape) : 0; m > 0) {
      plan_winograd(context, shape, m);
    } else if (const SplitGemmKernels* split = is_blocked ? split_kernels(context, shape) : nullptr) {
      plan_split(context, shape, *split);
    } else {
      plan_direct(context, shape);
    }
  }

 private:
  // The operands of a tile.
  using FindArgs = std::function<BlockedConvArgs(const TileContext&)>;
  FindArgs find_args(const PlanContext& context, const float* weights) const {
    const bool has_bias = context.has_input(2);
    const bool has_residual = context.has_input(kResidual);
    return [=, steps = steps_](const TileContext& tile) {
      BlockedConvArgs args;
      args.src = tile.input<float>(0);
      args.packed_weights = weights;
      args.dst = tile.output<float>(0);
      args.epilogue = {has_bias ? tile.input<float>(2) : nullptr, has_residual ? tile.input<float>(kResidual) : nullptr,
                       0, steps.data(), static_cast<int>(steps.size())};
      return args;
    };
  }

  // The weights in the panels of a plan.
  template <class Plan>
  static const float* packed_panels(PlanContext& context, const std::string& format,
                                    const std::shared_ptr<const Plan>& plan,
                                    void (*pack)(const Plan&, const float*, float*, size_t, size_t)) {
    Packing packing;
    packing.units = plan->panel_count;
    packing.pack = [=](const std::byte* weights, std::byte* dst, size_t begin, size_t end) {
      pack(*plan, reinterpret_cast<const float*>(weights), reinterpret_cast<float*>(dst), begin, end);
    };
    packing.before = [plan](size_t panel) { return plan->weights_before(panel) * sizeof(float); };
    return reinterpret_cast<const float*>(
        context.packed_later(1, format, plan->packed_weight_bytes, std::move(packing)));
  }

  void plan_direct(PlanContext& context, const ConvShape& shape) const {
    const auto plan = std::make_shared<const BlockedConvPlan>(
        make_blocked_conv_plan(shape, plain_input_, plain_output_, context.options().one_thread));
    const std::vector<size_t>& taps = plan->used_taps;
    const std::string format = "blocked conv " + std::to_string(plain_input_) + " " + std::to_string(shape.group) +
                               " " + std::to_string(plan->block) + (plan->turned ? " turned" : "") + " taps " +
                               std::to_string(taps.front()) + " to " + std::to_string(taps.back());
    const float* weights = packed_panels(context, format, plan, pack_blocked_weights);
    const FindArgs find = find_args(context, weights);
    context.share(plan->shared_bytes);
    context.scratch(plan->scratch_bytes);
    if (plan->pack_tile_count > 0) {
      context.phase(static_cast<int64_t>(plan->pack_tile_count), 2000, [plan, find](const TileContext& tile) {
        run_blocked_pack(*plan, find(tile), static_cast<size_t>(tile.tile), tile.shared);
      });
    }
    const double cost =
        multiplies(plan->shape) * kNanosecondsPerMultiply / static_cast<double>(std::max<size_t>(1, plan->tile_count));
    context.phase(static_cast<int64_t>(plan->tile_count), cost, [plan, find](const TileContext& tile) {
      run_blocked_conv(*plan, find(tile), static_cast<size_t>(tile.tile), tile.shared, tile.scratch);
    });
    const char* name = plain_input_ ? "direct from plain" : plain_output_ ? "direct to plain" : "direct";
    context.implementation(name + ops::describe(fused_));
  }

  // As a matrix product of positions and channels, on a matrix unit.
  void plan_split(PlanContext& context, const ConvShape& shape, const SplitGemmKernels& split) const {
    const GemmKernels& dense = gemm_kernels();
    const SplitMaps maps = split_maps(shape);
    const size_t m = shape.batch * maps.positions, n = shape.out_channels, k = shape.in_channels;
    Packing packing;
    packing.units = dense.panel_count(n);
    packing.pack = [=, &dense](const std::byte* panels, std::byte* dst, size_t begin, size_t end) {
      dense.pack_b(reinterpret_cast<const float*>(panels), 1, static_cast<ptrdiff_t>(k), k,
                   n - begin * static_cast<size_t>(dense.nr), 0, end - begin,
                   reinterpret_cast<float*>(dst) + begin * dense.panel_size(k));
    };
    packing.before = [=, width = static_cast<size_t>(dense.nr)](size_t panel) {
      return std::min(n, panel * width) * k * sizeof(float);
    };
    const auto* weights = reinterpret_cast<const float*>(
        context.packed_later(1, "pointwise", dense.packed_b_size(k, n) * sizeof(float), std::move(packing)));
    const SplitGemmPlan plan = plan_split_gemm(m, n, k, dense.nr);
    context.share(plan.shared_bytes);
    const auto find_split = [=, &dense, find = find_args(context, weights),
                             epilogue_row = epilogue_row_f32()](const TileContext& tile) {
      const BlockedConvArgs conv = find(tile);
      SplitGemmArgs args;
      args.gemm = {m, n, k, conv.src, 0, 1, conv.packed_weights, conv.dst, 0, conv.epilogue};
      args.dense = &dense;
      args.epilogue_row = epilogue_row;
      args.maps = maps;
      return args;
    };
    ops::add_split_product(context, split, plan, m, n, k, 0, find_split);
    context.implementation("bf16x3 direct" + ops::describe(fused_));
  }

  void plan_winograd(PlanContext& context, const ConvShape& shape, size_t m) const {
    const auto plan = std::make_shared<const WinogradPlan>(make_winograd_plan(shape, m));
    const std::string format = "winograd " + std::to_string(m) + " " + std::to_string(plan->block);
    const float* weights = packed_panels(context, format, plan, pack_winograd_weights);
    const FindArgs find = find_args(context, weights);
    context.share(plan->shared_bytes);
    context.scratch(plan->scratch_bytes);
    if (plan->input_tile_count > 0) {
      context.phase(static_cast<int64_t>(plan->input_tile_count), 10000, [plan, find](const TileContext& tile) {
        run_winograd_input(*plan, find(tile), static_cast<size_t>(tile.tile), tile.shared);
      });
    }
    const double cost =
        multiplies(shape) * kNanosecondsPerMultiply / 2 / static_cast<double>(std::max<size_t>(1, plan->tile_count));
    context.phase(static_cast<int64_t>(plan->tile_count), cost, [plan, find](const TileContext& tile) {
      run_winograd(*plan, find(tile), static_cast<size_t>(tile.tile), tile.shared, tile.scratch);
    });
    context.implementation("winograd " + std::to_string(m) + "x" + std::to_string(m) + ops::describe(fused_));
  }

  void plan_grouped(PlanContext& context, const ConvShape& shape) const {
    const auto plan = std::make_shared<const BlockedGroupedPlan>(make_blocked_grouped_plan(shape));
    const size_t blocks = (shape.in_channels + plan->block - 1) / plan->block;
    const auto pack = [&](const Tensor& weights, std::byte* dst) {
      pack_blocked_grouped_weights(*plan, static_cast<const float*>(weights.data()), reinterpret_cast<float*>(dst), 0,
                                   blocks);
    };
    const std::string format = "blocked groups of " + std::to_string(plan->width) + " " + std::to_string(plan->block);
    const auto* weights = reinterpret_cast<const float*>(context.packed(1, format, plan->packed_weight_bytes, pack));
    context.scratch(plan->scratch_bytes);
    const FindArgs find = find_args(context, weights);
    const double cost =
        multiplies(shape) * 4 * kNanosecondsPerMultiply / static_cast<double>(std::max<size_t>(1, plan->tile_count));
    context.phase(static_cast<int64_t>(plan->tile_count), cost, [plan, find](const TileContext& tile) {
      run_blocked_grouped(*plan, find(tile), static_cast<size_t>(tile.tile), tile.scratch);
    });
    context.implementation((plan->width == 1 ? "depthwise" : "narrow groups") + ops::describe(fused_));
  }

  ops::ConvAttributes convolution_;
  int64_t block_;
  bool plain_input_;
  bool plain_output_;
  std::vector<FusedStep> fused_;
  std::vector<EpilogueStep> steps_;
};

}  // namespace

void register_blocked_conv(OpRegistry& registry) {
  ops::add_blocked<BlockedConv>(registry, "BlockedConv", "X:T, W:T, B:T?, residual:T? -> Y:T");
}

}  // namespace onnxrun
