#include "runtime/packed_store.h"

#include <cstring>

namespace onnxrun {

const std::byte* MemoryPackedStore::get(const ConstantPtr& constant, const std::string& format, size_t bytes,
                                        FunctionRef<void(const Tensor&, std::byte*)> pack) {
  Entry* entry = nullptr;
  {
    const std::lock_guard lock(mutex_);
    auto& slot = entries_[{constant.get(), format}];
    if (!slot) slot = std::make_unique<Entry>();
    entry = slot.get();
    entry->constant = constant;
  }
  std::call_once(entry->once, [&] {
    AlignedBuffer data = allocate_aligned(bytes);
    const Tensor& tensor = constant->tensor;
    pack(is_element_aligned(tensor) ? tensor : tensor.clone(), data.get());
    entry->data = std::move(data);
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
  });
  return entry->data.get();
}

bool is_element_aligned(const Tensor& tensor) {
  const size_t width = std::max<size_t>(1, static_cast<size_t>(bit_size(tensor.dtype())) / 8);
  const size_t alignment = std::min<size_t>(width, 8);
  return reinterpret_cast<uintptr_t>(tensor.data()) % alignment == 0;
}

const void* aligned_data(PackedStore& store, const ConstantPtr& constant) {
  const Tensor& tensor = constant->tensor;
  if (is_element_aligned(tensor)) return tensor.data();
  auto copy = [](const Tensor& source, std::byte* data) { std::memcpy(data, source.data(), source.bytes()); };
  return store.get(constant, "aligned", tensor.bytes(), copy);
}

}  // namespace onnxrun
