// Min, Max (versions 1, 6, 8, 12, 13), Sum, Mean (1, 6, 8, 13): https://onnx.ai/onnx/operators/. NaN wins in Min and
// Max. Sums of 16-bit floats are kept in float and rounded once.
#include <algorithm>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "kernels/binary/binary.h"
#include "ops/support/binary_row.h"
#include "ops/support/shape_rules.h"
#include "ops/support/strided_loop.h"

namespace onnxrun {
namespace {

constexpr int64_t kPiece = 1024;  // elements that are widened at a time

// One pass over all inputs: total[i] = f(total[i], input k[i]) piece by piece of the output, so that totals stay in the
// cache.
template <class T, class Total>
void plan_totals(PlanContext& context, BinaryRowKernel kernel, bool is_mean) {
  const Shape& shape = context.output(0).shape;
  std::vector<std::vector<ptrdiff_t>> strides;
  for (size_t i = 0; i < context.input_count(); ++i) {
    strides.push_back(ops::broadcast_strides(context.input(i).shape, shape));
  }
  const size_t rank = shape.rank();
  const int64_t inner = rank == 0 ? 1 : shape[rank - 1];
  const int64_t rows = rank == 0 ? 1 : shape.elements(0, rank - 1);
  const auto count = static_cast<double>(strides.size());
  context.range(inner == 0 ? 0 : rows, static_cast<double>(inner) * count * 0.5 + 10 * count,
                [=](const TileContext& tile, int64_t begin, int64_t end) {
                  Total totals[kPiece];
                  Total operand[kPiece];
                  for (int64_t row = begin; row < end; ++row) {
                    for (int64_t first = 0; first < inner; first += kPiece) {
                      const int64_t n = std::min(kPiece, inner - first);
                      for (size_t k = 0; k < strides.size(); ++k) {
                        int64_t offset = 0;
                        int64_t rest = row;
                        for (size_t axis = rank; axis-- > 1;) {
                          offset += rest % shape[axis - 1] * strides[k][axis - 1];
                          rest /= shape[axis - 1];
                        }
                        const ptrdiff_t step = rank == 0 ? 0 : strides[k][rank - 1];
                        const T* src = tile.input<T>(k) + offset + first * step;
                        Total* to = k == 0 ? totals : operand;
                        for (int64_t i = 0; i < n; ++i) to[i] = static_cast<Total>(src[i * step]);
                        if (k > 0) kernel(totals, 1, operand, 1, totals, static_cast<size_t>(n));
                      }
                      T* dst = tile.output<T>(0) + row * inner + first;
                      const Total divisor = is_mean ? static_cast<Total>(strides.size()) : Total(1);
                      for (int64_t i = 0; i < n; ++i) dst[i] = static_cast<T>(totals[i] / divisor);
                    }
                  }
                });
}

template <BinaryKind Kind, bool IsMean = false>
class Variadic : public Operator {
 public:
  explicit Variadic(AttributeReader& attributes) : has_broadcast_(attributes.version() >= 8) {
    if (attributes.version() == 1) attributes.ignore("consumed_inputs");
  }

  void infer(InferContext& context) const override {
    for (size_t i = 1; i < context.input_count() && !has_broadcast_; ++i) {
      const DimShape& a = context.shape(0);
      const DimShape& b = context.shape(i);
      if (a.is_concrete() && b.is_concrete() && !(a == b)) context.fail("inputs differ in shape");
    }
    context.set_shape(0, ops::broadcast_inputs(context));
    if (context.input_count() != 2) return;
    ops::propagate_content(context, [](const Dim& a, const Dim& b) {
      return Kind == BinaryKind::max ? max(a, b) : Kind == BinaryKind::min ? min(a, b) : Dim::unknown();
    });
  }

  void plan(PlanContext& context) const override {
    const DType dtype = context.output(0).dtype;
    const DType row = ops::row_dtype(dtype);
    const BinaryRowKernel kernel = binary_row(Kind, row);
    if (context.input_count() == 1) return context.view(0, 0);
    if (context.input_count() == 2 && !IsMean) return ops::plan_broadcast(context, 0, 1, row, 0.2, kernel);
    dispatch_dtype<NumberTypes>(dtype, [&]<class T>() {
      constexpr bool kIsNarrowFloat = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;
      plan_totals<T, std::conditional_t<kIsNarrowFloat, float, T>>(context, kernel, IsMean);
    });
  }

 private:
  bool has_broadcast_;
};

template <BinaryKind Kind, bool IsMean = false>
void add(OpRegistry& registry, std::string_view name, bool takes_integers) {
  const DTypeSet integers = takes_integers ? kIntegers : DTypeSet{};
  std::vector<std::pair<std::vector<int64_t>, DTypeSet>> groups = {{{1, 6, 8}, kIeeeFloats},
                                                                   {{13}, kFloats | integers}};
  if (takes_integers) groups.push_back({{12}, kIeeeFloats | integers});
  for (const auto& [versions, types] : groups) {
    registry.add({.name = name,
                  .versions = versions,
                  .signature = "data_0:T... -> result:T",
                  .types = {{.name = "T", .tensors = types}},
                  .create = make_operator<Variadic<Kind, IsMean>>});
  }
}

}  // namespace

void register_variadic(OpRegistry& registry) {
  add<BinaryKind::min>(registry, "Min", true);
  add<BinaryKind::max>(registry, "Max", true);
  add<BinaryKind::add>(registry, "Sum", false);
  add<BinaryKind::add, true>(registry, "Mean", false);
}

}  // namespace onnxrun
