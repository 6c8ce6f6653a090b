// Det: https://onnx.ai/onnx/operators/onnx__Det.html, versions 11, 22. By elimination with the largest pivot of each
// column, in double; the determinant of an empty matrix is 1.
#include <algorithm>
#include <cmath>

#include "graph/registry.h"
#include "ops/support/float_block.h"
#include "ops/support/shape_checks.h"

namespace onnxrun {
namespace {

// Destroys `a`, [n, n].
double determinant(double* a, int64_t n) {
  double result = 1;
  for (int64_t k = 0; k < n; ++k) {
    int64_t pivot = k;
    for (int64_t i = k + 1; i < n; ++i) {
      if (std::fabs(a[i * n + k]) > std::fabs(a[pivot * n + k])) pivot = i;
    }
    if (pivot != k) {
      std::swap_ranges(a + k * n, a + (k + 1) * n, a + pivot * n);
      result = -result;
    }
    const double diagonal = a[k * n + k];
    result *= diagonal;
    if (diagonal == 0) return result;
    for (int64_t i = k + 1; i < n; ++i) {
      const double factor = a[i * n + k] / diagonal;
      for (int64_t j = k + 1; j < n; ++j) a[i * n + j] -= factor * a[k * n + j];
    }
  }
  return result;
}

class Det : public Operator {
 public:
  explicit Det(AttributeReader& /*attributes*/) {}

  void infer(InferContext& context) const override {
    const DimShape& x = context.shape(0);
    if (!x.has_rank()) return;
    if (x.rank() < 2 || ops::differ(x[x.rank() - 2], x[x.rank() - 1])) {
      context.fail("the input must be square matrices, its shape is " + x.to_string());
    }
    context.set_shape(0, std::vector<Dim>(x.begin(), x.end() - 2));
  }

  void plan(PlanContext& context) const override {
    const Shape& x = context.input(0).shape;
    const int64_t n = x.back();
    if (context.output(0).elements() == 0) return context.phase(0, 0, [](const TileContext&) {});
    context.scratch(static_cast<size_t>(n * n) * sizeof(double));
    const auto cost = static_cast<double>(n) * static_cast<double>(n * n) * 0.3 + 10;
    context.range(context.output(0).elements(), cost,
                  [n, dtype = context.input(0).dtype](const TileContext& tile, int64_t begin, int64_t end) {
                    auto* matrix = reinterpret_cast<double*>(tile.scratch);
                    for (int64_t i = begin; i < end; ++i) {
                      ops::load_floats(dtype, tile.input(0), i * n * n, n * n, matrix);
                      const double result = determinant(matrix, n);
                      ops::store_floats(dtype, &result, tile.output(0), i, 1);
                    }
                  });
  }
};

}  // namespace

void register_det(OpRegistry& registry) {
  for (const auto& [version, types] : {std::pair<int64_t, DTypeSet>{11, kIeeeFloats}, {22, kFloats}}) {
    registry.add({.name = "Det",
                  .versions = {version},
                  .signature = "X:T -> Y:T",
                  .types = {{.name = "T", .tensors = types}},
                  .create = make_operator<Det>});
  }
}

}  // namespace onnxrun
