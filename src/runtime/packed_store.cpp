#include "runtime/packed_store.h"

#include <algorithm>
#include <cstring>

#include "base/mapped_file.h"

namespace onnxrun {

namespace {

constexpr size_t kBytesAtOnce = size_t{1} << 20;  // that a thread packs

}  // namespace

MemoryPackedStore::Entry& MemoryPackedStore::entry_of(const ConstantPtr& constant, const std::string& format) {
  const std::lock_guard lock(mutex_);
  auto& slot = entries_[{constant.get(), format}];
  if (!slot) slot = std::make_unique<Entry>();
  slot->constant = constant;
  return *slot;
}

const std::byte* MemoryPackedStore::get(const ConstantPtr& constant, const std::string& format, size_t bytes,
                                        FunctionRef<void(const Tensor&, std::byte*)> pack) {
  Entry& entry = entry_of(constant, format);
  std::call_once(entry.once, [&] {
    AlignedBuffer data = allocate_aligned(bytes);
    const Tensor& tensor = constant->tensor;
    pack(is_element_aligned(tensor) ? tensor : tensor.clone(), data.get());
    entry.data = std::move(data);
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
  });
  return entry.data.get();
}

const std::byte* MemoryPackedStore::get_later(const ConstantPtr& constant, const std::string& format, size_t bytes,
                                              Packing packing) {
  Entry& entry = entry_of(constant, format);
  std::call_once(entry.once, [&] {
    entry.data = allocate_aligned(bytes);
    entry.bytes = bytes;
    entry.packing = std::move(packing);
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
    const std::lock_guard lock(mutex_);
    promised_.push_back(&entry);
  });
  return entry.data.get();
}

void MemoryPackedStore::finish(ThreadPool& pool) {
  const std::lock_guard finishing(finishing_);
  std::vector<Entry*> entries;
  {
    const std::lock_guard lock(mutex_);
    entries.swap(promised_);
  }
  struct Part {
    const Entry* entry;
    size_t begin, end;
  };
  std::vector<Part> parts;
  for (const Entry* entry : entries) {
    const size_t units = entry->packing.units;
    const size_t count = std::clamp<size_t>(entry->bytes / kBytesAtOnce, 1, std::max<size_t>(1, units));
    for (size_t part = 0; part < count; ++part) {
      parts.push_back({entry, units * part / count, units * (part + 1) / count});
    }
  }
  auto pack = [&](int64_t tile, int /*worker*/) {
    const Part& part = parts[static_cast<size_t>(tile)];
    part.entry->packing.pack(part.entry->constant->tensor, part.entry->data.get(), part.begin, part.end);
  };
  pool.parallel_for(static_cast<int64_t>(parts.size()), pack);
  for (Entry* entry : entries) {
    entry->packing = {};
    const Tensor& tensor = entry->constant->tensor;
    MappedFile::release({static_cast<const std::byte*>(tensor.data()), tensor.bytes()});
  }
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
