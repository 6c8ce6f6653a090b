// Shapes of channel-blocked maps: [N, C, spatial] as [N, ceil(C / block), spatial, block]; see
// kernels/conv/blocked_conv.h.
#pragma once

#include <functional>
#include <span>

#include "graph/registry.h"
#include "kernels/epilogue.h"

namespace onnxrun::ops {

inline DimShape blocked_shape(const DimShape& plain, int64_t block) {
  std::vector<Dim> dims = plain.dims();
  dims[1] = ceil_div(dims[1], Dim(block));
  dims.emplace_back(block);
  return dims;
}

inline DimShape plain_shape(const DimShape& blocked, const Dim& channels) {
  std::vector<Dim> dims = blocked.dims();
  dims[1] = channels;
  dims.pop_back();
  return dims;
}

inline Shape plain_shape(const Shape& blocked, int64_t channels) {
  return plain_shape(DimShape(blocked), Dim(channels)).concrete();
}

// Plans one phase over the maps [N, blocks] of input 0 and output 0: run(tile, map, src, dst), where they begin.
using RunMap = std::function<void(const TileContext& tile, int64_t map, const float* src, float* dst)>;
void plan_maps(PlanContext& context, double nanoseconds_per_map, RunMap run);

// x * scale + shift, each lane with its own, then the steps, on a map of `positions` vectors; dst may be src.
void scale_shift_map(const float* src, float* dst, int64_t positions, const float* scale, const float* shift,
                     std::span<const EpilogueStep> steps);

// Adds an operator of the domain onnxrun.
template <class Op>
void add_blocked(OpRegistry& registry, std::string_view name, std::string_view signature = "X:T -> Y:T",
                 DTypeSet types = {DType::float32}) {
  registry.add({.domain = "onnxrun",
                .name = name,
                .versions = {1},
                .signature = signature,
                .types = {{.name = "T", .tensors = types}},
                .create = make_operator<Op>});
}

}  // namespace onnxrun::ops
