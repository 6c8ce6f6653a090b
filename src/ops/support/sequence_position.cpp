#include "ops/support/sequence_position.h"

#include "ops/support/indices.h"

namespace onnxrun::ops {

int64_t read_position(const RunContext& context, size_t i, int64_t size, int64_t otherwise, bool past_end) {
  if (!context.has_input(i)) return otherwise;
  const TensorView given = context.input(i);
  if (given.elements() != 1) RunContext::fail("the position must have one element");
  const int64_t position = IndexReader(given.data, given.dtype)[0];
  if (position < -size || position > size || (position == size && !past_end)) {
    RunContext::fail("position " + std::to_string(position) + " is out of range for a sequence of " +
                     std::to_string(size));
  }
  return position < 0 ? position + size : position;
}

}  // namespace onnxrun::ops
