#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "base/hash.h"
#include "base/mapped_file.h"
#include "graph/constant.h"

namespace onnxrun {

// What a file of packed constants was made for. Another of any of these: the file is of no use.
struct PackedFileKey {
  Hash128 model;  // its graph, and the options of the session
  std::string isa;
  std::string build;  // of this library

  // "0123...cdef-avx2.packed": the same for every build, so that a newer one's file takes the place of an older one's.
  std::string file_name() const;
};

// What tells a packed constant from others: the constant, and the form that it is in. A constant that lies in a mapped
// file is known by the file's identity, its place in it and samples of its bytes, one that is made when it is wanted by
// what it is made of, every other by all of its bytes.
Hash128 packed_key(const Constant& constant, const std::string& format);

using PackedEntries = std::map<Hash128, std::span<const std::byte>>;

// A file of packed constants, mapped, so that processes share its memory. Immutable. In the file: a header, a table of
// entries in ascending order of their keys, then the entries at multiples of 64 bytes, large ones of 4096.
class PackedFile {
 public:
  // Checks the header, the table and the ranges in it, but reads no entry. Null where there is no file.
  // \throws Error(io), saying what is wrong with the file.
  static std::shared_ptr<const PackedFile> open(const std::filesystem::path& path, const PackedFileKey& key);

  // Null where the file has no such entry of that size.
  const std::byte* find(const Hash128& key, size_t bytes) const noexcept;

  // Puts a new file in the place of `path` all at once, and makes its folder where there is none.
  // \throws Error(io).
  static void write(const std::filesystem::path& path, const PackedFileKey& key, const PackedEntries& entries);

 private:
  PackedFile() = default;

  std::shared_ptr<const MappedFile> file_;
  PackedEntries entries_;
};

}  // namespace onnxrun
