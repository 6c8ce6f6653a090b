#include "runtime/packed_file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

constexpr std::array<char, 8> kMagic = {'O', 'R', 'p', 'a', 'c', 'k', 'e', 'd'};
constexpr uint32_t kFormatVersion = 1;
constexpr uint32_t kByteOrder = 0x01020304;
constexpr size_t kPage = 4096;

// In this machine's byte order.
struct Header {
  std::array<char, 8> magic;
  uint32_t format_version;
  uint32_t byte_order;
  std::array<char, 64> build;  // padded with zeros
  std::array<char, 16> isa;
  Hash128 model;
  uint64_t file_bytes;
  uint64_t entry_count;
  Hash128 table_hash;
};
struct TableEntry {
  Hash128 key;
  uint64_t offset;
  uint64_t bytes;
};
static_assert(sizeof(Header) == 144 && sizeof(TableEntry) == 32);

template <size_t N>
std::array<char, N> padded(const std::string& text) {
  std::array<char, N> bytes{};
  std::memcpy(bytes.data(), text.data(), std::min(N, text.size()));
  return bytes;
}

Header make_header(const PackedFileKey& key, uint64_t file_bytes, std::span<const std::byte> table) {
  Header header{};
  header.magic = kMagic;
  header.format_version = kFormatVersion;
  header.byte_order = kByteOrder;
  header.build = padded<64>(key.build);
  header.isa = padded<16>(key.isa);
  header.model = key.model;
  header.file_bytes = file_bytes;
  header.entry_count = table.size() / sizeof(TableEntry);
  header.table_hash = hash_bytes(table);
  return header;
}

// Why a file with this header and table is of no use; null where it is good.
const char* find_fault(const Header& header, const Header& expected) {
  if (header.magic != kMagic) return "it is no file of packed weights";
  if (header.format_version != kFormatVersion || header.byte_order != kByteOrder) return "its format is another";
  if (header.build != expected.build) return "another build of this library made it";
  if (header.isa != expected.isa) return "it is for another instruction set";
  if (header.model != expected.model) return "it is of another model";
  if (header.file_bytes != expected.file_bytes) return "its size is wrong";
  return std::memcmp(&header, &expected, sizeof header) == 0 ? nullptr : "it is damaged";
}

// A file that others see once it is complete.
class NewFile {
 public:
  explicit NewFile(const std::filesystem::path& path) : path_(path), name_(path.string() + ".XXXXXX") {
    fd_ = ::mkostemp(name_.data(), O_CLOEXEC);
    if (fd_ < 0) fail();
  }
  ~NewFile() {
    if (fd_ >= 0) ::close(fd_);
    if (!is_published_) ::unlink(name_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void resize(uint64_t bytes) {
    // Beyond this limit a write would end the process.
    rlimit limit{};
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && bytes > limit.rlim_cur) {
      errno = EFBIG;
      fail();
    }
    if (::ftruncate(fd_, static_cast<off_t>(bytes)) != 0) fail();
  }

  void write(std::span<const std::byte> bytes, uint64_t offset) {
    while (!bytes.empty()) {
      const ssize_t done = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) fail();
      bytes = bytes.subspan(static_cast<size_t>(done));
      offset += static_cast<uint64_t>(done);
    }
  }

  void publish() {
    const int result = ::close(fd_);
    fd_ = -1;
    if (result != 0 || ::rename(name_.c_str(), path_.c_str()) != 0) fail();
    is_published_ = true;
  }

 private:
  [[noreturn]] void fail() const {
    throw Error(ErrorCode::io, "cannot write '" + path_.string() + "': " + std::strerror(errno));
  }

  std::filesystem::path path_;
  std::string name_;
  int fd_ = -1;
  bool is_published_ = false;
};

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  if (std::filesystem::exists(folder, error)) return;
  if (folder.has_parent_path()) std::filesystem::create_directories(folder.parent_path(), error);
  if (!error && ::mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) error.assign(errno, std::generic_category());
  if (error) throw Error(ErrorCode::io, "cannot make the folder '" + folder.string() + "': " + error.message());
}

}  // namespace

std::string PackedFileKey::file_name() const {
  std::array<char, 33> digits;
  std::snprintf(digits.data(), digits.size(), "%016llx%016llx", static_cast<unsigned long long>(model.high),
                static_cast<unsigned long long>(model.low));
  return std::string(digits.data()) + "-" + isa + ".packed";
}

Hash128 packed_key(const Constant& constant, const std::string& format) {
  constexpr size_t kSample = 64;
  std::vector<int64_t> type = {static_cast<int64_t>(constant.dtype())};
  type.insert(type.end(), constant.shape().begin(), constant.shape().end());
  const Hash128 seed = hash_bytes(std::as_bytes(std::span(type)), hash_text(format));
  if (!constant.kept()) {
    Hash128 key = hash_bytes(std::as_bytes(std::span(constant.making().recipe)), seed);
    for (const ConstantPtr& source : constant.making().sources) {
      const Hash128 part = packed_key(*source, "");
      key = hash_bytes(std::as_bytes(std::span(&part, 1)), key);
    }
    return key;
  }
  const std::span bytes(static_cast<const std::byte*>(constant.tensor().data()), constant.bytes());
  const auto place = bytes.size() > kPage ? MappedFile::locate(bytes) : std::nullopt;
  if (!place) return hash_bytes(bytes, seed);
  Hash128 key = hash_bytes(std::as_bytes(std::span(&*place, 1)), seed);
  for (const size_t at : {size_t{0}, bytes.size() / 2, bytes.size() - kSample}) {
    key = hash_bytes(bytes.subspan(at, kSample), key);
  }
  MappedFile::release(bytes);
  return key;
}

std::shared_ptr<const PackedFile> PackedFile::open(const std::filesystem::path& path, const PackedFileKey& key) {
  std::shared_ptr<PackedFile> opened(new PackedFile);
  opened->file_ = MappedFile::open_private(path);
  if (!opened->file_) return nullptr;
  const auto refuse = [&](const char* why) {
    throw Error(ErrorCode::io, "cannot use '" + path.string() + "': " + why);
  };
  const std::span<const std::byte> bytes = opened->file_->bytes();
  Header header;
  if (bytes.size() < sizeof header) refuse("it is too short");
  std::memcpy(&header, bytes.data(), sizeof header);
  const std::span<const std::byte> behind = bytes.subspan(sizeof header);
  const bool fits = header.entry_count <= behind.size() / sizeof(TableEntry);
  const std::span<const std::byte> table =
      behind.first(fits ? static_cast<size_t>(header.entry_count) * sizeof(TableEntry) : 0);
  if (const char* fault = find_fault(header, make_header(key, bytes.size(), table))) refuse(fault);
  for (size_t at = 0; at < table.size(); at += sizeof(TableEntry)) {
    TableEntry entry;
    std::memcpy(&entry, table.data() + at, sizeof entry);
    uint64_t end = 0;
    const bool is_inside = checked_add(entry.offset, entry.bytes, end) && end <= bytes.size() &&
                           entry.offset >= sizeof header + table.size() && entry.offset % kAlignment == 0;
    if (!is_inside) refuse("it is damaged");
    opened->entries_.emplace(entry.key,
                             bytes.subspan(static_cast<size_t>(entry.offset), static_cast<size_t>(entry.bytes)));
  }
  return opened;
}

const std::byte* PackedFile::find(const Hash128& key, size_t bytes) const noexcept {
  const auto entry = entries_.find(key);
  return entry == entries_.end() || entry->second.size() != bytes ? nullptr : entry->second.data();
}

void PackedFile::write(const std::filesystem::path& path, const PackedFileKey& key, const PackedEntries& entries) {
  uint64_t end = sizeof(Header) + entries.size() * sizeof(TableEntry);
  std::vector<TableEntry> table;
  for (const auto& [entry, bytes] : entries) {
    const uint64_t offset = align_up(end, bytes.size() >= kPage ? kPage : kAlignment);
    table.push_back({entry, offset, bytes.size()});
    end = offset + bytes.size();
  }
  make_folder(path.parent_path());
  NewFile file(path);
  file.resize(end);
  const auto table_bytes = std::as_bytes(std::span(table));
  const Header header = make_header(key, end, table_bytes);
  file.write(std::as_bytes(std::span(&header, 1)), 0);
  file.write(table_bytes, sizeof header);
  size_t i = 0;
  for (const auto& [entry, bytes] : entries) file.write(bytes, table[i++].offset);
  file.publish();
}

}  // namespace onnxrun
