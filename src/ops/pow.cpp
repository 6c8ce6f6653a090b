// Pow: https://onnx.ai/onnx/operators/onnx__Pow.html, versions 1 (broadcast attributes), 7, 12, 13, 15. The result has
// the base's element type; the exponent may have another one. Integers to integers are exact, modulo their width.
#include <cmath>
#include <type_traits>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/elementwise.h"
#include "ops/support/legacy_broadcast.h"

namespace onnxrun {
namespace {

template <class T>
T integer_power(T base, int64_t exponent) {
  using Wide = std::make_unsigned_t<T>;
  if (exponent < 0) return base == T(1) ? T(1) : base == T(-1) ? static_cast<T>(exponent % 2 == 0 ? 1 : -1) : T(0);
  uint64_t result = 1;
  uint64_t square = static_cast<Wide>(base);
  for (auto rest = static_cast<uint64_t>(exponent); rest > 0; rest /= 2) {
    if (rest % 2 == 1) result *= square;
    square *= square;
  }
  return static_cast<T>(result);
}

template <class T, class E>
T power(T base, E exponent) {
  if constexpr (std::is_integral_v<T> && std::is_integral_v<E>) {
    return integer_power(base, static_cast<int64_t>(exponent));
  } else if constexpr (std::is_same_v<T, float> && !std::is_same_v<E, double>) {
    if (exponent == E(2)) return base * base;
    return std::pow(base, static_cast<float>(exponent));
  } else {
    const double value = std::pow(static_cast<double>(base), static_cast<double>(exponent));
    if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(static_cast<int64_t>(value));
    } else {
      return static_cast<T>(value);
    }
  }
}

class Pow : public Operator {
 public:
  explicit Pow(AttributeReader& attributes) : broadcast_(attributes) {}

  void infer(InferContext& context) const override {
    context.set_shape(0, broadcast_.infer(context.shape(0), context.shape(1)));
  }

  void plan(PlanContext& context) const override {
    const TensorType& base = context.input(0);
    const DType exponent_type = context.input(1).dtype;
    const Shape exponent_shape = broadcast_.second(base.shape, context.input(1).shape);
    dispatch_dtype<FloatTypes, int32_t, int64_t>(base.dtype, [&]<class T>() {
      dispatch_dtype<NumberTypes>(exponent_type, [&]<class E>() {
        ops::plan_broadcast_as(
            context, 0, 1, exponent_shape, base.dtype, 10,
            [](const void* a, ptrdiff_t a_step, const void* b, ptrdiff_t b_step, void* out, size_t n) {
              if constexpr (std::is_floating_point_v<T>) {
                if (a_step == 1 && b_step == 0 && *static_cast<const E*>(b) == E(2)) {
                  const T* x = static_cast<const T*>(a);
                  for (size_t i = 0; i < n; ++i) static_cast<T*>(out)[i] = x[i] * x[i];
                  return;
                }
              }
              for (size_t i = 0; i < n; ++i) {
                const auto at = static_cast<ptrdiff_t>(i);
                static_cast<T*>(out)[i] =
                    power(static_cast<const T*>(a)[at * a_step], static_cast<const E*>(b)[at * b_step]);
              }
            });
      });
    });
  }

 private:
  ops::BinaryBroadcast broadcast_;
};

}  // namespace

void register_pow(OpRegistry& registry) {
  const DTypeSet wide = {DType::int32, DType::int64};
  registry.add({.name = "Pow",
                .versions = {1, 7},
                .signature = "X:T, Y:T -> Z:T",
                .types = {{.name = "T", .tensors = kIeeeFloats}},
                .create = make_operator<Pow>});
  registry.add(
      {.name = "Pow",
       .versions = {12},
       .signature = "X:T, Y:T1 -> Z:T",
       .types = {{.name = "T", .tensors = kIeeeFloats | wide}, {.name = "T1", .tensors = kIeeeFloats | kIntegers}},
       .create = make_operator<Pow>});
  registry.add({.name = "Pow",
                .versions = {13, 15},
                .signature = "X:T, Y:T1 -> Z:T",
                .types = {{.name = "T", .tensors = kFloats | wide}, {.name = "T1", .tensors = kNumbers}},
                .create = make_operator<Pow>});
}

}  // namespace onnxrun
