#include "graph/dim.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "base/checked.h"

namespace onnxrun {

// A sum of terms: the sorted names of a product -> its factor. No factor is zero; the empty product is the constant.
struct Dim::Polynomial {
  std::map<std::vector<std::string>, int64_t> terms;
  bool overflow = false;

  void add(const std::vector<std::string>& product, int64_t factor) {
    int64_t& sum = terms[product];
    overflow = overflow || !checked_add(sum, factor, sum);
    if (sum == 0) terms.erase(product);
  }

  std::string to_string() const {
    std::string text;
    // The constant, an empty product, sorts first; it is written last.
    const auto append = [&](const std::vector<std::string>& product, int64_t factor) {
      if (!text.empty()) text += factor < 0 ? " - " : " + ";
      const int64_t shown = text.empty() ? factor : std::abs(factor);
      std::string names;
      for (const std::string& name : product) names += names.empty() ? name : "*" + name;
      text += names.empty() ? std::to_string(shown) : shown == 1 ? names : std::to_string(shown) + "*" + names;
    };
    for (const auto& [product, factor] : terms) {
      if (!product.empty()) append(product, factor);
    }
    if (const auto constant = terms.find({}); constant != terms.end()) append({}, constant->second);
    return text.empty() ? "0" : text;
  }
};

namespace {

std::string operand(const Dim& dim) {
  const std::string text = dim.to_string();
  return text.find_first_of(" *") == std::string::npos ? text : "(" + text + ")";
}

int64_t floor_div_numbers(int64_t a, int64_t b) {
  const int64_t quotient = a / b;
  return quotient - ((a % b != 0) && ((a < 0) != (b < 0)));
}

bool divides(int64_t a, int64_t b) { return b != 0 && b != -1 && a % b == 0; }

}  // namespace

Dim Dim::symbol(std::string_view name) {
  Polynomial polynomial;
  polynomial.add({std::string(name)}, 1);
  return from(std::move(polynomial));
}

Dim Dim::from(Polynomial polynomial) {
  if (polynomial.overflow) return unknown();
  if (polynomial.terms.empty()) return 0;
  if (polynomial.terms.size() == 1 && polynomial.terms.begin()->first.empty()) return polynomial.terms.begin()->second;
  Dim dim;
  dim.kind_ = Kind::expression;
  dim.expression_ = std::make_shared<const Polynomial>(std::move(polynomial));
  return dim;
}

Dim::Polynomial Dim::polynomial() const {
  if (kind_ == Kind::expression) return *expression_;
  Polynomial constant;
  constant.add({}, number_);
  return constant;
}

bool operator==(const Dim& a, const Dim& b) {
  if (!a.is_known() || a.kind_ != b.kind_) return false;
  return a.is_number() ? a.number_ == b.number_ : a.expression_->terms == b.expression_->terms;
}

Dim operator+(const Dim& a, const Dim& b) {
  if (!a.is_known() || !b.is_known()) return Dim::unknown();
  if (a.is(0)) return b;
  if (b.is(0)) return a;
  Dim::Polynomial sum = a.polynomial();
  for (const auto& [product, factor] : b.polynomial().terms) sum.add(product, factor);
  return Dim::from(std::move(sum));
}

Dim operator-(const Dim& a, const Dim& b) { return a + b * Dim(-1); }

Dim operator*(const Dim& a, const Dim& b) {
  if (a.is(0) || b.is(0)) return 0;
  if (!a.is_known() || !b.is_known()) return Dim::unknown();
  if (a.is(1)) return b;
  if (b.is(1)) return a;
  Dim::Polynomial result;
  const Dim::Polynomial right = b.polynomial();
  for (const auto& [left_product, left_factor] : a.polynomial().terms) {
    for (const auto& [right_product, right_factor] : right.terms) {
      std::vector<std::string> product;
      std::merge(left_product.begin(), left_product.end(), right_product.begin(), right_product.end(),
                 std::back_inserter(product));
      int64_t factor = 0;
      if (!checked_mul(left_factor, right_factor, factor)) return Dim::unknown();
      result.add(product, factor);
    }
  }
  return Dim::from(std::move(result));
}

Dim exact_div(const Dim& a, const Dim& b) {
  if (!a.is_known() || !b.is_known() || b.is(0)) return Dim::unknown();
  if (b.is(1)) return a;
  if (a == b) return 1;
  const Dim::Polynomial divisor = b.polynomial();
  if (divisor.terms.size() != 1) return Dim::unknown();
  const auto& [divisor_product, divisor_factor] = *divisor.terms.begin();
  Dim::Polynomial quotient;
  for (const auto& [product, factor] : a.polynomial().terms) {
    if (!divides(factor, divisor_factor)) return Dim::unknown();
    if (!std::includes(product.begin(), product.end(), divisor_product.begin(), divisor_product.end())) {
      return Dim::unknown();
    }
    std::vector<std::string> rest;
    std::set_difference(product.begin(), product.end(), divisor_product.begin(), divisor_product.end(),
                        std::back_inserter(rest));
    quotient.add(rest, factor / divisor_factor);
  }
  return Dim::from(std::move(quotient));
}

Dim floor_div(const Dim& a, const Dim& b) {
  if (!a.is_known() || !b.is_known() || b.is(0)) return Dim::unknown();
  if (a.is_number() && b.is_number() && b.number() != -1) return floor_div_numbers(a.number(), b.number());
  const Dim exact = exact_div(a, b);
  return exact.is_known() ? exact : Dim::symbol("floor(" + operand(a) + "/" + operand(b) + ")");
}

Dim ceil_div(const Dim& a, const Dim& b) {
  if (!a.is_known() || !b.is_known() || b.is(0)) return Dim::unknown();
  if (a.is_number() && b.is_number() && b.number() != -1) return -floor_div_numbers(-a.number(), b.number());
  const Dim exact = exact_div(a, b);
  return exact.is_known() ? exact : Dim::symbol("ceil(" + operand(a) + "/" + operand(b) + ")");
}

Dim min(const Dim& a, const Dim& b) {
  if (!a.is_known() || !b.is_known()) return Dim::unknown();
  if (a.is_number() && b.is_number()) return std::min(a.number(), b.number());
  if (a == b) return a;
  if (b.is_number()) return min(b, a);
  return Dim::symbol("min(" + a.to_string() + "," + b.to_string() + ")");
}

Dim max(const Dim& a, const Dim& b) {
  if (!a.is_known() || !b.is_known()) return Dim::unknown();
  if (a.is_number() && b.is_number()) return std::max(a.number(), b.number());
  if (a == b) return a;
  return Dim::symbol("max(" + a.to_string() + "," + b.to_string() + ")");
}

Dim modulo(const Dim& a, const Dim& b) {
  if (!a.is_known() || !b.is_known() || b.is(0)) return Dim::unknown();
  if (a.is_number() && b.is_number()) return a - floor_div(a, b) * b;
  if (exact_div(a, b).is_known()) return 0;
  return Dim::symbol("mod(" + a.to_string() + "," + b.to_string() + ")");
}

bool Dim::is_natural() const noexcept {
  if (!is_expression()) return is_number() && number_ >= 0;
  const auto is_symbol = [](const std::string& name) { return name.find('(') == std::string::npos; };
  return std::all_of(expression_->terms.begin(), expression_->terms.end(), [&](const auto& term) {
    return term.second >= 0 && std::all_of(term.first.begin(), term.first.end(), is_symbol);
  });
}

bool Dim::is_cut_from(const Dim& dim) const {
  constexpr std::string_view kBegin = "min(";
  const std::string text = to_string();
  const std::string end = "," + dim.to_string() + ")";
  if (!is_expression() || !text.starts_with(kBegin) || !text.ends_with(end)) return false;
  if (text.size() <= kBegin.size() + end.size()) return false;
  const std::string number = text.substr(kBegin.size(), text.size() - kBegin.size() - end.size());
  return number.find_first_not_of("0123456789") == std::string::npos && number != "0" && number != "1";
}

std::string Dim::to_string() const {
  switch (kind_) {
    case Kind::unknown:
      return "?";
    case Kind::number:
      return std::to_string(number_);
    case Kind::expression:
      return expression_->to_string();
  }
  return "?";
}

}  // namespace onnxrun
