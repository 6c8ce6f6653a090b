// DeformConv: https://onnx.ai/onnx/operators/onnx__DeformConv.html, versions 19, 22, for any number of spatial axes.
// The mask has one element for each tap, also where the text counts one for each axis of a tap.
#include <algorithm>
#include <memory>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "kernels/gemm/gemm.h"
#include "onnxrun/error.h"
#include "ops/support/sample_taps.h"
#include "ops/support/wide_operands.h"
#include "ops/support/window.h"

namespace onnxrun {
namespace {

constexpr size_t kBias = 3;
constexpr size_t kMask = 4;

using Geometry = ops::WindowAttributes::Geometry;

template <class T>
const GemmKernelsOf<T>& kernels() {
  if constexpr (std::is_same_v<T, float>) {
    return gemm_kernels();
  } else {
    return gemm_kernels_f64();
  }
}

// The product of the weights [M, C K] of each group and the samples [C K, positions], which a tile takes for a panel of
// positions, right in the form that the kernel reads.
template <class T>
struct DeformedProduct {
  Geometry window;
  std::vector<int64_t> input, output;  // spatial extents
  int64_t batch, group, offset_group;
  int64_t channels, maps;  // of all groups
  int64_t taps = 1, in_size = 1, out_size = 1;

  DeformedProduct(Geometry geometry, const Shape& x, const Shape& y, int64_t groups, int64_t offset_groups)
      : window(std::move(geometry)),
        input(ops::spatial_extents(x)),
        output(ops::spatial_extents(y)),
        batch(x[0]),
        group(groups),
        offset_group(offset_groups),
        channels(x[1]),
        maps(y[1]) {
    for (const int64_t extent : window.kernel) taps *= extent;
    in_size = x.elements(2, x.rank());
    out_size = y.elements(2, y.rank());
  }

  int64_t panels() const { return ceil_div(out_size, int64_t{kernels<T>().nr}); }
  int64_t depth() const { return channels / group * taps; }
  size_t scratch_elements() const { return static_cast<size_t>(depth()) * static_cast<size_t>(kernels<T>().nr); }

  struct Operands {
    const T *x, *w, *offset, *bias, *mask;
    T* y;
  };

  void run_tile(const Operands& operands, int64_t tile, T* packed) const {
    const int64_t nr = kernels<T>().nr;
    const int64_t first = tile % panels() * nr;
    const int64_t count = std::min(nr, out_size - first);
    const int64_t which = tile / panels() % group;
    const int64_t n = tile / panels() / group;
    if (count < nr) std::fill_n(packed, scratch_elements(), T(0));
    const int64_t per_offset = channels / offset_group;
    ops::SampleBlock<T> block(input, 2, nr);
    const int64_t begin = which * (channels / group);
    const int64_t end = begin + channels / group;
    for (int64_t channel = begin; channel < end;) {
      const int64_t set = channel / per_offset;
      const int64_t past = std::min(end, (set + 1) * per_offset);
      for (int64_t tap = 0; tap < taps; ++tap) {
        locate(operands, n * offset_group + set, tap, first, count, block);
        block.sum(operands.x + (n * channels + channel) * in_size, in_size, past - channel,
                  packed + ((channel - begin) * taps + tap) * nr, taps * nr);
      }
      channel = past;
    }
    const int64_t rows = maps / group;
    GemmArgsOf<T> args;
    args.m = static_cast<size_t>(rows);
    args.n = static_cast<size_t>(count);
    args.k = static_cast<size_t>(depth());
    args.a = operands.w + which * rows * depth();
    args.a_row_stride = depth();
    args.packed_b = packed;
    args.c = operands.y + (n * maps + which * rows) * out_size + first;
    args.c_row_stride = out_size;
    kernels<T>().run(args, 0, args.m, 0, 1);
    for (int64_t row = 0; operands.bias && row < rows; ++row) {
      T* to = args.c + row * out_size;
      for (int64_t i = 0; i < count; ++i) to[i] += operands.bias[which * rows + row];
    }
  }

  // The samples of one tap and set of offsets (of all images) at output positions [first, first + count).
  void locate(const Operands& operands, int64_t set, int64_t tap, int64_t first, int64_t count,
              ops::SampleBlock<T>& block) const {
    const auto rank = static_cast<int64_t>(output.size());
    const T* offset = operands.offset + (set * taps + tap) * rank * out_size + first;
    const T* mask = operands.mask ? operands.mask + (set * taps + tap) * out_size + first : nullptr;
    std::vector<ops::AxisTaps<T>> axes(output.size());
    block.clear();
    for (int64_t i = 0; i < count; ++i) {
      int64_t position = first + i;
      int64_t rest = tap;
      for (size_t axis = output.size(); axis-- > 0;) {
        const int64_t at = position % output[axis] * window.strides[axis] - window.pad_begin[axis] +
                           rest % window.kernel[axis] * window.dilations[axis];
        axes[axis] =
            ops::linear_taps(static_cast<T>(at) + offset[static_cast<int64_t>(axis) * out_size + i], input[axis]);
        position /= output[axis];
        rest /= window.kernel[axis];
      }
      block.add(i, axes.data(), mask ? mask[i] : T(1));
    }
  }
};

class DeformConv : public Operator {
 public:
  explicit DeformConv(AttributeReader& attributes)
      : window_(attributes, false),
        group_(attributes.integer("group", 1)),
        offset_group_(attributes.integer("offset_group", 1)) {
    if (group_ < 1 || offset_group_ < 1) {
      throw Error(ErrorCode::invalid_model, "group and offset_group must be positive");
    }
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
    shape[1] = w[0];
    std::vector<int64_t> kernel;
    for (size_t axis = 2; axis < w.rank(); ++axis) {
      if (w[axis].is_number()) kernel.push_back(w[axis].number());
    }
    if (kernel.size() == rank || window_.has_kernel_shape()) {
      const Geometry geometry = window_.geometry(rank, kernel.size() == rank ? kernel : std::vector<int64_t>{});
      for (size_t axis = 0; axis < rank; ++axis) {
        shape[axis + 2] = window_.output_extent(geometry, axis, x[axis + 2]);
      }
      int64_t taps = offset_group_;
      for (const int64_t extent : geometry.kernel) taps *= extent;
      check_offsets(context, 2, "offset", shape, taps * static_cast<int64_t>(rank));
      if (context.has_input(kMask)) check_offsets(context, kMask, "mask", shape, taps);
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
    const auto check = [&](bool fits, const std::string& what) {
      if (!fits) context.fail(what);
    };
    if (x[1].is_number()) {
      check(x[1].number() % group_ == 0 && x[1].number() % offset_group_ == 0,
            "group and offset_group do not divide the " + x[1].to_string() + " input channels");
      if (w[1].is_number()) {
        check(x[1].number() == w[1].number() * group_, "the weights are for " + std::to_string(w[1].number() * group_) +
                                                           " channels, the input has " + x[1].to_string());
      }
    }
    if (w[0].is_number()) {
      check(w[0].number() % group_ == 0, "group does not divide the " + w[0].to_string() + " output channels");
    }
    if (!context.has_input(kBias) || !context.shape(kBias).has_rank()) return;
    const DimShape& bias = context.shape(kBias);
    check(bias.rank() == 1 && !(bias[0].is_number() && w[0].is_number() && !(bias[0] == w[0])),
          "the bias has the shape " + bias.to_string() + " for " + w[0].to_string() + " output channels");
  }

  // Input i must be [N, rows, spatial extents of the output].
  static void check_offsets(const InferContext& context, size_t i, const char* name, const DimShape& output,
                            int64_t rows) {
    const DimShape& shape = context.shape(i);
    if (!shape.has_rank()) return;
    DimShape expected = output;
    expected[1] = rows;
    bool fits = shape.rank() == expected.rank();
    for (size_t axis = 0; fits && axis < shape.rank(); ++axis) {
      fits = !shape[axis].is_number() || !expected[axis].is_number() || shape[axis] == expected[axis];
    }
    if (!fits)
      context.fail(std::string(name) + " has the shape " + shape.to_string() + ", not " + expected.to_string());
  }

  template <class T>
  void plan_product(PlanContext& context) const {
    const Shape& x = context.input(0).shape;
    const Shape& w = context.input(1).shape;
    const auto product = std::make_shared<const DeformedProduct<T>>(
        window_.geometry(x.rank() - 2, {w.begin() + 2, w.end()}), x, context.output(0).shape, group_, offset_group_);
    size_t shared = 0;
    const ops::WideOperands<T> operands(context, {0, 1, 2, kBias, kMask}, shared);
    context.share(shared);
    const size_t scratch = context.scratch(product->scratch_elements() * sizeof(T));
    operands.add_widening(context);
    const int64_t rows = product->maps / group_;
    const double cost =
        static_cast<double>(product->depth() * kernels<T>().nr) * (4 + static_cast<double>(rows) * 0.02);
    context.phase(
        product->batch * group_ * product->panels(), cost,
        [=, has_bias = context.has_input(kBias), has_mask = context.has_input(kMask)](const TileContext& tile) {
          const typename DeformedProduct<T>::Operands all{operands.input(tile, 0),
                                                          operands.input(tile, 1),
                                                          operands.input(tile, 2),
                                                          has_bias ? operands.input(tile, kBias) : nullptr,
                                                          has_mask ? operands.input(tile, kMask) : nullptr,
                                                          operands.output(tile)};
          product->run_tile(all, tile.tile, reinterpret_cast<T*>(tile.scratch + scratch));
        });
    operands.add_narrowing(context);
    context.flush_denormals();
  }

  ops::WindowAttributes window_;
  int64_t group_, offset_group_;
};

}  // namespace

void register_deform_conv(OpRegistry& registry) {
  const std::pair<int64_t, DTypeSet> versions[] = {{19, kIeeeFloats}, {22, kFloats}};
  for (const auto& [version, types] : versions) {
    registry.add({.name = "DeformConv",
                  .versions = {version},
                  .signature = "X:T, W:T, offset:T, B:T?, mask:T? -> Y:T",
                  .types = {{.name = "T", .tensors = types}},
                  .create = make_operator<DeformConv>});
  }
}

}  // namespace onnxrun
