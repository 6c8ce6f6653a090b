// Clip: https://onnx.ai/onnx/operators/onnx__Clip.html, versions 1, 6 (bounds as attributes), 11 (as inputs), 12, 13.
// NaN stays NaN; where the bounds cross, everything is the upper one.
#include <limits>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/elementwise.h"

namespace onnxrun {
namespace {

template <class T>
void clip(const T* src, T* dst, int64_t n, T lower, T upper) {
  for (int64_t i = 0; i < n; ++i) {
    const T raised = src[i] < lower ? lower : src[i];
    dst[i] = upper < raised ? upper : raised;
  }
}

// The widest bounds of a type.
template <class T>
T lowest() {
  if constexpr (std::is_integral_v<T>) return std::numeric_limits<T>::min();
  if constexpr (!std::is_integral_v<T>) return T(-std::numeric_limits<float>::infinity());
}
template <class T>
T highest() {
  if constexpr (std::is_integral_v<T>) return std::numeric_limits<T>::max();
  if constexpr (!std::is_integral_v<T>) return T(std::numeric_limits<float>::infinity());
}

class Clip : public Operator {
 public:
  explicit Clip(AttributeReader& attributes) {
    if (attributes.version() >= 11) return;
    if (attributes.version() == 1) attributes.ignore("consumed_inputs");
    const float most =
        attributes.version() == 1 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::max();
    min_ = attributes.number("min", -most);
    max_ = attributes.number("max", most);
  }

  void infer(InferContext& context) const override {
    ops::infer_same(context);
    for (size_t i = 1; i < 3; ++i) {
      if (!context.has_input(i)) continue;
      const Dim elements = context.shape(i).elements();
      if (elements.is_number() && !elements.is(1)) context.fail("min and max must have one element");
    }
  }

  void plan(PlanContext& context) const override {
    dispatch_dtype<NumberTypes>(context.input(0).dtype, [&]<class T>() {
      T lower = lowest<T>();
      T upper = highest<T>();
      if constexpr (!std::is_integral_v<T>) {
        if (min_) lower = T(*min_);
        if (max_) upper = T(*max_);
      }
      const bool has_lower = context.has_input(1);
      const bool has_upper = context.has_input(2);
      context.in_place(0, 0);
      context.range(context.output(0).elements(), sizeof(T) == 2 ? 2 : 0.2,
                    [=](const TileContext& tile, int64_t begin, int64_t end) {
                      clip(tile.input<T>(0) + begin, tile.output<T>(0) + begin, end - begin,
                           has_lower ? *tile.input<T>(1) : lower, has_upper ? *tile.input<T>(2) : upper);
                    });
    });
  }

 private:
  std::optional<float> min_;
  std::optional<float> max_;
};

}  // namespace

void register_clip(OpRegistry& registry) {
  registry.add({.name = "Clip",
                .versions = {1, 6},
                .signature = "input:T -> output:T",
                .types = {{.name = "T", .tensors = kIeeeFloats}},
                .create = make_operator<Clip>});
  const std::pair<int64_t, DTypeSet> groups[] = {{11, kIeeeFloats}, {12, kIntegers | kIeeeFloats}, {13, kNumbers}};
  for (const auto& [version, types] : groups) {
    registry.add({.name = "Clip",
                  .versions = {version},
                  .signature = "input:T, min:T?, max:T? -> output:T",
                  .types = {{.name = "T", .tensors = types}},
                  .create = make_operator<Clip>});
  }
}

}  // namespace onnxrun
