#include "ops/support/pooling.h"

#include <algorithm>
#include <numeric>

#include "base/checked.h"
#include "kernels/conv/blocked_conv.h"
#include "onnxrun/error.h"

namespace onnxrun::ops {
namespace {

int64_t product(std::span<const int64_t> extents) {
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
int64_t Pooling::row_count() const { return product(std::span(output).first(output.size() - 1)); }

std::span<const Pooling::Tap> Pooling::taps(int64_t row) const {
  const auto index = static_cast<size_t>(row);
  const size_t begin = row_begin[index] * columns.size(), end = row_begin[index + 1] * columns.size();
  return std::span(all_taps).subspan(begin, end - begin);
}

std::span<const int64_t> Pooling::input_rows(int64_t row) const {
  const auto index = static_cast<size_t>(row);
  return std::span(all_rows).subspan(row_begin[index], row_begin[index + 1] - row_begin[index]);
}

WindowRow Pooling::window_row(const float* src, float* dst) const {
  const size_t last = output.size() - 1;
  const auto size = [](int64_t extent) { return static_cast<size_t>(extent); };
  WindowRow result;
  result.src = src;
  result.width = size(input[last]);
  result.before = size(std::max<int64_t>(0, window.pad_begin[last]));
  result.skipped = size(std::max<int64_t>(0, -window.pad_begin[last]));
  result.stride = size(window.strides[last]);
  result.dilation = size(window.dilations[last]);
  result.taps = size(window.kernel[last]);
  result.count = size(output[last]);
  const int64_t reach = (window.kernel[last] - 1) * window.dilations[last] - window.pad_begin[last];
  const auto begins = inside(-window.pad_begin[last], window.strides[last], input[last], output[last]);
  const auto ends = inside(reach, window.strides[last], input[last], output[last]);
  result.inside_end = size(std::min({begins.second, ends.second, output[last]}));
  result.inside_begin = std::min(size(std::max(begins.first, ends.first)), result.inside_end);
  result.dst = dst;
  return result;
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

namespace {

// Maps [N, C] in blocks of channels, which are turned into vectors and back in the second level cache.
class BlockedWindows {
 public:
  BlockedWindows(PlanContext& context, std::shared_ptr<const Pooling> pooling, WindowJoin join)
      : pooling_(std::move(pooling)),
        join_(std::move(join)),
        channels_(context.input(0).shape[1]),
        block_(static_cast<int64_t>(channel_block())),
        buffer_(static_cast<int64_t>(pooling_->window_buffer()) * block_) {
    const int64_t floats = (pooling_->input_size() + pooling_->output_size()) * block_ + buffer_;
    context.scratch(static_cast<size_t>(floats) * sizeof(float));
  }

  static bool pays(const Shape& x, const Pooling& pooling) {
    constexpr size_t kBytes = size_t{1} << 20;
    const size_t bytes = static_cast<size_t>(pooling.input_size()) * channel_block() * sizeof(float);
    return x.rank() > 3 && x[1] >= static_cast<int64_t>(channel_block()) && bytes <= kBytes;
  }

  int64_t blocks() const { return ceil_div(channels_, block_); }

  void run(const TileContext& tile, int64_t begin, int64_t end) const {
    auto* buffer = reinterpret_cast<float*>(tile.scratch);
    float* x = buffer + buffer_;
    float* y = x + pooling_->input_size() * block_;
    std::fill(buffer, x, join_.none);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i / blocks() * channels_ + i % blocks() * block_;
      const int64_t count = std::min(block_, channels_ - i % blocks() * block_);
      run_block(tile.input<float>(0) + first * pooling_->input_size(), static_cast<size_t>(count), buffer, x, y,
                tile.output<float>(0) + first * pooling_->output_size());
    }
  }

 private:
  void run_block(const float* src, size_t channels, float* buffer, float* x, float* y, float* dst) const {
    const auto inputs = static_cast<size_t>(pooling_->input_size());
    const auto outputs = static_cast<size_t>(pooling_->output_size());
    block_channels(src, x, channels, inputs, 0, 1);
    join_windows(*pooling_, join_, join_.blocks, x, y, buffer);
    unblock_channels(y, dst, channels, outputs, 0, 1);
  }

  std::shared_ptr<const Pooling> pooling_;
  WindowJoin join_;
  int64_t channels_, block_;
  int64_t buffer_;  // floats
};

}  // namespace

WindowJoin WindowJoin::max() {
  return {window_kernels().max, window_kernels().max_blocks, WindowKernels::kNoMax, {}, {}};
}

WindowJoin WindowJoin::mean(const Pooling& pooling, bool count_padding) {
  WindowJoin join = {window_kernels().sum, window_kernels().sum_blocks, WindowKernels::kNoSum, {}, {}};
  for (const int64_t count : pooling.window_sizes(count_padding)) {
    join.divisors.push_back(static_cast<float>(std::max<int64_t>(1, count)));
    join.reciprocals.push_back(1 / join.divisors.back());
  }
  return join;
}

void join_windows(const Pooling& pooling, const WindowJoin& join, WindowJoin::Kernel kernel, const float* src,
                  float* dst, float* buffer) {
  const int64_t columns = pooling.output.back();
  const int64_t width = kernel == join.plain ? 1 : static_cast<int64_t>(channel_block());
  WindowRow window = pooling.window_row(src, dst);
  for (int64_t row = 0; row < pooling.row_count(); ++row, window.dst += columns * width) {
    const auto first = pooling.input_rows(row);
    window.rows = first.data();
    window.row_count = first.size();
    if (!join.divisors.empty()) {
      window.divisors = join.divisors.data() + row * columns;
      window.reciprocals = join.reciprocals.data() + row * columns;
    }
    kernel(window, buffer);
  }
}

void plan_windows(PlanContext& context, const std::shared_ptr<const Pooling>& pooling, const WindowJoin& join) {
  const Shape& x = context.input(0).shape;
  const double cost = static_cast<double>(pooling->output_size());
  if (BlockedWindows::pays(x, *pooling)) {
    const auto windows = std::make_shared<const BlockedWindows>(context, pooling, join);
    context.range(x[0] * windows->blocks(), cost * static_cast<double>(channel_block()),
                  [windows](const TileContext& tile, int64_t begin, int64_t end) { windows->run(tile, begin, end); });
    return;
  }
  const size_t buffer = pooling->window_buffer();
  context.scratch(buffer * sizeof(float));
  context.range(x[0] * x[1], cost, [=](const TileContext& tile, int64_t begin, int64_t end) {
    auto* memory = reinterpret_cast<float*>(tile.scratch);
    std::fill_n(memory, buffer, join.none);
    for (int64_t map = begin; map < end; ++map) {
      join_windows(*pooling, join, join.plain, tile.input<float>(0) + map * pooling->input_size(),
                   tile.output<float>(0) + map * pooling->output_size(), memory);
    }
  });
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
