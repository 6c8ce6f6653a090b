#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace onnxrun {

// A regular expression over UTF-8 text in RE2's syntax (https://github.com/google/re2/wiki/Syntax), which takes time
// linear in the text. Thread-safe.
class Regex {
 public:
  // Whether this build can do it.
  static bool is_available();

  // \throws Error(invalid_model) with the reason where the pattern is malformed; Error(unsupported_operator) where
  // it is not available.
  explicit Regex(const std::string& pattern);
  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  bool matches_whole(std::string_view text) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace onnxrun
