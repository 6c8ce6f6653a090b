#pragma once

#include <vector>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "base/dispatch_dtype.h"
#include "graph/operator.h"
#include "ops/support/convert.h"

namespace onnxrun::ops {

// Inputs, and output 0 where asked for, as elements of T, float or double: those of another type as copies in the
// step's shared memory, which phases make before and after the operator's own.
template <class T>
class WideOperands {
 public:
  // Reserves memory from byte `shared` on, which moves behind it.
  WideOperands(const PlanContext& context, const std::vector<size_t>& inputs, size_t& shared, bool with_output = true)
      : inputs_(inputs) {
    copies_.resize(context.input_count());
    for (const size_t i : inputs) {
      if (context.has_input(i)) copies_[i] = reserve(context.input(i), shared);
    }
    if (with_output) output_ = reserve(context.output(0), shared);
  }

  void add_widening(PlanContext& context) const {
    for (const size_t i : inputs_) {
      if (!context.has_input(i) || !copies_[i].used) continue;
      const DType dtype = context.input(i).dtype;
      const auto width = static_cast<size_t>(bit_size(dtype)) / 8;
      context.range(context.input(i).elements(), 1,
                    [i, width, begin = copies_[i].begin, convert = make_convert(dtype, kDTypeOf<T>)](
                        const TileContext& tile, int64_t from, int64_t to) {
                      convert(tile.input<std::byte>(i) + static_cast<size_t>(from) * width,
                              reinterpret_cast<T*>(tile.shared + begin) + from, 0, to - from);
                    });
    }
  }

  void add_narrowing(PlanContext& context) const {
    if (!output_.used) return;
    const DType dtype = context.output(0).dtype;
    const auto width = static_cast<size_t>(bit_size(dtype)) / 8;
    context.range(context.output(0).elements(), 1,
                  [width, begin = output_.begin, convert = make_convert(kDTypeOf<T>, dtype)](const TileContext& tile,
                                                                                             int64_t from, int64_t to) {
                    convert(reinterpret_cast<const T*>(tile.shared + begin) + from,
                            tile.output<std::byte>(0) + static_cast<size_t>(from) * width, 0, to - from);
                  });
  }

  const T* input(const TileContext& tile, size_t i) const {
    return copies_[i].used ? reinterpret_cast<const T*>(tile.shared + copies_[i].begin) : tile.input<T>(i);
  }
  T* output(const TileContext& tile) const {
    return output_.used ? reinterpret_cast<T*>(tile.shared + output_.begin) : tile.output<T>(0);
  }

 private:
  struct Copy {
    bool used = false;
    size_t begin = 0;
  };

  static Copy reserve(const TensorType& type, size_t& shared) {
    if (type.dtype == kDTypeOf<T>) return {};
    const size_t begin = align_up(shared, kAlignment);
    shared = begin + static_cast<size_t>(type.elements()) * sizeof(T);
    return {true, begin};
  }

  std::vector<size_t> inputs_;
  std::vector<Copy> copies_;
  Copy output_;
};

}  // namespace onnxrun::ops
