// BatchNormalization: https://onnx.ai/onnx/operators/onnx__BatchNormalization.html, versions 1, 6, 7, 9 (is_test,
// spatial), 14, 15 (training_mode). Inference is y = x * a + b with a = scale / sqrt(var + epsilon) in float64.
#include <cmath>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "kernels/row/row.h"
#include "onnxrun/error.h"
#include "ops/support/elementwise.h"

namespace onnxrun {
namespace {

class BatchNormalization : public Operator {
 public:
  explicit BatchNormalization(AttributeReader& attributes)
      : version_(attributes.version()),
        epsilon_(attributes.number("epsilon", 1e-5F)),
        momentum_(attributes.number("momentum", 0.9F)) {
    attributes.ignore("consumed_inputs");
    // Models of these versions are run for inference, whatever is_test says: PyTorch left it out.
    if (version_ < 7) attributes.ignore("is_test");
    if (version_ < 9) spatial_ = attributes.flag("spatial", true);
    if (version_ >= 14) training_ = attributes.flag("training_mode", false);
  }

  void infer(InferContext& context) const override {
    context.set_type(0, context.type(0));
    const DimShape& x = context.shape(0);
    if (x.has_rank() && x.rank() < 2 && !(version_ >= 9 && x.rank() == 1)) {
      context.fail("the input must be [N, C, ...], its rank is " + std::to_string(x.rank()));
    }
    for (size_t i = 1; i < 5 && x.has_rank() && x.rank() > 1 && spatial_; ++i) {
      const DimShape& statistic = context.shape(i);
      const bool fits =
          !statistic.has_rank() ||
          (statistic.rank() == 1 && (!statistic[0].is_number() || !x[1].is_number() || statistic[0] == x[1]));
      if (!fits)
        context.fail("input " + std::to_string(i) + " must have one element for each of " + x[1].to_string() +
                     " channels");
    }
    for (size_t j = 1; j < context.output_count(); ++j) context.set_output(j, context.dtype(3), context.shape(3));
  }

  void plan(PlanContext& context) const override {
    const Shape& x = context.input(0).shape;
    const int64_t outer = x.rank() > 0 ? x[0] : 1;
    const int64_t channels = spatial_ ? (x.rank() > 1 ? x[1] : 1) : x.elements(1, x.rank());
    const int64_t inner = spatial_ && x.rank() > 2 ? x.elements(2, x.rank()) : 1;
    context.share(static_cast<size_t>(2 * channels) * sizeof(double));
    dispatch_dtype<FloatTypes>(context.input(0).dtype, [&]<class T>() {
      using Factor = std::conditional_t<std::is_same_v<T, float>, float, double>;
      const auto read = [](const TileContext& tile, size_t i, DType dtype, int64_t at) {
        double value = 0;
        dispatch_dtype<FloatTypes>(dtype, [&]<class S>() { value = static_cast<double>(tile.input<S>(i)[at]); });
        return value;
      };
      const DType scale_type = context.input(1).dtype;
      const DType mean_type = context.input(3).dtype;
      const bool wants[] = {context.wants(1), context.wants(2)};
      context.range(
          channels, training_ ? static_cast<double>(outer * inner) * 3 : 20,
          [=, this](const TileContext& tile, int64_t begin, int64_t end) {
            auto* scale = reinterpret_cast<Factor*>(tile.shared);
            Factor* shift = scale + channels;
            for (int64_t c = begin; c < end; ++c) {
              double mean = read(tile, 3, mean_type, c);
              double variance = read(tile, 4, mean_type, c);
              if (training_) {
                const double old_mean = mean;
                const double old_variance = variance;
                measure(tile.input<T>(0), outer, channels, inner, c, mean, variance);
                dispatch_dtype<FloatTypes>(mean_type, [&]<class S>() {
                  if (wants[0])
                    tile.output<S>(1)[c] =
                        static_cast<S>(static_cast<float>(old_mean * momentum_ + mean * (1 - momentum_)));
                  if (wants[1])
                    tile.output<S>(2)[c] =
                        static_cast<S>(static_cast<float>(old_variance * momentum_ + variance * (1 - momentum_)));
                });
              }
              const double factor = read(tile, 1, scale_type, c) / std::sqrt(variance + static_cast<double>(epsilon_));
              scale[c] = static_cast<Factor>(factor);
              shift[c] = static_cast<Factor>(read(tile, 2, scale_type, c) - mean * factor);
            }
          });
      context.in_place(0, 0);
      if constexpr (std::is_same_v<T, float>) {
        if (inner == 1) return plan_rows(context, outer, channels);
      }
      context.range(outer * channels, static_cast<double>(inner) * 0.2 + 5,
                    [=](const TileContext& tile, int64_t begin, int64_t end) {
                      const auto* scale = reinterpret_cast<const Factor*>(tile.shared);
                      const Factor* shift = scale + channels;
                      for (int64_t map = begin; map < end; ++map) {
                        const int64_t c = map % channels;
                        const T* src = tile.input<T>(0) + map * inner;
                        T* dst = tile.output<T>(0) + map * inner;
                        if constexpr (std::is_same_v<T, float>) {
                          row_kernels().scale_shift(src, dst, static_cast<size_t>(inner), scale[c], shift[c]);
                        } else {
                          for (int64_t i = 0; i < inner; ++i)
                            dst[i] = static_cast<T>(static_cast<double>(src[i]) * scale[c] + shift[c]);
                        }
                      }
                    });
    });
  }

 private:
  // Channels side by side.
  static void plan_rows(PlanContext& context, int64_t rows, int64_t channels) {
    context.range(rows, static_cast<double>(channels) * 0.2 + 5,
                  [=](const TileContext& tile, int64_t begin, int64_t end) {
                    const auto* scale = reinterpret_cast<const float*>(tile.shared);
                    for (int64_t row = begin; row < end; ++row) {
                      row_kernels().scale_shift_each(tile.input<float>(0) + row * channels,
                                                     tile.output<float>(0) + row * channels,
                                                     static_cast<size_t>(channels), scale, scale + channels);
                    }
                  });
  }

  // The mean and the variance of channel c over the batch.
  template <class T>
  static void measure(const T* x, int64_t outer, int64_t channels, int64_t inner, int64_t c, double& mean,
                      double& variance) {
    const auto count = static_cast<double>(outer * inner);
    const auto total = [&](auto&& term) {
      double sum = 0;
      for (int64_t n = 0; n < outer; ++n) {
        const T* map = x + (n * channels + c) * inner;
        for (int64_t i = 0; i < inner; ++i) sum += term(static_cast<double>(map[i]));
      }
      return sum;
    };
    mean = total([](double value) { return value; }) / count;
    variance = total([&](double value) { return (value - mean) * (value - mean); }) / count;
  }

  int64_t version_;
  float epsilon_;
  float momentum_;
  bool spatial_ = true;
  bool training_ = false;
};

}  // namespace

void register_batch_normalization(OpRegistry& registry) {
  registry.add({.name = "BatchNormalization",
                .versions = {1, 6, 7, 9},
                .signature = "X:T, scale:T, B:T, mean:T, var:T -> Y:T, mean:T?, var:T?, saved_mean:T?, saved_var:T?",
                .types = {{.name = "T", .tensors = kIeeeFloats}},
                .create = make_operator<BatchNormalization>});
  registry.add({.name = "BatchNormalization",
                .versions = {14},
                .signature = "X:T, scale:T, B:T, input_mean:U, input_var:U -> Y:T, running_mean:U?, running_var:U?",
                .types = {{.name = "T", .tensors = kFloats}, {.name = "U", .tensors = kFloats}},
                .create = make_operator<BatchNormalization>});
  registry.add(
      {.name = "BatchNormalization",
       .versions = {15},
       .signature = "X:T, scale:T1, B:T1, input_mean:T2, input_var:T2 -> Y:T, running_mean:T2?, running_var:T2?",
       .types = {{.name = "T", .tensors = kFloats},
                 {.name = "T1", .tensors = kFloats},
                 {.name = "T2", .tensors = kFloats}},
       .create = make_operator<BatchNormalization>});
}

}  // namespace onnxrun
