// Relu: https://onnx.ai/onnx/operators/onnx__Relu.html, versions 1, 6, 13, 14. NaN stays NaN, -0 stays -0.
#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/elementwise.h"

namespace onnxrun {
namespace {

class Relu : public Operator {
 public:
  explicit Relu(AttributeReader& attributes) { attributes.ignore("consumed_inputs"); }

  void infer(InferContext& context) const override { ops::infer_same(context); }

  void plan(PlanContext& context) const override {
    const DType dtype = context.input(0).dtype;
    if (kFloats.contains(dtype)) return ops::plan_float_unary(context, 0.1, UnaryKind::relu);
    dispatch_dtype<IntegerTypes>(dtype, [&]<class T>() {
      ops::plan_unary(context, 0.1, [](const void* src, void* dst, size_t n) {
        const T* from = static_cast<const T*>(src);
        T* to = static_cast<T*>(dst);
        for (size_t i = 0; i < n; ++i) to[i] = from[i] < T(0) ? T(0) : from[i];
      });
    });
  }
};

}  // namespace

void register_relu(OpRegistry& registry) {
  registry.add({.name = "Relu",
                .versions = {1, 6},
                .signature = "X:T -> Y:T",
                .types = {{.name = "T", .tensors = kIeeeFloats}},
                .create = make_operator<Relu>});
  registry.add({.name = "Relu",
                .versions = {13},
                .signature = "X:T -> Y:T",
                .types = {{.name = "T", .tensors = kFloats}},
                .create = make_operator<Relu>});
  registry.add({.name = "Relu",
                .versions = {14},
                .signature = "X:T -> Y:T",
                .types = {{.name = "T", .tensors = kFloats | kSignedIntegers}},
                .create = make_operator<Relu>});
}

}  // namespace onnxrun
