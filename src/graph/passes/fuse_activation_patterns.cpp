// Recognises activations that exporters write as several operators: HardSigmoid, Swish, HardSwish, Mish, and Gelu by
// erf or tanh. But for the first they are a product x * gate(x) with a constant factor, whatever the order and grouping
// of the multiplications.
#include <numbers>

#include "graph/passes/node_group.h"
#include "graph/passes/pass.h"
#include "graph/passes/pattern.h"

namespace onnxrun {
namespace {

constexpr double kCubic = 0.044715;  // Gelu by tanh: tanh(sqrt(2 / pi) (x + 0.044715 x^3))

struct Product {
  double factor = 1;
  std::vector<ValueId> factors;
};

// Splits a value into factors, as long as nobody else reads the products in between.
void multiply(NodeGroup& group, ValueId value, Product& product);

void multiply_by(NodeGroup& group, const Node& node, Product& product) {
  const Graph& graph = group.graph();
  float number = 0;
  const ValueId scaled = operand_beside_scalar(graph, node, number);
  if (scaled != kNoValue) {
    product.factor *= static_cast<double>(number);
    return multiply(group, scaled, product);
  }
  multiply(group, node.inputs[0], product);
  multiply(group, node.inputs[1], product);
}

// Takes a Mul, a Div by a constant, or a Pow with the exponent 2 or 3 apart; false for any other node.
bool take_apart(NodeGroup& group, const Node& node, Product& product) {
  float number = 0;
  if (is_operator(node, "Mul")) {
    multiply_by(group, node, product);
    return true;
  }
  if (is_operator(node, "Div") && has_right_scalar(group.graph(), node, number)) {
    product.factor /= static_cast<double>(number);
    multiply(group, node.inputs[0], product);
    return true;
  }
  if (is_operator(node, "Pow") && has_right_scalar(group.graph(), node, number) && (number == 2 || number == 3)) {
    product.factors.insert(product.factors.end(), static_cast<size_t>(number), node.inputs[0]);
    return true;
  }
  return false;
}

void multiply(NodeGroup& group, ValueId value, Product& product) {
  if (group.is_private(value)) {
    for (const std::string_view op_type : {"Mul", "Div", "Pow"}) {
      const size_t size = group.size();
      const Node* node = group.take(value, op_type);
      if (node && take_apart(group, *node, product)) return;
      group.resize(size);
    }
  }
  product.factors.push_back(value);
}

Product product_of(NodeGroup& group, ValueId value) {
  Product product;
  multiply(group, value, product);
  return product;
}

// Whether the value is `factor` times `x` to the power `times`.
bool is_power(NodeGroup& group, ValueId value, double factor, ValueId x, size_t times) {
  const Product product = product_of(group, value);
  return is_about(product.factor, factor) && product.factors == std::vector<ValueId>(times, x);
}

// The operand of an Add beside a constant.
ValueId shifted(NodeGroup& group, ValueId value, float& shift) {
  const Node* add = group.take(value, "Add");
  return add ? operand_beside_scalar(group.graph(), *add, shift) : kNoValue;
}

// sqrt(2 / pi) (x + 0.044715 x^3), the cube or the sum multiplied out.
bool is_tanh_argument(NodeGroup& group, ValueId value, ValueId x) {
  const Product product = product_of(group, value);
  if (!is_about(product.factor, std::numbers::sqrt2 * std::numbers::inv_sqrtpi)) return false;
  if (product.factors.size() == 1) {
    const Node* sum = group.take(product.factors[0], "Add");
    if (!sum || (sum->inputs[0] != x && sum->inputs[1] != x)) return false;
    return is_power(group, sum->inputs[sum->inputs[0] == x ? 1 : 0], kCubic, x, 3);
  }
  if (product.factors.size() != 2) return false;
  const ValueId other = product.factors[product.factors[0] == x ? 1 : 0];
  float one = 0;
  const ValueId square = shifted(group, other, one);
  return (product.factors[0] == x || product.factors[1] == x) && one == 1 && square != kNoValue &&
         is_power(group, square, kCubic, x, 2);
}

// x where the value is Clip(x + 3, 0, 6); kNoValue otherwise.
ValueId clipped_ramp(NodeGroup& group, ValueId value) {
  const Node* clip = group.take(value, "Clip");
  FusedStep bounds;
  if (!clip || !activation_step(group.graph(), *clip, bounds) || bounds.alpha != 0 || bounds.beta != 6) return kNoValue;
  float shift = 0;
  const ValueId x = shifted(group, clip->inputs[0], shift);
  return shift == 3 ? x : kNoValue;
}

// Finds the operator that computes factor * x * gate.
class Gate {
 public:
  Gate(NodeGroup& group, ValueId x, ValueId gate, double factor) : group_(group), x_(x), gate_(gate), factor_(factor) {}

  bool match(Node& node) {
    const auto attempt = [&](bool (Gate::*form)(Node&)) {
      const size_t size = group_.size();
      if ((this->*form)(node) && group_.is_closed()) return true;
      group_.resize(size);
      node.attributes.clear();
      return false;
    };
    return attempt(&Gate::is_swish) || attempt(&Gate::is_hard_swish) || attempt(&Gate::is_mish) ||
           attempt(&Gate::is_gelu);
  }

 private:
  static bool name(Node& node, std::string_view op_type, int64_t opset) {
    node.op_type = op_type;
    node.opset = opset;
    return true;
  }

  bool is_swish(Node& node) {
    const Node* sigmoid = group_.take(gate_, "Sigmoid");
    if (!sigmoid || !is_about(factor_, 1)) return false;
    const Product argument = product_of(group_, sigmoid->inputs[0]);
    if (argument.factors != std::vector<ValueId>{x_}) return false;
    if (argument.factor != 1) node.attributes.push_back({"alpha", static_cast<float>(argument.factor)});
    return name(node, "Swish", 24);
  }

  bool is_hard_swish(Node& node) {
    if (const Node* gate = group_.take(gate_, "HardSigmoid")) {
      return gate->inputs[0] == x_ && is_about(factor_, 1) &&
             is_about(number_attribute(*gate, "alpha", 0.2F), 1.0 / 6) &&
             is_about(number_attribute(*gate, "beta", 0.5F), 0.5) && name(node, "HardSwish", 14);
    }
    return clipped_ramp(group_, gate_) == x_ && is_about(factor_, 1.0 / 6) && name(node, "HardSwish", 14);
  }

  bool is_mish(Node& node) {
    const Node* tanh = group_.take(gate_, "Tanh");
    const Node* softplus = tanh ? group_.take(tanh->inputs[0], "Softplus") : nullptr;
    return softplus && softplus->inputs[0] == x_ && is_about(factor_, 1) && name(node, "Mish", 18);
  }

  // x (1 + f(x)) / 2, the half anywhere.
  bool is_gelu(Node& node) {
    float shift = 0;
    const ValueId value = shifted(group_, gate_, shift);
    if (value == kNoValue || !is_about(factor_ * static_cast<double>(shift), 0.5)) return false;
    const Product product = product_of(group_, value);
    if (product.factors.size() != 1 || !is_about(product.factor, static_cast<double>(shift))) return false;
    if (const Node* erf = group_.take(product.factors[0], "Erf")) {
      return is_power(group_, erf->inputs[0], 1 / std::numbers::sqrt2, x_, 1) && name(node, "Gelu", 20);
    }
    const Node* tanh = group_.take(product.factors[0], "Tanh");
    if (!tanh || !is_tanh_argument(group_, tanh->inputs[0], x_)) return false;
    node.attributes.push_back({"approximate", std::string("tanh")});
    return name(node, "Gelu", 20);
  }

  NodeGroup& group_;
  ValueId x_, gate_;
  double factor_;
};

// Clip(x + 3, 0, 6) / 6.
bool is_hard_sigmoid(NodeGroup& group, const Product& product, Node& node) {
  const ValueId x = clipped_ramp(group, product.factors[0]);
  if (x == kNoValue || !is_about(product.factor, 1.0 / 6) || !group.is_closed()) return false;
  node.op_type = "HardSigmoid";
  node.opset = 6;
  node.inputs = {x};
  node.attributes = {{"alpha", 1.0F / 6}, {"beta", 0.5F}};
  return true;
}

bool match(NodeGroup& group, Node& node) {
  const Node& last = group.last();
  if (!is_operator(last, "Mul") && !is_operator(last, "Div")) return false;
  if (group.graph().value(last.outputs[0]).type.dtype != DType::float32) return false;
  Product product;
  if (!take_apart(group, last, product)) return false;
  if (product.factors.size() == 1) return is_hard_sigmoid(group, product, node);
  if (product.factors.size() != 2) return false;
  for (size_t i = 0; i < 2; ++i) {
    const ValueId x = product.factors[i];
    node.inputs = {x};
    if (Gate(group, x, product.factors[1 - i], product.factor).match(node)) return true;
  }
  return false;
}

}  // namespace

int fuse_activation_patterns(Graph& graph, const PassContext& /*context*/) {
  const auto consumers = graph.consumers();
  int fused = 0;
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    if (graph.node(id).removed) continue;
    NodeGroup group(graph, consumers, id);
    Node node;
    if (!match(group, node)) continue;
    group.replace(graph, std::move(node));
    ++fused;
  }
  return fused;
}

}  // namespace onnxrun
