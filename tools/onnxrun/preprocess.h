#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "onnxrun/model.h"
#include "onnxrun/tensor.h"

namespace onnxrun::cli {

// How samples become what a model takes: (x * scale - mean) / std, mean and std for all channels or one each, and the
// channel axis where the model wants it.
struct PreprocessOptions {
  std::string scale = "1";
  std::vector<std::string> mean;
  std::vector<std::string> deviation;
  std::string layout = "nchw";

  // Whether anything was asked for.
  bool is_given() const { return scale != "1" || !mean.empty() || !deviation.empty() || layout != "nchw"; }
};

void add_preprocess_options(CLI::App& app, PreprocessOptions& options);

// Turns a batch of samples [N, ...] into the input `info`: converts the element type, normalises, inserts a missing
// channel axis of 1 and moves the channels ([N, H, W, C] to [N, C, H, W] or back) where only so the shape fits.
// \throws Error(invalid_input) where the shapes cannot be matched.
Tensor preprocess(const Tensor& samples, const ValueInfo& info, const PreprocessOptions& options);

}  // namespace onnxrun::cli
