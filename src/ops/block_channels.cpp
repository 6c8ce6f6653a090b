// onnxrun.BlockChannels and onnxrun.UnblockChannels: [N, C, spatial] to channel-blocked maps and back, of float32 or
// uint8. Where there is one position and no padding, both are the same bytes.
#include "graph/registry.h"
#include "kernels/conv/blocked_conv.h"
#include "kernels/conv/byte_blocks.h"
#include "ops/support/channel_blocks.h"

namespace onnxrun {
namespace {

using CopyFloats = void (*)(const float*, float*, size_t, size_t, size_t, size_t) noexcept;
using CopyBytes = void (*)(const uint8_t*, uint8_t*, size_t, size_t, size_t, size_t, size_t) noexcept;

void plan_copy(PlanContext& context, const Shape& plain, const Shape& blocked, CopyFloats copy, CopyBytes copy_bytes) {
  const auto channels = static_cast<size_t>(plain[1]);
  const auto positions = static_cast<size_t>(plain.elements(2, plain.rank()));
  if (positions == 1 && plain.elements() == blocked.elements()) return context.view(0, 0);
  const double cost = static_cast<double>(positions) * static_cast<double>(blocked.back()) * 0.3;
  if (context.input(0).dtype == DType::uint8) {
    const auto block = static_cast<size_t>(blocked.back());
    return context.range(blocked[0] * blocked[1], cost, [=](const TileContext& tile, int64_t begin, int64_t end) {
      copy_bytes(tile.input<uint8_t>(0), tile.output<uint8_t>(0), channels, positions, block,
                 static_cast<size_t>(begin), static_cast<size_t>(end));
    });
  }
  context.range(blocked[0] * blocked[1], cost, [=](const TileContext& tile, int64_t begin, int64_t end) {
    copy(tile.input<float>(0), tile.output<float>(0), channels, positions, static_cast<size_t>(begin),
         static_cast<size_t>(end));
  });
}

class BlockChannels : public Operator {
 public:
  explicit BlockChannels(AttributeReader& attributes) : block_(attributes.required_integer("block")) {}

  void infer(InferContext& context) const override {
    if (context.shape(0).has_rank()) context.set_shape(0, ops::blocked_shape(context.shape(0), block_));
  }

  void plan(PlanContext& context) const override {
    plan_copy(context, context.input(0).shape, context.output(0).shape, block_channels, block_bytes);
  }

 private:
  int64_t block_;
};

class UnblockChannels : public Operator {
 public:
  explicit UnblockChannels(AttributeReader& attributes) : channels_(attributes.required_integer("channels")) {}

  void infer(InferContext& context) const override {
    if (context.shape(0).has_rank()) context.set_shape(0, ops::plain_shape(context.shape(0), channels_));
  }

  void plan(PlanContext& context) const override {
    plan_copy(context, context.output(0).shape, context.input(0).shape, unblock_channels, unblock_bytes);
  }

 private:
  int64_t channels_;
};

}  // namespace

void register_block_channels(OpRegistry& registry) {
  const DTypeSet types = {DType::float32, DType::uint8};
  ops::add_blocked<BlockChannels>(registry, "BlockChannels", "X:T -> Y:T", types);
  ops::add_blocked<UnblockChannels>(registry, "UnblockChannels", "X:T -> Y:T", types);
}

}  // namespace onnxrun
