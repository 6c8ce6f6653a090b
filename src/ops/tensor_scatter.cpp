// TensorScatter: https://onnx.ai/onnx/operators/onnx__TensorScatter.html, version 24. In circular mode any write index
// is taken, also a negative one.
#include <algorithm>

#include "base/packed.h"
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/axis_view.h"
#include "ops/support/element_width.h"
#include "ops/support/scatter.h"
#include "ops/support/shape_rules.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

// Copies `n` elements.
void copy_elements(DType dtype, const void* src, int64_t src_at, void* dst, int64_t dst_at, int64_t n) {
  if (is_packed(dtype)) {
    const int bits = bit_size(dtype);
    for (int64_t i = 0; i < n; ++i) {
      put_packed(static_cast<uint8_t*>(dst), bits, dst_at + i,
                 get_packed(static_cast<const uint8_t*>(src), bits, src_at + i));
    }
    return;
  }
  ops::dispatch_width(
      dtype, [&]<class T>() { std::copy_n(static_cast<const T*>(src) + src_at, n, static_cast<T*>(dst) + dst_at); });
}

class TensorScatter : public Operator {
 public:
  explicit TensorScatter(AttributeReader& attributes)
      : axis_(attributes.integer("axis", -2)),
        circular_(attributes.one_of("mode", {"linear", "circular"}) == "circular") {}

  void infer(InferContext& context) const override {
    const DimShape& cache = context.shape(0);
    const DimShape& update = context.shape(1);
    context.set_output(0, context.dtype(0), cache);
    if (!cache.has_rank()) return;
    const size_t axis = ops::normalize_axis(axis_, cache.rank());
    if (axis == 0) context.fail("axis 0 is the batch, it cannot be the sequence");
    bool fits = !update.has_rank() || update.rank() == cache.rank();
    for (size_t k = 0; fits && k < update.rank(); ++k) {
      if (!update[k].is_number() || !cache[k].is_number()) continue;
      fits = k == axis ? update[k].number() <= cache[k].number() : update[k] == cache[k];
    }
    if (!fits) context.fail("an update of " + update.to_string() + " does not fit a cache of " + cache.to_string());
    if (!context.has_input(2)) return;
    const DimShape& indices = context.shape(2);
    if (indices.has_rank() &&
        (indices.rank() != 1 || (indices[0].is_number() && cache[0].is_number() && indices[0] != cache[0]))) {
      context.fail("write_indices must have one element for each of the batch, its shape is " + indices.to_string());
    }
  }

  void plan(PlanContext& context) const override {
    const TensorType& cache = context.input(0);
    const size_t axis = ops::normalize_axis(axis_, cache.shape.rank());
    const ops::AxisView into(cache.shape, axis);
    const ops::AxisView from(context.input(1).shape, axis);
    const int64_t per_batch = cache.shape.elements(1, axis);
    const bool has_indices = context.has_input(2);
    ops::plan_base_copy(context);
    if (from.extent == 0 || from.inner == 0) return;
    const auto run = [=, dtype = cache.dtype, circular = circular_](const TileContext& tile, int64_t begin,
                                                                    int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        int64_t index = has_indices ? tile.input<int64_t>(2)[row / per_batch] : 0;
        if (circular) {
          index = (index % into.extent + into.extent) % into.extent;
        } else if (index < 0 || index > into.extent - from.extent) {
          RunContext::fail(std::to_string(from.extent) + " positions from " + std::to_string(index) +
                           " on do not fit a cache of " + std::to_string(into.extent));
        }
        const int64_t straight = std::min(from.extent, into.extent - index);
        const int64_t src = row * from.extent * from.inner;
        const int64_t dst = row * into.extent * into.inner;
        copy_elements(dtype, tile.input(1), src, tile.output(0), dst + index * into.inner, straight * from.inner);
        copy_elements(dtype, tile.input(1), src + straight * from.inner, tile.output(0), dst,
                      (from.extent - straight) * from.inner);
      }
    };
    // Rows of packed elements may share a byte.
    if (is_packed(cache.dtype)) {
      return context.phase(1, static_cast<double>(from.outer * from.extent * from.inner) * 2,
                           [=](const TileContext& tile) { run(tile, 0, from.outer); });
    }
    context.range(from.outer, static_cast<double>(from.extent * from.inner) * 0.3 + 5, run);
  }

 private:
  int64_t axis_;
  bool circular_;
};

}  // namespace

void register_tensor_scatter(OpRegistry& registry) {
  ops::add_versions(registry, {.name = "TensorScatter",
                               .versions = {24},
                               .signature = "past_cache:T, update:T, write_indices:int64? -> present_cache:T",
                               .types = {},
                               .create = make_operator<TensorScatter>});
}

}  // namespace onnxrun
