// Compress: https://onnx.ai/onnx/operators/onnx__Compress.html, versions 9, 11 (negative axis). A condition shorter
// than the axis drops what is behind it.
#include <algorithm>

#include "graph/registry.h"
#include "ops/support/axis_view.h"
#include "ops/support/element_width.h"
#include "ops/support/shape_rules.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class Compress : public Operator {
 public:
  explicit Compress(AttributeReader& attributes) {
    if (attributes.has("axis")) axis_ = attributes.required_integer("axis");
  }

  OperatorTraits traits() const override { return {.data_dependent = true}; }

  void infer(InferContext& context) const override {
    if (!axis_) return context.set_shape(0, DimShape::of_rank(1));
    if (!context.shape(0).has_rank()) return;
    DimShape shape = context.shape(0);
    shape[ops::normalize_axis(*axis_, shape.rank())] = Dim::unknown();
    context.set_shape(0, shape);
  }

  void run(RunContext& context) const override {
    const TensorView input = context.input(0);
    const Shape flat = {input.elements()};
    const Shape& shape = axis_ ? input.shape : flat;
    const size_t axis = axis_ ? ops::normalize_axis(*axis_, shape.rank()) : 0;
    const ops::AxisView view(shape, axis);
    const auto condition = context.input(1).values<bool>();
    std::vector<int64_t> kept;
    for (size_t i = 0; i < condition.size(); ++i) {
      if (condition[i]) kept.push_back(static_cast<int64_t>(i));
    }
    if (!kept.empty() && kept.back() >= view.extent) {
      RunContext::fail("the condition is longer than the extent of " + std::to_string(view.extent));
    }
    Shape result = shape;
    result[axis] = static_cast<int64_t>(kept.size());
    ops::dispatch_width(input.dtype, [&]<class T>() {
      const T* src = static_cast<const T*>(input.data);
      T* dst = context.output<T>(0, input.dtype, result);
      for (int64_t outer = 0; outer < view.outer; ++outer) {
        for (const int64_t k : kept) dst = std::copy_n(src + (outer * view.extent + k) * view.inner, view.inner, dst);
      }
    });
  }

 private:
  std::optional<int64_t> axis_;
};

}  // namespace

void register_compress(OpRegistry& registry) {
  registry.add({.name = "Compress",
                .versions = {9, 11},
                .signature = "input:T, condition:bool -> output:T",
                .types = {{.name = "T", .tensors = kClassicTypes}},
                .create = make_operator<Compress>});
}

}  // namespace onnxrun
