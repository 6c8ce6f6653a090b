#pragma once

#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "onnxrun/value.h"

namespace onnxrun::cli {

// Prints "name type" and the elements in nested brackets; the middle of large tensors is left out.
void print_value(std::ostream& out, const std::string& name, const Value& value);

// Prints the `count` largest elements of each row of the last axis, with their labels where there are any.
// \throws Error(usage) for values that are not numbers.
void print_top(std::ostream& out, const std::string& name, const Value& value, int count,
               const std::vector<std::string>& labels);

// A number, string or boolean of JSON; infinities and NaN, which JSON lacks, are strings.
nlohmann::ordered_json element_json(const TensorView& tensor, int64_t index);

// {"type", "dtype", "shape", "data": [...]} for tensors, nested values for the rest.
nlohmann::ordered_json value_json(const Value& value);

// The indices of the `count` largest elements among `length` from `begin`, largest first, ties by index.
std::vector<int64_t> top_indices(const TensorView& tensor, int64_t begin, int64_t length, int count);

}  // namespace onnxrun::cli
