// Q, K and V of an attention that are projections of the same rows become one product by the three matrices side by
// side, and those that a Split takes apart stay together: onnxrun.HeadAttention reads the heads where they lie.
#include <array>
#include <cstring>
#include <numeric>
#include <optional>

#include "base/dispatch_dtype.h"
#include "base/mapped_file.h"
#include "graph/passes/pass.h"
#include "graph/passes/pattern.h"

namespace onnxrun {
namespace {

constexpr size_t kOperands = 3;

// An operand whose last two axes, heads and their size, are the last axis of `rows`.
struct Part {
  ValueId rows = kNoValue;
  int64_t heads = 0, size = 0;
  int64_t begin = 0;  // where it lies in the merged rows

  int64_t width() const { return heads * size; }
};
using Parts = std::array<Part, kOperands>;

const Node* producer(const Graph& graph, ValueId id) {
  const NodeId node = graph.value(id).producer;
  return node == kNoNode ? nullptr : &graph.node(node);
}

std::optional<Part> find_part(const Graph& graph, ValueId id) {
  const Node* reshape = producer(graph, id);
  if (!reshape || !is_operator(*reshape, "Reshape")) return {};
  const Part part = {reshape->inputs[0]};
  const DimShape& rows = graph.value(part.rows).type.shape;
  const DimShape& heads = graph.value(id).type.shape;
  if (!rows.has_rank() || !heads.has_rank() || rows.rank() < 2 || heads.rank() != rows.rank() + 1) return {};
  const size_t last = rows.rank() - 1;
  for (size_t axis = 0; axis < last; ++axis) {
    if (!(rows[axis] == heads[axis])) return {};
  }
  if (!heads[last].is_number() || !heads[last + 1].is_number()) return {};
  if (!rows[last].is(heads[last].number() * heads[last + 1].number())) return {};
  return Part{part.rows, heads[last].number(), heads[last + 1].number()};
}

bool is_last_axis(const Graph& graph, ValueId value, int64_t axis) {
  const DimShape& shape = graph.value(value).type.shape;
  return shape.has_rank() && (axis == -1 || axis == static_cast<int64_t>(shape.rank()) - 1);
}

std::optional<int64_t> read_integer(const Graph& graph, ValueId id) {
  const ConstantPtr constant = constant_of(graph, id);
  if (!constant || constant->elements() != 1) return {};
  if (constant->dtype() == DType::int32) return read_unaligned<int32_t>(constant->tensor(), 0);
  if (constant->dtype() != DType::int64) return {};
  return read_unaligned<int64_t>(constant->tensor(), 0);
}

// Where output `id` of a Split begins on the last axis.
std::optional<int64_t> begin_of_output(const Graph& graph, const Node& split, ValueId id) {
  if (!is_last_axis(graph, id, integer_attribute(split, "axis", 0))) return {};
  int64_t begin = 0;
  for (const ValueId output : split.outputs) {
    if (output == id) return begin;
    const DimShape& shape = output == kNoValue ? DimShape() : graph.value(output).type.shape;
    if (!shape.has_rank() || !shape[shape.rank() - 1].is_number()) return {};
    begin += shape[shape.rank() - 1].number();
  }
  return {};
}

// Where a Slice of the last axis alone begins.
std::optional<int64_t> begin_of_slice(const Graph& graph, const Node& slice) {
  constexpr size_t kStart = 1, kAxis = 3, kStep = 4;
  if (slice.inputs.size() <= kAxis) return {};
  const auto start = read_integer(graph, slice.inputs[kStart]);
  const auto axis = read_integer(graph, slice.inputs[kAxis]);
  const auto step = slice.inputs.size() > kStep ? read_integer(graph, slice.inputs[kStep]) : 1;
  const bool fits = start && axis && step == 1 && *start >= 0 && is_last_axis(graph, slice.inputs[0], *axis);
  return fits ? start : std::nullopt;
}

// The value that all of them are cut from; kNoValue where there is none.
ValueId whole_value(const Graph& graph, Parts& parts) {
  ValueId whole = kNoValue;
  for (Part& part : parts) {
    const Node* cut = producer(graph, part.rows);
    if (!cut) return kNoValue;
    std::optional<int64_t> begin;
    if (is_operator(*cut, "Split")) begin = begin_of_output(graph, *cut, part.rows);
    if (is_operator(*cut, "Slice")) begin = begin_of_slice(graph, *cut);
    if (!begin || (whole != kNoValue && cut->inputs[0] != whole)) return kNoValue;
    whole = cut->inputs[0];
    part.begin = *begin;
  }
  return whole;
}

bool is_projection(const Graph& graph, const Node* node) {
  if (!node || node->domain != "onnxrun" || node->op_type != "Gemm" || !node->attributes.empty()) return false;
  const bool has_bias = node->inputs.size() == 3;
  if (node->inputs.size() != 2 && !has_bias) return false;
  const ConstantPtr weights = constant_of(graph, node->inputs[1]);
  const ConstantPtr bias = has_bias ? constant_of(graph, node->inputs[2]) : nullptr;
  if (!weights || weights->dtype() != DType::float32 || weights->shape().rank() != 2) return false;
  return !has_bias || (bias && bias->elements() == weights->shape()[1]);
}

// Matrices of as many rows side by side.
Constant::Making side_by_side(const std::vector<ConstantPtr>& matrices, int64_t columns) {
  const auto join = [matrices, columns](std::byte* dst, size_t begin, size_t end) {
    size_t at = 0;
    for (const ConstantPtr& matrix : matrices) {
      const size_t bytes = static_cast<size_t>(matrix->shape()[1]) * sizeof(float);
      const auto* src = static_cast<const std::byte*>(matrix->tensor().data());
      for (size_t row = begin; row < end; ++row) {
        std::memcpy(dst + row * static_cast<size_t>(columns) * sizeof(float) + at, src + row * bytes, bytes);
      }
      MappedFile::release({src + begin * bytes, (end - begin) * bytes});
      at += bytes;
    }
  };
  return {static_cast<size_t>(matrices[0]->shape()[0]), join, matrices, "side by side"};
}

// One product in place of three by constants that nobody else reads; kNoValue where there are none.
ValueId merged_value(Graph& graph, const std::vector<std::vector<NodeId>>& consumers, Parts& parts) {
  std::vector<const Node*> products;
  for (const Part& part : parts) {
    const Node* product = producer(graph, part.rows);
    if (!is_projection(graph, product) || product->inputs[0] != producer(graph, parts[0].rows)->inputs[0])
      return kNoValue;
    if (only_consumer(graph, consumers, product->outputs) == kNoNode) return kNoValue;
    if (std::find(products.begin(), products.end(), product) != products.end()) return kNoValue;
    products.push_back(product);
  }
  int64_t columns = 0;
  std::vector<ConstantPtr> matrices;
  for (size_t i = 0; i < kOperands; ++i) {
    parts[i].begin = columns;
    columns += parts[i].width();
    matrices.push_back(constant_of(graph, products[i]->inputs[1]));
  }
  Tensor bias(DType::float32, {columns});
  float* to = bias.mutable_values<float>().data();
  std::fill_n(to, columns, 0.0F);
  for (size_t i = 0; i < kOperands; ++i) {
    if (products[i]->inputs.size() < 3) continue;
    const Tensor& own = constant_of(graph, products[i]->inputs[2])->tensor();
    std::memcpy(to + parts[i].begin, own.data(), own.bytes());
  }
  Node merged = *products[0];
  const std::string name = graph.value(merged.inputs[1]).name;
  for (size_t i = 1; i < kOperands; ++i) {
    merged.origins.insert(merged.origins.end(), products[i]->origins.begin(), products[i]->origins.end());
  }
  const int64_t k = matrices[0]->shape()[0];
  for (const Part& part : parts) graph.remove_node(graph.value(part.rows).producer);
  const ValueId rows = graph.add_value(graph.value(parts[0].rows).name + " (merged)");
  merged.inputs.resize(3);
  merged.inputs[1] =
      add_constant(graph, name + " (merged)", DType::float32, {k, columns}, side_by_side(matrices, columns));
  merged.inputs[2] = add_constant(graph, name + " (merged bias)", std::move(bias));
  merged.outputs = {rows};
  merged.op = nullptr;
  graph.add_node(std::move(merged));
  return rows;
}

// The heads of each operand as a part of its rows, without the Reshape that takes them apart.
bool read_rows(Graph& graph, NodeId id) {
  Node attention = graph.node(id);
  Parts parts;
  for (size_t i = 0; i < kOperands; ++i) {
    const auto part = find_part(graph, attention.inputs[i]);
    if (!part) return false;
    parts[i] = *part;
  }
  std::vector<int64_t> heads, sizes;
  for (size_t i = 0; i < kOperands; ++i) {
    attention.inputs[i] = parts[i].rows;
    heads.push_back(parts[i].heads);
    sizes.push_back(parts[i].size);
  }
  attention.attributes.push_back({"begins", std::vector<int64_t>(kOperands, 0)});
  attention.attributes.push_back({"heads", heads});
  attention.attributes.push_back({"sizes", sizes});
  attention.op = nullptr;
  graph.remove_node(id);
  graph.add_node(std::move(attention));
  return true;
}

bool is_attention(const Node& node) {
  return !node.removed && node.domain == "onnxrun" && node.op_type == "HeadAttention";
}

}  // namespace

int merge_projections(Graph& graph, const PassContext& context) {
  const std::vector<NodeId> before = graph.order();
  for (const NodeId id : before) {
    if (is_attention(graph.node(id))) read_rows(graph, id);
  }
  graph.sort();
  remove_dead_nodes(graph, context);  // what took the heads apart
  const auto consumers = graph.consumers();
  int merged = 0;
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    if (!is_attention(graph.node(id)) || !integers_attribute(graph.node(id), "heads")) continue;
    Node attention = graph.node(id);
    Parts parts;
    for (size_t i = 0; i < kOperands; ++i) {
      parts[i] = {attention.inputs[i], (*integers_attribute(attention, "heads"))[i],
                  (*integers_attribute(attention, "sizes"))[i]};
    }
    ValueId rows = whole_value(graph, parts);
    if (rows == kNoValue) rows = merged_value(graph, consumers, parts);
    if (rows == kNoValue) continue;
    for (Attribute& attribute : attention.attributes) {
      if (attribute.name == "begins")
        attribute.value = std::vector<int64_t>{parts[0].begin, parts[1].begin, parts[2].begin};
    }
    std::fill_n(attention.inputs.begin(), kOperands, rows);
    attention.op = nullptr;
    graph.remove_node(id);
    graph.add_node(std::move(attention));
    ++merged;
  }
  return merged;
}

}  // namespace onnxrun
