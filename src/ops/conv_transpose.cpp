// ConvTranspose: https://onnx.ai/onnx/operators/onnx__ConvTranspose.html, versions 1, 11, 22. Padding that output_shape
// makes negative is none: what is missing is added at the end. Version 1 splits an odd padding as version 11 does.
#include <algorithm>
#include <memory>
#include <type_traits>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "kernels/gemm/gemm.h"
#include "onnxrun/error.h"
#include "ops/support/tap_map.h"
#include "ops/support/wide_operands.h"
#include "ops/support/window.h"

namespace onnxrun {
namespace {

using Geometry = ops::WindowAttributes::Geometry;

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
  ops::TapMap map;
  int64_t batch, group, channels, maps;  // channels and maps of one group
  int64_t map_block, band, column_block;

  Product(ops::TapMap tap_map, int64_t n, int64_t groups, int64_t c, int64_t m)
      : map(std::move(tap_map)), batch(n), group(groups), channels(c), maps(m) {
    constexpr int64_t kRows = 96;
    constexpr int64_t kElements = int64_t{48} * 1024;
    constexpr int64_t kTiles = 16;
    const int64_t nr = kernels<T>().nr;
    map_block = std::clamp<int64_t>(kRows / map.tap_count(), 1, std::max<int64_t>(1, maps));
    map_block = std::max<int64_t>(1, ceil_div(maps, std::max<int64_t>(1, map_blocks())));  // of one size
    column_block = std::max<int64_t>(1, kElements / (map_block * map.tap_count()) / nr) * nr;
    const int64_t tiles = std::max<int64_t>(1, batch * group * map_blocks());
    band = std::max({ceil_div(map.bands(), ceil_div(kTiles, tiles)), map.longest_window() * 8, int64_t{1}});
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
    const int64_t row_begin = begin * map.rows_per_band();
    const int64_t row_end = end * map.rows_per_band();
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
    const Dim window = Dim(geometry.kernel[axis] - 1) * Dim(geometry.dilations[axis]) + Dim(1);
    const int64_t padding = output_padding_.empty() ? 0 : output_padding_[axis];
    return (input - Dim(1)) * Dim(geometry.strides[axis]) + window + Dim(padding);
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
    for (size_t axis = 0; axis + 2 < x.rank(); ++axis) {
      const Dim full = full_extent(geometry, axis, x[axis + 2]);
      if (!full.is_number()) throw Error(ErrorCode::limit, "strides or dilations are too large");
      if (output_shape_.empty() && !window_.is_same_padding()) continue;
      const int64_t total = std::max<int64_t>(0, full.number() - y[axis + 2]);
      geometry.pad_begin[axis] = window_.is_longer_at_end() ? total / 2 : total - total / 2;
      geometry.pad_end[axis] = total - geometry.pad_begin[axis];
    }
    return geometry;
  }

  // The constant weights as the product reads them.
  template <class T>
  const T* pack_weights(PlanContext& context, const Product<T>& product) const {
    auto pack = [&](const Tensor& tensor, std::byte* dst) {
      for (int64_t g = 0; g < group_; ++g) {
        product.transpose_weights(static_cast<const T*>(tensor.data()), reinterpret_cast<T*>(dst), g);
      }
    };
    const std::string format = "transposed " + std::to_string(group_) + " " + std::to_string(product.channels);
    return reinterpret_cast<const T*>(context.packed(1, format, product.weight_size() * sizeof(T), pack));
  }

  template <class T>
  void plan_product(PlanContext& context) const {
    const Shape& x = context.input(0).shape;
    const auto product = std::make_shared<const Product<T>>(
        ops::TapMap(resolved(context), ops::spatial_extents(x), ops::spatial_extents(context.output(0).shape)), x[0],
        group_, x[1] / group_, context.input(1).shape[1]);
    const size_t weights = product->packed_size() * static_cast<size_t>(product->batch * group_) * sizeof(T);
    const bool is_packed = context.is_constant(1) && context.input(1).dtype == kDTypeOf<T>;
    size_t shared = weights + (is_packed ? 0 : product->weight_size() * sizeof(T));
    const ops::WideOperands<T> operands(context, {0, 1, 2}, shared);
    context.share(shared);
    const auto block_rows = static_cast<size_t>(product->map_block * product->map.tap_count());
    const size_t scratch = context.scratch(block_rows * static_cast<size_t>(product->column_block) * sizeof(T));
    operands.add_widening(context);
    const T* constant = is_packed ? pack_weights(context, *product) : nullptr;
    if (!is_packed) {
      context.phase(group_, static_cast<double>(product->weight_size()) / static_cast<double>(group_),
                    [=](const TileContext& tile) {
                      product->transpose_weights(operands.input(tile, 1), reinterpret_cast<T*>(tile.shared + weights),
                                                 tile.tile);
                    });
    }
    const auto panels = static_cast<int64_t>(kernels<T>().panel_count(static_cast<size_t>(product->map.input_size())));
    context.phase(x[0] * group_ * panels, static_cast<double>(product->channels) * kernels<T>().nr * 0.3,
                  [=](const TileContext& tile) {
                    product->pack_maps(operands.input(tile, 0), reinterpret_cast<T*>(tile.shared), tile.tile / panels,
                                       static_cast<size_t>(tile.tile % panels));
                  });
    const double cost = product->nanoseconds() / static_cast<double>(product->tile_count());
    context.phase(product->tile_count(), cost, [=, has_bias = context.has_input(2)](const TileContext& tile) {
      product->run_tile(constant ? constant : reinterpret_cast<const T*>(tile.shared + weights),
                        reinterpret_cast<const T*>(tile.shared), has_bias ? operands.input(tile, 2) : nullptr,
                        operands.output(tile), tile.tile, reinterpret_cast<T*>(tile.scratch + scratch));
    });
    operands.add_narrowing(context);
    context.flush_denormals();
    context.implementation("packed");
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
