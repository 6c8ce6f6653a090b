// Tile: https://onnx.ai/onnx/operators/onnx__Tile.html, versions 1 (one axis, given as numbers of the data's type), 6,
// 13.
#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/shape_rules.h"
#include "ops/support/strided_copy.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class Tile : public Operator {
 public:
  explicit Tile(AttributeReader& attributes) : has_one_axis_(attributes.version() < 6) {}

  void infer(InferContext& context) const override {
    const DimShape& shape = context.shape(0);
    if (!shape.has_rank()) return;
    DimShape result = shape;
    if (has_one_axis_) {
      const Tensor* tiles = context.required_constant(1);
      const Tensor* axis = context.required_constant(2);
      if (!tiles || !axis) return;
      const size_t index = ops::normalize_axis(number(context, *axis), shape.rank());
      result[index] = result[index] * Dim(number(context, *tiles));
    } else {
      const Content* repeats = context.required_content(1);
      if (!repeats) return context.set_shape(0, DimShape::of_rank(shape.rank()));
      if (repeats->size() != shape.rank()) {
        context.fail("repeats has " + std::to_string(repeats->size()) + " elements for rank " +
                     std::to_string(shape.rank()));
      }
      for (size_t axis = 0; axis < shape.rank(); ++axis) {
        if ((*repeats)[axis].is_number() && (*repeats)[axis].number() < 0)
          context.fail("repeats has a negative number");
        result[axis] = result[axis] * (*repeats)[axis];
      }
    }
    context.set_shape(0, result);
  }

  // The input, again and again along each axis.
  void plan(PlanContext& context) const override {
    const Shape& input = context.input(0).shape;
    const Shape& output = context.output(0).shape;
    const auto strides = ops::row_major_strides(input);
    const auto target = ops::row_major_strides(output);
    ops::StridedCopy copy;
    for (size_t axis = 0; axis < output.rank(); ++axis) {
      copy.add_axis(input[axis] == 0 ? 0 : output[axis] / input[axis], 0, target[axis] * input[axis]);
      copy.add_axis(input[axis], strides[axis], target[axis]);
    }
    ops::plan_part(context, 0, 0, copy);
  }

 private:
  static int64_t number(const InferContext& context, const Tensor& tensor) {
    double value = -1;
    if (tensor.elements() != 1) context.fail("tiles and axis must have one element each");
    dispatch_dtype<float, double, Half>(tensor.dtype(),
                                        [&]<class T>() { value = static_cast<double>(tensor.values<T>()[0]); });
    if (!(value >= 0 && value < 0x1p62)) context.fail("tiles and axis cannot be " + std::to_string(value));
    return static_cast<int64_t>(value);
  }

  bool has_one_axis_;
};

}  // namespace

void register_tile(OpRegistry& registry) {
  registry.add({.name = "Tile",
                .versions = {1},
                .signature = "input:T, tiles:T, axis:T -> output:T",
                .types = {{.name = "T", .tensors = kIeeeFloats}},
                .create = make_operator<Tile>});
  ops::add_versions(registry, {.name = "Tile",
                               .versions = {6, 13},
                               .signature = "input:T, repeats:int64 -> output:T",
                               .create = make_operator<Tile>});
}

}  // namespace onnxrun
