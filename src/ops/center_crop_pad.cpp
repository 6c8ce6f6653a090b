// CenterCropPad: https://onnx.ai/onnx/operators/onnx__CenterCropPad.html, version 18.
#include <algorithm>

#include "graph/registry.h"
#include "ops/support/element_width.h"
#include "ops/support/shape_rules.h"
#include "ops/support/strided_copy.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class CenterCropPad : public Operator {
 public:
  explicit CenterCropPad(AttributeReader& attributes) : axes_(attributes.optional_integers("axes")) {}

  void infer(InferContext& context) const override {
    const DimShape& x = context.shape(0);
    const Content* extents = context.required_content(1);
    if (!x.has_rank()) return;
    std::vector<size_t> axes;
    if (axes_) {
      axes = ops::normalize_axes(*axes_, x.rank());
    } else {
      for (size_t axis = 0; axis < x.rank(); ++axis) axes.push_back(axis);
    }
    if (extents && extents->size() != axes.size()) {
      context.fail("shape has " + std::to_string(extents->size()) + " elements for " + std::to_string(axes.size()) +
                   " axes");
    }
    DimShape shape = x;
    for (size_t k = 0; k < axes.size(); ++k) {
      Dim& extent = shape[axes[k]];
      extent = extents ? (*extents)[k] : Dim::unknown();
      if (extent.is_number() && extent.number() < 0) context.fail("shape has the element " + extent.to_string());
    }
    context.set_shape(0, std::move(shape));
  }

  void plan(PlanContext& context) const override {
    const Shape& input = context.input(0).shape;
    const Shape& output = context.output(0).shape;
    const auto src_strides = ops::row_major_strides(input);
    const auto dst_strides = ops::row_major_strides(output);
    ops::StridedCopy copy;
    bool pads = false;
    bool is_empty = false;
    for (size_t axis = 0; axis < input.rank(); ++axis) {
      const int64_t extent = std::min(input[axis], output[axis]);
      copy.add_axis(extent, src_strides[axis], dst_strides[axis]);
      copy.src_offset += (input[axis] - extent) / 2 * src_strides[axis];
      copy.dst_offset += (output[axis] - extent) / 2 * dst_strides[axis];
      pads = pads || extent < output[axis];
      is_empty = is_empty || extent == 0;
    }
    if (!pads && !is_empty) return ops::plan_part(context, 0, 0, std::move(copy));
    ops::dispatch_width(context.output(0).dtype, [&]<class T>() {
      context.range(output.elements(), 0.2, [](const TileContext& tile, int64_t begin, int64_t end) {
        std::fill(tile.output<T>(0) + begin, tile.output<T>(0) + end, T{});
      });
    });
    if (!is_empty) ops::plan_copy(context, 0, 0, std::move(copy));
  }

 private:
  std::optional<std::vector<int64_t>> axes_;
};

}  // namespace

void register_center_crop_pad(OpRegistry& registry) {
  registry.add({.name = "CenterCropPad",
                .versions = {18},
                .signature = "input_data:T, shape:Tind -> output_data:T",
                .types = {{.name = "T", .tensors = ops::types_since(18)},
                          {.name = "Tind", .tensors = {DType::int32, DType::int64}}},
                .create = make_operator<CenterCropPad>});
}

}  // namespace onnxrun
