// MaxRoiPool: https://onnx.ai/onnx/operators/onnx__MaxRoiPool.html, versions 1, 22. After Girshick, "Fast R-CNN", 2015:
// corners round to whole pixels, halves away from zero; a region is at least one pixel wide; a bin without pixels is 0;
// a NaN in a bin wins.
#include <cmath>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

class MaxRoiPool : public Operator {
 public:
  explicit MaxRoiPool(AttributeReader& attributes)
      : pooled_(attributes.integers("pooled_shape")), scale_(attributes.number("spatial_scale", 1)) {
    if (pooled_.size() != 2 || pooled_[0] < 1 || pooled_[1] < 1) {
      throw Error(ErrorCode::invalid_model, "attribute 'pooled_shape' must be two positive numbers");
    }
  }

  void infer(InferContext& context) const override {
    const DimShape& x = context.shape(0);
    const DimShape& rois = context.shape(1);
    if (x.has_rank() && x.rank() != 4) context.fail("X must be [N, C, H, W], it has rank " + std::to_string(x.rank()));
    if (rois.has_rank() && (rois.rank() != 2 || (rois[1].is_number() && !rois[1].is(5)))) {
      context.fail("rois must be [regions, 5], they are " + rois.to_string());
    }
    context.set_shape(0, {rois.has_rank() ? rois[0] : Dim(), x.has_rank() ? x[1] : Dim(), pooled_[0], pooled_[1]});
  }

  void plan(PlanContext& context) const override {
    const Shape x = context.input(0).shape;
    const int64_t regions = context.input(1).shape[0];
    const double cost = static_cast<double>(x[2] * x[3]) * 0.5 + static_cast<double>(pooled_[0] * pooled_[1]) * 5;
    dispatch_dtype<FloatTypes>(context.input(0).dtype, [&]<class T>() {
      context.range(regions * x[1], cost, [=, this](const TileContext& tile, int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
          const int64_t size = pooled_[0] * pooled_[1];
          pool(tile.input<T>(0), x, tile.input<T>(1) + item / x[1] * 5, item % x[1], tile.output<T>(0) + item * size);
        }
      });
    });
  }

 private:
  struct Extent {
    float start, bin;
    int64_t limit;
    // The pixels of a bin.
    std::pair<int64_t, int64_t> bin_range(int64_t index) const {
      const auto clamp = [this](float x) {
        return static_cast<int64_t>(std::min(std::max(0.0F, x + start), static_cast<float>(limit)));
      };
      return {clamp(std::floor(static_cast<float>(index) * bin)),
              clamp(std::ceil(static_cast<float>(index + 1) * bin))};
    }
  };

  Extent extent(float from, float to, int64_t bins, int64_t limit) const {
    const float first = std::round(from * scale_);
    const float length = std::max(std::round(to * scale_) - first + 1, 1.0F);
    return {first, length / static_cast<float>(bins), limit};
  }

  template <class T>
  void pool(const T* src, const Shape& x, const T* roi, int64_t channel, T* dst) const {
    const auto batch = static_cast<double>(roi[0]);
    if (!(batch >= 0 && batch < static_cast<double>(x[0]))) {
      throw Error(ErrorCode::run_failed,
                  "a region is of image " + std::to_string(batch) + " of " + std::to_string(x[0]));
    }
    const T* map = src + (static_cast<int64_t>(batch) * x[1] + channel) * x[2] * x[3];
    const Extent rows = extent(static_cast<float>(roi[2]), static_cast<float>(roi[4]), pooled_[0], x[2]);
    const Extent columns = extent(static_cast<float>(roi[1]), static_cast<float>(roi[3]), pooled_[1], x[3]);
    for (int64_t i = 0; i < pooled_[0]; ++i) {
      const auto [top, bottom] = rows.bin_range(i);
      for (int64_t j = 0; j < pooled_[1]; ++j) {
        const auto [left, right] = columns.bin_range(j);
        const bool is_empty = top >= bottom || left >= right;
        T best = is_empty ? T(0.0F) : map[top * x[3] + left];
        for (int64_t h = top; h < bottom; ++h) {
          for (int64_t w = left; w < right; ++w) {
            const T value = map[h * x[3] + w];
            if (value > best || value != value) best = value;
          }
        }
        *dst++ = best;
      }
    }
  }

  std::vector<int64_t> pooled_;
  float scale_;
};

}  // namespace

void register_max_roi_pool(OpRegistry& registry) {
  const std::pair<int64_t, DTypeSet> versions[] = {{1, kIeeeFloats}, {22, kFloats}};
  for (const auto& [version, types] : versions) {
    registry.add({.name = "MaxRoiPool",
                  .versions = {version},
                  .signature = "X:T, rois:T -> Y:T",
                  .types = {{.name = "T", .tensors = types}},
                  .create = make_operator<MaxRoiPool>});
  }
}

}  // namespace onnxrun
