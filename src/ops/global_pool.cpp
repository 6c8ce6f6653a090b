// GlobalAveragePool and GlobalMaxPool (versions 1, 22): https://onnx.ai/onnx/operators/. Float32 sums by vector chains.
#include <limits>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "kernels/row/row.h"

namespace onnxrun {
namespace {

struct Average {
  static float rows(const float* src, size_t n) { return row_kernels().sum(src, n) / static_cast<float>(n); }
  template <class T>
  static T any(const T* src, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(src[i]);
    return static_cast<T>(sum / static_cast<double>(n));
  }
};
struct Maximum {
  static float rows(const float* src, size_t n) { return row_kernels().max(src, n); }
  template <class T>
  static T any(const T* src, int64_t n) {
    T best = static_cast<T>(-std::numeric_limits<float>::infinity());
    for (int64_t i = 0; i < n; ++i) {
      if (src[i] > best || src[i] != src[i]) best = src[i];
    }
    return best;
  }
};

template <class F>
class GlobalPool : public Operator {
 public:
  explicit GlobalPool(AttributeReader& /*attributes*/) {}

  void infer(InferContext& context) const override {
    const DimShape& x = context.shape(0);
    if (!x.has_rank()) return;
    if (x.rank() < 2) context.fail("a pool takes [N, C, ...], the input has rank " + std::to_string(x.rank()));
    DimShape shape = x;
    for (size_t axis = 2; axis < x.rank(); ++axis) shape[axis] = 1;
    context.set_shape(0, std::move(shape));
  }

  void plan(PlanContext& context) const override {
    const Shape& x = context.input(0).shape;
    const int64_t size = x.elements(2, x.rank());
    dispatch_dtype<FloatTypes>(context.input(0).dtype, [&]<class T>() {
      context.range(x[0] * x[1], static_cast<double>(size) * 0.2 + 5,
                    [=](const TileContext& tile, int64_t begin, int64_t end) {
                      for (int64_t map = begin; map < end; ++map) {
                        const T* src = tile.input<T>(0) + map * size;
                        if constexpr (std::is_same_v<T, float>) {
                          tile.output<T>(0)[map] = F::rows(src, static_cast<size_t>(size));
                        } else {
                          tile.output<T>(0)[map] = F::any(src, size);
                        }
                      }
                    });
    });
  }
};

template <class F>
void add(OpRegistry& registry, std::string_view name) {
  const std::pair<int64_t, DTypeSet> versions[] = {{1, kIeeeFloats}, {22, kFloats}};
  for (const auto& [version, types] : versions) {
    registry.add({.name = name,
                  .versions = {version},
                  .signature = "X:T -> Y:T",
                  .types = {{.name = "T", .tensors = types}},
                  .create = make_operator<GlobalPool<F>>});
  }
}

}  // namespace

void register_global_pool(OpRegistry& registry) {
  add<Average>(registry, "GlobalAveragePool");
  add<Maximum>(registry, "GlobalMaxPool");
}

}  // namespace onnxrun
