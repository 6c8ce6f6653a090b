#include "kernels/binary/binary.h"

#include "kernels/binary/binary_rows.h"
#include "kernels/dispatch.h"

namespace onnxrun {
namespace {

// The types that are not worth a copy for each instruction set.
constexpr BinaryTable make_baseline_table() {
  BinaryTable table{};
  baseline::fill<int8_t>(table, DType::int8);
  baseline::fill<int16_t>(table, DType::int16);
  baseline::fill<uint8_t>(table, DType::uint8);
  baseline::fill<uint16_t>(table, DType::uint16);
  baseline::fill<uint32_t>(table, DType::uint32);
  baseline::fill<uint64_t>(table, DType::uint64);
  table.rows[static_cast<size_t>(BinaryKind::equal)][static_cast<size_t>(DType::boolean)] =
      baseline::row<baseline::Equal, uint8_t>;
  return table;
}

constexpr BinaryTable kBaselineTable = make_baseline_table();

}  // namespace

ONNXRUN_DECLARE_TABLE(BinaryTable, kBinaryTable)

BinaryRowKernel binary_row(BinaryKind kind, DType dtype) {
  const auto find = [&](const BinaryTable& table) {
    return table.rows[static_cast<size_t>(kind)][static_cast<size_t>(dtype)];
  };
  const BinaryRowKernel kernel = find(ONNXRUN_SELECT_TABLE(kBinaryTable));
  return kernel ? kernel : find(kBaselineTable);
}

}  // namespace onnxrun
