#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "graph/operator.h"

namespace onnxrun::ops {

// `axis` in [-rank, rank) as an index. \throws Error(invalid_model) naming `what`.
size_t normalize_axis(int64_t axis, size_t rank, std::string_view what = "axis");

// The same for a list, in its order. \throws Error(invalid_model) also where an axis is there twice.
std::vector<size_t> normalize_axes(const std::vector<int64_t>& axes, size_t rank, std::string_view what = "axes");

// https://onnx.ai/onnx/repo-docs/Broadcasting.html. Unknown where a rank is. \throws Error(invalid_model).
DimShape broadcast(const DimShape& a, const DimShape& b);
Shape broadcast(const Shape& a, const Shape& b);

// The broadcast shape of all inputs of the node.
DimShape broadcast_inputs(const InferContext& context);

// Numbers of a small integer input; empty where they are not known (all of them must be).
std::optional<std::vector<int64_t>> numbers(const Content* content);

// Sets the content of output 0 to f of the inputs' known elements: vectors of one length, or single elements.
void propagate_content(InferContext& context, const std::function<Dim(const Dim&, const Dim&)>& f);

// Integers of an attribute or, since some version, of an input.
std::vector<int64_t> read_integers(const Tensor& tensor);

}  // namespace onnxrun::ops
