// Makes a ConvTranspose from convolutions: the outputs at one place within the strides, every s-th along each axis, are
// a convolution of the input with every s-th tap in reverse order. onnxrun.Interleave joins them. An activation behind
// the ConvTranspose moves before the joint, where it is fused. Only where the output fills blocks of channels. Of a map
// of one position, each output is a tap of one product.
#include <algorithm>

#include "base/checked.h"
#include "graph/passes/pass.h"
#include "graph/passes/pattern.h"

namespace onnxrun {
namespace {

constexpr int64_t kMaxConvolutions = 16;

// The convolution along one axis for the outputs phase, phase + stride, ...: taps first + j * stride, j < count.
struct PhaseAxis {
  int64_t first = 0, count = 0;
  int64_t pad_begin = 0, pad_end = 0;
};

struct Transposed {
  std::vector<int64_t> kernel, stride;
  std::vector<std::vector<PhaseAxis>> phases;  // [axis][phase]

  int64_t convolutions() const {
    int64_t count = 1;
    for (const int64_t s : stride) count *= s;
    return count;
  }
};

// False where the outputs are not such convolutions with paddings of their own.
bool read(const Graph& graph, const Node& node, Transposed& t) {
  const Tensor& weights = constant_of(graph, node.inputs[1])->tensor();
  const size_t axes = weights.shape().rank() - 2;
  const auto given = [&](std::string_view name, int64_t otherwise) {
    const auto* list = integers_attribute(node, name);
    return list && !list->empty() ? *list : std::vector<int64_t>(name == "pads" ? 2 * axes : axes, otherwise);
  };
  const auto dilations = given("dilations", 1), pads = given("pads", 0), padding = given("output_padding", 0);
  t.stride = given("strides", 1);
  if (t.convolutions() > kMaxConvolutions) return false;
  for (size_t axis = 0; axis < axes; ++axis) {
    const int64_t k = weights.shape()[axis + 2], s = t.stride[axis], p = pads[axis];
    if (dilations[axis] != 1 || p < 0) return false;
    t.kernel.push_back(k);
    std::vector<PhaseAxis> phases;
    for (int64_t r = 0; r < s; ++r) {
      PhaseAxis phase;
      phase.first = (r + p) % s;
      phase.count = ceil_div(k - phase.first, s);
      const int64_t shift = (r + p) / s;
      phase.pad_begin = phase.count - 1 - shift;
      phase.pad_end = ceil_div(k - s - p - pads[axis + axes] + padding[axis] - r, s) + shift;
      if (phase.count < 1 || phase.pad_begin < 0 || phase.pad_end < 0) return false;
      phases.push_back(phase);
    }
    t.phases.push_back(std::move(phases));
  }
  return true;
}

bool is_supported(const Graph& graph, const Node& node) {
  if (!is_operator(node, "ConvTranspose") || integer_attribute(node, "group", 1) != 1) return false;
  const ConstantPtr weights = constant_of(graph, node.inputs[1]);
  if (!weights || weights->dtype() != DType::float32 || weights->elements() == 0) return false;
  if (weights->shape().rank() < 3 || weights->shape().rank() > 5) return false;
  const auto* output_shape = integers_attribute(node, "output_shape");
  const std::string* auto_pad = string_attribute(node, "auto_pad");
  return (!output_shape || output_shape->empty()) && (!auto_pad || *auto_pad == "NOTSET");
}

bool fills_blocks(const Graph& graph, const Node& node, int64_t block) {
  return 2 * constant_of(graph, node.inputs[1])->shape()[1] > block;
}

// The outputs are the taps.
bool is_product(const Graph& graph, const Node& node) {
  const DimShape& x = graph.value(node.inputs[0]).type.shape;
  if (!x.has_rank() || x.rank() != constant_of(graph, node.inputs[1])->shape().rank()) return false;
  for (size_t axis = 2; axis < x.rank(); ++axis) {
    if (!x[axis].is(1)) return false;
  }
  const auto all = [&](std::string_view name, int64_t value) {
    const auto* list = integers_attribute(node, name);
    return !list || std::all_of(list->begin(), list->end(), [&](int64_t element) { return element == value; });
  };
  return all("pads", 0) && all("output_padding", 0) && all("dilations", 1);
}

// The bias of each channel for each of its taps.
Tensor repeated(const Tensor& bias, int64_t taps) {
  Tensor result(DType::float32, Shape{bias.elements() * taps});
  const auto values = result.mutable_values<float>();
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = read_unaligned<float>(bias, static_cast<int64_t>(i) / taps);
  }
  return result;
}

// [N, C] times [C, M taps], an activation behind it, and the axes that the ConvTranspose makes. False where the bias is
// no constant.
bool make_product(Graph& graph, const Node& node, const Node* activation) {
  constexpr int64_t kOpset = 13;
  const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != kNoValue;
  const ConstantPtr bias = has_bias ? constant_of(graph, node.inputs[2]) : nullptr;
  if (has_bias && !bias) return false;
  const Tensor& weights = constant_of(graph, node.inputs[1])->tensor();
  const Shape& shape = weights.shape();
  const std::string name = graph.value(node.outputs[0]).name;
  Node rows;
  rows.op_type = "Flatten";
  rows.opset = kOpset;
  rows.inputs = {node.inputs[0]};
  rows.outputs = {graph.add_value(name + " (rows)")};
  Node product;
  product.op_type = "Gemm";
  product.opset = kOpset;
  product.label = node.label;
  product.origins = node.origins;
  const Shape matrix = {shape[0], shape.elements(1, shape.rank())};
  product.inputs = {rows.outputs[0], add_constant(graph, name + " (matrix)", weights.reshaped(matrix))};
  if (has_bias) {
    const int64_t taps = shape.elements(2, shape.rank());
    product.inputs.push_back(add_constant(graph, name + " (bias)", repeated(bias->tensor(), taps)));
  }
  product.outputs = {graph.add_value(name + " (product)")};
  ValueId result = product.outputs[0];
  graph.add_node(std::move(rows));
  graph.add_node(std::move(product));
  if (activation) {
    Node applied = *activation;
    applied.op = nullptr;
    applied.inputs[0] = result;
    applied.outputs = {result = graph.add_value(name + " (activated)")};
    graph.add_node(std::move(applied));
  }
  Tensor target(DType::int64, Shape{static_cast<int64_t>(shape.rank())});
  for (size_t axis = 1; axis < shape.rank(); ++axis) target.mutable_values<int64_t>()[axis] = shape[axis];
  target.mutable_values<int64_t>()[0] = 0;  // the batch
  Node split;
  split.op_type = "Reshape";
  split.opset = kOpset;
  split.inputs = {result, add_constant(graph, name + " (shape)", std::move(target))};
  split.outputs = activation ? activation->outputs : node.outputs;
  graph.add_node(std::move(split));
  return true;
}

// [M, C, taps of the phase] of [C, M, taps].
Tensor phase_weights(const Tensor& weights, const Transposed& t, const std::vector<PhaseAxis>& phase) {
  const Shape& shape = weights.shape();
  std::vector<int64_t> extents = {shape[1], shape[0]};
  for (const PhaseAxis& axis : phase) extents.push_back(axis.count);
  Tensor result(DType::float32, Shape(extents));
  float* dst = result.mutable_values<float>().data();
  const int64_t taps = shape.elements(2, shape.rank());
  const int64_t kept = result.shape().elements(2, shape.rank());
  for (int64_t m = 0; m < shape[1]; ++m) {
    for (int64_t c = 0; c < shape[0]; ++c) {
      for (int64_t i = 0; i < kept; ++i) {
        int64_t tap = 0;
        int64_t rest = i;
        int64_t step = 1;
        for (size_t axis = phase.size(); axis-- > 0;) {
          const int64_t j = phase[axis].count - 1 - rest % phase[axis].count;
          tap += (phase[axis].first + j * t.stride[axis]) * step;
          rest /= phase[axis].count;
          step *= t.kernel[axis];
        }
        *dst++ = read_unaligned<float>(weights, (c * shape[1] + m) * taps + tap);
      }
    }
  }
  return result;
}

// The convolution of a phase, and the activation behind it; gives the value that they make.
ValueId add_phase(Graph& graph, const Node& transposed, const Node* activation, const Transposed& t, int64_t index,
                  ValueId output) {
  std::vector<PhaseAxis> phase;
  for (size_t axis = t.stride.size(); axis-- > 0;) {
    phase.insert(phase.begin(), t.phases[axis][static_cast<size_t>(index % t.stride[axis])]);
    index /= t.stride[axis];
  }
  std::vector<int64_t> pads, kernel;
  for (const PhaseAxis& axis : phase) pads.push_back(axis.pad_begin);
  for (const PhaseAxis& axis : phase) pads.push_back(axis.pad_end);
  for (const PhaseAxis& axis : phase) kernel.push_back(axis.count);
  const std::string name = graph.value(transposed.outputs[0]).name;
  const auto add_value = [&] { return output != kNoValue ? output : graph.add_value(name + " (phase)"); };
  Node conv = transposed;
  conv.op_type = "Conv";
  conv.op = nullptr;
  conv.entry = nullptr;
  conv.inputs[1] = add_constant(graph, graph.value(transposed.inputs[1]).name + " (phase)",
                                phase_weights(constant_of(graph, transposed.inputs[1])->tensor(), t, phase));
  conv.attributes = {{"pads", pads}, {"kernel_shape", kernel}};
  conv.outputs = {activation ? graph.add_value(name + " (phase)") : add_value()};
  const ValueId sum = conv.outputs[0];
  graph.add_node(std::move(conv));
  if (!activation) return sum;
  Node applied = *activation;
  applied.op = nullptr;
  applied.inputs[0] = sum;
  applied.outputs = {add_value()};
  const ValueId result = applied.outputs[0];
  graph.add_node(std::move(applied));
  return result;
}

}  // namespace

int split_conv_transpose(Graph& graph, const PassContext& context) {
  if (context.channel_block == 0) return 0;
  const auto consumers = graph.consumers();
  int changes = 0;
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    if (graph.node(id).removed || !is_supported(graph, graph.node(id))) continue;
    const Node node = graph.node(id);
    FusedStep step;
    const NodeId next = only_consumer(graph, consumers, node.outputs);
    const bool has_activation = next != kNoNode && activation_step(graph, graph.node(next), step);
    const Node activation = has_activation ? graph.node(next) : Node();
    if (is_product(graph, node) && make_product(graph, node, has_activation ? &activation : nullptr)) {
      graph.remove_node(id);
      if (has_activation) graph.remove_node(next);
      ++changes;
      continue;
    }
    Transposed t;
    if (!fills_blocks(graph, node, context.channel_block) || !read(graph, node, t)) continue;
    graph.remove_node(id);
    ++changes;
    if (t.convolutions() == 1) {
      add_phase(graph, node, nullptr, t, 0, node.outputs[0]);
      continue;
    }
    Node joint;
    joint.domain = "onnxrun";
    joint.op_type = "Interleave";
    joint.opset = 1;
    joint.label = node.label;
    joint.origins = node.origins;
    joint.attributes = {{"strides", t.stride}};
    joint.outputs = has_activation ? activation.outputs : node.outputs;
    if (has_activation) graph.remove_node(next);
    for (int64_t i = 0; i < t.convolutions(); ++i) {
      joint.inputs.push_back(add_phase(graph, node, has_activation ? &activation : nullptr, t, i, kNoValue));
    }
    graph.add_node(std::move(joint));
  }
  return changes;
}

}  // namespace onnxrun
