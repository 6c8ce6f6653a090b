// Trilu: https://onnx.ai/onnx/operators/onnx__Trilu.html, version 14.
#include <algorithm>

#include "graph/registry.h"
#include "ops/support/element_width.h"
#include "ops/support/elementwise.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class Trilu : public Operator {
 public:
  explicit Trilu(AttributeReader& attributes) : upper_(attributes.flag("upper", true)) {}

  void infer(InferContext& context) const override {
    ops::infer_same(context);
    if (context.shape(0).has_rank() && context.shape(0).rank() < 2) context.fail("the input must have two dimensions");
    if (!context.has_input(1)) return;
    const Dim elements = context.shape(1).elements();
    if (elements.is_number() && !elements.is(1)) context.fail("k must have one element");
  }

  void plan(PlanContext& context) const override {
    const Shape& shape = context.input(0).shape;
    const int64_t columns = shape.back();
    const int64_t rows = shape[shape.rank() - 2];
    const bool has_k = context.has_input(1);
    context.in_place(0, 0);
    ops::dispatch_width(context.output(0).dtype, [&]<class T>() {
      context.range(columns == 0 ? 0 : shape.elements(0, shape.rank() - 1), static_cast<double>(columns) * 0.3 + 3,
                    [=, upper = upper_](const TileContext& tile, int64_t begin, int64_t end) {
                      const int64_t k = has_k ? std::clamp(*tile.input<int64_t>(1), -rows, columns) : 0;
                      for (int64_t row = begin; row < end; ++row) {
                        // Upper keeps columns from the diagonal on, lower those up to it.
                        const int64_t diagonal = row % rows + k;
                        const int64_t first = upper ? std::clamp<int64_t>(diagonal, 0, columns) : 0;
                        const int64_t past = upper ? columns : std::clamp<int64_t>(diagonal + 1, 0, columns);
                        const T* src = tile.input<T>(0) + row * columns;
                        T* dst = tile.output<T>(0) + row * columns;
                        std::fill(dst, dst + first, T());
                        if (src != dst) std::copy(src + first, src + past, dst + first);
                        std::fill(dst + past, dst + columns, T());
                      }
                    });
    });
  }

 private:
  bool upper_;
};

}  // namespace

void register_trilu(OpRegistry& registry) {
  ops::add_versions(registry, {.name = "Trilu",
                               .versions = {14},
                               .signature = "input:T, k:int64? -> output:T",
                               .create = make_operator<Trilu>});
}

}  // namespace onnxrun
