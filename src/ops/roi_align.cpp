// RoiAlign: https://onnx.ai/onnx/operators/onnx__RoiAlign.html, versions 10, 16 (coordinate_transformation_mode), 22.
// mode max takes the largest of the four weighted neighbours of every sample, as the reference does, not the largest
// interpolated sample. Computed in float32 (float64 for float64).
#include <algorithm>
#include <cmath>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

// The four pixels around a sample and their weights.
template <class Sum>
struct Sample {
  int64_t offset[4];
  Sum weight[4];
};

class RoiAlign : public Operator {
 public:
  explicit RoiAlign(AttributeReader& attributes)
      : is_max_(attributes.one_of("mode", {"avg", "max"}) == "max"),
        height_(attributes.integer("output_height", 1)),
        width_(attributes.integer("output_width", 1)),
        sampling_ratio_(attributes.integer("sampling_ratio", 0)),
        scale_(attributes.number("spatial_scale", 1)) {
    if (attributes.version() >= 16) {
      half_pixel_ =
          attributes.one_of("coordinate_transformation_mode", {"half_pixel", "output_half_pixel"}) == "half_pixel";
    }
    if (height_ < 1 || width_ < 1 || sampling_ratio_ < 0 || sampling_ratio_ > kMostSamples) {
      throw Error(ErrorCode::invalid_model, "output_height, output_width or sampling_ratio is out of range");
    }
  }

  void infer(InferContext& context) const override {
    const DimShape& x = context.shape(0);
    const DimShape& rois = context.shape(1);
    const DimShape& batch = context.shape(2);
    if (x.has_rank() && x.rank() != 4) context.fail("X must be [N, C, H, W], it has rank " + std::to_string(x.rank()));
    if (rois.has_rank() && (rois.rank() != 2 || (rois[1].is_number() && !rois[1].is(4)))) {
      context.fail("rois must be [regions, 4], they are " + rois.to_string());
    }
    if (batch.has_rank() && batch.rank() != 1) context.fail("batch_indices must be a vector");
    Dim regions = rois.has_rank() ? rois[0] : Dim();
    if (batch.has_rank()) {
      if (regions.is_number() && batch[0].is_number() && !(regions == batch[0])) {
        context.fail(batch[0].to_string() + " batch_indices for " + regions.to_string() + " regions");
      }
      if (!regions.is_number()) regions = batch[0];
    }
    context.set_shape(0, {regions, x.has_rank() ? x[1] : Dim(), height_, width_});
  }

  void plan(PlanContext& context) const override {
    const Shape x = context.input(0).shape;
    const int64_t regions = context.input(1).shape[0];
    const double samples = sampling_ratio_ > 0 ? static_cast<double>(sampling_ratio_ * sampling_ratio_) : 4;
    const double cost = static_cast<double>(height_ * width_ * x[1]) * samples * 3;
    dispatch_dtype<FloatTypes>(context.input(0).dtype, [&]<class T>() {
      context.range(regions, cost, [=, this](const TileContext& tile, int64_t begin, int64_t end) {
        for (int64_t region = begin; region < end; ++region) {
          const int64_t batch = tile.input<int64_t>(2)[region];
          if (batch < 0 || batch >= x[0]) {
            throw Error(ErrorCode::run_failed,
                        "a region is of image " + std::to_string(batch) + " of " + std::to_string(x[0]));
          }
          align(tile.input<T>(0) + batch * x.elements(1, 4), x, tile.input<T>(1) + region * 4,
                tile.output<T>(0) + region * x[1] * height_ * width_);
        }
      });
    });
  }

 private:
  static constexpr int64_t kMostSamples = 1024;  // along one axis of a bin: beyond any sense, and bounds the work

  template <class Sum>
  struct Axis {
    Sum start, bin;
    int64_t samples;
    Sum position(int64_t index, int64_t sample) const {
      return start + static_cast<Sum>(index) * bin +
             (static_cast<Sum>(sample) + Sum(0.5)) * bin / static_cast<Sum>(samples);
    }
  };

  template <class Sum>
  Axis<Sum> axis(Sum from, Sum to, int64_t bins) const {
    const Sum offset = half_pixel_ ? Sum(0.5) : Sum(0);
    const Sum start = from * static_cast<Sum>(scale_) - offset;
    Sum length = to * static_cast<Sum>(scale_) - offset - start;
    if (!half_pixel_) length = std::max(length, Sum(1));
    const Sum adaptive = std::ceil(length / static_cast<Sum>(bins));
    const Sum samples = sampling_ratio_ > 0 ? static_cast<Sum>(sampling_ratio_)
                                            : std::min(std::max(Sum(0), adaptive), static_cast<Sum>(kMostSamples));
    return {start, length / static_cast<Sum>(bins), static_cast<int64_t>(samples)};
  }

  // The pixels around [y, x]; more than a pixel outside the map the sample is 0.
  template <class Sum>
  static Sample<Sum> sample(Sum y, Sum x, int64_t height, int64_t width) {
    const auto h = static_cast<Sum>(height);
    const auto w = static_cast<Sum>(width);
    if (!(y >= -1 && y <= h && x >= -1 && x <= w)) return {{0, 0, 0, 0}, {0, 0, 0, 0}};
    y = std::min(std::max(y, Sum(0)), h - 1);
    x = std::min(std::max(x, Sum(0)), w - 1);
    const auto top = static_cast<int64_t>(y);
    const auto left = static_cast<int64_t>(x);
    const int64_t bottom = std::min(top + 1, height - 1);
    const int64_t right = std::min(left + 1, width - 1);
    const Sum fy = y - static_cast<Sum>(top);
    const Sum fx = x - static_cast<Sum>(left);
    return {{top * width + left, top * width + right, bottom * width + left, bottom * width + right},
            {(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx}};
  }

  template <class T, class Sum>
  Sum pool(const T* map, const Sample<Sum>* samples, int64_t count) const {
    if (is_max_) {
      Sum best = 0;
      for (int64_t k = 0; k < count; ++k) {
        for (int corner = 0; corner < 4; ++corner) {
          const Sum value = samples[k].weight[corner] * static_cast<Sum>(map[samples[k].offset[corner]]);
          if ((k == 0 && corner == 0) || value > best) best = value;
        }
      }
      return best;
    }
    Sum sum = 0;
    for (int64_t k = 0; k < count; ++k) {
      const Sample<Sum>& at = samples[k];
      sum += at.weight[0] * static_cast<Sum>(map[at.offset[0]]) + at.weight[1] * static_cast<Sum>(map[at.offset[1]]) +
             at.weight[2] * static_cast<Sum>(map[at.offset[2]]) + at.weight[3] * static_cast<Sum>(map[at.offset[3]]);
    }
    return sum / static_cast<Sum>(std::max<int64_t>(1, count));
  }

  template <class T>
  void align(const T* src, const Shape& x, const T* roi, T* dst) const {
    using Sum = std::conditional_t<std::is_same_v<T, double>, double, float>;
    const Axis<Sum> rows = axis(static_cast<Sum>(roi[1]), static_cast<Sum>(roi[3]), height_);
    const Axis<Sum> columns = axis(static_cast<Sum>(roi[0]), static_cast<Sum>(roi[2]), width_);
    std::vector<Sample<Sum>> samples(static_cast<size_t>(rows.samples * columns.samples));
    const auto count = static_cast<int64_t>(samples.size());
    for (int64_t bin = 0; bin < height_ * width_; ++bin) {
      for (int64_t k = 0; k < count; ++k) {
        samples[static_cast<size_t>(k)] = sample(rows.position(bin / width_, k / columns.samples),
                                                 columns.position(bin % width_, k % columns.samples), x[2], x[3]);
      }
      for (int64_t channel = 0; channel < x[1]; ++channel) {
        dst[channel * height_ * width_ + bin] =
            static_cast<T>(pool<T, Sum>(src + channel * x[2] * x[3], samples.data(), x[2] * x[3] == 0 ? 0 : count));
      }
    }
  }

  bool is_max_;
  int64_t height_, width_, sampling_ratio_;
  float scale_;
  bool half_pixel_ = false;
};

}  // namespace

void register_roi_align(OpRegistry& registry) {
  const std::pair<std::vector<int64_t>, DTypeSet> groups[] = {{{10, 16}, kIeeeFloats}, {{22}, kFloats}};
  for (const auto& [versions, types] : groups) {
    registry.add({.name = "RoiAlign",
                  .versions = versions,
                  .signature = "X:T1, rois:T1, batch_indices:int64 -> Y:T1",
                  .types = {{.name = "T1", .tensors = types}},
                  .create = make_operator<RoiAlign>});
  }
}

}  // namespace onnxrun
