#include "support/model_builder.h"

#include <random>
#include <span>

#include "onnx.pb.h"
#include "onnxrun/io.h"

namespace onnxrun {
namespace {

void write(const Tensor& tensor, proto::TensorProto& proto) {
  const std::vector<std::byte> bytes = serialize_value_pb(tensor);
  proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

void write(DType dtype, const std::vector<std::string>& dims, proto::TypeProto::Tensor& type) {
  type.set_elem_type(static_cast<int32_t>(dtype));
  type.mutable_shape();
  for (const std::string& dim : dims) {
    auto* proto = type.mutable_shape()->add_dim();
    if (dim == "?") continue;
    if (dim.find_first_not_of("0123456789") == std::string::npos) {
      proto->set_dim_value(std::stoll(dim));
    } else {
      proto->set_dim_param(dim);
    }
  }
}

void write(const ValueType& type, proto::TypeProto& proto) {
  if (type.kind == ValueKind::sequence)
    return write(*type.element, *proto.mutable_sequence_type()->mutable_elem_type());
  if (type.kind == ValueKind::optional)
    return write(*type.element, *proto.mutable_optional_type()->mutable_elem_type());
  if (type.kind == ValueKind::map) {
    proto.mutable_map_type()->set_key_type(static_cast<int32_t>(type.dtype));
    if (type.element) write(*type.element, *proto.mutable_map_type()->mutable_value_type());
    return;
  }
  auto& tensor = *proto.mutable_tensor_type();
  tensor.set_elem_type(static_cast<int32_t>(type.dtype));
  if (!type.has_rank) return;
  tensor.mutable_shape();
  for (const DeclaredDim& dim : type.dims) {
    auto* written = tensor.mutable_shape()->add_dim();
    if (dim.known()) written->set_dim_value(dim.value);
    if (!dim.name.empty()) written->set_dim_param(dim.name);
  }
}

void write(const ModelBuilder::AttributeArgument& value, proto::AttributeProto& proto) {
  // The numbers of AttributeProto.AttributeType.
  constexpr int kTypes[] = {2, 1, 3, 7, 6, 4, 5, 8};
  proto.set_type(kTypes[value.index()]);
  if (const auto* integer = std::get_if<int64_t>(&value)) proto.set_i(*integer);
  if (const auto* number = std::get_if<float>(&value)) proto.set_f(*number);
  if (const auto* text = std::get_if<std::string>(&value)) proto.set_s(*text);
  if (const auto* list = std::get_if<std::vector<int64_t>>(&value))
    proto.mutable_ints()->Add(list->begin(), list->end());
  if (const auto* list = std::get_if<std::vector<float>>(&value))
    proto.mutable_floats()->Add(list->begin(), list->end());
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    for (const std::string& text : *list) proto.add_strings(text);
  }
  if (const auto* tensor = std::get_if<Tensor>(&value)) write(*tensor, *proto.mutable_t());
  if (const auto* body = std::get_if<const ModelBuilder::Body*>(&value)) *proto.mutable_g() = (*body)->proto();
}

}  // namespace

ModelBuilder::Body::Body() : graph_(std::make_unique<proto::GraphProto>()) { graph_->set_name("graph"); }
ModelBuilder::Body::~Body() = default;
ModelBuilder::Body::Body(Body&&) noexcept = default;
ModelBuilder::Body& ModelBuilder::Body::operator=(Body&&) noexcept = default;

ModelBuilder::Body& ModelBuilder::Body::input(const std::string& name, DType dtype,
                                              const std::vector<std::string>& dims) {
  auto* input = graph_->add_input();
  input->set_name(name);
  write(dtype, dims, *input->mutable_type()->mutable_tensor_type());
  return *this;
}

ModelBuilder::Body& ModelBuilder::Body::input(const std::string& name, const ValueType& type) {
  auto* input = graph_->add_input();
  input->set_name(name);
  write(type, *input->mutable_type());
  return *this;
}

ModelBuilder::Body& ModelBuilder::Body::output(const std::string& name, DType dtype,
                                               const std::vector<std::string>& dims) {
  auto* output = graph_->add_output();
  output->set_name(name);
  if (dtype != DType::undefined) write(dtype, dims, *output->mutable_type()->mutable_tensor_type());
  return *this;
}

ModelBuilder::Body& ModelBuilder::Body::constant(const std::string& name, const Tensor& tensor) {
  auto* initializer = graph_->add_initializer();
  write(tensor, *initializer);
  initializer->set_name(name);
  return *this;
}

ModelBuilder::Body& ModelBuilder::Body::node(const std::string& op_type, const std::vector<std::string>& inputs,
                                             const std::vector<std::string>& outputs, const Attributes& attributes,
                                             const std::string& name, const std::string& domain) {
  auto* node = graph_->add_node();
  node->set_op_type(op_type);
  node->set_name(name);
  node->set_domain(domain);
  for (const std::string& input : inputs) node->add_input(input);
  for (const std::string& output : outputs) node->add_output(output);
  for (const auto& [attribute, value] : attributes) {
    auto* proto = node->add_attribute();
    proto->set_name(attribute);
    write(value, *proto);
  }
  return *this;
}

std::string ModelBuilder::bytes() const {
  proto::ModelProto model;
  model.set_ir_version(ir_version);
  auto* import = model.add_opset_import();
  import->set_version(opset);
  for (const auto& [domain, version] : domains) {
    auto* other = model.add_opset_import();
    other->set_domain(domain);
    other->set_version(version);
  }
  *model.mutable_graph() = main.proto();
  return model.SerializeAsString();
}

Model ModelBuilder::model(const LoadOptions& options) const {
  const std::string serialized = bytes();
  return Model::from_bytes(std::as_bytes(std::span(serialized)), BytesMode::copy, options);
}

Tensor floats(const Shape& shape, const std::vector<float>& values) {
  return Tensor::of<float>(DType::float32, shape, values);
}

Tensor integers(const Shape& shape, const std::vector<int64_t>& values) {
  return Tensor::of<int64_t>(DType::int64, shape, values);
}

Tensor scalar(bool value) {
  Tensor tensor(DType::boolean, Shape{});
  tensor.mutable_values<bool>()[0] = value;
  return tensor;
}

std::vector<float> elements(const Value& value) {
  const auto values = value.tensor().values<float>();
  return {values.begin(), values.end()};
}

Tensor random_floats(const Shape& shape, uint32_t seed) {
  std::mt19937 generator(seed);
  Tensor tensor(DType::float32, shape);
  for (float& value : tensor.mutable_values<float>())
    value = static_cast<float>(static_cast<int32_t>(generator())) * 0x1p-31F;
  return tensor;
}

}  // namespace onnxrun
