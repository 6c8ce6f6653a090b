// LabelEncoder: https://onnx.ai/onnx/operators/onnx_aionnxml_LabelEncoder.html, versions 1 (strings to positions and
// back), 2 (lists; floats are compared by their bits, the first of equal keys counts), 4 (tensors, more types; NaN is
// one key, 0 and -0 are another, the last of equal keys counts). CategoryMapper: version 1,
// https://onnx.ai/onnx/operators/onnx_aionnxml_CategoryMapper.html, the last of equal keys.
#include <numeric>

#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/label_map.h"
#include "ops/support/scores.h"

namespace onnxrun {
namespace {

using ops::KeyIndex;
using ops::LabelMap;
using ops::list_tensor;

constexpr DTypeSet kLabels = {DType::string, DType::int64};

// Strings to integers and integers to strings, whichever the input asks for.
class TwoWayEncoder : public Operator {
 public:
  TwoWayEncoder(AttributeReader& attributes, const std::vector<std::string>& strings,
                const std::vector<int64_t>& integers)
      : to_integers_(KeyIndex(list_tensor(strings)), strings.size(), list_tensor(integers),
                     list_tensor(std::vector<int64_t>{attributes.integer("default_int64", -1)})),
        to_strings_(KeyIndex(list_tensor(integers)), integers.size(), list_tensor(strings),
                    list_tensor(std::vector<std::string>{attributes.string("default_string", "_Unused")})) {}

  void infer(InferContext& context) const override { map_for(context.dtype(0)).infer(context); }
  void plan(PlanContext& context) const override { map_for(context.input(0).dtype).plan(context); }

 private:
  const LabelMap& map_for(DType dtype) const { return dtype == DType::string ? to_integers_ : to_strings_; }

  LabelMap to_integers_;
  LabelMap to_strings_;
};

class PositionEncoder : public TwoWayEncoder {
 public:
  explicit PositionEncoder(AttributeReader& attributes)
      : PositionEncoder(attributes, attributes.strings("classes_strings")) {}

 private:
  PositionEncoder(AttributeReader& attributes, const std::vector<std::string>& strings)
      : TwoWayEncoder(attributes, strings, positions(strings.size())) {}

  static std::vector<int64_t> positions(size_t count) {
    std::vector<int64_t> list(count);
    std::iota(list.begin(), list.end(), int64_t{0});
    return list;
  }
};

class CategoryMapper : public TwoWayEncoder {
 public:
  explicit CategoryMapper(AttributeReader& attributes)
      : TwoWayEncoder(attributes, attributes.strings("cats_strings"), attributes.integers("cats_int64s")) {}
};

class LabelEncoder : public Operator {
 public:
  explicit LabelEncoder(AttributeReader& attributes) {
    const Tensor keys = read_list(attributes, "keys");
    const Tensor values = read_list(attributes, "values");
    const bool is_old = attributes.version() < 4;
    map_ = LabelMap(KeyIndex(keys, is_old ? KeyIndex::Repeated::first : KeyIndex::Repeated::last,
                             is_old ? KeyIndex::Floats::by_bits : KeyIndex::Floats::by_value),
                    static_cast<size_t>(keys.elements()), values, read_default(attributes, values.dtype()));
  }

  void infer(InferContext& context) const override { map_.infer(context); }
  void plan(PlanContext& context) const override { map_.plan(context); }

 private:
  // The one of the attributes <name>_... that is given.
  static Tensor read_list(AttributeReader& attributes, const std::string& name) {
    std::vector<Tensor> given;
    if (attributes.version() >= 4) {
      if (auto tensor = attributes.tensor(name + "_tensor")) given.push_back(*tensor);
    }
    if (attributes.has(name + "_strings")) given.push_back(list_tensor(attributes.strings(name + "_strings")));
    if (attributes.has(name + "_int64s")) given.push_back(list_tensor(attributes.integers(name + "_int64s")));
    if (attributes.has(name + "_floats")) given.push_back(list_tensor(attributes.numbers(name + "_floats")));
    if (given.size() == 1) return given[0];
    throw Error(ErrorCode::invalid_model, "one of the attributes '" + name + "_*' must be given");
  }

  static Tensor read_default(AttributeReader& attributes, DType dtype) {
    Tensor text = list_tensor(std::vector<std::string>{attributes.string("default_string", "_Unused")});
    Tensor integer = list_tensor(std::vector<int64_t>{attributes.integer("default_int64", -1)});
    Tensor number = list_tensor(std::vector<float>{attributes.number("default_float", -0.0F)});
    if (attributes.version() >= 4) {
      if (auto tensor = attributes.tensor("default_tensor")) return *tensor;
    }
    if (dtype == DType::string) return text;
    if (dtype == DType::int64) return integer;
    if (dtype == DType::float32) return number;
    Tensor tensor(dtype, {1});
    if (dtype == DType::int32) *static_cast<int32_t*>(tensor.mutable_data()) = -1;
    if (dtype == DType::int16) *static_cast<int16_t*>(tensor.mutable_data()) = -1;
    if (dtype == DType::float64) *static_cast<double*>(tensor.mutable_data()) = -0.0;
    return tensor;
  }

  LabelMap map_;
};

}  // namespace

void register_label_encoder(OpRegistry& registry) {
  const auto add = [&](std::string_view name, int64_t version, DTypeSet types, OperatorFactory create) {
    registry.add({.domain = ops::kMlDomain,
                  .name = name,
                  .versions = {version},
                  .signature = "X:T1 -> Y:T2",
                  .types = {{.name = "T1", .tensors = types}, {.name = "T2", .tensors = types}},
                  .create = create});
  };
  const DTypeSet with_floats = kLabels | DTypeSet{DType::float32};
  add("CategoryMapper", 1, kLabels, make_operator<CategoryMapper>);
  add("LabelEncoder", 1, kLabels, make_operator<PositionEncoder>);
  add("LabelEncoder", 2, with_floats, make_operator<LabelEncoder>);
  add("LabelEncoder", 4, with_floats | DTypeSet{DType::int32, DType::int16, DType::float64},
      make_operator<LabelEncoder>);
}

}  // namespace onnxrun
