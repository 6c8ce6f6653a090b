#include "ops/support/integer_conv.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "kernels/int_gemm/int_gemm.h"
#include "onnxrun/error.h"
#include "ops/support/strided_loop.h"

namespace onnxrun::ops {
namespace {

// The images of a convolution as groups of channels in signed bytes. What a window's tap meets at neighbouring output
// positions lies side by side: positions along an axis are sorted by their remainder by the stride.
class PaddedImages {
 public:
  PaddedImages(const Shape& x, const Shape& y, const WindowAttributes::Geometry& window, size_t group,
               size_t group_size)
      : window_(window),
        extents_(spatial_extents(x)),
        grid_(extents_),
        volume_(1),
        group_size_(static_cast<int64_t>(group_size)) {
    for (size_t axis = 0; axis < extents_.rank(); ++axis) {
      if (window.pad_begin[axis] < 0 || window.pad_end[axis] < 0) {
        throw Error(ErrorCode::invalid_model, "pads cannot be negative");
      }
      // A single position is never stepped from: its stride must not cost memory.
      if (y[2 + axis] == 1) window_.strides[axis] = 1;
      grid_[axis] = y[2 + axis] + (window.kernel[axis] - 1) * window.dilations[axis] / window_.strides[axis];
      multiply(volume_, grid_[axis]);
      multiply(volume_, window_.strides[axis]);
    }
    channels_ = x[1] / static_cast<int64_t>(group);
    groups_ = (channels_ + group_size_ - 1) / group_size_;
    int64_t all = volume_;
    for (const int64_t extent : {groups_, x[0], static_cast<int64_t>(group), group_size_}) multiply(all, extent);
    // Kernels read whole panels.
    bytes_ = static_cast<size_t>(all) + int_gemm_kernels().nr * int_gemm_kernels().group;
    runs_ = std::make_shared<const std::vector<Run>>(find_runs());
  }

  size_t bytes() const { return bytes_; }
  int64_t groups() const { return groups_; }  // of channels, of one image and group of the convolution
  int64_t volume() const { return volume_; }  // of one group of channels

  // Where the taps of a window are, group of channels by group.
  std::vector<int64_t> taps() const {
    const Shape kernel(window_.kernel);
    const auto grid_strides = row_major_strides(grid_);
    const auto phase_strides = row_major_strides(Shape(window_.strides));
    std::vector<int64_t> offsets;
    for (int64_t group = 0; group < groups_; ++group) {
      for (int64_t tap = 0; tap < kernel.elements(); ++tap) {
        int64_t offset = group * volume_;
        int64_t rest = tap;
        for (size_t axis = kernel.rank(); axis-- > 0; rest /= kernel[axis]) {
          const int64_t position = rest % kernel[axis] * window_.dilations[axis];
          offset += position % window_.strides[axis] * phase_strides[axis] * grid_.elements() +
                    position / window_.strides[axis] * grid_strides[axis];
        }
        offsets.push_back(offset);
      }
    }
    return offsets;
  }

  // The grid positions where rows of the output begin.
  std::vector<size_t> run_begins(const Shape& output) const {
    const auto strides = row_major_strides(grid_);
    StridedLoop<1> loop;
    for (size_t axis = 0; axis + 1 < output.rank(); ++axis) loop.add_axis(output[axis], {strides[axis]});
    std::vector<size_t> begins;
    loop.for_outer(
        0, loop.outer_count(0), [&](const auto& offset) { begins.push_back(static_cast<size_t>(offset[0])); }, 0);
    return begins;
  }

  // Fills group `index` of all images, with `zero` where there is padding.
  void fill(const uint8_t* x, bool is_signed, int32_t zero, int64_t index, int8_t* dst) const {
    const int64_t first = index % groups_ * group_size_;
    const uint8_t* planes = x + (index / groups_ * channels_ + first) * extents_.elements();
    const int64_t count = std::min(group_size_, channels_ - first);
    int8_t* to = dst + group_size_ * index * volume_;
    std::fill_n(to, group_size_ * volume_, static_cast<int8_t>(zero));
    const IntGemmKernels& kernels = int_gemm_kernels();
    for (const Run& run : *runs_) {
      fill_run(kernels, planes + run.begin, count, is_signed, run.count, to + group_size_ * run.at);
    }
  }

 private:
  static void multiply(int64_t& product, int64_t factor) {
    if (!checked_mul(product, factor, product)) throw Error(ErrorCode::limit, "the padded input is too large");
  }

  // Elements of a channel, `stride` of the last axis apart, that lie side by side in an image.
  struct Run {
    int64_t begin, count;
    int64_t at;
  };

  std::vector<Run> find_runs() const {
    std::vector<Run> runs;
    const size_t last = extents_.rank() - 1;
    const int64_t rows = extents_.elements(0, last);
    const auto grid_strides = row_major_strides(grid_);
    const auto phase_strides = row_major_strides(Shape(window_.strides));
    const int64_t stride = window_.strides[last], pad = window_.pad_begin[last];
    for (int64_t row = 0; row < rows; ++row) {
      int64_t offset = 0;
      bool is_met = true;
      int64_t rest = row;
      for (size_t axis = last; axis-- > 0; rest /= extents_[axis]) {
        const int64_t position = rest % extents_[axis] + window_.pad_begin[axis];
        const int64_t at = position / window_.strides[axis];
        is_met = is_met && at < grid_[axis];
        offset += position % window_.strides[axis] * phase_strides[axis] * grid_.elements() + at * grid_strides[axis];
      }
      for (int64_t phase = 0; is_met && phase < stride; ++phase) {
        const int64_t first = ((phase - pad) % stride + stride) % stride;
        const int64_t at = (first + pad) / stride;
        const int64_t count = std::min((extents_[last] - first + stride - 1) / stride, grid_[last] - at);
        if (count > 0) runs.push_back({row * extents_[last] + first, count, offset + phase * grid_.elements() + at});
      }
    }
    return runs;
  }

  void fill_run(const IntGemmKernels& kernels, const uint8_t* planes, int64_t count, bool is_signed, int64_t length,
                int8_t* dst) const {
    constexpr int64_t kMostInGroup = 4;
    const auto n = static_cast<size_t>(length);
    if (group_size_ == 1) return kernels.to_signed(planes, is_signed, window_.strides.back(), n, dst);
    // Weights of channels that are not there are zero: anything may stand for them.
    std::array<const void*, kMostInGroup> rows{};
    for (int64_t r = 0; r < group_size_; ++r) {
      rows[static_cast<size_t>(r)] = planes + std::min(r, count - 1) * extents_.elements();
    }
    kernels.interleave(rows.data(), is_signed, window_.strides.back(), n, dst);
  }

  WindowAttributes::Geometry window_;
  Shape extents_;  // of the input
  Shape grid_;     // positions along each axis with one remainder
  int64_t volume_;
  int64_t channels_ = 0, groups_ = 0;
  int64_t group_size_;  // channels side by side: those that the kernels multiply at once, or one
  size_t bytes_ = 0;
  std::shared_ptr<const std::vector<Run>> runs_;
};

// Weights [channels, taps] in the order of the windows.
std::vector<int64_t> weight_order(int64_t channels, int64_t taps) {
  const auto group = static_cast<int64_t>(int_gemm_kernels().group);
  std::vector<int64_t> order;
  for (int64_t first = 0; first < channels; first += group) {
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t c = first; c < first + group; ++c) order.push_back(c < channels ? c * taps + tap : -1);
    }
  }
  return order;
}

// Whether the output's positions are those of the input, given windows of one tap.
bool keeps_positions(const WindowAttributes::Geometry& window) {
  const auto all = [](const std::vector<int64_t>& values, int64_t wanted) {
    return std::all_of(values.begin(), values.end(), [wanted](int64_t value) { return value == wanted; });
  };
  return all(window.strides, 1) && all(window.pad_begin, 0) && all(window.pad_end, 0);
}

StoreSums store_as_they_are(size_t rows, size_t columns) {
  return [=](const TileContext& tile, int32_t* sums, size_t product, size_t row, size_t column, size_t n) {
    std::copy_n(sums, n, tile.output<int32_t>(0) + (product * rows + row) * columns + column);
  };
}

// The zero point of an operand, as an element of it.
int32_t zero_point(const TileContext& tile, std::optional<size_t> input, bool is_signed, size_t at) {
  if (!input) return 0;
  return is_signed ? tile.input<int8_t>(*input)[at] : tile.input<uint8_t>(*input)[at];
}

void add_image_phase(PlanContext& context, const PaddedImages& images, const IntegerWindows& windows, size_t source,
                     int64_t groups) {
  context.phase(groups, static_cast<double>(images.volume()) * 0.3, [images, windows, source](const TileContext& tile) {
    images.fill(tile.input<uint8_t>(source), windows.is_signed, windows.zero(tile), tile.tile,
                reinterpret_cast<int8_t*>(tile.shared));
  });
}

// Groups of one channel, with `rows` output channels each.
void plan_depthwise(PlanContext& context, const IntegerConv& conv, const PaddedImages& images, IntegerWindows windows,
                    size_t rows, const StoreSums& store) {
  constexpr double kNanosecondsPerTap = 0.1;
  constexpr size_t kSumsAtOnce = 4096;
  const Shape& x = context.input(conv.x).shape;
  const int64_t channels = x[0] * conv.group;
  const size_t runs = windows.run_begins.size(), length = windows.run_length;
  const size_t runs_at_once = std::clamp<size_t>(kSumsAtOnce / length, 1, runs);
  context.share(images.bytes());
  const size_t sums_at = context.scratch(runs_at_once * length * sizeof(int32_t));
  const size_t weights_at = context.scratch(windows.taps.size() * sizeof(int32_t));
  add_image_phase(context, images, windows, conv.x, channels);
  const bool is_signed = context.input(conv.w).dtype == DType::int8;
  const size_t zero_step = conv.w_zero && context.input(*conv.w_zero).elements() > 1 ? 1 : 0;
  const double cost = static_cast<double>(rows * runs * length * windows.taps.size()) * kNanosecondsPerTap;
  context.phase(channels, cost,
                [=, windows = std::move(windows), kernels = &int_gemm_kernels(), volume = images.volume(), w = conv.w,
                 w_zero = conv.w_zero, group = conv.group](const TileContext& tile) {
                  const auto* image = reinterpret_cast<const int8_t*>(tile.shared) + tile.tile * volume;
                  auto* sums = reinterpret_cast<int32_t*>(tile.scratch + sums_at);
                  auto* weights = reinterpret_cast<int32_t*>(tile.scratch + weights_at);
                  const size_t taps = windows.taps.size();
                  const int32_t x_zero = windows.zero(tile);
                  for (size_t row = 0; row < rows; ++row) {
                    const size_t channel = static_cast<size_t>(tile.tile % group) * rows + row;
                    const int32_t zero = zero_point(tile, w_zero, is_signed, channel * zero_step);
                    int32_t less = 0;
                    for (size_t t = 0; t < taps; ++t) {
                      const uint8_t bits = tile.input<uint8_t>(w)[channel * taps + t];
                      weights[t] = (is_signed ? static_cast<int8_t>(bits) : bits) - zero;
                      less += weights[t] * x_zero;
                    }
                    for (size_t first = 0; first < runs; first += runs_at_once) {
                      const size_t count = std::min(runs_at_once, runs - first);
                      for (size_t run = 0; run < count; ++run) {
                        kernels->weigh_taps(image + windows.run_begins[first + run], windows.taps.data(), weights, taps,
                                            less, length, sums + run * length);
                      }
                      store(tile, sums, static_cast<size_t>(tile.tile), row, first * length, count * length);
                    }
                  }
                });
  context.implementation("int8 depthwise");
}

}  // namespace

void plan_integer_conv(PlanContext& context, const WindowAttributes& window, const IntegerConv& conv) {
  const Shape& x = context.input(conv.x).shape;
  const Shape& w = context.input(conv.w).shape;
  const Shape& y = context.output(0).shape;
  if (y.elements() == 0) return context.phase(0, 0, [](const TileContext&) {});
  auto geometry = window.geometry(x.rank() - 2, {w.begin() + 2, w.end()});
  window.resolve_padding(geometry, spatial_extents(x));
  const auto group = static_cast<size_t>(conv.group);
  const Shape positions(spatial_extents(y));
  const auto position_count = static_cast<size_t>(positions.elements());

  IntegerProduct product;
  product.m = static_cast<size_t>(w[0]) / group;
  product.store = conv.store ? conv.store : store_as_they_are(product.m, position_count);
  const auto weights = static_cast<size_t>(w.elements(1, w.rank()));
  const size_t zero_step = conv.w_zero && context.input(*conv.w_zero).elements() > 1 ? 1 : 0;
  product.a = {conv.w, conv.w_zero, static_cast<ptrdiff_t>(weights), {}, {}, static_cast<ptrdiff_t>(zero_step), {}};
  for (size_t g = 0; g < group; ++g) {
    product.a.offsets.push_back(g * product.m * weights);
    product.a.zero_offsets.push_back(g * product.m * zero_step);
  }
  for (size_t i = 0; i < static_cast<size_t>(x[0]) * group; ++i) {
    product.a_matrix.push_back(i % group);
    product.b_matrix.push_back(i);
  }
  if (weights == static_cast<size_t>(w[1]) && keeps_positions(geometry)) {
    // Each position is a column.
    product.k = weights;
    product.n = position_count;
    product.b = {conv.x, conv.x_zero, static_cast<ptrdiff_t>(position_count), {}, {}, 0, {}};
    for (const size_t i : product.b_matrix) product.b->offsets.push_back(i * weights * position_count);
    product.b->zero_offsets.assign(product.b_matrix.size(), 0);
    return plan_integer_product(context, product);
  }
  // A product would fill but one of the channels that it multiplies at once.
  constexpr size_t kMostDepthwiseRows = 2;
  const bool is_depthwise = w[1] == 1 && product.m <= kMostDepthwiseRows;
  const PaddedImages images(x, y, geometry, group, is_depthwise ? 1 : int_gemm_kernels().group);
  IntegerWindows windows;
  windows.taps = images.taps();
  windows.image_groups = static_cast<size_t>(images.groups() * images.volume());
  windows.zero_input = conv.x_zero;
  windows.is_signed = context.input(conv.x).dtype == DType::int8;
  windows.run_begins = images.run_begins(positions);
  windows.run_length = static_cast<size_t>(positions.back());
  product.n = windows.run_begins.back() + windows.run_length;
  if (product.n == position_count) {
    windows.run_begins = {0};
    windows.run_length = product.n;
  }
  if (is_depthwise) return plan_depthwise(context, conv, images, std::move(windows), product.m, product.store);
  product.k = windows.taps.size() * int_gemm_kernels().group;
  product.a.order = weight_order(w[1], w.elements(2, w.rank()));
  product.shared_bytes = images.bytes();
  add_image_phase(context, images, windows, conv.x, x[0] * conv.group * images.groups());
  product.windows = std::move(windows);
  plan_integer_product(context, product);
}

void check_channel_parameter(const InferContext& context, size_t i, const Dim& channels) {
  if (!context.has_input(i)) return;
  const DimShape& shape = context.shape(i);
  const Dim count = shape.elements();
  if (!count.is_number() || count.is(1)) return;
  if (shape.rank() == 1 && (!channels.is_number() || count == channels)) return;
  context.fail("input " + std::to_string(i) + " has the shape " + shape.to_string() +
               " where one element is wanted, or one for each of " + channels.to_string() + " channels");
}

}  // namespace onnxrun::ops
