// GatherND: https://onnx.ai/onnx/operators/onnx__GatherND.html, versions 11, 12 (batch_dims), 13.
#include <algorithm>

#include "graph/registry.h"
#include "ops/support/element_width.h"
#include "ops/support/indices.h"
#include "ops/support/strided_loop.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class GatherND : public Operator {
 public:
  explicit GatherND(AttributeReader& attributes) {
    if (attributes.version() >= 12) batch_dims_ = attributes.integer("batch_dims", 0);
  }

  void infer(InferContext& context) const override {
    const DimShape& data = context.shape(0);
    const DimShape& indices = context.shape(1);
    if (!data.has_rank() || !indices.has_rank()) return;
    const auto rank = static_cast<int64_t>(std::min(data.rank(), indices.rank()));
    if (data.rank() == 0 || indices.rank() == 0) context.fail("data and indices must have a dimension");
    if (batch_dims_ < 0 || batch_dims_ >= rank) {
      context.fail("batch_dims " + std::to_string(batch_dims_) + " is out of range for rank " + std::to_string(rank));
    }
    for (size_t axis = 0; axis < static_cast<size_t>(batch_dims_); ++axis) {
      if (data[axis].is_number() && indices[axis].is_number() && !(data[axis] == indices[axis])) {
        context.fail("data and indices differ along batch dimension " + std::to_string(axis));
      }
    }
    const Dim& last = indices[indices.rank() - 1];
    if (!last.is_number()) return;
    const int64_t used = batch_dims_ + last.number();
    if (last.number() < 1 || used > static_cast<int64_t>(data.rank())) {
      context.fail("indices of " + last.to_string() + " numbers do not fit data of rank " +
                   std::to_string(data.rank()));
    }
    std::vector<Dim> extents(indices.begin(), indices.end() - 1);
    extents.insert(extents.end(), data.begin() + used, data.end());
    context.set_shape(0, extents);
  }

  void plan(PlanContext& context) const override {
    const Shape& data = context.input(0).shape;
    const Shape& indices = context.input(1).shape;
    const auto batch_dims = static_cast<size_t>(batch_dims_);
    const auto depth = static_cast<size_t>(indices.back());
    const int64_t inner = data.elements(batch_dims + depth, data.rank());
    const int64_t batch_elements = data.elements(batch_dims, data.rank());
    const int64_t rows_per_batch = indices.elements(batch_dims, indices.rank() - 1);
    const int64_t rows = inner == 0 ? 0 : indices.elements(0, indices.rank() - 1);
    const auto strides = ops::row_major_strides(data);
    ops::dispatch_width(context.output(0).dtype, [&]<class T>() {
      const double cost = static_cast<double>(inner) * sizeof(T) * 0.1 + 4;
      context.range(rows, cost, [=](const TileContext& tile, int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          const int64_t* index = tile.input<int64_t>(1) + row * static_cast<int64_t>(depth);
          int64_t offset = row / rows_per_batch * batch_elements;
          for (size_t k = 0; k < depth; ++k) {
            offset += ops::checked_index(index[k], data[batch_dims + k]) * strides[batch_dims + k];
          }
          std::copy_n(tile.input<T>(0) + offset, inner, tile.output<T>(0) + row * inner);
        }
      });
    });
  }

 private:
  int64_t batch_dims_ = 0;
};

}  // namespace

void register_gather_nd(OpRegistry& registry) {
  ops::add_versions(registry, {.name = "GatherND",
                               .versions = {11, 12, 13},
                               .signature = "data:T, indices:int64 -> output:T",
                               .create = make_operator<GatherND>});
}

}  // namespace onnxrun
