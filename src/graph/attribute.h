#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "onnxrun/value.h"

namespace onnxrun {

class Graph;

// Inside a function body: the value is that of an attribute of the call.
struct AttributeReference {
  std::string name;
};

// A step that a fused kernel applies to each element it writes; `alpha` and `beta` as the step's operator defines them.
struct FusedStep {
  std::string op_type;  // an operator of ai.onnx: "Relu", "Clip", ...; "Add" adds the fused node's residual input
  float alpha = 0;
  float beta = 0;
  float gamma = 0;
};

using AttributeValue = std::variant<std::monostate, int64_t, float, std::string, std::vector<int64_t>,
                                    std::vector<float>, std::vector<std::string>, Tensor, std::vector<Tensor>,
                                    std::shared_ptr<Graph>, std::vector<std::shared_ptr<Graph>>, ValueType,
                                    std::vector<ValueType>, SparseTensor, std::vector<FusedStep>, AttributeReference>;

struct Attribute {
  std::string name;
  AttributeValue value;
};

// "an int", "a list of floats", ...: what the value is, for messages.
std::string_view attribute_kind(const AttributeValue& value);

// Reads a node's attributes once, at load. A name that nobody asks for is an error: see finish().
class AttributeReader {
 public:
  // `version` is the since_version of the operator in force, `opset` the imported version of its domain.
  AttributeReader(const std::vector<Attribute>& attributes, int64_t version, int64_t opset)
      : attributes_(attributes), version_(version), opset_(opset), read_(attributes.size()) {}

  int64_t version() const noexcept { return version_; }
  int64_t opset() const noexcept { return opset_; }
  bool has(std::string_view name) { return find(name) != nullptr; }

  // \throws Error(invalid_model) naming the attribute: where it is of another type; required_*: where it is absent.
  int64_t integer(std::string_view name, int64_t otherwise);
  int64_t required_integer(std::string_view name);
  // An int that must be 0 or 1.
  bool flag(std::string_view name, bool otherwise);
  float number(std::string_view name, float otherwise);
  std::string string(std::string_view name, std::string_view otherwise);
  std::vector<int64_t> integers(std::string_view name);
  std::optional<std::vector<int64_t>> optional_integers(std::string_view name);
  std::vector<float> numbers(std::string_view name);
  std::vector<std::string> strings(std::string_view name);
  std::optional<Tensor> tensor(std::string_view name);
  std::shared_ptr<Graph> required_graph(std::string_view name);
  std::optional<ValueType> type(std::string_view name);
  // An element type by its number in the format.
  DType dtype(std::string_view name, DType otherwise);
  std::vector<FusedStep> fused_steps(std::string_view name);

  // One of `allowed`, the first by default.
  std::string one_of(std::string_view name, std::initializer_list<std::string_view> allowed);

  // Marks an attribute that has no effect as read.
  void ignore(std::string_view name) { find(name); }

  // \throws Error(invalid_model) naming an attribute that was never asked for.
  void finish() const;

 private:
  const AttributeValue* find(std::string_view name);
  template <class T>
  const T* get(std::string_view name);

  const std::vector<Attribute>& attributes_;
  int64_t version_;
  int64_t opset_;
  std::vector<bool> read_;
};

}  // namespace onnxrun
