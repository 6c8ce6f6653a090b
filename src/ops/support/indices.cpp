#include "ops/support/indices.h"

namespace onnxrun::ops {

int64_t checked_index(int64_t index, int64_t extent) {
  if (index < -extent || index >= extent) {
    RunContext::fail("index " + std::to_string(index) + " is out of range for an extent of " + std::to_string(extent));
  }
  return index < 0 ? index + extent : index;
}

}  // namespace onnxrun::ops
