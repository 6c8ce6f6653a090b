#include "support/zoo.h"

#include <onnx.pb.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "media/files.h"
#include "media/npy.h"
#include "onnxrun/error.h"

namespace onnxrun::zoo {

using nlohmann::json;

uint32_t Philox::next() {
  if (used_ == 8) {
    words_ = block({++counter_, 0, 0, 0}, {seed_, 0});
    used_ = 0;
  }
  const uint64_t word = words_[used_ / 2];
  return static_cast<uint32_t>(used_++ % 2 ? word >> 32 : word);
}

Philox::Block Philox::block(Block counter, std::array<uint64_t, 2> key) {
  __extension__ using uint128 = unsigned __int128;
  for (int round = 0; round < 10; ++round) {
    const uint128 a = uint128{0xD2E7470EE14C6C93} * counter[0];
    const uint128 b = uint128{0xCA5A826395121157} * counter[2];
    counter = {static_cast<uint64_t>(b >> 64) ^ counter[1] ^ key[0], static_cast<uint64_t>(b),
               static_cast<uint64_t>(a >> 64) ^ counter[3] ^ key[1], static_cast<uint64_t>(a)};
    key[0] += 0x9E3779B97F4A7C15;
    key[1] += 0xBB67AE8584CAA73B;
  }
  return counter;
}

namespace {

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::invalid_input, message); }

Shape shape_of(const json& dims) {
  Shape shape;
  for (const json& dim : dims) shape.push_back(dim.get<int64_t>());
  return shape;
}

// Small integers of a seeded stream times `scale`, plus `offset`, in single precision.
Tensor uniform(uint64_t seed, const Shape& shape, double scale, double offset = 0) {
  Tensor tensor(DType::float32, shape);
  Philox stream(seed);
  const float factor = static_cast<float>(scale), summand = static_cast<float>(offset);
  for (float& value : tensor.mutable_values<float>()) {
    value = static_cast<float>(static_cast<int32_t>(stream.next() >> 8) - (1 << 23)) * factor;
    if (offset != 0) value += summand;
  }
  return tensor;
}

uint64_t seed_of(const json& entry) { return std::stoull(entry.at("seed").get<std::string>(), nullptr, 16); }

Tensor uniform(const json& entry, const Shape& shape) {
  return uniform(seed_of(entry), shape, entry.at("scale").get<double>(), entry.value("offset", 0.0));
}

// `src` with its axes in the order `perm`, for single precision.
Tensor transposed(const Tensor& src, const std::vector<size_t>& perm) {
  const size_t rank = src.shape().rank();
  Shape shape(rank, 0), strides(rank, 1), index(rank, 0);
  for (size_t axis = 0; axis < rank; ++axis) {
    shape[axis] = src.shape()[perm[axis]];
    strides[axis] = src.shape().elements(perm[axis] + 1, rank);
  }
  Tensor dst(DType::float32, shape);
  int64_t at = 0;
  for (float& value : dst.mutable_values<float>()) {
    value = src.values<float>()[static_cast<size_t>(at)];
    for (size_t axis = rank; axis-- > 0;) {
      at += strides[axis];
      if (++index[axis] < shape[axis]) break;
      at -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return dst;
}

// The weights of a recurrent operator: per direction the gates' blocks of rows in another order.
std::string gates(const json& entry) {
  std::string bytes;
  for (const json& part : entry.at("parts")) {
    const Tensor rows = uniform(part, shape_of(part.at("src_dims")));
    const std::string source(static_cast<const char*>(rows.data()), rows.bytes());
    const json& order = part.at("gates");
    const size_t block = source.size() / order.size();
    for (const json& gate : order) bytes += source.substr(gate.get<size_t>() * block, block);
  }
  return bytes;
}

std::string from_base64(const std::string& text) {
  static const std::string kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const size_t digit = kAlphabet.find(c);
    if (digit == std::string::npos) break;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes.push_back(static_cast<char>(bits >> held & 0xFF));
  }
  return bytes;
}

std::string inflated(const std::string& data, size_t size) {
  std::string bytes(size, '\0');
  uLongf written = size;
  const int status = uncompress(reinterpret_cast<Bytef*>(bytes.data()), &written,
                                reinterpret_cast<const Bytef*>(data.data()), data.size());
  if (status != Z_OK || written != size) refuse("compressed weight data is damaged");
  return bytes;
}

std::string bytes_of(const Tensor& tensor) { return {static_cast<const char*>(tensor.data()), tensor.bytes()}; }

// The raw data of one entry of weights.json.
std::string make_weight(const json& entry) {
  const std::string kind = entry.at("kind").get<std::string>();
  const Shape shape = shape_of(entry.at("dims"));
  const size_t count = static_cast<size_t>(shape.elements());
  if (kind == "uniform") {
    const Tensor source = uniform(entry, entry.contains("src_dims") ? shape_of(entry["src_dims"]) : shape);
    if (!entry.contains("perm")) return bytes_of(source);
    return bytes_of(transposed(source, entry["perm"].get<std::vector<size_t>>()));
  }
  if (kind == "gates") return gates(entry);
  if (kind == "zlib") {
    const auto dtype = dtype_from_name(entry.at("dtype").get<std::string>());
    if (!dtype) refuse("unknown element type of a weight");
    return inflated(from_base64(entry.at("data").get<std::string>()), byte_size(*dtype, count));
  }
  Tensor tensor(DType::float32, shape);
  const auto values = tensor.mutable_values<float>();
  if (kind == "const") {
    std::fill(values.begin(), values.end(), entry.at("value").get<float>());
  } else if (kind == "int8") {
    const std::string grid = inflated(from_base64(entry.at("data").get<std::string>()), count);
    const float scale = entry.at("scale").get<float>();
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(static_cast<signed char>(grid[i])) * scale;
  } else {
    refuse("unknown kind of weight '" + kind + "'");
  }
  return bytes_of(tensor);
}

// Blocks of one value each, plus fine noise: coarse[.., h / block, w / block] + fine[.., h, w].
Tensor make_image(const json& recipe, const Shape& shape) {
  const uint64_t seed = seed_of(recipe);
  const int64_t block = recipe.at("block").get<int64_t>();
  const int64_t height = shape[shape.rank() - 2], width = shape.back();
  Shape coarse_shape = shape;
  coarse_shape[shape.rank() - 2] = (height + block - 1) / block;
  coarse_shape[shape.rank() - 1] = (width + block - 1) / block;
  const Tensor coarse = uniform(seed, coarse_shape, recipe.at("coarse_scale").get<double>());
  Tensor image = uniform(seed ^ 1, shape, recipe.at("fine_scale").get<double>(), recipe.value("offset", 0.0));
  const float* src = coarse.values<float>().data();
  float* dst = image.mutable_values<float>().data();
  const int64_t coarse_height = coarse_shape[shape.rank() - 2], coarse_width = coarse_shape.back();
  for (int64_t row = 0; row < image.elements() / width; ++row) {
    const int64_t plane = row / height, y = row % height / block;
    for (int64_t x = 0; x < width; ++x) *dst++ += src[(plane * coarse_height + y) * coarse_width + x / block];
  }
  return image;
}

Tensor make_input(const json& recipe) {
  const std::string kind = recipe.at("kind").get<std::string>();
  const Shape shape = shape_of(recipe.at("dims"));
  if (kind == "uniform") return uniform(recipe, shape);
  if (kind == "image") return make_image(recipe, shape);
  if (kind != "randint") refuse("unknown kind of input '" + kind + "'");
  Tensor tensor(DType::int64, shape);
  Philox stream(seed_of(recipe));
  const int64_t low = recipe.at("low").get<int64_t>(), range = recipe.at("high").get<int64_t>() - low;
  for (int64_t& value : tensor.mutable_values<int64_t>()) value = low + stream.next() % range;
  return tensor;
}

std::string read_text(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

json read_json(const std::filesystem::path& path) {
  json result = json::parse(read_text(path), nullptr, false);
  if (result.is_discarded()) refuse("'" + path.string() + "' is not JSON");
  return result;
}

}  // namespace

struct ZooModel::Description {
  json meta;
  json weights;

  const json& set(size_t index) const { return meta.at("sets").at(index); }
};

ZooModel::ZooModel(const std::filesystem::path& folder)
    : folder_(folder),
      description_(new Description{read_json(folder / "meta.json"), read_json(folder / "weights.json")}) {}
ZooModel::~ZooModel() = default;
ZooModel::ZooModel(ZooModel&&) noexcept = default;

std::string ZooModel::bytes() const {
  proto::ModelProto model;
  const std::filesystem::path path = folder_ / "model.skeleton.onnx";
  if (!model.ParseFromString(read_text(path))) refuse("'" + path.string() + "' is not a model");
  std::map<std::string, const json*> entries;
  for (const json& entry : description_->weights.at("tensors")) entries[entry.at("name").get<std::string>()] = &entry;
  for (proto::TensorProto& initializer : *model.mutable_graph()->mutable_initializer()) {
    const auto found = entries.find(initializer.name());
    if (found == entries.end()) continue;
    const Shape shape = shape_of(found->second->at("dims"));
    if (!std::equal(shape.begin(), shape.end(), initializer.dims().begin(), initializer.dims().end())) {
      refuse("weights.json and the skeleton disagree about '" + found->first + "'");
    }
    initializer.set_raw_data(make_weight(*found->second));
    entries.erase(found);
  }
  if (!entries.empty()) refuse("the skeleton has no initializer '" + entries.begin()->first + "'");
  return model.SerializeAsString();
}

size_t ZooModel::set_count() const { return description_->meta.at("sets").size(); }

std::vector<NamedTensor> ZooModel::inputs(size_t set) const {
  std::vector<NamedTensor> inputs;
  for (const json& entry : description_->set(set).at("inputs")) {
    inputs.push_back({entry.at("name").get<std::string>(), entry.contains("file")
                                                               ? read_npy(folder_ / entry["file"].get<std::string>())
                                                               : make_input(entry.at("recipe"))});
  }
  return inputs;
}

std::vector<ExpectedOutput> ZooModel::outputs(size_t set) const {
  const json& tolerance = description_->meta.at("tolerance");
  std::vector<ExpectedOutput> outputs;
  for (const json& entry : description_->set(set).at("outputs")) {
    ExpectedOutput output;
    output.name = entry.at("name").get<std::string>();
    output.shape = shape_of(entry.at("shape"));
    output.rtol = tolerance.at("rtol").get<double>();
    output.atol = tolerance.at("atol").value(output.name, 0.0);
    const json& holder = entry.contains("sample") ? entry["sample"] : entry;
    output.stride = holder.value("stride", int64_t{1});
    output.samples = read_npy(folder_ / holder.at("file").get<std::string>());
    outputs.push_back(std::move(output));
  }
  return outputs;
}

std::string mismatch(const ExpectedOutput& expected, const TensorView& got) {
  const std::string where = "output '" + expected.name + "': ";
  if (got.dtype != expected.samples.dtype()) {
    return where + std::string(dtype_name(got.dtype)) + " instead of " +
           std::string(dtype_name(expected.samples.dtype()));
  }
  if (got.shape != expected.shape) return where + got.shape.to_string() + " instead of " + expected.shape.to_string();
  const int64_t count = expected.samples.elements();
  if (count != (got.elements() + expected.stride - 1) / expected.stride) return where + "the sample is of another size";
  const auto value = [](const TensorView& tensor, int64_t i) {
    const size_t at = static_cast<size_t>(i);
    return tensor.dtype == DType::int64 ? static_cast<double>(tensor.values<int64_t>()[at])
                                        : static_cast<double>(tensor.values<float>()[at]);
  };
  if (got.dtype != DType::float32 && got.dtype != DType::int64) return where + "no rule for this element type";
  for (int64_t i = 0; i < count; ++i) {
    const double want = value(expected.samples, i), have = value(got, i * expected.stride);
    if (std::abs(have - want) <= expected.atol + expected.rtol * std::abs(want)) continue;
    return where + "element " + std::to_string(i * expected.stride) + " is " + std::to_string(have) + " instead of " +
           std::to_string(want);
  }
  return "";
}

}  // namespace onnxrun::zoo
