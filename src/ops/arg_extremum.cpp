// ArgMax, ArgMin: https://onnx.ai/onnx/operators/onnx__ArgMax.html, versions 1, 11 (negative axis), 12
// (select_last_index), 13. The first NaN counts as the extremum, as in numpy.
#include <algorithm>
#include <limits>
#include <type_traits>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/axis_view.h"
#include "ops/support/find_largest.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

constexpr int64_t kColumns = 128;  // neighbours that are scanned together

template <bool Largest>
struct Better {
  bool last;

  template <class T>
  bool operator()(T candidate, T best) const {
    if (best != best) return last && candidate != candidate;
    if (candidate != candidate) return true;
    return Largest ? candidate > best || (last && candidate == best) : candidate < best || (last && candidate == best);
  }
};

// Positions for `width` neighbouring columns of [extent, inner].
template <class T, class B>
void scan_columns(const T* src, int64_t extent, int64_t inner, int64_t width, int64_t* dst, const B& better) {
  T best[kColumns];
  std::copy_n(src, width, best);
  std::fill_n(dst, width, int64_t{0});
  for (int64_t k = 1; k < extent; ++k) {
    const T* row = src + k * inner;
    for (int64_t c = 0; c < width; ++c) {
      if (!better(row[c], best[c])) continue;
      best[c] = row[c];
      dst[c] = k;
    }
  }
}

// The same for floats, without a branch.
template <bool Largest>
void scan_columns(const float* src, int64_t extent, int64_t inner, int64_t width, int64_t* dst,
                  const Better<Largest>& better) {
  float best[kColumns];
  int32_t at[kColumns] = {};
  std::copy_n(src, width, best);
  const auto scan = [&](auto last) {
    for (int32_t k = 1; k < extent; ++k) {
      const float* row = src + k * inner;
      for (int64_t c = 0; c < width; ++c) {
        const float x = row[c], y = best[c];
        const bool is_behind = Largest ? (last ? x < y : x <= y) : (last ? x > y : x >= y);  // false for a NaN
        const bool stays = is_behind | ((y != y) & !(last & (x != x)));
        best[c] = stays ? y : x;
        at[c] = stays ? at[c] : k;
      }
    }
  };
  if (better.last) {
    scan(std::true_type());
  } else {
    scan(std::false_type());
  }
  std::copy_n(at, width, dst);
}

template <bool Largest>
class ArgExtremum : public Operator {
 public:
  explicit ArgExtremum(AttributeReader& attributes)
      : axis_(attributes.integer("axis", 0)), keep_(attributes.flag("keepdims", true)) {
    if (attributes.version() >= 12) better_.last = attributes.flag("select_last_index", false);
  }

  void infer(InferContext& context) const override {
    const DimShape& shape = context.shape(0);
    context.set_dtype(0, DType::int64);
    if (!shape.has_rank()) return;
    const size_t axis = ops::normalize_axis(axis_, shape.rank());
    if (shape[axis].is(0)) context.fail("there is nothing along axis " + std::to_string(axis));
    std::vector<Dim> extents = shape.dims();
    extents[axis] = 1;
    if (!keep_) extents.erase(extents.begin() + static_cast<ptrdiff_t>(axis));
    context.set_shape(0, extents);
  }

  void plan(PlanContext& context) const override {
    const ops::AxisView view(context.input(0).shape, ops::normalize_axis(axis_, context.input(0).shape.rank()));
    const int64_t pieces = (view.inner + kColumns - 1) / kColumns;
    const auto width = static_cast<double>(std::min(view.inner, kColumns));
    dispatch_dtype<NumberTypes>(context.input(0).dtype, [&]<class T>() {
      context.range(view.outer * pieces, static_cast<double>(view.extent) * width * 0.7 + 5,
                    [=, better = better_](const TileContext& tile, int64_t begin, int64_t end) {
                      for (int64_t item = begin; item < end; ++item) {
                        const int64_t outer = item / pieces;
                        const int64_t first = item % pieces * kColumns;
                        const T* src = tile.input<T>(0) + outer * view.extent * view.inner + first;
                        int64_t* dst = tile.output<int64_t>(0) + outer * view.inner + first;
                        if constexpr (Largest && std::is_same_v<T, float>) {
                          if (view.inner == 1) {
                            *dst = ops::find_largest(src, view.extent, better.last);
                            continue;
                          }
                        }
                        const int64_t count = std::min(kColumns, view.inner - first);
                        if constexpr (std::is_same_v<T, float>) {
                          if (view.extent <= std::numeric_limits<int32_t>::max()) {
                            scan_columns<Largest>(src, view.extent, view.inner, count, dst, better);
                            continue;
                          }
                        }
                        scan_columns(src, view.extent, view.inner, count, dst, better);
                      }
                    });
    });
  }

 private:
  int64_t axis_;
  bool keep_;
  Better<Largest> better_{false};
};

template <bool Largest>
void add(OpRegistry& registry, std::string_view name) {
  for (const int64_t version : {1, 11, 12, 13}) {
    registry.add({.name = name,
                  .versions = {version},
                  .signature = "data:T -> reduced:int64",
                  .types = {{.name = "T", .tensors = version < 13 ? kIntegers | kIeeeFloats : kNumbers}},
                  .create = make_operator<ArgExtremum<Largest>>});
  }
}

}  // namespace

void register_arg_extremum(OpRegistry& registry) {
  add<true>(registry, "ArgMax");
  add<false>(registry, "ArgMin");
}

}  // namespace onnxrun
