// ScatterElements: https://onnx.ai/onnx/operators/onnx__ScatterElements.html, versions 11, 13, 16 (reduction), 18 (min,
// max). Scatter: https://onnx.ai/onnx/operators/onnx__Scatter.html, versions 9, 11. Updates are applied in their order.
#include "graph/registry.h"
#include "kernels/element/element.h"
#include "ops/support/elementwise.h"
#include "ops/support/indices.h"
#include "ops/support/scatter.h"
#include "ops/support/shape_rules.h"
#include "ops/support/strided_loop.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class ScatterElements : public Operator {
 public:
  explicit ScatterElements(AttributeReader& attributes)
      : axis_(attributes.integer("axis", 0)), reduction_(ops::read_reduction(attributes, 16, 18)) {}

  void infer(InferContext& context) const override {
    ops::check_elementwise_indices(context, context.shape(0), context.shape(1), axis_);
    if (context.shape(1).is_concrete() && context.shape(2).is_concrete() && !(context.shape(1) == context.shape(2))) {
      context.fail("indices and updates differ in shape");
    }
    if (context.dtype(0) != DType::undefined) ops::make_combine(reduction_, context.dtype(0));
    ops::infer_same(context);
  }

  void plan(PlanContext& context) const override {
    ops::plan_base_copy(context);
    const Shape& data = context.input(0).shape;
    const Shape& indices = context.input(1).shape;
    if (indices.elements() == 0) return;
    const size_t axis = ops::normalize_axis(axis_, data.rank());
    const auto strides = ops::row_major_strides(data);
    const auto source = ops::row_major_strides(indices);
    // The slices before the axis are independent of each other.
    ops::StridedLoop<2> slices, loop;
    for (size_t k = 0; k < data.rank(); ++k) {
      (k < axis ? slices : loop).add_axis(indices[k], {source[k], k == axis ? 0 : strides[k]});
    }
    const int64_t pieces = loop.piece_count(ops::kRowsCombined);
    const auto cost = static_cast<double>(indices.elements(axis, data.rank())) * 1.5 + 5;
    context.range(slices.outer_count(0), cost,
                  [=, extent = data[axis], stride = strides[axis], index_dtype = context.input(1).dtype,
                   combine = ops::make_combine(reduction_, context.output(0).dtype)](const TileContext& tile,
                                                                                     int64_t begin, int64_t end) {
                    const ops::IndexReader reader(tile.input(1), index_dtype);
                    const ptrdiff_t step = loop.inner_strides()[1];
                    const auto update = [&](const auto& slice) {
                      loop.for_pieces(0, pieces, ops::kRowsCombined, [&](const auto& at, int64_t first, int64_t count) {
                        int64_t to[ops::kRowsCombined];
                        const int64_t from = slice[0] + at[0] + first;
                        reader.offsets(from, count, {extent, stride, slice[1] + at[1] + first * step, step}, to);
                        combine(tile.input(2), from, tile.output(0), to, count, 1);
                      });
                    };
                    slices.for_outer(begin, end, update, 0);
                  });
  }

 private:
  int64_t axis_;
  std::string reduction_;
};

}  // namespace

void register_scatter_elements(OpRegistry& registry) {
  const auto add = [&](std::string_view name, std::vector<int64_t> versions) {
    ops::add_versions(registry, {.name = name,
                                 .versions = std::move(versions),
                                 .signature = "data:T, indices:Tind, updates:T -> output:T",
                                 .types = {{.name = "Tind", .tensors = {DType::int32, DType::int64}}},
                                 .create = make_operator<ScatterElements>});
  };
  add("Scatter", {9, 11});
  add("ScatterElements", {11, 13, 16, 18});
}

}  // namespace onnxrun
