#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace onnxrun {

// UTF-8 to code points and back (https://www.rfc-editor.org/rfc/rfc3629). nullopt where the text is malformed: overlong
// forms, surrogates, code points over 0x10FFFF.
std::optional<std::u32string> from_utf8(std::string_view text);
std::optional<std::string> to_utf8(std::u32string_view text);

}  // namespace onnxrun
