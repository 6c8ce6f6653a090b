#include "robustness/invalid_model.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <span>

#include "media/files.h"
#include "media/npy.h"

namespace onnxrun {
namespace {

constexpr double kMaxSeconds = 5;
constexpr long kMaxKilobytes = 1 << 20;

struct Outcome {
  int exit_code = -1;  // -1: ended by a signal
  double seconds = 0;
  long peak_kilobytes = 0;
};

Outcome run_program(const std::vector<std::string>& arguments, const std::string& error_file) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = fork();
  if (child == 0) {
    const int error = open(error_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int nothing = open("/dev/null", O_WRONLY);
    dup2(error, STDERR_FILENO);
    dup2(nothing, STDOUT_FILENO);
    alarm(60);
    execv(argv[0], argv.data());
    _exit(127);
  }
  int status = 0;
  rusage usage = {};
  wait4(child, &status, 0, &usage);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, elapsed.count(), usage.ru_maxrss};
}

void write_text(const std::filesystem::path& path, const std::string& text) {
  write_file(path, std::as_bytes(std::span(text)));
}

void write_files(const InvalidModel& model, const std::filesystem::path& folder) {
  write_text(folder / "model.onnx", model.bytes);
  for (const auto& [name, content] : model.files) {
    if (name.ends_with('@')) {
      std::filesystem::create_symlink(content, folder / name.substr(0, name.size() - 1));
    } else {
      write_text(folder / name, content);
    }
  }
}

}  // namespace

void expect_refusal(const InvalidModel& model) {
  const std::filesystem::path parent =
      std::filesystem::path(testing::TempDir()) / ("onnxrun_" + model.name + "_" + std::to_string(getpid()));
  const std::filesystem::path folder = parent / "model";
  std::filesystem::create_directories(folder);
  write_files(model, folder);
  std::vector<std::string> arguments = {ONNXRUN_PROGRAM, model.phase == Phase::load ? "inspect" : "run",
                                        folder / "model.onnx"};
  for (size_t i = 0; i < model.inputs.size(); ++i) {
    arguments.push_back(folder / ("input_" + std::to_string(i) + ".npy"));
    write_file(arguments.back(), serialize_npy(model.inputs[i]));
  }
  const std::filesystem::path error_file = parent / "error.txt";
  const Outcome outcome = run_program(arguments, error_file);
  std::ifstream file(error_file);
  const std::string error{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(outcome.exit_code, model.exit_code) << error;
  EXPECT_EQ(std::count(error.begin(), error.end(), '\n'), 1) << error;
  EXPECT_THAT(error, testing::StartsWith("onnxrun: error: "));
  EXPECT_THAT(error, testing::HasSubstr(model.word));
  EXPECT_LT(outcome.seconds, kMaxSeconds);
  EXPECT_LT(outcome.peak_kilobytes, kMaxKilobytes);
  std::filesystem::remove_all(parent);
}

ModelBuilder relu_model() {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"2", "3"}).node("Relu", {"x"}, {"y"}, {}, "the_node").output("y");
  return builder;
}

ModelBuilder add_model() {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"2", "3"}).constant("w", floats({2, 3}, {1, 1, 1, 1, 1, 1}));
  builder.main.node("Add", {"x", "w"}, {"y"}, {}, "the_node").output("y");
  return builder;
}

std::string node_model(const std::string& op_type, const std::vector<std::string>& inputs,
                       const ModelBuilder::Attributes& attributes,
                       const std::vector<std::pair<std::string, Tensor>>& constants) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"2", "3"});
  for (const auto& [name, tensor] : constants) builder.main.constant(name, tensor);
  builder.main.node(op_type, inputs, {"y"}, attributes, "the_node").output("y");
  return builder.bytes();
}

std::string edited(const ModelBuilder& builder, const std::function<void(proto::ModelProto&)>& edit) {
  proto::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(builder.bytes()));
  edit(model);
  return model.SerializeAsString();
}

}  // namespace onnxrun
