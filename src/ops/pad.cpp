// Pad: https://onnx.ai/onnx/operators/onnx__Pad.html, versions 1 (paddings), 2 (pads as attribute), 11 (inputs), 13, 18
// (axes), 19 (wrap), 21, 23, 24, 25. Negative pads crop; the modes then continue what is left, as often as it takes.
#include <algorithm>
#include <cstring>

#include "base/packed.h"
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/axes_source.h"
#include "ops/support/convert.h"
#include "ops/support/element_width.h"
#include "ops/support/shape_rules.h"
#include "ops/support/strided_loop.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

constexpr int64_t kFill = -1;

// Where output positions of one axis come from: a source position or kFill. Those of [begin, end) follow each other.
struct AxisMap {
  std::vector<int64_t> source;
  int64_t begin = 0;
  int64_t end = 0;
};

int64_t continued(const std::string& mode, int64_t position, int64_t extent) {
  if (position >= 0 && position < extent) return position;
  if (mode == "constant") return kFill;
  if (extent == 0) throw Error(ErrorCode::invalid_model, "mode " + mode + " has nothing to continue");
  if (mode == "edge") return position < 0 ? 0 : extent - 1;
  const int64_t period = mode == "wrap" ? extent : std::max<int64_t>(2 * (extent - 1), 1);
  const int64_t phase = (position % period + period) % period;
  return phase < extent ? phase : period - phase;
}

AxisMap make_map(const std::string& mode, int64_t extent, int64_t pad_begin, int64_t pad_end) {
  const int64_t first = std::max<int64_t>(-pad_begin, 0);
  const int64_t left = extent - first - std::max<int64_t>(-pad_end, 0);
  const int64_t before = std::max<int64_t>(pad_begin, 0);
  if (left < 0 && mode != "constant") throw Error(ErrorCode::invalid_model, "pads crop more than there is");
  AxisMap map;
  for (int64_t k = 0; k < extent + pad_begin + pad_end; ++k) {
    const int64_t position = continued(mode, k - before, std::max<int64_t>(left, 0));
    map.source.push_back(position == kFill ? kFill : first + position);
  }
  map.begin = std::min<int64_t>(before, static_cast<int64_t>(map.source.size()));
  map.end = std::min<int64_t>(before + std::max<int64_t>(left, 0), static_cast<int64_t>(map.source.size()));
  return map;
}

// The output as rows along the last axis that is padded; `inner` elements behind each of its positions stay together.
struct Geometry {
  std::vector<AxisMap> outer;
  std::vector<ptrdiff_t> strides;  // of the source, for the outer axes
  AxisMap row;
  int64_t inner = 1;
  int64_t row_count = 1;

  // Where the source row of output row `index` begins; kFill where there is none.
  int64_t source_row(int64_t index) const {
    int64_t offset = 0;
    for (size_t axis = outer.size(); axis-- > 0;) {
      const auto extent = static_cast<int64_t>(outer[axis].source.size());
      const int64_t position = outer[axis].source[static_cast<size_t>(index % extent)];
      if (position == kFill) return kFill;
      offset += position * strides[axis];
      index /= extent;
    }
    return offset;
  }
};

template <class T>
void pad_rows(const Geometry& geometry, const T* src, T* dst, const T& fill, int64_t begin, int64_t end) {
  const auto extent = static_cast<int64_t>(geometry.row.source.size());
  const int64_t inner = geometry.inner;
  for (int64_t index = begin; index < end; ++index) {
    T* to = dst + index * extent * inner;
    const int64_t row = geometry.source_row(index);
    if (row == kFill) {
      std::fill_n(to, extent * inner, fill);
      continue;
    }
    const auto copy_each = [&](int64_t first, int64_t past) {
      for (int64_t k = first; k < past; ++k) {
        const int64_t position = geometry.row.source[static_cast<size_t>(k)];
        if (inner == 1) {
          to[k] = position == kFill ? fill : src[row + position];
        } else if (position == kFill) {
          std::fill_n(to + k * inner, inner, fill);
        } else {
          std::copy_n(src + row + position * inner, inner, to + k * inner);
        }
      }
    };
    copy_each(0, geometry.row.begin);
    if (geometry.row.begin < geometry.row.end) {
      const int64_t position = geometry.row.source[static_cast<size_t>(geometry.row.begin)];
      std::copy_n(src + row + position * inner, (geometry.row.end - geometry.row.begin) * inner,
                  to + geometry.row.begin * inner);
    }
    copy_each(geometry.row.end, extent);
  }
}

class Pad : public Operator {
 public:
  explicit Pad(AttributeReader& attributes)
      : pads_(attributes, attributes.version() < 2 ? "paddings" : "pads", 1, 11), axes_(attributes, "axes", 3, 1) {
    const auto modes = {std::string_view("constant"), std::string_view("reflect"), std::string_view("edge")};
    mode_ = attributes.string("mode", "constant");
    const bool known = std::find(modes.begin(), modes.end(), mode_) != modes.end();
    if (!known && !(mode_ == "wrap" && attributes.version() >= 19)) {
      throw Error(ErrorCode::invalid_model, "attribute 'mode' cannot be '" + mode_ + "'");
    }
    if (attributes.version() < 11) value_ = attributes.number("value", 0);
  }

  void infer(InferContext& context) const override {
    const DimShape& shape = context.shape(0);
    if (!shape.has_rank()) return;
    DimShape result = shape;
    const auto axes = axes_.read(context);
    if (pads_.is_input()) {
      const Content* pads = context.required_content(1);
      if (!pads || !axes.is_known) return context.set_shape(0, DimShape::of_rank(shape.rank()));
      grow(context, result, *pads, axes);
    } else {
      const auto pads = pads_.read(context);
      if (!pads.is_given) context.fail("the pads are required and absent");
      grow(context, result, Content(pads.values.begin(), pads.values.end()), axes);
    }
    context.set_shape(0, result);
  }

  void plan(PlanContext& context) const override {
    const TensorType& output = context.output(0);
    if (output.elements() == 0) return context.phase(0, 0, [](const TileContext&) {});
    const Geometry geometry = make_geometry(context);
    const int64_t row_elements = output.elements() / geometry.row_count;
    if (is_packed(output.dtype)) return plan_packed(context, geometry);
    ops::dispatch_width(output.dtype, [&]<class T>() {
      T fill{};
      if constexpr (!std::is_same_v<T, std::string>) {
        if (value_ != 0) ops::make_convert(DType::float32, output.dtype)(&value_, &fill, 0, 1);
      }
      const bool has_fill = context.has_input(2);
      context.range(geometry.row_count, static_cast<double>(row_elements) * sizeof(T) * 0.1 + 10,
                    [=](const TileContext& tile, int64_t begin, int64_t end) {
                      pad_rows<T>(geometry, tile.input<T>(0), tile.output<T>(0), has_fill ? *tile.input<T>(2) : fill,
                                  begin, end);
                    });
    });
  }

 private:
  using Axes = ops::AxesSource::Axes;

  // The axes that pads speak of, in their order.
  static std::vector<size_t> padded_axes(const Axes& axes, size_t rank, size_t pads) {
    std::vector<size_t> padded;
    if (axes.is_given) {
      padded = ops::normalize_axes(axes.values, rank);
    } else {
      for (size_t axis = 0; axis < rank; ++axis) padded.push_back(axis);
    }
    if (pads != padded.size() * 2) {
      throw Error(ErrorCode::invalid_model,
                  "pads has " + std::to_string(pads) + " numbers for " + std::to_string(padded.size()) + " axes");
    }
    return padded;
  }

  static void grow(const InferContext& context, DimShape& shape, const Content& pads, const Axes& axes) {
    const auto padded = padded_axes(axes, shape.rank(), pads.size());
    for (size_t k = 0; k < padded.size(); ++k) {
      Dim& extent = shape[padded[k]];
      extent = extent + pads[k] + pads[k + padded.size()];
      if (extent.is_number() && extent.number() < 0) context.fail("pads leave the extent " + extent.to_string());
    }
  }

  Geometry make_geometry(const PlanContext& context) const {
    const Shape& input = context.input(0).shape;
    const std::vector<int64_t> pads = pads_.read(context).values;
    const auto padded = padded_axes(axes_.read(context), input.rank(), pads.size());
    std::vector<int64_t> before(input.rank(), 0);
    std::vector<int64_t> after(input.rank(), 0);
    for (size_t k = 0; k < padded.size(); ++k) {
      before[padded[k]] = pads[k];
      after[padded[k]] = pads[k + padded.size()];
    }
    size_t last = input.rank();
    while (last > 0 && before[last - 1] == 0 && after[last - 1] == 0) --last;
    Geometry geometry;
    geometry.inner = input.elements(last, input.rank());
    const auto strides = ops::row_major_strides(input);
    if (last == 0) {
      geometry.row = make_map(mode_, 1, 0, 0);
      return geometry;
    }
    for (size_t axis = 0; axis + 1 < last; ++axis) {
      geometry.outer.push_back(make_map(mode_, input[axis], before[axis], after[axis]));
      geometry.strides.push_back(strides[axis]);
      geometry.row_count *= static_cast<int64_t>(geometry.outer.back().source.size());
    }
    geometry.row = make_map(mode_, input[last - 1], before[last - 1], after[last - 1]);
    return geometry;
  }

  // Elements that share bytes are padded as bytes, on one thread.
  static void plan_packed(PlanContext& context, const Geometry& geometry) {
    const int bits = bit_size(context.output(0).dtype);
    const int64_t in = context.input(0).elements();
    const int64_t out = context.output(0).elements();
    const bool has_fill = context.has_input(2);
    context.phase(1, static_cast<double>(out) * 5, [=](const TileContext& tile) {
      std::vector<uint8_t> src(static_cast<size_t>(in));
      std::vector<uint8_t> dst(static_cast<size_t>(out));
      for (int64_t i = 0; i < in; ++i) src[static_cast<size_t>(i)] = get_packed(tile.input<uint8_t>(0), bits, i);
      const uint8_t fill = has_fill ? get_packed(tile.input<uint8_t>(2), bits, 0) : uint8_t{0};
      pad_rows<uint8_t>(geometry, src.data(), dst.data(), fill, 0, geometry.row_count);
      auto* packed = tile.output<uint8_t>(0);
      std::memset(packed, 0, static_cast<size_t>(out * bits + 7) / 8);
      for (int64_t i = 0; i < out; ++i) put_packed(packed, bits, i, dst[static_cast<size_t>(i)]);
    });
  }

  ops::AxesSource pads_;
  ops::AxesSource axes_;
  std::string mode_;
  float value_ = 0;
};

constexpr const char* kWithInputs = "data:T, pads:int64, constant_value:T? -> output:T";
constexpr const char* kWithAxes = "data:T, pads:int64, constant_value:T?, axes:Tind? -> output:T";

}  // namespace

void register_pad(OpRegistry& registry) {
  registry.add({.name = "Pad",
                .versions = {1, 2},
                .signature = "data:T -> output:T",
                .types = {{.name = "T", .tensors = kIeeeFloats}},
                .create = make_operator<Pad>});
  registry.add({.name = "Pad",
                .versions = {11},
                .signature = kWithInputs,
                .types = {{.name = "T", .tensors = kIntegers | kIeeeFloats}},
                .create = make_operator<Pad>});
  ops::add_versions(registry,
                    {.name = "Pad", .versions = {13}, .signature = kWithInputs, .create = make_operator<Pad>});
  ops::add_versions(registry, {.name = "Pad",
                               .versions = {18, 19, 21, 23, 24, 25},
                               .signature = kWithAxes,
                               .types = {{.name = "Tind", .tensors = {DType::int32, DType::int64}}},
                               .create = make_operator<Pad>});
}

}  // namespace onnxrun
