// Shrink: https://onnx.ai/onnx/operators/onnx__Shrink.html, version 9. NaN becomes 0. Sums of integers and a fraction
// are cut towards zero, and saturate.
#include <limits>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/elementwise.h"

namespace onnxrun {
namespace {

template <class T>
T shrink(T x, T lambd, T bias) {
  return x < -lambd ? x + bias : x > lambd ? x - bias : T(0);
}

template <class T>
T saturate(long double value) {
  if (value <= static_cast<long double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  if (value >= static_cast<long double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
  return static_cast<T>(value);
}

class Shrink : public Operator {
 public:
  explicit Shrink(AttributeReader& attributes)
      : bias_(attributes.number("bias", 0)), lambd_(attributes.number("lambd", 0.5F)) {}

  void infer(InferContext& context) const override { ops::infer_same(context); }

  void plan(PlanContext& context) const override {
    const DType dtype = context.input(0).dtype;
    const float lambd = lambd_;
    const float bias = bias_;
    if (kFloats.contains(dtype)) {
      return ops::plan_float_unary(
          context, 0.3,
          [=](const float* src, float* dst, size_t n) {
            for (size_t i = 0; i < n; ++i) dst[i] = shrink(src[i], lambd, bias);
          },
          [=](const double* src, double* dst, size_t n) {
            for (size_t i = 0; i < n; ++i) dst[i] = shrink<double>(src[i], lambd, bias);
          });
    }
    dispatch_dtype<IntegerTypes>(dtype, [&]<class T>() {
      ops::plan_unary(context, 3, [=](const void* src, void* dst, size_t n) {
        for (size_t i = 0; i < n; ++i) {
          const auto x = static_cast<long double>(static_cast<const T*>(src)[i]);
          static_cast<T*>(dst)[i] = saturate<T>(shrink<long double>(x, lambd, bias));
        }
      });
    });
  }

 private:
  float bias_;
  float lambd_;
};

}  // namespace

void register_shrink(OpRegistry& registry) {
  registry.add({.name = "Shrink",
                .versions = {9},
                .signature = "input:T -> output:T",
                .types = {{.name = "T", .tensors = kIntegers | kIeeeFloats}},
                .create = make_operator<Shrink>});
}

}  // namespace onnxrun
