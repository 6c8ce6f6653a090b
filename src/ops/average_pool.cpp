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
    const std::vector<int64_t> counts = shared->window_sizes(count_padding_);
    std::vector<float> sizes(counts.size());
    for (size_t i = 0; i < sizes.size(); ++i) sizes[i] = static_cast<float>(std::max<int64_t>(1, counts[i]));
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
  // Over the rows of a window first, whole rows at a time, then along the row.
  template <class T>
  static void pool(const ops::Pooling& pooling, const std::vector<float>& sizes, const T* src, T* dst) {
    using Sum = std::conditional_t<std::is_same_v<T, double>, double, float>;
    const auto width = static_cast<size_t>(pooling.input.back());
    const auto columns = static_cast<size_t>(pooling.output.back());
    std::vector<Sum> row_sums(width), sums(columns);
    const float* size = sizes.data();
    for (int64_t row = 0; row < pooling.row_count(); ++row, dst += columns, size += columns) {
      std::fill(row_sums.begin(), row_sums.end(), Sum(0));
      for (const int64_t first : pooling.input_rows(row)) add(row_sums.data(), src + first, 1, width);
      std::fill(sums.begin(), sums.end(), Sum(0));
      for (const ops::Pooling::Tap& tap : pooling.columns) {
        add(sums.data() + tap.begin, row_sums.data() + tap.offset, tap.stride,
            static_cast<size_t>(tap.end - tap.begin));
      }
      for (size_t i = 0; i < columns; ++i) dst[i] = static_cast<T>(sums[i] / static_cast<Sum>(size[i]));
    }
  }

  template <class Sum, class T>
  static void add(Sum* sums, const T* src, int64_t stride, size_t count) {
    if constexpr (std::is_same_v<T, float>) {
      row_kernels().add_strided(sums, src, stride, count);
    } else {
      for (size_t i = 0; i < count; ++i) sums[i] += static_cast<Sum>(src[static_cast<int64_t>(i) * stride]);
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
