#include "media/regex.h"

#include "onnxrun/error.h"

#ifdef ONNXRUN_HAS_RE2
#include <re2/re2.h>
#endif

namespace onnxrun {

#ifdef ONNXRUN_HAS_RE2

class Regex::Impl {
 public:
  explicit Impl(const std::string& pattern) : regex_(pattern, re2::RE2::Quiet) {
    if (regex_.ok()) return;
    throw Error(ErrorCode::invalid_model, "'" + pattern + "' is no regular expression: " + regex_.error());
  }

  bool matches_whole(std::string_view text) const {
    return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), regex_);
  }

 private:
  re2::RE2 regex_;
};

bool Regex::is_available() { return true; }
Regex::Regex(const std::string& pattern) : impl_(std::make_unique<Impl>(pattern)) {}
bool Regex::matches_whole(std::string_view text) const { return impl_->matches_whole(text); }

#else

class Regex::Impl {};

bool Regex::is_available() { return false; }
Regex::Regex(const std::string& /*pattern*/) {
  throw Error(ErrorCode::unsupported_operator, "this build has no regular expressions: it is without RE2");
}
bool Regex::matches_whole(std::string_view /*text*/) const { return false; }

#endif

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

}  // namespace onnxrun
