#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

#include "onnxrun/model.h"
#include "onnxrun/value.h"
#include "options.h"
#include "picture.h"

namespace onnxrun::cli {

// Where the values of the inputs come from, as typed.
struct InputOptions {
  std::vector<std::string> sources;  // by position, or NAME=SOURCE
  std::vector<std::string> named;    // -i NAME=SOURCE
  std::string folder;                // with input_0.pb, input_1.pb, ...
  PictureOptions picture;
};

void add_input_options(CLI::App& app, InputOptions& options);

// One value per input of the model, in its order. A source is a .npy, .npz or .pb file, a picture, "-" (.npy from
// stdin) or "@random", "@random:normal(0,1)", "@random:uniform(a,b)", "@random:ones", "@random:zeros". Where a leading
// batch dimension of 1 is missing it is added, and said. \throws Error(invalid_input) for a missing, surplus or
// unreadable input; with `fill_missing`, missing inputs are random.
std::vector<Value> make_inputs(const std::vector<ValueInfo>& infos, const InputOptions& inputs,
                               const ModelOptions& options, bool fill_missing);

// "'x' float32[2,3]".
std::string describe(const ValueInfo& info);

}  // namespace onnxrun::cli
