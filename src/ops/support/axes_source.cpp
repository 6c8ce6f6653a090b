#include "ops/support/axes_source.h"

#include "ops/support/shape_rules.h"

namespace onnxrun::ops {

AxesSource::Axes AxesSource::read(InferContext& context) const {
  if (!is_input_) return attribute();
  if (!context.has_input(input_)) return {true, false, {}};
  const auto known = numbers(context.required_content(input_));
  if (!known) return {false, true, {}};
  return {true, true, *known};
}

AxesSource::Axes AxesSource::read(const PlanContext& context) const {
  if (!is_input_) return attribute();
  if (!context.has_input(input_)) return {true, false, {}};
  const Tensor* elements = context.elements(input_);
  if (!elements) return {false, true, {}};
  return {true, true, read_integers(*elements)};
}

}  // namespace onnxrun::ops
