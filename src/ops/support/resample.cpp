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

// Axes without weights: rows along the last axis that changes, `inner` elements behind each position staying together.
struct Selection {
  std::vector<int64_t> sources;  // where the rows of one slice of the axes before the first that changes come from
  int64_t slices = 1, slice_stride = 1;
  AxisSampling row;
  int64_t inner = 1;
  bool doubles = false;  // output positions 2 i and 2 i + 1 are input position i

  explicit Selection(const std::vector<AxisSampling>& axes) {
    size_t begin = 0;
    size_t last = axes.size() - 1;
    while (begin < last && axes[begin].is_identity()) slices *= axes[begin++].output;
    while (last > begin && axes[last].is_identity()) inner *= axes[last--].output;
    row = axes[last];
    sources = {0};
    for (size_t axis = begin; axis < last; ++axis) append(axes[axis]);
    for (int64_t& source : sources) {
      if (source != kOutside) source *= row.input * inner;
    }
    slice_stride = row.input * inner;
    for (size_t axis = begin; axis < last; ++axis) slice_stride *= axes[axis].input;
    doubles = inner == 1 && row.output % 2 == 0;
    for (size_t k = 0; k < row.index.size(); ++k) doubles = doubles && row.index[k] == static_cast<int64_t>(k / 2);
  }

  int64_t row_count() const { return slices * static_cast<int64_t>(sources.size()); }

 private:
  void append(const AxisSampling& axis) {
    std::vector<int64_t> next;
    for (const int64_t source : sources) {
      for (const int64_t position : axis.index) {
        next.push_back(source == kOutside || position == kOutside ? kOutside : source * axis.input + position);
      }
    }
    sources = std::move(next);
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
                    const auto rows = static_cast<int64_t>(selection->sources.size());
                    const T* src = tile.input<T>(0) + begin / rows * selection->slice_stride;
                    const T* previous = nullptr;
                    for (int64_t row = begin, r = begin % rows; row < end; ++row) {
                      T* dst = tile.output<T>(0) + row * length;
                      const int64_t source = selection->sources[static_cast<size_t>(r)];
                      const T* from = source == kOutside ? nullptr : src + source;
                      if (!from) {
                        std::fill_n(dst, length, fill);
                      } else if (from == previous) {
                        std::copy_n(dst - length, length, dst);
                      } else {
                        select_row(*selection, from, dst, fill);
                      }
                      previous = from;
                      if (++r == rows) {
                        r = 0;
                        src += selection->slice_stride;
                      }
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
  bool has_outside = false;
  // Input positions whose two output positions have the weights of the first of them, and taps that move along.
  int64_t doubled_begin = 0, doubled_end = 0;

  void find_doubled() {
    if (inner != 1 || taps != 2 || has_outside || output != 2 * input || input < 8) return;
    const auto continues = [this](int64_t i) {
      for (auto k = static_cast<size_t>(i) * 4; k < static_cast<size_t>(i + 1) * 4; ++k) {
        if (weights[k] != weights[k + 4] || index[k] + 1 != index[k + 4]) return false;
      }
      return true;
    };
    const auto is_pair = [this](size_t k) { return index[k] + 1 == index[k + 1]; };
    doubled_begin = 1;
    doubled_end = 2;
    while (doubled_end + 1 < input && continues(doubled_end - 1)) ++doubled_end;
    if (!is_pair(4) || !is_pair(6)) doubled_end = doubled_begin;
  }

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

// Rows of `inner` elements: of two taps, of any number.
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
    for (int64_t i = 0; i < n; ++i) dst[i] = wa * a[i] + wb * b[i];
    return;
  }
  std::fill_n(dst, n, C(0));
  for (size_t tap = 0; tap < pass.taps; ++tap) {
    const C* a = src + index[tap] * n;
    const C weight = weights[tap];
    for (int64_t i = 0; i < n; ++i) dst[i] += weight * a[i];
  }
}

// Positions [begin, end) of single elements, or of a few of them side by side.
template <class C, int kInner, int kTaps>
void blend_elements(const Pass<C>& pass, const C* __restrict src, C* __restrict dst, int64_t begin, int64_t end) {
  const int64_t* index = pass.index.data() + begin * kTaps;
  const C* weights = pass.weights.data() + begin * kTaps;
  for (int64_t position = begin; position < end; ++position, index += kTaps, weights += kTaps, dst += kInner) {
    for (int k = 0; k < kInner; ++k) {
      C sum = weights[0] * src[index[0] * kInner + k];
      for (int tap = 1; tap < kTaps; ++tap) sum += weights[tap] * src[index[tap] * kInner + k];
      dst[k] = sum;
    }
  }
}

// The same with any number of taps, in four chains for each element.
template <class C>
void blend_elements(const Pass<C>& pass, const C* __restrict src, C* __restrict dst, int64_t begin, int64_t end) {
  const auto taps = static_cast<int64_t>(pass.taps);
  const int64_t n = pass.inner;
  for (int64_t position = begin; position < end; ++position) {
    const int64_t* index = pass.index.data() + position * taps;
    const C* weights = pass.weights.data() + position * taps;
    for (int64_t k = 0; k < n; ++k) {
      C chains[4] = {};
      int64_t tap = 0;
      if (n == 1 && index[taps - 1] - index[0] == taps - 1) {
        const C* run = src + index[0];
        for (; tap + 4 <= taps; tap += 4) {
          for (int64_t c = 0; c < 4; ++c) chains[c] += weights[tap + c] * run[tap + c];
        }
      }
      for (; tap + 4 <= taps; tap += 4) {
        for (int64_t c = 0; c < 4; ++c) chains[c] += weights[tap + c] * src[index[tap + c] * n + k];
      }
      for (; tap < taps; ++tap) chains[0] += weights[tap] * src[index[tap] * n + k];
      *dst++ = (chains[0] + chains[1]) + (chains[2] + chains[3]);
    }
  }
}

// Twice the extent by two taps, whose weights alternate but for the ends: runs over even and odd positions together.
template <class C>
void blend_doubled(const Pass<C>& pass, const C* __restrict src, C* __restrict dst) {
  const int64_t begin = 2 * pass.doubled_begin;
  const int64_t end = 2 * pass.doubled_end;
  blend_elements<C, 1, 2>(pass, src, dst, 0, begin);
  const int64_t* index = pass.index.data() + begin * 2;
  const C* weights = pass.weights.data() + begin * 2;
  const C w0 = weights[0], w1 = weights[1], w2 = weights[2], w3 = weights[3];
  const C* even = src + index[0];
  const C* odd = src + index[2];
  C* out = dst + begin;
  for (int64_t i = 0; i < (end - begin) / 2; ++i) {
    out[2 * i] = w0 * even[i] + w1 * even[i + 1];
    out[2 * i + 1] = w2 * odd[i] + w3 * odd[i + 1];
  }
  blend_elements<C, 1, 2>(pass, src, dst + end, end, pass.output);
}

// Positions [begin, end) of a slice.
template <class C>
void run_positions(const Pass<C>& pass, const C* src, C* dst, int64_t begin, int64_t end) {
  if (pass.doubled_begin < pass.doubled_end && begin == 0 && end == pass.output) return blend_doubled(pass, src, dst);
  if (pass.inner == 1 && pass.taps == 2) return blend_elements<C, 1, 2>(pass, src, dst, begin, end);
  if (pass.inner == 1 && pass.taps == 4) return blend_elements<C, 1, 4>(pass, src, dst, begin, end);
  if (pass.inner == 3 && pass.taps == 2) return blend_elements<C, 3, 2>(pass, src, dst, begin, end);
  if (pass.inner < 8) return blend_elements(pass, src, dst, begin, end);
  for (int64_t position = begin; position < end; ++position, dst += pass.inner) {
    blend_rows(pass, static_cast<size_t>(position), src, dst);
  }
}

// Output positions [begin, end) of `outer` slices; `src` begins at input position `src_begin` and has `src_count`.
template <class C>
void run_pass(const Pass<C>& pass, const C* src, C* dst, int64_t outer, int64_t begin, int64_t end, int64_t src_begin,
              int64_t src_count) {
  for (int64_t slice = 0; slice < outer; ++slice) {
    const C* from = src + (slice * src_count - src_begin) * pass.inner;
    if (!pass.has_outside) {
      run_positions(pass, from, dst, begin, end);
      dst += (end - begin) * pass.inner;
      continue;
    }
    for (int64_t position = begin; position < end; ++position, dst += pass.inner) {
      if (pass.index[static_cast<size_t>(position) * pass.taps] == kOutside) {
        std::fill_n(dst, pass.inner, pass.extrapolation);
      } else {
        run_positions(pass, from, dst, position, position + 1);
      }
    }
  }
}

// A separable filter. Tiles are blocks of output positions of the first axis that changes, in one of `batch` slices.
template <class C>
struct Filter {
  int64_t batch = 1;
  std::vector<Pass<C>> inner;  // innermost first; `outer` counts slices in one position of the first axis
  Pass<C> first;               // of the first axis: in front of the others where it leaves less for them to do
  bool begins_with_first = false;
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
    constexpr int64_t kElements = int64_t{64} * 1024;
    const int64_t per_position = row_out + row_in * std::max<int64_t>(1, first.input / first.output);
    block = std::clamp<int64_t>(kElements / std::max<int64_t>(1, per_position), 1, first.output);
    if (reading(1).first < reading(block).first) block = 1;
    int64_t widest = row_in;
    int64_t elements = row_in;
    for (const Pass<C>& pass : inner) {
      elements = elements / pass.input * pass.output;
      widest = std::max(widest, elements);
    }
    longest = std::max(std::max(reading(block).second, block) * widest, block * row_out);
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
  pass.has_outside = std::find(pass.index.begin(), pass.index.end(), kOutside) != pass.index.end();
  pass.find_doubled();
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
  filter.begins_with_first =
      !filter.inner.empty() && filter.first.output < filter.first.input && !filter.first.has_outside;
  if (filter.begins_with_first) filter.first.inner = filter.row_in;
  filter.choose_block();
  return filter;
}

// Resamples one tile: `src` is the batch's slice from input position `low` on, `count` of them.
template <class C>
void filter_tile(const Filter<C>& filter, const C* src, C* dst, int64_t begin, int64_t end, int64_t low, int64_t count,
                 C* scratch) {
  C* next = scratch;
  C* other = scratch + filter.longest;
  if (filter.begins_with_first) {
    run_pass(filter.first, src, next, 1, begin, end, low, count);
    count = end - begin;
    src = next;
    std::swap(next, other);
  }
  for (const Pass<C>& pass : filter.inner) {
    C* to = filter.begins_with_first && &pass == &filter.inner.back() ? dst : next;
    run_pass(pass, src, to, count * pass.outer, 0, pass.output, 0, pass.input);
    src = to;
    std::swap(next, other);
  }
  if (!filter.begins_with_first) run_pass(filter.first, src, dst, 1, begin, end, low, count);
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
