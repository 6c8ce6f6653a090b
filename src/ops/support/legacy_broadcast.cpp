#include "ops/support/legacy_broadcast.h"

#include "onnxrun/error.h"
#include "ops/support/shape_rules.h"

namespace onnxrun::ops {

BinaryBroadcast::BinaryBroadcast(AttributeReader& attributes) : legacy_(attributes.version() < 7) {
  if (!legacy_) return;
  attributes.ignore("consumed_inputs");
  broadcast_ = attributes.flag("broadcast", false);
  if (attributes.has("axis")) axis_ = attributes.required_integer("axis");
}

DimShape BinaryBroadcast::infer(const DimShape& a, const DimShape& b) const {
  if (!legacy_) return broadcast(a, b);
  if (a.is_concrete() && b.is_concrete()) {
    const Shape first = a.concrete();
    const Shape result = broadcast(first, second(first, b.concrete()));
    if (!(result == first)) {
      throw Error(ErrorCode::invalid_model,
                  "the second operand " + b.to_string() + " does not fit into the first, " + a.to_string());
    }
  }
  return a;
}

Shape BinaryBroadcast::second(const Shape& a, const Shape& b) const {
  if (!legacy_ || b.elements() == 1) return b;
  if (!broadcast_) {
    if (!(a == b)) {
      throw Error(ErrorCode::invalid_model, "shapes " + a.to_string() + " and " + b.to_string() +
                                                " differ, and attribute 'broadcast' is not set");
    }
    return b;
  }
  if (b.rank() > a.rank())
    throw Error(ErrorCode::invalid_model, "the second operand has more dimensions than the first");
  const size_t axis = axis_ ? normalize_axis(*axis_, a.rank()) : a.rank() - b.rank();
  Shape placed = b;
  while (axis + placed.rank() < a.rank()) placed.push_back(1);
  return placed;
}

}  // namespace onnxrun::ops
