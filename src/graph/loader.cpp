#include "graph/loader.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <unordered_map>

#include "base/mapped_file.h"
#include "graph/differentiate.h"
#include "graph/inline_functions.h"
#include "graph/proto_tensor.h"
#include "graph/wire_format.h"
#include "onnx.pb.h"
#include "onnxrun/error.h"
#include "onnxrun/version.h"

namespace onnxrun {
namespace {

constexpr int64_t kFirstIrVersionWithOpsets = 3;

struct DomainVersion {
  std::string_view domain;
  int64_t newest;
};
constexpr DomainVersion kNewestVersions[] = {
    {"", kNewestOpset}, {"ai.onnx.ml", 5}, {"ai.onnx.preview.training", 1}, {"ai.onnx.preview", 1}};

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorCode::invalid_model, why); }

std::string normalized_domain(const std::string& domain) { return domain == "ai.onnx" ? "" : domain; }

std::vector<OpsetImport> read_opsets(const google::protobuf::RepeatedPtrField<proto::OperatorSetIdProto>& list) {
  std::vector<OpsetImport> opsets;
  std::map<std::string, int64_t> versions;
  for (const auto& entry : list) {
    const OpsetImport opset = {normalized_domain(entry.domain()), entry.version()};
    const auto [known, is_new] = versions.emplace(opset.domain, opset.version);
    if (is_new) opsets.push_back(opset);
    if (known->second == opset.version) continue;
    refuse("opset of " + (opset.domain.empty() ? "ai.onnx" : opset.domain) + " is imported twice: versions " +
           std::to_string(known->second) + " and " + std::to_string(opset.version));
  }
  return opsets;
}

// The names of a graph and of those around it while it is built.
struct Scope {
  Graph& graph;
  Scope* parent = nullptr;
  std::unordered_map<std::string, ValueId> names;
};

class GraphBuilder {
 public:
  GraphBuilder(TensorReader& tensors, const std::vector<OpsetImport>& opsets) : tensors_(tensors), opsets_(opsets) {}

  void build(const proto::GraphProto& proto, Scope& scope) {
    Graph& graph = scope.graph;
    graph.name = proto.name();
    for (const auto& initializer : proto.initializer())
      add_constant(scope, initializer.name(), tensors_.read(initializer));
    for (const auto& sparse : proto.sparse_initializer()) {
      add_constant(scope, sparse.values().name(), densify(tensors_.read(sparse), sparse.values().name()));
    }
    for (const auto& input : proto.input()) {
      // Before IR 4 every initializer is among the inputs; later ones may be, as a default. Either way it is a
      // constant.
      const auto known = scope.names.find(input.name());
      if (known != scope.names.end() && !graph.value(known->second).constant) {
        refuse("two graph inputs are named '" + input.name() + "'");
      }
      const ValueId id = known == scope.names.end() ? declare(scope, input.name()) : known->second;
      graph.value(id).declared = Type::of(declared_type(input));
      if (!graph.value(id).constant) graph.inputs.push_back(id);
    }
    build_nodes(proto.node(), scope);
    for (const auto& info : proto.value_info()) set_declared(scope, info);
    for (const auto& output : proto.output()) {
      const ValueId id = resolve(scope, output.name());
      if (id == kNoValue) refuse("nothing makes the graph output '" + output.name() + "'");
      set_declared(scope, output);
      graph.outputs.push_back(id);
    }
    graph.sort();
  }

  void build_nodes(const google::protobuf::RepeatedPtrField<proto::NodeProto>& nodes, Scope& scope) {
    std::vector<std::vector<ValueId>> outputs;
    for (const auto& node : nodes) {
      std::vector<ValueId>& ids = outputs.emplace_back();
      for (const std::string& name : node.output()) ids.push_back(name.empty() ? kNoValue : declare(scope, name));
    }
    for (int i = 0; i < nodes.size(); ++i) build_node(nodes[i], i, std::move(outputs[static_cast<size_t>(i)]), scope);
  }

  Attribute read_attribute(const proto::AttributeProto& proto, Scope& scope) {
    if (!proto.ref_attr_name().empty()) return {proto.name(), AttributeReference{proto.ref_attr_name()}};
    return {proto.name(), attribute_value(proto, scope)};
  }

 private:
  static ValueType declared_type(const proto::ValueInfoProto& info) {
    try {
      return read_type(info.type());
    } catch (const Error& error) {
      throw Error(error.code(), "value '" + info.name() + "': " + error.what());
    }
  }

  static void set_declared(Scope& scope, const proto::ValueInfoProto& info) {
    const auto known = scope.names.find(info.name());
    if (known == scope.names.end()) return;
    Type& declared = scope.graph.value(known->second).declared;
    if (declared.kind == ValueKind::none) declared = Type::of(declared_type(info));
  }

  static ValueId declare(Scope& scope, const std::string& name) {
    const ValueId id = scope.graph.add_value(name);
    if (!scope.names.emplace(name, id).second) refuse("the value '" + name + "' is made more than once");
    return id;
  }

  static void add_constant(Scope& scope, const std::string& name, Tensor tensor) {
    GraphValue& value = scope.graph.value(declare(scope, name));
    value.constant = std::make_shared<const Constant>(std::move(tensor), Constant::Source::file);
  }

  // The value of that name here or around; what comes from around becomes a capture. kNoValue where there is none.
  static ValueId resolve(Scope& scope, const std::string& name) {
    if (const auto known = scope.names.find(name); known != scope.names.end()) return known->second;
    if (!scope.parent) return kNoValue;
    const ValueId outer = resolve(*scope.parent, name);
    if (outer == kNoValue) return kNoValue;
    const ValueId inner = declare(scope, name);
    scope.graph.value(inner).constant = scope.parent->graph.value(outer).constant;
    scope.graph.captures.push_back({name, outer, inner});
    return inner;
  }

  void build_node(const proto::NodeProto& proto, int position, std::vector<ValueId> outputs, Scope& scope) {
    Node node;
    node.name = proto.name();
    node.domain = normalized_domain(proto.domain());
    node.op_type = proto.op_type();
    node.overload = proto.overload();
    node.outputs = std::move(outputs);
    node.origins = {proto.name().empty() ? "#" + std::to_string(position) : proto.name()};
    set_label(scope.graph, node);
    const auto import = std::find_if(opsets_.begin(), opsets_.end(),
                                     [&](const OpsetImport& opset) { return opset.domain == node.domain; });
    if (import != opsets_.end()) node.opset = import->version;
    try {
      for (const std::string& name : proto.input()) {
        const ValueId id = name.empty() ? kNoValue : resolve(scope, name);
        if (id == kNoValue && !name.empty()) refuse("nothing makes its input '" + name + "'");
        node.inputs.push_back(id);
      }
      for (const auto& attribute : proto.attribute()) node.attributes.push_back(read_attribute(attribute, scope));
    } catch (const Error& error) {
      throw Error(error.code(), "node " + node.label + ": " + error.what());
    }
    for (const auto& subgraph : Graph::subgraphs(node)) {
      for (const Capture& capture : subgraph->captures) {
        auto& implicit = node.implicit_inputs;
        if (std::find(implicit.begin(), implicit.end(), capture.outer) == implicit.end())
          implicit.push_back(capture.outer);
      }
    }
    scope.graph.add_node(std::move(node));
  }

  std::shared_ptr<Graph> subgraph(const proto::GraphProto& proto, Scope& parent) {
    auto graph = std::make_shared<Graph>();
    Scope scope{*graph, &parent, {}};
    build(proto, scope);
    return graph;
  }

  AttributeValue attribute_value(const proto::AttributeProto& proto, Scope& scope);

  TensorReader& tensors_;
  const std::vector<OpsetImport>& opsets_;
};

// The number of the field in use; models of IR version 1 have no type.
int attribute_type(const proto::AttributeProto& proto) {
  if (proto.type() != 0) return proto.type();
  const std::pair<bool, int> present[] = {
      {proto.has_f(), 1}, {proto.has_i(), 2},           {proto.has_s(), 3},         {proto.has_t(), 4},
      {proto.has_g(), 5}, {proto.floats_size() > 0, 6}, {proto.ints_size() > 0, 7}, {proto.strings_size() > 0, 8}};
  for (const auto& [is_present, type] : present) {
    if (is_present) return type;
  }
  return 0;
}

AttributeValue GraphBuilder::attribute_value(const proto::AttributeProto& proto, Scope& scope) {
  switch (attribute_type(proto)) {
    case 1:
      return proto.f();
    case 2:
      return static_cast<int64_t>(proto.i());
    case 3:
      return proto.s();
    case 4:
      return tensors_.read(proto.t());
    case 5:
      return subgraph(proto.g(), scope);
    case 6:
      return std::vector<float>(proto.floats().begin(), proto.floats().end());
    case 7:
      return std::vector<int64_t>(proto.ints().begin(), proto.ints().end());
    case 8:
      return std::vector<std::string>(proto.strings().begin(), proto.strings().end());
    case 9: {
      std::vector<Tensor> list;
      for (const auto& tensor : proto.tensors()) list.push_back(tensors_.read(tensor));
      return list;
    }
    case 10: {
      std::vector<std::shared_ptr<Graph>> list;
      for (const auto& graph : proto.graphs()) list.push_back(subgraph(graph, scope));
      return list;
    }
    case 11:
      return densify(tensors_.read(proto.sparse_tensor()), proto.sparse_tensor().values().name());
    case 13:
      return read_type(proto.tp());
    case 14: {
      std::vector<ValueType> list;
      for (const auto& type : proto.type_protos()) list.push_back(read_type(type));
      return list;
    }
    default:
      refuse("attribute '" + proto.name() + "' has the unknown type " + std::to_string(proto.type()));
  }
}

Function read_function(const proto::FunctionProto& proto, TensorReader& tensors) {
  Function function;
  function.domain = normalized_domain(proto.domain());
  function.name = proto.name();
  function.overload = proto.overload();
  function.attributes.assign(proto.attribute().begin(), proto.attribute().end());
  function.opsets = read_opsets(proto.opset_import());
  function.body = std::make_shared<Graph>();
  GraphBuilder builder(tensors, function.opsets);
  Scope scope{*function.body, nullptr, {}};
  try {
    for (const std::string& input : proto.input()) {
      const ValueId id = function.body->add_value(input);
      scope.names.emplace(input, id);
      function.body->inputs.push_back(id);
    }
    builder.build_nodes(proto.node(), scope);
    for (const std::string& output : proto.output()) {
      const auto known = scope.names.find(output);
      if (known == scope.names.end()) refuse("nothing makes the output '" + output + "'");
      function.body->outputs.push_back(known->second);
    }
    for (const auto& attribute : proto.attribute_proto()) {
      function.default_attributes.push_back(builder.read_attribute(attribute, scope));
    }
    function.body->sort();
  } catch (const Error& error) {
    throw Error(error.code(), "function '" + function.name + "': " + error.what());
  }
  return function;
}

std::vector<Function> read_functions(const proto::ModelProto& proto, TensorReader& tensors) {
  std::vector<Function> functions;
  std::set<std::array<std::string, 3>> names;
  for (const auto& function : proto.functions()) {
    functions.push_back(read_function(function, tensors));
    const Function& added = functions.back();
    if (names.insert({added.domain, added.name, added.overload}).second) continue;
    refuse("two functions are named '" + added.name + "' in the domain '" + added.domain + "'");
  }
  return functions;
}

void check_versions(GraphModel& model, bool allow_newer) {
  const auto newer = [&](const std::string& what, int64_t have, int64_t know) {
    const std::string text = what + " " + std::to_string(have) + " is newer than " + std::to_string(know) +
                             ", the newest that this library knows";
    if (!allow_newer) refuse(text);
    model.warnings.push_back(text + "; trying the newest known semantics");
  };
  if (model.ir_version > kNewestIrVersion) newer("IR version", model.ir_version, kNewestIrVersion);
  if (model.ir_version < 1) refuse("IR version " + std::to_string(model.ir_version) + " does not exist");
  if (model.opsets.empty()) {
    if (model.ir_version >= kFirstIrVersionWithOpsets) refuse("the model imports no opset");
    model.opsets.push_back({"", 1});
  }
  for (const OpsetImport& opset : model.opsets) {
    for (const DomainVersion& known : kNewestVersions) {
      if (opset.domain != known.domain) continue;
      const std::string name = "opset of " + (opset.domain.empty() ? "ai.onnx" : opset.domain);
      if (opset.version > known.newest) newer(name, opset.version, known.newest);
      if (opset.version < 1) refuse(name + " has no version " + std::to_string(opset.version));
    }
  }
}

}  // namespace

std::shared_ptr<GraphModel> load_model(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                       const std::filesystem::path& folder, const LoadOptions& options) {
  const std::string small = without_raw_data(bytes, WireMessage::model);
  MappedFile::release(bytes);  // large pages of the file, of which a few bytes each were read
  proto::ModelProto proto;
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(small.data()),
                                                static_cast<int>(small.size()));
  stream.SetRecursionLimit(16 * kMaxGraphDepth);
  if (!proto.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) refuse("this is not an ONNX model");
  if (!proto.has_graph()) refuse("this is not an ONNX model: it has no graph");

  auto model = std::make_shared<GraphModel>();
  model->ir_version = proto.ir_version();
  model->opsets = read_opsets(proto.opset_import());
  model->producer = proto.producer_name() + (proto.producer_version().empty() ? "" : " " + proto.producer_version());
  for (const auto& entry : proto.metadata_props()) model->metadata.emplace_back(entry.key(), entry.value());
  model->bytes = owner;
  check_versions(*model, options.allow_newer);

  TensorReader tensors(bytes, std::move(owner), folder, options.weights);
  model->functions = read_functions(proto, tensors);
  GraphBuilder builder(tensors, model->opsets);
  Scope scope{model->graph, nullptr, {}};
  builder.build(proto.graph(), scope);
  inline_functions(*model);
  expand_gradients(model->graph);

  for (const ValueId id : model->graph.inputs) {
    const GraphValue& value = model->graph.value(id);
    model->inputs.push_back({value.name, value.declared.declared()});
  }
  for (const ValueId id : model->graph.outputs) {
    const GraphValue& value = model->graph.value(id);
    model->outputs.push_back({value.name, value.declared.declared()});
  }
  return model;
}

}  // namespace onnxrun
