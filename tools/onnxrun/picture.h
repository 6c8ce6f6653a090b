#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "onnxrun/model.h"
#include "onnxrun/value.h"
#include "preprocess.h"

namespace onnxrun::cli {

// How a picture becomes what a model takes.
struct PictureOptions {
  PreprocessOptions preprocess;
  std::string resize;  // "WxH" or "WxH:MODE"; empty: as it is
  bool bgr = false;

  // Whether anything was asked for.
  bool is_given() const;
};

void add_picture_options(CLI::App& app, PictureOptions& options);

// Whether a file of this name is a picture.
bool is_picture(const std::string& path);

// The picture in a file as the input `info`, [1, C, H, W], [1, H, W, C] or without the leading 1, gray where it takes
// one channel; a vector of uint8 takes the file as it is. \throws Error(invalid_input) for what is no picture or does
// not fit the input, Error(usage) for a wrong --resize.
Value read_picture(const std::string& path, const ValueInfo& info, const PictureOptions& options);

}  // namespace onnxrun::cli
