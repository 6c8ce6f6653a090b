#pragma once

#include <string>

namespace onnxrun::cli {

// Whether the outputs of this test are random by the standard (tests/conformance/random_outputs.txt).
bool has_random_outputs(const std::string& test);

}  // namespace onnxrun::cli
