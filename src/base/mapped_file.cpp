#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <string>

#include "base/aligned_buffer.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& why) {
  throw Error(ErrorCode::io, "cannot read '" + path.string() + "': " + why);
}

class FileDescriptor {
 public:
  explicit FileDescriptor(const std::filesystem::path& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0) refuse(path, std::strerror(errno));
    struct stat facts {};
    if (fstat(fd_, &facts) != 0) refuse(path, std::strerror(errno));
    if (!S_ISREG(facts.st_mode)) refuse(path, "it is not a regular file");
    size_ = static_cast<size_t>(facts.st_size);
  }
  ~FileDescriptor() { ::close(fd_); }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  int get() const { return fd_; }
  size_t size() const { return size_; }

 private:
  int fd_;
  size_t size_ = 0;
};

// The mapped ranges of this process, by address.
struct Mappings {
  std::mutex mutex;
  std::map<const std::byte*, size_t> sizes;
};
Mappings& mappings() {
  static auto* all = new Mappings;  // outlives every file
  return *all;
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const FileDescriptor file(path);
  if (file.size() == 0) return std::shared_ptr<const MappedFile>(new MappedFile({}, false));
  void* data = mmap(nullptr, file.size(), PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) refuse(path, std::strerror(errno));
  const auto* begin = static_cast<const std::byte*>(data);
  std::shared_ptr<const MappedFile> mapped(new MappedFile({begin, file.size()}, true));
  const std::lock_guard lock(mappings().mutex);
  mappings().sizes[begin] = file.size();
  return mapped;
}

std::shared_ptr<const MappedFile> MappedFile::read(const std::filesystem::path& path) {
  const FileDescriptor file(path);
  AlignedBuffer buffer = allocate_aligned(file.size());
  size_t done = 0;
  while (done < file.size()) {
    const ssize_t got = ::read(file.get(), buffer.get() + done, file.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) refuse(path, got < 0 ? std::strerror(errno) : "it became shorter while it was read");
    done += static_cast<size_t>(got);
  }
  const std::span<const std::byte> bytes(buffer.get(), file.size());
  const std::shared_ptr<std::byte> owner(std::move(buffer));
  auto* plain = new MappedFile(bytes, false);
  return std::shared_ptr<const MappedFile>(plain, [owner](const MappedFile* self) { delete self; });
}

void MappedFile::release(std::span<const std::byte> range) noexcept {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<uintptr_t>(range.data());
  const auto begin = (address + page - 1) / page * page;
  const auto end = (address + range.size()) / page * page;
  if (begin >= end) return;
  const std::lock_guard lock(mappings().mutex);
  const auto behind = mappings().sizes.upper_bound(range.data());
  if (behind == mappings().sizes.begin()) return;
  const auto& [first, size] = *std::prev(behind);
  if (range.data() + range.size() > first + size) return;
  madvise(const_cast<std::byte*>(range.data()) + (begin - address), end - begin, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (!mapped_) return;
  const std::lock_guard lock(mappings().mutex);
  mappings().sizes.erase(bytes_.data());
  munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace onnxrun
