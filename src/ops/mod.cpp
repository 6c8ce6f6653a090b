// Mod: https://onnx.ai/onnx/operators/onnx__Mod.html, versions 10, 13. The result has the sign of the divisor; with
// fmod, which floats need, that of the dividend. An integer modulo zero is zero.
#include <cmath>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/binary_row.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

template <class T>
T remainder(T a, T b, bool like_dividend) {
  if (b == 0) return 0;
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return 0;
  }
  const T rest = static_cast<T>(a % b);
  const bool differs = rest != 0 && (rest < 0) != (b < 0);
  return !like_dividend && differs ? static_cast<T>(rest + b) : rest;
}

class Mod : public Operator {
 public:
  explicit Mod(AttributeReader& attributes) : fmod_(attributes.flag("fmod", false)) {}

  void infer(InferContext& context) const override {
    if (!fmod_ && kFloats.contains(context.dtype(0))) context.fail("fmod must be 1 for floats");
    context.set_shape(0, ops::broadcast(context.shape(0), context.shape(1)));
    if (fmod_) return;
    ops::propagate_content(context, [](const Dim& a, const Dim& b) {
      return b.is_number() && b.number() > 0 ? modulo(a, b) : Dim::unknown();
    });
  }

  void plan(PlanContext& context) const override {
    const DType row_type = ops::row_dtype(context.input(0).dtype);
    dispatch_dtype<IntegerTypes, float, double>(row_type, [&]<class T>() {
      ops::BinaryRow row;
      if constexpr (std::is_integral_v<T>) {
        row = ops::binary_row_of<T, T>([fmod = fmod_](T a, T b) { return remainder(a, b, fmod); });
      } else {
        row = ops::binary_row_of<T, T>([](T a, T b) { return std::fmod(a, b); });
      }
      ops::plan_broadcast(context, 0, 1, row_type, 5, row);
    });
  }

 private:
  bool fmod_;
};

}  // namespace

void register_mod(OpRegistry& registry) {
  registry.add({.name = "Mod",
                .versions = {10},
                .signature = "A:T, B:T -> C:T",
                .types = {{.name = "T", .tensors = kIntegers | kIeeeFloats}},
                .create = make_operator<Mod>});
  registry.add({.name = "Mod",
                .versions = {13},
                .signature = "A:T, B:T -> C:T",
                .types = {{.name = "T", .tensors = kNumbers}},
                .create = make_operator<Mod>});
}

}  // namespace onnxrun
