// onnxrun.BlockedMaxPool, BlockedAveragePool, BlockedGlobalMaxPool and BlockedGlobalAveragePool: the pools of ai.onnx
// on channel-blocked maps.
#include <algorithm>
#include <functional>
#include <limits>

#include "graph/registry.h"
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
  // One map of vectors at a time.
  using PoolMap = std::function<void(const ops::Pooling&, const float* src, float* dst)>;
  void plan_maps(PlanContext& context, const std::shared_ptr<const ops::Pooling>& pooling, const PoolMap& pool) const {
    const double cost = static_cast<double>(pooling->all_taps.size() * static_cast<size_t>(pooling->output.back())) * 2;
    ops::plan_maps(context, cost, [=](const TileContext& /*tile*/, int64_t /*map*/, const float* src, float* dst) {
      pool(*pooling, src, dst);
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
    const int64_t block = context.input(0).shape.back();
    plan_maps(context, make_pooling(context), [block](const ops::Pooling& pooling, const float* src, float* dst) {
      std::fill_n(dst, pooling.output_size() * block, -std::numeric_limits<float>::infinity());
      for (int64_t row = 0; row < pooling.row_count(); ++row, dst += pooling.output.back() * block) {
        for (const ops::Pooling::Tap& tap : pooling.taps(row)) {
          row_kernels().max_blocks(dst + tap.begin * block, src + tap.offset * block, tap.stride,
                                   static_cast<size_t>(tap.end - tap.begin));
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
    const int64_t block = context.input(0).shape.back();
    const auto shared = make_pooling(context);
    plan_maps(context, shared,
              [block, sizes = shared->window_sizes(count_padding_)](const ops::Pooling& pooling, const float* src,
                                                                    float* dst) {
                std::fill_n(dst, pooling.output_size() * block, 0.0F);
                for (int64_t row = 0; row < pooling.row_count(); ++row) {
                  float* to = dst + row * pooling.output.back() * block;
                  for (const ops::Pooling::Tap& tap : pooling.taps(row)) {
                    row_kernels().add_blocks(to + tap.begin * block, src + tap.offset * block, tap.stride,
                                             static_cast<size_t>(tap.end - tap.begin));
                  }
                }
                for (int64_t i = 0; i < pooling.output_size(); ++i, dst += block) {
                  const auto size = static_cast<float>(std::max<int64_t>(1, sizes[static_cast<size_t>(i)]));
                  for (int64_t lane = 0; lane < block; ++lane) dst[lane] /= size;
                }
              });
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
  ops::add_blocked<BlockedMaxPool>(registry, "BlockedMaxPool");
  ops::add_blocked<BlockedAveragePool>(registry, "BlockedAveragePool");
  ops::add_blocked<BlockedGlobalPool<true>>(registry, "BlockedGlobalAveragePool");
  ops::add_blocked<BlockedGlobalPool<false>>(registry, "BlockedGlobalMaxPool");
}

}  // namespace onnxrun
