// Where: https://onnx.ai/onnx/operators/onnx__Where.html, versions 9, 16.
#include <algorithm>
#include <bit>

#include "graph/registry.h"
#include "kernels/element/element.h"
#include "ops/support/element_width.h"
#include "ops/support/shape_rules.h"
#include "ops/support/strided_loop.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

template <class T>
void select(const bool* condition, ptrdiff_t c_step, const T* x, ptrdiff_t x_step, const T* y, ptrdiff_t y_step, T* dst,
            int64_t n) {
  if (c_step == 0) {
    const T* from = *condition ? x : y;
    if ((*condition ? x_step : y_step) == 0) {
      std::fill_n(dst, n, *from);
    } else {
      std::copy_n(from, n, dst);
    }
  } else if constexpr (std::is_unsigned_v<T>) {
    constexpr size_t kByWidth = std::bit_width(sizeof(T)) - 1;
    element_kernels().select[kByWidth](condition, x, x_step, y, y_step, dst, static_cast<size_t>(n));
  } else {
    for (int64_t i = 0; i < n; ++i) dst[i] = condition[i] ? x[i * x_step] : y[i * y_step];
  }
}

class Where : public Operator {
 public:
  explicit Where(AttributeReader& /*attributes*/) {}

  void infer(InferContext& context) const override {
    context.set_shape(0, ops::broadcast_inputs(context));
    set_content(context);
  }

  void plan(PlanContext& context) const override {
    const Shape& output = context.output(0).shape;
    ops::StridedLoop<4> loop;
    const auto c = ops::broadcast_strides(context.input(0).shape, output);
    const auto x = ops::broadcast_strides(context.input(1).shape, output);
    const auto y = ops::broadcast_strides(context.input(2).shape, output);
    const auto target = ops::row_major_strides(output);
    for (size_t axis = 0; axis < output.rank(); ++axis) {
      loop.add_axis(output[axis], {c[axis], x[axis], y[axis], target[axis]});
    }
    if (output.elements() == 0) return context.phase(0, 0, [](const TileContext&) {});
    constexpr int64_t kPiece = 4096;
    const auto steps = loop.inner_strides();
    const double cost = static_cast<double>(std::min(loop.inner_extent(), kPiece)) * 0.5 + 5;
    ops::dispatch_width(context.output(0).dtype, [&]<class T>() {
      context.range(loop.piece_count(kPiece), cost, [=](const TileContext& tile, int64_t begin, int64_t end) {
        loop.for_pieces(begin, end, kPiece, [&](const auto& offsets, int64_t first, int64_t count) {
          select(tile.input<bool>(0) + offsets[0] + first * steps[0], steps[0],
                 tile.input<T>(1) + offsets[1] + first * steps[1], steps[1],
                 tile.input<T>(2) + offsets[2] + first * steps[2], steps[2], tile.output<T>(0) + offsets[3] + first,
                 count);
        });
      });
    });
  }

 private:
  // For shapes that are chosen: Where(Equal(shape, -1), ones, shape).
  static void set_content(InferContext& context) {
    const Content* condition = context.content(0);
    const Content* x = context.content(1);
    const Content* y = context.content(2);
    if (!condition || !x || !y) return;
    const size_t n = std::max({condition->size(), x->size(), y->size()});
    for (size_t i = 0; i < 3; ++i) {
      const size_t size = context.content(i)->size();
      if ((size != 1 && size != n) || context.shape(i).rank() > 1) return;
    }
    const auto at = [](const Content& content, size_t i) { return content[content.size() == 1 ? 0 : i]; };
    Content result;
    for (size_t i = 0; i < n; ++i) {
      const Dim chosen = at(*condition, i);
      if (chosen.is_number()) {
        result.push_back(chosen.is(0) ? at(*y, i) : at(*x, i));
      } else {
        result.push_back(at(*x, i) == at(*y, i) ? at(*x, i) : Dim::unknown());
      }
    }
    context.set_content(0, std::move(result));
  }
};

}  // namespace

void register_where(OpRegistry& registry) {
  ops::add_versions(registry, {.name = "Where",
                               .versions = {9, 16},
                               .signature = "condition:bool, X:T, Y:T -> output:T",
                               .create = make_operator<Where>});
}

}  // namespace onnxrun
