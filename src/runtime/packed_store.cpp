#include "runtime/packed_store.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "base/mapped_file.h"

namespace onnxrun {

namespace {

constexpr size_t kBytesAtOnce = size_t{1} << 20;  // that a thread packs
constexpr size_t kBytesOfCopy = size_t{1} << 18;  // that it copies from a file first: they stay in its cache
constexpr size_t kLargestChunk = 16 * kHugePage;
constexpr size_t kLargestShared = 2 * kHugePage;

// A constant's elements: where it does not keep them, made into `memory`, which grows as needed.
Tensor elements_of(const Constant& constant, AlignedBuffer& memory, ThreadPool* pool = nullptr) {
  if (const Tensor* tensor = constant.kept()) return *tensor;
  if (memory.get_deleter().bytes < constant.bytes()) memory = allocate_aligned(constant.bytes());
  const Constant::Making& making = constant.making();
  const size_t parts = pool ? std::clamp<size_t>(constant.bytes() / kBytesAtOnce, 1, making.units) : 1;
  auto make = [&](int64_t tile, int /*worker*/) {
    const auto part = static_cast<size_t>(tile);
    making.make(memory.get(), making.units * part / parts, making.units * (part + 1) / parts);
  };
  if (pool) {
    pool->parallel_for(static_cast<int64_t>(parts), make);
  } else {
    make(0, 0);
  }
  return {constant.dtype(), constant.shape(), memory.get(), nullptr};
}

std::span<const std::byte> bytes_of(const Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.data()), tensor.bytes()};
}

// The bytes of `range`: where they are, or, if that is in a mapped file, copied to `memory`, which grows as needed.
const std::byte* read_once(std::span<const std::byte> range, AlignedBuffer& memory) {
  if (!MappedFile::locate(range)) return range.data();
  if (memory.get_deleter().bytes < range.size()) memory = allocate_aligned(range.size());
  MappedFile::copy(range, memory.get());
  return memory.get();
}

}  // namespace

MemoryPackedStore::Entry& MemoryPackedStore::entry_of(const ConstantPtr& constant, const std::string& format) {
  const std::lock_guard lock(mutex_);
  auto& slot = entries_[{constant.get(), format}];
  if (!slot) slot = std::make_unique<Entry>();
  slot->constant = constant;
  return *slot;
}

void MemoryPackedStore::use_cache(std::shared_ptr<const PackedFile> file) {
  has_cache_ = true;
  file_ = std::move(file);
}

bool MemoryPackedStore::take_cached(Entry& entry, const std::string& format, size_t bytes) {
  if (!has_cache_) return false;
  entry.key = packed_key(*entry.constant, format);
  const std::byte* cached = file_ ? file_->find(entry.key, bytes) : nullptr;
  if (!cached) return false;
  entry.data = cached;
  entry.bytes = bytes;
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
  cached_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  return true;
}

std::byte* MemoryPackedStore::allocate(size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes >= kLargestShared) {
    chunks_.push_back(allocate_aligned(bytes));
    return chunks_.back().get();
  }
  const size_t needed = align_up(std::max<size_t>(bytes, 1), kAlignment);
  if (needed > free_bytes_) {
    // As much as there is already, and no more than the largest chunk.
    size_t chunk = std::max(needed, std::min(bytes_.load(std::memory_order_relaxed), kLargestChunk));
    if (chunk >= kHugePage) chunk = align_up(chunk, kHugePage);
    chunks_.push_back(allocate_aligned(chunk));
    free_ = chunks_.back().get();
    free_bytes_ = chunk;
  }
  std::byte* memory = free_;
  free_ += needed;
  free_bytes_ -= needed;
  return memory;
}

void MemoryPackedStore::keep(Entry& entry, std::byte* memory, size_t bytes) {
  entry.memory = memory;
  entry.data = memory;
  entry.bytes = bytes;
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

const std::byte* MemoryPackedStore::get(const ConstantPtr& constant, const std::string& format, size_t bytes,
                                        FunctionRef<void(const Tensor&, std::byte*)> pack) {
  Entry& entry = entry_of(constant, format);
  std::call_once(entry.once, [&] {
    if (take_cached(entry, format, bytes)) return;
    std::byte* memory = allocate(bytes);
    AlignedBuffer made;
    const Tensor tensor = elements_of(*constant, made);
    pack(is_element_aligned(tensor) ? tensor : tensor.clone(), memory);
    MappedFile::release(bytes_of(tensor));
    keep(entry, memory, bytes);
  });
  return entry.data;
}

const std::byte* MemoryPackedStore::get_later(const ConstantPtr& constant, const std::string& format, size_t bytes,
                                              Packing packing) {
  Entry& entry = entry_of(constant, format);
  std::call_once(entry.once, [&] {
    if (take_cached(entry, format, bytes)) return;
    keep(entry, allocate(bytes), bytes);
    entry.packing = std::move(packing);
    const std::lock_guard lock(mutex_);
    promised_.push_back(&entry);
  });
  return entry.data;
}

PackedEntries MemoryPackedStore::entries() const {
  PackedEntries entries;
  for (const auto& [key, entry] : entries_) {
    if (entry->data) entries.emplace(entry->key, std::span(entry->data, entry->bytes));
  }
  return entries;
}

void MemoryPackedStore::finish(ThreadPool& pool) {
  const std::lock_guard finishing(finishing_);
  std::vector<Entry*> entries;
  {
    const std::lock_guard lock(mutex_);
    entries.swap(promised_);
  }
  // What has to be made first and is large comes one after the other, in the same memory.
  std::vector<Entry*> others;
  AlignedBuffer memory;
  for (Entry* entry : entries) {
    const Constant& constant = *entry->constant;
    if (constant.kept() || std::max(constant.bytes(), entry->bytes) <= kBytesAtOnce) {
      others.push_back(entry);
    } else {
      const Tensor tensor = elements_of(constant, memory, &pool);
      pack(pool, {&entry, 1}, &tensor);
    }
  }
  pack(pool, others, nullptr);
}

void MemoryPackedStore::pack(ThreadPool& pool, std::span<Entry* const> entries, const Tensor* made) {
  struct Part {
    Entry* entry;
    size_t begin, end;
    std::atomic<size_t>* left;
  };
  std::vector<Part> parts;
  std::vector<std::atomic<size_t>> left(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    const size_t units = entries[i]->packing.units;
    const size_t at_once = entries[i]->packing.before ? kBytesOfCopy : kBytesAtOnce;
    const size_t count = std::clamp<size_t>(entries[i]->bytes / at_once, 1, std::max<size_t>(1, units));
    for (size_t part = 0; part < count; ++part) {
      parts.push_back({entries[i], units * part / count, units * (part + 1) / count, &left[i]});
    }
    left[i] = count;
  }
  std::vector<AlignedBuffer> memory(static_cast<size_t>(pool.size()));
  auto pack_part = [&](int64_t tile, int worker) {
    const Part& part = parts[static_cast<size_t>(tile)];
    const Packing& packing = part.entry->packing;
    AlignedBuffer& own = memory[static_cast<size_t>(worker)];
    const Tensor tensor = made ? *made : elements_of(*part.entry->constant, own);
    std::span<const std::byte> source = bytes_of(tensor);
    if (packing.before) {
      const size_t first = packing.before(part.begin);
      source = source.subspan(first, packing.before(part.end) - first);
    }
    packing.pack(packing.before ? read_once(source, own) : source.data(), part.entry->memory, part.begin, part.end);
    if (!packing.before && part.left->fetch_sub(1) == 1) MappedFile::release(source);
  };
  pool.parallel_for(static_cast<int64_t>(parts.size()), pack_part);
  for (Entry* entry : entries) entry->packing = {};
}

bool is_element_aligned(const Tensor& tensor) {
  const size_t width = std::max<size_t>(1, static_cast<size_t>(bit_size(tensor.dtype())) / 8);
  const size_t alignment = std::min<size_t>(width, 8);
  return reinterpret_cast<uintptr_t>(tensor.data()) % alignment == 0;
}

const void* aligned_data(PackedStore& store, const ConstantPtr& constant) {
  const Tensor& tensor = constant->tensor();
  if (is_element_aligned(tensor)) return tensor.data();
  auto copy = [](const Tensor& source, std::byte* data) { std::memcpy(data, source.data(), source.bytes()); };
  return store.get(constant, "aligned", tensor.bytes(), copy);
}

}  // namespace onnxrun
