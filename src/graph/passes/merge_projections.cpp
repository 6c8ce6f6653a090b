// Q, K and V of an attention that are projections of the same rows become one product by the three matrices side by
// side, and those that a Split takes apart stay together: onnxrun.HeadAttention reads the heads where they lie.
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "base/aligned_buffer.h"
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
  int64_t begin = 0;         // where it lies in the merged rows
  bool joins_batch = false;  // [rows, batch, heads * size] that is read as [rows, batch * heads, size]

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
  const ValueId source = reshape->inputs[0];
  const DimShape& rows = graph.value(source).type.shape;
  const DimShape& heads = graph.value(id).type.shape;
  if (!rows.has_rank() || !heads.has_rank() || rows.rank() < 2) return {};
  const size_t last = rows.rank() - 1;
  if (heads.rank() == 3 && last == 2) {
    if (!rows[2].is_number() || !heads[2].is_number() || heads[2].number() < 1) return {};
    const int64_t count = rows[2].number() / heads[2].number();
    const bool fits =
        rows[0] == heads[0] && heads[1] == rows[1] * count && heads[2].number() * count == rows[2].number();
    return fits ? std::optional(Part{source, count, heads[2].number(), 0, true}) : std::nullopt;
  }
  if (heads.rank() != rows.rank() + 1) return {};
  for (size_t axis = 0; axis < last; ++axis) {
    if (!(rows[axis] == heads[axis])) return {};
  }
  if (!heads[last].is_number() || !heads[last + 1].is_number()) return {};
  if (!rows[last].is(heads[last].number() * heads[last + 1].number())) return {};
  return Part{source, heads[last].number(), heads[last + 1].number()};
}

bool is_last_axis(const Graph& graph, ValueId value, int64_t axis) {
  const DimShape& shape = graph.value(value).type.shape;
  return shape.has_rank() && (axis == -1 || axis == static_cast<int64_t>(shape.rank()) - 1);
}

std::optional<int64_t> read_integer(const Graph& graph, ValueId id) {
  const auto list = known_integers(graph, id);
  if (!list || list->size() != 1 || !list->front().is_number()) return {};
  return list->front().number();
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
      const AlignedBuffer rows = allocate_aligned((end - begin) * bytes);
      MappedFile::copy({static_cast<const std::byte*>(matrix->tensor().data()) + begin * bytes, (end - begin) * bytes},
                       rows.get());
      for (size_t row = 0; row < end - begin; ++row) {
        std::memcpy(dst + row * static_cast<size_t>(columns) * sizeof(float) + at, rows.get() + row * bytes, bytes);
      }
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

// Whether a Reshape gives the same elements the same shape however the axes of its input are divided.
bool is_free_reshape(const Graph& graph, const Node& node, ValueId input) {
  if (!is_operator(node, "Reshape") || node.inputs[0] != input) return false;
  const auto shape = known_integers(graph, node.inputs[1]);
  return shape && std::none_of(shape->begin(), shape->end(), [](const Dim& dim) { return dim.is(0); });
}

// Attention over [rows, batch * heads, size], as PyTorch's MultiheadAttention has it, as one over
// [rows, batch, heads, size]. False where something depends on the axes that were joined.
bool divide_heads(Graph& graph, const std::vector<std::vector<NodeId>>& consumers, Node& attention) {
  const std::vector<int64_t> joined = {1, 0, 2};
  for (const char* axes : {"q_axes", "k_axes", "v_axes", "y_axes"}) {
    if (*integers_attribute(attention, axes) != joined) return false;
  }
  if (attention.inputs.size() > kOperands) {
    const DimShape& mask = graph.value(attention.inputs[kOperands]).type.shape;
    if (!mask.has_rank() || mask.rank() > 3 || (mask.rank() == 3 && !mask[0].is(1))) return false;
  }
  const ValueId output = attention.outputs[0];
  if (graph.is_output(output)) return false;
  for (const NodeId reader : consumers[static_cast<size_t>(output)]) {
    if (!is_free_reshape(graph, graph.node(reader), output)) return false;
  }
  for (Attribute& attribute : attention.attributes) {
    if (attribute.name.ends_with("_axes")) {
      attribute.value =
          attribute.name == "y_axes" ? std::vector<int64_t>{2, 0, 1, 3} : std::vector<int64_t>{1, 2, 0, 3};
    }
  }
  attention.outputs[0] = graph.add_value(graph.value(output).name + " (divided)");
  graph.replace_uses(output, attention.outputs[0]);
  return true;
}

// The heads of each operand as a part of its rows, without the Reshape that takes them apart.
void read_rows(Graph& graph, const std::vector<std::vector<NodeId>>& consumers, NodeId id) {
  Node attention = graph.node(id);
  Parts parts;
  for (size_t i = 0; i < kOperands; ++i) {
    const auto part = find_part(graph, attention.inputs[i]);
    if (!part || (i > 0 && part->joins_batch != parts[0].joins_batch)) return;
    parts[i] = *part;
  }
  if (parts[0].joins_batch && !divide_heads(graph, consumers, attention)) return;
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
}

bool is_attention(const Node& node) {
  return !node.removed && node.domain == "onnxrun" && node.op_type == "HeadAttention";
}

}  // namespace

int merge_projections(Graph& graph, const PassContext& context) {
  const auto readers = graph.consumers();
  const std::vector<NodeId> before = graph.order();
  for (const NodeId id : before) {
    if (is_attention(graph.node(id))) read_rows(graph, readers, id);
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
