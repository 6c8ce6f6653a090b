// Computes with the integers of quantized models: a Conv, MatMul, Gemm or Add between DequantizeLinears and a
// QuantizeLinear becomes one operator on bytes (onnxrun.QuantizedConv, QuantizedMatMul and QuantizedAdd), and what only
// moves elements moves integers. Sums are exact and rounded once, where the floats that the model describes are rounded
// more often: where those come close to the middle between two integers the result may be the other one. A QLinearConv
// becomes a QuantizedConv as well.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "graph/passes/pass.h"
#include "graph/passes/pattern.h"

namespace onnxrun {
namespace {

constexpr float kLow = 0, kHigh = 255;

// Operators whose output's elements are elements of their inputs, the first ones or, of Concat, all of them; of MaxPool
// the largest ones, which are the same before and behind a DequantizeLinear.
constexpr std::array<std::string_view, 9> kMoves = {"MaxPool", "Concat",    "Reshape",      "Flatten",     "Transpose",
                                                    "Squeeze", "Unsqueeze", "DepthToSpace", "SpaceToDepth"};

// A number for each output channel.
using Numbers = std::vector<double>;

// Weights or a bias behind a DequantizeLinear.
struct QuantizedConstant {
  ValueId integers = kNoValue;
  Numbers scale;  // of each output channel
};

class Fusion {
 public:
  Fusion(Graph& graph, int64_t block) : graph_(graph), block_(block) {}

  int run() {
    int changes = make_unsigned();
    consumers_ = graph_.consumers();
    const std::vector<NodeId> order = graph_.order();
    for (const NodeId id : order) {
      const Node node = graph_.node(id);
      if (node.removed) continue;
      if (is_operator(node, "QuantizeLinear") && fuse_before(id, node)) ++changes;
      if (is_operator(node, "QLinearConv") && replace_linear_conv(id, node)) ++changes;
    }
    for (const NodeId id : order) {
      const Node node = graph_.node(id);
      if (node.removed) continue;
      if (auto product = product_of_bytes(node, node.outputs.front(), nullptr)) {
        replace(id, std::move(*product));
        ++changes;
      }
    }
    return changes;
  }

 private:
  DType dtype(ValueId id) const { return graph_.value(id).type.dtype; }
  const DimShape& shape(ValueId id) const { return graph_.value(id).type.shape; }

  // The DequantizeLinear that makes a value.
  const Node* dequantize_of(ValueId id) const {
    if (id == kNoValue) return nullptr;
    const NodeId producer = graph_.value(id).producer;
    if (producer == kNoNode) return nullptr;
    const Node& node = graph_.node(producer);
    return is_operator(node, "DequantizeLinear") ? &node : nullptr;
  }

  // The bytes, with one scale and zero point, that a value stands for.
  struct Bytes {
    ValueId integers = kNoValue;
    Quantization quantization;
  };
  std::optional<Bytes> bytes_of(ValueId id) const {
    const Node* dequantize = dequantize_of(id);
    if (!dequantize || dtype(id) != DType::float32 || dtype(dequantize->inputs[0]) != DType::uint8) return {};
    if (graph_.value(dequantize->inputs[0]).constant) return {};
    const auto quantization = quantization_of(graph_, *dequantize, DType::uint8);
    if (!quantization) return {};
    return Bytes{dequantize->inputs[0], *quantization};
  }

  static bool is_product(const Node& node) {
    return is_operator(node, "Conv") || is_operator(node, "MatMul") || is_operator(node, "Gemm");
  }

  // Lets int8 values between QuantizeLinears and DequantizeLinears be uint8, 128 more, where there are products of
  // such.
  int make_unsigned() {
    const std::vector<NodeId> order = graph_.order();
    const bool has_products = std::any_of(order.begin(), order.end(), [&](NodeId id) {
      const Node& node = graph_.node(id);
      return is_product(node) && dequantize_of(node.inputs[0]) && dequantize_of(node.inputs[1]);
    });
    if (!has_products) return 0;
    const auto consumers = graph_.consumers();
    int changes = 0;
    for (const NodeId id : order) {
      const Node quantize = graph_.node(id);
      if (!is_operator(quantize, "QuantizeLinear") || dtype(quantize.outputs[0]) != DType::int8) continue;
      const ValueId integers = quantize.outputs[0];
      if (graph_.is_output(integers) || quantize.inputs.size() < 3 || !quantization_of(graph_, quantize, DType::int8)) {
        continue;
      }
      const auto& readers = consumers[static_cast<size_t>(integers)];
      const bool fits = std::all_of(readers.begin(), readers.end(), [&](NodeId reader) {
        const Node& node = graph_.node(reader);
        return is_operator(node, "DequantizeLinear") && node.inputs[0] == integers && node.implicit_inputs.empty() &&
               quantization_of(graph_, node, DType::int8);
      });
      if (!fits) continue;
      shift_zero_point(id);
      for (const NodeId reader : readers) shift_zero_point(reader);
      graph_.value(integers).type.dtype = DType::uint8;
      ++changes;
    }
    return changes;
  }

  void shift_zero_point(NodeId id) {
    Node node = graph_.node(id);
    const auto zero = quantization_of(graph_, node, DType::int8)->zero_point;
    node.inputs.resize(3, kNoValue);
    node.inputs[2] = byte(graph_.value(node.outputs[0]).name + " (zero point)", static_cast<int32_t>(zero) + 128);
    if (is_operator(node, "QuantizeLinear")) {
      std::erase_if(node.attributes, [](const Attribute& attribute) { return attribute.name == "output_dtype"; });
    }
    replace(id, std::move(node));
  }

  ValueId byte(std::string name, int32_t number) {
    Tensor tensor(DType::uint8, Shape());
    tensor.mutable_values<uint8_t>()[0] = static_cast<uint8_t>(number);
    return add_constant(graph_, std::move(name), std::move(tensor));
  }

  void replace(NodeId id, Node node) {
    graph_.remove_node(id);
    add(std::move(node));
  }
  void add(Node node) {
    node.op = nullptr;
    node.entry = nullptr;
    graph_.add_node(std::move(node));
  }

  // What a QuantizeLinear ends: its quantization, and the bounds that a Relu or Clip before it sets.
  struct End {
    Quantization quantization;
    float low = kLow, high = kHigh;
    ValueId output = kNoValue;
  };

  bool fuse_before(NodeId id, const Node& quantize) {
    const ValueId integers = quantize.outputs[0];
    if (dtype(integers) != DType::uint8 || dtype(quantize.inputs[0]) != DType::float32) return false;
    const auto quantization = quantization_of(graph_, quantize, DType::uint8);
    if (!quantization) return false;
    End end{*quantization, kLow, kHigh, integers};
    NodeId from = producer_for(quantize.inputs[0], id);
    NodeId activation = kNoNode;
    FusedStep step;
    if (from != kNoNode && activation_step(graph_, graph_.node(from), step) && narrow(end, step)) {
      activation = from;
      from = producer_for(graph_.node(activation).inputs[0], activation);
    }
    if (from == kNoNode) return false;
    const Node node = graph_.node(from);
    std::optional<Node> fused =
        is_operator(node, "Add") ? add_of_bytes(node, end) : product_of_bytes(node, integers, &end);
    if (!fused && activation == kNoNode) fused = move_of_bytes(node, end, quantize);
    if (!fused) return false;
    for (const NodeId gone : {id, activation, from}) {
      if (gone != kNoNode) graph_.remove_node(gone);
    }
    add(std::move(*fused));
    return true;
  }

  // The node that makes a value for `reader` alone.
  NodeId producer_for(ValueId id, NodeId reader) const {
    const NodeId producer = graph_.value(id).producer;
    if (producer == kNoNode || graph_.node(producer).outputs.size() != 1) return kNoNode;
    return only_consumer(graph_, consumers_, {id}) == reader ? producer : kNoNode;
  }

  // The bounds that an activation sets are bounds of the integers.
  static bool narrow(End& end, const FusedStep& step) {
    const bool is_relu = step.op_type == "Relu";
    if (!is_relu && step.op_type != "Clip") return false;
    const auto integer = [&](float bound) {
      return std::clamp(std::nearbyint(bound / end.quantization.scale) + end.quantization.zero_point, kLow, kHigh);
    };
    end.low = integer(is_relu ? 0 : step.alpha);
    if (!is_relu) end.high = integer(step.beta);
    return true;
  }

  static void set_bounds(Node& node, const End& end) {
    node.attributes.push_back({"zero", static_cast<int64_t>(end.quantization.zero_point)});
    node.attributes.push_back({"low", static_cast<int64_t>(end.low)});
    node.attributes.push_back({"high", static_cast<int64_t>(end.high)});
  }

  // Floats of a constant: one for all channels, or one for each.
  std::optional<Numbers> numbers_of(ValueId id, int64_t channels) const {
    const ConstantPtr constant = constant_of(graph_, id);
    if (!constant || constant->shape().size() > 1) return {};
    const int64_t count = constant->elements();
    if (count != 1 && count != channels) return {};
    Numbers numbers(static_cast<size_t>(channels));
    for (int64_t i = 0; i < channels; ++i) {
      const int64_t at = count == 1 ? 0 : i;
      double& number = numbers[static_cast<size_t>(i)];
      if (constant->dtype() == DType::float32) {
        number = static_cast<double>(read_unaligned<float>(constant->tensor(), at));
      } else if (constant->dtype() == DType::int32) {
        number = read_unaligned<int32_t>(constant->tensor(), at);
      } else {
        return {};
      }
    }
    return numbers;
  }

  // Whether all elements are `value`.
  template <class T>
  static bool all_are(const Tensor& tensor, T value) {
    for (int64_t i = 0; i < tensor.elements(); ++i) {
      if (read_unaligned<T>(tensor, i) != value) return false;
    }
    return true;
  }

  // int8 of zero point 0; of uint8 of zero point 128 there is a copy made.
  ValueId signed_weights(ValueId weights, ValueId zero) {
    const ConstantPtr constant = constant_of(graph_, weights);
    if (!constant) return kNoValue;
    const ConstantPtr zeros = constant_of(graph_, zero);
    if (zero != kNoValue && (!zeros || zeros->dtype() != constant->dtype())) return kNoValue;
    if (constant->dtype() == DType::int8) return !zeros || all_are<int8_t>(zeros->tensor(), 0) ? weights : kNoValue;
    constexpr uint8_t kMiddle = 128;
    if (constant->dtype() != DType::uint8 || !zeros || !all_are<uint8_t>(zeros->tensor(), kMiddle)) return kNoValue;
    Tensor shifted(DType::int8, constant->shape());
    const auto values = shifted.mutable_values<int8_t>();
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<int8_t>(read_unaligned<uint8_t>(constant->tensor(), static_cast<int64_t>(i)) - kMiddle);
    }
    return add_constant(graph_, graph_.value(weights).name + " (int8)", std::move(shifted));
  }

  // Weights behind a DequantizeLinear with a scale for all or for each of the output channels along an axis.
  std::optional<QuantizedConstant> weights_of(ValueId id, size_t axis) {
    const Node* dequantize = dequantize_of(id);
    if (!dequantize || dtype(id) != DType::float32 || integer_attribute(*dequantize, "block_size", 0) != 0) return {};
    const ConstantPtr constant = constant_of(graph_, dequantize->inputs[0]);
    if (!constant || constant->shape().size() <= axis) return {};
    const auto rank = static_cast<int64_t>(constant->shape().size());
    const auto scale = numbers_of(dequantize->inputs[1], constant->shape()[axis]);
    const ConstantPtr scales = constant_of(graph_, dequantize->inputs[1]);
    const int64_t scaled = integer_attribute(*dequantize, "axis", 1);
    // Each weight is a finite float, whatever the integer.
    const auto fits = [](double unit) { return std::isfinite(static_cast<float>(unit * 128)); };
    if (!scale || !std::all_of(scale->begin(), scale->end(), fits)) return {};
    if (scales->elements() > 1 && (scaled + rank) % rank != static_cast<int64_t>(axis)) return {};
    const ValueId zero = dequantize->inputs.size() > 2 ? dequantize->inputs[2] : kNoValue;
    const ValueId integers = signed_weights(dequantize->inputs[0], zero);
    if (integers == kNoValue) return {};
    return QuantizedConstant{integers, *scale};
  }

  // A bias that is constant or behind a DequantizeLinear of a constant.
  std::optional<Numbers> bias_of(ValueId id, int64_t channels) const {
    if (id == kNoValue) return Numbers(static_cast<size_t>(channels), 0.0);
    const Node* dequantize = dequantize_of(id);
    if (!dequantize) return dtype(id) == DType::float32 ? numbers_of(id, channels) : std::nullopt;
    const ValueId zero = dequantize->inputs.size() > 2 ? dequantize->inputs[2] : kNoValue;
    const ConstantPtr zeros = constant_of(graph_, zero);
    const bool has_zero =
        zero != kNoValue && (!zeros || zeros->dtype() != DType::int32 || !all_are<int32_t>(zeros->tensor(), 0));
    const ConstantPtr integers = constant_of(graph_, dequantize->inputs[0]);
    auto numbers = numbers_of(dequantize->inputs[0], channels);
    const auto scale = numbers_of(dequantize->inputs[1], channels);
    if (has_zero || !integers || integers->dtype() != DType::int32 || !numbers || !scale) return {};
    for (size_t i = 0; i < numbers->size(); ++i) (*numbers)[i] *= (*scale)[i];
    return numbers;
  }

  // Whether its maps can be blocked: [N, C, spatial], whole blocks in each group, or, to bytes, groups of one channel.
  bool has_kernel(const Node& conv, ValueId x, ValueId weights, bool to_bytes) const {
    const Shape& w = constant_of(graph_, weights)->shape();
    const int64_t group = integer_attribute(conv, "group", 1);
    if (!shape(x).has_rank() || shape(x).rank() < 3 || !shape(x)[1].is_number() || w.size() != shape(x).rank()) {
      return false;
    }
    if (w.elements() == 0 || group < 1 || !has_conv_kernel(graph_, conv)) return false;
    constexpr size_t kMostDepthwiseAxes = 4;
    const auto* dilations = integers_attribute(conv, "dilations");
    const bool is_dense = !dilations || dilations->empty() || dilations->back() == 1;
    if (to_bytes && w[1] == 1 && w[0] == group && w.size() <= kMostDepthwiseAxes && is_dense) return true;
    return group == 1 || (w[1] % block_ == 0 && w[0] % group == 0 && w[0] / group % block_ == 0);
  }

  ValueId floats(const std::string& name, const Numbers& numbers) {
    Tensor tensor(DType::float32, {static_cast<int64_t>(numbers.size())});
    std::copy(numbers.begin(), numbers.end(), tensor.mutable_values<float>().begin());
    return add_constant(graph_, name, std::move(tensor));
  }

  // A Quantized `op_type` in the place of `node`, where its sums fit int32 and its numbers float32; `scale` is that of
  // a sum, `end` null where the output is float32.
  std::optional<Node> quantized(const Node& node, const Bytes& x, ValueId weights, Numbers scale, Numbers bias,
                                const End* end, ValueId output, const std::string& op_type) {
    const std::string name = graph_.value(output).name;
    if (end) {
      const auto unit = static_cast<double>(end->quantization.scale);
      for (double& number : scale) number /= unit;
      for (double& number : bias) number /= unit;
    }
    constexpr int64_t kMostTerms = std::numeric_limits<int32_t>::max() / (255 * 128);
    const auto channels = static_cast<int64_t>(scale.size());
    const auto fits = [](double number) { return std::isfinite(static_cast<float>(number)); };
    if (constant_of(graph_, weights)->elements() > kMostTerms * channels ||
        !std::all_of(scale.begin(), scale.end(), fits) || !std::all_of(bias.begin(), bias.end(), fits)) {
      return {};
    }
    Node result = node;
    result.domain = "onnxrun";
    result.opset = 1;
    result.op_type = "Quantized" + op_type;
    result.inputs = {x.integers, weights, floats(name + " (shift)", bias), floats(name + " (scale)", scale),
                     byte(name + " (zero of input)", static_cast<int32_t>(x.quantization.zero_point))};
    result.outputs = {output};
    if (end) {
      set_bounds(result, *end);
    } else {
      result.attributes.push_back({"to_floats", int64_t{1}});
    }
    return result;
  }

  // What a Transpose of a matrix reads.
  ValueId transposed_from(ValueId id) const {
    const NodeId producer = graph_.value(id).producer;
    if (producer == kNoNode || !is_operator(graph_.node(producer), "Transpose")) return kNoValue;
    const Node& transpose = graph_.node(producer);
    const auto* perm = integers_attribute(transpose, "perm");
    const DimShape& shape = graph_.value(transpose.inputs[0]).type.shape;
    const bool swaps = !perm || perm->empty() || *perm == std::vector<int64_t>{1, 0};
    return shape.has_rank() && shape.rank() == 2 && swaps ? transpose.inputs[0] : kNoValue;
  }

  // A Conv, MatMul or Gemm of bytes.
  std::optional<Node> product_of_bytes(const Node& node, ValueId output, const End* end) {
    if (!is_product(node)) return {};
    const bool is_conv = is_operator(node, "Conv"), is_gemm = is_operator(node, "Gemm");
    const auto x = bytes_of(node.inputs[0]);
    bool transposed = is_gemm && integer_attribute(node, "transB", 0) != 0;
    ValueId matrix = node.inputs[1];
    if (const ValueId from = transposed_from(matrix); !is_conv && from != kNoValue) {
      matrix = from;
      transposed = !transposed;
    }
    auto weights = x ? weights_of(matrix, is_conv || transposed ? 0 : 1) : std::nullopt;
    if (!weights) return {};
    const bool fits = is_conv ? has_kernel(node, node.inputs[0], weights->integers, end != nullptr)
                              : has_rows(node, weights->integers);
    if (!fits) return {};
    const auto channels = static_cast<int64_t>(weights->scale.size());
    const auto bias = bias_of(node.inputs.size() > 2 ? node.inputs[2] : kNoValue, channels);
    if (!bias) return {};
    for (double& scale : weights->scale) scale *= static_cast<double>(x->quantization.scale);
    Node plain = node;
    if (!is_conv) plain.attributes = {{"transposed", int64_t{transposed}}};
    return quantized(plain, *x, weights->integers, weights->scale, *bias, end, output, is_conv ? "Conv" : "MatMul");
  }

  // Whether a MatMul or Gemm is one of rows with a matrix.
  bool has_rows(const Node& node, ValueId weights) const {
    const DimShape& x = shape(node.inputs[0]);
    return x.has_rank() && x.rank() >= 2 && constant_of(graph_, weights)->shape().size() == 2 &&
           integer_attribute(node, "transA", 0) == 0 && number_attribute(node, "alpha", 1) == 1 &&
           number_attribute(node, "beta", 1) == 1;
  }

  bool replace_linear_conv(NodeId id, const Node& conv) {
    enum Input : size_t { kX, kXScale, kXZero, kW, kWScale, kWZero, kYScale, kYZero, kBias };
    const auto scalar = [&](size_t i) { return constant_of(graph_, conv.inputs[i]); };
    if (dtype(conv.inputs[kX]) != DType::uint8 || dtype(conv.outputs[0]) != DType::uint8) return false;
    Bytes x{conv.inputs[kX], {}};
    End end;
    end.output = conv.outputs[0];
    const ConstantPtr x_zero = scalar(kXZero), y_zero = scalar(kYZero);
    if (!x_zero || !y_zero || x_zero->elements() != 1 || y_zero->elements() != 1) return false;
    if (!read_scalar(graph_, conv.inputs[kXScale], x.quantization.scale) ||
        !read_scalar(graph_, conv.inputs[kYScale], end.quantization.scale) || !std::isnormal(x.quantization.scale) ||
        !std::isnormal(end.quantization.scale)) {
      return false;
    }
    x.quantization.zero_point = read_unaligned<uint8_t>(x_zero->tensor(), 0);
    end.quantization.zero_point = read_unaligned<uint8_t>(y_zero->tensor(), 0);
    const ValueId weights = signed_weights(conv.inputs[kW], conv.inputs[kWZero]);
    if (weights == kNoValue || !has_kernel(conv, conv.inputs[kX], weights, true)) return false;
    const int64_t channels = constant_of(graph_, weights)->shape()[0];
    auto scale = numbers_of(conv.inputs[kWScale], channels);
    const bool has_bias = conv.inputs.size() > kBias && conv.inputs[kBias] != kNoValue;
    auto bias = has_bias ? numbers_of(conv.inputs[kBias], channels) : Numbers(static_cast<size_t>(channels), 0.0);
    if (!scale || !bias) return false;
    for (size_t i = 0; i < scale->size(); ++i) {
      (*scale)[i] *= static_cast<double>(x.quantization.scale);
      (*bias)[i] *= (*scale)[i];
    }
    auto quantized_conv = quantized(conv, x, weights, *scale, *bias, &end, end.output, "Conv");
    if (quantized_conv) replace(id, std::move(*quantized_conv));
    return quantized_conv.has_value();
  }

  std::optional<Node> add_of_bytes(const Node& add, const End& end) const {
    const auto a = bytes_of(add.inputs[0]), b = bytes_of(add.inputs[1]);
    const DimShape& sum = shape(add.outputs[0]);
    if (!a || !b || !sum.has_rank() || !(shape(a->integers) == sum) || !(shape(b->integers) == sum)) return {};
    const auto unit = static_cast<double>(end.quantization.scale);
    const auto a_scale = static_cast<float>(static_cast<double>(a->quantization.scale) / unit);
    const auto b_scale = static_cast<float>(static_cast<double>(b->quantization.scale) / unit);
    if (!std::isfinite(a_scale) || !std::isfinite(b_scale)) return {};
    Node node = add;
    node.inputs = {a->integers, b->integers};
    node.outputs = {end.output};
    node.attributes = {{"a_scale", a_scale},
                       {"b_scale", b_scale},
                       {"a_zero", static_cast<int64_t>(a->quantization.zero_point)},
                       {"b_zero", static_cast<int64_t>(b->quantization.zero_point)}};
    set_bounds(node, end);
    node.domain = "onnxrun";
    node.opset = 1;
    node.op_type = "QuantizedAdd";
    return node;
  }

  // Moves integers instead of floats. What a Concat joins gets the quantization that it has behind it.
  std::optional<Node> move_of_bytes(const Node& node, const End& end, const Node& quantize) {
    constexpr int64_t kMaxPoolOfBytes = 12;
    const bool is_move = node.domain.empty() && std::find(kMoves.begin(), kMoves.end(), node.op_type) != kMoves.end();
    if (!is_move || (is_operator(node, "MaxPool") && node.opset < kMaxPoolOfBytes)) return {};
    const bool joins = is_operator(node, "Concat");
    Node moved = node;
    moved.outputs = {end.output};
    for (size_t i = 0; i < (joins ? node.inputs.size() : 1); ++i) {
      const auto bytes = bytes_of(node.inputs[i]);
      if (!bytes || (!joins && !(bytes->quantization == end.quantization))) return {};
      moved.inputs[i] = bytes->integers;
    }
    for (size_t i = 0; joins && i < node.inputs.size(); ++i) {
      if (bytes_of(node.inputs[i])->quantization == end.quantization) continue;
      Node again = quantize;
      again.inputs[0] = node.inputs[i];
      again.outputs = {graph_.add_value(graph_.value(node.inputs[i]).name + " (requantized)")};
      moved.inputs[i] = again.outputs[0];
      add(std::move(again));
    }
    return moved;
  }

  Graph& graph_;
  int64_t block_;
  std::vector<std::vector<NodeId>> consumers_;  // of the values that were there before
};

}  // namespace

int fuse_quantized_operators(Graph& graph, const PassContext& context) {
  if (!context.fuse_quantized) return 0;
  const int changes = Fusion(graph, context.channel_block).run();
  if (changes == 0) return 0;
  graph.sort();
  remove_dead_nodes(graph, context);
  return changes;
}

}  // namespace onnxrun
