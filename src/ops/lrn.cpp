// LRN: https://onnx.ai/onnx/operators/onnx__LRN.html, versions 1, 13. Sums in float32 (float64 for float64), channel by
// channel in ascending order. beta = 3/4 by square roots, others by exp(-beta log(x)).
#include <algorithm>
#include <cmath>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "kernels/unary/unary.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

constexpr int64_t kColumns = 512;  // positions that a tile takes at a time: its rows stay in the first-level cache

// x[i] = x[i]^-beta.
void negative_powers(float* x, int64_t count, float beta) {
  const auto n = static_cast<size_t>(count);
  float root[kColumns];
  if (beta == 0.75F) {
    unary_f32(UnaryKind::sqrt)(x, x, n, 0, 0);
    unary_f32(UnaryKind::sqrt)(x, root, n, 0, 0);
    for (int64_t i = 0; i < count; ++i) x[i] = 1 / (x[i] * root[i]);
    return;
  }
  unary_f32(UnaryKind::log)(x, x, n, 0, 0);
  for (int64_t i = 0; i < count; ++i) x[i] *= -beta;
  unary_f32(UnaryKind::exp)(x, x, n, 0, 0);
}
void negative_powers(double* x, int64_t count, float beta) {
  for (int64_t i = 0; i < count; ++i) x[i] = std::pow(x[i], -static_cast<double>(beta));
}

class LRN : public Operator {
 public:
  explicit LRN(AttributeReader& attributes)
      : alpha_(attributes.number("alpha", 0.0001F)),
        beta_(attributes.number("beta", 0.75F)),
        bias_(attributes.number("bias", 1)),
        size_(attributes.required_integer("size")) {
    if (size_ < 1) throw Error(ErrorCode::invalid_model, "size cannot be " + std::to_string(size_));
  }

  void infer(InferContext& context) const override {
    const DimShape& x = context.shape(0);
    if (x.has_rank() && x.rank() < 2) {
      context.fail("the input takes [N, C, ...], it has rank " + std::to_string(x.rank()));
    }
    context.set_shape(0, x);
  }

  void plan(PlanContext& context) const override {
    const Shape& x = context.input(0).shape;
    const int64_t size = x.elements(2, x.rank());
    const int64_t blocks = (size + kColumns - 1) / kColumns;
    const double cost = static_cast<double>(x[1] * std::min(size, kColumns)) * (2 + 0.3 * static_cast<double>(size_));
    dispatch_dtype<FloatTypes>(context.input(0).dtype, [&]<class T>() {
      context.range(x[0] * blocks, cost,
                    [=, this, channels = x[1]](const TileContext& tile, int64_t begin, int64_t end) {
                      for (int64_t item = begin; item < end; ++item) {
                        const int64_t first = item % blocks * kColumns;
                        const int64_t offset = item / blocks * channels * size + first;
                        normalize(tile.input<T>(0) + offset, tile.output<T>(0) + offset, channels, size,
                                  std::min(kColumns, size - first));
                      }
                    });
    });
  }

 private:
  // `n` neighbouring positions of all channels, which are `stride` apart.
  template <class T>
  void normalize(const T* src, T* dst, int64_t channels, int64_t stride, int64_t n) const {
    using Sum = std::conditional_t<std::is_same_v<T, double>, double, float>;
    Sum sums[kColumns];
    const int64_t before = (size_ - 1) / 2;
    const int64_t after = size_ - 1 - before;
    const Sum factor = static_cast<Sum>(alpha_) / static_cast<Sum>(size_);
    for (int64_t channel = 0; channel < channels; ++channel) {
      std::fill_n(sums, n, Sum(0));
      for (int64_t c = std::max<int64_t>(0, channel - before); c <= std::min(channels - 1, channel + after); ++c) {
        const T* row = src + c * stride;
        for (int64_t i = 0; i < n; ++i) sums[i] += static_cast<Sum>(row[i]) * static_cast<Sum>(row[i]);
      }
      for (int64_t i = 0; i < n; ++i) sums[i] = static_cast<Sum>(bias_) + factor * sums[i];
      negative_powers(sums, n, beta_);
      const T* row = src + channel * stride;
      for (int64_t i = 0; i < n; ++i) dst[channel * stride + i] = static_cast<T>(static_cast<Sum>(row[i]) * sums[i]);
    }
  }

  float alpha_, beta_, bias_;
  int64_t size_;
};

}  // namespace

void register_lrn(OpRegistry& registry) {
  const std::pair<int64_t, DTypeSet> versions[] = {{1, kIeeeFloats}, {13, kFloats}};
  for (const auto& [version, types] : versions) {
    registry.add({.name = "LRN",
                  .versions = {version},
                  .signature = "X:T -> Y:T",
                  .types = {{.name = "T", .tensors = types}},
                  .create = make_operator<LRN>});
  }
}

}  // namespace onnxrun
