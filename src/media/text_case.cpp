#include "media/text_case.h"

#include "onnxrun/error.h"

#ifdef ONNXRUN_HAS_ICU
#include <unicode/ucasemap.h>
#endif

namespace onnxrun {

#ifdef ONNXRUN_HAS_ICU

class CaseMapper::Impl {
 public:
  using Map = int32_t (*)(const UCaseMap*, char*, int32_t, const char*, int32_t, UErrorCode*);

  explicit Impl(const std::string& locale) {
    UErrorCode error = U_ZERO_ERROR;
    map_ = ucasemap_open(locale.substr(0, locale.find('.')).c_str(), 0, &error);
    if (U_FAILURE(error)) throw Error(ErrorCode::invalid_model, "the locale '" + locale + "' cannot be used");
  }
  ~Impl() { ucasemap_close(map_); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::string apply(Map map, std::string_view text) const {
    std::string result(text.size(), '\0');
    for (int attempt = 0; attempt < 2; ++attempt) {
      UErrorCode error = U_ZERO_ERROR;
      const int32_t size = map(map_, result.data(), static_cast<int32_t>(result.size()), text.data(),
                               static_cast<int32_t>(text.size()), &error);
      if (error != U_BUFFER_OVERFLOW_ERROR && U_FAILURE(error)) break;
      result.resize(static_cast<size_t>(size));
      if (error != U_BUFFER_OVERFLOW_ERROR) return result;
    }
    throw Error(ErrorCode::run_failed,
                "the case of a text of " + std::to_string(text.size()) + " bytes cannot be changed");
  }

 private:
  UCaseMap* map_ = nullptr;
};

bool CaseMapper::is_available() { return true; }
CaseMapper::CaseMapper(const std::string& locale) : impl_(std::make_unique<Impl>(locale)) {}
std::string CaseMapper::upper(std::string_view text) const { return impl_->apply(ucasemap_utf8ToUpper, text); }
std::string CaseMapper::lower(std::string_view text) const { return impl_->apply(ucasemap_utf8ToLower, text); }
std::string CaseMapper::folded(std::string_view text) const { return impl_->apply(ucasemap_utf8FoldCase, text); }

#else

class CaseMapper::Impl {};

bool CaseMapper::is_available() { return false; }
CaseMapper::CaseMapper(const std::string& /*locale*/) {
  throw Error(ErrorCode::unsupported_operator, "this build cannot change the case of text: it is without ICU");
}
std::string CaseMapper::upper(std::string_view text) const { return std::string(text); }
std::string CaseMapper::lower(std::string_view text) const { return std::string(text); }
std::string CaseMapper::folded(std::string_view text) const { return std::string(text); }

#endif

CaseMapper::~CaseMapper() = default;
CaseMapper::CaseMapper(CaseMapper&&) noexcept = default;
CaseMapper& CaseMapper::operator=(CaseMapper&&) noexcept = default;

}  // namespace onnxrun
