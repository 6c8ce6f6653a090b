// MaxRoiPool: https://onnx.ai/onnx/operators/onnx__MaxRoiPool.html, versions 1, 22. After Girshick, "Fast R-CNN", 2015:
// corners round to whole pixels, halves away from zero; a region is at least one pixel wide; a bin without pixels is 0;
// a NaN in a bin wins.
#include <algorithm>
#include <cmath>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "kernels/row/row.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

template <class T>
T larger(T x, T best) {
  return x > best || x != x ? x : best;
}

template <class T>
void take_larger(const T* src, T* dst, int64_t n) {
  if constexpr (std::is_same_v<T, float>) {
    row_kernels().max_strided(dst, src, 1, static_cast<size_t>(n));
  } else {
    for (int64_t i = 0; i < n; ++i) dst[i] = larger(src[i], dst[i]);
  }
}

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
    const double cost = static_cast<double>(x[1]) *
                        (static_cast<double>(x[2] * x[3]) * 0.2 + static_cast<double>(pooled_[0] * pooled_[1]) * 10);
    dispatch_dtype<FloatTypes>(context.input(0).dtype, [&]<class T>() {
      context.range(regions, cost, [=, this](const TileContext& tile, int64_t begin, int64_t end) {
        for (int64_t region = begin; region < end; ++region) {
          pool(tile.input<T>(0), x, tile.input<T>(1) + region * 5,
               tile.output<T>(0) + region * x[1] * pooled_[0] * pooled_[1]);
        }
      });
    });
  }

 private:
  struct Range {
    int64_t begin, end;
  };

  // The pixels of each bin along an axis of `extent` pixels.
  std::vector<Range> bins(float from, float to, int64_t count, int64_t extent) const {
    const float first = std::round(from * scale_);
    const float length = std::max(std::round(to * scale_) - first + 1, 1.0F);
    const float bin = length / static_cast<float>(count);
    const auto clamp = [=](float x) {
      return static_cast<int64_t>(std::min(std::max(0.0F, x + first), static_cast<float>(extent)));
    };
    std::vector<Range> ranges;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t begin = clamp(std::floor(static_cast<float>(i) * bin));
      ranges.push_back({begin, std::max(begin, clamp(std::ceil(static_cast<float>(i + 1) * bin)))});
    }
    return ranges;
  }

  // One region in all channels.
  template <class T>
  void pool(const T* src, const Shape& x, const T* roi, T* dst) const {
    const auto batch = static_cast<double>(roi[0]);
    if (!(batch >= 0 && batch < static_cast<double>(x[0]))) {
      throw Error(ErrorCode::run_failed,
                  "a region is of image " + std::to_string(batch) + " of " + std::to_string(x[0]));
    }
    const auto rows = bins(static_cast<float>(roi[2]), static_cast<float>(roi[4]), pooled_[0], x[2]);
    const auto columns = bins(static_cast<float>(roi[1]), static_cast<float>(roi[3]), pooled_[1], x[3]);
    const int64_t first = columns.front().begin;
    const int64_t width = columns.back().end - first;
    std::vector<T> best(static_cast<size_t>(width) + 1);  // of the rows of a bin, by column
    const T* map = src + static_cast<int64_t>(batch) * x[1] * x[2] * x[3] + first;
    for (int64_t channel = 0; channel < x[1]; ++channel, map += x[2] * x[3]) {
      for (const Range& row : rows) {
        const bool has_rows = row.begin < row.end;
        if (has_rows) std::copy_n(map + row.begin * x[3], width, best.begin());
        for (int64_t h = row.begin + 1; h < row.end; ++h) take_larger(map + h * x[3], best.data(), width);
        for (const Range& column : columns) {
          const T* from = best.data() + (column.begin - first);
          const int64_t count = has_rows ? column.end - column.begin : 0;
          T result = count > 0 ? from[0] : T(0.0F);
          for (int64_t k = 1; k < count; ++k) result = larger(from[k], result);
          *dst++ = result;
        }
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
