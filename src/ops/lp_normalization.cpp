// LpNormalization: https://onnx.ai/onnx/operators/onnx__LpNormalization.html, versions 1, 22. Norms are kept in double.
#include <algorithm>
#include <cmath>

#include "base/checked.h"
#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "kernels/binary/binary.h"
#include "kernels/reduce/reduce.h"
#include "onnxrun/error.h"
#include "ops/support/axis_view.h"
#include "ops/support/elementwise.h"
#include "ops/support/row_sum.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

constexpr int64_t kColumns = 256;  // vectors side by side that are normalized at a time

class LpNormalization : public Operator {
 public:
  explicit LpNormalization(AttributeReader& attributes)
      : axis_(attributes.integer("axis", -1)), p_(attributes.integer("p", 2)) {
    if (p_ != 1 && p_ != 2) throw Error(ErrorCode::invalid_model, "attribute 'p' must be 1 or 2");
  }

  void infer(InferContext& context) const override {
    ops::infer_same(context);
    if (context.shape(0).has_rank()) ops::normalize_axis(axis_, context.shape(0).rank());
  }

  void plan(PlanContext& context) const override {
    const Shape& x = context.input(0).shape;
    const ops::AxisView view(x, ops::normalize_axis(axis_, x.rank()));
    const int64_t pieces = ceil_div(view.inner, kColumns);
    const double cost = static_cast<double>(view.extent * std::min(view.inner, kColumns));
    context.in_place(0, 0);
    dispatch_dtype<FloatTypes>(context.input(0).dtype, [&]<class T>() {
      context.range(view.outer * pieces, cost + 10, [=, p = p_](const TileContext& tile, int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t first = i % pieces * kColumns;
          const int64_t offset = i / pieces * view.extent * view.inner + first;
          const int64_t columns = std::min(kColumns, view.inner - first);
          normalize(tile.input<T>(0) + offset, tile.output<T>(0) + offset, view, columns, p);
        }
      });
    });
  }

 private:
  template <class T>
  static void normalize(const T* src, T* dst, const ops::AxisView& view, int64_t columns, int64_t p) {
    const auto term = [p](double x) { return p == 1 ? std::fabs(x) : x * x; };
    double norms[kColumns] = {};
    if constexpr (std::is_same_v<T, float>) {
      if (view.inner == 1 && normalize_row(src, dst, static_cast<size_t>(view.extent), p)) return;
    }
    if (view.inner == 1) {
      norms[0] = ops::row_sum(src, view.extent, term);
    } else {
      for (int64_t k = 0; k < view.extent; ++k) {
        for (int64_t j = 0; j < columns; ++j) norms[j] += term(static_cast<double>(src[k * view.inner + j]));
      }
    }
    for (int64_t j = 0; j < columns; ++j) {
      if (p == 2) norms[j] = std::sqrt(norms[j]);
      if (norms[j] == 0) norms[j] = 1;
    }
    for (int64_t k = 0; k < view.extent; ++k) {
      for (int64_t j = 0; j < columns; ++j) {
        dst[k * view.inner + j] = static_cast<T>(static_cast<double>(src[k * view.inner + j]) / norms[j]);
      }
    }
  }

  // One vector that lies in one piece, unless its norm is no normal float.
  static bool normalize_row(const float* src, float* dst, size_t n, int64_t p) {
    double sum = 0;
    const ReduceKernels& kernels = reduce_kernels();
    (p == 1 ? kernels.magnitudes : kernels.squares).row(sum, src, n);
    const auto norm = static_cast<float>(p == 1 ? sum : std::sqrt(sum));
    if (!std::isnormal(norm)) return false;
    binary_row(BinaryKind::div, DType::float32)(src, 1, &norm, 0, dst, n);
    return true;
  }

  int64_t axis_;
  int64_t p_;
};

}  // namespace

void register_lp_normalization(OpRegistry& registry) {
  for (const auto& [version, types] : {std::pair<int64_t, DTypeSet>{1, kIeeeFloats}, {22, kFloats}}) {
    registry.add({.name = "LpNormalization",
                  .versions = {version},
                  .signature = "input:T -> output:T",
                  .types = {{.name = "T", .tensors = types}},
                  .create = make_operator<LpNormalization>});
  }
}

}  // namespace onnxrun
