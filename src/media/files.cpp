#include "media/files.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <system_error>

#include "onnxrun/error.h"

namespace onnxrun {
namespace {

[[noreturn]] void fail(const char* verb, const std::filesystem::path& path, const std::string& reason) {
  throw Error(ErrorCode::io, "cannot " + std::string(verb) + " '" + path.string() + "': " + reason);
}

}  // namespace

std::vector<std::byte> read_file(const std::filesystem::path& path) {
  std::error_code status;
  if (std::filesystem::is_directory(path, status)) fail("read", path, "it is a folder");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("read", path, std::strerror(errno));
  std::vector<std::byte> bytes;
  constexpr size_t kChunk = size_t{1} << 20;
  for (;;) {
    const size_t size = bytes.size();
    bytes.resize(size + kChunk);
    file.read(reinterpret_cast<char*>(bytes.data() + size), kChunk);
    bytes.resize(size + static_cast<size_t>(file.gcount()));
    if (!file) break;
  }
  if (file.bad()) fail("read", path, std::strerror(errno));
  return bytes;
}

void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::filesystem::path temporary = path;
  temporary += "." + std::to_string(getpid()) + ".tmp";
  errno = 0;
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  if (!file) fail("write", path, std::strerror(errno));
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  file.close();
  std::error_code error;
  if (!file) {
    error = std::error_code(errno, std::generic_category());
  } else {
    std::filesystem::rename(temporary, path, error);
  }
  if (!error) return;
  std::error_code ignored;
  std::filesystem::remove(temporary, ignored);
  fail("write", path, error.message());
}

}  // namespace onnxrun
