// onnxrun.BlockedMaxPool, BlockedAveragePool, BlockedGlobalMaxPool and BlockedGlobalAveragePool: the pools of ai.onnx
// on channel-blocked maps.
#include <algorithm>

#include "graph/registry.h"
#include "kernels/conv/byte_blocks.h"
#include "kernels/row/row.h"
#include "ops/support/channel_blocks.h"
#include "ops/support/pooling.h"

namespace onnxrun {
namespace {

class BlockedPool : public Operator {
 public:
  explicit BlockedPool(AttributeReader& attributes) : window_(attributes, true) {}

  void infer(InferContext& context) const override {
    const DimShape& x = context.shape(0);
    if (!x.has_rank()) return;
    const auto geometry = window_.geometry(x.rank() - 3);
    DimShape shape = x;
    for (size_t axis = 2; axis + 1 < x.rank(); ++axis) shape[axis] = window_.output_extent(geometry, axis - 2, x[axis]);
    context.set_shape(0, std::move(shape));
  }

 protected:
  static void plan_windows(PlanContext& context, const std::shared_ptr<const ops::Pooling>& pooling,
                           const ops::WindowJoin& join) {
    const int64_t block = context.input(0).shape.back();
    const size_t floats = pooling->window_buffer() * static_cast<size_t>(block);
    const size_t buffer_at = context.scratch(floats * sizeof(float));
    const double cost = static_cast<double>(pooling->all_taps.size() * static_cast<size_t>(pooling->output.back())) / 2;
    ops::plan_maps(context, cost, [=](const TileContext& tile, int64_t /*map*/, const float* src, float* dst) {
      auto* buffer = reinterpret_cast<float*>(tile.scratch + buffer_at);
      std::fill_n(buffer, floats, join.none);
      ops::join_windows(*pooling, join, join.blocks, src, dst, buffer);
    });
  }

  std::shared_ptr<const ops::Pooling> make_pooling(const PlanContext& context) const {
    const auto extents = [](const Shape& shape) { return std::vector<int64_t>(shape.begin() + 2, shape.end() - 1); };
    return ops::make_pooling(window_, extents(context.input(0).shape), extents(context.output(0).shape));
  }

  ops::WindowAttributes window_;
};

class BlockedMaxPool : public BlockedPool {
 public:
  explicit BlockedMaxPool(AttributeReader& attributes) : BlockedPool(attributes) { attributes.ignore("storage_order"); }

  void plan(PlanContext& context) const override {
    if (context.input(0).dtype == DType::uint8) return plan_bytes(context);
    plan_windows(context, make_pooling(context), ops::WindowJoin::max());
  }

 private:
  void plan_bytes(PlanContext& context) const {
    const auto pooling = make_pooling(context);
    const Shape& x = context.input(0).shape;
    const auto lanes = x.back();
    const int64_t rows = pooling->row_count(), columns = pooling->output.back();
    const double cost = static_cast<double>(pooling->columns.size() * static_cast<size_t>(columns)) * 2;
    context.range(x[0] * x[1] * rows, cost, [=](const TileContext& tile, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const uint8_t* src = tile.input<uint8_t>(0) + i / rows * pooling->input_size() * lanes;
        uint8_t* dst = tile.output<uint8_t>(0) + i * columns * lanes;
        std::fill_n(dst, columns * lanes, uint8_t{0});
        for (const auto& tap : pooling->taps(i % rows)) {
          max_of_bytes(src + tap.offset * lanes, static_cast<size_t>(tap.stride * lanes),
                       static_cast<size_t>(tap.end - tap.begin), static_cast<size_t>(lanes), dst + tap.begin * lanes);
        }
      }
    });
  }
};

class BlockedAveragePool : public BlockedPool {
 public:
  explicit BlockedAveragePool(AttributeReader& attributes)
      : BlockedPool(attributes), count_padding_(attributes.flag("count_include_pad", false)) {}

  void plan(PlanContext& context) const override {
    const auto shared = make_pooling(context);
    plan_windows(context, shared, ops::WindowJoin::mean(*shared, count_padding_));
  }

 private:
  bool count_padding_;
};

template <bool kAverage>
class BlockedGlobalPool : public Operator {
 public:
  explicit BlockedGlobalPool(AttributeReader& /*attributes*/) {}

  void infer(InferContext& context) const override {
    DimShape shape = context.shape(0);
    if (!shape.has_rank()) return;
    for (size_t axis = 2; axis + 1 < shape.rank(); ++axis) shape[axis] = 1;
    context.set_shape(0, std::move(shape));
  }

  void plan(PlanContext& context) const override {
    const Shape& x = context.input(0).shape;
    const int64_t block = x.back();
    const int64_t positions = x.elements(2, x.rank() - 1);
    ops::plan_maps(context, static_cast<double>(positions) + 5,
                   [=](const TileContext& /*tile*/, int64_t /*map*/, const float* src, float* dst) {
                     if (!kAverage) return row_kernels().max_of_blocks(src, dst, static_cast<size_t>(positions));
                     row_kernels().sum_of_blocks(src, dst, static_cast<size_t>(positions));
                     for (int64_t lane = 0; lane < block; ++lane) dst[lane] /= static_cast<float>(positions);
                   });
  }
};

}  // namespace

void register_blocked_pool(OpRegistry& registry) {
  ops::add_blocked<BlockedMaxPool>(registry, "BlockedMaxPool", "X:T -> Y:T", {DType::float32, DType::uint8});
  ops::add_blocked<BlockedAveragePool>(registry, "BlockedAveragePool");
  ops::add_blocked<BlockedGlobalPool<true>>(registry, "BlockedGlobalAveragePool");
  ops::add_blocked<BlockedGlobalPool<false>>(registry, "BlockedGlobalMaxPool");
}

}  // namespace onnxrun
