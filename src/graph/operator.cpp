#include "graph/operator.h"

#include <algorithm>
#include <stdexcept>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "graph/content.h"
#include "onnxrun/error.h"

namespace onnxrun {

void Operator::plan(PlanContext& context) const { context.run_whole(); }

void Operator::run(RunContext& /*context*/) const { throw std::logic_error("an operator with neither phases nor run"); }

const Tensor* InferContext::required_constant(size_t i) {
  if (const Tensor* known = constant(i)) return known;
  return demand_ ? demand_(node_.inputs[i]) : nullptr;
}

const Content* InferContext::required_content(size_t i) {
  if (const Content* known = content(i)) return known;
  const Tensor* tensor = required_constant(i);
  if (!tensor) return nullptr;
  demanded_.push_back(std::make_unique<Content>(content_of(*tensor)));
  return demanded_.back().get();
}

void InferContext::set_type(size_t j, Type type) {
  if (wants(j)) facts_[static_cast<size_t>(node_.outputs[j])].type = std::move(type);
}

void InferContext::set_dtype(size_t j, DType dtype) {
  if (!wants(j)) return;
  Type& type = facts_[static_cast<size_t>(node_.outputs[j])].type;
  type.kind = ValueKind::tensor;
  type.dtype = dtype;
}

void InferContext::set_shape(size_t j, DimShape shape) {
  if (!wants(j)) return;
  Type& type = facts_[static_cast<size_t>(node_.outputs[j])].type;
  type.kind = ValueKind::tensor;
  type.shape = std::move(shape);
}

void InferContext::set_content(size_t j, Content content) {
  if (!wants(j) || content.size() > static_cast<size_t>(kMaxContentElements)) return;
  ValueFact& fact = facts_[static_cast<size_t>(node_.outputs[j])];
  fact.content = std::move(content);
  fact.has_content = true;
}

void InferContext::fail(const std::string& message) const { throw Error(ErrorCode::invalid_model, message); }

size_t PlanContext::scratch(size_t bytes) {
  const size_t begin = plan_.scratch_bytes;
  plan_.scratch_bytes = align_up(begin + bytes, kAlignment);
  return begin;
}

void PlanContext::phase(int64_t tile_count, double nanoseconds_per_tile,
                        std::function<void(const TileContext&)> run_tile) {
  Phase& phase = plan_.phases.emplace_back();
  phase.tile_count = tile_count;
  phase.nanoseconds_per_tile = nanoseconds_per_tile;
  phase.run_tile = std::move(run_tile);
}

void PlanContext::range(int64_t count, double nanoseconds_per_item,
                        std::function<void(const TileContext&, int64_t, int64_t)> run_range) {
  // Long enough that a tile's overhead is small, short enough that many cores share large work.
  constexpr double kTileNanoseconds = 20'000;
  const int64_t per_tile = std::max<int64_t>(1, static_cast<int64_t>(kTileNanoseconds / nanoseconds_per_item));
  phase(ceil_div(count, per_tile), static_cast<double>(std::min(per_tile, count)) * nanoseconds_per_item,
        [count, per_tile, run = std::move(run_range)](const TileContext& context) {
          const int64_t begin = context.tile * per_tile;
          run(context, begin, std::min(count, begin + per_tile));
        });
}

void PlanContext::elementwise(int64_t count, double nanoseconds_per_element,
                              std::function<void(const TileContext&, int64_t, int64_t)> run_elements) {
  range(count, nanoseconds_per_element, run_elements);
  Phase& phase = plan_.phases.back();
  phase.elements = count;
  phase.nanoseconds_per_element = nanoseconds_per_element;
  phase.run_elements = std::move(run_elements);
}

void RunContext::fail(const std::string& message) { throw Error(ErrorCode::run_failed, message); }

}  // namespace onnxrun
