#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace onnxrun {

// Upper and lower case of UTF-8 text by Unicode's full mappings, as a language wants them whatever locales the machine
// has. Thread-safe.
class CaseMapper {
 public:
  // Whether this build can do it.
  static bool is_available();

  // `locale` such as "en_US" or "tr_TR.UTF-8"; only its language matters, an unknown one is the root locale's.
  // \throws Error(unsupported_operator) where it is not available.
  explicit CaseMapper(const std::string& locale);
  ~CaseMapper();
  CaseMapper(CaseMapper&&) noexcept;
  CaseMapper& operator=(CaseMapper&&) noexcept;

  std::string upper(std::string_view text) const;
  std::string lower(std::string_view text) const;
  // What is the same for all texts that differ in case alone, in any language.
  std::string folded(std::string_view text) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace onnxrun
