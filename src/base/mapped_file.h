#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>

namespace onnxrun {

// What tells a file from others, and from what it was before a change.
struct FileIdentity {
  uint64_t inode = 0;
  uint64_t bytes = 0;
  int64_t modified = 0;  // nanoseconds since 1970: its contents
  int64_t changed = 0;   // its contents, permissions or links
};

// A file mapped for reading. Immutable.
class MappedFile {
 public:
  // \throws Error(io) naming the path.
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);
  // The same for a file that must be this user's own, and nobody else's to read or write; null where there is none.
  // \throws Error(io).
  static std::shared_ptr<const MappedFile> open_private(const std::filesystem::path& path);
  // The same bytes in memory of our own.
  static std::shared_ptr<const MappedFile> read(const std::filesystem::path& path);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const noexcept { return bytes_; }

  // Gives the memory of whole pages of `range` back where it is a part of a mapped file, and does nothing elsewhere:
  // what is read there later comes from the file again. Thread-safe.
  static void release(std::span<const std::byte> range) noexcept;

  // Copies `range` to `to`. A part of a mapped file is read from the file and its pages are not brought into memory:
  // the cheapest way where they are wanted once. Thread-safe. \throws Error(io): the file has become shorter, or cannot
  // be read.
  static void copy(std::span<const std::byte> range, std::byte* to);

  struct Place {
    FileIdentity file;
    uint64_t offset = 0;
  };
  // Where `range` lies in a mapped file, as that was when it was opened. Thread-safe.
  static std::optional<Place> locate(std::span<const std::byte> range);

 private:
  static std::shared_ptr<const MappedFile> map(const std::filesystem::path& path, bool must_be_private);
  explicit MappedFile(std::span<const std::byte> bytes, bool mapped) : bytes_(bytes), mapped_(mapped) {}

  std::span<const std::byte> bytes_;
  bool mapped_;
};

}  // namespace onnxrun
