// onnxrun.ConvGradient, of which the gradients of Conv are made (graph/gradient_rules.h), with the attributes of Conv:
// with `operand` 0 from (gradient, W, X) that of X, with `operand` 1 from (X, gradient, W) that of W. The last input
// gives shape and type alone. Sums are kept in double.
#include <algorithm>

#include "graph/registry.h"
#include "ops/support/conv_shape.h"
#include "ops/support/wide_operands.h"
#include "ops/support/window_taps.h"

namespace onnxrun {
namespace {

struct ConvGradientSums {
  ops::WindowTaps taps;
  int64_t images, group, channels, maps;  // channels and maps of one group

  // One map of the input's gradient: item = image * group * channels + channel.
  void run_input(const double* g, const double* w, double* dst, int64_t item) const {
    const int64_t image = item / (group * channels);
    const int64_t channel = item % (group * channels);
    const int64_t first = channel / channels * maps;
    double* map = dst + item * taps.inputs();
    std::fill_n(map, taps.inputs(), 0.0);
    for (int64_t position = 0; position < taps.outputs(); ++position) {
      const double* from = g + (image * group * maps + first) * taps.outputs() + position;
      for (const auto& [tap, input] : taps.at(position)) {
        const double* weights = w + (first * channels + channel % channels) * taps.count() + tap;
        double sum = 0;
        for (int64_t m = 0; m < maps; ++m) sum += from[m * taps.outputs()] * weights[m * channels * taps.count()];
        map[input] += sum;
      }
    }
  }

  // The gradient of the weights of one output map and channel of its group: item = map * channels + channel.
  void run_weights(const double* x, const double* g, double* dst, int64_t item) const {
    const int64_t map = item / channels;
    const int64_t channel = map / maps * channels + item % channels;
    double* weights = dst + item * taps.count();
    std::fill_n(weights, taps.count(), 0.0);
    for (int64_t position = 0; position < taps.outputs(); ++position) {
      for (const auto& [tap, input] : taps.at(position)) {
        for (int64_t image = 0; image < images; ++image) {
          weights[tap] += x[(image * group * channels + channel) * taps.inputs() + input] *
                          g[(image * group * maps + map) * taps.outputs() + position];
        }
      }
    }
  }
};

class ConvGradient : public Operator {
 public:
  explicit ConvGradient(AttributeReader& attributes)
      : convolution_(attributes), of_input_(attributes.required_integer("operand") == 0) {}

  void infer(InferContext& context) const override { context.set_type(0, context.type(2)); }

  void plan(PlanContext& context) const override {
    const Shape& x = context.input(of_input_ ? 2 : 0).shape;
    const Shape& g = context.input(of_input_ ? 0 : 1).shape;
    const Shape& w = context.input(of_input_ ? 1 : 2).shape;
    const int64_t group = convolution_.group();
    const ops::WindowTaps taps(convolution_.geometry(x, w), ops::spatial_extents(x), ops::spatial_extents(g));
    const ConvGradientSums sums{taps, x[0], group, w[1], w[0] / group};
    size_t shared = 0;
    const ops::WideOperands<double> operands(context, {0, 1}, shared);
    context.share(shared);
    operands.add_widening(context);
    const int64_t items = of_input_ ? x[0] * x[1] : w[0] * w[1];
    const double cost = static_cast<double>(taps.outputs()) * static_cast<double>(taps.count()) *
                        static_cast<double>(of_input_ ? sums.maps : x[0]);
    context.range(items, cost, [=, of_input = of_input_](const TileContext& tile, int64_t begin, int64_t end) {
      const auto run = of_input ? &ConvGradientSums::run_input : &ConvGradientSums::run_weights;
      for (int64_t item = begin; item < end; ++item) {
        (sums.*run)(operands.input(tile, 0), operands.input(tile, 1), operands.output(tile), item);
      }
    });
    operands.add_narrowing(context);
  }

 private:
  ops::ConvAttributes convolution_;
  bool of_input_;
};

}  // namespace

void register_conv_gradient(OpRegistry& registry) {
  registry.add({.domain = "onnxrun",
                .name = "ConvGradient",
                .versions = {1},
                .signature = "A:T, B:T, like:T -> Y:T",
                .types = {{.name = "T", .tensors = kFloats}},
                .create = make_operator<ConvGradient>});
}

}  // namespace onnxrun
