// onnxrun.AveragePoolGradient, the gradient of AveragePool's input from (gradient, X), with the attributes of
// AveragePool (graph/gradient_rules.h). X gives shape and type alone. Sums are kept in double.
#include <algorithm>

#include "graph/registry.h"
#include "ops/support/pooling.h"
#include "ops/support/wide_operands.h"

namespace onnxrun {
namespace {

class AveragePoolGradient : public Operator {
 public:
  explicit AveragePoolGradient(AttributeReader& attributes)
      : window_(attributes, true), counts_padding_(attributes.flag("count_include_pad", false)) {}

  void infer(InferContext& context) const override { context.set_type(0, context.type(1)); }

  void plan(PlanContext& context) const override {
    const Shape& x = context.input(1).shape;
    const auto pooling =
        ops::make_pooling(window_, ops::spatial_extents(x), ops::spatial_extents(context.input(0).shape));
    size_t shared = 0;
    const ops::WideOperands<double> operands(context, {0}, shared);
    context.share(shared);
    operands.add_widening(context);
    context.range(
        x[0] * x[1], static_cast<double>(pooling->input_size()) * 5,
        [=, sizes = pooling->window_sizes(counts_padding_)](const TileContext& tile, int64_t begin, int64_t end) {
          for (int64_t map = begin; map < end; ++map) {
            spread(*pooling, sizes, operands.input(tile, 0) + map * pooling->output_size(),
                   operands.output(tile) + map * pooling->input_size());
          }
        });
    operands.add_narrowing(context);
  }

 private:
  // Adds each element of `src` divided by its window's size to the elements that the window covers.
  static void spread(const ops::Pooling& pooling, const std::vector<int64_t>& sizes, const double* src, double* dst) {
    std::fill_n(dst, pooling.input_size(), 0.0);
    const int64_t width = pooling.output.back();
    for (int64_t row = 0; row < pooling.row_count(); ++row) {
      for (const ops::Pooling::Tap& tap : pooling.taps(row)) {
        for (int64_t column = tap.begin; column < tap.end; ++column) {
          const int64_t i = row * width + column;
          dst[tap.offset + (column - tap.begin) * tap.stride] +=
              src[i] / static_cast<double>(sizes[static_cast<size_t>(i)]);
        }
      }
    }
  }

  ops::WindowAttributes window_;
  bool counts_padding_;
};

}  // namespace

void register_average_pool_gradient(OpRegistry& registry) {
  registry.add({.domain = "onnxrun",
                .name = "AveragePoolGradient",
                .versions = {1},
                .signature = "A:T, like:T -> Y:T",
                .types = {{.name = "T", .tensors = kFloats}},
                .create = make_operator<AveragePoolGradient>});
}

}  // namespace onnxrun
