// Gemm: https://onnx.ai/onnx/operators/onnx__Gemm.html, versions 1, 6 (C is broadcast where an attribute says so), 7,
// 9, 11 (C is optional), 13; and onnxrun.Gemm, the same with a residual input and steps that follow the sum, and where
// A may have more axes before the last, which count as rows.
#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/elementwise.h"
#include "ops/support/fused_steps.h"
#include "ops/support/matrix_multiply.h"
#include "ops/support/shape_rules.h"
#include "ops/support/strided_loop.h"

namespace onnxrun {
namespace {

constexpr size_t kResidual = 3;  // input of onnxrun.Gemm

class Gemm : public Operator {
 public:
  explicit Gemm(AttributeReader& attributes)
      : alpha_(attributes.number("alpha", 1)),
        beta_(attributes.number("beta", 1)),
        trans_a_(attributes.flag("transA", false)),
        trans_b_(attributes.flag("transB", false)),
        fused_(attributes.fused_steps("steps")),
        steps_(ops::epilogue_steps(fused_)) {
    attributes.ignore("broadcast");
  }

  void infer(InferContext& context) const override {
    const DimShape& a = context.shape(0);
    const DimShape& b = context.shape(1);
    if (!a.has_rank() || !b.has_rank()) return;
    const bool has_rows = a.rank() == 2 || (a.rank() > 2 && context.node().domain == "onnxrun" && !trans_a_);
    if (!has_rows || b.rank() != 2) context.fail("A and B must be matrices");
    const Dim& k = a[trans_a_ ? 0 : a.rank() - 1];
    const Dim& b_k = b[trans_b_ ? 1 : 0];
    if (k.is_number() && b_k.is_number() && !(k == b_k)) {
      context.fail("the inner extents " + k.to_string() + " and " + b_k.to_string() + " differ");
    }
    std::vector<Dim> dims(a.begin(), a.end());
    dims[0] = a[trans_a_ ? 1 : 0];
    dims.back() = b[trans_b_ ? 0 : 1];
    const DimShape shape(std::move(dims));
    if (context.has_input(2) && context.shape(2).has_rank()) {
      const DimShape both = ops::broadcast(shape, context.shape(2));
      for (size_t axis = 0; axis < both.rank(); ++axis) {
        const bool grows =
            both.rank() > shape.rank() || (shape[axis].is(1) && both[axis].is_number() && !both[axis].is(1));
        if (grows)
          context.fail("C of shape " + context.shape(2).to_string() + " does not fit into " + shape.to_string());
      }
    }
    context.set_shape(0, shape);
  }

  void plan(PlanContext& context) const override {
    const Shape& a = context.input(0).shape;
    const Shape& y = context.output(0).shape;
    ops::MatrixMultiply product;
    product.m = static_cast<size_t>(y.elements(0, y.rank() - 1));
    product.n = static_cast<size_t>(y.back());
    product.k = static_cast<size_t>(trans_a_ ? a[0] : a.back());
    const auto rows = [](const Shape& shape) { return static_cast<ptrdiff_t>(shape.back()); };
    product.a_row_stride = trans_a_ ? 1 : rows(a);
    product.a_col_stride = trans_a_ ? rows(a) : 1;
    const Shape& b = context.input(1).shape;
    product.b_row_stride = trans_b_ ? 1 : rows(b);
    product.b_col_stride = trans_b_ ? rows(b) : 1;
    product.a_offsets = {0};
    product.b_offsets = {0};
    product.alpha = alpha_;
    product.steps = steps_;
    if (context.has_input(kResidual)) product.residual = kResidual;
    const bool has_c = context.has_input(2) && beta_ != 0;
    const bool is_row =
        has_c && beta_ == 1 && context.input(2).elements() == y.back() && context.input(2).shape.back() == y.back();
    if (is_row) product.bias = 2;
    context.implementation("packed" + ops::describe(fused_));
    ops::plan_matrix_multiply(context, product);
    if (has_c && !is_row) add_c(context);
  }

 private:
  // Y += beta C with C broadcast.
  void add_c(PlanContext& context) const {
    const Shape& y = context.output(0).shape;
    const auto strides = ops::broadcast_strides(context.input(2).shape, y);
    const int64_t columns = y[1];
    const double beta = beta_;
    dispatch_dtype<FloatTypes, int32_t, int64_t, uint32_t, uint64_t>(context.output(0).dtype, [&]<class T>() {
      context.range(y[0], static_cast<double>(columns) + 1, [=](const TileContext& tile, int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          T* row = tile.output<T>(0) + i * columns;
          const T* c = tile.input<T>(2) + i * strides[0];
          for (int64_t j = 0; j < columns; ++j)
            row[j] = static_cast<T>(row[j] + static_cast<T>(beta * static_cast<double>(c[j * strides[1]])));
        }
      });
    });
  }

  float alpha_;
  float beta_;
  bool trans_a_;
  bool trans_b_;
  std::vector<FusedStep> fused_;
  std::vector<EpilogueStep> steps_;
};

}  // namespace

void register_gemm(OpRegistry& registry) {
  const DTypeSet wide = {DType::int32, DType::int64, DType::uint32, DType::uint64};
  struct Group {
    std::vector<int64_t> versions;
    std::string_view signature;
    DTypeSet types;
  };
  const Group groups[] = {{{1, 6, 7}, "A:T, B:T, C:T -> Y:T", kIeeeFloats},
                          {{9}, "A:T, B:T, C:T -> Y:T", kIeeeFloats | wide},
                          {{11}, "A:T, B:T, C:T? -> Y:T", kIeeeFloats | wide},
                          {{13}, "A:T, B:T, C:T? -> Y:T", kFloats | wide}};
  for (const Group& group : groups) {
    registry.add({.name = "Gemm",
                  .versions = group.versions,
                  .signature = group.signature,
                  .types = {{.name = "T", .tensors = group.types}},
                  .create = make_operator<Gemm>});
  }
  registry.add({.domain = "onnxrun",
                .name = "Gemm",
                .versions = {1},
                .signature = "A:T, B:T, C:T?, residual:T? -> Y:T",
                .types = {{.name = "T", .tensors = {DType::float32}}},
                .create = make_operator<Gemm>});
}

}  // namespace onnxrun
