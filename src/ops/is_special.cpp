// IsNaN (versions 9, 13, 20), IsInf (10, 20): https://onnx.ai/onnx/operators/onnx__IsNaN.html.
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "base/dispatch_dtype.h"
#include "base/narrow_float.h"
#include "graph/registry.h"
#include "ops/support/elementwise.h"

namespace onnxrun {
namespace {

// Plans bool output = test(number) of every element of a float type, as a float or a double.
template <class Test>
void plan_test(PlanContext& context, const Test& test) {
  const DType dtype = context.input(0).dtype;
  if (kFloat8.contains(dtype)) {
    std::vector<bool> answers;
    answers.reserve(256);
    for (int bits = 0; bits < 256; ++bits) {
      answers.push_back(test(static_cast<double>(decode_narrow(dtype, static_cast<uint8_t>(bits)))));
    }
    return ops::plan_unary(context, 0.5, [answers](const void* src, void* dst, size_t n) {
      for (size_t i = 0; i < n; ++i) static_cast<bool*>(dst)[i] = answers[static_cast<const uint8_t*>(src)[i]];
    });
  }
  dispatch_dtype<FloatTypes>(dtype, [&]<class T>() {
    ops::plan_unary(context, 0.5, [test](const void* src, void* dst, size_t n) {
      using Number = std::conditional_t<std::is_same_v<T, double>, double, float>;
      const T* from = static_cast<const T*>(src);
      auto* to = static_cast<uint8_t*>(dst);
      for (size_t i = 0; i < n; ++i) to[i] = test(static_cast<Number>(from[i])) ? 1 : 0;
    });
  });
}

class IsNaN : public Operator {
 public:
  explicit IsNaN(AttributeReader& /*attributes*/) {}

  void infer(InferContext& context) const override { context.set_shape(0, context.shape(0)); }

  void plan(PlanContext& context) const override {
    plan_test(context, [](auto value) { return value != value; });
  }
};

class IsInf : public Operator {
 public:
  explicit IsInf(AttributeReader& attributes)
      : negative_(attributes.flag("detect_negative", true)), positive_(attributes.flag("detect_positive", true)) {}

  void infer(InferContext& context) const override { context.set_shape(0, context.shape(0)); }

  void plan(PlanContext& context) const override {
    plan_test(context, [negative = negative_, positive = positive_](auto value) {
      constexpr auto kInfinity = std::numeric_limits<decltype(value)>::infinity();
      return (negative & (value == -kInfinity)) | (positive & (value == kInfinity));
    });
  }

 private:
  bool negative_;
  bool positive_;
};

void add(OpRegistry& registry, std::string_view name, int64_t version, DTypeSet types, OperatorFactory create) {
  registry.add({.name = name,
                .versions = {version},
                .signature = "X:T1 -> Y:bool",
                .types = {{.name = "T1", .tensors = types}},
                .create = create});
}

}  // namespace

void register_is_special(OpRegistry& registry) {
  add(registry, "IsNaN", 9, kIeeeFloats, make_operator<IsNaN>);
  add(registry, "IsNaN", 13, kFloats, make_operator<IsNaN>);
  add(registry, "IsNaN", 20, kFloats | kFloat8, make_operator<IsNaN>);
  add(registry, "IsInf", 10, {DType::float32, DType::float64}, make_operator<IsInf>);
  add(registry, "IsInf", 20, kFloats | kFloat8, make_operator<IsInf>);
}

}  // namespace onnxrun
