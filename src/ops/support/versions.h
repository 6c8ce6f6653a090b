#pragma once

#include <initializer_list>

#include "graph/registry.h"

namespace onnxrun::ops {

// Every tensor type that the standard had at opset `version`: what operators of pure movement take.
constexpr DTypeSet types_since(int64_t version) {
  DTypeSet types = kClassicTypes;
  if (version >= 13) types = types | kFloats;
  if (version >= 19) types = types | kFloat8;
  if (version >= 21) types = types | DTypeSet{DType::int4, DType::uint4};
  if (version >= 23) types = types | DTypeSet{DType::float4e2m1};
  if (version >= 24) types = types | DTypeSet{DType::float8e8m0};
  return version >= 25 ? kAllTypes : types;
}

// Registers `registration` for each of its versions by itself, the type variables `variables` being every type of that
// time, but for those in `without`.
void add_versions(OpRegistry& registry, const OperatorRegistration& registration,
                  std::initializer_list<const char*> variables = {"T"}, DTypeSet without = {});

}  // namespace onnxrun::ops
