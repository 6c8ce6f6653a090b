#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace onnxrun {

// An integer that may not be known yet: a number, a polynomial over named symbols ("batch", "2*height + 1"), or
// unknown. Symbols stand for extents, so they are never negative. Two expressions that are written differently but are
// equal compare equal where polynomial arithmetic shows it; functions that are none (a floor, a minimum) become symbols
// named by their text. Immutable, cheap to copy.
class Dim {
 public:
  Dim() = default;  // unknown
  Dim(int64_t value) : kind_(Kind::number), number_(value) {}
  static Dim symbol(std::string_view name);
  static Dim unknown() { return {}; }

  bool is_known() const noexcept { return kind_ != Kind::unknown; }  // a number or an expression
  bool is_number() const noexcept { return kind_ == Kind::number; }
  bool is_expression() const noexcept { return kind_ == Kind::expression; }

  // The number; only where is_number().
  int64_t number() const noexcept { return number_; }
  // The number, or -1 where it is none.
  int64_t number_or_negative() const noexcept { return is_number() ? number_ : -1; }
  bool is(int64_t value) const noexcept { return is_number() && number_ == value; }

  // Whether both are certainly equal; unknown equals nothing.
  friend bool operator==(const Dim& a, const Dim& b);

  // Unknown where an operand is, or where a number would overflow.
  friend Dim operator+(const Dim& a, const Dim& b);
  friend Dim operator-(const Dim& a, const Dim& b);
  friend Dim operator*(const Dim& a, const Dim& b);
  friend Dim floor_div(const Dim& a, const Dim& b);  // rounds to minus infinity; unknown for a divisor of zero
  friend Dim ceil_div(const Dim& a, const Dim& b);
  friend Dim min(const Dim& a, const Dim& b);
  friend Dim max(const Dim& a, const Dim& b);
  friend Dim modulo(const Dim& a, const Dim& b);  // the sign of the divisor

  // a / b where b divides every term of a; unknown otherwise.
  friend Dim exact_div(const Dim& a, const Dim& b);

  // Whether it is certainly no less than zero: a number, or a sum of products of named symbols.
  bool is_natural() const noexcept;
  // Whether it is min(number, dim) for a number of at least 2.
  bool is_cut_from(const Dim& dim) const;

  // "3", "batch", "2*height + 1", "?".
  std::string to_string() const;

  struct Polynomial;

 private:
  enum class Kind : uint8_t { unknown, number, expression };

  static Dim from(Polynomial polynomial);
  Polynomial polynomial() const;

  Kind kind_ = Kind::unknown;
  int64_t number_ = 0;
  std::shared_ptr<const Polynomial> expression_;
};

// Declared again for lookup without arguments of the class.
Dim floor_div(const Dim& a, const Dim& b);
Dim ceil_div(const Dim& a, const Dim& b);
Dim min(const Dim& a, const Dim& b);
Dim max(const Dim& a, const Dim& b);
Dim modulo(const Dim& a, const Dim& b);
Dim exact_div(const Dim& a, const Dim& b);

}  // namespace onnxrun
