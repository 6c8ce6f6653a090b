#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "onnxrun/model.h"

namespace onnxrun {
namespace proto {
class GraphProto;
class ModelProto;
}  // namespace proto

// Builds models in memory, for tests.
class ModelBuilder {
 public:
  class Body;
  using AttributeArgument = std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>, Tensor,
                                         const Body*, std::vector<std::string>>;
  using Attributes = std::vector<std::pair<std::string, AttributeArgument>>;

  // The nodes of a graph: the main one, or that of an attribute.
  class Body {
   public:
    Body();
    ~Body();
    Body(Body&&) noexcept;
    Body& operator=(Body&&) noexcept;

    // Extents are numbers, or names of symbols; "?" for an unknown one.
    Body& input(const std::string& name, DType dtype, const std::vector<std::string>& dims);
    // A value of any kind.
    Body& input(const std::string& name, const ValueType& type);
    // Without dims the shape is not declared.
    Body& output(const std::string& name, DType dtype = DType::undefined, const std::vector<std::string>& dims = {});
    Body& constant(const std::string& name, const Tensor& tensor);
    Body& node(const std::string& op_type, const std::vector<std::string>& inputs,
               const std::vector<std::string>& outputs, const Attributes& attributes = {}, const std::string& name = "",
               const std::string& domain = "");

    const proto::GraphProto& proto() const { return *graph_; }

   private:
    std::unique_ptr<proto::GraphProto> graph_;
  };

  Body main;
  int64_t opset = 21;
  int64_t ir_version = 10;
  std::vector<std::pair<std::string, int64_t>> domains;  // further opset imports

  std::string bytes() const;
  // Owns its bytes.
  Model model(const LoadOptions& options = {}) const;
};

// Tensors of literal elements.
Tensor floats(const Shape& shape, const std::vector<float>& values);
Tensor integers(const Shape& shape, const std::vector<int64_t>& values);
Tensor scalar(bool value);
std::vector<float> elements(const Value& value);

// Values in [-1, 1) from a seed.
Tensor random_floats(const Shape& shape, uint32_t seed);

}  // namespace onnxrun
