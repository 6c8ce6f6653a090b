#include "ops/support/shape_rules.h"

#include <algorithm>
#include <functional>
#include <string>

#include "graph/content.h"
#include "onnxrun/error.h"

namespace onnxrun::ops {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorCode::invalid_model, why); }

Dim broadcast_dim(const Dim& a, const Dim& b, const DimShape& left, const DimShape& right) {
  if (a.is(1)) return b;
  if (b.is(1) || a == b) return a;
  if (a.is_number() && b.is_number()) {
    refuse("shapes " + left.to_string() + " and " + right.to_string() + " cannot be broadcast");
  }
  // An extent other than 1 wins, for the other must be 1 or equal.
  if (a.is_number()) return a;
  if (b.is_number()) return b;
  // So must what a Slice has cut from an extent that is longer than 1.
  if (a.is_cut_from(b)) return b;
  if (b.is_cut_from(a)) return a;
  return Dim::unknown();
}

}  // namespace

size_t normalize_axis(int64_t axis, size_t rank, std::string_view what) {
  const auto signed_rank = static_cast<int64_t>(rank);
  if (axis < -signed_rank || axis >= signed_rank) {
    refuse(std::string(what) + " " + std::to_string(axis) + " is out of range for rank " + std::to_string(rank));
  }
  return static_cast<size_t>(axis < 0 ? axis + signed_rank : axis);
}

std::vector<size_t> normalize_axes(const std::vector<int64_t>& axes, size_t rank, std::string_view what) {
  std::vector<size_t> normalized;
  for (const int64_t axis : axes) {
    const size_t index = normalize_axis(axis, rank, what);
    if (std::find(normalized.begin(), normalized.end(), index) != normalized.end()) {
      refuse(std::string(what) + " names axis " + std::to_string(axis) + " twice");
    }
    normalized.push_back(index);
  }
  return normalized;
}

DimShape broadcast(const DimShape& a, const DimShape& b) {
  if (!a.has_rank() || !b.has_rank()) return DimShape::unknown();
  const size_t rank = std::max(a.rank(), b.rank());
  DimShape result = DimShape::of_rank(rank);
  for (size_t axis = 0; axis < rank; ++axis) {
    // Missing leading axes count as 1.
    const size_t a_missing = rank - a.rank();
    const size_t b_missing = rank - b.rank();
    const Dim left = axis < a_missing ? Dim(1) : a[axis - a_missing];
    const Dim right = axis < b_missing ? Dim(1) : b[axis - b_missing];
    result[axis] = broadcast_dim(left, right, a, b);
  }
  return result;
}

Shape broadcast(const Shape& a, const Shape& b) { return broadcast(DimShape(a), DimShape(b)).concrete(); }

DimShape broadcast_inputs(const InferContext& context) {
  DimShape shape(std::vector<Dim>{});
  for (size_t i = 0; i < context.input_count(); ++i) {
    if (context.has_input(i)) shape = broadcast(shape, context.shape(i));
  }
  return shape;
}

std::optional<std::vector<int64_t>> numbers(const Content* content) {
  if (!content) return std::nullopt;
  std::vector<int64_t> result;
  for (const Dim& element : *content) {
    if (!element.is_number()) return std::nullopt;
    result.push_back(element.number());
  }
  return result;
}

void propagate_content(InferContext& context, const std::function<Dim(const Dim&, const Dim&)>& f) {
  const Content* a = context.content(0);
  const Content* b = context.content(1);
  if (!a || !b || a->empty() || b->empty()) return;
  const size_t size = std::max(a->size(), b->size());
  if ((a->size() != size && a->size() != 1) || (b->size() != size && b->size() != 1)) return;
  if (context.shape(0).rank() > 1 || context.shape(1).rank() > 1) return;
  Content result;
  for (size_t i = 0; i < size; ++i) result.push_back(f((*a)[a->size() == 1 ? 0 : i], (*b)[b->size() == 1 ? 0 : i]));
  context.set_content(0, std::move(result));
}

std::vector<int64_t> read_integers(const Tensor& tensor) {
  const Content content = content_of(tensor);
  return *numbers(&content);
}

}  // namespace onnxrun::ops
