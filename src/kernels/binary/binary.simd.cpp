#include "kernels/binary/binary_rows.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

constexpr BinaryTable make_table() {
  BinaryTable table{};
  fill<float>(table, DType::float32);
  fill<double>(table, DType::float64);
  fill<int32_t>(table, DType::int32);
  fill<int64_t>(table, DType::int64);
  return table;
}

}  // namespace

extern const BinaryTable kBinaryTable;
constexpr BinaryTable kBinaryTable = make_table();

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
