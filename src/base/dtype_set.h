#pragma once

#include <cstdint>
#include <initializer_list>

#include "onnxrun/dtype.h"

namespace onnxrun {

// A set of element types.
class DTypeSet {
 public:
  constexpr DTypeSet() = default;
  constexpr DTypeSet(std::initializer_list<DType> dtypes) {
    for (const DType dtype : dtypes) bits_ |= bit(dtype);
  }

  constexpr bool contains(DType dtype) const { return (bits_ & bit(dtype)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  friend constexpr DTypeSet operator|(DTypeSet a, DTypeSet b) { return DTypeSet(a.bits_ | b.bits_); }
  friend constexpr DTypeSet operator-(DTypeSet a, DTypeSet b) { return DTypeSet(a.bits_ & ~b.bits_); }
  friend constexpr bool operator==(DTypeSet, DTypeSet) = default;

 private:
  explicit constexpr DTypeSet(uint32_t bits) : bits_(bits) {}
  static constexpr uint32_t bit(DType dtype) { return uint32_t{1} << static_cast<int>(dtype); }

  uint32_t bits_ = 0;
};

// The sets that the operators' type constraints are made of.
inline constexpr DTypeSet kSignedIntegers = {DType::int8, DType::int16, DType::int32, DType::int64};
inline constexpr DTypeSet kUnsignedIntegers = {DType::uint8, DType::uint16, DType::uint32, DType::uint64};
inline constexpr DTypeSet kIntegers = kSignedIntegers | kUnsignedIntegers;
inline constexpr DTypeSet kIeeeFloats = {DType::float16, DType::float32, DType::float64};
inline constexpr DTypeSet kFloats = kIeeeFloats | DTypeSet{DType::bfloat16};
inline constexpr DTypeSet kComplex = {DType::complex64, DType::complex128};
inline constexpr DTypeSet kFloat8 = {DType::float8e4m3fn, DType::float8e4m3fnuz, DType::float8e5m2,
                                     DType::float8e5m2fnuz};
inline constexpr DTypeSet kNarrowIntegers = {DType::int4, DType::uint4, DType::int2, DType::uint2};
inline constexpr DTypeSet kNumbers = kIntegers | kFloats;
// Every tensor type of IR 3; what later versions add.
inline constexpr DTypeSet kClassicTypes = kIntegers | kIeeeFloats | kComplex | DTypeSet{DType::boolean, DType::string};
inline constexpr DTypeSet kAllTypes =
    kClassicTypes | kFloats | kFloat8 | kNarrowIntegers | DTypeSet{DType::float4e2m1, DType::float8e8m0};

}  // namespace onnxrun
