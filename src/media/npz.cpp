#include "media/npz.h"

#include <zip.h>

#include <memory>
#include <set>

#include "media/files.h"
#include "media/npy.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

constexpr std::string_view kSuffix = ".npy";

struct Discard {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using Archive = std::unique_ptr<zip_t, Discard>;
using ArchiveFile = std::unique_ptr<zip_file_t, Discard>;

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& message,
                         ErrorCode code = ErrorCode::invalid_input) {
  throw Error(code, "'" + path.string() + "': " + message);
}

Archive open_bytes(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  zip_t* archive = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : nullptr;
  const std::string reason = archive ? "" : zip_error_strerror(&error);
  if (!archive) zip_source_free(source);
  zip_error_fini(&error);
  if (!archive) refuse(path, "not a .npz file: " + reason);
  return Archive(archive);
}

// The bytes of one member. Grows as they come, because the size that the archive claims may be wrong.
std::vector<std::byte> read_member(const std::filesystem::path& path, zip_t* archive, zip_uint64_t index) {
  const ArchiveFile file(zip_fopen_index(archive, index, 0));
  if (!file) refuse(path, zip_strerror(archive));
  constexpr size_t kChunk = size_t{1} << 20;
  std::vector<std::byte> bytes;
  for (;;) {
    const size_t size = bytes.size();
    bytes.resize(size + kChunk);
    const zip_int64_t got = zip_fread(file.get(), bytes.data() + size, kChunk);
    if (got < 0) refuse(path, zip_file_strerror(file.get()));
    bytes.resize(size + static_cast<size_t>(got));
    if (got == 0) return bytes;
  }
}

}  // namespace

std::vector<std::pair<std::string, Tensor>> read_npz(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = read_file(path);
  const Archive archive = open_bytes(path, bytes);
  std::vector<std::pair<std::string, Tensor>> arrays;
  std::set<std::string> names;
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const zip_uint64_t index = static_cast<zip_uint64_t>(i);
    const char* raw_name = zip_get_name(archive.get(), index, 0);
    std::string name = raw_name ? raw_name : "";
    if (!name.ends_with(kSuffix)) refuse(path, "member '" + name + "' is not an array");
    name.resize(name.size() - kSuffix.size());
    if (!names.insert(name).second) refuse(path, "array '" + name + "' is there twice");
    const std::vector<std::byte> member = read_member(path, archive.get(), index);
    try {
      arrays.emplace_back(name, parse_npy(member));
    } catch (const Error& error) {
      refuse(path, "array '" + name + "': " + error.what(), error.code());
    }
  }
  return arrays;
}

void write_npz(const std::filesystem::path& path, std::span<const std::pair<std::string, TensorView>> arrays) {
  std::vector<std::vector<std::byte>> members;
  for (const auto& [name, tensor] : arrays) {
    try {
      members.push_back(serialize_npy(tensor));
    } catch (const Error& error) {
      refuse(path, "array '" + name + "': " + error.what(), error.code());
    }
  }
  // libzip writes a temporary file beside `path` and renames it in zip_close.
  int code = 0;
  Archive archive(zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code));
  if (!archive) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    refuse(path, reason, ErrorCode::io);
  }
  for (size_t i = 0; i < arrays.size(); ++i) {
    zip_source_t* source = zip_source_buffer(archive.get(), members[i].data(), members[i].size(), 0);
    const std::string name = arrays[i].first + std::string(kSuffix);
    const zip_int64_t index = source ? zip_file_add(archive.get(), name.c_str(), source, ZIP_FL_ENC_UTF_8) : -1;
    if (index < 0) {
      zip_source_free(source);
      refuse(path, zip_strerror(archive.get()), ErrorCode::io);
    }
    zip_set_file_compression(archive.get(), static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0);
  }
  if (zip_close(archive.get()) != 0) refuse(path, zip_strerror(archive.get()), ErrorCode::io);
  static_cast<void>(archive.release());  // zip_close has freed it
}

}  // namespace onnxrun
