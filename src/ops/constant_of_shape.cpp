// ConstantOfShape: https://onnx.ai/onnx/operators/onnx__ConstantOfShape.html, versions 9, 20, 21, 23, 24, 25.
#include <algorithm>
#include <cstring>

#include "base/packed.h"
#include "graph/content.h"
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/element_width.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class ConstantOfShape : public Operator {
 public:
  explicit ConstantOfShape(AttributeReader& attributes) {
    if (const auto value = attributes.tensor("value")) {
      value_ = *value;
    } else {
      value_ = Tensor(DType::float32, {1});
      value_.mutable_values<float>()[0] = 0;
    }
    const DTypeSet types = ops::types_since(attributes.version()) - kComplex;
    if (value_.elements() != 1 || !types.contains(value_.dtype()) || value_.dtype() == DType::string) {
      throw Error(ErrorCode::invalid_model,
                  "attribute 'value' must have one element, of a type that the operator makes");
    }
  }

  void infer(InferContext& context) const override {
    context.set_dtype(0, value_.dtype());
    const Content* extents = context.required_content(0);
    if (!extents) {
      const DimShape& shape = context.shape(0);
      if (shape.has_rank() && shape.rank() == 1 && shape[0].is_number() && shape[0].number() <= kMaxContentElements) {
        context.set_shape(0, DimShape::of_rank(static_cast<size_t>(shape[0].number())));
      }
      return;
    }
    for (const Dim& extent : *extents) {
      if (extent.is_number() && extent.number() < 0) context.fail("the shape has the extent " + extent.to_string());
    }
    const DimShape shape(*extents);
    context.set_shape(0, shape);
    const Dim count = shape.elements();
    if (can_be_content(value_.dtype()) && count.is_number() && count.number() <= kMaxContentElements) {
      context.set_content(0, Content(static_cast<size_t>(count.number()), content_of(value_).front()));
    }
  }

  void plan(PlanContext& context) const override {
    const auto bytes = static_cast<int64_t>(context.output(0).bytes());
    const DType dtype = value_.dtype();
    if (is_packed(dtype)) {
      uint8_t pattern = 0;
      const int bits = bit_size(dtype);
      const uint8_t element = get_packed(static_cast<const uint8_t*>(value_.data()), bits, 0);
      for (int64_t i = 0; i < 8 / bits; ++i) put_packed(&pattern, bits, i, element);
      return plan_fill(context, bytes, pattern);
    }
    ops::dispatch_width(dtype, [&]<class T>() {
      if constexpr (!std::is_same_v<T, std::string>) plan_fill(context, bytes, *static_cast<const T*>(value_.data()));
    });
  }

 private:
  template <class T>
  static void plan_fill(PlanContext& context, int64_t bytes, T element) {
    const int64_t count = bytes / static_cast<int64_t>(sizeof(T));
    context.range(count, 0.1 * sizeof(T), [element](const TileContext& tile, int64_t begin, int64_t end) {
      std::fill(tile.output<T>(0) + begin, tile.output<T>(0) + end, element);
    });
  }

  Tensor value_;
};

}  // namespace

void register_constant_of_shape(OpRegistry& registry) {
  registry.add({.name = "ConstantOfShape",
                .versions = {9, 20, 21, 23, 24, 25},
                .signature = "input:int64 -> output:T2",
                .types = {{.name = "T2", .tensors = kAllTypes}},
                .create = make_operator<ConstantOfShape>});
}

}  // namespace onnxrun
