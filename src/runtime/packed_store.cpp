#include "runtime/packed_store.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "base/mapped_file.h"

namespace onnxrun {

namespace {

constexpr size_t kBytesAtOnce = size_t{1} << 20;  // that a thread packs
constexpr size_t kBytesOfPart = size_t{1} << 18;  // where it copies or makes them first: they stay in its cache
constexpr size_t kLargestChunk = 16 * kHugePage;
constexpr size_t kLargestShared = 2 * kHugePage;

std::span<const std::byte> bytes_of(const Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.data()), tensor.bytes()};
}

std::byte* reserve(AlignedBuffer& memory, size_t bytes) {
  if (memory.get_deleter().bytes < bytes) memory = allocate_aligned(bytes);
  return memory.get();
}

// Bytes [first, last) of a constant: where they are, or in `memory`, copied from a mapped file or made.
const std::byte* read_part(const Constant& constant, size_t first, size_t last, AlignedBuffer& memory) {
  if (const Tensor* kept = constant.kept()) {
    const auto part = bytes_of(*kept).subspan(first, last - first);
    if (!MappedFile::locate(part)) return part.data();
    MappedFile::copy(part, reserve(memory, part.size()));
    return memory.get();
  }
  if (first == last) return nullptr;
  const Constant::Making& making = constant.making();
  const size_t unit = constant.bytes() / making.units;
  const size_t begin = first / unit, end = (last + unit - 1) / unit;
  making.make(reserve(memory, (end - begin) * unit), begin, end);
  return memory.get() + (first - begin * unit);
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
    if (const Tensor* kept = constant->kept()) {
      pack(is_element_aligned(*kept) ? *kept : kept->clone(), memory);
      MappedFile::release(bytes_of(*kept));
    } else {
      Tensor made(constant->dtype(), constant->shape());
      constant->making().make(static_cast<std::byte*>(made.mutable_data()), 0, constant->making().units);
      pack(made, memory);
    }
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
  struct Part {
    Entry* entry;
    size_t begin, end;
    std::atomic<size_t>* left;
  };
  std::vector<Part> parts;
  std::vector<std::atomic<size_t>> left(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    const Packing& packing = entries[i]->packing;
    // What has to be made as a whole is packed as a whole.
    const size_t most = packing.before || entries[i]->constant->kept() ? std::max<size_t>(1, packing.units) : 1;
    const size_t count =
        std::clamp<size_t>(entries[i]->bytes / (packing.before ? kBytesOfPart : kBytesAtOnce), 1, most);
    for (size_t part = 0; part < count; ++part) {
      parts.push_back({entries[i], packing.units * part / count, packing.units * (part + 1) / count, &left[i]});
    }
    left[i] = count;
  }
  std::vector<AlignedBuffer> memory(static_cast<size_t>(pool.size()));
  auto pack_part = [&](int64_t tile, int worker) {
    const Part& part = parts[static_cast<size_t>(tile)];
    const Packing& packing = part.entry->packing;
    const Constant& constant = *part.entry->constant;
    AlignedBuffer& own = memory[static_cast<size_t>(worker)];
    const Tensor* kept = constant.kept();
    const std::byte* source = nullptr;
    if (packing.before) {
      source = read_part(constant, packing.before(part.begin), packing.before(part.end), own);
    } else {
      source = kept ? bytes_of(*kept).data() : read_part(constant, 0, constant.bytes(), own);
    }
    packing.pack(source, part.entry->memory, part.begin, part.end);
    if (kept && part.left->fetch_sub(1) == 1) MappedFile::release(bytes_of(*kept));
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
