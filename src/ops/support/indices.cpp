#include "ops/support/indices.h"

#include "kernels/element/element.h"
#include "ops/support/shape_rules.h"

namespace onnxrun::ops {

void fail_index(int64_t index, int64_t extent) {
  RunContext::fail("index " + std::to_string(index) + " is out of range for an extent of " + std::to_string(extent));
}

void IndexReader::offsets(int64_t first, int64_t n, const IndexedElements& elements, int64_t* offsets) const {
  const auto find = [&](const auto* indices, auto* kernel) {
    if (kernel(indices, static_cast<size_t>(n), elements, offsets)) return;
    for (int64_t i = 0; i < n; ++i) checked_index(indices[i], elements.extent);
  };
  if (is_wide_) {
    find(static_cast<const int64_t*>(data_) + first, element_kernels().offsets_of_int64);
  } else {
    find(static_cast<const int32_t*>(data_) + first, element_kernels().offsets_of_int32);
  }
}

void check_elementwise_indices(const InferContext& context, const DimShape& data, const DimShape& indices,
                               int64_t axis) {
  if (!data.has_rank()) return;
  const size_t along = normalize_axis(axis, data.rank());
  if (!indices.has_rank()) return;
  if (indices.rank() != data.rank()) context.fail("indices and data differ in rank");
  for (size_t k = 0; k < data.rank(); ++k) {
    if (k == along || !data[k].is_number() || !indices[k].is_number()) continue;
    if (indices[k].number() > data[k].number()) {
      context.fail("indices have more elements than data along axis " + std::to_string(k));
    }
  }
}

}  // namespace onnxrun::ops
