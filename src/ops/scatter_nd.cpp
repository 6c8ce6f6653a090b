// ScatterND: https://onnx.ai/onnx/operators/onnx__ScatterND.html, versions 11, 13, 16 (reduction), 18 (min, max).
// Updates are applied in their order.
#include <algorithm>

#include "graph/registry.h"
#include "ops/support/elementwise.h"
#include "ops/support/indices.h"
#include "ops/support/scatter.h"
#include "ops/support/strided_loop.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class ScatterND : public Operator {
 public:
  explicit ScatterND(AttributeReader& attributes) : reduction_(ops::read_reduction(attributes, 16, 18)) {}

  void infer(InferContext& context) const override {
    ops::infer_same(context);
    if (context.dtype(0) != DType::undefined) ops::make_combine(reduction_, context.dtype(0));
    const DimShape& data = context.shape(0);
    const DimShape& indices = context.shape(1);
    const DimShape& updates = context.shape(2);
    if (!data.has_rank() || !indices.has_rank()) return;
    if (indices.rank() == 0) context.fail("indices must have a dimension");
    const Dim& depth = indices[indices.rank() - 1];
    if (!depth.is_number()) return;
    if (depth.number() > static_cast<int64_t>(data.rank())) {
      context.fail("indices of " + depth.to_string() + " numbers do not fit data of rank " +
                   std::to_string(data.rank()));
    }
    std::vector<Dim> wanted(indices.begin(), indices.end() - 1);
    wanted.insert(wanted.end(), data.begin() + depth.number(), data.end());
    const DimShape shape(wanted);
    if (shape.is_concrete() && updates.is_concrete() && !(shape == updates)) {
      context.fail("updates must have the shape " + shape.to_string());
    }
  }

  void plan(PlanContext& context) const override {
    ops::plan_base_copy(context);
    const Shape& data = context.input(0).shape;
    const Shape& indices = context.input(1).shape;
    const auto depth = static_cast<size_t>(indices.back());
    const int64_t inner = data.elements(depth, data.rank());
    const int64_t rows = indices.elements(0, indices.rank() - 1);
    if (inner == 0 || rows == 0) return;
    const auto strides = ops::row_major_strides(data);
    const double cost = static_cast<double>(rows) * (static_cast<double>(inner) + 5);
    context.phase(1, cost,
                  [data, depth, inner, rows, strides,
                   combine = ops::make_combine(reduction_, context.output(0).dtype)](const TileContext& tile) {
                    const int64_t* index = tile.input<int64_t>(1);
                    int64_t offsets[ops::kRowsCombined];
                    for (int64_t first = 0; first < rows; first += ops::kRowsCombined) {
                      const int64_t count = std::min(ops::kRowsCombined, rows - first);
                      for (int64_t row = 0; row < count; ++row) {
                        offsets[row] = 0;
                        for (size_t k = 0; k < depth; ++k) {
                          offsets[row] += ops::checked_index(*index++, data[k]) * strides[k];
                        }
                      }
                      combine(tile.input(2), first * inner, tile.output(0), offsets, count, inner);
                    }
                  });
  }

 private:
  std::string reduction_;
};

}  // namespace

void register_scatter_nd(OpRegistry& registry) {
  ops::add_versions(registry, {.name = "ScatterND",
                               .versions = {11, 13, 16, 18},
                               .signature = "data:T, indices:int64, updates:T -> output:T",
                               .create = make_operator<ScatterND>});
}

}  // namespace onnxrun
