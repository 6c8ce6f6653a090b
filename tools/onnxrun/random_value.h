#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "onnxrun/value.h"

namespace onnxrun::cli {

// A tensor for an input of this type by a rule: "" (normal(0,1); integers 0 to 3), "normal(m,s)", "uniform(a,b)",
// "ones" or "zeros". A dimension that is not known is taken as 1.
// \throws Error(invalid_input) where the type is no tensor, Error(usage) for another rule.
Tensor random_tensor(const ValueType& type, const std::string& rule, uint64_t seed);

}  // namespace onnxrun::cli
