// Gather: https://onnx.ai/onnx/operators/onnx__Gather.html, versions 1, 11 (negative indices, accepted in all), 13.
#include <algorithm>

#include "graph/registry.h"
#include "ops/support/element_width.h"
#include "ops/support/indices.h"
#include "ops/support/shape_rules.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class Gather : public Operator {
 public:
  explicit Gather(AttributeReader& attributes) : axis_(attributes.integer("axis", 0)) {}

  void infer(InferContext& context) const override {
    const DimShape& data = context.shape(0);
    const DimShape& indices = context.shape(1);
    if (!data.has_rank()) return;
    const size_t axis = ops::normalize_axis(axis_, data.rank());
    if (!indices.has_rank()) return;
    std::vector<Dim> extents(data.begin(), data.begin() + static_cast<ptrdiff_t>(axis));
    extents.insert(extents.end(), indices.begin(), indices.end());
    extents.insert(extents.end(), data.begin() + static_cast<ptrdiff_t>(axis) + 1, data.end());
    context.set_shape(0, extents);
    set_content(context, data.rank());
  }

  void plan(PlanContext& context) const override {
    const DType dtype = context.output(0).dtype;
    const Shape& data = context.input(0).shape;
    const size_t axis = ops::normalize_axis(axis_, data.rank());
    const int64_t extent = data[axis];
    const int64_t inner = data.elements(axis + 1, data.rank());
    const int64_t count = context.input(1).elements();
    const DType index_dtype = context.input(1).dtype;
    const int64_t runs = inner == 0 ? 0 : data.elements(0, axis) * count;
    ops::dispatch_width(dtype, [&]<class T>() {
      const double cost = static_cast<double>(inner) * sizeof(T) * 0.1 + 2;
      context.range(runs, cost, [=](const TileContext& tile, int64_t begin, int64_t end) {
        const ops::IndexReader indices(tile.input(1), index_dtype);
        const auto* src = tile.input<std::byte>(0);
        T* dst = tile.output<T>(0);
        for (int64_t run = begin; run < end; ++run) {
          const int64_t row = run / count * extent + ops::checked_index(indices[run % count], extent);
          ops::copy_elements(src, row * inner, inner, dst + run * inner);
        }
      });
    });
    if (dtype != DType::string) context.reads_bytes(0);
  }

 private:
  static void set_content(InferContext& context, size_t data_rank) {
    const Content* elements = context.content(0);
    const auto indices = ops::numbers(context.content(1));
    if (!elements || !indices || data_rank != 1) return;
    const auto extent = static_cast<int64_t>(elements->size());
    Content picked;
    for (const int64_t index : *indices) {
      if (index < -extent || index >= extent) context.fail("index " + std::to_string(index) + " is out of range");
      picked.push_back((*elements)[static_cast<size_t>(index < 0 ? index + extent : index)]);
    }
    context.set_content(0, std::move(picked));
  }

  int64_t axis_;
};

}  // namespace

void register_gather(OpRegistry& registry) {
  ops::add_versions(registry, {.name = "Gather",
                               .versions = {1, 11, 13},
                               .signature = "data:T, indices:Tind -> output:T",
                               .types = {{.name = "Tind", .tensors = {DType::int32, DType::int64}}},
                               .create = make_operator<Gather>});
}

}  // namespace onnxrun
