// CastMap, DictVectorizer, ZipMap: version 1, https://onnx.ai/onnx/operators/onnx_aionnxml_CastMap.html and its like.
// Tensors made of a map are [1, n]. CastMap converts as Cast does; what a sparse map leaves out is 0, as text "0".
// DictVectorizer ignores keys that are not in the vocabulary.
#include <algorithm>
#include <numeric>

#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/convert.h"
#include "ops/support/element_width.h"
#include "ops/support/label_map.h"
#include "ops/support/scores.h"

namespace onnxrun {
namespace {

// The element type of the values of input 0, a map with keys among `keys`; undefined where it is not known.
DType map_value_dtype(InferContext& context, DTypeSet keys) {
  const Type& type = context.type(0);
  if (type.kind == ValueKind::none) return DType::undefined;
  if (type.kind != ValueKind::map) context.fail("the input must be a map, it is " + type.to_string());
  if (type.dtype != DType::undefined && !keys.contains(type.dtype)) {
    context.fail("the keys of the map are " + std::string(dtype_name(type.dtype)));
  }
  return type.element ? type.element->dtype : DType::undefined;
}

// Copies single elements of one type; other values are refused.
void copy_element(const Value& value, void* dst, DType dtype, int64_t i) {
  const Tensor& tensor = value.tensor();
  if (tensor.dtype() != dtype || tensor.elements() != 1) {
    RunContext::fail("the map has a value of type " + value.type_string() + " where it must be one element of " +
                     std::string(dtype_name(dtype)));
  }
  ops::dispatch_width(dtype, [&]<class T>() { static_cast<T*>(dst)[i] = tensor.values<T>()[0]; });
}

// `count` zeros or empty strings.
Tensor zeros(DType dtype, int64_t count) {
  Tensor tensor(dtype, {1, count});
  if (dtype != DType::string) std::fill_n(static_cast<std::byte*>(tensor.mutable_data()), tensor.bytes(), std::byte{0});
  return tensor;
}

// The element type of a map's values, float32 where it has none.
DType value_dtype(const Map& map) { return map.values.empty() ? DType::float32 : map.values[0].tensor().dtype(); }

class CastMap : public Operator {
 public:
  explicit CastMap(AttributeReader& attributes)
      : is_sparse_(attributes.one_of("map_form", {"DENSE", "SPARSE"}) == "SPARSE"),
        length_(attributes.integer("max_map", 1)) {
    const std::string target = attributes.one_of("cast_to", {"TO_FLOAT", "TO_STRING", "TO_INT64"});
    dtype_ = target == "TO_FLOAT" ? DType::float32 : target == "TO_STRING" ? DType::string : DType::int64;
    if (is_sparse_ && length_ < 1) throw Error(ErrorCode::invalid_model, "attribute 'max_map' must be positive");
  }

  OperatorTraits traits() const override { return {.data_dependent = true, .whole_values = true}; }

  void infer(InferContext& context) const override {
    map_value_dtype(context, {DType::int64});
    context.set_output(0, dtype_, {1, is_sparse_ ? Dim(length_) : Dim::unknown()});
  }

  void run(RunContext& context) const override {
    const Value value = context.value(0);
    const Map& map = value.map();
    const auto keys = map.keys.values<int64_t>();
    std::vector<size_t> order(keys.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return keys[a] < keys[b]; });
    const int64_t length = is_sparse_ ? length_ : static_cast<int64_t>(keys.size());
    const DType from = value_dtype(map);
    Tensor values = zeros(from, length);
    if (from == DType::string) std::fill_n(static_cast<std::string*>(values.mutable_data()), length, "0");
    int64_t next = 0;
    for (const size_t i : order) {
      const int64_t at = is_sparse_ ? keys[i] : next++;
      if (at < 0 || at >= length) {
        RunContext::fail("key " + std::to_string(keys[i]) + " is not in [0, " + std::to_string(length) + ")");
      }
      copy_element(map.values[i], values.mutable_data(), from, at);
    }
    ops::make_convert(from, dtype_)(values.data(), context.allocate(0, dtype_, {1, length}), 0, length);
  }

 private:
  bool is_sparse_;
  int64_t length_;
  DType dtype_;
};

class DictVectorizer : public Operator {
 public:
  explicit DictVectorizer(AttributeReader& attributes)
      : vocabulary_(attributes, "int64_vocabulary", "string_vocabulary"), index_(vocabulary_.tensor()) {}

  OperatorTraits traits() const override { return {.whole_values = true}; }

  void infer(InferContext& context) const override {
    const DType dtype = map_value_dtype(context, {index_.dtype()});
    if (dtype != DType::undefined) context.set_output(0, dtype, {1, static_cast<int64_t>(vocabulary_.size())});
  }

  void run(RunContext& context) const override {
    const Value value = context.value(0);
    const Map& map = value.map();
    const DType dtype = value_dtype(map);
    Tensor result = zeros(dtype, static_cast<int64_t>(vocabulary_.size()));
    for (int64_t i = 0; i < map.keys.elements(); ++i) {
      const int64_t at = index_.find(map.keys.data(), i);
      if (at >= 0) copy_element(map.values[static_cast<size_t>(i)], result.mutable_data(), dtype, at);
    }
    context.set(0, std::move(result));
  }

 private:
  ops::ClassLabels vocabulary_;
  ops::KeyIndex index_;
};

class ZipMap : public Operator {
 public:
  explicit ZipMap(AttributeReader& attributes)
      : labels_(attributes, "classlabels_int64s", "classlabels_strings"), keys_(labels_.tensor()) {
    const Type map{ValueKind::map,
                   labels_.dtype(),
                   {},
                   std::make_shared<const Type>(Type::tensor(DType::float32, std::vector<Dim>{}))};
    type_ = Type::sequence(map);
    element_type_ = std::make_shared<const ValueType>(map.declared());
  }

  OperatorTraits traits() const override { return {.whole_values = true}; }

  void infer(InferContext& context) const override {
    const Dim columns = ops::feature_shape(context).columns;
    if (columns.is_number() && columns.number() != keys_.elements()) {
      context.fail("the input has " + columns.to_string() + " columns for " + std::to_string(keys_.elements()) +
                   " keys");
    }
    context.set_type(0, type_);
  }

  void run(RunContext& context) const override {
    // The maps' values are views of one copy of the input.
    const auto scores = std::make_shared<Tensor>(Tensor::copy_of(context.input(0)));
    const int64_t columns = keys_.elements();
    if (scores->shape().back() != columns) RunContext::fail("the input has another number of columns than keys");
    auto* values = static_cast<float*>(scores->mutable_data());
    Sequence sequence{element_type_, {}};
    for (int64_t row = 0; row < scores->elements() / columns; ++row) {
      Map map{keys_, {}};
      for (int64_t c = 0; c < columns; ++c) {
        map.values.emplace_back(Tensor(DType::float32, {}, values + row * columns + c, scores));
      }
      sequence.elements.emplace_back(std::move(map));
    }
    context.set(0, std::move(sequence));
  }

 private:
  ops::ClassLabels labels_;
  Tensor keys_;
  Type type_;
  std::shared_ptr<const ValueType> element_type_;
};

}  // namespace

void register_maps(OpRegistry& registry) {
  const auto add = [&](std::string_view name, std::string_view signature, OperatorFactory create) {
    registry.add({.domain = ops::kMlDomain,
                  .name = name,
                  .versions = {1},
                  .signature = signature,
                  .types = {{.name = "M", .any = true}},
                  .create = create});
  };
  add("CastMap", "X:M -> Y:M2", make_operator<CastMap>);
  add("DictVectorizer", "X:M -> Y:M2", make_operator<DictVectorizer>);
  add("ZipMap", "X:float32 -> Z:M", make_operator<ZipMap>);
}

}  // namespace onnxrun
