#include "ops/support/integer_conv.h"

#include <algorithm>
#include <string>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "onnxrun/error.h"
#include "ops/support/strided_loop.h"

namespace onnxrun::ops {
namespace {

// An image with its padding.
struct PaddedImage {
  Shape extents, padded;         // spatial
  std::vector<int64_t> begin;    // of the image in it, along each axis
  size_t volume = 0, bytes = 0;  // of one channel; of the whole input, as int16

  PaddedImage(const Shape& x, const Shape& y, const WindowAttributes::Geometry& window) : begin(window.pad_begin) {
    extents = Shape(spatial_extents(x));
    padded = extents;
    for (size_t axis = 0; axis < extents.rank(); ++axis) {
      if (window.pad_begin[axis] < 0 || window.pad_end[axis] < 0) {
        throw Error(ErrorCode::invalid_model, "pads cannot be negative");
      }
      const int64_t needed =
          (y[2 + axis] - 1) * window.strides[axis] + (window.kernel[axis] - 1) * window.dilations[axis] + 1;
      if (!checked_add(extents[axis], begin[axis], padded[axis])) refuse();
      padded[axis] = std::max(padded[axis], needed);
    }
    std::vector<int64_t> all(x.begin(), x.begin() + 2);
    all.insert(all.end(), padded.begin(), padded.end());
    int64_t elements = 2;
    for (const int64_t extent : all) {
      if (!checked_mul(elements, extent, elements)) refuse();
    }
    bytes = static_cast<size_t>(elements);
    volume = static_cast<size_t>(padded.elements());
  }

  // Channel `index` of all images, less the zero point.
  template <class T>
  void widen(const T* x, const T* zero, size_t index, int16_t* dst) const {
    const T* src = x + index * static_cast<size_t>(extents.elements());
    int16_t* to = dst + index * volume;
    std::fill_n(to, volume, int16_t{0});
    const auto less = static_cast<int16_t>(zero ? *zero : 0);
    const auto src_strides = row_major_strides(extents);
    const auto dst_strides = row_major_strides(padded);
    StridedLoop<2> loop;
    for (size_t axis = 0; axis < extents.rank(); ++axis) {
      loop.add_axis(extents[axis], {src_strides[axis], dst_strides[axis]});
      to += begin[axis] * dst_strides[axis];
    }
    loop.for_outer(0, loop.outer_count(), [&](const auto& offsets) {
      const auto steps = loop.inner_strides();
      for (int64_t i = 0; i < loop.inner_extent(); ++i) {
        to[offsets[1] + i * steps[1]] = static_cast<int16_t>(src[offsets[0] + i * steps[0]] - less);
      }
    });
  }

 private:
  [[noreturn]] static void refuse() { throw Error(ErrorCode::limit, "the padded input is too large"); }
};

// Offsets of the positions of `extents`, `steps` apart along each axis, in a tensor of shape `image`.
std::vector<int64_t> offsets_of(const Shape& extents, const std::vector<int64_t>& steps, const Shape& image) {
  const auto strides = row_major_strides(image);
  StridedLoop<1> loop;
  for (size_t axis = 0; axis < extents.rank(); ++axis) loop.add_axis(extents[axis], {strides[axis] * steps[axis]});
  std::vector<int64_t> offsets;
  offsets.reserve(static_cast<size_t>(extents.elements()));
  loop.for_outer(
      0, loop.outer_count(0), [&](const auto& offset) { offsets.push_back(offset[0]); }, 0);
  return offsets;
}

}  // namespace

void plan_integer_conv(PlanContext& context, const WindowAttributes& window, const IntegerConv& conv) {
  const Shape& x = context.input(conv.x).shape;
  const Shape& w = context.input(conv.w).shape;
  const Shape& y = context.output(0).shape;
  if (y.elements() == 0) return context.phase(0, 0, [](const TileContext&) {});
  const size_t rank = x.rank() - 2;
  auto geometry = window.geometry(rank, {w.begin() + 2, w.end()});
  window.resolve_padding(geometry, spatial_extents(x));
  const PaddedImage image(x, y, geometry);
  const auto group = static_cast<size_t>(conv.group);
  const auto channels = static_cast<size_t>(w[1]);

  IntegerProduct product;
  product.m = static_cast<size_t>(w[0]) / group;
  product.k = static_cast<size_t>(w.elements(1, w.rank()));
  product.n = static_cast<size_t>(y.elements(2, y.rank()));
  const size_t zero_step = conv.w_zero && context.input(*conv.w_zero).elements() > 1 ? 1 : 0;
  product.a = {conv.w, conv.w_zero, static_cast<ptrdiff_t>(product.k), {}, {}, static_cast<ptrdiff_t>(zero_step)};
  for (size_t g = 0; g < group; ++g) {
    product.a.offsets.push_back(g * product.m * product.k);
    product.a.zero_offsets.push_back(g * product.m * zero_step);
  }
  IntegerWindows windows;
  const std::vector<int64_t> taps = offsets_of(Shape(geometry.kernel), geometry.dilations, image.padded);
  for (size_t c = 0; c < channels; ++c) {
    for (const int64_t tap : taps) windows.taps.push_back(static_cast<int64_t>(c * image.volume) + tap);
  }
  windows.columns = offsets_of(Shape(spatial_extents(y)), geometry.strides, image.padded);
  windows.image_elements = channels * image.volume;
  product.windows = std::move(windows);
  for (size_t i = 0; i < static_cast<size_t>(x[0]) * group; ++i) {
    product.a_matrix.push_back(i % group);
    product.b_matrix.push_back(i);
  }
  product.store = conv.store;
  product.shared_bytes = image.bytes;

  const bool is_signed = context.input(conv.x).dtype == DType::int8;
  context.phase(x[0] * x[1], static_cast<double>(image.volume) * 0.3, [=](const TileContext& tile) {
    const auto widen = [&]<class T>(const T* src) {
      image.widen(src, conv.x_zero ? tile.input<T>(*conv.x_zero) : nullptr, static_cast<size_t>(tile.tile),
                  reinterpret_cast<int16_t*>(tile.shared));
    };
    if (is_signed) return widen(tile.input<int8_t>(conv.x));
    widen(tile.input<uint8_t>(conv.x));
  });
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
