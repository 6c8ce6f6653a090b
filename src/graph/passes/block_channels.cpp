// Keeps maps channel-blocked ([N, ceil(C / block), spatial, block], see kernels/conv/blocked_conv.h) from one
// convolution to the next: convolutions write blocked maps, and what stands between them works on blocked maps where
// it can. Blocked values are ordinary tensors of one more axis; BlockChannels and UnblockChannels stand at the borders.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "graph/passes/pass.h"
#include "graph/passes/pattern.h"

namespace onnxrun {
namespace {

constexpr std::string_view kDomain = "onnxrun";

// Operators that compute each element of the output from the elements at the same place.
constexpr std::array<std::string_view, 24> kUnary = {
    "Relu",     "LeakyRelu", "Sigmoid",  "Tanh", "HardSwish", "HardSigmoid", "Elu",     "Selu",
    "Celu",     "Softplus",  "Softsign", "Mish", "Swish",     "Gelu",        "Clip",    "ThresholdedRelu",
    "Identity", "Abs",       "Neg",      "Exp",  "Sqrt",      "Erf",         "Dropout", "Floor"};
constexpr std::array<std::string_view, 8> kBroadcasting = {"Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "PRelu"};
constexpr std::array<std::string_view, 4> kPools = {"MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"};

template <size_t N>
bool is_one_of(const Node& node, const std::array<std::string_view, N>& names) {
  return node.domain.empty() && std::find(names.begin(), names.end(), node.op_type) != names.end();
}

class Blocking {
 public:
  Blocking(Graph& graph, int64_t block) : graph_(graph), block_(block), consumers_(graph.consumers()) {}

  int run() {
    int changes = 0;
    const std::vector<NodeId> order = graph_.order();
    for (const NodeId id : order) {
      const Node node = graph_.node(id);
      if (node.removed || node.outputs.empty() || !convert(id, node)) continue;
      ++changes;
    }
    return changes;
  }

 private:
  bool convert(NodeId id, const Node& node) {
    if (can_block_conv(node)) return is_projection(node) ? project_conv(id, node) : block_conv(id, node);
    if (is_internal(node, "QuantizedConv")) return block_quantized_conv(id, node);
    if (is_one_of(node, kBroadcasting)) return block_broadcasting(id, node);
    if (!node.inputs.empty() && is_byte_map(node.inputs[0]))
      return is_blocked(node.inputs[0]) && convert_bytes(id, node);
    if (node.inputs.empty() || !is_map(node.inputs[0]) || !only_first_output(node)) return false;
    const bool quantizes = is_internal(node, "QuantizeDequantize") ||
                           (is_operator(node, "QuantizeLinear") && is_byte_map(node.outputs[0]));
    if (quantizes || is_one_of(node, kUnary))
      return is_blocked(node.inputs[0]) && rest_are_scalars(node) && block_unary(id, node);
    if (is_one_of(node, kPools)) return is_blocked(node.inputs[0]) && block_pool(id, node);
    if (is_spatial_reduction(node)) return is_blocked(node.inputs[0]) && block_reduction(id, node);
    if (is_operator(node, "Concat")) return block_concat(id, node);
    if (is_internal(node, "Interleave")) return block_interleave(id, node);
    if (is_operator(node, "Pad")) return is_blocked(node.inputs[0]) && block_pad(id, node);
    if (is_operator(node, "Resize")) return is_blocked(node.inputs[0]) && block_resize(id, node);
    if (is_operator(node, "BatchNormalization")) return is_blocked(node.inputs[0]) && block_normalization(id, node);
    if (is_operator(node, "InstanceNormalization")) {
      return is_blocked(node.inputs[0]) && block_instance_normalization(id, node);
    }
    return false;
  }

  // What reads a blocked map of bytes.
  bool convert_bytes(NodeId id, const Node& node) {
    if (is_operator(node, "DequantizeLinear")) {
      return is_map(node.outputs[0]) && rest_are_scalars(node) && block_unary(id, node);
    }
    if (is_internal(node, "QuantizedAdd")) return is_byte_map(node.inputs[1]) && block_quantized_add(id, node);
    if (is_operator(node, "MaxPool")) return only_first_output(node) && block_pool(id, node);
    return is_operator(node, "Concat") && block_concat(id, node);
  }

  static bool is_internal(const Node& node, std::string_view op_type) {
    return node.domain == kDomain && node.op_type == op_type;
  }
  const DimShape& shape(ValueId id) const { return graph_.value(id).type.shape; }
  bool is_blocked(ValueId id) const { return blocked_.contains(id); }
  bool only_first_output(const Node& node) const {
    return std::all_of(node.outputs.begin() + 1, node.outputs.end(), [](ValueId id) { return id == kNoValue; });
  }
  // Float32 [N, C, spatial] with a known number of channels.
  bool is_map(ValueId id) const { return is_map_of(id, DType::float32); }
  bool is_byte_map(ValueId id) const { return is_map_of(id, DType::uint8); }
  bool is_map_of(ValueId id, DType dtype) const {
    if (id == kNoValue) return false;
    const Type& type = graph_.value(id).type;
    return type.is_tensor() && type.dtype == dtype && type.shape.has_rank() && type.shape.rank() >= 3 &&
           type.shape.rank() <= 5 && type.shape[1].is_number() && type.shape[1].number() > 0;
  }
  int64_t channels(ValueId id) const { return shape(id)[1].number(); }

  // Whole groups in a block.
  bool is_narrow(int64_t group_in, int64_t group_out) const {
    return group_in == group_out && group_in < block_ && block_ % group_in == 0;
  }

  bool can_block_conv(const Node& node) const {
    const bool is_fused = node.domain == kDomain && node.op_type == "Conv";
    if (!is_fused && !is_operator(node, "Conv")) return false;
    const ConstantPtr weights = constant_of(graph_, node.inputs[1]);
    if (!is_map(node.inputs[0]) || !is_map(node.outputs[0]) || !weights || !has_conv_kernel(graph_, node)) return false;
    const int64_t group = integer_attribute(node, "group", 1);
    const int64_t group_in = channels(node.inputs[0]) / group;
    const int64_t group_out = channels(node.outputs[0]) / group;
    if (group == 1) {
      const bool has_taps = weights->elements() > group_in * group_out;
      return is_blocked(node.inputs[0]) || !has_few_outputs(node) ||
             (has_taps && (group_in >= block_ || is_dense(node)));
    }
    if (is_narrow(group_in, group_out)) return shape(node.inputs[0]).rank() <= 4 && 2 * group * group_in > block_;
    return group_out % block_ == 0 && (group_in % block_ == 0 || !is_blocked(node.inputs[0]));
  }

  bool block_conv(NodeId id, const Node& node) {
    Node conv = node;
    const int64_t group = integer_attribute(node, "group", 1);
    const bool narrow = group > 1 && is_narrow(channels(node.inputs[0]) / group, channels(node.outputs[0]) / group);
    // A plain map is worth a copy where its channels fill a block.
    const int64_t group_in = channels(node.inputs[0]) / group;
    const bool is_full = group == 1 ? group_in >= block_ : group_in % block_ == 0;
    const bool plain_input = !narrow && !is_blocked(node.inputs[0]) && !is_full;
    if (!plain_input) conv.inputs[0] = blocked(node.inputs[0]);
    if (conv.inputs.size() > kResidual && conv.inputs[kResidual] != kNoValue) {
      conv.inputs[kResidual] = blocked(conv.inputs[kResidual]);
    }
    conv.attributes.push_back({"block", block_});
    conv.attributes.push_back({"plain_input", int64_t{plain_input}});
    replace(id, std::move(conv), "BlockedConv");
    return true;
  }

  // Without steps along its rows, whose outputs can be lanes.
  static bool is_dense(const Node& conv) {
    const auto* strides = integers_attribute(conv, "strides");
    return !strides || strides->empty() || strides->back() == 1;
  }

  // Of input channels that fill lanes; the outputs are made plain at once, by dot_tile_kernels.
  bool is_projection(const Node& conv) const { return has_few_outputs(conv) && channels(conv.inputs[0]) >= block_; }

  // So few that most lanes would be idle.
  bool has_few_outputs(const Node& conv) const {
    constexpr int64_t kFew = 4;
    const int64_t outputs = channels(conv.outputs[0]);
    return integer_attribute(conv, "group", 1) == 1 && 2 * outputs <= block_ && outputs <= kFew;
  }

  bool project_conv(NodeId id, const Node& node) {
    Node conv = node;
    conv.op_type = "BlockedConv";
    conv.op = nullptr;
    conv.entry = nullptr;
    conv.inputs[0] = blocked(node.inputs[0]);
    conv.attributes.push_back({"block", block_});
    conv.attributes.push_back({"plain_output", int64_t{1}});
    graph_.remove_node(id);
    add_internal(std::move(conv));
    return true;
  }

  bool rest_are_scalars(const Node& node) const {
    const auto is_scalar = [&](ValueId id) {
      return id == kNoValue || (shape(id).has_rank() && shape(id).rank() <= 1 && shape(id).elements().is(1));
    };
    return std::all_of(node.inputs.begin() + 1, node.inputs.end(), is_scalar);
  }

  bool block_unary(NodeId id, const Node& node) {
    Node unary = node;
    unary.inputs[0] = blocked(node.inputs[0]);
    replace(id, std::move(unary));
    return true;
  }

  bool block_pool(NodeId id, const Node& node) {
    Node pool = node;
    pool.inputs[0] = blocked(node.inputs[0]);
    replace(id, std::move(pool), "Blocked" + node.op_type);
    return true;
  }

  // A mean or maximum of each channel.
  bool is_spatial_reduction(const Node& node) const {
    return (is_operator(node, "ReduceMean") || is_operator(node, "ReduceMax")) &&
           trailing_axes(graph_, node) == 2 - static_cast<int64_t>(shape(node.inputs[0]).rank());
  }

  // A global pool, and, where the axes go, a Flatten.
  bool block_reduction(NodeId id, const Node& node) {
    constexpr int64_t kFlatten = 13;
    const std::string pool_type = is_operator(node, "ReduceMean") ? "GlobalAveragePool" : "GlobalMaxPool";
    Node pool = node;
    pool.inputs = {blocked(node.inputs[0])};
    pool.attributes.clear();
    if (integer_attribute(node, "keepdims", 1) == 0) {
      const DimShape& x = shape(node.inputs[0]);
      std::vector<Dim> extents(x.rank(), 1);
      extents[0] = x[0];
      extents[1] = x[1];
      const ValueId kept = graph_.add_value(graph_.value(node.outputs[0]).name + " (kept axes)");
      graph_.value(kept).type = Type::tensor(DType::float32, DimShape(std::move(extents)));
      Node flatten;
      flatten.op_type = "Flatten";
      flatten.opset = kFlatten;
      flatten.inputs = {kept};
      flatten.outputs = node.outputs;
      graph_.add_node(std::move(flatten));
      pool.outputs = {kept};
    }
    replace(id, std::move(pool), "Blocked" + pool_type);
    return true;
  }

  // What an operand of a broadcasting operator on maps like `like` becomes.
  enum class Form : uint8_t { none, blocked, scalar, per_channel };
  Form form_of(ValueId id, ValueId like) const {
    const DimShape& s = shape(id);
    if (!s.has_rank()) return Form::none;
    if (s.rank() <= shape(like).rank() && s.elements().is(1)) return Form::scalar;
    if (is_map(id) && s.rank() == shape(like).rank() && channels(id) == channels(like)) return Form::blocked;
    const ConstantPtr constant = constant_of(graph_, id);
    const size_t axis = shape(like).rank() - 2;  // behind the channels
    const bool per_channel = constant && s.rank() > axis && s.rank() <= axis + 2 &&
                             s[s.rank() - axis - 1].is(channels(like)) && s.elements().is(channels(like));
    return per_channel ? Form::per_channel : Form::none;
  }

  bool block_broadcasting(NodeId id, const Node& node) {
    const ValueId like = node.outputs[0];
    if (node.opset < 7 || !is_map(like)) return false;
    bool any = false;
    for (const ValueId input : node.inputs) {
      if (form_of(input, like) == Form::none) return false;
      any = any || is_blocked(input);
    }
    if (!any) return false;
    Node binary = node;
    for (ValueId& input : binary.inputs) {
      const Form form = form_of(input, like);
      if (form == Form::blocked) input = blocked(input);
      if (form == Form::per_channel) input = blocked_vector(input, shape(like).rank());
    }
    replace(id, std::move(binary));
    return true;
  }

  bool block_concat(NodeId id, const Node& node) {
    const int64_t rank = static_cast<int64_t>(shape(node.inputs[0]).rank());
    const int64_t axis = integer_attribute(node, "axis", 1);
    if (axis != 1 && axis != 1 - rank) return false;
    size_t blocked_inputs = 0;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (!is_map_of(node.inputs[i], graph_.value(node.outputs[0]).type.dtype)) return false;
      if (i + 1 < node.inputs.size() && channels(node.inputs[i]) % block_ != 0) return false;
      blocked_inputs += is_blocked(node.inputs[i]) ? 1 : 0;
    }
    if (2 * blocked_inputs < node.inputs.size()) return false;
    Node concat = node;
    for (ValueId& input : concat.inputs) input = blocked(input);
    for (Attribute& attribute : concat.attributes) {
      if (attribute.name == "axis") attribute.value = int64_t{1};
    }
    replace(id, std::move(concat));
    return true;
  }

  bool block_quantized_conv(NodeId id, const Node& node) {
    constexpr int64_t kFew = 12;  // of channels: blocks of four would leave less idle
    const ValueId x = node.inputs[0];
    if (!is_byte_map(x) || !is_map_of(node.outputs[0], graph_.value(node.outputs[0]).type.dtype)) return false;
    const bool plain_input = !is_blocked(x) && integer_attribute(node, "group", 1) == 1 && channels(x) <= kFew;
    Node conv = node;
    conv.inputs[0] = plain_input ? in_fours(x) : blocked(x);
    conv.attributes.push_back({"block", block_});
    conv.attributes.push_back({"plain_input", int64_t{plain_input}});
    replace(id, std::move(conv), "BlockedQuantizedConv");
    return true;
  }

  bool block_quantized_add(NodeId id, const Node& node) {
    Node add = node;
    for (ValueId& input : add.inputs) input = blocked(input);
    replace(id, std::move(add));
    return true;
  }

  bool block_interleave(NodeId id, const Node& node) {
    const bool any =
        std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId input) { return is_blocked(input); });
    const bool are_maps =
        std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId input) { return is_map(input); });
    if (!any || !are_maps) return false;
    Node interleave = node;
    for (ValueId& input : interleave.inputs) input = blocked(input);
    replace(id, std::move(interleave));
    return true;
  }

  // Pads the spatial axes, which lie where they did; amounts that are computed at run time are picked there.
  bool block_pad(NodeId id, const Node& node) {
    const auto padding = padding_of(graph_, node);
    if (!padding) return false;
    for (const size_t axis : {size_t{0}, size_t{1}}) {
      if (!padding->before[axis].is(0) || !padding->after[axis].is(0)) return false;
    }
    const auto rank = static_cast<int64_t>(padding->before.size());
    const bool has_axes = node.inputs.size() > 3 && node.inputs[3] != kNoValue;
    Tensor axes(DType::int64, {rank - 2});
    Tensor amounts(DType::int64, {2 * (rank - 2)});
    Tensor places(DType::int64, {2 * (rank - 2)});  // among all amounts
    bool is_known = true;
    for (int64_t i = 0; i < rank - 2; ++i) {
      axes.mutable_values<int64_t>()[static_cast<size_t>(i)] = i + 2;
      for (const int64_t side : {0, 1}) {
        const Dim& amount = (side == 0 ? padding->before : padding->after)[static_cast<size_t>(i + 2)];
        const auto at = static_cast<size_t>(side * (rank - 2) + i);
        is_known = is_known && amount.is_number();
        amounts.mutable_values<int64_t>()[at] = amount.number_or_negative();
        places.mutable_values<int64_t>()[at] = side * rank + i + 2;
      }
    }
    if (!is_known && (has_axes || node.opset < 11)) return false;
    constexpr int64_t kPadWithAxes = 18, kGather = 13;
    const std::string& name = graph_.value(node.outputs[0]).name;
    Node pad = node;
    pad.opset = std::max(node.opset, kPadWithAxes);
    std::erase_if(pad.attributes, [](const Attribute& attribute) { return attribute.name != "mode"; });
    pad.inputs.resize(4, kNoValue);
    if (const float value = number_attribute(node, "value", 0); node.opset < 11 && value != 0) {
      Tensor fill(DType::float32, Shape());
      fill.mutable_values<float>()[0] = value;
      pad.inputs[2] = add_constant(graph_, name + " (value)", std::move(fill));
    }
    if (is_known) {
      pad.inputs[1] = add_constant(graph_, name + " (spatial pads)", std::move(amounts));
    } else {
      Node gather;
      gather.op_type = "Gather";
      gather.opset = std::max(node.opset, kGather);
      gather.inputs = {node.inputs[1], add_constant(graph_, name + " (spatial places)", std::move(places))};
      gather.outputs = {graph_.add_value(name + " (spatial pads)")};
      pad.inputs[1] = gather.outputs[0];
      graph_.add_node(std::move(gather));
    }
    pad.inputs[3] = add_constant(graph_, name + " (spatial axes)", std::move(axes));
    pad.inputs[0] = blocked(node.inputs[0]);
    replace(id, std::move(pad));
    return true;
  }

  // Resizes the spatial axes by constant scales or to constant sizes.
  bool block_resize(NodeId id, const Node& node) {
    for (const Attribute& attribute : node.attributes) {
      const auto* mode = std::get_if<std::string>(&attribute.value);
      if (attribute.name == "axes" || attribute.name == "keep_aspect_ratio_policy") return false;
      if (mode && *mode == "tf_crop_and_resize") return false;
    }
    const auto rank = static_cast<int64_t>(shape(node.inputs[0]).rank());
    const size_t scales_at = node.opset < 11 ? 1 : 2;
    constexpr size_t kSizes = 3;
    const auto given = [&](size_t i) -> const Tensor* {
      if (i >= node.inputs.size() || node.inputs[i] == kNoValue) return nullptr;
      const ConstantPtr constant = constant_of(graph_, node.inputs[i]);
      return constant && constant->elements() == rank ? &constant->tensor() : nullptr;
    };
    Node resize = node;
    const std::string& name = graph_.value(node.outputs[0]).name;
    if (const Tensor* scales = given(scales_at)) {
      Tensor padded(DType::float32, {rank + 1});
      for (int64_t i = 0; i < rank; ++i) {
        padded.mutable_values<float>()[static_cast<size_t>(i)] = read_unaligned<float>(*scales, i);
      }
      padded.mutable_values<float>().back() = 1;
      if (padded.values<float>()[0] != 1 || padded.values<float>()[1] != 1) return false;
      resize.inputs[scales_at] = add_constant(graph_, name + " (blocked scales)", std::move(padded));
    } else if (const Tensor* sizes = given(kSizes)) {
      const DimShape& x = shape(node.inputs[0]);
      Tensor padded(DType::int64, {rank + 1});
      for (int64_t i = 0; i < rank; ++i) {
        padded.mutable_values<int64_t>()[static_cast<size_t>(i)] = read_unaligned<int64_t>(*sizes, i);
      }
      const auto extents = padded.mutable_values<int64_t>();
      if (!x[0].is(extents[0]) || !x[1].is(extents[1])) return false;
      extents[1] = (extents[1] + block_ - 1) / block_;
      extents.back() = block_;
      resize.inputs[kSizes] = add_constant(graph_, name + " (blocked sizes)", std::move(padded));
    } else {
      return false;
    }
    resize.inputs[0] = blocked(node.inputs[0]);
    replace(id, std::move(resize));
    return true;
  }

  // Inference with known statistics is x * scale + shift by channel; an activation behind it is fused.
  bool block_normalization(NodeId id, const Node& node) {
    const std::vector<ValueId> statistics(node.inputs.begin() + 1, node.inputs.end());
    if (integer_attribute(node, "training_mode", 0) != 0 || integer_attribute(node, "spatial", 1) == 0 ||
        !all_constant(graph_, statistics)) {
      return false;
    }
    const int64_t count = channels(node.inputs[0]);
    Tensor scale(DType::float32, {count});
    Tensor shift(DType::float32, {count});
    const double epsilon = number_attribute(node, "epsilon", 1e-5F);
    for (const ValueId statistic : statistics) {
      if (graph_.value(statistic).type.dtype != DType::float32) return false;
    }
    for (int64_t c = 0; c < count; ++c) {
      const auto read = [&](size_t i) {
        return static_cast<double>(read_unaligned<float>(constant_of(graph_, statistics[i])->tensor(), c));
      };
      const double factor = read(0) / std::sqrt(read(3) + epsilon);
      scale.mutable_values<float>()[static_cast<size_t>(c)] = static_cast<float>(factor);
      shift.mutable_values<float>()[static_cast<size_t>(c)] = static_cast<float>(read(1) - read(2) * factor);
    }
    Node scaling = node;
    const std::string& name = graph_.value(node.outputs[0]).name;
    scaling.inputs = {blocked(node.inputs[0]), add_constant(graph_, name + " (scale)", std::move(scale)),
                      add_constant(graph_, name + " (shift)", std::move(shift))};
    scaling.attributes.clear();
    absorb_activation(scaling);
    replace(id, std::move(scaling), "BlockedScaleShift");
    return true;
  }

  bool block_instance_normalization(NodeId id, const Node& node) {
    Node normalization = node;
    normalization.inputs[0] = blocked(node.inputs[0]);
    std::erase_if(normalization.attributes, [](const Attribute& attribute) { return attribute.name != "epsilon"; });
    absorb_activation(normalization);
    replace(id, std::move(normalization), "BlockedInstanceNormalization");
    return true;
  }

  // Lets a node with the attribute `steps` apply the activation behind it.
  void absorb_activation(Node& node) {
    FusedStep step;
    const NodeId next = only_consumer(graph_, consumers_, {node.outputs[0]});
    if (next == kNoNode || !activation_step(graph_, graph_.node(next), step)) return;
    const Node& activation = graph_.node(next);
    node.attributes.push_back({"steps", std::vector<FusedStep>{step}});
    node.outputs = {activation.outputs[0]};
    node.origins.insert(node.origins.end(), activation.origins.begin(), activation.origins.end());
    graph_.remove_node(next);
  }

  // The blocked form of a map; made from the plain one where there is none.
  ValueId blocked(ValueId plain) {
    ValueId& form = blocked_.try_emplace(plain, kNoValue).first->second;
    if (form == kNoValue) form = block(plain, block_, " (blocked)");
    return form;
  }
  // A map in blocks of four channels.
  ValueId in_fours(ValueId plain) {
    ValueId& form = in_fours_.try_emplace(plain, kNoValue).first->second;
    if (form == kNoValue) form = block(plain, 4, " (in fours)");
    return form;
  }
  ValueId block(ValueId plain, int64_t width, const std::string& suffix) {
    const ValueId to = graph_.add_value(graph_.value(plain).name + suffix);
    Node node;
    node.op_type = "BlockChannels";
    node.inputs = {plain};
    node.outputs = {to};
    node.attributes.push_back({"block", width});
    add_internal(std::move(node));
    return to;
  }

  // A constant with one element per channel as [ceil(C / block), 1, ..., block].
  ValueId blocked_vector(ValueId id, size_t rank) {
    const Tensor& tensor = constant_of(graph_, id)->tensor();
    const int64_t count = tensor.elements();
    std::vector<int64_t> extents(rank, 1);
    extents.front() = (count + block_ - 1) / block_;
    extents.back() = block_;
    Tensor padded(DType::float32, Shape(extents));
    const auto values = padded.mutable_values<float>();
    std::fill(values.begin(), values.end(), 1.0F);
    for (int64_t i = 0; i < count; ++i) values[static_cast<size_t>(i)] = read_unaligned<float>(tensor, i);
    return add_constant(graph_, graph_.value(id).name + " (blocked)", std::move(padded));
  }

  // The new node makes the blocked form of the old one's output, from which the plain form is made.
  void replace(NodeId id, Node node, const std::string& internal_name = "") {
    const ValueId plain = node.outputs[0];
    const int64_t channel_count = channels(plain);
    graph_.remove_node(id);
    const ValueId to = graph_.add_value(graph_.value(plain).name + " (blocked)");
    node.outputs = {to};
    node.op = nullptr;
    node.entry = nullptr;
    if (internal_name.empty()) {
      graph_.add_node(std::move(node));
    } else {
      node.op_type = internal_name;
      add_internal(std::move(node));
    }
    blocked_[plain] = to;
    Node unblock;
    unblock.op_type = "UnblockChannels";
    unblock.inputs = {to};
    unblock.outputs = {plain};
    unblock.attributes.push_back({"channels", channel_count});
    add_internal(std::move(unblock));
  }

  void add_internal(Node node) {
    node.domain = kDomain;
    node.opset = 1;
    graph_.add_node(std::move(node));
  }

  static constexpr size_t kResidual = 3;  // input of onnxrun.Conv

  Graph& graph_;
  int64_t block_;
  std::vector<std::vector<NodeId>> consumers_;  // of the values that were there before
  std::map<ValueId, ValueId> blocked_;          // plain to blocked
  std::map<ValueId, ValueId> in_fours_;
};

}  // namespace

int block_channels(Graph& graph, const PassContext& context) {
  return context.channel_block > 0 ? Blocking(graph, context.channel_block).run() : 0;
}

}  // namespace onnxrun
