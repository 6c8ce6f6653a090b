#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "onnx.pb.h"
#include "onnxrun/session.h"
#include "support/model_builder.h"

namespace onnxrun {
namespace {

// Imports of a model or a function.
template <class Message>
void import_opset(Message& message, const std::string& domain, int64_t version) {
  auto* opset = message.add_opset_import();
  opset->set_domain(domain);
  opset->set_version(version);
}

void add_node(proto::FunctionProto& function, const std::string& op_type, const std::string& input,
              const std::string& output, const std::string& domain = "") {
  auto* node = function.add_node();
  node->set_op_type(op_type);
  node->set_domain(domain);
  node->add_input(input);
  node->add_output(output);
}

proto::FunctionProto function(const std::string& name) {
  proto::FunctionProto function;
  function.set_name(name);
  function.set_domain("local");
  function.add_input("a");
  function.add_output("b");
  return function;
}

// x float32[2,2] -> local.F -> y in a model of opset 13, with these functions.
std::vector<float> run(const std::vector<proto::FunctionProto>& functions,
                       const ModelBuilder::Attributes& attributes = {}) {
  ModelBuilder builder;
  builder.opset = 13;
  builder.domains = {{"local", 1}};
  builder.main.input("x", DType::float32, {"2", "2"}).node("F", {"x"}, {"y"}, attributes, "call", "local").output("y");
  proto::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(builder.bytes()));
  for (const proto::FunctionProto& added : functions) *model.add_functions() = added;
  const std::string bytes = model.SerializeAsString();
  const Session session(Model::from_bytes(std::as_bytes(std::span(bytes)), BytesMode::borrow));
  return elements(session.run(std::vector<Value>{floats({2, 2}, {3, 1, 4, 2})})[0]);
}

// Hardmax with axis 0: since opset 13 of each column, before of the whole matrix.
proto::FunctionProto hardmax(const std::string& name, int64_t opset) {
  proto::FunctionProto body = function(name);
  import_opset(body, "", opset);
  add_node(body, "Hardmax", "a", "b");
  auto* axis = body.mutable_node(0)->add_attribute();
  axis->set_name("axis");
  axis->set_type(2);
  axis->set_i(0);
  return body;
}

TEST(InlineFunctions, EachBodyRunsAtItsOwnOpset) {
  EXPECT_THAT(run({hardmax("F", 13)}), testing::ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(run({hardmax("F", 12)}), testing::ElementsAre(0, 0, 1, 0));
}

TEST(InlineFunctions, ACalledFunctionKeepsItsOpsetToo) {
  proto::FunctionProto outer = function("F");
  import_opset(outer, "", 13);
  import_opset(outer, "local", 1);
  add_node(outer, "Inner", "a", "b", "local");
  EXPECT_THAT(run({outer, hardmax("Inner", 12)}), testing::ElementsAre(0, 0, 1, 0));
}

TEST(InlineFunctions, AnAttributeOfTheCallReachesTheBody) {
  proto::FunctionProto body = hardmax("F", 13);
  body.add_attribute("along");
  auto* axis = body.mutable_node(0)->mutable_attribute(0);
  axis->clear_i();
  axis->set_ref_attr_name("along");
  EXPECT_THAT(run({body}, {{"along", int64_t{0}}}), testing::ElementsAre(0, 0, 1, 1));
  // Where the call gives none, Hardmax has its own default, the last axis.
  EXPECT_THAT(run({body}), testing::ElementsAre(1, 0, 1, 0));
}

}  // namespace
}  // namespace onnxrun
