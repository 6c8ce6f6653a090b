// And, Or, Xor (versions 1, 7), BitwiseAnd, BitwiseOr, BitwiseXor (18): https://onnx.ai/onnx/operators/. Bools are
// bytes 0 and 1, so that both families are the same functions of bits.
#include "graph/registry.h"
#include "ops/support/binary_row.h"
#include "ops/support/element_width.h"
#include "ops/support/legacy_broadcast.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

template <class F>
class Bitwise : public Operator {
 public:
  explicit Bitwise(AttributeReader& attributes) : broadcast_(attributes) {}

  void infer(InferContext& context) const override {
    context.set_shape(0, broadcast_.infer(context.shape(0), context.shape(1)));
    ops::propagate_content(context, [](const Dim& a, const Dim& b) {
      return a.is_number() && b.is_number() ? Dim(F()(a.number(), b.number())) : Dim::unknown();
    });
  }

  void plan(PlanContext& context) const override {
    const TensorType& a = context.input(0);
    const Shape second = broadcast_.second(a.shape, context.input(1).shape);
    ops::dispatch_width(a.dtype, [&]<class T>() {
      if constexpr (std::is_unsigned_v<T>) {
        const auto row = ops::binary_row_of<T, T>([](T x, T y) { return static_cast<T>(F()(x, y)); });
        ops::plan_broadcast_as(context, 0, 1, second, a.dtype, 0.2, row);
      }
    });
  }

 private:
  ops::BinaryBroadcast broadcast_;
};

template <class F>
void add(OpRegistry& registry, std::string_view logical, std::string_view bitwise) {
  registry.add({.name = logical,
                .versions = {1, 7},
                .signature = "A:T, B:T -> C:T",
                .types = {{.name = "T", .tensors = {DType::boolean}}},
                .create = make_operator<Bitwise<F>>});
  registry.add({.name = bitwise,
                .versions = {18},
                .signature = "A:T, B:T -> C:T",
                .types = {{.name = "T", .tensors = kIntegers}},
                .create = make_operator<Bitwise<F>>});
}

}  // namespace

void register_logical(OpRegistry& registry) {
  add<std::bit_and<>>(registry, "And", "BitwiseAnd");
  add<std::bit_or<>>(registry, "Or", "BitwiseOr");
  add<std::bit_xor<>>(registry, "Xor", "BitwiseXor");
}

}  // namespace onnxrun
