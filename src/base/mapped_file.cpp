#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "base/aligned_buffer.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

constexpr size_t kMaxDescriptors = 64;  // of mapped files that are kept for copy(): a process has few, others need them

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& why) {
  throw Error(ErrorCode::io, "cannot read '" + path.string() + "': " + why);
}

// Bytes of the file from `offset` on, as many as `to` has.
void read_at(const std::filesystem::path& path, int descriptor, size_t offset, std::span<std::byte> to) {
  for (size_t done = 0; done < to.size();) {
    const ssize_t got = pread(descriptor, to.data() + done, to.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) refuse(path, got < 0 ? std::strerror(errno) : "it became shorter while it was read");
    done += static_cast<size_t>(got);
  }
}

int64_t nanoseconds(const timespec& time) { return time.tv_sec * int64_t{1'000'000'000} + time.tv_nsec; }

class FileDescriptor {
 public:
  // With `may_be_absent`, exists() says whether there is such a file.
  explicit FileDescriptor(const std::filesystem::path& path, int flags = 0, bool may_be_absent = false)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags)) {
    if (fd_ < 0 && may_be_absent && (errno == ENOENT || errno == ENOTDIR)) return;
    if (fd_ < 0) refuse(path, std::strerror(errno));
    const std::string why = fstat(fd_, &facts_) != 0   ? std::strerror(errno)
                            : !S_ISREG(facts_.st_mode) ? "it is not a regular file"
                                                       : "";
    if (why.empty()) return;
    ::close(fd_);
    refuse(path, why);
  }
  ~FileDescriptor() {
    if (exists()) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  bool exists() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int leave() { return std::exchange(fd_, -1); }
  size_t size() const { return static_cast<size_t>(facts_.st_size); }
  bool is_private() const { return facts_.st_uid == geteuid() && (facts_.st_mode & (S_IRWXG | S_IRWXO)) == 0; }
  FileIdentity identity() const {
    return {facts_.st_ino, size(), nanoseconds(facts_.st_mtim), nanoseconds(facts_.st_ctim)};
  }

 private:
  int fd_;
  struct stat facts_ {};
};

// The mapped files of this process, by address.
struct Mappings {
  std::mutex mutex;
  struct File {
    FileIdentity identity;
    std::filesystem::path path;
    int descriptor = -1;
  };
  std::map<const std::byte*, File> files;
  size_t descriptors = 0;

  // The one that holds all of `range`, or the end. To be called under the mutex.
  auto find(std::span<const std::byte> range) {
    const auto behind = files.upper_bound(range.data());
    if (behind == files.begin()) return files.end();
    const auto file = std::prev(behind);
    return range.data() + range.size() <= file->first + file->second.identity.bytes ? file : files.end();
  }
};
Mappings& mappings() {
  static auto* all = new Mappings;  // outlives every file
  return *all;
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::map(const std::filesystem::path& path, bool must_be_private) {
  FileDescriptor file(path, must_be_private ? O_NOFOLLOW | O_NONBLOCK : 0, must_be_private);
  if (!file.exists()) return nullptr;
  if (must_be_private && !file.is_private()) refuse(path, "others than this user may own, read or write it");
  if (file.size() == 0) return std::shared_ptr<const MappedFile>(new MappedFile({}, false));
  void* data = mmap(nullptr, file.size(), PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) refuse(path, std::strerror(errno));
  const auto* begin = static_cast<const std::byte*>(data);
  std::shared_ptr<const MappedFile> mapped(new MappedFile({begin, file.size()}, true));
  const std::lock_guard lock(mappings().mutex);
  Mappings::File& known = mappings().files[begin];
  known.identity = file.identity();
  known.path = path;
  if (mappings().descriptors < kMaxDescriptors) {
    known.descriptor = file.leave();
    ++mappings().descriptors;
  }
  return mapped;
}

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) { return map(path, false); }

std::shared_ptr<const MappedFile> MappedFile::open_private(const std::filesystem::path& path) {
  return map(path, true);
}

std::shared_ptr<const MappedFile> MappedFile::read(const std::filesystem::path& path) {
  const FileDescriptor file(path);
  AlignedBuffer buffer = allocate_aligned(file.size());
  read_at(path, file.get(), 0, {buffer.get(), file.size()});
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
  if (mappings().find(range) == mappings().files.end()) return;
  madvise(const_cast<std::byte*>(range.data()) + (begin - address), end - begin, MADV_DONTNEED);
}

void MappedFile::copy(std::span<const std::byte> range, std::byte* to) {
  std::filesystem::path path;
  int descriptor = -1;
  size_t offset = 0;
  {
    const std::lock_guard lock(mappings().mutex);
    const auto file = mappings().find(range);
    if (file != mappings().files.end()) {
      path = file->second.path;
      descriptor = file->second.descriptor;
      offset = static_cast<size_t>(range.data() - file->first);
    }
  }
  if (descriptor < 0) {
    std::copy(range.begin(), range.end(), to);
    return release(range);
  }
  read_at(path, descriptor, offset, {to, range.size()});
}

std::optional<MappedFile::Place> MappedFile::locate(std::span<const std::byte> range) {
  const std::lock_guard lock(mappings().mutex);
  const auto file = mappings().find(range);
  if (file == mappings().files.end()) return std::nullopt;
  return Place{file->second.identity, static_cast<uint64_t>(range.data() - file->first)};
}

MappedFile::~MappedFile() {
  if (!mapped_) return;
  const std::lock_guard lock(mappings().mutex);
  const auto file = mappings().files.find(bytes_.data());
  if (file != mappings().files.end()) {
    if (file->second.descriptor >= 0) {
      ::close(file->second.descriptor);
      --mappings().descriptors;
    }
    mappings().files.erase(file);
  }
  munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace onnxrun
