#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "graph/operator.h"

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

  size_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }

 private:
  struct Entry {
    ConstantPtr constant;  // keeps the key's address from being used again
    std::once_flag once;
    AlignedBuffer data;
    size_t bytes = 0;
    Packing packing;  // what is left to do
  };

  Entry& entry_of(const ConstantPtr& constant, const std::string& format);

  std::mutex mutex_;
  std::map<std::pair<const Constant*, std::string>, std::unique_ptr<Entry>> entries_;
  std::mutex finishing_;  // whoever waits for it finds everything packed that was promised before
  std::vector<Entry*> promised_;
  std::atomic<size_t> bytes_{0};
};

// Whether the tensor's elements can be read as what they are: raw data in a file lies at any address.
bool is_element_aligned(const Tensor& tensor);

// The constant's elements at an address that fits them: its own, or those of a copy in the store.
const void* aligned_data(PackedStore& store, const ConstantPtr& constant);

}  // namespace onnxrun
