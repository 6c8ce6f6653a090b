// CumSum (versions 11, 14), CumProd (26): https://onnx.ai/onnx/operators/onnx__CumSum.html. Floats are accumulated in
// double, every result rounded once; integers wrap around.
#include <algorithm>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/axis_view.h"
#include "ops/support/elementwise.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

constexpr int64_t kColumns = 1024;  // neighbours that are accumulated together

struct Direction {
  bool exclusive = false;
  bool reverse = false;
};

template <class F, class T>
void accumulate(const T* src, T* dst, int64_t extent, int64_t inner, int64_t width, Direction direction) {
  using Total = std::conditional_t<std::is_integral_v<T>, uint64_t, double>;
  Total totals[kColumns];
  std::fill_n(totals, width, std::is_same_v<F, std::plus<>> ? Total(0) : Total(1));
  const auto scan = [&](auto exclusive) {
    for (int64_t step = 0; step < extent; ++step) {
      const int64_t offset = (direction.reverse ? extent - 1 - step : step) * inner;
      for (int64_t c = 0; c < width; ++c) {
        const Total before = totals[c];
        totals[c] = F()(before, static_cast<Total>(src[offset + c]));
        dst[offset + c] = static_cast<T>(exclusive ? before : totals[c]);
      }
    }
  };
  if (direction.exclusive) {
    scan(std::true_type());
  } else {
    scan(std::false_type());
  }
}

template <class F>
class Cumulative : public Operator {
 public:
  explicit Cumulative(AttributeReader& attributes)
      : direction_{attributes.flag("exclusive", false), attributes.flag("reverse", false)} {}

  void infer(InferContext& context) const override {
    const Tensor* axis = context.required_constant(1);
    if (!axis) return;
    if (axis->elements() != 1) context.fail("axis must have one element");
    if (context.shape(0).has_rank()) ops::normalize_axis(ops::read_integers(*axis)[0], context.shape(0).rank());
    ops::infer_same(context);
  }

  void plan(PlanContext& context) const override {
    const Shape& shape = context.input(0).shape;
    const int64_t axis = ops::read_integers(*context.elements(1))[0];
    const ops::AxisView view(shape, ops::normalize_axis(axis, shape.rank()));
    const int64_t pieces = (view.inner + kColumns - 1) / kColumns;
    const auto width = static_cast<double>(std::min(view.inner, kColumns));
    context.in_place(0, 0);
    dispatch_dtype<float, double, Half, BFloat16, int32_t, int64_t, uint32_t, uint64_t>(
        context.input(0).dtype, [&]<class T>() {
          context.range(view.outer * pieces, static_cast<double>(view.extent) * width * 1.5 + 5,
                        [=, direction = direction_](const TileContext& tile, int64_t begin, int64_t end) {
                          for (int64_t item = begin; item < end; ++item) {
                            const int64_t first = item % pieces * kColumns;
                            const int64_t offset = item / pieces * view.extent * view.inner + first;
                            accumulate<F>(tile.input<T>(0) + offset, tile.output<T>(0) + offset, view.extent,
                                          view.inner, std::min(kColumns, view.inner - first), direction);
                          }
                        });
        });
  }

 private:
  Direction direction_;
};

void add(OpRegistry& registry, std::string_view name, int64_t version, DTypeSet floats, OperatorFactory create) {
  const DTypeSet integers = {DType::int32, DType::int64, DType::uint32, DType::uint64};
  registry.add(
      {.name = name,
       .versions = {version},
       .signature = "x:T, axis:T2 -> y:T",
       .types = {{.name = "T", .tensors = floats | integers}, {.name = "T2", .tensors = {DType::int32, DType::int64}}},
       .create = create});
}

}  // namespace

void register_cumulative(OpRegistry& registry) {
  add(registry, "CumSum", 11, {DType::float32, DType::float64}, make_operator<Cumulative<std::plus<>>>);
  add(registry, "CumSum", 14, kFloats, make_operator<Cumulative<std::plus<>>>);
  add(registry, "CumProd", 26, kFloats, make_operator<Cumulative<std::multiplies<>>>);
}

}  // namespace onnxrun
