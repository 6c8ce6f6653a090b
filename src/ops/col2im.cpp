// Col2Im: https://onnx.ai/onnx/operators/onnx__Col2Im.html, version 18. Sums in ascending order of the taps: of 16-bit
// floats in float32, of integers modulo their range, of bools by or. Strings have no sum.
#include <algorithm>
#include <complex>
#include <memory>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/shape_rules.h"
#include "ops/support/tap_map.h"
#include "ops/support/wide_operands.h"

namespace onnxrun {
namespace {

class Col2Im : public Operator {
 public:
  explicit Col2Im(AttributeReader& attributes) : window_(attributes, false) {}

  void infer(InferContext& context) const override {
    const DimShape& x = context.shape(0);
    const Content* image = context.required_content(1);
    const auto block = ops::numbers(context.required_content(2));
    if (x.has_rank() && x.rank() != 3) {
      context.fail("the input must be [N, C block, blocks], it has rank " + std::to_string(x.rank()));
    }
    if (!image || !block) return;
    if (image->size() != block->size() || image->empty()) {
      context.fail("image_shape has " + std::to_string(image->size()) + " elements, block_shape " +
                   std::to_string(block->size()));
    }
    int64_t taps = 1;
    for (const int64_t extent : *block) {
      if (extent < 1 || !checked_mul(taps, extent, taps)) {
        context.fail("block_shape has the element " + std::to_string(extent));
      }
    }
    const auto geometry = window_.geometry(block->size(), *block);
    Dim blocks = 1;
    for (size_t axis = 0; axis < image->size(); ++axis) {
      const Dim& extent = (*image)[axis];
      if (extent.is_number() && extent.number() < 0) context.fail("image_shape has the element " + extent.to_string());
      blocks = blocks * window_.output_extent(geometry, axis, extent);
    }
    if (!x.has_rank()) return;
    check(context, x, taps, blocks);
    std::vector<Dim> shape{x[0], exact_div(x[1], Dim(taps))};
    shape.insert(shape.end(), image->begin(), image->end());
    context.set_shape(0, std::move(shape));
  }

  void plan(PlanContext& context) const override {
    const Shape& y = context.output(0).shape;
    if (y.elements() == 0) return context.phase(0, 0, [](const TileContext&) {});
    const std::vector<int64_t> image = ops::spatial_extents(y);
    const auto geometry = window_.geometry(image.size(), ops::read_integers(*context.elements(2)));
    std::vector<int64_t> blocks;
    for (size_t axis = 0; axis < image.size(); ++axis) {
      blocks.push_back(window_.output_extent(geometry, axis, image[axis]).number());
    }
    const auto map = std::make_shared<const ops::TapMap>(geometry, blocks, image);
    switch (context.input(0).dtype) {
      case DType::float16:
      case DType::bfloat16:
        return plan_sums<float>(context, map);
      case DType::int8:
        return plan_sums<uint8_t>(context, map);
      case DType::int16:
        return plan_sums<uint16_t>(context, map);
      case DType::int32:
        return plan_sums<uint32_t>(context, map);
      case DType::int64:
        return plan_sums<uint64_t>(context, map);
      default:
        return dispatch_dtype<float, double, uint8_t, uint16_t, uint32_t, uint64_t, bool, std::complex<float>,
                              std::complex<double>>(context.input(0).dtype,
                                                    [&]<class T>() { plan_sums<T>(context, map); });
    }
  }

 private:
  static void check(const InferContext& context, const DimShape& x, int64_t taps, const Dim& blocks) {
    if (x[1].is_number() && x[1].number() % taps != 0) {
      context.fail("blocks of " + std::to_string(taps) + " elements do not divide the " + x[1].to_string() + " rows");
    }
    if (x[2].is_number() && blocks.is_number() && !(x[2] == blocks)) {
      context.fail("the input has " + x[2].to_string() + " blocks, the image " + blocks.to_string());
    }
  }

  template <class T>
  static void plan_sums(PlanContext& context, const std::shared_ptr<const ops::TapMap>& map) {
    const Shape& y = context.output(0).shape;
    const int64_t taps = map->tap_count();
    const double cost =
        static_cast<double>(map->input_size() * taps) * 0.5 + static_cast<double>(map->output_size()) * 0.1;
    const auto add = [=](const T* src, T* dst, int64_t begin, int64_t end) {
      for (int64_t item = begin; item < end; ++item) {
        T* to = dst + item * map->output_size();
        std::fill_n(to, map->output_size(), T{});
        for (int64_t tap = 0; tap < taps; ++tap) {
          map->add(src + (item * taps + tap) * map->input_size(), 0, map->input_size(), tap, to, 0, map->output_rows());
        }
      }
    };
    if constexpr (std::is_same_v<T, float>) {
      size_t shared = 0;
      const ops::WideOperands<T> operands(context, {0}, shared);
      context.share(shared);
      operands.add_widening(context);
      context.range(y[0] * y[1], cost, [=](const TileContext& tile, int64_t begin, int64_t end) {
        add(operands.input(tile, 0), operands.output(tile), begin, end);
      });
      operands.add_narrowing(context);
    } else {
      context.range(y[0] * y[1], cost, [=](const TileContext& tile, int64_t begin, int64_t end) {
        add(tile.input<T>(0), tile.output<T>(0), begin, end);
      });
    }
  }

  ops::WindowAttributes window_;
};

}  // namespace

void register_col2im(OpRegistry& registry) {
  registry.add({.name = "Col2Im",
                .versions = {18},
                .signature = "input:T, image_shape:int64, block_shape:int64 -> output:T",
                .types = {{.name = "T", .tensors = kNumbers | kComplex | DTypeSet{DType::boolean}}},
                .create = make_operator<Col2Im>});
}

}  // namespace onnxrun
