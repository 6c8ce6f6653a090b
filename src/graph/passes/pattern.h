#pragma once

#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "graph/graph.h"

// What passes ask of nodes and values.
namespace onnxrun {

// Whether the node is the operator of ai.onnx.
bool is_operator(const Node& node, std::string_view op_type);

int64_t integer_attribute(const Node& node, std::string_view name, int64_t otherwise);
float number_attribute(const Node& node, std::string_view name, float otherwise);
// Null where it is absent or of another type.
const std::vector<int64_t>* integers_attribute(const Node& node, std::string_view name);
const std::string* string_attribute(const Node& node, std::string_view name);

// The value's constant; null where it has none or is omitted.
ConstantPtr constant_of(const Graph& graph, ValueId id);
bool all_constant(const Graph& graph, const std::vector<ValueId>& ids);

// The elements of a small integer tensor as far as they are known.
std::optional<std::vector<Dim>> known_integers(const Graph& graph, ValueId id);

// The one element of a constant float32 tensor.
bool read_scalar(const Graph& graph, ValueId id, float& value);

// Whether the value is a constant of `columns` elements along its last axis, and no more.
bool is_constant_row(const Graph& graph, ValueId id, const Dim& columns);

// An element of a tensor at any address.
template <class T>
T read_unaligned(const Tensor& tensor, int64_t index) {
  T value;
  std::memcpy(&value, static_cast<const std::byte*>(tensor.data()) + index * static_cast<int64_t>(sizeof(T)),
              sizeof(T));
  return value;
}

// Whether there are convolution kernels for the node: at most three spatial axes, and no pads that cut the input.
bool has_conv_kernel(const Graph& graph, const Node& conv);

// The only node that reads the one output, which is no graph output; kNoNode otherwise.
NodeId only_consumer(const Graph& graph, const std::vector<std::vector<NodeId>>& consumers,
                     const std::vector<ValueId>& outputs);

// The form in which fused kernels apply an activation of ai.onnx or a QuantizeDequantize; false for any other node.
bool activation_step(const Graph& graph, const Node& node, FusedStep& step);

// One scale and zero point of a QuantizeLinear or DequantizeLinear of the given integer type of at most 16 bits, whose
// arithmetic is float's; nothing where they are not known or there are several.
struct Quantization {
  float scale = 0;
  float zero_point = 0;  // a whole number
  bool operator==(const Quantization&) const = default;
};
std::optional<Quantization> quantization_of(const Graph& graph, const Node& node, DType dtype);

// What a Pad adds, by axis: unknown where that is computed at run time.
struct Padding {
  std::vector<Dim> before, after;
};
std::optional<Padding> padding_of(const Graph& graph, const Node& pad);

// The first axis, counted from the end, of a reduction over constant axes that are the last ones.
std::optional<int64_t> trailing_axes(const Graph& graph, const Node& reduction);

ValueId add_constant(Graph& graph, std::string name, Tensor tensor);
ValueId add_constant(Graph& graph, std::string name, DType dtype, const Shape& shape, Constant::Making making);

}  // namespace onnxrun
