// A QuantizeLinear of float32 by one constant scale, and the DequantizeLinear by the same scale behind it, only round
// and saturate: onnxrun.QuantizeDequantize does that to floats, so that they stay where fast kernels compute with them.
// The result is the same to the last bit.
#include <algorithm>
#include <limits>

#include "base/dispatch_dtype.h"
#include "graph/passes/pass.h"
#include "graph/passes/pattern.h"

namespace onnxrun {
namespace {

// round(x / scale) in [low, high], times scale.
Node make_node(const Node& quantize, const Node& dequantize, const Quantization& quantization, DType dtype) {
  Node node;
  node.domain = "onnxrun";
  node.op_type = "QuantizeDequantize";
  node.opset = 1;
  node.name = quantize.name;
  node.inputs = {quantize.inputs[0]};
  node.outputs = dequantize.outputs;
  node.origins = quantize.origins;
  node.origins.insert(node.origins.end(), dequantize.origins.begin(), dequantize.origins.end());
  float low = 0, high = 0;
  dispatch_dtype<int8_t, uint8_t, int16_t, uint16_t>(dtype, [&]<class T>() {
    low = static_cast<float>(std::numeric_limits<T>::min());
    high = static_cast<float>(std::numeric_limits<T>::max());
  });
  node.attributes = {
      {"scale", quantization.scale}, {"low", low - quantization.zero_point}, {"high", high - quantization.zero_point}};
  return node;
}

}  // namespace

int fuse_quantization(Graph& graph, const PassContext& /*context*/) {
  constexpr DTypeSet kFused = {DType::int8, DType::uint8, DType::int16, DType::uint16};
  const auto consumers = graph.consumers();
  int fused = 0;
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    const Node quantize = graph.node(id);
    if (!is_operator(quantize, "QuantizeLinear") || graph.value(quantize.inputs[0]).type.dtype != DType::float32) {
      continue;
    }
    const ValueId integers = quantize.outputs[0];
    const DType dtype = graph.value(integers).type.dtype;
    if (!kFused.contains(dtype)) continue;
    const auto quantization = quantization_of(graph, quantize, dtype);
    if (!quantization) continue;
    bool is_read = graph.is_output(integers);
    // Floats beside the integers that a fused operator reads would only be more to write.
    const auto& readers = consumers[static_cast<size_t>(integers)];
    const auto is_fused = [&](NodeId reader) { return graph.node(reader).domain == "onnxrun"; };
    if (std::any_of(readers.begin(), readers.end(), is_fused)) continue;
    ValueId floats = kNoValue;
    for (const NodeId reader : readers) {
      const Node dequantize = graph.node(reader);
      const bool matches = is_operator(dequantize, "DequantizeLinear") && dequantize.inputs[0] == integers &&
                           graph.value(dequantize.outputs[0]).type.dtype == DType::float32 &&
                           quantization_of(graph, dequantize, dtype) == quantization;
      is_read = is_read || !matches;
      if (!matches) continue;
      graph.remove_node(reader);
      ++fused;
      if (floats != kNoValue && !graph.is_output(dequantize.outputs[0])) {
        graph.replace_uses(dequantize.outputs[0], floats);
        continue;
      }
      floats = dequantize.outputs[0];
      graph.add_node(make_node(quantize, dequantize, *quantization, dtype));
    }
    if (!is_read) graph.remove_node(id);
  }
  return fused;
}

}  // namespace onnxrun
