// AveragePool: https://onnx.ai/onnx/operators/onnx__AveragePool.html, versions 1, 7 (count_include_pad), 10
// (ceil_mode), 11, 19 (dilations), 22. Sums in float32 (float64 for float64).
#include <algorithm>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "kernels/row/row.h"
#include "ops/support/elementwise.h"
#include "ops/support/pooling.h"

namespace onnxrun {
namespace {

class AveragePool : public Operator {
 public:
  explicit AveragePool(AttributeReader& attributes)
      : window_(attributes, true), count_padding_(attributes.flag("count_include_pad", false)) {}

  void infer(InferContext& context) const override { ops::infer_pool(context, window_); }

  void plan(PlanContext& context) const override {
    const auto shared = ops::make_pooling(context, window_);
    const Shape& x = context.input(0).shape;
    const std::vector<int64_t> sizes = shared->window_sizes(count_padding_);
    const double cost = static_cast<double>(shared->output_size()) * 3;
    dispatch_dtype<FloatTypes>(context.input(0).dtype, [&]<class T>() {
      context.range(x[0] * x[1], cost, [=](const TileContext& tile, int64_t begin, int64_t end) {
        const ops::Pooling& pooling = *shared;
        for (int64_t map = begin; map < end; ++map) {
          pool(pooling, sizes, tile.input<T>(0) + map * pooling.input_size(),
               tile.output<T>(0) + map * pooling.output_size());
        }
      });
    });
  }

 private:
  template <class T>
  static void pool(const ops::Pooling& pooling, const std::vector<int64_t>& sizes, const T* src, T* dst) {
    using Sum = std::conditional_t<std::is_same_v<T, double>, double, float>;
    const size_t last = pooling.output.size() - 1;
    std::vector<Sum> sums(static_cast<size_t>(pooling.output[last]));
    for (int64_t row = 0; row < pooling.row_count(); ++row) {
      std::fill(sums.begin(), sums.end(), Sum(0));
      for (const ops::Pooling::Tap& tap : pooling.taps(row)) {
        const auto count = static_cast<size_t>(tap.end - tap.begin);
        Sum* out = sums.data() + tap.begin;
        if constexpr (std::is_same_v<T, float>) {
          row_kernels().add_strided(out, src + tap.offset, tap.stride, count);
        } else {
          for (size_t i = 0; i < count; ++i) {
            out[i] += static_cast<Sum>(src[tap.offset + static_cast<int64_t>(i) * tap.stride]);
          }
        }
      }
      T* out = dst + row * pooling.output[last];
      for (size_t i = 0; i < sums.size(); ++i) {
        const int64_t count = sizes[static_cast<size_t>(row) * sums.size() + i];
        out[i] = static_cast<T>(count > 0 ? sums[i] / static_cast<Sum>(count) : Sum(0));
      }
    }
  }

  ops::WindowAttributes window_;
  bool count_padding_;
};

}  // namespace

void register_average_pool(OpRegistry& registry) {
  registry.add({.name = "AveragePool",
                .versions = {1, 7, 10, 11, 19},
                .signature = "X:T -> Y:T",
                .types = {{.name = "T", .tensors = kIeeeFloats}},
                .create = make_operator<AveragePool>});
  registry.add({.name = "AveragePool",
                .versions = {22},
                .signature = "X:T -> Y:T",
                .types = {{.name = "T", .tensors = kFloats}},
                .create = make_operator<AveragePool>});
}

}  // namespace onnxrun
