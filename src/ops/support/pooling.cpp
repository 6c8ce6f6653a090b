#include "ops/support/pooling.h"

#include <algorithm>
#include <numeric>

#include "onnxrun/error.h"

namespace onnxrun::ops {
namespace {

int64_t product(const std::vector<int64_t>& extents) {
  return std::accumulate(extents.begin(), extents.end(), int64_t{1}, std::multiplies<>());
}

// Outputs o with 0 <= o * stride + shift < extent, cut to [0, outputs).
std::pair<int64_t, int64_t> inside(int64_t shift, int64_t stride, int64_t extent, int64_t outputs) {
  const int64_t begin = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
  const int64_t end = shift >= extent ? 0 : (extent - shift + stride - 1) / stride;
  return {begin, std::clamp(end, begin, std::max(begin, outputs))};
}

void add_columns(Pooling& pooling) {
  const WindowAttributes::Geometry& window = pooling.window;
  const size_t last = pooling.output.size() - 1;
  const int64_t stride = window.strides[last];
  for (int64_t column = 0; column < window.kernel[last]; ++column) {
    const int64_t shift = column * window.dilations[last] - window.pad_begin[last];
    const auto [begin, end] = inside(shift, stride, pooling.input[last], pooling.output[last]);
    if (begin < end) pooling.columns.push_back({begin, end, begin * stride + shift, stride});
  }
}

void add_taps(Pooling& pooling, int64_t row) {
  const WindowAttributes::Geometry& window = pooling.window;
  const size_t last = pooling.output.size() - 1;
  std::vector<int64_t> position(last);
  for (size_t axis = last; axis-- > 0;) {
    position[axis] = row % pooling.output[axis];
    row /= pooling.output[axis];
  }
  std::vector<int64_t> tap(last, 0);
  for (;;) {
    int64_t offset = 0;
    bool is_inside = true;
    for (size_t axis = 0; axis < last; ++axis) {
      const int64_t index =
          position[axis] * window.strides[axis] - window.pad_begin[axis] + tap[axis] * window.dilations[axis];
      is_inside = is_inside && index >= 0 && index < pooling.input[axis];
      offset = offset * pooling.input[axis] + index;
    }
    if (is_inside) {
      const int64_t first = offset * pooling.input[last];
      pooling.all_rows.push_back(first);
      for (Pooling::Tap column : pooling.columns) {
        column.offset += first;
        pooling.all_taps.push_back(column);
      }
    }
    size_t axis = last;
    while (axis > 0 && ++tap[axis - 1] == window.kernel[axis - 1]) tap[--axis] = 0;
    if (axis == 0) return;
  }
}

}  // namespace

int64_t Pooling::input_size() const { return product(input); }
int64_t Pooling::output_size() const { return product(output); }
int64_t Pooling::row_count() const { return product({output.begin(), output.end() - 1}); }

std::span<const Pooling::Tap> Pooling::taps(int64_t row) const {
  const auto index = static_cast<size_t>(row);
  const size_t begin = row_begin[index] * columns.size(), end = row_begin[index + 1] * columns.size();
  return std::span(all_taps).subspan(begin, end - begin);
}

std::span<const int64_t> Pooling::input_rows(int64_t row) const {
  const auto index = static_cast<size_t>(row);
  return std::span(all_rows).subspan(row_begin[index], row_begin[index + 1] - row_begin[index]);
}

std::vector<int64_t> Pooling::tap_counts(size_t axis, bool with_padding) const {
  std::vector<int64_t> counts;
  for (int64_t position = 0; position < output[axis]; ++position) {
    int64_t count = 0;
    for (int64_t tap = 0; tap < window.kernel[axis]; ++tap) {
      const int64_t index = position * window.strides[axis] - window.pad_begin[axis] + tap * window.dilations[axis];
      const bool counts_here =
          with_padding ? index < input[axis] + window.pad_end[axis] : index >= 0 && index < input[axis];
      count += counts_here ? 1 : 0;
    }
    counts.push_back(count);
  }
  return counts;
}

std::vector<int64_t> Pooling::window_sizes(bool with_padding) const {
  std::vector<int64_t> sizes{1};
  for (size_t axis = 0; axis < output.size(); ++axis) {
    std::vector<int64_t> next;
    for (const int64_t size : sizes) {
      for (const int64_t count : tap_counts(axis, with_padding)) next.push_back(size * count);
    }
    sizes = std::move(next);
  }
  return sizes;
}

std::shared_ptr<const Pooling> make_pooling(const WindowAttributes& attributes, std::vector<int64_t> input,
                                            std::vector<int64_t> output) {
  auto pooling = std::make_shared<Pooling>();
  pooling->input = std::move(input);
  pooling->output = std::move(output);
  pooling->window = attributes.geometry(pooling->input.size());
  attributes.resolve_padding(pooling->window, pooling->input);
  add_columns(*pooling);
  for (int64_t row = 0; row < pooling->row_count(); ++row) {
    pooling->row_begin.push_back(pooling->all_rows.size());
    add_taps(*pooling, row);
  }
  pooling->row_begin.push_back(pooling->all_rows.size());
  return pooling;
}

std::shared_ptr<const Pooling> make_pooling(const PlanContext& context, const WindowAttributes& attributes) {
  return make_pooling(attributes, spatial_extents(context.input(0).shape), spatial_extents(context.output(0).shape));
}

void infer_pool(InferContext& context, const WindowAttributes& attributes) {
  const DimShape& x = context.shape(0);
  if (!x.has_rank()) return;
  if (x.rank() < 3)
    context.fail("a pool takes [N, C, ...] with a spatial axis, the input has rank " + std::to_string(x.rank()));
  const auto geometry = attributes.geometry(x.rank() - 2);
  std::vector<Dim> shape{x[0], x[1]};
  for (size_t axis = 2; axis < x.rank(); ++axis) shape.push_back(attributes.output_extent(geometry, axis - 2, x[axis]));
  for (size_t j = 0; j < context.output_count(); ++j) context.set_shape(j, shape);
}

}  // namespace onnxrun::ops
