#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "onnxrun/tensor.h"

// Models kept small: the graph as exported (model.skeleton.onnx), and for each large weight how to make it
// (weights.json). A random weight is a stream of Philox4x64-10, mapped to integers in [-2^23, 2^23) and scaled.
namespace onnxrun::zoo {

// Random words: eight of 32 bits from each block of the Philox4x64-10 counter generator (Salmon et al., "Parallel
// Random Numbers: As Easy as 1, 2, 3", SC 2011), whose first counter is 1. The same words as numpy's Philox(key=seed).
class Philox {
 public:
  using Block = std::array<uint64_t, 4>;

  explicit Philox(uint64_t seed) : seed_(seed) {}
  uint32_t next();

  // The output for a counter and a key.
  static Block block(Block counter, std::array<uint64_t, 2> key);

 private:
  uint64_t seed_;
  uint64_t counter_ = 0;
  Block words_{};
  unsigned used_ = 8;
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// What an output must be: its elements flat[::stride], each within atol + rtol * |expected|.
struct ExpectedOutput {
  std::string name;
  Shape shape;
  Tensor samples;
  int64_t stride = 1;
  double rtol = 0;
  double atol = 0;
};

// One model folder. Not thread-safe.
class ZooModel {
 public:
  // \throws Error(io) or Error(invalid_input) where the folder is not such a model.
  explicit ZooModel(const std::filesystem::path& folder);
  ~ZooModel();
  ZooModel(ZooModel&&) noexcept;

  // The complete model, serialized.
  std::string bytes() const;

  size_t set_count() const;
  std::vector<NamedTensor> inputs(size_t set) const;
  std::vector<ExpectedOutput> outputs(size_t set) const;

 private:
  struct Description;
  std::filesystem::path folder_;
  std::unique_ptr<const Description> description_;
};

// What is wrong with `got`; empty where it is as expected.
std::string mismatch(const ExpectedOutput& expected, const TensorView& got);

}  // namespace onnxrun::zoo
