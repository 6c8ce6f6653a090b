#include "graph/passes/pattern.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/dispatch_dtype.h"

namespace onnxrun {
namespace {

// The bounds of a Clip: attributes before version 11, constant inputs since.
bool clip_bounds(const Graph& graph, const Node& clip, FusedStep& step) {
  step.alpha = number_attribute(clip, "min", std::numeric_limits<float>::lowest());
  step.beta = number_attribute(clip, "max", std::numeric_limits<float>::max());
  const auto read = [&](size_t i, float& bound) {
    return clip.inputs.size() <= i || clip.inputs[i] == kNoValue || read_scalar(graph, clip.inputs[i], bound);
  };
  return read(1, step.alpha) && read(2, step.beta) && step.alpha <= step.beta;
}

template <class T>
const T* find_attribute(const Node& node, std::string_view name) {
  for (const Attribute& attribute : node.attributes) {
    if (attribute.name == name) return std::get_if<T>(&attribute.value);
  }
  return nullptr;
}

}  // namespace

bool is_operator(const Node& node, std::string_view op_type) { return node.domain.empty() && node.op_type == op_type; }

int64_t integer_attribute(const Node& node, std::string_view name, int64_t otherwise) {
  const auto* value = find_attribute<int64_t>(node, name);
  return value ? *value : otherwise;
}

float number_attribute(const Node& node, std::string_view name, float otherwise) {
  const auto* value = find_attribute<float>(node, name);
  return value ? *value : otherwise;
}

const std::vector<int64_t>* integers_attribute(const Node& node, std::string_view name) {
  return find_attribute<std::vector<int64_t>>(node, name);
}

const std::string* string_attribute(const Node& node, std::string_view name) {
  return find_attribute<std::string>(node, name);
}

ConstantPtr constant_of(const Graph& graph, ValueId id) { return id == kNoValue ? nullptr : graph.value(id).constant; }

bool all_constant(const Graph& graph, const std::vector<ValueId>& ids) {
  return std::all_of(ids.begin(), ids.end(), [&](ValueId id) { return constant_of(graph, id) != nullptr; });
}

std::optional<std::vector<Dim>> known_integers(const Graph& graph, ValueId id) {
  if (id == kNoValue) return std::nullopt;
  const GraphValue& value = graph.value(id);
  if (!value.constant) return value.has_content ? std::optional(value.content) : std::nullopt;
  const Tensor& tensor = value.constant->tensor();
  std::vector<Dim> list;
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    if (tensor.dtype() == DType::int32) list.emplace_back(int64_t{read_unaligned<int32_t>(tensor, i)});
    if (tensor.dtype() == DType::int64) list.emplace_back(read_unaligned<int64_t>(tensor, i));
  }
  return list;
}

bool read_scalar(const Graph& graph, ValueId id, float& value) {
  const ConstantPtr constant = constant_of(graph, id);
  if (!constant || constant->dtype() != DType::float32 || constant->elements() != 1) return false;
  value = read_unaligned<float>(constant->tensor(), 0);
  return true;
}

bool has_conv_kernel(const Graph& graph, const Node& conv) {
  constexpr size_t kMostAxes = 5;
  const auto* pads = integers_attribute(conv, "pads");
  if (pads && std::any_of(pads->begin(), pads->end(), [](int64_t pad) { return pad < 0; })) return false;
  return std::any_of(conv.inputs.begin(), conv.inputs.begin() + 2, [&](ValueId id) {
    const DimShape& shape = graph.value(id).type.shape;
    return shape.has_rank() && shape.rank() <= kMostAxes;
  });
}

bool is_constant_row(const Graph& graph, ValueId id, const Dim& columns) {
  const ConstantPtr constant = constant_of(graph, id);
  if (!constant) return false;
  const Shape& shape = constant->shape();
  return !shape.empty() && columns.is(shape.back()) && shape.elements() == shape.back();
}

NodeId only_consumer(const Graph& graph, const std::vector<std::vector<NodeId>>& consumers,
                     const std::vector<ValueId>& outputs) {
  if (outputs.size() != 1 || outputs[0] == kNoValue || graph.is_output(outputs[0])) return kNoNode;
  const auto index = static_cast<size_t>(outputs[0]);
  if (index >= consumers.size() || consumers[index].size() != 1) return kNoNode;
  const NodeId id = consumers[index][0];
  const Node& node = graph.node(id);
  const bool captured =
      std::find(node.implicit_inputs.begin(), node.implicit_inputs.end(), outputs[0]) != node.implicit_inputs.end();
  return node.removed || captured ? kNoNode : id;
}

std::optional<Quantization> quantization_of(const Graph& graph, const Node& node, DType dtype) {
  Quantization result;
  if (!read_scalar(graph, node.inputs[1], result.scale)) return {};
  if (!(result.scale >= std::numeric_limits<float>::min()) || std::isinf(result.scale)) return {};
  if (integer_attribute(node, "block_size", 0) != 0) return {};
  constexpr auto kFloat = static_cast<int64_t>(DType::float32);
  if (const int64_t precision = integer_attribute(node, "precision", 0); precision != 0 && precision != kFloat) {
    return {};
  }
  if (node.inputs.size() < 3 || node.inputs[2] == kNoValue) return result;
  const ConstantPtr zero = constant_of(graph, node.inputs[2]);
  if (!zero || zero->elements() != 1 || zero->dtype() != dtype) return {};
  dispatch_dtype<int8_t, uint8_t, int16_t, uint16_t>(
      dtype, [&]<class T>() { result.zero_point = static_cast<float>(read_unaligned<T>(zero->tensor(), 0)); });
  return result;
}

std::optional<Padding> padding_of(const Graph& graph, const Node& pad) {
  constexpr size_t kPads = 1, kAxes = 3;
  const DimShape& shape = graph.value(pad.inputs[0]).type.shape;
  if (!shape.has_rank()) return std::nullopt;
  std::vector<size_t> axes;
  if (pad.inputs.size() > kAxes && pad.inputs[kAxes] != kNoValue) {
    const auto given = known_integers(graph, pad.inputs[kAxes]);
    if (!given) return std::nullopt;
    for (const Dim& axis : *given) {
      if (!axis.is_number()) return std::nullopt;
      axes.push_back(
          static_cast<size_t>(axis.number() < 0 ? axis.number() + static_cast<int64_t>(shape.rank()) : axis.number()));
    }
  } else {
    for (size_t axis = 0; axis < shape.rank(); ++axis) axes.push_back(axis);
  }
  std::vector<Dim> pads;
  const auto* attribute = integers_attribute(pad, pad.opset < 2 ? "paddings" : "pads");
  if (attribute) {
    pads.assign(attribute->begin(), attribute->end());
  } else {
    const auto given = pad.inputs.size() > kPads ? known_integers(graph, pad.inputs[kPads]) : std::nullopt;
    if (!given) return std::nullopt;
    pads = *given;
  }
  if (pads.size() != 2 * axes.size()) return std::nullopt;
  Padding padding{std::vector<Dim>(shape.rank(), Dim(0)), std::vector<Dim>(shape.rank(), Dim(0))};
  for (size_t k = 0; k < axes.size(); ++k) {
    if (axes[k] >= shape.rank()) return std::nullopt;
    padding.before[axes[k]] = pads[k];
    padding.after[axes[k]] = pads[k + axes.size()];
  }
  return padding;
}

std::optional<int64_t> trailing_axes(const Graph& graph, const Node& reduction) {
  const DimShape& shape = graph.value(reduction.inputs[0]).type.shape;
  if (!shape.has_rank()) return {};
  const auto rank = static_cast<int64_t>(shape.rank());
  std::vector<int64_t> axes;
  if (const auto* list = integers_attribute(reduction, "axes")) axes = *list;
  if (reduction.inputs.size() > 1 && reduction.inputs[1] != kNoValue) {
    const ConstantPtr constant = constant_of(graph, reduction.inputs[1]);
    if (!constant) return {};
    for (int64_t i = 0; i < constant->elements(); ++i) {
      axes.push_back(read_unaligned<int64_t>(constant->tensor(), i));
    }
  }
  for (int64_t& axis : axes) axis = axis < 0 ? axis : axis - rank;
  std::sort(axes.begin(), axes.end());
  for (size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] != static_cast<int64_t>(i) - static_cast<int64_t>(axes.size())) return {};
  }
  if (axes.empty()) return {};
  return axes.front();
}

ValueId add_constant(Graph& graph, std::string name, Tensor tensor) {
  const ValueId id = graph.add_value(std::move(name));
  graph.value(id).constant = std::make_shared<const Constant>(std::move(tensor), Constant::Source::computed);
  return id;
}

ValueId add_constant(Graph& graph, std::string name, DType dtype, const Shape& shape, Constant::Making making) {
  const ValueId id = graph.add_value(std::move(name));
  graph.value(id).constant = std::make_shared<const Constant>(dtype, shape, std::move(making));
  return id;
}

bool activation_step(const Graph& graph, const Node& node, FusedStep& step) {
  static constexpr std::array<std::string_view, 7> kPlain = {"Relu", "Sigmoid",  "Tanh", "HardSwish",
                                                             "Mish", "Softplus", "Gelu"};
  step.op_type = node.op_type;
  if (node.domain == "onnxrun" && node.op_type == "QuantizeDequantize") {
    step.alpha = number_attribute(node, "scale", 1);
    step.beta = number_attribute(node, "low", 0);
    step.gamma = number_attribute(node, "high", 0);
    return true;
  }
  if (!node.domain.empty()) return false;
  if (node.op_type == "Clip") return clip_bounds(graph, node, step);
  if (node.op_type == "LeakyRelu") {
    step.alpha = number_attribute(node, "alpha", 0.01F);
    return true;
  }
  if (node.op_type == "PRelu") {  // of one slope
    step.op_type = "LeakyRelu";
    return read_scalar(graph, node.inputs[1], step.alpha);
  }
  if (node.op_type == "HardSigmoid") {
    step.alpha = number_attribute(node, "alpha", 0.2F);
    step.beta = number_attribute(node, "beta", 0.5F);
    return true;
  }
  if (node.op_type == "Swish") return number_attribute(node, "alpha", 1) == 1;
  if (std::find(kPlain.begin(), kPlain.end(), node.op_type) == kPlain.end()) return false;
  const std::string* approximate = string_attribute(node, "approximate");
  if (approximate && *approximate == "tanh") step.op_type = "GeluTanh";
  return true;
}

}  // namespace onnxrun
