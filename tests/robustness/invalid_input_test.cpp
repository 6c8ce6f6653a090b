#include "robustness/invalid_model.h"

namespace onnxrun {
namespace {

struct Input {
  std::string name;
  DType dtype;
  std::vector<std::string> dims;
  Tensor given;
};

// A node whose inputs are those of the graph.
InvalidModel run(const char* name, int exit_code, const char* word, const std::string& op_type,
                 const std::vector<Input>& inputs, const ModelBuilder::Attributes& attributes = {}) {
  ModelBuilder builder;
  InvalidModel model{name, Phase::run, exit_code, word, ""};
  std::vector<std::string> names;
  for (const Input& input : inputs) {
    builder.main.input(input.name, input.dtype, input.dims);
    names.push_back(input.name);
    model.inputs.push_back(input.given);
  }
  builder.main.node(op_type, names, {"y"}, attributes, "the_node").output("y");
  model.bytes = builder.bytes();
  return model;
}

// relu_model, given these inputs.
InvalidModel feed(const char* name, const char* word, const std::vector<Tensor>& inputs) {
  return {name, Phase::run, 5, word, relu_model().bytes(), inputs};
}

std::vector<InvalidModel> inputs() {
  const Tensor x = random_floats({2, 3}, 1);
  const auto two = [](const char* name, const char* word, const std::vector<Tensor>& given) {
    ModelBuilder builder;
    builder.main.input("a", DType::float32, {"n", "3"}).input("b", DType::float32, {"n", "3"});
    builder.main.node("Add", {"a", "b"}, {"y"}).output("y");
    return InvalidModel{name, Phase::run, 5, word, builder.bytes(), given};
  };
  return {
      feed("of_another_type", "'x'", {Tensor(DType::float64, {2, 3})}),
      feed("of_another_rank", "'x'", {random_floats({2, 3, 1}, 1)}),
      feed("of_another_extent", "'x'", {random_floats({2, 4}, 1)}),
      feed("surplus", "input_1.npy", {x, x}),
      two("missing", "'b'", {x}),
      two("symbol_with_two_values", "'n'", {x, random_floats({4, 3}, 1)}),
  };
}

std::vector<InvalidModel> elements() {
  const Input x = {"x", DType::float32, {"2", "3"}, random_floats({2, 3}, 1)};
  const auto vector = [](const char* name, const std::vector<int64_t>& values) {
    const auto extent = static_cast<int64_t>(values.size());
    return Input{name, DType::int64, {std::to_string(extent)}, integers({extent}, values)};
  };
  const auto number = [](const char* name, int64_t value) {
    return Input{name, DType::int64, {}, integers({}, {value})};
  };
  constexpr int64_t kHuge = int64_t{1} << 40;
  return {
      run("gather_index", 6, "'the_node'", "Gather", {x, vector("i", {9})}),
      run("gather_index_negative", 6, "'the_node'", "Gather", {x, vector("i", {-3})}),
      run("reshape_elements", 6, "'the_node'", "Reshape", {x, vector("s", {5, 5})}),
      run("reshape_negative", 6, "'the_node'", "Reshape", {x, vector("s", {-2, 3})}),
      run("expand_mismatch", 6, "'the_node'", "Expand", {x, vector("s", {4, 4})}),
      run("expand_absurd", 7, "'the_node'", "Expand", {x, vector("s", {kHuge, 2, 3})}),
      run("tile_absurd", 7, "'the_node'", "Tile", {x, vector("r", {1 << 20, 1 << 20})}),
      run("tile_overflow", 7, "'the_node'", "Tile", {x, vector("r", {kHuge, kHuge})}),
      run("tile_negative", 6, "'the_node'", "Tile", {x, vector("r", {-1, 1})}),
      run("pad_absurd", 7, "'the_node'", "Pad", {x, vector("p", {0, 0, kHuge, 0})}),
      run("constant_of_absurd_shape", 7, "'the_node'", "ConstantOfShape", {vector("s", {kHuge})}),
      run("constant_of_negative_shape", 6, "'the_node'", "ConstantOfShape", {vector("s", {-1})}),
      run("range_absurd", 7, "'the_node'", "Range", {number("a", 0), number("b", kHuge), number("c", 1)}),
      run("range_step_zero", 6, "'the_node'", "Range", {number("a", 0), number("b", 5), number("c", 0)}),
      run("gather_elements_index", 6, "'the_node'", "GatherElements",
          {x, {"i", DType::int64, {"1", "1"}, integers({1, 1}, {2})}}),
      run("gather_nd_index", 6, "'the_node'", "GatherND", {x, vector("i", {2, 0})}),
      run("one_hot_depth_negative", 6, "'the_node'", "OneHot",
          {vector("i", {1}), number("d", -1), vector("v", {0, 1})}),
      run("unsqueeze_axis", 6, "'the_node'", "Unsqueeze", {x, vector("axes", {5})}),
      run("symbols_do_not_broadcast", 6, "'the_node'", "Add",
          {{"a", DType::float32, {"m"}, random_floats({2}, 1)}, {"b", DType::float32, {"n"}, random_floats({5}, 1)}}),
      run("symbols_do_not_multiply", 6, "'the_node'", "MatMul",
          {{"a", DType::float32, {"m", "k"}, random_floats({2, 3}, 1)},
           {"b", DType::float32, {"l", "n"}, random_floats({4, 5}, 1)}}),
  };
}

class WrongInput : public testing::TestWithParam<InvalidModel> {};
TEST_P(WrongInput, IsRefused) { expect_refusal(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Model, WrongInput, testing::ValuesIn(inputs()), case_name);

class WrongElements : public testing::TestWithParam<InvalidModel> {};
TEST_P(WrongElements, IsRefused) { expect_refusal(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Model, WrongElements, testing::ValuesIn(elements()), case_name);

}  // namespace
}  // namespace onnxrun
