#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "compare.h"

namespace onnxrun::cli {

// One folder of ONNX's backend tests: model.onnx and test_data_set_0, test_data_set_1, ... with input_I.pb and
// output_J.pb (https://onnx.ai/onnx/repo-docs/OnnxBackendTest.html).
struct ConformanceTest {
  std::string suite;
  std::string name;
  std::filesystem::path folder;
  Tolerance tolerance;
};

// The tests of a test folder, a suite of them or a folder of suites, sorted by name. Tolerances come from the columns
// rtol and atol of an index.tsv beside the suites, by suite and name; else from "rtol" and "atol" of the test's
// data.json; else they are `tolerance`.
// \throws Error(usage) where there is no test.
std::vector<ConformanceTest> find_tests(const std::filesystem::path& folder, const Tolerance& tolerance);

}  // namespace onnxrun::cli
