#include "robustness/invalid_model.h"

namespace onnxrun {
namespace {

using Names = std::vector<std::string>;

// relu_model after a change.
InvalidModel relu(const char* name, const char* word, const std::function<void(proto::ModelProto&)>& edit,
                  int exit_code = 3) {
  return {name, Phase::load, exit_code, word, edited(relu_model(), edit)};
}

// Further nodes of relu_model, each "OpType: inputs -> output".
InvalidModel with_nodes(const char* name, const char* word,
                        const std::vector<std::tuple<std::string, Names, std::string>>& nodes) {
  ModelBuilder builder = relu_model();
  for (const auto& [op_type, inputs, output] : nodes) {
    builder.main.node(op_type, inputs, {output}, {}, "makes_" + output);
  }
  return {name, Phase::load, 3, word, builder.bytes()};
}

InvalidModel node(const char* name, const char* word, const std::string& op_type, const Names& inputs,
                  const ModelBuilder::Attributes& attributes = {},
                  const std::vector<std::pair<std::string, Tensor>>& constants = {}, int exit_code = 3) {
  return {name, Phase::load, exit_code, word, node_model(op_type, inputs, attributes, constants)};
}

std::vector<InvalidModel> graphs() {
  return {
      with_nodes("cycle", "'makes_a'", {{"Relu", {"b"}, "a"}, {"Neg", {"a"}, "b"}}),
      with_nodes("own_output", "'makes_a'", {{"Add", {"a", "x"}, "a"}}),
      with_nodes("two_make_a_value", "'y'", {{"Neg", {"x"}, "y"}}),
      with_nodes("makes_an_input", "'x'", {{"Neg", {"y"}, "x"}}),
      with_nodes("nobody_makes_it", "'ghost'", {{"Add", {"x", "ghost"}, "a"}}),
      with_nodes("no_operator_name", "'makes_a'", {{"", {"x"}, "a"}}),
      with_nodes("no_such_operator", "NoSuchOperator", {{"NoSuchOperator", {"x"}, "a"}}),
      with_nodes("too_many_inputs", "'makes_a'", {{"Neg", {"x", "x"}, "a"}}),
      with_nodes("too_few_inputs", "'makes_a'", {{"Mul", {"x"}, "a"}}),
      with_nodes("omitted_required_input", "'makes_a'", {{"Mul", {"x", ""}, "a"}}),
      relu("unknown_graph_output", "'z'", [](auto& m) { m.mutable_graph()->add_output()->set_name("z"); }),
      relu("input_twice", "'x'", [](auto& m) { *m.mutable_graph()->add_input() = m.graph().input(0); }),
      relu("input_without_name", "input", [](auto& m) { m.mutable_graph()->mutable_input(0)->clear_name(); }),
      relu("output_of_another_shape", "'y'",
           [](auto& m) {
             auto* type = m.mutable_graph()->mutable_output(0)->mutable_type()->mutable_tensor_type();
             type->set_elem_type(1);
             type->mutable_shape()->add_dim()->set_dim_value(7);
           }),
      relu("output_of_another_type", "'y'",
           [](auto& m) {
             m.mutable_graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->set_elem_type(7);
           }),
      relu("input_of_unknown_type", "'x'",
           [](auto& m) {
             m.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(99);
           }),
      relu("no_opset", "opset", [](auto& m) { m.clear_opset_import(); }),
      relu("opset_zero", "opset", [](auto& m) { m.mutable_opset_import(0)->set_version(0); }),
      relu("opset_of_the_future", "4000", [](auto& m) { m.mutable_opset_import(0)->set_version(4000); }),
      relu("two_opsets", "opset",
           [](auto& m) {
             *m.add_opset_import() = m.opset_import(0);
             m.mutable_opset_import(1)->set_version(9);
           }),
      relu("ir_version_of_the_future", "4000", [](auto& m) { m.set_ir_version(4000); }),
      relu("operator_of_a_later_opset", "Gelu",
           [](auto& m) {
             m.mutable_opset_import(0)->set_version(13);
             m.mutable_graph()->mutable_node(0)->set_op_type("Gelu");
           }),
      relu(
          "unknown_domain", "com.example",
          [](auto& m) {
            m.mutable_graph()->mutable_node(0)->set_domain("com.example");
            auto* opset = m.add_opset_import();
            opset->set_domain("com.example");
            opset->set_version(1);
          },
          4),
      relu("domain_without_opset", "ai.onnx.ml",
           [](auto& m) {
             m.mutable_graph()->mutable_node(0)->set_domain("ai.onnx.ml");
             m.mutable_graph()->mutable_node(0)->set_op_type("Binarizer");
           }),
      relu("too_many_outputs", "'the_node'", [](auto& m) { m.mutable_graph()->mutable_node(0)->add_output("z"); }),
  };
}

std::vector<InvalidModel> attributes() {
  using Integers = std::vector<int64_t>;
  const Tensor filter = random_floats({4, 3, 3, 3}, 1), image = random_floats({1, 3, 8, 8}, 2);
  const auto conv = [&](const char* name, const char* word, const ModelBuilder::Attributes& given) {
    return node(name, word, "Conv", {"image", "filter"}, given, {{"image", image}, {"filter", filter}});
  };
  return {
      node("of_another_kind", "'axis'", "Softmax", {"x"}, {{"axis", std::string("one")}}),
      node("missing", "'axis'", "Concat", {"x", "x"}),
      node("unknown", "'wrong'", "Relu", {"x"}, {{"wrong", int64_t{1}}}),
      node("axis_out_of_range", "axis", "Softmax", {"x"}, {{"axis", int64_t{2}}}),
      node("axis_far_out_of_range", "axis", "Flatten", {"x"}, {{"axis", INT64_MIN}}),
      node("perm_repeats", "perm", "Transpose", {"x"}, {{"perm", Integers{0, 0}}}),
      node("type_unknown", "'the_node'", "Cast", {"x"}, {{"to", int64_t{99}}}),
      node("word_unknown", "'somehow'", "Pad", {"x", "pads"}, {{"mode", std::string("somehow")}},
           {{"pads", integers({4}, {0, 0, 1, 1})}}),
      conv("kernel_unlike_weights", "kernel_shape", {{"kernel_shape", Integers{5, 5}}}),
      conv("stride_zero", "strides", {{"strides", Integers{0, 1}}}),
      conv("dilation_negative", "dilations", {{"dilations", Integers{-1, 1}}}),
      conv("pads_of_another_rank", "pads", {{"pads", Integers{1, 1}}}),
      conv("group_does_not_divide", "group", {{"group", int64_t{2}}}),
      conv("group_zero", "group", {{"group", int64_t{0}}}),
      node("kernel_zero", "kernel_shape", "MaxPool", {"image"}, {{"kernel_shape", Integers{0, 2}}}, {{"image", image}}),
      node("kernel_absurd", "'the_node'", "AveragePool", {"image"},
           {{"kernel_shape", Integers{int64_t{1} << 40, int64_t{1} << 40}}}, {{"image", image}}),
      node("two_values", "'the_node'", "Constant", {}, {{"value_int", int64_t{1}}, {"value_float", 1.0F}}),
      node("no_subgraph", "'then_branch'", "If", {"c"}, {}, {{"c", scalar(true)}}),
      relu("twice", "'alpha'",
           [](auto& m) {
             m.mutable_graph()->mutable_node(0)->set_op_type("LeakyRelu");
             for (int i = 0; i < 2; ++i) {
               auto* attribute = m.mutable_graph()->mutable_node(0)->add_attribute();
               attribute->set_name("alpha");
               attribute->set_type(1);
               attribute->set_f(static_cast<float>(i));
             }
           }),
      relu("reference_outside_a_function", "'alpha'",
           [](auto& m) {
             m.mutable_graph()->mutable_node(0)->set_op_type("LeakyRelu");
             auto* attribute = m.mutable_graph()->mutable_node(0)->add_attribute();
             attribute->set_name("alpha");
             attribute->set_type(1);
             attribute->set_ref_attr_name("slope");
           }),
  };
}

std::vector<InvalidModel> types() {
  const Tensor four_by_five = random_floats({4, 5}, 1);
  return {
      node("unequal_element_types", "'the_node'", "Add", {"x", "w"}, {}, {{"w", integers({2, 3}, {1, 2, 3, 4, 5, 6})}}),
      node("type_not_taken", "'the_node'", "Not", {"x"}),
      node("no_broadcast", "'the_node'", "Add", {"x", "w"}, {}, {{"w", four_by_five}}),
      node("matmul_extents", "'the_node'", "MatMul", {"x", "w"}, {}, {{"w", four_by_five}}),
      node("gemm_extents", "'the_node'", "Gemm", {"x", "w"}, {}, {{"w", four_by_five}}),
      node("concat_extents", "'the_node'", "Concat", {"x", "w"}, {{"axis", int64_t{0}}}, {{"w", four_by_five}}),
      node("reshape_two_unknown", "'the_node'", "Reshape", {"x", "s"}, {}, {{"s", integers({2}, {-1, -1})}}),
      node("reshape_elements", "'the_node'", "Reshape", {"x", "s"}, {}, {{"s", integers({2}, {4, 2})}}),
      node("squeeze_of_three", "'the_node'", "Squeeze", {"x", "axes"}, {}, {{"axes", integers({1}, {1})}}),
      node("einsum_letters", "'the_node'", "Einsum", {"x"}, {{"equation", std::string("ijk->i")}}),
      node("tile_absurd", "'the_node'", "Tile", {"x", "r"}, {},
           {{"r", integers({2}, {int64_t{1} << 40, int64_t{1} << 40})}}, 7),
      node("constant_of_absurd_shape", "'the_node'", "ConstantOfShape", {"s"}, {},
           {{"s", integers({2}, {int64_t{1} << 25, int64_t{1} << 25})}}, 7),
      node("constant_of_negative_shape", "'the_node'", "ConstantOfShape", {"s"}, {}, {{"s", integers({1}, {-4})}}),
  };
}

// If over two branches of which each gives what is named.
ModelBuilder::Body branch(const std::string& input, const Names& outputs) {
  ModelBuilder::Body body;
  for (const std::string& output : outputs) body.node("Relu", {input}, {output}, {}, "makes_" + output).output(output);
  return body;
}

InvalidModel nested_ifs(int depth) {
  ModelBuilder::Body inner = branch("x", {"t"});
  const ModelBuilder::Body other = branch("x", {"e"});
  for (int i = 0; i < depth; ++i) {
    ModelBuilder::Body outer;
    const std::string output = "t" + std::to_string(i);
    outer.node("If", {"c"}, {output}, {{"then_branch", &inner}, {"else_branch", &other}}).output(output);
    inner = std::move(outer);
  }
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"2"}).input("c", DType::boolean, {});
  builder.main.node("If", {"c"}, {"y"}, {{"then_branch", &inner}, {"else_branch", &other}}).output("y");
  return {"nested_deep", Phase::load, 7, "nested", builder.bytes()};
}

InvalidModel if_model(const char* name, const char* word, const std::string& condition,
                      const ModelBuilder::Body& then_branch, const ModelBuilder::Body& else_branch) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"2"}).input("c", DType::boolean, {});
  builder.main.node("If", {condition}, {"y"}, {{"then_branch", &then_branch}, {"else_branch", &else_branch}},
                    "the_node");
  builder.main.output("y");
  return {name, Phase::load, 3, word, builder.bytes()};
}

// A local function F of one node, called by the model.
InvalidModel function(const char* name, const char* word,
                      const std::function<void(proto::ModelProto&, proto::FunctionProto&)>& edit, int exit_code = 3) {
  return relu(
      name, word,
      [&](proto::ModelProto& m) {
        auto* f = m.add_functions();
        f->set_name("F");
        f->set_domain("local");
        f->add_input("a");
        f->add_output("b");
        *f->add_opset_import() = m.opset_import(0);
        auto* node = f->add_node();
        node->set_op_type("Neg");
        node->add_input("a");
        node->add_output("b");
        auto* opset = m.add_opset_import();
        opset->set_domain("local");
        opset->set_version(1);
        m.mutable_graph()->mutable_node(0)->set_op_type("F");
        m.mutable_graph()->mutable_node(0)->set_domain("local");
        edit(m, *f);
      },
      exit_code);
}

std::vector<InvalidModel> nested() {
  ModelBuilder::Body no_carried;
  no_carried.input("i", DType::int64, {}).input("cond", DType::boolean, {}).input("v", DType::float32, {"2", "3"});
  no_carried.node("Identity", {"cond"}, {"cond_out"}).output("cond_out");
  const std::vector<std::pair<std::string, Tensor>> trips = {{"n", integers({}, {3})}, {"c", scalar(true)}};
  return {
      nested_ifs(300),
      if_model("branches_unlike", "'the_node'", "c", branch("x", {"t"}), branch("x", {"e", "f"})),
      if_model("condition_no_bool", "'the_node'", "x", branch("x", {"t"}), branch("x", {"e"})),
      if_model("unknown_capture", "'ghost'", "c", branch("ghost", {"t"}), branch("x", {"e"})),
      node("loop_without_carried_output", "'the_node'", "Loop", {"n", "c", "x"}, {{"body", &no_carried}}, trips),
      function("function_calls_itself", "F",
               [](auto&, auto& f) {
                 f.mutable_node(0)->set_op_type("F");
                 f.mutable_node(0)->set_domain("local");
               }),
      function("function_twice", "F",
               [](auto& m, auto& f) {
                 const proto::FunctionProto copy = f;
                 *m.add_functions() = copy;
               }),
      function("function_with_unknown_value", "ghost",
               [](auto&, auto& f) { f.mutable_node(0)->set_input(0, "ghost"); }),
      function("function_without_its_output", "nothing", [](auto&, auto& f) { f.set_output(0, "nothing"); }),
      function("function_with_too_many_inputs", "'the_node'",
               [](auto& m, auto&) { m.mutable_graph()->mutable_node(0)->add_input("x"); }),
      function("function_with_unknown_operator", "NoSuchOperator",
               [](auto&, auto& f) { f.mutable_node(0)->set_op_type("NoSuchOperator"); }),
  };
}

class WrongGraph : public testing::TestWithParam<InvalidModel> {};
TEST_P(WrongGraph, IsRefused) { expect_refusal(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Model, WrongGraph, testing::ValuesIn(graphs()), case_name);

class WrongAttribute : public testing::TestWithParam<InvalidModel> {};
TEST_P(WrongAttribute, IsRefused) { expect_refusal(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Model, WrongAttribute, testing::ValuesIn(attributes()), case_name);

class WrongType : public testing::TestWithParam<InvalidModel> {};
TEST_P(WrongType, IsRefused) { expect_refusal(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Model, WrongType, testing::ValuesIn(types()), case_name);

class WrongSubgraph : public testing::TestWithParam<InvalidModel> {};
TEST_P(WrongSubgraph, IsRefused) { expect_refusal(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Model, WrongSubgraph, testing::ValuesIn(nested()), case_name);

}  // namespace
}  // namespace onnxrun
