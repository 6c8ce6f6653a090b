#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "onnx.pb.h"
#include "onnxrun/tensor.h"
#include "support/model_builder.h"

namespace onnxrun {

// When an error must come: `inspect` finds it, or only `run` with inputs.
enum class Phase { load, run };

// A model, or inputs to one, that the program must refuse: with the exit code, in one line that contains the word,
// within 5 seconds and 1 GiB.
struct InvalidModel {
  std::string name;
  Phase phase = Phase::load;
  int exit_code = 3;
  std::string word;
  std::string bytes;
  std::vector<Tensor> inputs = {};
  // Beside the model: name and content; of a name that ends in '@', without it, a symbolic link to the content.
  std::vector<std::pair<std::string, std::string>> files = {};
};

inline std::ostream& operator<<(std::ostream& out, const InvalidModel& model) { return out << model.name; }

// Writes the files into a folder of their own, starts the program and checks how it ends.
void expect_refusal(const InvalidModel& model);

// x float32[2,3] -> Relu 'the_node' -> y.
ModelBuilder relu_model();
// (x, w) -> Add 'the_node' -> y with the constant w, six ones.
ModelBuilder add_model();
// x float32[2,3] and the constants named -> one node 'the_node' -> y.
std::string node_model(const std::string& op_type, const std::vector<std::string>& inputs,
                       const ModelBuilder::Attributes& attributes = {},
                       const std::vector<std::pair<std::string, Tensor>>& constants = {});

// The serialized model after a change of its protobuf message.
std::string edited(const ModelBuilder& builder, const std::function<void(proto::ModelProto&)>& edit);

// The name of a case as googletest wants it.
inline std::string case_name(const testing::TestParamInfo<InvalidModel>& info) { return info.param.name; }

}  // namespace onnxrun
