#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "onnxrun/export.h"

namespace onnxrun {

// Element types, numbered as TensorProto.DataType of the ONNX format (https://onnx.ai/onnx/repo-docs/IR.html).
enum class DType : uint8_t {
  undefined = 0,
  float32 = 1,
  uint8 = 2,
  int8 = 3,
  uint16 = 4,
  int16 = 5,
  int32 = 6,
  int64 = 7,
  string = 8,
  boolean = 9,
  float16 = 10,
  float64 = 11,
  uint32 = 12,
  uint64 = 13,
  complex64 = 14,
  complex128 = 15,
  bfloat16 = 16,
  float8e4m3fn = 17,
  float8e4m3fnuz = 18,
  float8e5m2 = 19,
  float8e5m2fnuz = 20,
  uint4 = 21,
  int4 = 22,
  float4e2m1 = 23,
  float8e8m0 = 24,
  uint2 = 25,
  int2 = 26,
};
inline constexpr int kDTypeCount = 27;

// Bits of one element: 2, 4, 8, ... 128; 0 for undefined. A string element is a std::string object.
ONNXRUN_API int bit_size(DType dtype);

// Whether several elements share a byte (the 4- and 2-bit types; the first element is in the lowest bits).
inline bool is_packed(DType dtype) { return bit_size(dtype) < 8 && dtype != DType::undefined; }

// Bytes that `count` elements take, packed types rounded up to whole bytes. No overflow check: see
// Shape::checked_bytes.
ONNXRUN_API size_t byte_size(DType dtype, size_t count);

// "float32", "int64", "bool", "bfloat16", ...; "undefined".
ONNXRUN_API std::string_view dtype_name(DType dtype);

// The inverse of dtype_name.
ONNXRUN_API std::optional<DType> dtype_from_name(std::string_view name);

// The element type of a number of the format; nullopt where the format has none.
ONNXRUN_API std::optional<DType> dtype_from_number(int64_t number);

}  // namespace onnxrun
