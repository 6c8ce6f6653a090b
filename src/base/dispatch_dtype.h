#pragma once

#include <complex>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <tuple>

#include "base/dtype_set.h"
#include "base/half.h"
#include "onnxrun/dtype.h"

namespace onnxrun {

// The element type of a C++ type.
template <class T>
inline constexpr DType kDTypeOf = DType::undefined;
template <>
inline constexpr DType kDTypeOf<float> = DType::float32;
template <>
inline constexpr DType kDTypeOf<double> = DType::float64;
template <>
inline constexpr DType kDTypeOf<Half> = DType::float16;
template <>
inline constexpr DType kDTypeOf<BFloat16> = DType::bfloat16;
template <>
inline constexpr DType kDTypeOf<int8_t> = DType::int8;
template <>
inline constexpr DType kDTypeOf<int16_t> = DType::int16;
template <>
inline constexpr DType kDTypeOf<int32_t> = DType::int32;
template <>
inline constexpr DType kDTypeOf<int64_t> = DType::int64;
template <>
inline constexpr DType kDTypeOf<uint8_t> = DType::uint8;
template <>
inline constexpr DType kDTypeOf<uint16_t> = DType::uint16;
template <>
inline constexpr DType kDTypeOf<uint32_t> = DType::uint32;
template <>
inline constexpr DType kDTypeOf<uint64_t> = DType::uint64;
template <>
inline constexpr DType kDTypeOf<bool> = DType::boolean;
template <>
inline constexpr DType kDTypeOf<std::string> = DType::string;
template <>
inline constexpr DType kDTypeOf<std::complex<float>> = DType::complex64;
template <>
inline constexpr DType kDTypeOf<std::complex<double>> = DType::complex128;

template <class... Ts>
struct TypeList {};
using IntegerTypes = TypeList<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t>;
using FloatTypes = TypeList<float, double, Half, BFloat16>;
using NumberTypes =
    TypeList<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, float, double, Half, BFloat16>;

namespace detail {

template <class Body, class... Ts>
bool dispatch_one(DType dtype, Body& body, TypeList<Ts...> /*types*/) {
  return ((kDTypeOf<Ts> == dtype ? (body.template operator()<Ts>(), true) : false) || ...);
}
template <class T, class Body>
bool dispatch_one(DType dtype, Body& body, T* /*single*/) {
  return kDTypeOf<T> == dtype ? (body.template operator()<T>(), true) : false;
}
template <class T>
struct ListOf {
  using Type = T*;
};
template <class... Ts>
struct ListOf<TypeList<Ts...>> {
  using Type = TypeList<Ts...>;
};

}  // namespace detail

// Calls body.operator()<T>() for the T among `Types` (types, or lists of types) whose element type is `dtype`.
// \throws std::logic_error where there is none: the operator's signature must have refused it.
template <class... Types, class Body>
void dispatch_dtype(DType dtype, Body&& body) {
  const bool found = (detail::dispatch_one(dtype, body, typename detail::ListOf<Types>::Type{}) || ...);
  if (!found) throw std::logic_error("no kernel for elements of " + std::string(dtype_name(dtype)));
}

}  // namespace onnxrun
