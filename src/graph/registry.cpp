#include "graph/registry.h"

#include <algorithm>
#include <stdexcept>

#include "graph/standard_operators.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

bool take_suffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

std::vector<Formal> parse_formals(std::string_view list) {
  std::vector<Formal> formals;
  while (!trim(list).empty()) {
    const size_t comma = list.find(',');
    std::string_view item = trim(list.substr(0, comma));
    list = comma == std::string_view::npos ? "" : list.substr(comma + 1);
    Formal formal;
    formal.optional = take_suffix(item, "?");
    formal.heterogeneous = take_suffix(item, "*...");
    formal.variadic = formal.heterogeneous || take_suffix(item, "...");
    const size_t colon = item.find(':');
    if (colon == std::string_view::npos) throw std::logic_error("signature without a type: " + std::string(item));
    formal.name = trim(item.substr(0, colon));
    formal.type = trim(item.substr(colon + 1));
    formals.push_back(std::move(formal));
  }
  return formals;
}

// "domain.Name", the domain left out for ai.onnx.
std::string qualified(std::string_view domain, std::string_view name) {
  return (domain.empty() ? "" : std::string(domain) + ".") + std::string(name);
}

void check_arity(const std::vector<Formal>& formals, size_t given, const char* what) {
  size_t least = 0;
  for (size_t i = 0; i < formals.size(); ++i) {
    if (!formals[i].optional) least = i + 1;
  }
  const bool unbounded = !formals.empty() && formals.back().variadic;
  if (given >= least && (unbounded || given <= formals.size())) return;
  const std::string most = unbounded                 ? "or more"
                           : least == formals.size() ? ""
                                                     : "to " + std::to_string(formals.size());
  throw Error(ErrorCode::invalid_model, "has " + std::to_string(given) + " " + what + " where the operator takes " +
                                            std::to_string(least) + (most.empty() ? "" : " " + most));
}

void check_required(const std::vector<Formal>& formals, const std::vector<ValueId>& given, const char* what) {
  for (size_t i = 0; i < given.size(); ++i) {
    const Formal& formal = formals[std::min(i, formals.size() - 1)];
    if (given[i] == kNoValue && !formal.optional && !formal.variadic) {
      throw Error(ErrorCode::invalid_model,
                  "omits the " + std::string(what) + " '" + formal.name + "', which is required");
    }
  }
}

const TypeConstraint* find_constraint(const OperatorEntry& entry, const std::string& name) {
  const auto found = std::find_if(entry.types.begin(), entry.types.end(),
                                  [&](const TypeConstraint& constraint) { return constraint.name == name; });
  return found == entry.types.end() ? nullptr : &*found;
}

bool admits(const TypeConstraint& constraint, const Type& type) {
  if (constraint.any) return true;
  switch (type.kind) {
    case ValueKind::tensor:
      return constraint.tensors.contains(type.dtype);
    case ValueKind::sequence:
      return !constraint.sequences.empty();
    case ValueKind::optional:
      return !constraint.optionals.empty();
    default:
      return false;
  }
}

}  // namespace

void OpRegistry::add(const OperatorRegistration& registration) {
  const size_t arrow = registration.signature.find("->");
  if (arrow == std::string_view::npos) throw std::logic_error("signature without an arrow");
  auto& versions = table_[{std::string(registration.domain), std::string(registration.name)}];
  for (const int64_t since : registration.versions) {
    auto entry = std::make_unique<OperatorEntry>();
    entry->domain = registration.domain;
    entry->name = registration.name;
    entry->since = since;
    entry->inputs = parse_formals(registration.signature.substr(0, arrow));
    entry->outputs = parse_formals(registration.signature.substr(arrow + 2));
    entry->types = registration.types;
    entry->create = registration.create;
    if (!versions.emplace(since, std::move(entry)).second) {
      throw std::logic_error("two entries of " + std::string(registration.name) + "-" + std::to_string(since));
    }
  }
}

const OperatorEntry* OpRegistry::find(std::string_view domain, std::string_view name, int64_t opset) const {
  const auto versions = table_.find(std::pair(std::string(domain), std::string(name)));
  if (versions == table_.end()) return nullptr;
  const auto after = versions->second.upper_bound(opset);
  return after == versions->second.begin() ? nullptr : std::prev(after)->second.get();
}

std::vector<const OperatorEntry*> OpRegistry::entries() const {
  std::vector<const OperatorEntry*> list;
  for (const auto& [name, versions] : table_) {
    for (const auto& [since, entry] : versions) list.push_back(entry.get());
  }
  return list;
}

void bind_operator(const OpRegistry& registry, const Graph& graph, Node& node) {
  const OperatorEntry* entry = registry.find(node.domain, node.op_type, node.opset);
  const std::string name = qualified(node.domain, node.op_type);
  if (!entry) {
    const StandardOperator* standard = find_standard_operator(node.domain, node.op_type);
    if (standard && standard->first_version > node.opset) {
      throw Error(ErrorCode::invalid_model, name + " came with opset " + std::to_string(standard->first_version) +
                                                ", the model imports " + std::to_string(node.opset));
    }
    if (!standard && is_standard_domain(node.domain)) {
      throw Error(ErrorCode::invalid_model, "the standard has no operator " + name);
    }
    throw Error(ErrorCode::unsupported_operator, name + "-" + std::to_string(node.opset) + " is not supported");
  }
  check_arity(entry->inputs, node.inputs.size(), "inputs");
  check_arity(entry->outputs, node.outputs.size(), "outputs");
  check_required(entry->inputs, node.inputs, "input");
  AttributeReader attributes(node.attributes, entry->since, node.opset);
  std::shared_ptr<const Operator> op = entry->create(attributes);
  attributes.finish();
  node.entry = entry;
  node.op = std::move(op);
  set_label(graph, node);
}

void bind_operators(const OpRegistry& registry, Graph& graph, std::vector<ModelProblem>& problems,
                    const std::string& path) {
  for (const NodeId id : graph.order()) {
    Node& node = graph.node(id);
    if (node.op) continue;
    try {
      bind_operator(registry, graph, node);
    } catch (const Error& error) {
      problems.push_back({error.code() == ErrorCode::unsupported_operator,
                          path + "node " + node.label + ": " + error.what(), node.domain, node.op_type, node.opset});
    }
    for (const auto& subgraph : Graph::subgraphs(node)) {
      bind_operators(registry, *subgraph, problems, path + "in " + node.label + ": ");
    }
  }
}

void apply_signature(const Graph& graph, const Node& node, std::vector<ValueFact>& facts) {
  const OperatorEntry& entry = *node.entry;
  std::vector<std::pair<std::string, DType>> bound;  // type variable -> element type
  const auto find_bound = [&](const std::string& name) -> DType* {
    const auto found = std::find_if(bound.begin(), bound.end(), [&](const auto& item) { return item.first == name; });
    return found == bound.end() ? nullptr : &found->second;
  };
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue) continue;
    const Formal& formal = entry.inputs[std::min(i, entry.inputs.size() - 1)];
    const Type& type = facts[static_cast<size_t>(node.inputs[i])].type;
    if (type.kind == ValueKind::none || (type.is_tensor() && type.dtype == DType::undefined)) continue;
    const auto refuse = [&](const std::string& why) {
      throw Error(ErrorCode::invalid_model, "input '" + formal.name + "' is '" + graph.value(node.inputs[i]).name +
                                                "' of type " + type.to_string() + ", " + why);
    };
    const TypeConstraint* constraint = find_constraint(entry, formal.type);
    if (!constraint) {
      if (!type.is_tensor() || dtype_name(type.dtype) != formal.type) refuse("which must be " + formal.type);
      continue;
    }
    if (!admits(*constraint, type)) refuse("which the operator does not take there");
    if (!type.is_tensor() || formal.heterogeneous) continue;
    if (const DType* same = find_bound(formal.type)) {
      if (*same != type.dtype) refuse("which must be " + std::string(dtype_name(*same)) + " as another input is");
    } else {
      bound.emplace_back(formal.type, type.dtype);
    }
  }
  for (size_t j = 0; j < node.outputs.size(); ++j) {
    if (node.outputs[j] == kNoValue) continue;
    const Formal& formal = entry.outputs[std::min(j, entry.outputs.size() - 1)];
    Type& type = facts[static_cast<size_t>(node.outputs[j])].type;
    if (const DType* dtype = find_bound(formal.type)) {
      type = Type::tensor(*dtype, {});
    } else if (const auto named = dtype_from_name(formal.type)) {
      type = Type::tensor(*named, {});
    }
  }
}

}  // namespace onnxrun
