// ConvTranspose: https://onnx.ai/onnx/operators/onnx__ConvTranspose.html, versions 1, 11, 22. Padding that output_shape
// makes negative is none: what is missing is added at the end. Version 1 splits an odd padding as version 11 does.
#include <memory>
#include <type_traits>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "graph/registry.h"
#include "kernels/gemm/gemm.h"
#include "onnxrun/error.h"
#include "ops/support/elementwise.h"
#include "ops/support/window.h"

namespace onnxrun {
namespace {

using Geometry = ops::WindowAttributes::Geometry;

int64_t product(const std::vector<int64_t>& extents, size_t begin, size_t end) {
  int64_t result = 1;
  for (size_t axis = begin; axis < end; ++axis) result *= extents[axis];
  return result;
}

// Where the products of input positions and window taps are added: output o = i stride + tap dilation - pad_begin along
// every spatial axis.
class TapMap {
 public:
  TapMap(const Geometry& window, std::vector<int64_t> input, std::vector<int64_t> output)
      : window_(window), input_(std::move(input)), output_(std::move(output)), last_(input_.size() - 1) {
    const int64_t rows = input_rows();
    for (int64_t tap = 0; tap < product(window_.kernel, 0, last_); ++tap) {
      for (int64_t row = 0; row < rows; ++row) row_of_.push_back(output_row(tap, row));
    }
  }

  int64_t input_rows() const { return product(input_, 0, last_); }
  int64_t output_rows() const { return product(output_, 0, last_); }
  int64_t input_size() const { return product(input_, 0, last_ + 1); }
  int64_t output_size() const { return product(output_, 0, last_ + 1); }
  int64_t tap_count() const { return product(window_.kernel, 0, last_ + 1); }
  // Rows of the output that one position of its first axis has; of the input.
  int64_t rows_per_output() const { return last_ == 0 ? 1 : product(output_, 1, last_); }
  int64_t bands() const { return last_ == 0 ? 1 : output_[0]; }
  // Input elements [begin, end) that reach output positions [begin, end) of the first axis.
  std::pair<int64_t, int64_t> reaching(int64_t begin, int64_t end) const {
    if (last_ == 0) return {0, input_[0]};
    const int64_t extent = (window_.kernel[0] - 1) * window_.dilations[0];
    const int64_t stride = window_.strides[0];
    const int64_t first = std::max<int64_t>(0, begin + window_.pad_begin[0] - extent + stride - 1) / stride;
    const int64_t past = std::min(input_[0], (end - 1 + window_.pad_begin[0]) / stride + 1);
    const int64_t rest = product(input_, 1, last_ + 1);
    return {std::min(first, past) * rest, past * rest};
  }
  int64_t longest_window() const { return (window_.kernel[0] - 1) * window_.dilations[0] + 1; }

  // Adds columns[i - begin] for input positions [begin, end) and one tap to the output map, rows [row_begin, row_end).
  template <class T>
  void add(const T* columns, int64_t begin, int64_t end, int64_t tap, T* map, int64_t row_begin,
           int64_t row_end) const {
    const int64_t width = input_[last_];
    const int64_t shift = tap % window_.kernel[last_] * window_.dilations[last_] - window_.pad_begin[last_];
    const int64_t stride = window_.strides[last_];
    const int64_t first = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
    const int64_t past = shift >= output_[last_] ? 0 : std::min(width, (output_[last_] - 1 - shift) / stride + 1);
    const int64_t* row_of = row_of_.data() + tap / window_.kernel[last_] * input_rows();
    for (int64_t row = begin / width; row * width < end; ++row) {
      if (row_of[row] < row_begin || row_of[row] >= row_end) continue;
      const int64_t from = std::max(first, begin - row * width);
      const int64_t to = std::min(past, end - row * width);
      if (from >= to) continue;
      add_row(columns + row * width + from - begin, map + row_of[row] * output_[last_] + from * stride + shift,
              to - from, stride);
    }
  }

 private:
  template <class T>
  static void add_row(const T* __restrict src, T* __restrict dst, int64_t n, int64_t stride) {
    if (stride == 1) {
      for (int64_t i = 0; i < n; ++i) dst[i] += src[i];
    } else {
      for (int64_t i = 0; i < n; ++i) dst[i * stride] += src[i];
    }
  }

  int64_t output_row(int64_t tap, int64_t row) const {
    int64_t result = 0;
    int64_t scale = 1;
    for (size_t axis = last_; axis-- > 0;) {
      const int64_t at = row % input_[axis] * window_.strides[axis] +
                         tap % window_.kernel[axis] * window_.dilations[axis] - window_.pad_begin[axis];
      if (at < 0 || at >= output_[axis]) return -1;
      result += at * scale;
      scale *= output_[axis];
      row /= input_[axis];
      tap /= window_.kernel[axis];
    }
    return result;
  }

  Geometry window_;
  std::vector<int64_t> input_, output_;
  size_t last_;
  std::vector<int64_t> row_of_;  // [taps but of the last axis, input rows]; -1: outside
};

template <class T>
const GemmKernelsOf<T>& kernels() {
  if constexpr (std::is_same_v<T, float>) {
    return gemm_kernels();
  } else {
    return gemm_kernels_f64();
  }
}

// For each group, products of the weights [M K, C] (M output channels, K taps) and the maps [C, input positions], added
// to the output where their taps lie. A tile is a block of output channels and a band of the output's first axis.
template <class T>
struct Product {
  TapMap map;
  int64_t batch, group, channels, maps;  // channels and maps of one group
  int64_t map_block, band, column_block;

  Product(TapMap tap_map, int64_t n, int64_t groups, int64_t c, int64_t m)
      : map(std::move(tap_map)), batch(n), group(groups), channels(c), maps(m) {
    constexpr int64_t kRows = 96;
    constexpr int64_t kElements = 48 * 1024;
    constexpr int64_t kTiles = 16;
    const int64_t nr = kernels<T>().nr;
    map_block = std::clamp<int64_t>(kRows / map.tap_count(), 1, std::max<int64_t>(1, maps));
    column_block = std::max<int64_t>(1, kElements / (map_block * map.tap_count()) / nr) * nr;
    const int64_t tiles = std::max<int64_t>(1, batch * group * map_blocks());
    band = std::max({ceil_div(map.bands(), ceil_div(kTiles, tiles)), map.longest_window() * 4, int64_t{1}});
  }

  int64_t map_blocks() const { return ceil_div(maps, map_block); }
  int64_t band_count() const { return ceil_div(map.bands(), band); }
  int64_t tile_count() const { return batch * group * map_blocks() * band_count(); }
  size_t packed_size() const {  // elements of the packed maps of one group
    return align_up(kernels<T>().packed_b_size(static_cast<size_t>(channels), static_cast<size_t>(map.input_size())),
                    kAlignment / sizeof(T));
  }
  size_t weight_size() const { return static_cast<size_t>(group * maps * map.tap_count() * channels); }

  double nanoseconds() const {
    const double sums =
        static_cast<double>(batch * group * maps * map.tap_count()) * static_cast<double>(map.input_size());
    return sums * (static_cast<double>(channels) * 0.01 + 0.4) +
           static_cast<double>(batch * group * maps) * static_cast<double>(map.output_size()) * 0.1;
  }

  // weights[C, M K] of one group as [M K, C].
  void transpose_weights(const T* src, T* dst, int64_t which) const {
    const int64_t rows = maps * map.tap_count();
    src += which * channels * rows;
    dst += which * channels * rows;
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t c = 0; c < channels; ++c) dst[row * channels + c] = src[c * rows + row];
    }
  }

  void pack_maps(const T* src, T* dst, int64_t item, size_t panel) const {
    const auto columns = static_cast<size_t>(map.input_size());
    kernels<T>().pack_b(src + item * channels * map.input_size(), map.input_size(), 1, static_cast<size_t>(channels),
                        columns, panel, panel + 1, dst + static_cast<size_t>(item) * packed_size());
  }

  void run_tile(const T* weights, const T* packed, const T* bias, T* dst, int64_t tile, T* scratch) const {
    const int64_t strip = tile % band_count();
    const int64_t block = tile / band_count() % map_blocks();
    const int64_t item = tile / band_count() / map_blocks();
    const int64_t begin = strip * band;
    const int64_t end = std::min(begin + band, map.bands());
    const int64_t first = item % group * maps + block * map_block;  // output channel
    const int64_t count = std::min(map_block, maps - block * map_block);
    T* maps_of_tile = dst + (item / group * group * maps + first) * map.output_size();
    const int64_t row_length = map.output_rows() == 0 ? 0 : map.output_size() / map.output_rows();
    const int64_t row_begin = begin * map.rows_per_output();
    const int64_t row_end = end * map.rows_per_output();
    for (int64_t m = 0; m < count; ++m) {
      std::fill_n(maps_of_tile + m * map.output_size() + row_begin * row_length, (row_end - row_begin) * row_length,
                  bias ? bias[first + m] : T(0));
    }
    const auto [from, to] = map.reaching(begin, end);
    const int64_t taps = map.tap_count();
    GemmArgsOf<T> args;
    args.m = static_cast<size_t>(count * taps);
    args.n = static_cast<size_t>(map.input_size());
    args.k = static_cast<size_t>(channels);
    args.a = weights + first * taps * channels;
    args.a_row_stride = channels;
    args.packed_b = packed + static_cast<size_t>(item) * packed_size();
    args.c_row_stride = column_block;
    const int64_t nr = kernels<T>().nr;
    for (int64_t column = from / nr * nr; column < to; column += column_block) {
      args.c = scratch - column;
      const int64_t past = std::min(column + column_block, to);
      kernels<T>().run(args, 0, args.m, static_cast<size_t>(column / nr), static_cast<size_t>(ceil_div(past, nr)));
      const int64_t valid = std::max(column, from);
      for (int64_t row = 0; row < count * taps; ++row) {
        map.add(scratch + row * column_block + valid - column, valid, past, row % taps,
                maps_of_tile + row / taps * map.output_size(), row_begin, row_end);
      }
    }
  }
};

class ConvTranspose : public Operator {
 public:
  explicit ConvTranspose(AttributeReader& attributes)
      : window_(attributes, false),
        group_(attributes.integer("group", 1)),
        output_padding_(attributes.integers("output_padding")),
        output_shape_(attributes.integers("output_shape")) {
    if (group_ < 1) throw Error(ErrorCode::invalid_model, "group cannot be " + std::to_string(group_));
  }

  void infer(InferContext& context) const override {
    const DimShape& x = context.shape(0);
    const DimShape& w = context.shape(1);
    if (!x.has_rank() || !w.has_rank()) return;
    if (x.rank() < 3 || x.rank() != w.rank()) {
      context.fail("input of rank " + std::to_string(x.rank()) + " and weights of rank " + std::to_string(w.rank()) +
                   " do not make a convolution");
    }
    check_channels(context, x, w);
    const size_t rank = x.rank() - 2;
    DimShape shape = DimShape::of_rank(x.rank());
    shape[0] = x[0];
    shape[1] = w[1] * Dim(group_);
    std::vector<int64_t> kernel;
    for (size_t axis = 2; axis < w.rank(); ++axis) {
      if (w[axis].is_number()) kernel.push_back(w[axis].number());
    }
    if (kernel.size() == rank || window_.has_kernel_shape()) {
      const Geometry geometry = window_.geometry(rank, kernel.size() == rank ? kernel : std::vector<int64_t>{});
      check_output(context, geometry);
      for (size_t axis = 0; axis < rank; ++axis) shape[axis + 2] = output_extent(context, geometry, axis, x[axis + 2]);
    }
    context.set_shape(0, std::move(shape));
  }

  void plan(PlanContext& context) const override {
    if (context.output(0).elements() == 0) return context.phase(0, 0, [](const TileContext&) {});
    if (context.input(0).dtype == DType::float64) return plan_product<double>(context);
    plan_product<float>(context);
  }

 private:
  void check_channels(const InferContext& context, const DimShape& x, const DimShape& w) const {
    if (x[1].is_number() && x[1].number() % group_ != 0) {
      context.fail("group " + std::to_string(group_) + " does not divide the " + x[1].to_string() + " input channels");
    }
    if (x[1].is_number() && w[0].is_number() && !(x[1] == w[0])) {
      context.fail("the weights are for " + w[0].to_string() + " channels, the input has " + x[1].to_string());
    }
    if (!context.has_input(2) || !context.shape(2).has_rank()) return;
    const DimShape& bias = context.shape(2);
    const Dim maps = w[1] * Dim(group_);
    if (bias.rank() != 1 || (bias[0].is_number() && maps.is_number() && !(bias[0] == maps))) {
      context.fail("the bias has the shape " + bias.to_string() + " for " + maps.to_string() + " output channels");
    }
  }

  void check_output(const InferContext& context, const Geometry& geometry) const {
    const size_t rank = geometry.kernel.size();
    const auto check = [&](const std::vector<int64_t>& values, const std::string& name) {
      if (!values.empty() && values.size() != rank) {
        context.fail(name + " has " + std::to_string(values.size()) + " entries for " + std::to_string(rank) +
                     " spatial axes");
      }
    };
    check(output_padding_, "output_padding");
    check(output_shape_, "output_shape");
    for (size_t axis = 0; axis < output_padding_.size(); ++axis) {
      const int64_t padding = output_padding_[axis];
      if (padding < 0 || padding >= std::max(geometry.strides[axis], geometry.dilations[axis])) {
        context.fail("output_padding " + std::to_string(padding) + " is not less than stride or dilation");
      }
    }
  }

  // The extent of everything that the windows reach, with output_padding and without pads.
  Dim full_extent(const Geometry& geometry, size_t axis, const Dim& input) const {
    const int64_t window = (geometry.kernel[axis] - 1) * geometry.dilations[axis] + 1;
    const int64_t padding = output_padding_.empty() ? 0 : output_padding_[axis];
    return (input - Dim(1)) * Dim(geometry.strides[axis]) + Dim(window) + Dim(padding);
  }

  Dim output_extent(const InferContext& context, const Geometry& geometry, size_t axis, const Dim& input) const {
    Dim extent = full_extent(geometry, axis, input) - Dim(geometry.pad_begin[axis]) - Dim(geometry.pad_end[axis]);
    if (window_.is_same_padding()) extent = input * Dim(geometry.strides[axis]);
    if (!output_shape_.empty()) extent = output_shape_[axis];
    if (extent.is_number() && extent.number() < 0) {
      context.fail("the output has the extent " + extent.to_string() + " along spatial axis " + std::to_string(axis));
    }
    return extent;
  }

  Geometry resolved(const PlanContext& context) const {
    const Shape& x = context.input(0).shape;
    const Shape& w = context.input(1).shape;
    const Shape& y = context.output(0).shape;
    Geometry geometry = window_.geometry(x.rank() - 2, {w.begin() + 2, w.end()});
    if (output_shape_.empty() && !window_.is_same_padding()) return geometry;
    for (size_t axis = 0; axis + 2 < x.rank(); ++axis) {
      const int64_t total =
          std::max<int64_t>(0, full_extent(geometry, axis, x[axis + 2]).number_or_negative() - y[axis + 2]);
      geometry.pad_begin[axis] = window_.is_longer_at_end() ? total / 2 : total - total / 2;
      geometry.pad_end[axis] = total - geometry.pad_begin[axis];
    }
    return geometry;
  }

  // Where the tiles find what does not lie where the operands do, in the step's shared memory.
  struct Copies {
    bool widened = false;  // 16-bit operands as floats
    size_t operands[3] = {};
    size_t output = 0;
    size_t weights = 0;  // transposed, where they are no constant
    size_t packed = 0;   // maps

    template <class T>
    const T* operand(const TileContext& tile, size_t i) const {
      return widened ? reinterpret_cast<const T*>(tile.shared + operands[i]) : tile.input<T>(i);
    }
  };

  template <class T>
  Copies reserve_copies(PlanContext& context, const Product<T>& product) const {
    Copies copies;
    size_t shared = 0;
    const auto reserve = [&](size_t elements) {
      const size_t begin = shared;
      shared = align_up(shared + elements * sizeof(T), kAlignment);
      return begin;
    };
    copies.widened = std::is_same_v<T, float> && context.input(0).dtype != DType::float32;
    copies.packed = reserve(product.packed_size() * static_cast<size_t>(product.batch * group_));
    if (!context.constant(1) || copies.widened) copies.weights = reserve(product.weight_size());
    if (copies.widened) {
      for (size_t i = 0; i < context.input_count(); ++i) {
        if (context.has_input(i)) copies.operands[i] = reserve(static_cast<size_t>(context.input(i).elements()));
      }
      copies.output = reserve(static_cast<size_t>(context.output(0).elements()));
    }
    context.share(shared);
    return copies;
  }

  // The weights as the product reads them; null where a phase makes them.
  template <class T>
  const T* prepare_weights(PlanContext& context, const std::shared_ptr<const Product<T>>& product,
                           const Copies& copies) const {
    if (context.constant(1) && !copies.widened) {
      auto pack = [&](const Tensor& tensor, std::byte* dst) {
        for (int64_t g = 0; g < group_; ++g) {
          product->transpose_weights(static_cast<const T*>(tensor.data()), reinterpret_cast<T*>(dst), g);
        }
      };
      const std::string format = "transposed " + std::to_string(group_) + " " + std::to_string(product->channels);
      return reinterpret_cast<const T*>(context.packed(1, format, product->weight_size() * sizeof(T), pack));
    }
    const double cost = static_cast<double>(product->weight_size()) / static_cast<double>(group_);
    context.phase(group_, cost, [=](const TileContext& tile) {
      product->transpose_weights(copies.operand<T>(tile, 1), reinterpret_cast<T*>(tile.shared + copies.weights),
                                 tile.tile);
    });
    return nullptr;
  }

  template <class T>
  void plan_product(PlanContext& context) const {
    const Shape& x = context.input(0).shape;
    const auto product = std::make_shared<const Product<T>>(
        TapMap(resolved(context), ops::spatial_extents(x), ops::spatial_extents(context.output(0).shape)), x[0], group_,
        x[1] / group_, context.input(1).shape[1]);
    const DType dtype = context.input(0).dtype;
    const Copies copies = reserve_copies(context, *product);
    const auto block_rows = static_cast<size_t>(product->map_block * product->map.tap_count());
    const size_t scratch = context.scratch(block_rows * static_cast<size_t>(product->column_block) * sizeof(T));
    if (copies.widened) add_widening(context, dtype, copies);
    const T* constant = prepare_weights(context, product, copies);
    const auto panels = static_cast<int64_t>(kernels<T>().panel_count(static_cast<size_t>(product->map.input_size())));
    context.phase(x[0] * group_ * panels, static_cast<double>(product->channels) * kernels<T>().nr * 0.3,
                  [=](const TileContext& tile) {
                    product->pack_maps(copies.operand<T>(tile, 0), reinterpret_cast<T*>(tile.shared + copies.packed),
                                       tile.tile / panels, static_cast<size_t>(tile.tile % panels));
                  });
    const double cost = product->nanoseconds() / static_cast<double>(product->tile_count());
    context.phase(product->tile_count(), cost, [=, has_bias = context.has_input(2)](const TileContext& tile) {
      const auto at = [&](size_t begin) { return reinterpret_cast<T*>(tile.shared + begin); };
      product->run_tile(constant ? constant : at(copies.weights), at(copies.packed),
                        has_bias ? copies.operand<T>(tile, 2) : nullptr,
                        copies.widened ? at(copies.output) : tile.output<T>(0), tile.tile,
                        reinterpret_cast<T*>(tile.scratch + scratch));
    });
    if (copies.widened) add_narrowing(context, dtype, copies.output);
    context.flush_denormals();
    context.implementation("packed");
  }

  static void add_widening(PlanContext& context, DType dtype, const Copies& copies) {
    for (size_t i = 0; i < context.input_count(); ++i) {
      if (!context.has_input(i)) continue;
      context.range(context.input(i).elements(), 1,
                    [=, begin = copies.operands[i]](const TileContext& tile, int64_t from, int64_t to) {
                      ops::widen(dtype, tile.input<uint16_t>(i) + from,
                                 reinterpret_cast<float*>(tile.shared + begin) + from, static_cast<size_t>(to - from));
                    });
    }
  }

  static void add_narrowing(PlanContext& context, DType dtype, size_t begin) {
    context.range(context.output(0).elements(), 1, [=](const TileContext& tile, int64_t from, int64_t to) {
      ops::narrow(dtype, reinterpret_cast<const float*>(tile.shared + begin) + from, tile.output<uint16_t>(0) + from,
                  static_cast<size_t>(to - from));
    });
  }

  ops::WindowAttributes window_;
  int64_t group_;
  std::vector<int64_t> output_padding_, output_shape_;
};

}  // namespace

void register_conv_transpose(OpRegistry& registry) {
  const std::pair<std::vector<int64_t>, DTypeSet> groups[] = {{{1, 11}, kIeeeFloats}, {{22}, kFloats}};
  for (const auto& [versions, types] : groups) {
    registry.add({.name = "ConvTranspose",
                  .versions = versions,
                  .signature = "X:T, W:T, B:T? -> Y:T",
                  .types = {{.name = "T", .tensors = types}},
                  .create = make_operator<ConvTranspose>});
  }
}

}  // namespace onnxrun
