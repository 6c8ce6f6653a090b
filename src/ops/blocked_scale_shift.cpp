// onnxrun.BlockedScaleShift: x * scale + shift by channel on channel-blocked maps, then steps. Scale and shift are
// constants of one element a channel.
#include <algorithm>

#include "graph/registry.h"
#include "ops/support/channel_blocks.h"
#include "ops/support/fused_steps.h"

namespace onnxrun {
namespace {

class BlockedScaleShift : public Operator {
 public:
  explicit BlockedScaleShift(AttributeReader& attributes)
      : fused_(attributes.fused_steps("steps")), steps_(ops::epilogue_steps(fused_)) {}

  void infer(InferContext& context) const override { context.set_type(0, context.type(0)); }

  void plan(PlanContext& context) const override {
    const Shape& x = context.input(0).shape;
    const int64_t block = x.back();
    const int64_t blocks = x[1];
    const int64_t positions = x.elements(2, x.rank() - 1);
    const float* scale = padded(context, 1, blocks * block);
    const float* shift = padded(context, 2, blocks * block);
    context.in_place(0, 0);
    ops::plan_maps(context, static_cast<double>(positions) * (1 + 2 * static_cast<double>(steps_.size())),
                   [=, this](const TileContext& /*tile*/, int64_t map, const float* src, float* dst) {
                     const int64_t lane = map % blocks * block;
                     ops::scale_shift_map(src, dst, positions, scale + lane, shift + lane, steps_);
                   });
    context.implementation("by channel" + ops::describe(fused_));
  }

 private:
  // The vector of input i with zeros behind it.
  static const float* padded(PlanContext& context, size_t i, int64_t count) {
    const auto bytes = static_cast<size_t>(count) * sizeof(float);
    const auto pad = [&](const Tensor& tensor, std::byte* dst) {
      std::fill_n(dst, bytes, std::byte{0});
      std::copy_n(static_cast<const std::byte*>(tensor.data()), tensor.bytes(), dst);
    };
    return reinterpret_cast<const float*>(context.packed(i, "padded to " + std::to_string(count), bytes, pad));
  }

  std::vector<FusedStep> fused_;
  std::vector<EpilogueStep> steps_;
};

}  // namespace

void register_blocked_scale_shift(OpRegistry& registry) {
  ops::add_blocked<BlockedScaleShift>(registry, "BlockedScaleShift", "X:T, scale:T, shift:T -> Y:T");
}

}  // namespace onnxrun
