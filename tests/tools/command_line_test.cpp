#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "media/files.h"
#include "media/npy.h"
#include "media/npz.h"

namespace onnxrun::cli {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

const std::string kDigits = ONNXRUN_SOURCE_DIR "/examples/digits/";
const std::string kModel = kDigits + "lenet5_digits.onnx";
const std::string kSeven = kDigits + "digit_7.npy";

// The program as installed, in a folder of its own.
class CommandLine : public testing::Test {
 protected:
  struct Result {
    int code;
    std::string out;
    std::string err;
  };

  CommandLine() { std::filesystem::create_directories(folder_); }
  ~CommandLine() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  std::string read(const std::string& name) const {
    std::ifstream file(path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }

  Result run(const std::string& arguments) const {
    const std::string command = "cd " + folder_ + " && " ONNXRUN_PROGRAM " " + arguments + " >out.txt 2>err.txt";
    const int status = std::system(command.c_str());
    return {WEXITSTATUS(status), read("out.txt"), read("err.txt")};
  }

  void expect_error(const std::string& arguments, int code, const std::string& part) const {
    const Result result = run(arguments);
    EXPECT_EQ(result.code, code) << arguments << result.err;
    EXPECT_THAT(result.err, StartsWith("onnxrun: error: "));
    EXPECT_THAT(result.err, HasSubstr(part));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }

  std::string folder_ = testing::TempDir() + "onnxrun_cli_" + std::to_string(getpid());
};

TEST_F(CommandLine, SeesASeven) {
  const Result result = run(kModel + " " + kSeven + " --topk 3");
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, StartsWith("logits  float32[1,10]\n  7  "));
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 4);
  EXPECT_EQ(run("run " + kModel + " image=" + kSeven + " --topk 3").out, result.out);
  EXPECT_EQ(run(kModel + " - --topk 3 < " + kSeven).out, result.out);
}

TEST_F(CommandLine, LabelsNameTheClasses) {
  std::ofstream(path("labels.txt")) << "zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n";
  EXPECT_THAT(run(kModel + " " + kSeven + " --topk 1 --labels labels.txt").out, HasSubstr("  7  seven  "));
}

TEST_F(CommandLine, JsonHoldsTheOutputs) {
  const auto json = nlohmann::json::parse(run(kModel + " " + kSeven + " --json").out);
  EXPECT_EQ(json.at("schema"), 1);
  const auto& output = json.at("outputs").at(0);
  EXPECT_EQ(output.at("name"), "logits");
  EXPECT_EQ(output.at("shape"), (std::vector<int>{1, 10}));
  EXPECT_EQ(output.at("data").size(), 10U);
}

TEST_F(CommandLine, WritesEveryFormOfOutput) {
  ASSERT_EQ(run(kModel + " " + kSeven + " -o all.npz -o folder/ -o logits=one.npy -o logits=one.pb").code, 0);
  const Tensor one = read_npy(path("one.npy"));
  EXPECT_EQ(one.shape(), (Shape{1, 10}));
  const auto all = read_npz(path("all.npz"));
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].first, "logits");
  for (const Tensor& tensor : {all[0].second, read_npy(path("folder/logits.npy"))}) {
    EXPECT_TRUE(std::equal(one.values<float>().begin(), one.values<float>().end(), tensor.values<float>().begin()));
  }
  EXPECT_TRUE(std::filesystem::exists(path("one.pb")));
}

TEST_F(CommandLine, AddsAMissingBatchDimension) {
  write_file(path("image.npy"), serialize_npy(read_npy(kSeven).reshaped({1, 32, 32})));
  const Result result = run(kModel + " image.npy --topk 1");
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, HasSubstr("\n  7  "));
  EXPECT_THAT(result.err, HasSubstr("batch dimension"));
}

TEST_F(CommandLine, FetchGivesIntermediateValues) {
  const Result result = run(kModel + " " + kSeven + " --fetch '*'");
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, HasSubstr("/conv1/Conv_output_0  float32[1,6,"));
}

TEST_F(CommandLine, ErrorsHaveTheirCodes) {
  expect_error("missing.onnx", 2, "'missing.onnx'");
  expect_error(kModel + " " + kSeven + " --frobnicate", 2, "frobnicate");
  expect_error(kModel + " " + kSeven + " --opt 7", 2, "--opt");
  expect_error(kModel + " " + kSeven + " -s nonsense=3", 2, "'nonsense'");
  expect_error(kModel + " " + kSeven + " --memory-limit much", 2, "'much'");
  expect_error(kModel + " " + kSeven + " -o other=x.npy", 2, "'other'");
  expect_error(kDigits + "README.md", 3, "README.md");
  expect_error(kModel, 5, "'image' float32[batch,1,32,32]");
  expect_error(kModel + " missing.npy", 5, "missing.npy");
  expect_error(kModel + " " + kSeven + " " + kSeven, 5, "too many");
  expect_error(kModel + " " + kDigits + "labels.npy", 5, "'image'");
  expect_error(kModel + " " + kDigits + "digits.npy", 5, "uint8");
  expect_error(kModel + " photo.png", 5, "photo.png");
}

// The first of the digits as a gray picture, in its size and twice as large.
TEST_F(CommandLine, RunsPictures) {
  const Tensor digits = read_npy(kDigits + "digits.npy");
  const int label = read_npy(kDigits + "labels.npy").values<uint8_t>()[0];
  const auto pixels = digits.values<uint8_t>().first(32 * 32);
  std::string small = "P5 32 32 255\n", large = "P6 64 64 255\n";
  for (const uint8_t pixel : pixels) small += static_cast<char>(pixel);
  for (size_t i = 0; i < 64 * 64; ++i) large += std::string(3, static_cast<char>(pixels[i / 128 * 32 + i % 64 / 2]));
  std::ofstream(path("digit.pgm"), std::ios::binary) << small;
  std::ofstream(path("large.ppm"), std::ios::binary) << large;

  const std::string normalise = " --scale 1/255 --mean 0.1307 --std 0.3081 --topk 1";
  const Result result = run(kModel + " digit.pgm" + normalise);
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, StartsWith("logits  float32[1,10]\n  " + std::to_string(label) + "  "));
  EXPECT_THAT(run(kModel + " image=large.ppm --resize 32x32" + normalise).out,
              HasSubstr("\n  " + std::to_string(label) + "  "));
  EXPECT_EQ(run(kModel + " large.ppm --resize 32x32:nearest --bgr" + normalise).out, result.out);
  EXPECT_EQ(run("bench " + kModel + " digit.pgm --runs 1 --warmup 0ms").code, 0);

  expect_error(kModel + " large.ppm", 5, "give it --resize 32x32");
  expect_error(kModel + " large.ppm --resize 32", 2, "'32'");
  expect_error(kModel + " digit.pgm --mean 1,2,3", 2, "--mean");
  expect_error(kModel + " " + kSeven + " --bgr", 2, "pictures");
  std::ofstream(path("broken.png")) << "text";
  expect_error(kModel + " broken.png", 5, "'broken.png'");
}

TEST_F(CommandLine, EvalCountsTheRightAnswers) {
  const std::string data = " --inputs " + kDigits + "digits.npy --labels " + kDigits + "labels.npy";
  const std::string scale = " --scale 1/255 --mean 0.1307 --std 0.3081";
  const Result result = run("eval " + kModel + data + scale);
  EXPECT_EQ(result.out, "accuracy 0.9975 (399 of 400)\n");
  EXPECT_EQ(run("eval " + kModel + data + scale + " --batch 7").out, result.out);
}

TEST_F(CommandLine, BenchMeasuresAsManyRunsAsAsked) {
  const Result result = run("bench " + kModel + " --warmup 1ms --runs 12 --json -t 1");
  ASSERT_EQ(result.code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json.at("runs"), 12);
  EXPECT_EQ(json.at("threads"), 1);
  EXPECT_LE(json.at("min_ms"), json.at("p50_ms"));
  EXPECT_LE(json.at("p50_ms"), json.at("p99_ms"));
  for (const char* field : {"model", "isa", "load_ms", "first_run_ms", "mean_ms", "p90_ms", "p95_ms", "runs_per_s",
                            "rss_after_load_mb", "peak_rss_mb"}) {
    EXPECT_TRUE(json.contains(field)) << field;
  }
  EXPECT_THAT(result.err, HasSubstr("dimension 'batch' taken as 1"));
}

TEST_F(CommandLine, InspectShowsTheModel) {
  const auto json = nlohmann::json::parse(run("inspect " + kModel + " --json").out);
  EXPECT_EQ(json.at("parameters"), 61706);
  EXPECT_EQ(json.at("operators").at("Conv"), 2);
  EXPECT_EQ(json.at("inputs").at(0).at("type"), "float32[batch,1,32,32]");
  const std::string nodes = run("inspect " + kModel + " --nodes").out;
  EXPECT_EQ(std::count(nodes.begin(), nodes.end(), '\n'), 12);
  // Twice 6*28*28*25 + 16*10*10*150 + 400*120 + 120*84 + 84*10, for one picture.
  EXPECT_EQ(json.at("flop"), 833040);
}

TEST_F(CommandLine, ProfileAccountsForTheWholeRun) {
  for (const std::string by : {"node", "op", "shape"}) {
    const Result result = run("profile " + kModel + " " + kSeven + " --duration 20ms --json --by " + by);
    ASSERT_EQ(result.code, 0) << result.err;
    const auto json = nlohmann::json::parse(result.out);
    double share = 0, gflop = 0;
    for (const auto& row : json.at("rows")) {
      share += row.at("share").get<double>();
      gflop += row.at("gflop").get<double>();
    }
    EXPECT_NEAR(share, 1, 1e-9);
    EXPECT_NEAR(gflop, 833040e-9, 1e-12);
    EXPECT_EQ(json.at("rows").back().at("name"), "[other]");
  }
  EXPECT_EQ(run("profile " + kModel + " " + kSeven + " --by tensor").code, 2);
}

// A suite of one test: the model's input and output of its stored set, as numpy's arrays and ONNX's messages.
TEST_F(CommandLine, ConformanceJudgesBySuiteAndTolerance) {
  const std::string test = path("suite/digit");
  std::filesystem::create_directories(test + "/test_data_set_0");
  std::filesystem::copy(kModel, test + "/model.onnx");
  ASSERT_EQ(run(kModel + " " + kSeven + " --fetch image -o image=" + test +
                "/test_data_set_0/input_0.pb -o logits=" + test + "/test_data_set_0/output_0.pb")
                .code,
            0);
  Result result = run("conformance " + path("suite"));
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, EndsWith("1 passed, 0 failed, 0 skipped\n"));
  std::filesystem::copy(test + "/test_data_set_0/input_0.pb", test + "/test_data_set_0/output_0.pb",
                        std::filesystem::copy_options::overwrite_existing);
  result = run("conformance " + folder_ + " --json");
  EXPECT_EQ(result.code, 1);
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json.at("failed"), 1);
  EXPECT_EQ(json.at("tests").at(0).at("suite"), "suite");
  EXPECT_EQ(json.at("tests").at(0).at("name"), "digit");
  EXPECT_EQ(json.at("tests").at(0).at("status"), "failed");
}

TEST_F(CommandLine, HelpAndVersion) {
  EXPECT_EQ(run("-h").code, 0);
  EXPECT_THAT(run("run --help").out, HasSubstr("--fetch"));
  EXPECT_THAT(run("-V").out, StartsWith("onnxrun "));
}

}  // namespace
}  // namespace onnxrun::cli
