#include "base/build_id.h"

#include <elf.h>
#include <link.h>

#include <cstring>
#include <span>
#include <string_view>

#include "base/checked.h"

namespace onnxrun {
namespace {

struct Search {
  uintptr_t address = 0;  // of something in the module
  std::string id;
};

std::string hexadecimal(std::span<const unsigned char> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

// The identifier among the notes of a segment (System V ABI, "Note Section").
std::string find_id(const unsigned char* notes, size_t bytes, size_t alignment) {
  for (size_t at = 0; at + sizeof(ElfW(Nhdr)) <= bytes;) {
    ElfW(Nhdr) note;
    std::memcpy(&note, notes + at, sizeof note);
    const size_t name = at + sizeof note;
    const size_t content = name + align_up(note.n_namesz, alignment);
    if (content + note.n_descsz > bytes) break;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof "GNU" &&
        std::memcmp(notes + name, "GNU", sizeof "GNU") == 0) {
      return hexadecimal({notes + content, note.n_descsz});
    }
    at = content + align_up(note.n_descsz, alignment);
  }
  return {};
}

int visit(dl_phdr_info* module, size_t /*size*/, void* data) {
  auto& search = *static_cast<Search*>(data);
  const std::span<const ElfW(Phdr)> segments(module->dlpi_phdr, module->dlpi_phnum);
  bool is_ours = false;
  for (const auto& segment : segments) {
    const uintptr_t offset = search.address - (module->dlpi_addr + segment.p_vaddr);
    is_ours = is_ours || (segment.p_type == PT_LOAD && offset < segment.p_memsz);
  }
  if (!is_ours) return 0;
  for (const auto& segment : segments) {
    if (segment.p_type != PT_NOTE || !search.id.empty()) continue;
    const auto* notes = reinterpret_cast<const unsigned char*>(module->dlpi_addr + segment.p_vaddr);
    search.id = find_id(notes, segment.p_memsz, segment.p_align == 8 ? 8 : 4);
  }
  return 1;
}

}  // namespace

std::string build_id() {
  Search search{reinterpret_cast<uintptr_t>(&find_id), {}};
  dl_iterate_phdr(&visit, &search);
  return search.id;
}

}  // namespace onnxrun
