#include "ops/support/label_map.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/dispatch_dtype.h"
#include "onnxrun/error.h"
#include "ops/support/element_width.h"

namespace onnxrun::ops {
namespace {

// As many bits as T has, in the lowest.
template <class T>
uint64_t bits_of(T value) {
  if constexpr (sizeof(T) == 8) return std::bit_cast<uint64_t>(value);
  if constexpr (sizeof(T) == 4) return std::bit_cast<uint32_t>(value);
  if constexpr (sizeof(T) == 2) return std::bit_cast<uint16_t>(value);
}

}  // namespace

KeyIndex::KeyIndex(const Tensor& keys, Repeated repeated, Floats floats) : dtype_(keys.dtype()), floats_(floats) {
  if (keys.shape().rank() != 1) throw Error(ErrorCode::invalid_model, "the keys must have one dimension");
  for (int64_t i = 0; i < keys.elements(); ++i) {
    int64_t& position = dtype_ == DType::string ? strings_.try_emplace(keys.values<std::string>()[i], i).first->second
                                                : numbers_.try_emplace(number(keys.data(), i), i).first->second;
    if (repeated == Repeated::last) position = i;
  }
  if (dtype_ == DType::int64 && keys.elements() > 0) {
    const auto [low, high] = std::minmax_element(keys.values<int64_t>().begin(), keys.values<int64_t>().end());
    first_ = static_cast<uint64_t>(*low);
    const uint64_t reach = static_cast<uint64_t>(*high) - first_;
    if (reach >= 4 * numbers_.size() + 64) return;
    near_.resize(reach + 1, -1);
    for (const auto& [number, position] : numbers_) near_[number - first_] = position;
  }
}

uint64_t KeyIndex::number(const void* elements, int64_t i) const {
  uint64_t bits = 0;
  dispatch_dtype<int64_t, int32_t, int16_t, float, double>(dtype_, [&]<class T>() {
    T value = static_cast<const T*>(elements)[i];
    if constexpr (std::is_floating_point_v<T>) {
      if (floats_ == Floats::by_value && std::isnan(value)) value = std::numeric_limits<T>::quiet_NaN();
      if (floats_ == Floats::by_value && value == 0) value = 0;
    }
    bits = bits_of(value);
  });
  return bits;
}

int64_t KeyIndex::look_up(const void* elements, int64_t i) const {
  if (dtype_ == DType::string) {
    const auto found = strings_.find(static_cast<const std::string*>(elements)[i]);
    return found == strings_.end() ? -1 : found->second;
  }
  const auto found = numbers_.find(number(elements, i));
  return found == numbers_.end() ? -1 : found->second;
}

LabelMap::LabelMap(KeyIndex keys, size_t key_count, Tensor values, Tensor otherwise)
    : keys_(std::move(keys)), values_(std::move(values)), otherwise_(std::move(otherwise)) {
  if (values_.shape().rank() != 1 || static_cast<size_t>(values_.elements()) != key_count) {
    throw Error(ErrorCode::invalid_model, "there are " + std::to_string(key_count) + " keys and " +
                                              std::to_string(values_.elements()) + " values");
  }
  if (otherwise_.dtype() != values_.dtype() || otherwise_.elements() != 1) {
    throw Error(ErrorCode::invalid_model,
                "the default must be one element of the values' type, " + std::string(dtype_name(values_.dtype())));
  }
}

void LabelMap::infer(InferContext& context) const {
  const DType dtype = context.dtype(0);
  if (dtype != DType::undefined && dtype != keys_.dtype()) {
    context.fail("the input has " + std::string(dtype_name(dtype)) + " elements, the keys are " +
                 std::string(dtype_name(keys_.dtype())));
  }
  context.set_output(0, values_.dtype(), context.shape(0));
}

void LabelMap::plan(PlanContext& context) const {
  dispatch_width(values_.dtype(), [&]<class T>() {
    context.range(context.output(0).elements(), 20, [this](const TileContext& tile, int64_t begin, int64_t end) {
      const auto values = values_.values<T>();
      for (int64_t i = begin; i < end; ++i) {
        const int64_t position = keys_.find(tile.input(0), i);
        tile.output<T>(0)[i] = position < 0 ? otherwise_.values<T>()[0] : values[static_cast<size_t>(position)];
      }
    });
  });
}

Tensor list_tensor(const std::vector<int64_t>& values) {
  return Tensor::of<int64_t>(DType::int64, {static_cast<int64_t>(values.size())}, values);
}

Tensor list_tensor(const std::vector<float>& values) {
  return Tensor::of<float>(DType::float32, {static_cast<int64_t>(values.size())}, values);
}

Tensor list_tensor(const std::vector<std::string>& values) {
  return Tensor::of<std::string>(DType::string, {static_cast<int64_t>(values.size())}, values);
}

}  // namespace onnxrun::ops
