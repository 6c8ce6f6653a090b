#include "kernels/conv/winograd.h"

#include <algorithm>

#include "base/cpu_features.h"
#include "kernels/conv/conv_kernels.h"
#include "kernels/dispatch.h"

namespace onnxrun {

ONNXRUN_DECLARE_TABLE(WinogradKernels, kWinograd2Kernels)
ONNXRUN_DECLARE_TABLE(WinogradKernels, kWinograd4Kernels)

namespace {

using conv_detail::ceil_div;

constexpr size_t kVectors = WinogradPlan::kVectors;
constexpr size_t kTap = 3;
constexpr size_t kMinParts = 8;  // of an image, for threads to share
constexpr size_t kMaxParts = 64;
constexpr size_t kInputBytes = size_t{512} * 1024;   // of a part's transformed input: stays in the second level cache
constexpr size_t kFewWeightBytes = size_t{1} << 20;  // transformed: read again for each part of the input
constexpr size_t kInputTileFloats = size_t{32} * 1024;

// Planes whose distance is a multiple of a page would meet in the same sets of the cache.
size_t plane_step(size_t floats) {
  constexpr size_t kPage = 1024;
  constexpr size_t kShift = 32;
  return floats % kPage == 0 ? floats + kShift : floats;
}

WinogradGrid make_grid(const ConvShape& s, size_t m) {
  const auto patches = [&](int axis) { return ceil_div(ceil_div(conv_output_extent(s, axis), s.dilation[axis]), m); };
  return {s.dilation[1], s.dilation[2], patches(1), patches(2)};
}

// How often taps read the input along an axis, not its padding.
double read_taps(const ConvShape& s, int axis) {
  const size_t outputs = conv_output_extent(s, axis);
  size_t count = 0;
  for (size_t tap = 0; tap < s.kernel[axis]; ++tap) {
    const size_t at = tap * s.dilation[axis];
    const size_t first = s.pad_begin[axis] > at ? s.pad_begin[axis] - at : 0;
    const size_t inside = s.input[axis] + s.pad_begin[axis];
    const size_t last = inside > at ? std::min(outputs, inside - at) : 0;
    if (last > first) count += last - first;
  }
  return static_cast<double>(count);
}

// One part of an image: its transformed input, and what becomes of it.
class PartRun {
 public:
  PartRun(const WinogradPlan& plan, const BlockedConvArgs& args, size_t image, size_t part)
      : plan_(plan), args_(args), image_(image) {
    begin_ = part * plan.part_size;
    end_ = std::min(plan.patch_count, begin_ + plan.part_size);
  }

  // Channel blocks [block_begin, block_end).
  void transform_input(size_t block_begin, size_t block_end, float* dst) const {
    const ConvShape& s = plan_.shape;
    WinogradInput input;
    input.rows = s.input[1];
    input.columns = s.input[2];
    input.pad_row = s.pad_begin[1];
    input.pad_column = s.pad_begin[2];
    input.grid = plan_.grid;
    input.begin = begin_;
    input.end = end_;
    input.dst_step = plan_.input_step;
    for (size_t block = block_begin; block < block_end; ++block) {
      input.src = args_.src + (image_ * plan_.in_blocks + block) * s.input[1] * s.input[2] * plan_.block;
      input.dst = dst + block * plan_.part_size * plan_.block;
      plan_.kernels->input(input);
    }
  }

  void run(const float* transformed, size_t panel_begin, size_t panel_end, float* sums) const {
    for (size_t panel = panel_begin; panel < panel_end; ++panel) {
      const size_t vectors = std::min(kVectors, plan_.out_blocks - panel * kVectors);
      multiply(transformed, panel, vectors, sums);
      for (size_t v = 0; v < vectors; ++v)
        transform_output(panel * kVectors + v, sums + v * plan_.part_size * plan_.block);
    }
  }

 private:
  // Sums over the input channels, point by point: [point][vectors][patch][block].
  void multiply(const float* transformed, size_t panel, size_t vectors, float* sums) const {
    const BlockedTileKernels& tiles = blocked_tile_kernels();
    const BlockedTap tap{};
    const size_t b = plan_.block;
    const size_t width = vectors * b;
    const float* weights = args_.packed_weights + panel * kVectors * b * plan_.k * plan_.points;
    const size_t patches = end_ - begin_;
    const size_t calls = ceil_div(patches, static_cast<size_t>(tiles.pixels));
    BlockedTile tile;
    tile.taps = &tap;
    tile.taps_end = &tap + 1;
    tile.src_block_step = static_cast<ptrdiff_t>(plan_.part_size * b);
    tile.channel_blocks = plan_.in_blocks;
    tile.last_channels = plan_.shape.in_channels - (plan_.in_blocks - 1) * b;
    tile.weight_block_step = static_cast<ptrdiff_t>(b * width);
    tile.dst_vector_step = tile.src_block_step;
    tile.prefetch_step = static_cast<ptrdiff_t>(ceil_div(width * sizeof(float), calls));
    for (size_t point = 0; point < plan_.points; ++point) {
      tile.weights = weights + point * plan_.k * width;
      tile.prefetch = reinterpret_cast<const char*>(tile.weights + plan_.k * width);
      size_t patch = 0;
      for (const bool wider : {true, false}) {  // nearly equal tiles
        const size_t count = patches / calls + (wider ? 1 : 0);
        tile.tiles = wider ? patches % calls : calls - patches % calls;
        if (tile.tiles == 0) continue;
        tile.src = transformed + point * plan_.input_step + patch * b;
        tile.dst = sums + point * plan_.sum_step + patch * b;
        tile.src_ahead = static_cast<ptrdiff_t>(count * b);
        tiles.single[vectors - 1][count - 1](tile);
        tile.prefetch += tile.prefetch_step * static_cast<ptrdiff_t>(plan_.k * tile.tiles);
        patch += count * tile.tiles;
      }
    }
  }

  void transform_output(size_t block, const float* sums) const {
    const size_t floats = plan_.output[0] * plan_.output[1] * plan_.block;
    const size_t map = (image_ * plan_.out_blocks + block) * floats;
    const Epilogue& epilogue = args_.epilogue;
    WinogradOutput output;
    output.src = sums;
    output.src_step = plan_.sum_step;
    output.grid = plan_.grid;
    output.begin = begin_;
    output.end = end_;
    output.dst = args_.dst + map;
    output.rows = plan_.output[0];
    output.columns = plan_.output[1];
    output.bias = epilogue.bias ? epilogue.bias + block * plan_.block : nullptr;
    output.bias_count = plan_.shape.out_channels - block * plan_.block;
    output.residual = epilogue.residual ? epilogue.residual + map : nullptr;
    output.epilogue = blocked_tile_kernels().register_epilogue(epilogue.steps, epilogue.step_count);
    output.steps = epilogue.steps + output.epilogue.steps;
    output.step_count = epilogue.step_count - output.epilogue.steps;
    plan_.kernels->output(output);
  }

  const WinogradPlan& plan_;
  const BlockedConvArgs& args_;
  size_t image_;
  size_t begin_ = 0, end_ = 0;
};

}  // namespace

size_t winograd_tile(const ConvShape& s) {
  constexpr size_t kMaxExpandedBytes = size_t{24} << 20;  // of transformed weights
  constexpr size_t kManyPatches = 100;                    // that share them: worth four times as many
  constexpr size_t kMinLarge = 20;                        // outputs along an axis for m = 4
  constexpr size_t kMinSmall = 10;                        // for m = 2
  constexpr double kLeastGain = 1.5;
  const bool fits = s.group == 1 && s.input[0] == 1 && s.kernel[0] == 1 && s.pad_begin[0] + s.pad_end[0] == 0 &&
                    s.kernel[1] == kTap && s.kernel[2] == kTap && s.stride[1] == 1 && s.stride[2] == 1 &&
                    s.in_channels >= 16 && s.out_channels >= 16;
  if (!fits) return 0;
  const size_t rows = conv_output_extent(s, 1);
  const size_t columns = conv_output_extent(s, 2);
  const size_t weight_bytes = s.in_channels * s.out_channels * sizeof(float);
  const double direct = read_taps(s, 1) * read_taps(s, 2);
  const auto multiplications = [&](size_t m) {
    return static_cast<double>(make_grid(s, m).count() * (m + 2) * (m + 2));
  };
  const auto allows = [&](size_t m, size_t least) {
    const size_t most = make_grid(s, m).count() >= kManyPatches ? 4 * kMaxExpandedBytes : kMaxExpandedBytes;
    return rows >= least && columns >= least && weight_bytes * (m + 2) * (m + 2) <= most &&
           multiplications(m) * kLeastGain <= direct;
  };
  const bool small = allows(2, kMinSmall);
  if (allows(4, kMinLarge) && (!small || multiplications(4) < multiplications(2))) return 4;
  return small ? 2 : 0;
}

WinogradPlan make_winograd_plan(const ConvShape& shape, size_t m) {
  WinogradPlan plan;
  plan.shape = shape;
  plan.kernels = m == 2 ? &ONNXRUN_SELECT_TABLE(kWinograd2Kernels) : &ONNXRUN_SELECT_TABLE(kWinograd4Kernels);
  plan.block = channel_block();
  plan.m = m;
  plan.points = (m + 2) * (m + 2);
  for (int axis = 0; axis < 2; ++axis) plan.output[axis] = conv_output_extent(shape, axis + 1);
  plan.in_blocks = ceil_div(shape.in_channels, plan.block);
  plan.out_blocks = ceil_div(shape.out_channels, plan.block);
  plan.k = plan.in_blocks * plan.block;
  plan.panel_count = ceil_div(plan.out_blocks, kVectors);
  plan.packed_weight_bytes = plan.points * plan.k * plan.out_blocks * plan.block * sizeof(float);
  plan.grid = make_grid(shape, m);
  plan.patch_count = plan.grid.count();
  if (shape.batch == 0 || plan.patch_count == 0) return plan;

  const size_t patch_bytes = plan.points * plan.k * sizeof(float);
  const bool many_weights = plan.packed_weight_bytes > kFewWeightBytes;
  const auto pixels = static_cast<size_t>(blocked_tile_kernels().pixels);
  const size_t fewest = ceil_div(plan.patch_count * patch_bytes, many_weights ? 2 * kInputBytes : kInputBytes);
  size_t parts = std::max(fewest, many_weights ? 1 : ceil_div(kMinParts, shape.batch));
  parts = std::clamp<size_t>(parts, 1, std::min(kMaxParts, ceil_div(plan.patch_count, pixels)));
  plan.part_size = ceil_div(plan.patch_count, parts);
  plan.part_count = ceil_div(plan.patch_count, plan.part_size);
  plan.input_step = plane_step(plan.k * plan.part_size);
  plan.sum_step = plane_step(kVectors * plan.block * plan.part_size);

  const size_t input_bytes = plan.points * plan.input_step * sizeof(float);
  const size_t sum_bytes = plan.points * plan.sum_step * sizeof(float);
  const size_t parts_of_all = shape.batch * plan.part_count;
  // Few parts: the output channels are shared as well, and the input is transformed once for all of them.
  if (parts_of_all < kMinParts && plan.panel_count > 1) {
    plan.panel_tile = ceil_div(plan.panel_count, std::min(plan.panel_count, ceil_div(2 * kMinParts, parts_of_all)));
    plan.shared_bytes = parts_of_all * input_bytes;
    plan.scratch_bytes = sum_bytes;
    const size_t per_part = std::clamp<size_t>(plan.points * plan.input_step / kInputTileFloats, 1, plan.in_blocks);
    plan.input_tile_count = parts_of_all * per_part;
  } else {
    plan.panel_tile = plan.panel_count;
    plan.scratch_bytes = input_bytes + sum_bytes;
  }
  plan.panel_tiles = ceil_div(plan.panel_count, plan.panel_tile);
  plan.tile_count = parts_of_all * plan.panel_tiles;
  return plan;
}

void pack_winograd_weights(const WinogradPlan& plan, const float* weights, float* dst, size_t begin, size_t end) {
  const ConvShape& s = plan.shape;
  const size_t b = plan.block;
  for (size_t panel = begin; panel < end; ++panel) {
    const size_t width = std::min(kVectors, plan.out_blocks - panel * kVectors) * b;
    const size_t channel = panel * kVectors * b;
    plan.kernels->weights(weights + (plan.weights_before(panel) - plan.weights_before(begin)), s.in_channels,
                          std::min(width, s.out_channels - channel), width, dst + channel * plan.k * plan.points,
                          plan.k * width);
  }
}

void run_winograd_input(const WinogradPlan& plan, const BlockedConvArgs& args, size_t tile, void* shared) noexcept {
  const size_t per_part = plan.input_tile_count / (plan.shape.batch * plan.part_count);
  const size_t part = tile / per_part;
  const size_t piece = tile % per_part;
  const PartRun run(plan, args, part / plan.part_count, part % plan.part_count);
  run.transform_input(plan.in_blocks * piece / per_part, plan.in_blocks * (piece + 1) / per_part,
                      static_cast<float*>(shared) + part * plan.points * plan.input_step);
}

void run_winograd(const WinogradPlan& plan, const BlockedConvArgs& args, size_t tile, const void* shared,
                  void* scratch) noexcept {
  const size_t part = tile / plan.panel_tiles;
  const size_t panel = tile % plan.panel_tiles * plan.panel_tile;
  const PartRun run(plan, args, part / plan.part_count, part % plan.part_count);
  auto* sums = static_cast<float*>(scratch);
  const float* transformed = static_cast<const float*>(shared) + part * plan.points * plan.input_step;
  if (plan.input_tile_count == 0) {
    float* own = sums + plan.points * plan.sum_step;
    run.transform_input(0, plan.in_blocks, own);
    transformed = own;
  }
  run.run(transformed, panel, std::min(plan.panel_count, panel + plan.panel_tile), sums);
}

}  // namespace onnxrun
