// Not (version 1), BitwiseNot (18): https://onnx.ai/onnx/operators/onnx__Not.html.
#include "graph/registry.h"
#include "ops/support/element_width.h"
#include "ops/support/elementwise.h"

namespace onnxrun {
namespace {

// Flips every bit of an integer, the lowest one of a bool.
class Not : public Operator {
 public:
  explicit Not(AttributeReader& /*attributes*/) {}

  void infer(InferContext& context) const override {
    ops::infer_same(context);
    const Content* elements = context.content(0);
    if (!elements || context.dtype(0) != DType::boolean) return;
    Content flipped;
    for (const Dim& element : *elements) flipped.push_back(Dim(1) - element);
    context.set_content(0, std::move(flipped));
  }

  void plan(PlanContext& context) const override {
    const DType dtype = context.input(0).dtype;
    ops::dispatch_width(dtype, [&]<class T>() {
      if constexpr (std::is_unsigned_v<T>) {
        const T mask = dtype == DType::boolean ? T(1) : static_cast<T>(~T(0));
        ops::plan_unary(context, 0.2, [mask](const void* src, void* dst, size_t n) {
          const T* from = static_cast<const T*>(src);
          T* to = static_cast<T*>(dst);
          for (size_t i = 0; i < n; ++i) to[i] = static_cast<T>(from[i] ^ mask);
        });
      }
    });
  }
};

}  // namespace

void register_not(OpRegistry& registry) {
  registry.add({.name = "Not",
                .versions = {1},
                .signature = "X:T -> Y:T",
                .types = {{.name = "T", .tensors = {DType::boolean}}},
                .create = make_operator<Not>});
  registry.add({.name = "BitwiseNot",
                .versions = {18},
                .signature = "X:T -> Y:T",
                .types = {{.name = "T", .tensors = kIntegers}},
                .create = make_operator<Not>});
}

}  // namespace onnxrun
