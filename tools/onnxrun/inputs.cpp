#include "inputs.h"

#include <filesystem>
#include <iostream>
#include <iterator>
#include <optional>
#include <span>

#include "media/npy.h"
#include "media/npz.h"
#include "onnxrun/error.h"
#include "onnxrun/io.h"
#include "random_value.h"

namespace onnxrun::cli {
namespace {

constexpr std::string_view kRandom = "@random";

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::invalid_input, message); }

Tensor read_stdin() {
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  return parse_npy(std::as_bytes(std::span(text)));
}

// Assigns values to the inputs of a model.
class InputReader {
 public:
  InputReader(const std::vector<ValueInfo>& infos, const PictureOptions& picture, const ModelOptions& options)
      : infos_(infos), picture_(picture), options_(options), values_(infos.size()) {}

  void assign(const std::string& name, const std::string& source) {
    const std::optional<size_t> index = find(name);
    if (!index) refuse("the model has no input '" + name + "'; it takes " + all_inputs());
    assign(*index, source);
  }

  // "NAME=SOURCE" where NAME is an input, otherwise a source for the first input without a value.
  void assign_next(const std::string& source) {
    const size_t equals = source.find('=');
    if (equals != std::string::npos && find(source.substr(0, equals))) {
      return assign(source.substr(0, equals), source.substr(equals + 1));
    }
    if (source.ends_with(".npz")) return assign_archive(source);
    assign(next_index(source), source);
  }

  void assign_folder(const std::string& folder) {
    if (!std::filesystem::is_directory(folder)) refuse("'" + folder + "' is not a folder");
    for (size_t i = 0; i < infos_.size(); ++i) {
      for (const char* suffix : {".pb", ".npy"}) {
        const auto path = std::filesystem::path(folder) / ("input_" + std::to_string(i) + suffix);
        if (!values_[i] && std::filesystem::exists(path)) assign(i, path);
      }
    }
  }

  std::vector<Value> finish(bool fill_missing) {
    if (picture_.is_given() && !has_picture_) {
      throw Error(ErrorCode::usage,
                  "--resize, --bgr, --scale, --mean, --std and --layout are for pictures; there is none");
    }
    std::vector<Value> result;
    for (size_t i = 0; i < infos_.size(); ++i) {
      if (!values_[i] && !fill_missing) {
        refuse("input " + describe(infos_[i]) + " is missing: give it a file, or '" + infos_[i].name + "=@random'");
      }
      if (!values_[i]) assign(i, std::string(kRandom));
      result.push_back(std::move(*values_[i]));
    }
    return result;
  }

 private:
  std::optional<size_t> find(const std::string& name) const {
    for (size_t i = 0; i < infos_.size(); ++i) {
      if (infos_[i].name == name) return i;
    }
    return std::nullopt;
  }

  std::string all_inputs() const {
    std::string text;
    for (const ValueInfo& info : infos_) text += (text.empty() ? "" : ", ") + describe(info);
    return text.empty() ? "none" : text;
  }

  size_t next_index(const std::string& source) const {
    for (size_t i = 0; i < values_.size(); ++i) {
      if (!values_[i]) return i;
    }
    refuse("'" + source + "' is one input too many: the model takes " + std::to_string(infos_.size()) + ", " +
           all_inputs());
  }

  void assign(size_t index, const std::string& source) {
    const ValueInfo& info = infos_[index];
    if (values_[index]) refuse("input '" + info.name + "' is given twice");
    try {
      set(index, read(index, source));
    } catch (const Error& error) {
      if (error.code() == ErrorCode::usage) throw;
      const ErrorCode code = error.code() == ErrorCode::limit ? ErrorCode::limit : ErrorCode::invalid_input;
      throw Error(code, "input '" + info.name + "': " + error.what());
    }
  }

  Value read(size_t index, const std::string& source) {
    const ValueInfo& info = infos_[index];
    const std::string suffix = std::filesystem::path(source).extension();
    if (source == "-") return read_stdin();
    if (source == kRandom || source.starts_with(std::string(kRandom) + ":")) return random(index, source);
    if (suffix == ".npy") return read_npy(source);
    if (suffix == ".pb") return read_value_pb(source, info.type.kind);
    if (suffix == ".npz") {
      auto arrays = read_npz(source);
      for (auto& [name, tensor] : arrays) {
        if (name == info.name || arrays.size() == 1) return std::move(tensor);
      }
      refuse("'" + source + "' has no array of this name");
    }
    if (is_picture(source)) {
      has_picture_ = true;
      return read_picture(source, info, picture_);
    }
    refuse("'" + source + "' is of no known type: .npy, .npz, .pb, a picture, - or @random");
  }

  Value random(size_t index, const std::string& source) const {
    const ValueInfo& info = infos_[index];
    for (const DeclaredDim& dim : info.type.dims) {
      if (dim.known()) continue;
      note(options_, "input '" + info.name + "': dimension '" + (dim.name.empty() ? "?" : dim.name) + "' taken as 1");
    }
    const std::string rule = source.size() > kRandom.size() ? source.substr(kRandom.size() + 1) : "";
    return random_tensor(info.type, rule, options_.seed + index);
  }

  // The arrays go to the inputs of their names; where no name fits, to the inputs without a value, in order.
  void assign_archive(const std::string& source) {
    std::vector<std::pair<std::string, Tensor>> arrays;
    try {
      arrays = read_npz(source);
    } catch (const Error& error) {
      refuse(error.what());
    }
    bool by_name = false;
    for (const auto& array : arrays) by_name = by_name || find(array.first);
    for (auto& [name, tensor] : arrays) {
      const std::optional<size_t> index = by_name ? find(name) : next_index(source);
      if (!index) refuse("'" + source + "': the model has no input '" + name + "'; it takes " + all_inputs());
      if (values_[*index]) refuse("input '" + name + "' is given twice");
      set(*index, std::move(tensor));
    }
  }

  void set(size_t index, Value value) {
    const ValueInfo& info = infos_[index];
    const std::vector<DeclaredDim>& dims = info.type.dims;
    if (value.is_tensor() && info.type.has_rank && value.tensor().shape().rank() + 1 == dims.size()) {
      const Tensor& tensor = value.tensor();
      bool fits = !dims[0].known() || dims[0].value == 1;
      for (size_t axis = 1; axis < dims.size(); ++axis) {
        fits = fits && (!dims[axis].known() || dims[axis].value == tensor.shape()[axis - 1]);
      }
      if (fits) {
        Shape batched = tensor.shape();
        batched.insert(0, 1);
        note(options_, "input '" + info.name + "': added a leading batch dimension, " + batched.to_string());
        value = tensor.reshaped(batched);
      }
    }
    values_[index] = std::move(value);
  }

  const std::vector<ValueInfo>& infos_;
  const PictureOptions& picture_;
  const ModelOptions& options_;
  bool has_picture_ = false;
  std::vector<std::optional<Value>> values_;
};

}  // namespace

void add_input_options(CLI::App& app, InputOptions& options) {
  app.add_option("INPUT", options.sources,
                 "Inputs by position or NAME=SOURCE: .npy, .npz, .pb, a picture, - (.npy from stdin), "
                 "@random[:normal(0,1)|uniform(a,b)|ones|zeros]");
  app.add_option("-i,--input", options.named, "An input by name (repeatable)")
      ->type_name("NAME=SOURCE")
      ->allow_extra_args(false);
  app.add_option("--input-dir", options.folder, "A folder with input_0.pb, input_1.pb, ...")->type_name("DIR");
  add_picture_options(app, options.picture);
}

std::vector<Value> make_inputs(const std::vector<ValueInfo>& infos, const InputOptions& inputs,
                               const ModelOptions& options, bool fill_missing) {
  InputReader reader(infos, inputs.picture, options);
  for (const std::string& text : inputs.named) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos) throw Error(ErrorCode::usage, "'" + text + "' is not NAME=SOURCE");
    reader.assign(text.substr(0, equals), text.substr(equals + 1));
  }
  for (const std::string& source : inputs.sources) reader.assign_next(source);
  if (!inputs.folder.empty()) reader.assign_folder(inputs.folder);
  return reader.finish(fill_missing);
}

std::string describe(const ValueInfo& info) { return "'" + info.name + "' " + info.type.to_string(); }

}  // namespace onnxrun::cli
