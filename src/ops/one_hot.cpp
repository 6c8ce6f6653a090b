// OneHot: https://onnx.ai/onnx/operators/onnx__OneHot.html, versions 9, 11. Negative indices count from the end in
// both; what is out of range has no hot element.
#include <algorithm>
#include <cmath>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/axis_view.h"
#include "ops/support/element_width.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

// An index or a depth of any number type; numbers that are no index are out of every range.
template <class T>
int64_t as_index(T value) {
  if constexpr (std::is_integral_v<T>) {
    return std::is_signed_v<T> || static_cast<uint64_t>(value) < (uint64_t{1} << 62) ? static_cast<int64_t>(value)
                                                                                     : INT64_MAX;
  } else {
    const auto wide = static_cast<double>(value);
    return std::fabs(wide) < 0x1p62 ? static_cast<int64_t>(wide) : INT64_MAX;
  }
}

class OneHot : public Operator {
 public:
  explicit OneHot(AttributeReader& attributes) : axis_(attributes.integer("axis", -1)) {}

  void infer(InferContext& context) const override {
    const DimShape& indices = context.shape(0);
    const Dim values = context.shape(2).elements();
    if (values.is_number() && !values.is(2)) context.fail("values must have two elements");
    if (!indices.has_rank()) return;
    Dim depth = Dim::unknown();
    const Content* content = context.content(1);
    if (content && content->size() == 1) {
      depth = content->front();
    } else if (const Tensor* tensor = context.required_constant(1)) {
      if (tensor->elements() != 1) context.fail("depth must have one element");
      dispatch_dtype<NumberTypes>(tensor->dtype(), [&]<class T>() { depth = as_index(tensor->values<T>()[0]); });
    }
    if (depth.is_number() && depth.number() < 0) context.fail("depth is " + depth.to_string());
    std::vector<Dim> extents = indices.dims();
    const size_t axis = ops::normalize_axis(axis_, indices.rank() + 1);
    extents.insert(extents.begin() + static_cast<ptrdiff_t>(axis), depth);
    context.set_shape(0, extents);
  }

  void plan(PlanContext& context) const override {
    const Shape& output = context.output(0).shape;
    const ops::AxisView view(output, ops::normalize_axis(axis_, output.rank()));
    const DType index_dtype = context.input(0).dtype;
    const int64_t rows = output.elements() == 0 ? 0 : view.outer;
    ops::dispatch_width(context.output(0).dtype, [&]<class T>() {
      dispatch_dtype<NumberTypes>(index_dtype, [&]<class Index>() {
        context.range(rows, static_cast<double>(view.extent * view.inner) * 0.5 + 5,
                      [view](const TileContext& tile, int64_t begin, int64_t end) {
                        fill(tile.input<Index>(0), tile.input<T>(2), tile.output<T>(0), view, begin, end);
                      });
      });
    });
  }

 private:
  template <class Index, class T>
  static void fill(const Index* indices, const T* values, T* dst, const ops::AxisView& view, int64_t begin,
                   int64_t end) {
    const int64_t row = view.extent * view.inner;
    std::fill(dst + begin * row, dst + end * row, values[0]);
    for (int64_t i = begin * view.inner; i < end * view.inner; ++i) {
      int64_t index = as_index(indices[i]);
      if (index < 0) index += view.extent;
      if (index < 0 || index >= view.extent) continue;
      dst[i / view.inner * row + index * view.inner + i % view.inner] = values[1];
    }
  }

  int64_t axis_;
};

}  // namespace

void register_one_hot(OpRegistry& registry) {
  const DTypeSet numbers = kIntegers | kIeeeFloats;
  registry.add({.name = "OneHot",
                .versions = {9, 11},
                .signature = "indices:T1, depth:T2, values:T3 -> output:T3",
                .types = {{.name = "T1", .tensors = numbers},
                          {.name = "T2", .tensors = numbers},
                          {.name = "T3", .tensors = kClassicTypes}},
                .create = make_operator<OneHot>});
}

}  // namespace onnxrun
