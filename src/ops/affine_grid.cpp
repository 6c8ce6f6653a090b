// AffineGrid: https://onnx.ai/onnx/operators/onnx__AffineGrid.html, version 20. With align_corners an axis of one
// position lies at -1. Computed in float32 (float64 for float64).
#include "base/dispatch_dtype.h"
#include "graph/registry.h"

namespace onnxrun {
namespace {

// The coordinate of position `index` of `extent`.
template <class T>
T coordinate(int64_t index, int64_t extent, bool align_corners) {
  if (align_corners) return extent == 1 ? T(-1) : T(-1) + T(2) * static_cast<T>(index) / static_cast<T>(extent - 1);
  return T(-1) + (T(2) * static_cast<T>(index) + 1) / static_cast<T>(extent);
}

class AffineGrid : public Operator {
 public:
  explicit AffineGrid(AttributeReader& attributes) : align_corners_(attributes.flag("align_corners", false)) {}

  void infer(InferContext& context) const override {
    const DimShape& theta = context.shape(0);
    const Content* size = context.required_content(1);
    if (!size) return;
    if (size->size() != 4 && size->size() != 5) {
      context.fail("size must have 4 or 5 elements, it has " + std::to_string(size->size()));
    }
    const auto axes = static_cast<int64_t>(size->size()) - 2;
    if (theta.has_rank()) {
      if (theta.rank() != 3 || !may_be(theta[0], (*size)[0]) || !may_be(theta[1], axes) ||
          !may_be(theta[2], axes + 1)) {
        context.fail("theta of shape " + theta.to_string() + " does not go with " + (*size)[0].to_string() +
                     " images of " + std::to_string(axes) + " axes");
      }
    }
    std::vector<Dim> shape{(*size)[0]};
    for (size_t axis = 2; axis < size->size(); ++axis) shape.push_back((*size)[axis]);
    for (const Dim& extent : shape) {
      if (extent.is_number() && extent.number() < 0) context.fail("size has the element " + extent.to_string());
    }
    shape.emplace_back(axes);
    context.set_shape(0, std::move(shape));
  }

  void plan(PlanContext& context) const override {
    const Shape shape = context.output(0).shape;
    const size_t axes = shape.rank() - 2;
    const int64_t rows = shape.elements(0, axes);
    const int64_t width = shape[axes];
    dispatch_dtype<FloatTypes>(context.output(0).dtype, [&]<class T>() {
      context.range(
          rows, static_cast<double>(width) * 4, [=, this](const TileContext& tile, int64_t begin, int64_t end) {
            for (int64_t row = begin; row < end; ++row) {
              fill_row(tile.input<T>(0), shape, row, tile.output<T>(0) + row * width * static_cast<int64_t>(axes));
            }
          });
    });
  }

 private:
  static bool may_be(const Dim& extent, const Dim& expected) {
    return !extent.is_number() || !expected.is_number() || extent == expected;
  }

  // All positions of the last axis; a position is [x, y, ...], x along the last axis.
  template <class T>
  void fill_row(const T* theta, const Shape& shape, int64_t row, T* dst) const {
    using Sum = std::conditional_t<std::is_same_v<T, double>, double, float>;
    const size_t axes = shape.rank() - 2;
    Sum position[3] = {};
    for (size_t axis = axes - 1; axis > 0; --axis) {
      position[axes - axis] = coordinate<Sum>(row % shape[axis], shape[axis], align_corners_);
      row /= shape[axis];
    }
    const T* matrix = theta + row * static_cast<int64_t>(axes * (axes + 1));
    for (int64_t i = 0; i < shape[axes]; ++i) {
      position[0] = coordinate<Sum>(i, shape[axes], align_corners_);
      for (size_t k = 0; k < axes; ++k) {
        const T* factors = matrix + k * (axes + 1);
        Sum sum = 0;
        for (size_t axis = 0; axis < axes; ++axis) sum += static_cast<Sum>(factors[axis]) * position[axis];
        *dst++ = static_cast<T>(sum + static_cast<Sum>(factors[axes]));
      }
    }
  }

  bool align_corners_;
};

}  // namespace

void register_affine_grid(OpRegistry& registry) {
  registry.add({.name = "AffineGrid",
                .versions = {20},
                .signature = "theta:T1, size:int64 -> grid:T1",
                .types = {{.name = "T1", .tensors = kFloats}},
                .create = make_operator<AffineGrid>});
}

}  // namespace onnxrun
