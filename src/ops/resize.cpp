// Resize: https://onnx.ai/onnx/operators/onnx__Resize.html, versions 10 (mode and scales alone), 11, 13, 18 (antialias,
// axes, keep_aspect_ratio_policy), 19 (half_pixel_symmetric). The output's extents do not depend on roi.
#include <algorithm>
#include <cmath>

#include "graph/registry.h"
#include "ops/support/resample.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

enum class AspectRatio : uint8_t { stretch, not_larger, not_smaller };

class Resize : public Operator {
 public:
  explicit Resize(AttributeReader& attributes) : rule_(attributes) {
    const int64_t version = attributes.version();
    scales_input_ = version < 11 ? 1 : 2;
    if (version >= 11) extrapolation_value_ = attributes.number("extrapolation_value", 0);
    if (version < 18) return;
    axes_ = attributes.optional_integers("axes");
    const std::string policy = attributes.one_of("keep_aspect_ratio_policy", {"stretch", "not_larger", "not_smaller"});
    policy_ = policy == "stretch"      ? AspectRatio::stretch
              : policy == "not_larger" ? AspectRatio::not_larger
                                       : AspectRatio::not_smaller;
  }

  void infer(InferContext& context) const override {
    const Tensor* scales = context.has_input(scales_input_) ? context.required_constant(scales_input_) : nullptr;
    const Content* sizes = context.has_input(kSizes) ? context.required_content(kSizes) : nullptr;
    const Tensor* roi = rule_.needs_roi() && context.has_input(kRoi) ? context.required_constant(kRoi) : nullptr;
    const DimShape& x = context.shape(0);
    if (!x.has_rank()) return;
    const std::vector<size_t> axes = resized_axes(x.rank());
    if (rule_.needs_roi()) check_roi(context, roi, axes.size());
    const bool is_scaled = context.has_input(scales_input_) && !is_empty(context, scales_input_);
    const bool is_sized = context.has_input(kSizes) && !is_empty(context, kSizes);
    if (!is_scaled && !is_sized && !axes.empty()) context.fail("neither scales nor sizes are given");
    if (scales && sizes && is_scaled && is_sized) context.fail("scales and sizes are both given");
    DimShape shape = x;
    for (const size_t axis : axes) shape[axis] = Dim::unknown();
    if (is_scaled && scales && !is_sized) {
      scale_extents(context, shape, axes, ops::read_floats(*scales));
    } else if (is_sized && sizes && !is_scaled) {
      size_extents(context, shape, axes, *sizes);
    }
    context.set_shape(0, std::move(shape));
  }

  void plan(PlanContext& context) const override {
    const Shape& input = context.input(0).shape;
    const Shape& output = context.output(0).shape;
    const std::vector<size_t> axes = resized_axes(input.rank());
    std::vector<double> roi;
    if (rule_.needs_roi()) {
      const std::vector<double> given = ops::read_floats(*context.elements(kRoi));
      roi.assign(input.rank(), 0.0);
      roi.resize(input.rank() * 2, 1.0);
      for (size_t k = 0; k < axes.size(); ++k) {
        roi[axes[k]] = given[k];
        roi[input.rank() + axes[k]] = given[axes.size() + k];
      }
    }
    ops::plan_resample(context, ops::sample_axes(rule_, input, output, scale_factors(context, axes), roi),
                       extrapolation_value_);
  }

 private:
  static constexpr size_t kRoi = 1;
  static constexpr size_t kSizes = 3;

  std::vector<size_t> resized_axes(size_t rank) const {
    if (axes_) return ops::normalize_axes(*axes_, rank);
    std::vector<size_t> axes;
    for (size_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
    return axes;
  }

  // Absent inputs may also be given without elements.
  static bool is_empty(const InferContext& context, size_t i) {
    const DimShape& shape = context.shape(i);
    return shape.has_rank() && shape.rank() == 1 && shape[0].is(0);
  }

  static void check_count(const InferContext& context, const char* what, size_t count, size_t expected) {
    if (count == expected) return;
    context.fail(std::string(what) + " has " + std::to_string(count) + " elements, not " + std::to_string(expected));
  }

  static void check_roi(const InferContext& context, const Tensor* roi, size_t axes) {
    if (!context.has_input(kRoi)) context.fail("mode tf_crop_and_resize needs the input roi");
    if (roi) check_count(context, "roi", static_cast<size_t>(roi->elements()), 2 * axes);
  }

  void scale_extents(const InferContext& context, DimShape& shape, const std::vector<size_t>& axes,
                     const std::vector<double>& scales) const {
    if (policy_ != AspectRatio::stretch) context.fail("keep_aspect_ratio_policy goes with sizes, not with scales");
    check_count(context, "scales", scales.size(), axes.size());
    for (size_t k = 0; k < axes.size(); ++k) shape[axes[k]] = ops::scaled_extent(context.shape(0)[axes[k]], scales[k]);
  }

  void size_extents(const InferContext& context, DimShape& shape, const std::vector<size_t>& axes,
                    const Content& sizes) const {
    check_count(context, "sizes", sizes.size(), axes.size());
    std::vector<int64_t> requested;
    std::vector<int64_t> extents;
    for (size_t k = 0; k < axes.size(); ++k) {
      const Dim& extent = context.shape(0)[axes[k]];
      if (sizes[k].is_number() && sizes[k].number() < 0) context.fail("a size cannot be " + sizes[k].to_string());
      if (policy_ == AspectRatio::stretch) shape[axes[k]] = sizes[k];
      if (sizes[k].is_number()) requested.push_back(sizes[k].number());
      if (extent.is_number()) extents.push_back(extent.number());
    }
    if (policy_ == AspectRatio::stretch || requested.size() != axes.size() || extents.size() != axes.size()) return;
    const double scale = common_scale(requested, extents);
    for (size_t k = 0; k < axes.size(); ++k) {
      const double extent = std::floor(scale * static_cast<double>(extents[k]) + 0.5);
      if (!(extent < 0x1p53)) context.fail("the sizes do not give the extents a common scale");
      shape[axes[k]] = static_cast<int64_t>(extent);
    }
  }

  // The scale of keep_aspect_ratio_policy.
  double common_scale(const std::vector<int64_t>& sizes, const std::vector<int64_t>& extents) const {
    std::vector<double> scales;
    for (size_t k = 0; k < sizes.size(); ++k) {
      scales.push_back(static_cast<double>(sizes[k]) / static_cast<double>(extents[k]));
    }
    if (scales.empty()) return 1;
    return policy_ == AspectRatio::not_larger ? *std::min_element(scales.begin(), scales.end())
                                              : *std::max_element(scales.begin(), scales.end());
  }

  // The scale of every axis.
  std::vector<double> scale_factors(const PlanContext& context, const std::vector<size_t>& axes) const {
    const Shape& input = context.input(0).shape;
    const Shape& output = context.output(0).shape;
    std::vector<double> factors(input.rank(), 1.0);
    if (context.has_input(scales_input_) && context.input(scales_input_).elements() > 0) {
      const std::vector<double> scales = ops::read_floats(*context.elements(scales_input_));
      for (size_t k = 0; k < axes.size(); ++k) factors[axes[k]] = scales[k];
    } else if (policy_ == AspectRatio::stretch) {
      for (const size_t axis : axes)
        factors[axis] = static_cast<double>(output[axis]) / static_cast<double>(input[axis]);
    } else {
      std::vector<int64_t> extents(axes.size());
      for (size_t k = 0; k < axes.size(); ++k) extents[k] = input[axes[k]];
      const double scale = common_scale(ops::read_integers(*context.elements(kSizes)), extents);
      for (const size_t axis : axes) factors[axis] = scale;
    }
    return factors;
  }

  ops::SamplingRule rule_;
  size_t scales_input_ = 2;
  float extrapolation_value_ = 0;
  std::optional<std::vector<int64_t>> axes_;
  AspectRatio policy_ = AspectRatio::stretch;
};

}  // namespace

void register_resize(OpRegistry& registry) {
  registry.add({.name = "Resize",
                .versions = {10},
                .signature = "X:T, scales:float32 -> Y:T",
                .types = {{.name = "T", .tensors = kClassicTypes}},
                .create = make_operator<Resize>});
  const std::pair<std::vector<int64_t>, DTypeSet> groups[] = {
      {{11}, kClassicTypes}, {{13, 18, 19}, kClassicTypes | DTypeSet{DType::bfloat16}}};
  for (const auto& [versions, types] : groups) {
    registry.add({.name = "Resize",
                  .versions = versions,
                  .signature = "X:T1, roi:T2?, scales:float32?, sizes:int64? -> Y:T1",
                  .types = {{.name = "T1", .tensors = types}, {.name = "T2", .tensors = kIeeeFloats}},
                  .create = make_operator<Resize>});
  }
}

}  // namespace onnxrun
