// zoo_materialize OUT MODEL...: writes the complete model of each model folder as OUT/NAME.onnx, and the inputs of its
// sets as OUT/NAME/input_SET_INDEX.npy.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <span>
#include <string>

#include "media/files.h"
#include "media/npy.h"
#include "support/zoo.h"

namespace {

void materialize(const std::filesystem::path& out, const std::filesystem::path& folder) {
  const onnxrun::zoo::ZooModel model(folder);
  const std::string name = folder.has_filename() ? folder.filename() : folder.parent_path().filename();
  const std::string bytes = model.bytes();
  std::filesystem::create_directories(out / name);
  onnxrun::write_file(out / (name + ".onnx"), std::as_bytes(std::span(bytes)));
  for (size_t set = 0; set < model.set_count(); ++set) {
    const auto inputs = model.inputs(set);
    for (size_t i = 0; i < inputs.size(); ++i) {
      const std::string file = "input_" + std::to_string(set) + "_" + std::to_string(i) + ".npy";
      onnxrun::write_file(out / name / file, onnxrun::serialize_npy(inputs[i].tensor));
    }
  }
  std::printf("%-32s %8.2f MB\n", name.c_str(), static_cast<double>(bytes.size()) / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: zoo_materialize OUT MODEL_FOLDER...\n");
    return 2;
  }
  try {
    for (int i = 2; i < argc; ++i) materialize(argv[1], argv[i]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "zoo_materialize: error: %s\n", error.what());
    return 1;
  }
}
