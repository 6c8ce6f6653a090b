#include "robustness/invalid_model.h"

namespace onnxrun {
namespace {

const std::string kOutside(24, '\0');

// The constant w of add_model, stored in another file as the entries say.
std::string external(const std::vector<std::pair<std::string, std::string>>& entries) {
  return edited(add_model(), [&](proto::ModelProto& model) {
    auto* tensor = model.mutable_graph()->mutable_initializer(0);
    tensor->clear_raw_data();
    tensor->clear_float_data();
    tensor->set_data_location(1);
    for (const auto& [key, value] : entries) {
      auto* entry = tensor->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
  });
}

// The constant w of add_model after a change.
std::string changed_weight(const std::function<void(proto::TensorProto&)>& edit) {
  return edited(add_model(), [&](proto::ModelProto& model) { edit(*model.mutable_graph()->mutable_initializer(0)); });
}

std::string nested_type(int depth) {
  return edited(relu_model(), [&](proto::ModelProto& model) {
    auto* type = model.mutable_graph()->mutable_input(0)->mutable_type();
    for (int i = 0; i < depth; ++i) type = type->mutable_sequence_type()->mutable_elem_type();
    type->mutable_tensor_type()->set_elem_type(1);
  });
}

std::string sparse(const std::vector<int64_t>& indices, const std::vector<float>& values,
                   const std::vector<int64_t>& dims) {
  return edited(add_model(), [&](proto::ModelProto& model) {
    auto* graph = model.mutable_graph();
    graph->clear_initializer();
    auto* tensor = graph->add_sparse_initializer();
    tensor->mutable_values()->set_name("w");
    tensor->mutable_values()->set_data_type(1);
    tensor->mutable_values()->add_dims(static_cast<int64_t>(values.size()));
    for (const float value : values) tensor->mutable_values()->add_float_data(value);
    tensor->mutable_indices()->set_data_type(7);
    tensor->mutable_indices()->add_dims(static_cast<int64_t>(indices.size()));
    for (const int64_t index : indices) tensor->mutable_indices()->add_int64_data(index);
    for (const int64_t dim : dims) tensor->add_dims(dim);
  });
}

std::vector<InvalidModel> broken_files() {
  const std::string good = relu_model().bytes();
  const auto file = [](const char* name, const char* word, std::string bytes) {
    return InvalidModel{name, Phase::load, 3, word, std::move(bytes)};
  };
  return {
      file("empty", "no graph", ""),
      file("text", "model.onnx", "hello, I am not a model\n"),
      file("zeros", "model.onnx", std::string(4096, '\0')),
      file("half", "cut off", good.substr(0, good.size() / 2)),
      file("one_byte_short", "cut off", good.substr(0, good.size() - 1)),
      file("longer_than_the_file", "cut off", good + "\x3a\xff\xff\xff\xff\x07"),
      file("varint_of_eleven_bytes", "encoding", good + "\x08" + std::string(10, '\xff') + "\x01"),
      file("group_without_end", "encoding", good + "\x0b"),
      file("unknown_wire_type", "encoding", good + "\x0e"),
      file("field_number_zero", "encoding", good + std::string("\x00\x01", 2)),
      file("node_longer_than_its_graph", "model.onnx", "\x08\x08\x3a\x04\x0a\x7f\x22\x01"),
      file("graph_twice", "'x'", good + good),
      file("types_nested_deep", "nested", nested_type(500)),
  };
}

std::vector<InvalidModel> broken_tensors() {
  const auto weight = [](const char* name, const char* word, const std::function<void(proto::TensorProto&)>& edit) {
    return InvalidModel{name, Phase::load, 3, word, changed_weight(edit)};
  };
  const auto drop = [](proto::TensorProto& tensor) {
    tensor.clear_raw_data();
    tensor.clear_float_data();
  };
  return {
      weight("raw_data_short", "'w'", [](auto& w) { w.set_raw_data(std::string(20, '\0')); }),
      weight("raw_data_long", "'w'", [](auto& w) { w.set_raw_data(std::string(28, '\0')); }),
      weight("dims_negative", "'w'", [](auto& w) { w.set_dims(0, -2); }),
      {"dims_overflow", Phase::load, 7, "'w'", changed_weight([](auto& w) {
         w.set_dims(0, int64_t{1} << 62);
         w.set_dims(1, 8);
       })},
      weight("dims_absurd", "'w'", [](auto& w) { w.set_dims(0, int64_t{1} << 40); }),
      weight("no_data", "'w'", drop),
      weight("too_few_floats", "'w'",
             [&](auto& w) {
               drop(w);
               w.add_float_data(1);
             }),
      weight("data_of_another_type", "'w'",
             [&](auto& w) {
               drop(w);
               for (int i = 0; i < 6; ++i) w.add_int64_data(i);
             }),
      weight("dtype_unknown", "'w'", [](auto& w) { w.set_data_type(77); }),
      weight("dtype_undefined", "'w'", [](auto& w) { w.set_data_type(0); }),
      weight("strings_as_raw_data", "'w'", [](auto& w) { w.set_data_type(8); }),
      {"sparse_index_outside", Phase::load, 3, "'w'", sparse({1, 6}, {1, 2}, {2, 3})},
      {"sparse_index_negative", Phase::load, 3, "'w'", sparse({-1, 5}, {1, 2}, {2, 3})},
      {"sparse_counts_differ", Phase::load, 3, "'w'", sparse({1, 2, 3}, {1, 2}, {2, 3})},
      {"sparse_absurd_size", Phase::load, 7, "'w'", sparse({1, 2}, {1, 2}, {int64_t{1} << 40, int64_t{1} << 40})},
      {"sparse_too_large_to_fill", Phase::load, 7, "model.onnx", sparse({1, 2}, {1, 2}, {int64_t{1} << 40, 3})},
  };
}

std::vector<InvalidModel> external_files() {
  const auto stored = [](const char* name, const char* word, std::string bytes,
                         std::vector<std::pair<std::string, std::string>> files = {}, int code = 3) {
    return InvalidModel{name, Phase::load, code, word, std::move(bytes), {}, std::move(files)};
  };
  const std::pair<std::string, std::string> data = {"w.bin", kOutside};
  return {
      stored("missing", "nowhere.bin", external({{"location", "nowhere.bin"}})),
      stored("no_location", "'w'", external({{"offset", "0"}})),
      stored("empty_location", "'w'", external({{"location", ""}})),
      stored("short_file", "w.bin", external({{"location", "w.bin"}}), {{"w.bin", "abc"}}),
      stored("beyond_the_end", "w.bin", external({{"location", "w.bin"}, {"offset", "16"}, {"length", "24"}}), {data}),
      stored("length_unlike_dims", "'w'", external({{"location", "w.bin"}, {"length", "8"}}), {data}),
      stored("offset_negative", "'w'", external({{"location", "w.bin"}, {"offset", "-4"}}), {data}),
      stored("offset_overflow", "'w'", external({{"location", "w.bin"}, {"offset", "9223372036854775807"}}), {data}),
      stored("offset_no_number", "'w'", external({{"location", "w.bin"}, {"offset", "four"}}), {data}),
      stored("parent_folder", "outside.bin", external({{"location", "../outside.bin"}}),
             {{"../outside.bin", kOutside}}),
      stored("parent_through_a_folder", "outside.bin", external({{"location", "./a/../../outside.bin"}}),
             {{"../outside.bin", kOutside}}),
      stored("absolute", "'w'", external({{"location", "/etc/hostname"}})),
      stored("link_to_outside", "link.bin", external({{"location", "link.bin"}}),
             {{"../outside.bin", kOutside}, {"link.bin@", "../outside.bin"}}),
      stored("a_folder", "'w'", external({{"location", "."}})),
      stored("a_device", "'w'", external({{"location", "zero"}}), {{"zero@", "/dev/zero"}}),
  };
}

class BrokenFile : public testing::TestWithParam<InvalidModel> {};
TEST_P(BrokenFile, IsRefused) { expect_refusal(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Model, BrokenFile, testing::ValuesIn(broken_files()), case_name);

class BrokenTensor : public testing::TestWithParam<InvalidModel> {};
TEST_P(BrokenTensor, IsRefused) { expect_refusal(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Model, BrokenTensor, testing::ValuesIn(broken_tensors()), case_name);

class ExternalFile : public testing::TestWithParam<InvalidModel> {};
TEST_P(ExternalFile, IsRefused) { expect_refusal(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Model, ExternalFile, testing::ValuesIn(external_files()), case_name);

}  // namespace
}  // namespace onnxrun
