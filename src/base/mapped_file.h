#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

namespace onnxrun {

// A file mapped for reading. Immutable.
class MappedFile {
 public:
  // \throws Error(io) naming the path.
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);
  // The same bytes in memory of our own.
  static std::shared_ptr<const MappedFile> read(const std::filesystem::path& path);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const noexcept { return bytes_; }

  // Gives the memory of whole pages of `range` back where it is a part of a mapped file, and does nothing elsewhere:
  // what is read there later comes from the file again. Thread-safe.
  static void release(std::span<const std::byte> range) noexcept;

 private:
  explicit MappedFile(std::span<const std::byte> bytes, bool mapped) : bytes_(bytes), mapped_(mapped) {}

  std::span<const std::byte> bytes_;
  bool mapped_;
};

}  // namespace onnxrun
