// AveragePool: https://onnx.ai/onnx/operators/onnx__AveragePool.html, versions 1, 7 (count_include_pad), 10
// (ceil_mode), 11, 19 (dilations), 22. Sums in float32 (float64 for float64).
#include <algorithm>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
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
    const ops::WindowJoin mean = ops::WindowJoin::mean(*shared, count_padding_);
    if (context.input(0).dtype == DType::float32) return ops::plan_windows(context, shared, mean);
    const double cost = static_cast<double>(shared->output_size()) * 3;
    context.scratch(static_cast<size_t>(shared->input.back() + shared->output.back()) * sizeof(double));
    dispatch_dtype<double, Half, BFloat16>(context.input(0).dtype, [&]<class T>() {
      context.range(x[0] * x[1], cost, [=, sizes = mean.divisors](const TileContext& tile, int64_t begin, int64_t end) {
        const ops::Pooling& pooling = *shared;
        for (int64_t map = begin; map < end; ++map) {
          pool(pooling, sizes, tile.input<T>(0) + map * pooling.input_size(),
               tile.output<T>(0) + map * pooling.output_size(), tile.scratch);
        }
      });
    });
  }

 private:
  // The sums of rows first, then along the row: [width] and [columns] in the scratch memory.
  template <class T>
  static void pool(const ops::Pooling& pooling, const std::vector<float>& sizes, const T* src, T* dst,
                   std::byte* scratch) {
    using Sum = std::conditional_t<std::is_same_v<T, double>, double, float>;
    const int64_t width = pooling.input.back();
    const int64_t columns = pooling.output.back();
    auto* row_sums = reinterpret_cast<Sum*>(scratch);
    Sum* sums = row_sums + width;
    const float* size = sizes.data();
    for (int64_t row = 0; row < pooling.row_count(); ++row, dst += columns, size += columns) {
      std::fill_n(row_sums, width, Sum(0));
      for (const int64_t first : pooling.input_rows(row)) {
        for (int64_t i = 0; i < width; ++i) row_sums[i] += static_cast<Sum>(src[first + i]);
      }
      std::fill_n(sums, columns, Sum(0));
      for (const ops::Pooling::Tap& tap : pooling.columns) {
        for (int64_t i = tap.begin; i < tap.end; ++i) sums[i] += row_sums[tap.offset + (i - tap.begin) * tap.stride];
      }
      for (int64_t i = 0; i < columns; ++i) dst[i] = static_cast<T>(sums[i] / static_cast<Sum>(size[i]));
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
