#include "ops/support/resample.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <type_traits>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "onnxrun/error.h"
#include "ops/support/convert.h"
#include "ops/support/element_width.h"
#include "ops/support/strided_loop.h"

namespace onnxrun::ops {
namespace {

constexpr int64_t kOutside = AxisSampling::kOutside;

// Axes without weights: rows along the last axis that changes; `inner` elements behind each position stay together.
struct Selection {
  std::vector<AxisSampling> outer;
  std::vector<ptrdiff_t> strides;  // of the source, for the outer axes
  AxisSampling row;
  int64_t row_stride = 1;  // of the source, for rows
  int64_t inner = 1;
  bool doubles = false;  // output positions 2 i and 2 i + 1 are input position i

  explicit Selection(const std::vector<AxisSampling>& axes) {
    size_t last = axes.size();
    while (last > 1 && axes[last - 1].is_identity()) inner *= axes[--last].output;
    row = axes[last - 1];
    row_stride = row.input * inner;
    outer.assign(axes.begin(), axes.begin() + static_cast<ptrdiff_t>(last) - 1);
    strides.resize(outer.size());
    int64_t stride = row_stride;
    for (size_t axis = outer.size(); axis-- > 0;) {
      strides[axis] = stride;
      stride *= outer[axis].input;
    }
    doubles = inner == 1 && row.output % 2 == 0;
    for (size_t k = 0; k < row.index.size(); ++k) doubles = doubles && row.index[k] == static_cast<int64_t>(k / 2);
  }

  int64_t row_count() const {
    int64_t count = 1;
    for (const AxisSampling& axis : outer) count *= axis.output;
    return count;
  }

  int64_t source_row(int64_t row_index) const {
    int64_t offset = 0;
    for (size_t axis = outer.size(); axis-- > 0;) {
      const int64_t position = outer[axis].index[static_cast<size_t>(row_index % outer[axis].output)];
      if (position == kOutside) return kOutside;
      offset += position * strides[axis];
      row_index /= outer[axis].output;
    }
    return offset;
  }
};

template <class T>
void select_row(const Selection& selection, const T* __restrict src, T* __restrict dst, const T& fill) {
  const AxisSampling& row = selection.row;
  if (selection.doubles) {
    for (int64_t k = 0; k < row.input; ++k) dst[2 * k] = dst[2 * k + 1] = src[k];
    return;
  }
  const int64_t inner = selection.inner;
  for (int64_t k = 0; k < row.output; ++k) {
    const int64_t position = row.index[static_cast<size_t>(k)];
    if (inner == 1) {
      dst[k] = position == kOutside ? fill : src[position];
    } else if (position == kOutside) {
      std::fill_n(dst + k * inner, inner, fill);
    } else {
      std::copy_n(src + position * inner, inner, dst + k * inner);
    }
  }
}

void plan_selection(PlanContext& context, const std::vector<AxisSampling>& axes, float extrapolation_value) {
  const auto selection = std::make_shared<const Selection>(axes);
  const DType dtype = context.output(0).dtype;
  const int64_t length = selection->row.output * selection->inner;
  dispatch_width(dtype, [&]<class T>() {
    T fill{};
    if (dtype == DType::complex64 || dtype == DType::complex128) {
      const DType part = dtype == DType::complex64 ? DType::float32 : DType::float64;
      make_convert(DType::float32, part)(&extrapolation_value, &fill, 0, 1);
    } else if (dtype != DType::string) {
      make_convert(DType::float32, dtype)(&extrapolation_value, &fill, 0, 1);
    }
    context.range(selection->row_count(), static_cast<double>(length) * 0.4 + 5,
                  [=](const TileContext& tile, int64_t begin, int64_t end) {
                    int64_t previous = kOutside;
                    for (int64_t row = begin; row < end; ++row) {
                      T* dst = tile.output<T>(0) + row * length;
                      const int64_t source = selection->source_row(row);
                      if (source == kOutside) {
                        std::fill_n(dst, length, fill);
                      } else if (source == previous && row > begin) {
                        std::copy_n(dst - length, length, dst);
                      } else {
                        select_row(*selection, tile.input<T>(0) + source, dst, fill);
                      }
                      previous = source;
                    }
                  });
  });
  context.implementation("select");
}

// One axis of a separable filter over [outer, input, inner].
template <class C>
struct Pass {
  int64_t input = 1, output = 1;
  int64_t outer = 1, inner = 1;
  size_t taps = 1;
  std::vector<int64_t> index;
  std::vector<C> weights;
  C extrapolation = 0;

  // The input positions that output positions [begin, end) look at.
  std::pair<int64_t, int64_t> reach(int64_t begin, int64_t end) const {
    int64_t low = input;
    int64_t high = 0;
    for (auto k = static_cast<size_t>(begin) * taps; k < static_cast<size_t>(end) * taps; ++k) {
      if (index[k] == kOutside) continue;
      low = std::min(low, index[k]);
      high = std::max(high, index[k] + 1);
    }
    return {std::min(low, high), high};
  }
};

template <class C>
void blend_rows(const Pass<C>& pass, size_t position, const C* __restrict src, C* __restrict dst) {
  const int64_t* index = pass.index.data() + position * pass.taps;
  const C* weights = pass.weights.data() + position * pass.taps;
  const int64_t n = pass.inner;
  if (pass.taps == 2) {
    const C* a = src + index[0] * n;
    const C* b = src + index[1] * n;
    const C wa = weights[0];
    const C wb = weights[1];
    if (wb == 0) return static_cast<void>(std::copy_n(a, n, dst));
    for (int64_t i = 0; i < n; ++i) dst[i] = wa * a[i] + wb * b[i];
    return;
  }
  std::fill_n(dst, n, C(0));
  for (size_t tap = 0; tap < pass.taps; ++tap) {
    const C* a = src + index[tap] * n;
    const C weight = weights[tap];
    if (weight == 0) continue;
    for (int64_t i = 0; i < n; ++i) dst[i] += weight * a[i];
  }
}

template <class C>
C blend_one(const Pass<C>& pass, size_t position, const C* src) {
  const int64_t* index = pass.index.data() + position * pass.taps;
  const C* weights = pass.weights.data() + position * pass.taps;
  C sum = 0;
  for (size_t tap = 0; tap < pass.taps; ++tap) sum += weights[tap] * src[index[tap]];
  return sum;
}

// Output positions [begin, end) of `outer` slices; `src` begins at input position `src_begin` and has `src_count`.
template <class C>
void run_pass(const Pass<C>& pass, const C* src, C* dst, int64_t outer, int64_t begin, int64_t end, int64_t src_begin,
              int64_t src_count) {
  for (int64_t slice = 0; slice < outer; ++slice) {
    const C* from = src + (slice * src_count - src_begin) * pass.inner;
    for (int64_t position = begin; position < end; ++position) {
      const auto at = static_cast<size_t>(position);
      if (pass.index[at * pass.taps] == kOutside) {
        std::fill_n(dst, pass.inner, pass.extrapolation);
      } else if (pass.inner == 1) {
        *dst = blend_one(pass, at, from);
      } else {
        blend_rows(pass, at, from, dst);
      }
      dst += pass.inner;
    }
  }
}

// A separable filter. Tiles are blocks of output positions of the first axis that changes, in one of `batch` slices.
template <class C>
struct Filter {
  int64_t batch = 1;
  std::vector<Pass<C>> inner;  // innermost first; `outer` counts slices in one position of the first axis
  Pass<C> first;
  int64_t row_in = 1, row_out = 1;  // elements of a position of the first axis
  int64_t block = 1;                // output positions of a tile
  int64_t longest = 0;              // elements of the largest intermediate result of a tile

  int64_t blocks() const { return ceil_div(first.output, block); }

  // Input positions that all tiles together read, and the most that one of them does.
  std::pair<int64_t, int64_t> reading(int64_t block_size) const {
    int64_t total = 0;
    int64_t most = 0;
    for (int64_t begin = 0; begin < first.output; begin += block_size) {
      const auto [low, high] = first.reach(begin, std::min(begin + block_size, first.output));
      total += high - low;
      most = std::max(most, high - low);
    }
    return {total, most};
  }

  // As many positions as fill half a second-level cache, unless far fewer are read one by one.
  void choose_block() {
    constexpr int64_t kElements = 64 * 1024;
    const int64_t per_position = row_out + row_in * std::max<int64_t>(1, first.input / first.output);
    block = std::clamp<int64_t>(kElements / std::max<int64_t>(1, per_position), 1, first.output);
    if (reading(1).first < reading(block).first) block = 1;
    int64_t widest = row_in;
    int64_t elements = row_in;
    for (const Pass<C>& pass : inner) {
      elements = elements / pass.input * pass.output;
      widest = std::max(widest, elements);
    }
    longest = std::max(reading(block).second * widest, block * row_out);
  }
};

template <class C>
Pass<C> make_pass(const AxisSampling& axis, int64_t outer, int64_t inner, float extrapolation_value) {
  Pass<C> pass;
  pass.input = axis.input;
  pass.output = axis.output;
  pass.outer = outer;
  pass.inner = inner;
  pass.taps = axis.taps;
  pass.index = axis.index;
  pass.extrapolation = static_cast<C>(extrapolation_value);
  pass.weights.assign(axis.weights.begin(), axis.weights.end());
  if (pass.weights.empty()) pass.weights.assign(pass.index.size(), C(1));
  return pass;
}

template <class C>
Filter<C> make_filter(const std::vector<AxisSampling>& axes, int64_t components, float extrapolation_value) {
  Filter<C> filter;
  size_t begin = 0;
  while (begin + 1 < axes.size() && axes[begin].is_identity()) filter.batch *= axes[begin++].output;
  filter.row_in = components;
  filter.row_out = components;
  for (size_t axis = axes.size(); axis-- > begin + 1;) {
    int64_t outer = 1;
    for (size_t before = begin + 1; before < axis; ++before) outer *= axes[before].input;
    if (!axes[axis].is_identity()) {
      filter.inner.push_back(make_pass<C>(axes[axis], outer, filter.row_out, extrapolation_value));
    }
    filter.row_in *= axes[axis].input;
    filter.row_out *= axes[axis].output;
  }
  filter.first = make_pass<C>(axes[begin], 1, filter.row_out, extrapolation_value);
  filter.choose_block();
  return filter;
}

// Resamples one tile: `src` is the batch's slice from input position `low` on, `count` of them.
template <class C>
void filter_tile(const Filter<C>& filter, const C* src, C* dst, int64_t begin, int64_t end, int64_t low, int64_t count,
                 C* scratch) {
  C* next = scratch;
  C* other = scratch + filter.longest;
  for (const Pass<C>& pass : filter.inner) {
    run_pass(pass, src, next, count * pass.outer, 0, pass.output, 0, pass.input);
    src = next;
    std::swap(next, other);
  }
  run_pass(filter.first, src, dst, 1, begin, end, low, count);
}

template <class C>
void plan_filter(PlanContext& context, const std::vector<AxisSampling>& axes, float extrapolation_value) {
  constexpr DType own = std::is_same_v<C, float> ? DType::float32 : DType::float64;
  DType dtype = context.input(0).dtype;
  const bool is_complex = dtype == DType::complex64 || dtype == DType::complex128;
  if (is_complex) dtype = own;
  const auto filter = std::make_shared<const Filter<C>>(make_filter<C>(axes, is_complex ? 2 : 1, extrapolation_value));
  const bool converts = dtype != own;
  const bool rounds = kIntegers.contains(dtype);
  const Convert from = converts ? make_convert(dtype, own) : Convert();
  const Convert to = converts ? make_convert(own, dtype) : Convert();
  const auto width = static_cast<ptrdiff_t>(bit_size(dtype)) / 8;
  const auto longest = static_cast<size_t>(filter->longest);
  const size_t scratch = context.scratch(longest * (converts ? 4 : 2) * sizeof(C));
  const int64_t blocks = filter->blocks();
  const double cost = static_cast<double>(filter->block * filter->row_out) * static_cast<double>(filter->first.taps);
  context.range(
      filter->batch * blocks, cost * (converts ? 3 : 1), [=](const TileContext& tile, int64_t first, int64_t last) {
        C* buffer = reinterpret_cast<C*>(tile.scratch + scratch);
        for (int64_t item = first; item < last; ++item) {
          const int64_t batch = item / blocks;
          const int64_t begin = item % blocks * filter->block;
          const int64_t end = std::min(begin + filter->block, filter->first.output);
          const auto [low, high] = filter->first.reach(begin, end);
          const std::byte* src =
              tile.input<std::byte>(0) + (batch * filter->first.input + low) * filter->row_in * width;
          std::byte* dst = tile.output<std::byte>(0) + (batch * filter->first.output + begin) * filter->row_out * width;
          if (!converts) {
            filter_tile(*filter, reinterpret_cast<const C*>(src), reinterpret_cast<C*>(dst), begin, end, low,
                        high - low, buffer);
            continue;
          }
          C* wide_src = buffer + 2 * longest;
          C* wide_dst = buffer + 3 * longest;
          from(src, wide_src, 0, (high - low) * filter->row_in);
          filter_tile(*filter, static_cast<const C*>(wide_src), wide_dst, begin, end, low, high - low, buffer);
          const int64_t n = (end - begin) * filter->row_out;
          if (rounds) std::transform(wide_dst, wide_dst + n, wide_dst, [](C x) { return std::nearbyint(x); });
          to(wide_dst, dst, 0, n);
        }
      });
  context.implementation("separable");
}

}  // namespace

void plan_resample(PlanContext& context, const std::vector<AxisSampling>& axes, float extrapolation_value) {
  if (context.output(0).elements() == 0) return context.phase(0, 0, [](const TileContext&) {});
  if (std::all_of(axes.begin(), axes.end(), [](const AxisSampling& axis) { return axis.is_identity(); })) {
    return context.view(0, 0);
  }
  const auto has_weights = [](const AxisSampling& axis) { return !axis.weights.empty() && !axis.is_identity(); };
  if (std::none_of(axes.begin(), axes.end(), has_weights)) return plan_selection(context, axes, extrapolation_value);
  switch (context.input(0).dtype) {
    case DType::float64:
    case DType::complex128:
    case DType::int32:
    case DType::int64:
    case DType::uint32:
    case DType::uint64:
      return plan_filter<double>(context, axes, extrapolation_value);
    case DType::string:
      throw Error(ErrorCode::invalid_model, "strings can be resized in mode nearest only");
    default:
      return plan_filter<float>(context, axes, extrapolation_value);
  }
}

}  // namespace onnxrun::ops
