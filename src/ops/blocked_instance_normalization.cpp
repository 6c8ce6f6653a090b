// onnxrun.BlockedInstanceNormalization: InstanceNormalization on channel-blocked maps, then steps. Scale and bias have
// one element a channel. Stretches are summed in float, and their sums in double.
#include <array>
#include <cmath>

#include "graph/registry.h"
#include "kernels/row/row.h"
#include "ops/support/channel_blocks.h"
#include "ops/support/fused_steps.h"

namespace onnxrun {
namespace {

constexpr int64_t kMaxBlock = 16;
using Lanes = std::array<double, kMaxBlock>;

// The mean of what sum(first position, count, lanes) gives for stretches of the positions, lane by lane.
template <class Sum>
Lanes mean_of(int64_t positions, int64_t block, const Sum& sum) {
  constexpr int64_t kStretch = 256;
  Lanes mean{};
  for (int64_t at = 0; at < positions; at += kStretch) {
    alignas(64) std::array<float, kMaxBlock> part{};
    sum(at, static_cast<size_t>(std::min(kStretch, positions - at)), part.data());
    for (size_t lane = 0; lane < static_cast<size_t>(block); ++lane) mean[lane] += static_cast<double>(part[lane]);
  }
  for (double& x : mean) x /= static_cast<double>(positions);
  return mean;
}

class BlockedInstanceNormalization : public Operator {
 public:
  explicit BlockedInstanceNormalization(AttributeReader& attributes)
      : epsilon_(attributes.number("epsilon", 1e-5F)),
        fused_(attributes.fused_steps("steps")),
        steps_(ops::epilogue_steps(fused_)) {}

  void infer(InferContext& context) const override { context.set_type(0, context.type(0)); }

  void plan(PlanContext& context) const override {
    const Shape& x = context.input(0).shape;
    const int64_t block = x.back();
    const int64_t blocks = x[1];
    const int64_t positions = x.elements(2, x.rank() - 1);
    const int64_t channels = context.input(1).elements();
    context.in_place(0, 0);
    ops::plan_maps(context, static_cast<double>(positions) * (2 + static_cast<double>(steps_.size())),
                   [=, this](const TileContext& tile, int64_t map, const float* src, float* dst) {
                     const int64_t first = map % blocks * block;
                     normalize(src, dst, positions, block, tile.input<float>(1) + first, tile.input<float>(2) + first,
                               static_cast<size_t>(std::min(block, channels - first)));
                   });
    context.flush_denormals();
    context.implementation("by channel" + ops::describe(fused_));
  }

 private:
  void normalize(const float* src, float* dst, int64_t positions, int64_t block, const float* scale, const float* bias,
                 size_t channels) const {
    const Lanes mean = mean_of(positions, block, [&](int64_t at, size_t count, float* sums) {
      row_kernels().sum_of_blocks(src + at * block, sums, count);
    });
    alignas(64) std::array<float, kMaxBlock> center{};
    for (size_t lane = 0; lane < kMaxBlock; ++lane) center[lane] = static_cast<float>(mean[lane]);
    const Lanes variance = mean_of(positions, block, [&](int64_t at, size_t count, float* sums) {
      row_kernels().square_sum_of_blocks(src + at * block, sums, count, center.data());
    });
    alignas(64) std::array<float, kMaxBlock> factors{};
    alignas(64) std::array<float, kMaxBlock> shifts{};
    for (size_t lane = 0; lane < channels; ++lane) {
      const double factor =
          static_cast<double>(scale[lane]) / std::sqrt(variance[lane] + static_cast<double>(epsilon_));
      factors[lane] = static_cast<float>(factor);
      shifts[lane] = static_cast<float>(static_cast<double>(bias[lane]) - mean[lane] * factor);
    }
    ops::scale_shift_map(src, dst, positions, factors.data(), shifts.data(), steps_);
  }

  float epsilon_;
  std::vector<FusedStep> fused_;
  std::vector<EpilogueStep> steps_;
};

}  // namespace

void register_blocked_instance_normalization(OpRegistry& registry) {
  ops::add_blocked<BlockedInstanceNormalization>(registry, "BlockedInstanceNormalization", "X:T, scale:T, B:T -> Y:T");
}

}  // namespace onnxrun
