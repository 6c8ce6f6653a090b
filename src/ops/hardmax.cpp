// Hardmax: https://onnx.ai/onnx/operators/onnx__Hardmax.html, versions 1, 11 (over all axes from `axis` on), 13 (along
// `axis`). One at the first largest element, zero elsewhere; the first NaN counts as the largest, as in ArgMax.
#include <algorithm>
#include <type_traits>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/axis_view.h"
#include "ops/support/elementwise.h"
#include "ops/support/find_largest.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

template <class T>
int64_t first_largest(const T* src, int64_t step, int64_t n) {
  int64_t best = 0;
  for (int64_t k = 0; k < n; ++k) {
    if (src[k * step] != src[k * step]) return k;
    if (src[k * step] > src[best * step]) best = k;
  }
  return best;
}

class Hardmax : public Operator {
 public:
  explicit Hardmax(AttributeReader& attributes)
      : flattens_(attributes.version() < 13), axis_(attributes.integer("axis", flattens_ ? 1 : -1)) {}

  void infer(InferContext& context) const override {
    ops::infer_same(context);
    if (context.shape(0).has_rank()) axis_of(context.shape(0).rank());
  }

  void plan(PlanContext& context) const override {
    const Shape& shape = context.input(0).shape;
    const size_t axis = axis_of(shape.rank());
    const Shape flat = {shape.elements(0, axis), shape.elements(axis, shape.rank())};
    const ops::AxisView view = flattens_ ? ops::AxisView(flat, 1) : ops::AxisView(shape, axis);
    dispatch_dtype<FloatTypes>(context.input(0).dtype, [&]<class T>() {
      context.range(view.extent == 0 ? 0 : view.outer, static_cast<double>(view.extent * view.inner) * 1.5 + 5,
                    [view](const TileContext& tile, int64_t begin, int64_t end) {
                      for (int64_t outer = begin; outer < end; ++outer) {
                        const T* src = tile.input<T>(0) + outer * view.extent * view.inner;
                        T* dst = tile.output<T>(0) + outer * view.extent * view.inner;
                        std::fill_n(dst, view.extent * view.inner, T(0));
                        if constexpr (std::is_same_v<T, float>) {
                          if (view.inner == 1) {
                            dst[ops::find_largest(src, view.extent, false)] = 1;
                            continue;
                          }
                        }
                        for (int64_t inner = 0; inner < view.inner; ++inner) {
                          dst[first_largest(src + inner, view.inner, view.extent) * view.inner + inner] = T(1);
                        }
                      }
                    });
    });
  }

 private:
  // Flattening may begin behind the last axis.
  size_t axis_of(size_t rank) const {
    if (flattens_ && axis_ == static_cast<int64_t>(rank)) return rank;
    return ops::normalize_axis(axis_, rank);
  }

  bool flattens_;
  int64_t axis_;
};

}  // namespace

void register_hardmax(OpRegistry& registry) {
  registry.add({.name = "Hardmax",
                .versions = {1, 11},
                .signature = "input:T -> output:T",
                .types = {{.name = "T", .tensors = kIeeeFloats}},
                .create = make_operator<Hardmax>});
  registry.add({.name = "Hardmax",
                .versions = {13},
                .signature = "input:T -> output:T",
                .types = {{.name = "T", .tensors = kFloats}},
                .create = make_operator<Hardmax>});
}

}  // namespace onnxrun
