// GridSample: https://onnx.ai/onnx/operators/onnx__GridSample.html, versions 16 (two spatial axes), 20 (any
// number), 22. Coordinates and sums in float32; in float64 where an operand is float64 or the elements are integers of
// 32 bits and more. Integers are cut off, as Cast does. A coordinate that is no finite number counts as -1.
#include <algorithm>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/element_width.h"
#include "ops/support/sample_taps.h"
#include "ops/support/wide_operands.h"
#include "ops/support/window.h"

namespace onnxrun {
namespace {

enum class Mode : uint8_t { linear, nearest, cubic };
enum class Padding : uint8_t { zeros, border, reflection };

// x mirrored at the borders until it is between them.
double reflect(double x, double low, double high) {
  const double range = high - low;
  if (range <= 0) return low;
  const double distance = x < low ? low - x : x - high;
  if (distance <= 0) return x;
  const double rest = std::fmod(distance, range);
  const bool is_even = std::fmod(std::floor(distance / range), 2) == 0;
  return (x < low) == is_even ? low + rest : high - rest;
}

// Keys, "Cubic convolution interpolation for digital image processing", 1981, with a = -3/4.
double cubic_weight(double distance) {
  const double x = std::abs(distance);
  if (x <= 1) return (1.25 * x - 2.25) * x * x + 1;
  return -0.75 * (((x - 5) * x + 8) * x - 4);
}

// How positions of the grid look at pixels.
struct Sampling {
  Mode mode = Mode::linear;
  Padding padding = Padding::zeros;
  bool align_corners = false;

  int taps_per_axis() const { return mode == Mode::nearest ? 1 : mode == Mode::linear ? 2 : 4; }

  double low() const { return align_corners ? 0 : -0.5; }
  double high(int64_t extent) const { return static_cast<double>(extent) - (align_corners ? 1 : 0.5); }

  int64_t pixel(int64_t index, int64_t extent) const {
    if (extent == 0) return -1;
    if (index >= 0 && index < extent) return index;
    if (padding == Padding::zeros) return -1;
    if (padding == Padding::reflection) {
      index = static_cast<int64_t>(reflect(static_cast<double>(index), low(), high(extent)));
    }
    return std::clamp<int64_t>(index, 0, extent - 1);
  }

  // Finds the taps of the normalised coordinate n along an axis.
  template <class T>
  void find_taps(T n, int64_t extent, ops::AxisTaps<T>& taps) const {
    if (!std::isfinite(n)) n = -1;
    const auto length = static_cast<T>(extent);
    T x = align_corners ? (n + 1) / 2 * (length - 1) : ((n + 1) * length - 1) / 2;
    if (mode == Mode::linear && x >= 0 && x < length - 1) {  // as most are
      const auto pixel = static_cast<int64_t>(x);
      const T fraction = x - static_cast<T>(pixel);
      taps = {{pixel, pixel + 1}, {1 - fraction, fraction}};
      return;
    }
    if (mode == Mode::nearest) x = std::nearbyint(x);
    const auto first = static_cast<T>(low());
    const auto last = static_cast<T>(high(extent));
    if (x < first || x > last) {
      if (padding == Padding::border) x = std::clamp(x, T(0), std::max(T(0), length - 1));
      if (padding == Padding::reflection) x = static_cast<T>(reflect(static_cast<double>(x), low(), high(extent)));
    }
    x = std::clamp(x, T(-4), length + 4);  // all pixels around are outside there
    const auto base = ops::floor_of(x);
    const T fraction = x - static_cast<T>(base);
    const int64_t before = mode == Mode::cubic ? 1 : 0;
    for (int64_t k = 0; k < taps_per_axis(); ++k) {
      taps.index[k] = pixel(base - before + k, extent);
      taps.weight[k] = mode == Mode::nearest ? T(1)
                       : mode == Mode::linear
                           ? (k == 0 ? 1 - fraction : fraction)
                           : static_cast<T>(cubic_weight(static_cast<double>(fraction) + 1 - static_cast<double>(k)));
    }
  }
};

constexpr int64_t kPositions = 64;  // output positions whose taps are kept for all channels

class GridSample : public Operator {
 public:
  explicit GridSample(AttributeReader& attributes) : only_images_(attributes.version() < 20) {
    sampling_.align_corners = attributes.flag("align_corners", false);
    const std::string mode = only_images_ ? attributes.one_of("mode", {"bilinear", "nearest", "bicubic"})
                                          : attributes.one_of("mode", {"linear", "nearest", "cubic"});
    sampling_.mode = mode == "nearest"                        ? Mode::nearest
                     : mode == "linear" || mode == "bilinear" ? Mode::linear
                                                              : Mode::cubic;
    const std::string padding = attributes.one_of("padding_mode", {"zeros", "border", "reflection"});
    sampling_.padding = padding == "zeros"    ? Padding::zeros
                        : padding == "border" ? Padding::border
                                              : Padding::reflection;
  }

  void infer(InferContext& context) const override {
    const DimShape& x = context.shape(0);
    const DimShape& grid = context.shape(1);
    if (context.dtype(0) == DType::string && sampling_.mode != Mode::nearest) {
      context.fail("strings can be sampled in mode nearest only");
    }
    const DimShape& known = x.has_rank() ? x : grid;
    if (!known.has_rank()) return;
    const size_t rank = known.rank();
    if (rank < 3 || (only_images_ && rank != 4)) {
      context.fail("X must be [N, C, ...] with spatial axes, it has rank " + std::to_string(rank));
    }
    DimShape shape = DimShape::of_rank(rank);
    if (x.has_rank()) {
      shape[0] = x[0];
      shape[1] = x[1];
    }
    if (grid.has_rank()) {
      const auto differ = [](const Dim& a, const Dim& b) { return a.is_number() && b.is_number() && !(a == b); };
      if (grid.rank() != rank || differ(grid[rank - 1], static_cast<int64_t>(rank) - 2) || differ(grid[0], shape[0])) {
        context.fail("a grid of shape " + grid.to_string() + " for an input of shape " + x.to_string());
      }
      if (!shape[0].is_number()) shape[0] = grid[0];
      for (size_t axis = 2; axis < rank; ++axis) shape[axis] = grid[axis - 1];
    }
    context.set_shape(0, std::move(shape));
  }

  void plan(PlanContext& context) const override {
    if (context.output(0).elements() == 0) return context.phase(0, 0, [](const TileContext&) {});
    const DTypeSet wide = {DType::float64, DType::complex128, DType::int32, DType::int64, DType::uint32, DType::uint64};
    const bool is_double = context.input(1).dtype == DType::float64 ||
                           (sampling_.mode != Mode::nearest && wide.contains(context.input(0).dtype));
    if (is_double) return plan_with<double>(context);
    plan_with<float>(context);
  }

 private:
  template <class T>
  void plan_with(PlanContext& context) const {
    const DType dtype = context.input(0).dtype;
    const bool is_complex = kComplex.contains(dtype);
    const bool converts = sampling_.mode != Mode::nearest && !is_complex;
    size_t shared = 0;
    const ops::WideOperands<T> operands(context, converts ? std::vector<size_t>{0, 1} : std::vector<size_t>{1}, shared,
                                        converts);
    context.share(shared);
    operands.add_widening(context);
    if (sampling_.mode == Mode::nearest) {
      ops::dispatch_width(dtype, [&]<class Element>() {
        add_sampling(context, operands,
                     [](const ops::SampleBlock<T>& block, const TileContext& tile, const Maps& maps) {
                       const Element* from = tile.input<Element>(0) + maps.from;
                       Element* to = tile.output<Element>(0) + maps.to;
                       for (int64_t m = 0; m < maps.count; ++m, from += maps.from_step, to += maps.to_step) {
                         block.pick(from, to);
                       }
                     });
      });
    } else {
      const int64_t parts = is_complex ? 2 : 1;
      add_sampling(context, operands,
                   [operands, parts](const ops::SampleBlock<T>& block, const TileContext& tile, const Maps& maps) {
                     for (int64_t part = 0; part < parts; ++part) {
                       block.sum(operands.input(tile, 0) + maps.from * parts + part, maps.from_step * parts, maps.count,
                                 operands.output(tile) + maps.to * parts + part, maps.to_step * parts, parts);
                     }
                   });
    }
    operands.add_narrowing(context);
  }

  // The channels of an image: element offsets of the first input map and of a block of its output, and the steps to the
  // next.
  struct Maps {
    int64_t count, from, from_step, to, to_step;
  };

  // Calls sample(block, tile, maps) for every image.
  template <class T, class Sample>
  void add_sampling(PlanContext& context, const ops::WideOperands<T>& operands, Sample sample) const {
    const Shape& x = context.input(0).shape;
    const Shape& y = context.output(0).shape;
    const int64_t channels = x[1];
    const int64_t in_size = x.elements(2, x.rank());
    const int64_t out_size = y.elements(2, y.rank());
    const int64_t blocks = ceil_div(out_size, kPositions);
    const std::vector<int64_t> extents = ops::spatial_extents(x);
    const auto rank = static_cast<int64_t>(extents.size());
    const auto taps = static_cast<double>(ops::SampleBlock<T>::tap_count(extents, sampling_.taps_per_axis()));
    const double cost = kPositions * taps * (static_cast<double>(channels) + 3);
    context.range(y[0] * blocks, cost, [=, this](const TileContext& tile, int64_t begin, int64_t end) {
      ops::SampleBlock<T> block(extents, sampling_.taps_per_axis(), kPositions);
      for (int64_t item = begin; item < end; ++item) {
        const int64_t batch = item / blocks;
        const int64_t first = item % blocks * kPositions;
        locate(operands.input(tile, 1) + (batch * out_size + first) * rank, extents,
               std::min(kPositions, out_size - first), block);
        const int64_t map = batch * channels;
        sample(block, tile, Maps{channels, map * in_size, in_size, map * out_size + first, out_size});
      }
    });
  }

  // The samples of `count` positions of the grid, which lists the innermost axis first.
  template <class T>
  void locate(const T* grid, const std::vector<int64_t>& extents, int64_t count, ops::SampleBlock<T>& block) const {
    std::vector<ops::AxisTaps<T>> axes(extents.size());
    block.clear();
    for (int64_t i = 0; i < count; ++i, grid += extents.size()) {
      for (size_t axis = 0; axis < extents.size(); ++axis) {
        sampling_.find_taps(grid[extents.size() - 1 - axis], extents[axis], axes[axis]);
      }
      block.add(i, axes.data(), T(1));
    }
  }

  bool only_images_;
  Sampling sampling_;
};

}  // namespace

void register_grid_sample(OpRegistry& registry) {
  const std::pair<std::vector<int64_t>, DTypeSet> groups[] = {{{16, 20}, {}}, {{22}, {DType::bfloat16}}};
  for (const auto& [versions, more] : groups) {
    registry.add(
        {.name = "GridSample",
         .versions = versions,
         .signature = "X:T1, grid:T2 -> Y:T1",
         .types = {{.name = "T1", .tensors = kClassicTypes | more}, {.name = "T2", .tensors = kIeeeFloats | more}},
         .create = make_operator<GridSample>});
  }
}

}  // namespace onnxrun
