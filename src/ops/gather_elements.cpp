// GatherElements: https://onnx.ai/onnx/operators/onnx__GatherElements.html, versions 11, 13.
#include <algorithm>

#include "graph/registry.h"
#include "kernels/element/element.h"
#include "ops/support/element_width.h"
#include "ops/support/indices.h"
#include "ops/support/shape_rules.h"
#include "ops/support/strided_loop.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class GatherElements : public Operator {
 public:
  explicit GatherElements(AttributeReader& attributes) : axis_(attributes.integer("axis", 0)) {}

  void infer(InferContext& context) const override {
    ops::check_elementwise_indices(context, context.shape(0), context.shape(1), axis_);
    context.set_shape(0, context.shape(1));
  }

  void plan(PlanContext& context) const override {
    const Shape& data = context.input(0).shape;
    const Shape& indices = context.input(1).shape;
    if (indices.elements() == 0) return context.phase(0, 0, [](const TileContext&) {});
    const size_t axis = ops::normalize_axis(axis_, data.rank());
    const auto strides = ops::row_major_strides(data);
    const auto target = ops::row_major_strides(indices);
    ops::StridedLoop<2> loop;
    for (size_t k = 0; k < data.rank(); ++k) loop.add_axis(indices[k], {target[k], k == axis ? 0 : strides[k]});
    constexpr int64_t kPiece = 256;
    const DType index_dtype = context.input(1).dtype;
    const int64_t extent = data[axis];
    const ptrdiff_t stride = strides[axis];
    const double cost = static_cast<double>(std::min(loop.inner_extent(), kPiece)) + 5;
    ops::dispatch_width(context.output(0).dtype, [&]<class T>() {
      context.range(loop.piece_count(kPiece), cost, [=](const TileContext& tile, int64_t begin, int64_t end) {
        const ops::IndexReader reader(tile.input(1), index_dtype);
        const ptrdiff_t step = loop.inner_strides()[1];
        loop.for_pieces(begin, end, kPiece, [&](const auto& offsets, int64_t first, int64_t count) {
          int64_t from[kPiece];
          reader.offsets(offsets[0] + first, count, {extent, stride, offsets[1] + first * step, step}, from);
          const T* src = tile.input<T>(0);
          T* dst = tile.output<T>(0) + offsets[0] + first;
#pragma GCC unroll 8
          for (int64_t i = 0; i < count; ++i) dst[i] = src[from[i]];
        });
      });
    });
  }

 private:
  int64_t axis_;
};

}  // namespace

void register_gather_elements(OpRegistry& registry) {
  ops::add_versions(registry, {.name = "GatherElements",
                               .versions = {11, 13},
                               .signature = "data:T, indices:Tind -> output:T",
                               .types = {{.name = "Tind", .tensors = {DType::int32, DType::int64}}},
                               .create = make_operator<GatherElements>});
}

}  // namespace onnxrun
