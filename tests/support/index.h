#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace onnxrun {

// The next index of `extents`; false behind the last.
inline bool advance(std::vector<int64_t>& index, const std::vector<int64_t>& extents) {
  for (size_t axis = index.size(); axis-- > 0;) {
    if (++index[axis] < extents[axis]) return true;
    index[axis] = 0;
  }
  return false;
}

}  // namespace onnxrun
