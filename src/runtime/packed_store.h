#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "graph/operator.h"
#include "runtime/packed_file.h"

namespace onnxrun {

// Keeps packed constants in memory for as long as it lives. The pages of a mapped file that a constant came from are
// given back once it is packed.
class MemoryPackedStore : public PackedStore {
 public:
  const std::byte* get(const ConstantPtr& constant, const std::string& format, size_t bytes,
                       FunctionRef<void(const Tensor&, std::byte*)> pack) override;
  const std::byte* get_later(const ConstantPtr& constant, const std::string& format, size_t bytes,
                             Packing packing) override;
  void finish(ThreadPool& pool) override;

  // From now on what `file` has is read there instead of being packed, and everything else is remembered for a file to
  // come. Null: there is none yet. To be called before the first get.
  void use_cache(std::shared_ptr<const PackedFile> file);
  // Whether anything had to be packed that the file did not have.
  bool lacks_entries() const noexcept { return bytes() > cached_bytes(); }
  // All that is packed, for a new file; behind finish(), while nothing else is asked for.
  PackedEntries entries() const;

  size_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }
  // Of these, those that the file has.
  size_t cached_bytes() const noexcept { return cached_bytes_.load(std::memory_order_relaxed); }

 private:
  struct Entry {
    ConstantPtr constant;  // keeps the key's address from being used again
    std::once_flag once;
    std::byte* memory = nullptr;      // null where the bytes are the file's
    const std::byte* data = nullptr;  // null until it is known where they will be
    size_t bytes = 0;
    Packing packing;  // what is left to do
    Hash128 key;      // only where there is a cache
  };

  Entry& entry_of(const ConstantPtr& constant, const std::string& format);
  // Whether the file has the entry, which then is complete.
  bool take_cached(Entry& entry, const std::string& format, size_t bytes);
  // Entries smaller than two huge pages lie side by side in chunks, so that huge pages hold them as well.
  std::byte* allocate(size_t bytes);
  void keep(Entry& entry, std::byte* memory, size_t bytes);

  std::mutex mutex_;
  std::map<std::pair<const Constant*, std::string>, std::unique_ptr<Entry>> entries_;
  std::vector<AlignedBuffer> chunks_;
  std::byte* free_ = nullptr;  // in the last shared chunk
  size_t free_bytes_ = 0;
  std::mutex finishing_;  // whoever waits for it finds everything packed that was promised before
  std::vector<Entry*> promised_;
  std::atomic<size_t> bytes_{0};
  bool has_cache_ = false;
  std::shared_ptr<const PackedFile> file_;
  std::atomic<size_t> cached_bytes_{0};
};

// Whether the tensor's elements can be read as what they are: raw data in a file lies at any address.
bool is_element_aligned(const Tensor& tensor);

// The constant's elements at an address that fits them: its own, or those of a copy in the store.
const void* aligned_data(PackedStore& store, const ConstantPtr& constant);

}  // namespace onnxrun
