#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype_set.h"
#include "graph/graph.h"
#include "graph/operator.h"

namespace onnxrun {

// What a type variable of a signature may be.
struct TypeConstraint {
  std::string name;
  DTypeSet tensors = {};
  DTypeSet sequences = {};  // of tensors
  DTypeSet optionals = {};  // of tensors
  bool any = false;         // any kind of value
};

// One formal input or output.
struct Formal {
  std::string name;
  std::string type;  // a type variable, or an element type by name
  bool optional = false;
  bool variadic = false;       // one or more (with `optional`: none as well)
  bool heterogeneous = false;  // variadic, each of its own type
};

using OperatorFactory = std::unique_ptr<Operator> (*)(AttributeReader&);

// An operator at the version `since`, in force until a later entry.
struct OperatorEntry {
  std::string domain;
  std::string name;
  int64_t since = 0;
  std::vector<Formal> inputs;
  std::vector<Formal> outputs;
  std::vector<TypeConstraint> types;
  OperatorFactory create = nullptr;
};

// What an operator's file says of itself.
struct OperatorRegistration {
  std::string_view domain = "";  // "" is ai.onnx
  std::string_view name;
  std::vector<int64_t> versions;  // every since_version that this entry serves
  // "X:T, axes:int64? -> Y:T": name, type variable or element type; `?` optional, `...` variadic, `*...` variadic of
  // unequal types.
  std::string_view signature;
  std::vector<TypeConstraint> types = {};
  OperatorFactory create = nullptr;
};

template <class Op>
std::unique_ptr<Operator> make_operator(AttributeReader& attributes) {
  return std::make_unique<Op>(attributes);
}

// The operators that this build has.
class OpRegistry {
 public:
  void add(const OperatorRegistration& registration);

  // The entry in force at `opset`; null where there is none.
  const OperatorEntry* find(std::string_view domain, std::string_view name, int64_t opset) const;

  // Every entry, by domain, name and version.
  std::vector<const OperatorEntry*> entries() const;

 private:
  // (domain, name) -> since -> entry
  std::map<std::pair<std::string, std::string>, std::map<int64_t, std::unique_ptr<OperatorEntry>>, std::less<>> table_;
};

// Binds a node to the operator in force: sets entry and op. \throws Error: unsupported_operator, or invalid_model where
// the count of inputs or an attribute is wrong.
void bind_operator(const OpRegistry& registry, const Graph& graph, Node& node);

// Binds every node of the graph and its subgraphs that has no operator yet; problems are collected, not thrown.
void bind_operators(const OpRegistry& registry, Graph& graph, std::vector<ModelProblem>& problems,
                    const std::string& path = "");

// Checks the input types against the signature and gives outputs the element types that it implies.
// \throws Error(invalid_model).
void apply_signature(const Graph& graph, const Node& node, std::vector<ValueFact>& facts);

}  // namespace onnxrun
