#include "media/npy.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "media/files.h"
#include "media/utf8.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr bool kLittleEndian = std::endian::native == std::endian::little;

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::invalid_input, message); }

// What the header of an array says.
struct Header {
  std::string descr;
  bool fortran_order = false;
  Shape shape;
};

// Reads the header's Python dictionary literal.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  Header parse() {
    Header header;
    bool has_descr = false, has_order = false, has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr") {
        if (peek() != '\'' && peek() != '"')
          refuse("structured numpy types are not supported: save one field an array");
        header.descr = string();
        has_descr = true;
      } else if (key == "fortran_order") {
        header.fortran_order = boolean();
        has_order = true;
      } else if (key == "shape") {
        header.shape = tuple();
        has_shape = true;
      } else {
        refuse("unknown key '" + key + "' in the .npy header");
      }
      if (!accept(',') && peek() != '}') malformed();
    }
    if (!has_descr || !has_order || !has_shape) malformed();
    return header;
  }

 private:
  [[noreturn]] static void malformed() { refuse("malformed .npy header"); }

  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) malformed();
  }
  std::string string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') malformed();
    const size_t end = text_.find(quote, ++at_);
    if (end == std::string_view::npos) malformed();
    std::string result(text_.substr(at_, end - at_));
    at_ = end + 1;
    return result;
  }
  bool boolean() {
    peek();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}}) {
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return value;
    }
    malformed();
  }
  Shape tuple() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      peek();
      int64_t dim = 0;
      const char* begin = text_.data() + at_;
      const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), dim);
      if (error != std::errc() || dim < 0) malformed();
      at_ += static_cast<size_t>(end - begin);
      accept('L');  // Python 2 wrote long integers so
      shape.push_back(dim);
      if (!accept(',') && peek() != ')') malformed();
    }
    return shape;
  }

  std::string_view text_;
  size_t at_ = 0;
};

// How one element lies in the file.
struct ItemFormat {
  DType dtype = DType::undefined;
  char string_kind = 0;  // 'S' or 'U' for strings
  size_t bytes = 0;
  size_t swap_bytes = 1;  // the unit whose bytes are reversed when the byte order is not this machine's
  bool swapped = false;
};

struct NumpyType {
  std::string_view code;
  DType dtype;
};
constexpr NumpyType kNumpyTypes[] = {{"b1", DType::boolean},   {"i1", DType::int8},       {"i2", DType::int16},
                                     {"i4", DType::int32},     {"i8", DType::int64},      {"u1", DType::uint8},
                                     {"u2", DType::uint16},    {"u4", DType::uint32},     {"u8", DType::uint64},
                                     {"f2", DType::float16},   {"f4", DType::float32},    {"f8", DType::float64},
                                     {"c8", DType::complex64}, {"c16", DType::complex128}};

ItemFormat parse_descr(const std::string& descr) {
  const auto unsupported = [&]() { refuse("numpy type '" + descr + "' is not supported"); };
  std::string_view code = descr;
  char order = '=';
  if (!code.empty() && std::string_view("<>|=").find(code[0]) != std::string_view::npos) {
    order = code[0];
    code.remove_prefix(1);
  }
  if (code.starts_with('O')) refuse("arrays of Python objects are not supported");
  ItemFormat format;
  format.swapped = order == (kLittleEndian ? '>' : '<');
  if (code.starts_with('S') || code.starts_with('U')) {
    uint32_t width = 0;
    const auto [end, error] = std::from_chars(code.data() + 1, code.data() + code.size(), width);
    if (error != std::errc() || end != code.data() + code.size()) unsupported();
    format.dtype = DType::string;
    format.string_kind = code[0];
    format.swap_bytes = code[0] == 'U' ? 4 : 1;
    format.bytes = format.swap_bytes * width;
    return format;
  }
  for (const NumpyType& type : kNumpyTypes) {
    if (type.code != code) continue;
    format.dtype = type.dtype;
    format.bytes = byte_size(type.dtype, 1);
    format.swap_bytes = code[0] == 'c' ? format.bytes / 2 : format.bytes;
    return format;
  }
  unsupported();
  return format;
}

std::string decode_string(const std::byte* item, const ItemFormat& format) {
  if (format.string_kind == 'S') {
    std::string text(reinterpret_cast<const char*>(item), format.bytes);
    text.resize(text.find_last_not_of('\0') + 1);
    return text;
  }
  std::u32string text(format.bytes / 4, U'\0');
  std::memcpy(text.data(), item, format.bytes);
  text.resize(text.find_last_not_of(U'\0') + 1);
  const auto utf8 = to_utf8(text);
  if (!utf8) refuse("a string holds what is no Unicode character");
  return *utf8;
}

// Calls visit(i, j) for the i-th element in C order, which is the j-th in Fortran order.
template <class Visit>
void for_each_fortran(const Shape& shape, const Visit& visit) {
  std::vector<int64_t> index(shape.rank(), 0), strides(shape.rank(), 1);
  for (size_t axis = 1; axis < shape.rank(); ++axis) strides[axis] = strides[axis - 1] * shape[axis - 1];
  const int64_t count = shape.elements();
  for (int64_t i = 0, j = 0; i < count; ++i) {
    visit(static_cast<size_t>(i), static_cast<size_t>(j));
    for (size_t axis = shape.rank(); axis-- > 0;) {
      j += strides[axis];
      if (++index[axis] < shape[axis]) break;
      j -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

// The items of `data` in C order and this machine's byte order.
std::vector<std::byte> normalized(std::span<const std::byte> data, const Header& header, const ItemFormat& format) {
  std::vector<std::byte> items(data.begin(), data.end());
  if (header.fortran_order && header.shape.rank() > 1) {
    for_each_fortran(header.shape, [&](size_t i, size_t j) {
      std::memcpy(items.data() + i * format.bytes, data.data() + j * format.bytes, format.bytes);
    });
  }
  if (format.swapped && format.swap_bytes > 1) {
    for (size_t at = 0; at < items.size(); at += format.swap_bytes) {
      std::reverse(items.data() + at, items.data() + at + format.swap_bytes);
    }
  }
  return items;
}

Tensor make_tensor(std::span<const std::byte> data, const Header& header, const ItemFormat& format) {
  const bool as_it_is = !format.string_kind && !(format.swapped && format.swap_bytes > 1) &&
                        !(header.fortran_order && header.shape.rank() > 1);
  std::vector<std::byte> items;
  if (!as_it_is) {
    items = normalized(data, header, format);
    data = items;
  }
  Tensor tensor(format.dtype, header.shape);
  if (format.string_kind) {
    size_t at = 0;
    for (std::string& text : tensor.mutable_values<std::string>()) {
      text = decode_string(data.data() + at, format);
      at += format.bytes;
    }
  } else if (!data.empty()) {
    std::memcpy(tensor.mutable_data(), data.data(), data.size());
  }
  return tensor;
}

// The file's text before the elements: magic, version, length, and the dictionary padded to 64 bytes.
std::string make_preamble(const std::string& descr, const Shape& shape) {
  std::string text = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (";
  for (const int64_t dim : shape) text += std::to_string(dim) + ", ";
  if (shape.rank() > 1) text.resize(text.size() - 2);
  if (shape.rank() == 1) text.pop_back();
  text += "), }";
  const bool version_1 = text.size() + 64 <= UINT16_MAX;
  const size_t fixed = version_1 ? 10 : 12;
  text.append((64 - (fixed + text.size() + 1) % 64) % 64, ' ');
  text += '\n';
  std::string preamble(kMagic);
  preamble += version_1 ? '\1' : '\2';
  preamble += '\0';
  for (size_t i = 0; i < fixed - 8; ++i) preamble += static_cast<char>(text.size() >> (8 * i) & 0xFF);
  return preamble + text;
}

std::vector<std::byte> join(const std::string& preamble, const void* data, size_t bytes) {
  std::vector<std::byte> file(preamble.size() + bytes);
  std::memcpy(file.data(), preamble.data(), preamble.size());
  if (bytes) std::memcpy(file.data() + preamble.size(), data, bytes);
  return file;
}

std::vector<std::byte> serialize_strings(const TensorView& tensor, char order) {
  std::vector<std::u32string> texts;
  size_t width = 1;
  for (const std::string& text : tensor.values<std::string>()) {
    auto decoded = from_utf8(text);
    if (!decoded) refuse("numpy cannot hold a string that is not UTF-8; use .pb");
    if (decoded->ends_with(U'\0')) refuse("numpy drops the zero characters at a string's end; use .pb");
    width = std::max(width, decoded->size());
    texts.push_back(std::move(*decoded));
  }
  const size_t count = texts.size();
  if (count > SIZE_MAX / 4 / width) throw Error(ErrorCode::limit, "the strings are too long for .npy; use .pb");
  std::vector<char32_t> items(count * width, U'\0');
  for (size_t i = 0; i < count; ++i) std::copy(texts[i].begin(), texts[i].end(), items.data() + i * width);
  return join(make_preamble(order + ("U" + std::to_string(width)), tensor.shape), items.data(), items.size() * 4);
}

}  // namespace

Tensor parse_npy(std::span<const std::byte> bytes) {
  const auto byte_at = [&](size_t i) { return std::to_integer<size_t>(bytes[i]); };
  if (bytes.size() < 12 || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) refuse("not a .npy file");
  const size_t version = byte_at(6);
  if (version < 1 || version > 3) refuse(".npy version " + std::to_string(version) + " is unknown");
  const size_t begin = version == 1 ? 10 : 12;
  size_t length = 0;
  for (size_t i = begin; i-- > 8;) length = length << 8 | byte_at(i);
  if (length > bytes.size() - begin) refuse("the .npy header is cut short");

  const Header header = HeaderParser({reinterpret_cast<const char*>(bytes.data()) + begin, length}).parse();
  const ItemFormat format = parse_descr(header.descr);
  header.shape.checked_bytes(DType::uint8);
  const size_t count = static_cast<size_t>(header.shape.elements());
  const std::span<const std::byte> data = bytes.subspan(begin + length);
  if (format.bytes == 0 && count > 0) refuse("numpy type '" + header.descr + "' has no width");
  if (count > 0 && count > data.size() / format.bytes) {
    refuse("the .npy data is cut short: " + header.shape.to_string() + " of '" + header.descr + "' in " +
           std::to_string(data.size()) + " bytes");
  }
  return make_tensor(data.first(count * format.bytes), header, format);
}

Tensor read_npy(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = read_file(path);
  try {
    return parse_npy(bytes);
  } catch (const Error& error) {
    throw Error(error.code(), "'" + path.string() + "': " + error.what());
  }
}

std::vector<std::byte> serialize_npy(const TensorView& tensor) {
  const char order = kLittleEndian ? '<' : '>';
  if (tensor.dtype == DType::string) return serialize_strings(tensor, order);
  for (const NumpyType& type : kNumpyTypes) {
    if (type.dtype != tensor.dtype) continue;
    const bool single = byte_size(type.dtype, 1) == 1;
    const std::string descr = (single ? '|' : order) + std::string(type.code);
    return join(make_preamble(descr, tensor.shape), tensor.data, tensor.bytes());
  }
  refuse("numpy has no type " + std::string(dtype_name(tensor.dtype)) + "; use .pb");
}

}  // namespace onnxrun
