// onnxrun.Interleave: inputs [N, C, spatial...] laid between each other: input ((p0 s1 + p1) s2 + p2), p < strides s,
// has the positions p, p + s, p + 2 s, ... of the output along the axes from 2 on. Axes behind those stay together.
#include <array>
#include <cstring>

#include "graph/registry.h"
#include "ops/support/channel_blocks.h"

namespace onnxrun {
namespace {

constexpr size_t kMaxRank = 6;

// dst[i * step .. + inner] = src[i * inner ..], i < count.
void spread(const float* src, float* dst, int64_t count, int64_t inner, int64_t step) {
  const auto copy = [&]<int64_t kInner>(std::integral_constant<int64_t, kInner>) {
    for (int64_t i = 0; i < count; ++i) std::memcpy(dst + i * step, src + i * kInner, kInner * sizeof(float));
  };
  switch (inner) {
    case 1:
      return copy(std::integral_constant<int64_t, 1>{});
    case 4:
      return copy(std::integral_constant<int64_t, 4>{});
    case 8:
      return copy(std::integral_constant<int64_t, 8>{});
    case 16:
      return copy(std::integral_constant<int64_t, 16>{});
    default:
      for (int64_t i = 0; i < count; ++i) std::copy_n(src + i * inner, inner, dst + i * step);
  }
}

class Interleave : public Operator {
 public:
  explicit Interleave(AttributeReader& attributes) : strides_(attributes.integers("strides")) {}

  void infer(InferContext& context) const override {
    DimShape shape = context.shape(0);
    if (!shape.has_rank()) return;
    size_t step = context.input_count();
    for (size_t axis = 0; axis < strides_.size(); ++axis) {
      const auto stride = static_cast<size_t>(strides_[axis]);
      step /= stride;
      Dim extent(0);
      for (size_t phase = 0; phase < stride; ++phase) {
        const DimShape& part = context.shape(phase * step);
        extent = extent + (part.has_rank() ? part[2 + axis] : Dim::unknown());
      }
      shape[2 + axis] = extent;
    }
    context.set_shape(0, std::move(shape));
  }

  // A range of rows along the last interleaved axis.
  void plan(PlanContext& context) const override {
    const Shape& y = context.output(0).shape;
    const size_t last = 1 + strides_.size();
    const int64_t rows = y.elements(0, last);
    const int64_t inner = y.elements(last + 1, y.rank());
    std::vector<Shape> shapes;
    for (size_t i = 0; i < context.input_count(); ++i) shapes.push_back(context.input(i).shape);
    context.range(rows, static_cast<double>(y[last] * inner) * 0.15 + 20,
                  [=, this](const TileContext& tile, int64_t begin, int64_t end) {
                    const auto row_stride = strides_.back();
                    for (int64_t row = begin; row < end; ++row) {
                      // Which inputs have the row, and which of their rows it is.
                      size_t input = 0;
                      int64_t rest = row;
                      std::array<int64_t, kMaxRank> position{};
                      for (size_t axis = last; axis-- > 0;) {
                        position[axis] = rest % y[axis];
                        rest /= y[axis];
                      }
                      for (size_t axis = 2; axis < last; ++axis) {
                        const int64_t stride = strides_[axis - 2];
                        input = input * static_cast<size_t>(stride) + static_cast<size_t>(position[axis] % stride);
                        position[axis] /= stride;
                      }
                      for (int64_t phase = 0; phase < row_stride; ++phase) {
                        const size_t i = input * static_cast<size_t>(row_stride) + static_cast<size_t>(phase);
                        int64_t from = 0;
                        for (size_t axis = 0; axis < last; ++axis) from = from * shapes[i][axis] + position[axis];
                        spread(tile.input<float>(i) + from * shapes[i][last] * inner,
                               tile.output<float>(0) + (row * y[last] + phase) * inner, shapes[i][last], inner,
                               row_stride * inner);
                      }
                    }
                  });
  }

 private:
  std::vector<int64_t> strides_;
};

}  // namespace

void register_interleave(OpRegistry& registry) {
  ops::add_blocked<Interleave>(registry, "Interleave", "X:T... -> Y:T");
}

}  // namespace onnxrun
