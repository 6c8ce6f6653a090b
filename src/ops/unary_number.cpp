// Elementwise functions of one operand of any number type: Abs (1, 6, 13), Neg (1, 6, 13), Sign (9, 13), Erf (9, 13):
// https://onnx.ai/onnx/operators/. Integers wrap around: the absolute value and the negative of the smallest are
// itself.
#include <algorithm>
#include <cmath>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/elementwise.h"

namespace onnxrun {
namespace {

struct Abs {
  static constexpr UnaryKind kKind = UnaryKind::abs;
  template <class T>
  static T apply(T x) {
    return x < T(0) ? static_cast<T>(uint64_t{0} - static_cast<uint64_t>(x)) : x;
  }
};
struct Neg {
  static constexpr UnaryKind kKind = UnaryKind::neg;
  template <class T>
  static T apply(T x) {
    return static_cast<T>(uint64_t{0} - static_cast<uint64_t>(x));
  }
};
struct Sign {
  static constexpr UnaryKind kKind = UnaryKind::sign;
  template <class T>
  static T apply(T x) {
    return static_cast<T>((x > T(0)) - (x < T(0)));
  }
};
struct Erf {
  static constexpr UnaryKind kKind = UnaryKind::erf;
  template <class T>
  static T apply(T x) {
    return static_cast<T>(std::erf(static_cast<double>(x)));
  }
};

template <class F>
class UnaryNumber : public Operator {
 public:
  explicit UnaryNumber(AttributeReader& attributes) { attributes.ignore("consumed_inputs"); }

  void infer(InferContext& context) const override { ops::infer_same(context); }

  void plan(PlanContext& context) const override {
    const DType dtype = context.input(0).dtype;
    if (kFloats.contains(dtype)) return ops::plan_float_unary(context, 0.2, F::kKind);
    dispatch_dtype<IntegerTypes>(dtype, [&]<class T>() {
      ops::plan_unary(context, 0.2, [](const void* src, void* dst, size_t n) {
        std::transform(static_cast<const T*>(src), static_cast<const T*>(src) + n, static_cast<T*>(dst),
                       F::template apply<T>);
      });
    });
  }
};

template <class F>
void add(OpRegistry& registry, std::string_view name, const std::vector<int64_t>& versions, DTypeSet types) {
  registry.add({.name = name,
                .versions = versions,
                .signature = "X:T -> Y:T",
                .types = {{.name = "T", .tensors = types}},
                .create = make_operator<UnaryNumber<F>>});
}

}  // namespace

void register_unary_number(OpRegistry& registry) {
  const DTypeSet negatable = kFloats | kSignedIntegers;
  add<Abs>(registry, "Abs", {1}, kIeeeFloats);
  add<Abs>(registry, "Abs", {6}, kIeeeFloats | kIntegers);
  add<Abs>(registry, "Abs", {13}, kNumbers);
  add<Neg>(registry, "Neg", {1}, kIeeeFloats);
  add<Neg>(registry, "Neg", {6}, negatable - DTypeSet{DType::bfloat16});
  add<Neg>(registry, "Neg", {13}, negatable);
  add<Sign>(registry, "Sign", {9}, kIeeeFloats | kIntegers);
  add<Sign>(registry, "Sign", {13}, kNumbers);
  add<Erf>(registry, "Erf", {9}, kIeeeFloats | kIntegers);
  add<Erf>(registry, "Erf", {13}, kNumbers);
}

}  // namespace onnxrun
