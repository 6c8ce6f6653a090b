// Slice: https://onnx.ai/onnx/operators/onnx__Slice.html, versions 1 (attributes), 10 (inputs, steps), 11 (negative
// axes), 13. A view where the part lies in the input as one run.
#include <algorithm>
#include <limits>

#include "graph/content.h"
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/axes_source.h"
#include "ops/support/shape_rules.h"
#include "ops/support/strided_copy.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

// Ends from here on mean "to the end" where the extent is symbolic.
constexpr int64_t kFar = std::numeric_limits<int32_t>::max();

// One axis: elements begin, begin + step, ...; `count` of them.
struct AxisSlice {
  int64_t begin = 0;
  int64_t count = 0;
  int64_t step = 1;
};

AxisSlice resolve(int64_t start, int64_t end, int64_t step, int64_t extent) {
  // Sums saturate: ends are often the largest integer.
  const auto wrap = [&](int64_t index) { return index < 0 ? index + extent : index; };
  if (step > 0) {
    const int64_t begin = std::clamp<int64_t>(wrap(start), 0, extent);
    const int64_t past = std::clamp<int64_t>(wrap(end), 0, extent);
    return {begin, begin < past ? (past - begin - 1) / step + 1 : 0, step};
  }
  const int64_t begin = std::clamp<int64_t>(wrap(start), -1, extent - 1);
  const int64_t past = std::clamp<int64_t>(wrap(end), -1, extent - 1);
  // The smallest integer has no negative.
  const uint64_t stride = uint64_t{0} - static_cast<uint64_t>(step);
  const auto distance = static_cast<uint64_t>(begin - past);
  return {begin, begin > past ? static_cast<int64_t>((distance - 1) / stride) + 1 : 0, step};
}

class Slice : public Operator {
 public:
  explicit Slice(AttributeReader& attributes)
      : starts_(attributes, "starts", 1, 10),
        ends_(attributes, "ends", 2, 10),
        axes_(attributes, "axes", 3, 10),
        steps_(attributes, "steps", 4, 1) {}

  void infer(InferContext& context) const override {
    const DimShape& shape = context.shape(0);
    if (!shape.has_rank()) return;
    const Ranges ranges = read(context, shape.rank());
    if (!ranges.is_known) return infer_symbolic(context, shape, ranges);
    DimShape result = shape;
    std::vector<AxisSlice> parts(shape.rank());  // where the input's shape is known
    for (size_t axis = 0; axis < shape.rank(); ++axis) parts[axis] = {0, shape[axis].number_or_negative(), 1};
    for (size_t k = 0; k < ranges.axes.size(); ++k) {
      const Dim& extent = shape[ranges.axes[k]];
      if (extent.is_number()) {
        const AxisSlice part = resolve(ranges.starts[k], ranges.ends[k], ranges.steps[k], extent.number());
        parts[ranges.axes[k]] = part;
        result[ranges.axes[k]] = part.count;
      } else {
        result[ranges.axes[k]] = symbolic(ranges.starts[k], ranges.ends[k], ranges.steps[k], extent);
      }
    }
    if (const Content* content = context.content(0); content && shape.is_concrete()) {
      set_content(context, *content, shape.concrete(), parts);
    }
    context.set_shape(0, result);
  }

  void plan(PlanContext& context) const override {
    const Shape& shape = context.input(0).shape;
    const Ranges ranges = read(context, shape.rank());
    std::vector<AxisSlice> parts;
    for (const int64_t extent : shape) parts.push_back({0, extent, 1});
    for (size_t k = 0; k < ranges.axes.size(); ++k) {
      parts[ranges.axes[k]] = resolve(ranges.starts[k], ranges.ends[k], ranges.steps[k], shape[ranges.axes[k]]);
    }
    const auto strides = ops::row_major_strides(shape);
    const auto target = ops::row_major_strides(context.output(0).shape);
    ops::StridedCopy copy;
    for (size_t axis = 0; axis < shape.rank(); ++axis) {
      const AxisSlice& part = parts[axis];
      copy.src_offset += part.begin * strides[axis];
      // A single element needs no step, whose product with the stride may overflow.
      copy.add_axis(part.count, part.count > 1 ? part.step * strides[axis] : 0, target[axis]);
    }
    ops::plan_part(context, 0, 0, copy);
  }

 private:
  struct Ranges {
    bool is_known = false;
    std::vector<size_t> axes;  // normalised; known before the others
    std::vector<int64_t> starts, ends, steps;
  };

  template <class Context>
  Ranges read(Context& context, size_t rank) const {
    const auto starts = starts_.read(context);
    const auto ends = ends_.read(context);
    const auto axes = axes_.read(context);
    const auto steps = steps_.read(context);
    Ranges ranges;
    if (!axes.is_known) return ranges;
    std::vector<int64_t> given = axes.values;
    const size_t count = starts.is_known ? starts.values.size() : ends.values.size();
    if (!axes.is_given) {
      for (size_t axis = 0; axis < count; ++axis) given.push_back(static_cast<int64_t>(axis));
    }
    ranges.axes = ops::normalize_axes(given, rank);
    if (!starts.is_known || !ends.is_known || !steps.is_known) return ranges;
    ranges.is_known = true;
    ranges.starts = starts.values;
    ranges.ends = ends.values;
    ranges.steps = steps.is_given ? steps.values : std::vector<int64_t>(given.size(), 1);
    check_sizes(ranges);
    return ranges;
  }

  static void check_sizes(const Ranges& ranges) {
    const size_t count = ranges.axes.size();
    if (ranges.starts.size() != count || ranges.ends.size() != count || ranges.steps.size() != count) {
      throw Error(ErrorCode::invalid_model, "starts, ends, axes and steps differ in length");
    }
    if (std::find(ranges.steps.begin(), ranges.steps.end(), 0) != ranges.steps.end()) {
      throw Error(ErrorCode::invalid_model, "steps has a 0");
    }
  }

  // Where starts and ends are extents themselves, as in positions[:, :sequence].
  void infer_symbolic(InferContext& context, const DimShape& shape, const Ranges& ranges) const {
    DimShape result = ranges.axes.empty() ? DimShape::of_rank(shape.rank()) : shape;
    const auto bounds = [&](size_t i) {
      return starts_.is_input() && context.has_input(i) ? context.content(i) : nullptr;
    };
    const Content* starts = bounds(1);
    const Content* ends = bounds(2);
    const auto steps = ops::numbers(bounds(4));
    const bool has_steps = starts_.is_input() && context.has_input(4);
    for (size_t k = 0; k < ranges.axes.size(); ++k) {
      Dim& extent = result[ranges.axes[k]];
      const bool from_begin = starts && k < starts->size() && (*starts)[k].is(0);
      const bool each = !has_steps || (steps && k < steps->size() && (*steps)[k] == 1);
      const bool is_cut = from_begin && each && ends && k < ends->size() && (*ends)[k].is_natural();
      extent = is_cut ? min(extent, (*ends)[k]) : Dim::unknown();
    }
    context.set_shape(0, result);
  }

  static void set_content(InferContext& context, const Content& content, const Shape& shape,
                          const std::vector<AxisSlice>& parts) {
    const auto strides = ops::row_major_strides(shape);
    std::vector<int64_t> extents, steps;
    int64_t offset = 0;
    for (size_t axis = 0; axis < parts.size(); ++axis) {
      extents.push_back(parts[axis].count);
      steps.push_back(parts[axis].count > 1 ? parts[axis].step * strides[axis] : 0);
      offset += parts[axis].begin * strides[axis];
    }
    context.set_content(0, strided_content(content, extents, steps, offset));
  }

  // The common forms over a symbolic extent: [n:], [:-n], [-n:], [:].
  static Dim symbolic(int64_t start, int64_t end, int64_t step, const Dim& extent) {
    if (step != 1) return start == 0 && end >= kFar && step > 0 ? ceil_div(extent, step) : Dim::unknown();
    const bool to_end = end >= kFar;
    if (start == 0 && to_end) return extent;
    if (start == 0 && end < 0) return max(extent + Dim(end), 0);
    if (start == 0) return min(extent, end);
    if (start > 0 && to_end) return max(extent - Dim(start), 0);
    if (start < 0 && start > -kFar && to_end) return min(extent, -start);
    return Dim::unknown();
  }

  ops::AxesSource starts_;
  ops::AxesSource ends_;
  ops::AxesSource axes_;
  ops::AxesSource steps_;
};

}  // namespace

void register_slice(OpRegistry& registry) {
  ops::add_versions(
      registry, {.name = "Slice", .versions = {1}, .signature = "data:T -> output:T", .create = make_operator<Slice>});
  ops::add_versions(registry, {.name = "Slice",
                               .versions = {10, 11, 13},
                               .signature = "data:T, starts:Tind, ends:Tind, axes:Tind?, steps:Tind? -> output:T",
                               .types = {{.name = "Tind", .tensors = {DType::int32, DType::int64}}},
                               .create = make_operator<Slice>});
}

}  // namespace onnxrun
