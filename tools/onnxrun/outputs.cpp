#include "outputs.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "media/files.h"
#include "media/npy.h"
#include "media/npz.h"
#include "onnxrun/error.h"
#include "onnxrun/io.h"

namespace onnxrun::cli {
namespace {

namespace fs = std::filesystem;

// A destination taken apart: `index` is the one output that goes to `path`; none where all go there.
struct Destination {
  std::optional<size_t> index;
  fs::path path;
};

bool is_single_file(const fs::path& path) { return path.extension() == ".npy" || path.extension() == ".pb"; }

Destination parse(const std::string& text, std::span<const ValueInfo> infos) {
  if (text.ends_with('/') || fs::is_directory(text) || text.ends_with(".npz")) return {std::nullopt, text};
  const size_t equals = text.find('=');
  if (equals != std::string::npos && is_single_file(text.substr(equals + 1))) {
    const std::string name = text.substr(0, equals);
    const auto found =
        std::find_if(infos.begin(), infos.end(), [&](const ValueInfo& info) { return info.name == name; });
    if (found == infos.end()) throw Error(ErrorCode::usage, "-o: there is no output '" + name + "'");
    return {static_cast<size_t>(found - infos.begin()), text.substr(equals + 1)};
  }
  if (is_single_file(text) && infos.size() == 1) return {0, text};
  throw Error(ErrorCode::usage, "-o '" + text + "': write it like out.npz, folder/, name=file.npy or name=file.pb");
}

const Tensor& tensor_of(const ValueInfo& info, const Value& value) {
  if (value.is_tensor()) return value.tensor();
  throw Error(ErrorCode::invalid_input,
              "output '" + info.name + "' is " + value.type_string() + ", which numpy has not; use .pb");
}

std::vector<std::byte> npy_bytes(const ValueInfo& info, const Value& value) {
  try {
    return serialize_npy(tensor_of(info, value));
  } catch (const Error& error) {
    const std::string prefix = "output '" + info.name + "'";
    const std::string message = error.what();
    throw Error(error.code(), message.starts_with(prefix) ? message : prefix + ": " + message);
  }
}

void write_archive(const fs::path& path, std::span<const ValueInfo> infos, std::span<const Value> values) {
  std::vector<std::pair<std::string, TensorView>> arrays;
  for (size_t i = 0; i < infos.size(); ++i) arrays.emplace_back(infos[i].name, tensor_of(infos[i], values[i]).view());
  write_npz(path, arrays);
}

void write_folder(const fs::path& folder, std::span<const ValueInfo> infos, std::span<const Value> values) {
  std::vector<std::pair<fs::path, std::vector<std::byte>>> files;
  for (size_t i = 0; i < infos.size(); ++i) {
    std::string name = infos[i].name;
    std::replace(name.begin(), name.end(), '/', '_');
    files.emplace_back(folder / (name + ".npy"), npy_bytes(infos[i], values[i]));
  }
  std::error_code error;
  fs::create_directories(folder, error);
  for (const auto& [path, bytes] : files) write_file(path, bytes);
}

}  // namespace

void check_destination(const std::string& destination, std::span<const ValueInfo> infos) { parse(destination, infos); }

void write_outputs(const std::string& destination, std::span<const ValueInfo> infos, std::span<const Value> values) {
  const auto [index, path] = parse(destination, infos);
  if (!index && path.extension() == ".npz") return write_archive(path, infos, values);
  if (!index) return write_folder(path, infos, values);
  const bool pb = path.extension() == ".pb";
  write_file(path, pb ? serialize_value_pb(values[*index]) : npy_bytes(infos[*index], values[*index]));
}

}  // namespace onnxrun::cli
